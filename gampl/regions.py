"""Regions V of phase space, Eq. (9): which events are in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats, counted, require, unmasked

Observable = Callable[[Floats], ArrayLike]  # makes one number of each event of a batch, (n, dim) -> (n,)


def radius(events: ArrayLike) -> Floats:
    """Euclidean norm R of events of shape (..., dim), shape (...); below Eq. (5)."""
    return np.asarray(np.linalg.norm(np.asarray(events, dtype=np.float64), axis=-1))


def coordinate(events: ArrayLike) -> Floats:
    """The single coordinate of one-dimensional events, shape (..., 1) or (n,) to (...); a ValueError for others."""
    x = np.asarray(events, dtype=np.float64)
    if x.ndim >= 2 and x.shape[-1] != 1:
        raise ValueError(f"events have {x.shape[-1]} coordinates: name an observable that makes one number of them")
    return x[..., 0] if x.ndim >= 2 else x


class RegionCounts(NamedTuple):
    """Events of one batch in each region, and those that could not be placed."""

    inside: NDArray[np.int64]  #: (regions,)
    n_lost: int  #: events whose observable is NaN or infinite


class Placed(NamedTuple):
    """Where the events of one batch lie."""

    region: NDArray[np.intp]  #: (n,), number of the region; -1 for events outside of all
    lost: NDArray[np.bool_]  #: (n,), events whose observable is NaN or infinite; they are outside

    def counts(self, n_regions: int) -> RegionCounts:
        """Events in each region."""
        inside = np.bincount(self.region + 1, minlength=n_regions + 1)[1:]
        return RegionCounts(inside, int(self.lost.sum()))


class Regions(ABC):
    """What the averaging estimator asks of regions."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of regions."""

    @abstractmethod
    def place(self, events: Floats) -> Placed:
        """The region of each event of one batch, shape (n, dim)."""

    def count(self, events: Floats) -> RegionCounts:
        """Count the events of one batch, shape (n, dim), in each region; errors are those of `place`."""
        return self.place(events).counts(len(self))


@dataclass(frozen=True, eq=False)
class Intervals(Regions):
    """Non-overlapping half-open intervals [low, high) of an observable; a ValueError if one is empty or two overlap."""

    low: Floats  #: lower ends, shape (regions,)
    high: Floats  #: upper ends, shape (regions,); ``inf`` is allowed
    observable: Observable = coordinate

    def __post_init__(self) -> None:
        low, high = (np.atleast_1d(np.asarray(ends, dtype=np.float64)) for ends in (self.low, self.high))
        is_right = low.ndim == 1 and low.shape == high.shape and low.size > 0
        require(is_right, "low and high", "be lists of equal length", f"shapes {low.shape}, {high.shape}")
        if (empty := np.flatnonzero(~(low < high))).size:
            k = empty[0]
            raise ValueError(f"region {k}: [{low[k]}, {high[k]}) is empty, expected low < high")
        if overlaps := [(a, b) for a, b in pairwise(np.argsort(low)) if high[a] > low[b]]:
            pair = " and ".join(f"{k} [{low[k]}, {high[k]})" for k in overlaps[0])
            raise ValueError(f"regions {pair} overlap; Eq. (19) adds non-overlapping regions")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @classmethod
    def between(cls, edges: ArrayLike, observable: Observable = coordinate) -> "Intervals":
        """Adjacent regions between increasing edges, shape (regions + 1,)."""
        e = np.asarray(unmasked(edges, "edges"), dtype=np.float64)
        require(e.ndim == 1 and e.size >= 2, "edges", "be a list of at least 2 numbers", f"shape {e.shape}")
        return cls(e[:-1], e[1:], observable)

    @classmethod
    def quantiles(cls, events: ArrayLike, n_regions: int, observable: Observable = coordinate) -> "Intervals":
        """Regions that hold equal shares of a sample, the outer two reaching to infinity.

        A ValueError if the sample has non-finite values or too few different ones.
        """
        values = numbers(observable, np.asarray(unmasked(events, "events"), dtype=np.float64))
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise ValueError(f"{bad} of {values.size} values {'is' if bad == 1 else 'are'} not finite")
        is_possible = 1 <= n_regions <= values.size
        inner = np.quantile(values, np.arange(1, n_regions) / n_regions) if is_possible else values
        if not is_possible or np.unique(inner).size < inner.size:
            n, wanted = counted(values.size, "event"), counted(n_regions, "region")
            raise ValueError(f"{n} with too few different values for {wanted}")
        return cls.between(np.concatenate([[-np.inf], inner, [np.inf]]), observable)

    def __len__(self) -> int:
        return self.low.size

    def __getitem__(self, index: slice | Sequence[int]) -> "Intervals":
        return Intervals(self.low[index], self.high[index], self.observable)

    @property
    def edges(self) -> Floats:
        """Edges of adjacent regions, shape (regions + 1,); a ValueError if there are gaps between them."""
        if not np.array_equal(self.low[1:], self.high[:-1]):
            raise ValueError("the regions are not adjacent: they have no common edges")
        return np.append(self.low, self.high[-1])

    def place(self, events: Floats) -> Placed:
        """The region of each event; a ValueError if the observable does not give one number per event."""
        values, order = numbers(self.observable, events), np.argsort(self.low)
        low, high, lost = self.low[order], self.high[order], ~np.isfinite(values)
        nearest = np.searchsorted(low, values, side="right") - 1  # the last region that begins below the value
        inside = (nearest >= 0) & (values < high[nearest]) & ~lost
        return Placed(np.where(inside, order[nearest], -1), lost)


@dataclass(frozen=True)
class Selections(Regions):
    """Regions given by functions, one for each, that say which events of a batch are in, (n, dim) -> (n,) of bool.

    That they do not overlap is checked on each batch.
    """

    functions: Sequence[Callable[[Floats], ArrayLike]]

    def __post_init__(self) -> None:
        if not self.functions:
            raise ValueError("functions must name at least one region")

    def __len__(self) -> int:
        return len(self.functions)

    def place(self, events: Floats) -> Placed:
        """The region of each event; a ValueError if one is in two, or a function does not give one bool per event."""
        finite = is_finite(events)
        masks = np.zeros((len(self), int(finite.sum())), dtype=bool)
        for k, function in enumerate(self.functions):
            masks[k] = mask(function, events[finite], f"region {k}")
        if (masks.sum(axis=0) > 1).any():
            pair = np.flatnonzero(masks[:, masks.sum(axis=0).argmax()])[:2]
            raise ValueError(f"regions {pair[0]} and {pair[1]} overlap; Eq. (19) adds non-overlapping ones")
        region = np.full(len(events), -1)
        region[finite] = np.where(masks.any(axis=0), masks.argmax(axis=0), -1)
        return Placed(region, ~finite)


def is_finite(events: Floats) -> NDArray[np.bool_]:
    """Which events have finite coordinates only, (n, ...) -> (n,)."""
    return np.asarray(np.isfinite(events).all(axis=tuple(range(1, events.ndim))))


def numbers(observable: Observable, events: Floats, what: str = "the observable") -> Floats:
    """The numbers that an observable makes of events, (n,); a ValueError that calls it ``what`` if they are not."""
    values = np.asarray(unmasked(observable(events), what), dtype=np.float64)
    require(values.shape == (len(events),), what, f"give one number per event, shape ({len(events)},)", values.shape)
    return values


def mask(cut: Callable[[Floats], ArrayLike], events: Floats, what: str) -> NDArray[np.bool_]:
    """Which events a cut selects, (n,); a ValueError that calls it ``what`` if it does not say so of each."""
    selected = np.asarray(unmasked(cut(events), what))
    is_right = selected.dtype == np.bool_ and selected.shape == (len(events),)
    got = f"{selected.dtype} {selected.shape}"
    require(is_right, what, f"give one bool per event, shape ({len(events)},)", got)
    return selected
