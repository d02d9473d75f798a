"""Kolmogorov-Smirnov distances of one member to a reference, as its events pass by, weighted or not."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.kolmogorov import KolmogorovSmirnov
from gampl.kolmogorov_weighted import WeightedKolmogorovSmirnov
from gampl.streams import Accumulator

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


class Distances(Accumulator):
    """Distances at nested prefixes of a member's sample.

    Args:
        reference: Summaries of the reference sample, shape (n_ref,).
        steps: Increasing numbers of events after which the distance is kept.

    Raises:
        ValueError: If the reference is empty, has a value that is not finite, or all its values are the same.
    """

    def __init__(self, reference: ArrayLike, steps: Iterable[int] | None = None) -> None:
        super().__init__(steps)
        self.prefixes: list[Distance] = []
        self.reference = np.asarray(reference)
        self._test: KolmogorovSmirnov | WeightedKolmogorovSmirnov | None = KolmogorovSmirnov(self.reference)
        self._last: Distance | None = None  # once there is no test any more

    @property
    def n_ref(self) -> int:
        """Events in the reference."""
        return self.reference.size

    def update(self, values: NDArray[Any], weights: NDArray[np.float64] | None = None) -> None:
        """Add the summaries of a batch, shape (n,), and the events' weights if they have any.

        Raises:
            ValueError: As `Accumulator.parts`, or if it is closed.
        """
        if self._test is None:
            raise ValueError("these distances are closed: no further events are accepted")
        parts = self.parts(~np.isfinite(values), weights)
        if weights is not None and self.n_gen == 0:
            self._test = WeightedKolmogorovSmirnov(self.reference)
        for part, is_complete in parts:
            if isinstance(self._test, KolmogorovSmirnov):
                self._test.update(values[part])
            else:
                self._test.update(values[part], np.asarray(weights)[part])
            if is_complete and self._test.has_weight:
                self.prefixes.append(self.now)

    def close(self) -> None:
        """Keep the distances and let go of the memory that further events would need."""
        if self._test is not None and self._test.has_weight:
            self._last, self._test = self.now, None

    @property
    def now(self) -> Distance:
        """The distance to all events so far.

        Raises:
            ValueError: If there were none, or their weights do not add up to a positive number.
        """
        if self._test is None:
            assert self._last is not None  # noqa: S101 - `close` has seen to it
            return self._last
        return Distance(self.n_gen, self._test.n_effective, self._test.distance)
