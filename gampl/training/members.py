"""Members of an ensemble as something that `gampl.training.fit` can train: one alone, or several side by side.

Those that are trained side by side, batched with `torch.func`, are the same up to round-off. Round-off grows, though,
slowly at first (`tests/training/test_conditioning.py`): after thousands of steps the networks are other members of the
same ensemble.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from gampl.generators.generator import Generator
from gampl.generators.gpu import Compiled
from gampl.generators.memory import Divider, split
from gampl.generators.randomness import torch_generator
from gampl.training.settings import Ring, Training
from gampl.training.splits import Split
from gampl.training.step import Trainable

VALIDATION_REPEATS = 4  # times at which each held-back event is looked at, for flows
VALIDATION_BATCH = 2048
GPU_VALIDATION_BATCH = 65536


class Member(Trainable):
    """One generator as something that `gampl.training.fit.fit` can train.

    Generator, network coordinates x of the training events, (n, d), and their condition, (n, c) or (n, K, c), are on
    the device to train on. The split says which events it is trained on, with which weights; the weights, (n,) or
    (n, K), are those of events that are held back. Its batches depend on its number and the training's seed only.
    """

    members = 1

    def __init__(
        self,
        generator: Generator,
        x: Tensor,
        split: Split,
        training: Training,
        number: int = 0,
        condition: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> None:
        self.generator, self.x, self.split, self.training, self.number = generator, x, split, training, number
        self.model: nn.Module = generator  # whose weights are kept
        self.condition = x.new_empty(len(x), 0) if condition is None else condition
        self.event_weights = torch.ones(len(x)) if weights is None else weights
        self.parameters = {name: p for name, p in generator.named_parameters() if p.requires_grad}
        # a GPU draws for itself; noise that zuko draws within a Bayesian network's loss has a seed from the CPU
        device = torch.device("cpu") if training.posterior == "bayesian" else x.device
        self.streams = [torch_generator(training.seed, "batches", *own(training, number), device=device)]
        self.rows, self.row_weights = split.train.to(device), split.weights.to(device)
        # of joint training: of each event the loss that the true density would have, and the largest log ratio
        self.true_loss = x.new_empty(0)
        self.largest = x.new_tensor(math.inf)

    @torch.no_grad()
    def aim_at(self, log_ratio: Tensor) -> None:
        """Has the loss weigh each event by (p_true / p_gen)^alpha, from log p_true / p_gen at the start, (n,).

        The weight follows the generator as it moves, which the classifier behind the ratio does not see. Ratios above
        the quantile `clamp` of those at the start count as that quantile.
        """
        log_ratio = log_ratio.to(self.x.device).float()
        rows = split((self.x, self.condition), self.generator.log_prob_batch)
        loss = torch.cat([self.generator(*part).float() for part in rows])
        self.true_loss = loss - log_ratio
        self.largest = log_ratio[self.split.train.to(log_ratio.device)].quantile(self.training.clamp)

    def _drawn(self, rows: Tensor, weights: Tensor, stream: torch.Generator) -> tuple[Tensor, ...]:
        """Weights, events and conditions of these row numbers, and what is random in their loss: (n, ...) each."""
        device = self.x.device
        weights, rows = weights.to(device), rows.to(device)
        condition = self.condition[rows]
        if condition.ndim > 2:  # one of several, drawn for each event
            which = torch.randint(condition.shape[1], (len(rows), 1), generator=stream, device=stream.device).to(device)
            weights = weights.gather(1, which)[:, 0]
            condition = condition.take_along_dim(which.unsqueeze(-1), 1)[:, 0]
        drawn = weights, self.x[rows], condition, *self.generator.noise(len(rows), stream)
        return (*drawn, self.true_loss[rows]) if self.training.alpha else drawn

    def _loss(self, *drawn: Tensor) -> Tensor:
        """The weighted loss of each event, (n,)."""
        return (_compiled_loss if torch.is_grad_enabled() else weighted_loss)(self.generator, *drawn)

    def compiled(self) -> bool:
        """Whether its loss is compiled."""
        return _compiled_loss.applies_to(self.generator, self.x)

    def draw(self) -> tuple[Tensor, ...]:
        """Weights, events and conditions of a batch, (B,), (B, d) and (B, c), and what is random in their loss."""
        (stream,), size = self.streams, (self.training.fit.batch_size,)
        chosen = torch.randint(len(self.rows), size, generator=stream, device=stream.device)
        return self._drawn(self.rows[chosen], self.row_weights[chosen], stream)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """Mean of weight times loss, Eq. (8), of what was drawn, or of some rows of it: (1,)."""
        loss = partial(joint_loss, self._loss, self) if self.training.alpha else self._loss
        return loss(*drawn).mean().unsqueeze(0)

    @torch.no_grad()
    def validation_losses(self, divider: Divider) -> Tensor | None:
        """Weighted mean loss of the held-back events, (1,), always at the same times and latent events."""
        parts = [(divider.map(self._loss, *batch), batch[0]) for batch in self.validation_batches()]
        losses, weights = joined(parts)
        return (losses.sum() / weights.sum()).unsqueeze(0).cpu()

    def validation_batches(self) -> Iterator[tuple[Tensor, ...]]:
        """The held-back events in batches with what is random in their loss, see `draw`."""
        stream = torch_generator(self.training.seed, "validation", self.number, device=self.x.device)
        rows = self.split.held_back.repeat(VALIDATION_REPEATS if self.training.architecture.is_flow else 1)
        for part in torch.split(rows, GPU_VALIDATION_BATCH if self.x.is_cuda else VALIDATION_BATCH):
            yield self._drawn(part, self.event_weights[part], stream)


def weighted_loss(generator: Generator, weights: Tensor, *drawn: Tensor) -> Tensor:
    """The weighted loss of each event, (n,)."""
    return weights * generator(*drawn).float()


def joint_loss(loss: Callable[..., Tensor], of: "Member | Stack", weights: Tensor, *drawn: Tensor) -> Tensor:
    """Losses of events, weighed by their weights and by (p_true / p_gen)^alpha at the generator as it is now.

    What was drawn ends with the loss that the true density would have, (n,) or (n, M), which densities do not look at.
    """
    of_event = loss(torch.ones_like(weights), *drawn)
    log_ratio = (of_event.detach() - drawn[-1]).clamp_max(of.largest)
    return weights * (of.training.alpha * log_ratio).exp() * of_event


_compiled_loss = Compiled(weighted_loss)


def own(training: Training, member: int) -> tuple[int, ...]:
    """What ends the names of a member's random streams: its number, unless one stream is for all."""
    together = training.posterior == "bayesian" or (
        training.posterior == "repulsive" and isinstance(training.process, Ring)
    )
    return () if together else (member,)


class Stack(Trainable):
    """Members with their weights stacked along a first axis, as something that `gampl.training.fit.fit` can train.

    They are on one device, and alike but for weights, splits and streams.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.each, self.members, self.training = members, len(members), members[0].training
        self.of_rings = isinstance(self.training.process, Ring)
        self.streams = [member.streams[0] for member in members]
        self.largest = torch.stack([member.largest for member in members])
        weights, buffers = stack_module_state([member.generator for member in members])
        trained = members[0].parameters
        self.parameters = {name: p.detach().requires_grad_() for name, p in weights.items() if name in trained}
        self.fixed = {name: p.detach() for name, p in weights.items() if name not in trained} | buffers

    def draw(self) -> tuple[Tensor, ...]:
        """Weights, events, ... of the members' batches, see `Member.draw`: (B, M), (B, M, d), ..."""
        return stacked([member.draw() for member in self.each])

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """Mean loss of each member: (M,)."""
        loss = partial(joint_loss, self._loss, self) if self.training.alpha else self._loss
        return loss(*drawn).mean(0)

    @torch.no_grad()
    def validation_losses(self, divider: Divider) -> Tensor:
        """Weighted mean loss of the events that each member holds back: (M,)."""
        drawn = stacked([joined(member.validation_batches()) for member in self.each])
        # of the rings sums are added batch by batch
        parts = split(drawn, self.training.fit.batch_size if self.of_rings else VALIDATION_BATCH)
        total = sum(self.by_member(divider.map(self._loss, *part)).sum(1) for part in parts)
        return (total / drawn[0].sum(0)).cpu()

    def by_member(self, of_event: Tensor) -> Tensor:
        """Numbers of events by member, (n, M) -> (M, n).

        Those of rings are put in another order, because round-off depends on it: kept networks are of this one.
        """
        return of_event.T.contiguous() if self.of_rings else of_event.T

    def _loss(self, weights: Tensor, *drawn: Tensor) -> Tensor:
        """The weighted loss of each event: (n, M), (n, M, ...) -> (n, M)."""
        one = self.each[0].generator

        def of_member(state: dict[str, Tensor], *drawn: Tensor) -> Tensor:
            # Nothing is tied: the coordinates occur twice in a flow, but they are one and the same module.
            loss: Tensor = functional_call(one, state, drawn, tie_weights=False)
            return loss

        with warnings.catch_warnings():
            # without a rule for vmap, a CPU's attention is computed for one member after the other
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            axes = (0, *[1] * len(drawn))
            return weights * vmap(of_member, axes, out_dims=1)(self.parameters | self.fixed, *drawn).float()

    @torch.no_grad()
    def unstack(self) -> None:
        """Hands the weights back to the members."""
        for k, member in enumerate(self.each):
            for name, p in member.parameters.items():
                p.copy_(self.parameters[name][k])


def joined(batches: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Batches as one, (n, ...) each."""
    return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))


def stacked(drawn: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """What members have drawn, (n, ...) each, with the members as the second axis: (n, M, ...).

    A member with fewer events than another has its own again, with a weight of zero.
    """
    longest = max(len(weights) for weights, *_ in drawn)
    padded = []
    for of_member in drawn:
        if (n := len(of_member[0])) < longest:
            weights, *others = (part[torch.arange(longest, device=part.device) % n] for part in of_member)
            weights[n:] = 0
            of_member = (weights, *others)
        padded.append(of_member)
    return tuple(torch.stack(parts, 1) for parts in zip(*padded, strict=True))
