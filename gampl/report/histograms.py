"""Distributions of a number of each event, for members and for true events, as control plots show them."""

from dataclasses import dataclass

import numpy as np

from gampl.basics import Floats

BINS = 40
TAIL = 0.002  # share of the events that may lie outside of the bins on either side


@dataclass(frozen=True, eq=False)
class Histogram:
    """Shares of events by bin.

    Attributes:
        name: Observable or expression.
        label: For the axis, with its unit.
        edges: (bins + 1,).
        members: Share of each member's events in each bin, (members, bins).
        true: The same of the true events, (bins,); None if there are none.
        n_true: True events behind it.
        marks: Ends of regions that are intervals of this number.
    """

    name: str
    label: str
    edges: Floats
    members: Floats
    true: Floats | None = None
    n_true: int = 0
    marks: tuple[float, ...] = ()

    @property
    def band(self) -> tuple[Floats, Floats]:
        """Mean share over the members and its spread, both (bins,); a single member has no spread."""
        spread = self.members.std(axis=0, ddof=1) if len(self.members) > 1 else np.zeros(self.edges.size - 1)
        return self.members.mean(axis=0), spread

    @property
    def true_error(self) -> Floats:
        """Statistical uncertainty of the true shares, (bins,)."""
        shares = np.zeros(self.edges.size - 1) if self.true is None else self.true
        return np.sqrt(shares * (1 - shares) / max(self.n_true, 1))


def edges_of(values: Floats) -> Floats:
    """Bins that hold almost all of some values, (bins + 1,); whole numbers of a small range have one each."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [TAIL, 1 - TAIL]) if finite.size else (0.0, 1.0)
    if high - low < BINS and (finite == np.round(finite)).all():
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


class Filling:
    """Shares of a stream of events by bin.

    Args:
        edges: Of the bins, (bins + 1,).
    """

    def __init__(self, edges: Floats) -> None:
        self.edges = edges
        self._inside, self._all = np.zeros(edges.size - 1), 0.0

    def update(self, values: Floats, weights: Floats | None = None) -> None:
        """Add values of a batch, (n,)."""
        finite = np.isfinite(values)
        kept = None if weights is None else weights[finite]
        self._inside += np.histogram(values[finite], self.edges, weights=kept)[0]
        self._all += len(values) if weights is None else float(weights.sum())

    @property
    def shares(self) -> Floats:
        """Of all events so far, those outside the bins included, (bins,)."""
        return self._inside / self._all if self._all else self._inside
