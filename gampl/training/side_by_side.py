"""Several members of an ensemble of event generators trained side by side, batched with `torch.func`.

Each is stored as if it had been trained alone, and is the same up to round-off. Round-off grows, though, slowly at
first (`tests/test_conditioning.py`): after thousands of steps the networks are other members of the same ensemble.
"""

import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from gampl.generators.devices import pick_device
from gampl.generators.event_settings import EventTraining, Solver
from gampl.generators.memory import AtOnce, split
from gampl.store.artifacts import Artifact, Store
from gampl.training.events import (
    VALIDATION_BATCH,
    Member,
    TrainedMember,
    artifact_key,
    check_events,
    outcome,
    train_or_load,
    untrained_member,
)
from gampl.training.fit import History, fit
from gampl.training.repulsive import repulsive_losses

Floats = NDArray[np.float64]


def train_or_load_members(
    trainings: Sequence[EventTraining],
    events: Floats,
    store: Store | None = None,
    *,
    at_once: int = 1,
    solver: Solver | None = None,
    device: str | torch.device | None = None,
    label: str = "training",
) -> list[TrainedMember]:
    """Finds members in the store or trains those that are missing, several at once.

    If a loss of one of them is not finite, those of its group are trained one after the other, from the beginning. A
    group that was interrupted goes on where it was, if the same members are still missing. Velocity networks are not
    compiled where several are trained at once. The members of a repulsive ensemble are always trained together.

    Args:
        trainings: What to train: they must differ in `member` only.
        events: The training events, (n_train, *event_shape).
        store: See `gampl.training.events.train_or_load`, and so for `solver` and `device`.
        at_once: How many members to train side by side.
        solver: How a flow is to be solved when it generates.
        device: Where to train.
        label: What to call the ensemble in messages; a member is called by its number after a slash.

    Raises:
        ValueError: If at_once is below 1, the trainings differ in something else, the events are wrong, or a repulsive
            ensemble is not complete.
    """
    if at_once < 1:
        raise ValueError(f"at_once must be at least 1, got {at_once}")
    if len({replace(training, member=0) for training in trainings}) > 1:
        raise ValueError(f"{label}: members that are trained side by side must differ in their number only")
    store = store or Store()
    for training in trainings[:1]:
        check_events(training, events, label)
    if (together := trainings[0].together if trainings else 1) > 1:
        if {training.member for training in trainings} != set(range(together)):
            raise ValueError(f"{label}: all {together} members of a repulsive ensemble are needed, not some of them")
        if any(store.get(artifact_key(training, events)) is None for training in trainings):
            _train_group(trainings, events, store, pick_device(device), label)
    elif at_once > 1:
        # in the order of their numbers, as everybody takes their locks: two groups cannot wait for each other
        missing = sorted(
            (training for training in trainings if store.get(artifact_key(training, events)) is None),
            key=lambda training: training.member,
        )
        for first in range(0, len(missing), at_once):
            if len(group := missing[first : first + at_once]) > 1:
                _train_group(group, events, store, pick_device(device), label)
    return [
        train_or_load(training, events, store, solver=solver, device=device, label=f"{label}/{training.member}")
        for training in trainings
    ]


def _train_group(
    group: Sequence[EventTraining], events: Floats, store: Store, device: torch.device, label: str
) -> None:
    """Trains members that are missing in the store and stores them, unless one of them diverges."""
    numbers = "+".join(str(training.member) for training in group)
    keys = [artifact_key(training, events) for training in group]
    first = next(k for k, key in enumerate(keys) if store.get(key) is None)

    def make(checkpoints: Path) -> Artifact:
        file = checkpoints / f"checkpoint-{numbers}.safetensors"  # others would not fit another group
        made = train(group, events, file, f"{label}/{numbers}", device)
        for k, artifact in enumerate(made):
            if k != first:
                store.get_or_make(keys[k], partial(_made, artifact))
        return made[first]

    try:
        store.get_or_make(keys[first], make)
    except FloatingPointError as error:
        if group[0].together > 1:  # none of them can do without the others
            failed = Artifact({}, {"failure": f"stopped: {error}", "device": str(device)})
            for key in keys:
                store.get_or_make(key, partial(_made, failed))
            return
        sys.stderr.write(f"{label}/{numbers}: {error}; training one after the other\n")
        sys.stderr.flush()


def _made(artifact: Artifact, _: Path) -> Artifact:
    return artifact


def train(
    group: Sequence[EventTraining], events: Floats, checkpoint: Path, label: str, device: torch.device
) -> list[Artifact]:
    """Trains members side by side and returns what is to be stored of each.

    Raises:
        FloatingPointError: If a loss or gradient of one of them is not finite.
    """
    members = [untrained_member(replace(training, compile=False), events, device) for training in group]
    stack = Repulsive(members) if group[0].together > 1 else SideBySide(members)
    untrained = stack.validation_losses(AtOnce(f"{label}, validation")).tolist()
    history = fit(stack, group[0].fit, checkpoint=checkpoint, label=label)
    stack.unstack()
    return [
        outcome(member.generator, _of_member(history, k, group[0].fit.patience), untrained[k])
        for k, member in enumerate(stack.each)
    ]


class SideBySide:
    """Members with their weights stacked along a first axis, as something that `gampl.training.fit.fit` can train.

    Args:
        members: On one device, alike but for weights, splits and streams.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.each, self.members = members, len(members)
        self.streams = [member.streams[0] for member in members]
        weights, buffers = stack_module_state([member.generator for member in members])
        trained = members[0].parameters
        self.parameters = {name: p.detach().requires_grad_() for name, p in weights.items() if name in trained}
        self.fixed = {name: p.detach() for name, p in weights.items() if name not in trained} | buffers

    def draw(self) -> tuple[Tensor, ...]:
        """Weights and events of the members' batches, and what is random in their losses: (B, M), (B, M, d), ..."""
        return _stacked([member.draw() for member in self.each])

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """Mean loss of each member: (M,)."""
        return self._loss(*drawn).mean(0)

    @torch.no_grad()
    def validation_losses(self, at_once: AtOnce) -> Tensor:
        """Mean loss of the events that each member holds back: (M,)."""
        drawn = _stacked([_joined(member.validation_batches()) for member in self.each])
        losses = torch.cat([at_once.map(self._loss, *part) for part in split(drawn, VALIDATION_BATCH)])
        return (losses.sum(0) / drawn[0].sum(0)).cpu()

    def _loss(self, weights: Tensor, *drawn: Tensor) -> Tensor:
        """The weighted loss of each event: (n, M), (n, M, ...) -> (n, M)."""
        one = self.each[0].generator

        def of_member(state: dict[str, Tensor], *drawn: Tensor) -> Tensor:
            # Nothing is tied: the coordinates occur twice in a flow, but they are one and the same module.
            loss: Tensor = functional_call(one, state, drawn, tie_weights=False)
            return loss

        with self.each[0].autocast(), warnings.catch_warnings():
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


class Repulsive(SideBySide):
    """Members with an explicit density that push each other apart, see `gampl.training.repulsive`."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__(members)
        self.streams = self.streams[:1]
        self.n_train = len(members[0].split.train)

    def draw(self) -> tuple[Tensor, ...]:
        """A batch for all, (1, B), (1, B, d): the repulsion compares all of its events, which have equal weights."""
        return tuple(part.unsqueeze(0) for part in self.each[0].draw())

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The loss of each member: (M,)."""
        of_event = self._loss(*_stacked([tuple(part[0] for part in drawn)] * self.members))  # (B, M)
        return repulsive_losses(-of_event.T, self.parameters.values(), self.n_train)


def _joined(batches: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Batches of a member as one, see `Member.validation_batches`."""
    return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))


def _stacked(drawn: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """What members have drawn, (n, ...) each, with the members as the second axis: (n, M, ...).

    A member with fewer events than another has its own again, with a weight of zero.
    """
    longest = max(len(weights) for weights, *_ in drawn)
    padded = []
    for of_member in drawn:
        n = len(of_member[0])
        weights, *others = (part[torch.arange(longest, device=part.device) % n] for part in of_member)
        weights[n:] = 0
        padded.append((weights, *others))
    return tuple(torch.stack(parts, 1) for parts in zip(*padded, strict=True))


def _of_member(history: History, k: int, patience: int) -> History:
    """The history of one member until it ran out of patience, as if it had been trained alone."""
    best = int(np.searchsorted(history.steps, history.best_step[k]))  # 0 also where there is none
    records = best + patience + (1 if history.best_step[k] else 0)
    return History(
        history.steps[:records],
        history.train_loss[:records, [k]],
        history.validation_loss[:records, [k]],
        history.best_step[[k]],
        history.seconds / history.train_loss.shape[1],
        history.device,
    )
