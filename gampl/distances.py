"""Kolmogorov-Smirnov distances of one member to a reference, as its events pass by, weighted or not."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.kolmogorov import KolmogorovSmirnov
from gampl.kolmogorov_weighted import WeightedKolmogorovSmirnov
from gampl.tallies import one_two_five

FEW_VALUES = 30.0  # of which a share of 1/30 each is enough for the law of continuous summaries


def tied(reference: NDArray[Any]) -> tuple[str, ...]:
    """A warning if a summary takes few different values, since the law of the distance is that of continuous ones.

    Args:
        reference: Summaries of the reference sample, shape (n_ref,). Their number of different values is weighted by
            how often each occurs: one over the probability that two events have the same.
    """
    repeats = np.unique(reference, return_counts=True)[1]
    different = reference.size**2 / float((repeats.astype(np.float64) ** 2).sum())
    if different >= min(FEW_VALUES, 0.5 * reference.size):
        return ()
    return (
        f"the summary takes few different values (effectively {different:.2g}): their distances are shorter than those "
        "of the law, and G is too large; count shares in regions instead",
    )


class Distance(NamedTuple):
    """The distance of Eq. (33) after some events."""

    n_gen: int  # events behind it
    n_effective: float  # events of equal weight that fluctuate as much
    distance: float


class Distances:
    """Distances at nested prefixes of a member's sample.

    Args:
        reference: Summaries of the reference sample, shape (n_ref,).
        steps: Increasing numbers of events after which the distance is kept.

    Raises:
        ValueError: If the reference is empty, has a value that is not finite, or all its values are the same.
    """

    def __init__(self, reference: ArrayLike, steps: Iterable[int] | None = None) -> None:
        self.prefixes: list[Distance] = []
        self.reference = np.asarray(reference)
        self._test: KolmogorovSmirnov | WeightedKolmogorovSmirnov = KolmogorovSmirnov(self.reference)
        self._closed: Distance | None = None
        self._weight_lost = self._weight = 0.0
        self._steps = iter(one_two_five() if steps is None else steps)
        self._next = next(self._steps, None)

    @property
    def n_ref(self) -> int:
        """Events in the reference."""
        return self._test.n_ref

    @property
    def n_gen(self) -> int:
        """Events so far."""
        return self._test.n_gen

    @property
    def n_lost(self) -> int:
        """Those of them whose summary is not finite."""
        return self._test.n_lost

    @property
    def is_weighted(self) -> bool:
        """Whether the events have weights."""
        return isinstance(self._test, WeightedKolmogorovSmirnov)

    def update(self, values: NDArray[Any], weights: NDArray[np.float64] | None = None) -> None:
        """Add the summaries of a batch, shape (n,), and the events' weights if they have any.

        Raises:
            ValueError: If a weight is not finite, or only some batches have weights.
        """
        if weights is not None and not self.is_weighted and self.n_gen == 0:
            self._test = WeightedKolmogorovSmirnov(self.reference)
        if self.is_weighted is (weights is None):
            raise ValueError("weights must be given for all batches of a member or for none")
        if weights is not None:
            self._weight += float(np.abs(weights).sum())
            self._weight_lost += float(np.abs(weights[~np.isfinite(values)]).sum())
        start = 0
        while start < len(values):
            stop = len(values) if self._next is None else min(len(values), start + self._next - self.n_gen)
            part = slice(start, stop)
            if isinstance(self._test, KolmogorovSmirnov):
                self._test.update(values[part])
            else:
                self._test.update(values[part], np.asarray(weights)[part])
            start = stop
            if self.n_gen == self._next:
                if self._test.has_weight:
                    self.prefixes.append(self.now)
                self._next = next(self._steps, None)

    @property
    def lost_share(self) -> float:
        """Share of the weight that is lost; 0 for events without weights."""
        return self._weight_lost / self._weight if self._weight else 0.0

    def close(self) -> None:
        """Keep the distances and let go of the memory that further events would need."""
        if self.n_gen and self._test.has_weight:
            self._closed = self.now
            self._test.free()

    @property
    def now(self) -> Distance:
        """The distance to all events so far.

        Raises:
            ValueError: If there were none, or their weights do not add up to a positive number.
        """
        return self._closed or Distance(self._test.n_gen, self._test.n_effective, self._test.distance)
