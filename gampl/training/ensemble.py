"""Ensembles: networks whose scatter stands for the posterior.

What makes members differ decides what their scatter means. With Poisson weights of their own on the training events
(bootstrap; Efron 1979, Ann. Statist. 7, 1) the members of an efficient fit scatter as fits to other training samples
would. Those of a deep ensemble (Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474) each hold back a share
f of the same events and scatter with only f / (1 - f) of that variance, so that G comes out four times too large for a
fifth; networks have scatter of their own on top, from initial weights and batches, which can hide it. With the same
split for all, that is all that is left. The members of a repulsive ensemble see the same events and push each other
apart, see `gampl.training.repulsive`.

Members are trained side by side with `torch.func` or one after the other; the result is the same up to round-off.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.memory import AtOnce
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Fit, held_back
from gampl.training.fit import History, fit

# Members train side by side as long as one layer's output (members x batch x features x width) has no more numbers
# than this, so that training needs about 1 GB. That is never slower: benchmarks/test_ensemble_speed.py.
NUMBERS_AT_ONCE = 4_000_000


class Split(NamedTuple):
    """Row numbers of the events that a member is trained on and of those held back, and the weights of the former.

    The weights are those of the loss; their mean is one.
    """

    train: Tensor
    held_back: Tensor
    weights: Tensor


def split_of(resampling: str, n_train: int, seed: int, member: int) -> Split:
    """How a member of an ensemble divides and weighs its training events, see `gampl.generators.settings.RESAMPLINGS`.

    The members of a repulsive ensemble have the same split.
    """
    if resampling == "independent":  # further events follow those that it is trained on
        rows = torch.arange(n_train + held_back(n_train))
        return Split(rows[:n_train], rows[n_train:], torch.ones(n_train))
    alike = resampling in ("same_split", "repulsive")
    stream = torch_generator(seed, "split", 0 if alike else member)
    return (poisson_bootstrap if resampling == "bootstrap" else hold_out)(n_train, stream)


def hold_out(n: int, generator: torch.Generator) -> Split:
    """Holds back a random fifth of n events, at least one."""
    count = held_back(n)
    order = torch.randperm(n, generator=generator)
    return Split(order[count:], order[:count], torch.ones(n - count))


def poisson_bootstrap(n: int, generator: torch.Generator) -> Split:
    """Weighs each of n events with a Poisson(1) number and holds back those of weight zero, about 37 %."""
    counts = torch.poisson(torch.ones(n), generator=generator)
    (rows,) = counts.nonzero(as_tuple=True)
    return Split(rows, (counts == 0).nonzero(as_tuple=True)[0], counts[rows] / counts[rows].mean())


def fit_ensemble(
    networks: Sequence[AutoregressiveTransformer],
    x: Tensor,
    splits: Sequence[Split],
    settings: Fit,
    *,
    seed: int,
    at_once: int | None = None,
    checkpoint: Path | None = None,
    label: str = "ensemble",
) -> History:
    """Trains networks independently, each on its own split of the events; changes their weights in place.

    Args:
        networks: The members, alike but for their weights.
        x: Training events (n_train, d) on the device to train on.
        splits: For each member, which events it is trained on and which it holds back.
        settings: See `gampl.generators.settings.Fit`.
        seed: Seed of the batches. Those of a member depend on its number and on nothing else.
        at_once: How many members to train side by side; by default as many as memory allows.
        checkpoint: File of the checkpoint; if not all members train at once, each group has its own beside it.
        label: What to call this training in messages.
    """
    members = list(range(len(networks)))
    if len(splits) != len(networks) or any(len(rows) == 0 for split in splits for rows in split):
        raise ValueError(f"{len(networks)} networks need as many splits, with events in both parts, got {len(splits)}")
    if at_once is None:
        numbers = settings.batch_size * x.shape[1] * networks[0].embed.out_features
        at_once = max(1, NUMBERS_AT_ONCE // numbers)
    groups = [members[first : first + at_once] for first in range(0, len(members), at_once)]
    histories = []
    for group in groups:
        trainable = Stack(
            [networks[i] for i in group],
            x,
            [splits[i] for i in group],
            settings.batch_size,
            [torch_generator(seed, "batches", i) for i in group],
        )
        name, file = label, checkpoint
        if len(groups) > 1:
            name = f"{label} {group[-1] + 1}/{len(networks)}"
            file = checkpoint and checkpoint.with_name(f"{checkpoint.stem}-{group[0]}{checkpoint.suffix}")
        histories.append(fit(trainable, settings, checkpoint=file, label=name))
        trainable.unstack()
    return _join(histories)


class Stack:
    """Networks with their parameters stacked along a first axis, as something that `fit` can train."""

    def __init__(
        self,
        networks: Sequence[AutoregressiveTransformer],
        x: Tensor,
        splits: Sequence[Split],
        batch_size: int,
        streams: Sequence[torch.Generator],
    ) -> None:
        self.networks, self.members, self.streams = networks, len(networks), streams
        self.x, self.batch_size = x, batch_size
        self.train_rows = [split.train for split in splits]
        self.weights = [split.weights for split in splits]
        self.validation_rows = torch.nn.utils.rnn.pad_sequence(
            [split.held_back for split in splits], batch_first=True, padding_value=-1
        )  # (M, longest)
        for network in networks:
            network.to(x.device)
        stacked, _ = stack_module_state(list(networks))
        self.parameters = {name: p.detach().requires_grad_() for name, p in stacked.items()}

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density of each member at its own events: (M, n, d) -> (M, n)."""
        one = self.networks[0]

        def of_member(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
            log_density: Tensor = functional_call(one, parameters, (x,))
            return log_density

        return vmap(of_member)(self.parameters, x)

    def draw(self) -> tuple[Tensor, ...]:
        """Row numbers of a batch of each member, and the weights of these events: (B, M) each."""
        chosen = [
            torch.randint(len(rows), (self.batch_size,), generator=stream)
            for rows, stream in zip(self.train_rows, self.streams, strict=True)
        ]
        drawn = [
            torch.stack([of_member[some] for of_member, some in zip(members, chosen, strict=True)], 1)
            for members in (self.train_rows, self.weights)
        ]
        return tuple(drawn)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """Mean of weight times negative log-likelihood of each member's events, Eq. (8): (b, M) each -> (M,)."""
        rows, weights = (part.T.to(self.x.device) for part in drawn)
        return -(weights * self.log_prob(self.x[rows])).mean(-1)

    def validation_losses(self, at_once: AtOnce) -> Tensor:
        """The same over all events that a member holds back: (M,)."""

        def log_prob(rows: Tensor) -> Tensor:  # (b, M) -> (b, M)
            return (self.log_prob(self.x[rows.T.clamp_min(0)]) * (rows.T >= 0)).T

        total = torch.zeros(self.members, device=self.x.device)
        for rows in torch.split(self.validation_rows.to(self.x.device), self.batch_size, dim=-1):
            total -= at_once.map(log_prob, rows.T).sum(0)
        return total / (self.validation_rows >= 0).sum(-1).to(self.x.device)

    @torch.no_grad()
    def unstack(self) -> None:
        """Hands the weights back to the networks."""
        for member, network in enumerate(self.networks):
            for name, p in network.named_parameters():
                p.copy_(self.parameters[name][member])


def _join(histories: Sequence[History]) -> History:
    """Histories of groups of members as one; NaN where one member had stopped before another."""
    longest = max(histories, key=lambda history: len(history.steps))

    def columns(curves: list[np.ndarray]) -> np.ndarray:
        padded = [np.pad(c, ((0, len(longest.steps) - len(c)), (0, 0)), constant_values=np.nan) for c in curves]
        return np.concatenate(padded, axis=1)

    return History(
        longest.steps,
        columns([history.train_loss for history in histories]),
        columns([history.validation_loss for history in histories]),
        np.concatenate([history.best_step for history in histories]),
        sum(history.seconds for history in histories),
        longest.device,
    )
