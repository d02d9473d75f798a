r"""Where true events can have equal values: counts, rounded numbers, a value that many events share.

K of Eq. (34) is the largest `|B|` of a Brownian bridge B at the values that the true distribution function takes. It
leaps at a value that events share, and what lies within is left out: so K is smaller than Kolmogorov's law says
(Conover, J. Am. Stat. Assoc. 67 (1972) 591). For Poisson counts of mean 5 its mean is 0.64 and not 0.869.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats

SEEN = 0.01  # share of tied events, below which the law of continuous values is right to a percent
SMALL = 1 / 500  # of a leap, below which only the mean effect of many is taken
MISSED = 0.5826  # by how much of its root a leap makes a maximum there smaller: -zeta(1/2) / sqrt(2 pi) (Chernoff 1965)
DRAWS = 20_000  # of K: its mean has an error of 0.3 %, its quantiles of 0.5 %
PIECE = 1 / 64  # of the unit interval, of which the largest and smallest B are drawn alike


def leaps(reference: ArrayLike) -> Floats | None:
    """Lower and upper ends of the leaps of a sample's distribution function, (leaps, 2); None if they do not matter.

    Leaps are the values that events of the reference, shape (n_ref,), share. Those of the true function are taken to be
    as large.
    """
    repeats = np.unique(np.asarray(reference), return_counts=True)[1]
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
    """Equal cells that cover the bulk of some points; the outer two reach to infinity.

    A value's cell is found with operations that never change the order of two numbers, whatever they round, and in the
    same way for all: a value in a lower cell than a point is smaller than that point, without any exception.
    """

    def __init__(self, points: NDArray[Any]) -> None:
        n_cells = min(64 * points.size, 1 << 16)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            self._low, self._high = np.quantile(points, [0.01, 0.99]).astype(np.float32)
            span = self._high - self._low
            self._scale = np.float32(n_cells - 1) / span
        if not np.isfinite([span, self._scale]).all():  # equal points, or beyond single precision
            self._low = self._high = self._scale = np.float32(0)  # one cell for all is right as well, only slower
        self.cell_of_point = self.cells(points)
        self.holds_point = np.zeros(n_cells, dtype=bool)
        self.holds_point[self.cell_of_point] = True

    def cells(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Number of the cell of each value, not decreasing with the value."""
        x = np.subtract(np.clip(values, self._low, self._high), self._low, dtype=np.float32)
        return (x * self._scale).astype(np.intp)
