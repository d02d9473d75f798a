"""What share of a member's events lies in each region, and how well that is known; events may have weights."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.regions import Placed
from gampl.streams import Accumulator

Floats = NDArray[np.float64]


class Shares(NamedTuple):
    """Integrals of one member, Eq. (10), after some of its events."""

    n_gen: int  # events behind them
    integrals: Floats  # (regions,)
    variances: Floats  # (regions,), of the integrals by the fluctuation of the events; only for weighted ones


class Tally(Accumulator):
    """Counts of events, or sums of their weights, in each region at nested prefixes of a member's sample.

    A weighted integral is the share of the weights. It is a ratio of two sums, and its variance is that of the sum of
    w (1_V - I) over the events, the delta method's.

    Args:
        n_regions: Number of regions.
        steps: Increasing numbers of events after which the shares are kept.
    """

    def __init__(self, n_regions: int, steps: Iterable[int] | None = None) -> None:
        super().__init__(steps)
        self.prefixes: list[Shares] = []
        # of the regions, and of the events outside of all of them, which come first: sums of w and of w^2
        self._weights = np.zeros(n_regions + 1)
        self._squares = np.zeros(n_regions + 1)

    def update(self, placed: Placed, weights: Floats | None = None) -> None:
        """Add the events of a batch, with weights of shape (n,) if they have any.

        Raises:
            ValueError: If a weight is not finite, there is not one for each event, or only some batches have weights.
        """
        for part, is_complete in self.parts(placed.lost, weights):
            self._add(placed.region[part] + 1, None if weights is None else weights[part])
            if is_complete and self._weights.sum() > 0:
                self.prefixes.append(self.shares)

    def _add(self, cells: NDArray[np.intp], weights: Floats | None) -> None:
        size = self._weights.size
        self._weights += np.bincount(cells, weights, minlength=size)
        if weights is not None:
            self._squares += np.bincount(cells, weights**2, minlength=size)

    @property
    def shares(self) -> Shares:
        """The shares of all events so far.

        Raises:
            ValueError: If there were none, or their weights do not add up to a positive number.
        """
        total = self._weights.sum()
        if not total > 0:
            what = "the weights add up to" if self.n_gen else "expected at least one event, the sum is"
            raise ValueError(f"{what} {total:g}: a share of them means nothing")
        integrals = self._weights[1:] / total
        squares = self._squares if self.is_weighted else self._weights
        variances = (squares[1:] * (1 - 2 * integrals) + integrals**2 * squares.sum()) / total**2
        effective = self.n_effective
        return Shares(self.n_gen, integrals, variances * effective / (effective - 1) if effective > 1 else variances)

    @property
    def n_effective(self) -> float:
        """Number of events of equal weight whose sum fluctuates as much, (sum w)^2 / sum w^2 (Kish 1965)."""
        if not self.is_weighted:
            return float(self.n_gen)
        return float(self._weights.sum() ** 2 / self._squares.sum())

    @property
    def inside(self) -> Floats:
        """The same number of events in each region, shape (regions,)."""
        if not self.is_weighted:
            return self._weights[1:]
        squares = self._squares[1:]
        return np.divide(self._weights[1:] ** 2, squares, out=np.zeros_like(squares), where=squares > 0)


LONG_TAIL = (
    "weights with a long tail: few events carry most of the weight, and one more heavy one would change the result"
)


def weight_warnings(tallies: Sequence[Tally]) -> tuple[str, ...]:
    """What to know about an estimate from weighted events; nothing if there are none."""
    weighted = [tally for tally in tallies if tally.is_weighted]
    if not weighted:
        return ()
    effective, n_gen = min((tally.n_effective, tally.n_gen) for tally in weighted)
    notes = [f"weighted events: {n_gen} of a member fluctuate as {effective:.0f} of equal weight, which n_gen counts"]
    if effective < 0.1 * n_gen:
        notes.append(LONG_TAIL)
    if sparse := int((np.min([tally.inside for tally in weighted], axis=0) < 10).sum()):
        notes.append(f"{sparse} regions hold fewer than 10 effective events of some member: raise n_gen or merge them")
    return tuple(notes)
