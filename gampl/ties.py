r"""Where true events can have equal values: counts, rounded numbers, a value that many events share.

K of Eq. (34) is the largest `|B|` of a Brownian bridge B at the values that the true distribution function takes. It
leaps at a value that events share, and what lies within is left out: so K is smaller than Kolmogorov's law says
(Conover, J. Am. Stat. Assoc. 67 (1972) 591). For Poisson counts of mean 5 its mean is 0.64 and not 0.869.

Equal values need not be equal numbers: one sample may have them in single precision, printed with a few digits, or
computed as 3 * 0.1.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats

SEEN = 0.01  # share of tied events, below which the law of continuous values is right to a percent
NEAR = 1e-5  # of the spread of values, within which numbers are equal if no other value is in between
ROUND_OFF = 1e-12  # of numbers, within which those of one sample are equal
SMALL = 1 / 500  # of a leap, below which only the mean effect of many is taken
MISSED = 0.5826  # by how much of its root a leap makes a maximum there smaller: -zeta(1/2) / sqrt(2 pi) (Chernoff 1965)
DRAWS = 20_000  # of K: its mean has an error of 0.3 %, its quantiles of 0.5 %
PIECE = 1 / 64  # of the unit interval, of which the largest and smallest B are drawn alike


class Distinct(NamedTuple):
    """The different values of a sample, in order; what lies between both ends, ends included, is equal to one."""

    low: NDArray[Any]  #: (values,)
    high: NDArray[Any]  #: (values,)
    repeats: NDArray[np.intp]  #: events that have it, (values,)


def nearness(values: Floats) -> float:
    """How far numbers of different precision may lie apart that are equal, for different values, shape (n,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        near = NEAR * float(np.subtract(*np.quantile(values, [0.75, 0.25])))
    return near if np.isfinite(near) else 0.0


def distinct(sample: ArrayLike) -> Distinct:
    """The different values of a sample, shape (n,), and which numbers are equal to one.

    Without ties these are the values alone. Else other samples' numbers may differ as single precision or six digits
    do, by 1e-5 of the spread of the values or half of the way to the next one at most, and numbers of this sample by
    rounding.
    """
    values, repeats = np.unique(np.asarray(sample), return_counts=True)
    if repeats[repeats > 1].sum() < SEEN * repeats.sum():
        return Distinct(values, values, repeats)
    x = values.astype(np.float64)
    near = nearness(x)
    with np.errstate(over="ignore", invalid="ignore"):
        round_off = np.minimum(ROUND_OFF * np.maximum(np.abs(x), near / NEAR), near / 1000)
        first = np.flatnonzero(np.diff(x, prepend=-np.inf) > round_off)
        low, high = x[first], x[np.append(first[1:], x.size) - 1]
        to_next = 0.49 * np.concatenate([[np.inf], low[1:] - high[:-1], [np.inf]])
    width = np.minimum(near, np.minimum(to_next[:-1], to_next[1:]))
    return Distinct(low - width, high + width, np.add.reduceat(repeats, first))


def leaps(reference: ArrayLike) -> Floats | None:
    """Lower and upper ends of the leaps of a sample's distribution function, (leaps, 2); None if they do not matter.

    Leaps are the values that events of the reference, shape (n_ref,), share. Those of the true function are taken to be
    as large.
    """
    repeats = distinct(reference).repeats
    up_to, n = np.cumsum(repeats), repeats.sum()
    is_leap = repeats > 1
    is_seen = repeats[is_leap].sum() >= SEEN * n
    return np.stack([up_to - repeats, up_to], axis=-1)[is_leap] / n if is_seen else None


def values_of_k(leaps: Floats) -> Floats:
    """Values of K by pseudo-experiments for a distribution function with these leaps, (draws,); always the same."""
    return _values_of_k(leaps.tobytes())


@lru_cache(maxsize=32)
def _values_of_k(leaps: bytes) -> Floats:
    table = np.frombuffer(leaps).reshape(-1, 2)
    sizes = table[:, 1] - table[:, 0]
    below, up_to = table[sizes >= SMALL].T
    # what the function takes: the ends of its leaps, and between them pieces that are not too long
    ends = np.unique(np.concatenate([[0.0], below, up_to, [1.0], np.arange(PIECE, 1, PIECE)]))
    last = np.searchsorted(below, ends) - 1  # the last leap that begins below
    t = ends[(last < 0) | (ends >= up_to[last])] if below.size else ends
    steps, is_piece = np.diff(t), ~np.isin(t[:-1], below)
    K, rng = np.empty(DRAWS), np.random.default_rng(1)
    for rows in np.array_split(np.arange(DRAWS), max(t.size // 100, 1)):
        walk = np.cumsum(rng.standard_normal((rows.size, steps.size), dtype=np.float32) * np.sqrt(steps), axis=1)
        bridge = np.concatenate([np.zeros((rows.size, 1)), walk - walk[:, -1:] * t[1:]], axis=1)
        K[rows] = _largest(bridge, steps, is_piece, rng)
    return np.maximum(K - MISSED * float((sizes[sizes < SMALL] ** 1.5).sum()), 0.0)


def _largest(bridge: Floats, steps: Floats, is_piece: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Largest `|B|` between bridges' values at the ends of pieces and leaps, (draws, ends): of a piece it is drawn."""
    left, right = bridge[:, :-1], bridge[:, 1:]
    # the maximum between two values has an exponential distribution, of a quadratic form
    rises = (right - left) ** 2 - 2 * np.where(is_piece, steps, 0.0) * np.log1p(-rng.random(left.shape))
    return np.asarray(((np.abs(left + right) + np.sqrt(rises)) / 2).max(axis=1))


class Grid:
    """Equal cells that cover the bulk of some points, or short ranges; the outer two reach to infinity.

    A value's cell is found with operations that never change the order of two numbers, whatever they round, and in the
    same way for all: a value in a lower cell than a point is smaller than that point, without any exception.
    """

    def __init__(self, low: NDArray[Any], high: NDArray[Any]) -> None:
        n_cells = min(64 * low.size, 1 << 16)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            self._low, self._high = np.quantile(low, [0.01, 0.99]).astype(np.float32)
            span = self._high - self._low
            self._scale = np.float32(n_cells - 1) / span
        if not np.isfinite([span, self._scale]).all():  # equal points, or beyond single precision
            self._low = self._high = self._scale = np.float32(0)  # one cell for all is right as well, only slower
        self.cell_of_point, last = self.cells(low), self.cells(high)
        begins, ends = (np.bincount(cells, minlength=n_cells + 1) for cells in (self.cell_of_point, last + 1))
        self.holds_point = np.cumsum(begins - ends)[:n_cells] > 0

    def cells(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Number of the cell of each value, not decreasing with the value."""
        x = np.subtract(np.clip(values, self._low, self._high), self._low, dtype=np.float32)
        return (x * self._scale).astype(np.intp)
