"""Events that pass by in batches, cut at nested prefixes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


def one_two_five(first: int = 100) -> Iterator[int]:
    """The numbers first, 2 first, 5 first, 10 first and so on, without end."""
    return (first * digit * 10**power for power in count() for digit in (1, 2, 5))


class Steps:
    """Cuts a stream where its prefixes end.

    Args:
        sizes: Increasing lengths of the prefixes.

    Attributes:
        done: Events so far.
    """

    def __init__(self, sizes: Iterable[int]) -> None:
        self.done = 0
        self._sizes = iter(sizes)
        self._next = next(self._sizes, None)

    def cut(self, n: int) -> Iterator[tuple[slice, bool]]:
        """Parts of the next n events, and whether each completes a prefix."""
        start = 0
        while start < n:
            stop = n if self._next is None else min(n, start + int(self._next) - self.done)
            self.done += stop - start
            is_complete = self.done == self._next
            if is_complete:
                self._next = next(self._sizes, None)
            yield slice(start, stop), bool(is_complete)
            start = stop


class Accumulator:
    """What is common to all that is accumulated of a member's events, weighted or not, at nested prefixes.

    Args:
        steps: Increasing numbers of events that the prefixes consist of; 100, 200, 500, 1000 and so on by default.

    Attributes:
        n_lost: Events whose numbers are not finite.
        is_weighted: Whether the events have weights.
    """

    def __init__(self, steps: Iterable[int] | None = None) -> None:
        self.n_lost = 0
        self.is_weighted = False
        self._steps = Steps(one_two_five() if steps is None else steps)
        self._weight = self._weight_lost = 0.0  # sums of |w|

    @property
    def n_gen(self) -> int:
        """Events so far."""
        return self._steps.done

    @property
    def lost_share(self) -> float:
        """Share of the weight that is lost; 0 for events without weights."""
        return self._weight_lost / self._weight if self._weight else 0.0

    def parts(self, lost: NDArray[np.bool_], weights: Floats | None) -> Iterator[tuple[slice, bool]]:
        """Parts of a batch, which are counted as they are taken, and whether each completes a prefix.

        Args:
            lost: Which events of the batch are lost, (n,).
            weights: The events' weights if they have any, (n,).

        Raises:
            ValueError: If a weight is not finite, there is not one for each event, or only some batches have weights.
        """
        if weights is not None:
            if weights.shape != lost.shape:
                raise ValueError(f"weights must hold one number per event, {lost.shape}, got {weights.shape}")
            if bad := int((~np.isfinite(weights)).sum()):
                raise ValueError(f"weights: {bad} of {weights.size} are not finite")
        if self.is_weighted if weights is None else self.n_gen and not self.is_weighted:
            raise ValueError("weights must be given for all batches of a member or for none")
        self.n_lost += int(lost.sum())
        if weights is not None:
            self.is_weighted = True
            self._weight += float(np.abs(weights).sum())
            self._weight_lost += float(np.abs(weights[lost]).sum())
        return self._steps.cut(len(lost))


def check_lost(member: int, what: str, n_lost: int, n_gen: int, max_lost: float, weight: float = 0.0) -> None:
    """Refuse a member of whose events too large a share is lost.

    Args:
        member: Its number, for the message.
        what: The number of an event that is not finite, ``"observable"`` or ``"summary"``.
        n_lost: Events without it.
        n_gen: All events.
        max_lost: Largest tolerated share.
        weight: Share of the weight that is lost, for events with weights.

    Raises:
        ValueError: If more are lost, or more of the weight; says which.
    """
    if max(n_lost, weight * n_gen) > max_lost * n_gen:
        share = "" if n_lost > max_lost * n_gen else f", but {weight:.3g} of the weight,"
        raise ValueError(
            f"member {member}: {n_lost} of {n_gen} events{share} have a non-finite {what}, tolerated is a share of "
            f"max_lost = {max_lost:g}; dropping them would bias the tails"
        )


def prefix_sizes(n_gen: ArrayLike) -> NDArray[np.int64]:
    """Numbers of events as an increasing list, shape (steps,), from a single one or several.

    Raises:
        ValueError: If they are not whole, positive and increasing.
    """
    given = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    is_whole = given.ndim == 1 and given.size > 0 and bool((np.isfinite(given) & (given == np.floor(given))).all())
    if not (is_whole and (np.diff(given, prepend=0) > 0).all()):
        raise ValueError(f"n_gen must be whole numbers, positive and increasing, got {given}")
    return given.astype(np.int64)


def pieces(
    batches: Iterable[ArrayLike], sizes: NDArray[np.int64], member: int = 0
) -> Iterator[tuple[int, NDArray[np.float64], bool]]:
    """Cut a stream so that each prefix ends with a piece; yields (step, events, whether the prefix is complete).

    Args:
        batches: Batches of events, shape (n, dim) or (n,).
        sizes: Increasing lengths of the prefixes, shape (steps,); what follows the last is not read.
        member: How to call the stream in the error message.

    Raises:
        ValueError: If the stream ends before the last prefix does, or does not consist of batches.
    """
    step, steps = 0, Steps(sizes)
    for batch in batches:
        events = np.asarray(batch)
        if events.ndim == 0:
            raise ValueError(
                f"member {member}: expected batches of events, shape (n, dim) or (n,), got a single number"
            )
        for part, is_complete in steps.cut(len(events)):
            yield step, events[part], is_complete
            step += is_complete
            if step == sizes.size:
                return
    raise ValueError(f"member {member}: the stream ended after {steps.done} of {sizes[-1]} events")


def mean_size(sizes: Sequence[float]) -> float:
    """Number of events whose variance is the mean of those of samples of these sizes: their harmonic mean.

    Equal sizes have exactly this mean, which 1 / (1 / n) need not be.
    """
    return float(sizes[0]) if len(set(sizes)) == 1 else float(stats.hmean(sizes))
