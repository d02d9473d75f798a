"""Regions V of phase space, Eq. (9): which events are in, counted batch by batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.summaries import coordinate

Observable = Callable[[NDArray[np.float64]], ArrayLike]


class RegionCounts(NamedTuple):
    """Events of one batch in each region, and those that could not be placed."""

    inside: NDArray[np.int64]  # (regions,)
    n_lost: int  # events whose observable is NaN or infinite


class Placed(NamedTuple):
    """Where the events of one batch lie."""

    region: NDArray[np.intp]  # (n,), number of the region; -1 for events outside of all
    lost: NDArray[np.bool_]  # (n,), events whose observable is NaN or infinite; they are outside

    def counts(self, n_regions: int) -> RegionCounts:
        """Events in each region."""
        inside = np.bincount(self.region + 1, minlength=n_regions + 1)[1:]
        return RegionCounts(inside, int(self.lost.sum()))


class Regions(Protocol):
    """What the averaging estimator asks of regions."""

    def __len__(self) -> int:
        """Return the number of regions."""
        ...

    def place(self, events: NDArray[np.float64]) -> Placed:
        """The region of each event of one batch."""
        ...

    def count(self, events: NDArray[np.float64]) -> RegionCounts:
        """Count the events of one batch in each region, the sum in Eq. (10)."""
        ...


@dataclass(frozen=True, eq=False)
class Intervals:
    """Non-overlapping half-open intervals [low, high) of an observable.

    Args:
        low: Lower ends, shape (regions,).
        high: Upper ends, shape (regions,); ``inf`` is allowed.
        observable: Makes one number of each event of a batch, (n, dim) -> (n,).

    Raises:
        ValueError: If an interval is empty or NaN, or two of them overlap.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    observable: Observable = coordinate
    _order: NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        low = np.atleast_1d(np.asarray(self.low, dtype=np.float64))
        high = np.atleast_1d(np.asarray(self.high, dtype=np.float64))
        if low.ndim != 1 or low.shape != high.shape or low.size == 0:
            raise ValueError(f"low and high must be lists of equal length, got shapes {low.shape}, {high.shape}")
        for k in np.flatnonzero(~(low < high)):
            raise ValueError(f"region {k}: [{low[k]}, {high[k]}) is empty, expected low < high")
        order = np.argsort(low)
        for a, b in pairwise(order):
            if high[a] > low[b]:
                raise ValueError(
                    f"regions {a} [{low[a]}, {high[a]}) and {b} [{low[b]}, {high[b]}) overlap; "
                    "Eq. (19) adds non-overlapping regions"
                )
        for name, value in (("low", low), ("high", high), ("_order", order)):
            object.__setattr__(self, name, value)

    @classmethod
    def between(cls, edges: ArrayLike, observable: Observable = coordinate) -> "Intervals":
        """Adjacent regions between increasing edges, shape (regions + 1,)."""
        e = np.asarray(edges, dtype=np.float64)
        if e.ndim != 1 or e.size < 2:
            raise ValueError(f"edges must be a list of at least 2 numbers, got shape {e.shape}")
        return cls(e[:-1], e[1:], observable)

    @classmethod
    def quantiles(cls, events: ArrayLike, n_regions: int, observable: Observable = coordinate) -> "Intervals":
        """Regions that hold equal shares of a sample, the outer two reaching to infinity.

        Raises:
            ValueError: If the sample has non-finite values or too few different ones.
        """
        values = _values(observable, np.asarray(events, dtype=np.float64))
        if not np.isfinite(values).all():
            raise ValueError(f"{(~np.isfinite(values)).sum()} of {values.size} values are not finite")
        if not 1 <= n_regions <= values.size:
            raise ValueError(f"{values.size} events have too few different values for {n_regions} regions")
        inner = np.quantile(values, np.arange(1, n_regions) / n_regions)
        if np.unique(inner).size < inner.size:
            raise ValueError(f"{values.size} events have too few different values for {n_regions} regions")
        return cls.between(np.concatenate([[-np.inf], inner, [np.inf]]), observable)

    def __len__(self) -> int:
        return self.low.size

    def __getitem__(self, index: slice | Sequence[int]) -> "Intervals":
        return Intervals(self.low[index], self.high[index], self.observable)

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of adjacent regions, shape (regions + 1,).

        Raises:
            ValueError: If there are gaps between the regions.
        """
        if not np.array_equal(self.low[1:], self.high[:-1]):
            raise ValueError("the regions are not adjacent: they have no common edges")
        return np.append(self.low, self.high[-1])

    def place(self, events: NDArray[np.float64]) -> Placed:
        """The region of each event of a batch, shape (n, dim)."""
        values = _values(self.observable, events)
        low, high = self.low[self._order], self.high[self._order]
        lost = ~np.isfinite(values)
        nearest = np.searchsorted(low, values, side="right") - 1  # the last region that begins below the value
        inside = (nearest >= 0) & (values < high[nearest]) & ~lost
        return Placed(np.where(inside, self._order[nearest], -1), lost)

    def count(self, events: NDArray[np.float64]) -> RegionCounts:
        """Count the events of one batch, shape (n, dim), in each region."""
        return self.place(events).counts(len(self))


@dataclass(frozen=True)
class Selections:
    """Regions given as functions that say which events of a batch are in, (n, dim) -> (n,) of bool.

    Args:
        functions: One function per region. That they do not overlap is checked on each batch.
    """

    functions: Sequence[Callable[[NDArray[np.float64]], ArrayLike]]

    def __post_init__(self) -> None:
        if not self.functions:
            raise ValueError("functions must name at least one region")

    def __len__(self) -> int:
        return len(self.functions)

    def place(self, events: NDArray[np.float64]) -> Placed:
        """The region of each event of a batch, shape (n, dim).

        Raises:
            ValueError: If a function does not return one bool per event, or an event is in two regions.
        """
        finite = np.asarray(np.isfinite(events).all(axis=tuple(range(1, events.ndim))))
        masks = []
        for k, function in enumerate(self.functions):
            mask = np.asarray(function(events[finite]))
            if mask.dtype != np.bool_ or mask.shape != (finite.sum(),):
                raise ValueError(
                    f"region {k}: expected one bool per event, shape ({finite.sum()},), got {mask.dtype} {mask.shape}"
                )
            masks.append(mask)
        stacked = np.stack(masks)
        if (stacked.sum(axis=0) > 1).any():
            pair = np.flatnonzero(stacked[:, stacked.sum(axis=0).argmax()])[:2]
            raise ValueError(f"regions {pair[0]} and {pair[1]} overlap; Eq. (19) adds non-overlapping ones")
        region = np.full(len(events), -1, dtype=np.intp)
        region[finite] = np.where(stacked.any(axis=0), stacked.argmax(axis=0), -1)
        return Placed(region, ~finite)

    def count(self, events: NDArray[np.float64]) -> RegionCounts:
        """Count the events of one batch, shape (n, dim), in each region; errors are those of `place`."""
        return self.place(events).counts(len(self))


def _values(observable: Observable, events: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(observable(events), dtype=np.float64)
    if values.shape != (len(events),):
        raise ValueError(f"the observable must give one number per event, shape ({len(events)},), got {values.shape}")
    return values
