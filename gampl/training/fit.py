"""One training loop for everything: a single network, a Bayesian one, or M networks side by side."""

import json
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gampl.generators.memory import Divider, split
from gampl.store.atomic import write_bytes
from gampl.store.progress import Progress
from gampl.training.settings import Fit
from gampl.training.stopping import DeferredSignals

LAST_RATE = 0.01  # the learning rate ends at this fraction of its highest value


class Trainable(Protocol):
    """M models that are trained side by side without seeing each other, unless their losses make them."""

    members: int  #: M
    parameters: Mapping[str, Tensor]  #: leaf tensors by name; for M > 1 the first axis of each counts the members
    learning_rates: Mapping[str, float] = MappingProxyType({})  #: highest ones of parameters that have one of their own
    streams: Sequence[torch.Generator]  #: everything random that `draw` uses, so that a checkpoint can hold it

    def draw(self) -> tuple[Tensor, ...]:
        """Draws all that is random in a step, such as its batch: tensors of (n, ...), a row for each event.

        Where the memory does not suffice, their rows are divided. A batch that can't be is one row for all its events.
        """

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The loss of each member, the mean over what was drawn or over some rows of it: (M,)."""

    def validation_losses(self, divider: Divider) -> Tensor | None:
        """The loss of each member on events that it is not trained on, (M,), or None if there are none."""


@dataclass(frozen=True)
class History:
    """How a training went."""

    steps: NDArray[np.int64]  #: at which the losses were recorded, (records,)
    train_loss: NDArray[np.float64]  #: mean over the steps since the last record, (records, M)
    validation_loss: NDArray[np.float64]  #: (records, M); NaN where nothing is held back
    best_step: NDArray[np.int64]  #: step whose weights were kept, (M,)
    seconds: float  #: wall time, over all interruptions
    device: str  #: where it ran


def join(histories: Sequence[History]) -> History:
    """Histories of members as one; NaN where a member had stopped before another."""
    steps = max((history.steps for history in histories), key=len)

    def columns(name: str) -> NDArray[np.float64]:
        curves = [getattr(history, name) for history in histories]
        return np.hstack([np.pad(c, [(0, len(steps) - len(c)), (0, 0)], constant_values=np.nan) for c in curves])

    return History(
        steps,
        columns("train_loss"),
        columns("validation_loss"),
        np.concatenate([history.best_step for history in histories]),
        sum(history.seconds for history in histories),
        ", ".join(sorted({history.device for history in histories})),
    )


def fit(trainable: Trainable, settings: Fit, *, checkpoint: Path | None = None, label: str = "training") -> History:
    """Trains all members in place and leaves each with its best weights.

    Where events are held back, a member's best weights are those of its lowest validation loss, and it stops
    after `patience` validations without a new one; else they are the last. On the same machine's CPU the result
    is the same to the last bit whether or not the training was interrupted. On Ctrl-C or SIGTERM the step is finished
    and a checkpoint written before the signal does what it would; a second Ctrl-C does so immediately.

    Where the memory does not suffice, the gradient of a step is the sum of those of parts of its batch, which is the
    same up to round-off.

    The checkpoint is the file that an interrupted training goes on from; it is the caller's to delete. The label is
    what messages call this training.

    Raises:
        FloatingPointError: If a loss or gradient is not finite; names the step, and the member if there are several.
        torch.OutOfMemoryError: If there is not memory enough for a single row of a batch.
        ValueError: If the checkpoint belongs to another training.
    """
    run = Run(trainable, settings, label)
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
    saved = time.monotonic()
    with Progress("steps", total=settings.steps, start=run.done) as progress, DeferredSignals() as signals:
        while not run.finished:
            run.step()
            if run.done % settings.validate_every == 0 or run.done == settings.steps:
                run.record()
            due = signals.waiting or time.monotonic() - saved >= settings.checkpoint_seconds
            if checkpoint is not None and due:
                run.save(checkpoint)
                saved = time.monotonic()
            progress(label, run.done)
            signals.let_through()
    return run.finish()


def learning_rate_factor(step: int, settings: Fit) -> float:
    """Linear warm-up, then a cosine, as a factor on the highest learning rate; steps count from 0."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    cosine = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return warm * (LAST_RATE + (1 - LAST_RATE) * cosine)


class Run:
    """A training on its way: everything that changes from step to step."""

    def __init__(self, trainable: Trainable, settings: Fit, label: str = "training") -> None:
        self.trainable, self.settings = trainable, settings
        self.members, self.parameters = trainable.members, dict(trainable.parameters)
        if unknown := set(trainable.learning_rates) - set(self.parameters):
            raise ValueError(f"learning_rates of parameters that do not exist: {sorted(unknown)}")
        for name, p in self.parameters.items():
            if self.members > 1 and (p.ndim == 0 or len(p) != self.members):
                raise ValueError(f'parameter "{name}": shape {tuple(p.shape)} must begin with {self.members} members')
        self.peak_rates = dict.fromkeys(self.parameters, settings.learning_rate) | dict(trainable.learning_rates)
        groups: dict[float, list[Tensor]] = {}
        for name, rate in self.peak_rates.items():
            groups.setdefault(rate, []).append(self.parameters[name])
        self.optimiser = torch.optim.Adam(
            [{"params": ps, "peak_rate": rate} for rate, ps in groups.items()], fused=True
        )
        for p in self.parameters.values():  # as Adam does in its first step, so that there is a state to restore
            zeros = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            self.optimiser.state[p] = {"step": torch.zeros((), device=p.device), **zeros}
        self.device = next(iter(self.parameters.values())).device
        self.divider, self.validation_divider = Divider(label), Divider(f"{label}, validation")
        self.done = 0
        self.begun, self.seconds_before = time.monotonic(), 0.0
        self.loss_sum = torch.zeros(self.members, dtype=torch.float64)
        self.records = torch.empty(0, 1 + 2 * self.members, dtype=torch.float64)  # steps, train and validation losses
        self.best = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.running_mean = {name: p.clone() for name, p in self.best.items()} if settings.ema else {}
        self.best_loss = torch.full((self.members,), math.inf)
        self.best_step = torch.zeros(self.members, dtype=torch.int64)
        self.stale = torch.zeros(self.members, dtype=torch.int64)  # validations since the best one

    @property
    def stopped(self) -> Tensor:
        """Which members have run out of patience: (M,) bool. They go along, but their best weights stand."""
        return self.stale >= self.settings.patience

    @property
    def finished(self) -> bool:
        """Whether all steps are done or all members have stopped."""
        return self.done >= self.settings.steps or bool(self.stopped.all())

    def step(self) -> None:
        """One gradient step of all members."""
        drawn = self.trainable.draw()
        losses = self.divider.attempt(len(drawn[0]), partial(self._gradients, drawn))
        norms = self._clip_gradients()
        finite = (losses + norms).isfinite()
        if not bool(finite.all()):
            member = int(finite.logical_not().nonzero()[0])
            who = f"member {member}: " if self.members > 1 else ""
            raise FloatingPointError(
                f"{who}loss {losses[member]:g} with gradient norm {norms[member]:g} in step {self.done}; "
                "a smaller learning rate may help, and the training events should be finite and of order 1"
            )
        factor = learning_rate_factor(self.done, self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = factor * group["peak_rate"]
        self.optimiser.step()
        decay = min(self.settings.ema, (1 + self.done) / (10 + self.done))  # at first the mean forgets quickly
        for name, mean in self.running_mean.items():
            mean.lerp_(self.parameters[name].detach(), 1 - decay)
        self.loss_sum += losses.cpu()
        self.done += 1

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
        squares = [g.reshape(self.members, -1).square().sum(1) for g in gradients]
        norms = torch.stack(squares).sum(0).sqrt()
        scale = (self.settings.clip / norms).clamp_max(1.0)
        for g in gradients:
            g.mul_(_for_each_member(scale, g))
        return norms

    @torch.no_grad()
    def record(self) -> None:
        """Writes the losses down and keeps the weights of members that are better than before."""
        steps_before = int(self.records[-1, 0]) if len(self.records) else 0
        train = self.loss_sum / (self.done - steps_before)
        self._swap_running_mean()
        held_back = self.trainable.validation_losses(self.validation_divider)
        validation = torch.full((self.members,), math.nan) if held_back is None else held_back.cpu()
        row = torch.cat([torch.tensor([float(self.done)]), train, validation]).double()
        self.records = torch.cat([self.records, row.unsqueeze(0)])
        self.loss_sum.zero_()
        if held_back is None:  # the last weights are the best
            better = torch.ones(self.members, dtype=torch.bool)
        else:
            better = (validation < self.best_loss) & ~self.stopped
            self.best_loss = torch.where(better, validation.float(), self.best_loss)
            self.stale = torch.where(better, 0, self.stale + 1)
        self.best_step[better] = self.done
        for name, p in self.parameters.items():
            where = _for_each_member(better.to(self.device), p)
            self.best[name] = torch.where(where, p.detach(), self.best[name])
        self._swap_running_mean()

    def _swap_running_mean(self) -> None:
        """Exchanges the weights and their running mean, if there is one."""
        for name, mean in self.running_mean.items():
            p, last = self.parameters[name], mean.clone()
            mean.copy_(p)
            p.copy_(last)

    @torch.no_grad()
    def finish(self) -> History:
        """Puts the best weights in place."""
        for name, p in self.parameters.items():
            p.copy_(self.best[name])
        steps, losses = self.records[:, 0].numpy().astype(np.int64), self.records[:, 1:].numpy()
        train, validation = np.split(losses, 2, axis=1)
        return History(steps, train, validation, self.best_step.numpy(), self._seconds(), str(self.device))

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.begun

    def _fingerprint(self) -> str:
        """What a checkpoint must agree on with the training that goes on from it."""
        settings = {key: value for key, value in asdict(self.settings).items() if key != "checkpoint_seconds"}
        shapes = {name: list(p.shape) for name, p in self.parameters.items()}
        return json.dumps([settings, self.peak_rates, self.members, shapes], sort_keys=True)

    def _tensors(self) -> dict[str, Tensor]:
        """All tensors that change from step to step, by name."""
        tensors = {name: getattr(self, name) for name in ("loss_sum", "records", "best_loss", "best_step", "stale")}
        for name, p in self.parameters.items():
            tensors |= {f"weights {name}": p.detach(), f"best {name}": self.best[name]}
            tensors |= {f"adam {key} {name}": value for key, value in self.optimiser.state[p].items()}
        return tensors | {f"mean {name}": mean for name, mean in self.running_mean.items()}

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        tensors = {f"stream {i}": stream.get_state() for i, stream in enumerate(self.trainable.streams)}
        tensors |= {name: tensor.cpu().contiguous() for name, tensor in self._tensors().items()}
        about = {"fingerprint": self._fingerprint(), "done": str(self.done), "seconds": repr(self._seconds())}
        write_bytes(path, save(tensors, about))

    @torch.no_grad()
    def restore(self, path: Path) -> None:
        """Goes on from a checkpoint; a damaged one is left alone with a warning."""
        try:
            with safe_open(path, framework="pt") as file:
                about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            warnings.warn(f"checkpoint {path} is damaged ({error}): training from the beginning", stacklevel=3)
            return
        if about.get("fingerprint") != self._fingerprint():
            raise ValueError(f"checkpoint {path} belongs to a training with other settings; delete it or use another")
        self.done, self.seconds_before = int(about["done"]), float(about["seconds"])
        self.records = tensors["records"]  # which has as many rows as there were validations
        for name, tensor in self._tensors().items():
            tensor.copy_(tensors[name])
        for i, stream in enumerate(self.trainable.streams):
            stream.set_state(tensors[f"stream {i}"])


def _for_each_member(numbers: Tensor, like: Tensor) -> Tensor:
    """A number for each member, (M,), that broadcasts over a tensor of (M, ...)."""
    return numbers.view(-1, *[1] * (like.ndim - 1))
