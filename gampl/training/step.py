"""The gradient step of members that are trained side by side; on a GPU one CUDA graph, for which nothing waits."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from gampl.generators.gpu import Graph
from gampl.generators.memory import Divider, split
from gampl.training.settings import Fit

LAST_RATE = 0.01  # the learning rate ends at this fraction of its highest value


class Trainable(Protocol):
    """M models that are trained side by side without seeing each other, unless their losses make them."""

    members: int  #: M
    parameters: Mapping[str, Tensor]  #: leaf tensors by name; for M > 1 the first axis of each counts the members
    learning_rates: Mapping[str, float] = MappingProxyType({})  #: highest ones of parameters that have one of their own
    streams: Sequence[torch.Generator]  #: everything random that `draw` uses, so that a checkpoint can hold it
    graphable: bool = True  #: whether its losses never look at a number, so that a step can be a CUDA graph

    def draw(self) -> tuple[Tensor, ...]:
        """Draws all that is random in a step, such as its batch: tensors of (n, ...), a row for each event.

        Where the memory does not suffice, their rows are divided. A batch that can't be is one row for all its events.
        """

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The loss of each member, the mean over what was drawn or over some rows of it: (M,)."""

    def compiled(self) -> bool:
        """Whether its losses are compiled."""
        return False

    def validation_losses(self, divider: Divider) -> Tensor | None:
        """The loss of each member on events that it is not trained on, (M,), or None if there are none."""


def learning_rate_factor(step: int, settings: Fit) -> float:
    """Linear warm-up, then a cosine, as a factor on the highest learning rate; steps count from 0."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    cosine = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return warm * (LAST_RATE + (1 - LAST_RATE) * cosine)


class Step:
    """What changes from step to step: weights, their running mean, moments of the gradients, sums of losses.

    All of it lies on the device of the weights, where the trainable already is. On a CPU a step is done when the call
    returns, on a GPU it is only ordered by then. Messages call this training `label`.
    """

    def __init__(self, trainable: Trainable, settings: Fit, label: str) -> None:
        self.trainable, self.settings = trainable, settings
        self.members, self.parameters = trainable.members, dict(trainable.parameters)
        self.device = next(iter(self.parameters.values())).device
        if unknown := set(trainable.learning_rates) - set(self.parameters):
            raise ValueError(f"learning_rates of parameters that do not exist: {sorted(unknown)}")
        for name, p in self.parameters.items():
            if self.members > 1 and (p.ndim == 0 or len(p) != self.members):
                raise ValueError(f'parameter "{name}": shape {tuple(p.shape)} must begin with {self.members} members')
        self.peak_rates = dict.fromkeys(self.parameters, settings.learning_rate) | dict(trainable.learning_rates)
        self.on_gpu = self.device.type == "cuda"
        by_rate: dict[float, list[Tensor]] = {}
        for name, rate in self.peak_rates.items():
            by_rate.setdefault(rate, []).append(self.parameters[name])
        self.optimiser = torch.optim.Adam(
            [
                {"params": ps, "peak_rate": rate, "lr": self._number(rate) if self.on_gpu else rate}
                for rate, ps in by_rate.items()
            ],
            fused=True,
            capturable=self.on_gpu,
        )
        for p in self.parameters.values():  # as Adam does in its first step, so that there is a state to restore
            zeros = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            self.optimiser.state[p] = {"step": self._number(0.0), **zeros}
        self.divider = Divider(label)
        self.graph: Graph | None = None
        self.done = 0  # steps so far
        # over the steps since it was set to zero
        self.loss_sum = torch.zeros(self.members, dtype=torch.float64, device=self.device)
        self.running_mean = {n: p.detach().clone() for n, p in self.parameters.items()} if settings.ema else {}
        self._new_share = self._number(1.0)  # of the weights in their running mean
        # of the first step of each member whose loss or gradient was not finite: loss, gradient's norm, step
        self._bad = torch.full((3, self.members), math.nan, dtype=torch.float64, device=self.device)
        self._now = torch.zeros((), dtype=torch.float64, device=self.device)

    def _number(self, value: float) -> Tensor:
        return torch.tensor(value, device=self.device)

    def __call__(self) -> None:
        """One gradient step of all members."""
        drawn = self.trainable.draw()
        factor = learning_rate_factor(self.done, self.settings)
        for group in self.optimiser.param_groups:
            if self.on_gpu:
                group["lr"].fill_(factor * group["peak_rate"])
            else:
                group["lr"] = factor * group["peak_rate"]
        decay = min(self.settings.ema, (1 + self.done) / (10 + self.done))  # at first the mean forgets quickly
        self._new_share.fill_(1 - decay)
        self._now.fill_(self.done)
        if self.on_gpu and self.trainable.graphable and not torch.are_deterministic_algorithms_enabled():
            self.graph = self.graph or self.divider.attempt(len(drawn[0]), partial(self._captured, drawn))
            self.graph(drawn)
        else:
            self._update(drawn)
        self.done += 1
        if not self.on_gpu:
            self.check()

    def _captured(self, drawn: tuple[Tensor, ...], _: int) -> Graph:
        """A step as a graph, for batches like this; a step itself divides them where the memory does not suffice."""
        return Graph(self._update, drawn, [*self.tensors().values(), self._bad])

    def _update(self, drawn: Sequence[Tensor]) -> None:
        """Changes the weights by the gradients of what was drawn; looks at no number."""
        drawn = tuple(drawn)
        losses = self.divider.attempt(len(drawn[0]), partial(self._gradients, drawn))
        norms = self._clip_gradients()
        new = ~(losses + norms).isfinite() & self._bad[2].isnan()
        now = torch.stack([losses.double(), norms.double(), self._now.expand(self.members)])
        self._bad.copy_(torch.where(new, now, self._bad))
        self.optimiser.step()
        for name, mean in self.running_mean.items():
            mean.lerp_(self.parameters[name].detach(), self._new_share)
        self.loss_sum += losses

    def _gradients(self, drawn: tuple[Tensor, ...], size: int) -> Tensor:
        """Finds the gradients of the losses of what was drawn, `size` rows at a time; returns the losses: (M,)."""
        self.optimiser.zero_grad()
        parts = []
        for part in split(drawn, size):
            losses = self.trainable.losses(part) * (len(part[0]) / len(drawn[0]))
            losses.sum().backward()  # type: ignore[no-untyped-call]
            parts.append(losses.detach())
        return torch.stack(parts).sum(0)

    def _clip_gradients(self) -> Tensor:
        """Scales the gradient of each member down to the norm `clip`; returns the norms before: (M,)."""
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        if self.on_gpu and self.members == 1:  # in few kernels
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
            torch._foreach_mul_(gradients, (self.settings.clip / norm).clamp_max(1.0))
            return norm.unsqueeze(0)
        squares = [g.reshape(self.members, -1).square().sum(1) for g in gradients]
        norms = torch.stack(squares).sum(0).sqrt()
        scale = (self.settings.clip / norms).clamp_max(1.0)
        for g in gradients:
            g.mul_(for_each_member(scale, g))
        return norms

    def check(self) -> None:
        """Waits for the steps so far.

        Raises:
            FloatingPointError: If a loss or gradient was not finite; names the step, and the member of several.
        """
        bad = self._bad.cpu()
        if bad[2].isnan().all():
            return
        member = int(bad[2].nan_to_num(math.inf).argmin())
        loss, norm, step = bad[:, member].tolist()
        who = f"member {member}: " if self.members > 1 else ""
        raise FloatingPointError(
            f"{who}loss {loss:g} with gradient norm {norm:g} in step {step:.0f}; "
            "a smaller learning rate may help, and the training events should be finite and of order 1"
        )

    @property
    def how(self) -> str:
        """Where it works, and how a GPU is kept busy."""
        if not self.on_gpu:
            return str(self.device)
        loss = "compiled loss" if self.trainable.compiled() else "loss not compiled"
        return f"{self.device}, {loss}, {'one graph' if self.graph else 'no graph'}"

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that change from step to step and that a checkpoint holds, by name."""
        tensors = {"loss_sum": self.loss_sum}
        for name, p in self.parameters.items():
            tensors[f"weights {name}"] = p.detach()
            tensors |= {f"adam {key} {name}": value for key, value in self.optimiser.state[p].items()}
        return tensors | {f"mean {name}": mean for name, mean in self.running_mean.items()}


def for_each_member(numbers: Tensor, like: Tensor) -> Tensor:
    """A number for each member, (M,), that broadcasts over a tensor of (M, ...)."""
    return numbers.view(-1, *[1] * (like.ndim - 1))
