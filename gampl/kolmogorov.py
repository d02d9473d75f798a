"""The two-sample Kolmogorov-Smirnov distance of a small sample to a stream, and the law that it follows."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gampl.amplification import Interval

Floats = NDArray[np.float64]

MEAN = float(np.sqrt(np.pi / 2) * np.log(2))  # <K>, Eq. (35)


class KolmogorovSmirnov:
    """Largest difference between the empirical distribution functions of a reference sample and a stream, Eq. (33).

    The reference's function is constant between its points and the stream's only rises, so the largest difference lies
    at a reference point or just below one. It is enough to count the stream's values below and up to each of them: the
    distance is exact at any time, after any number of values, ties included, and memory does not grow.

    Most values share no cell of a fine grid with a reference point, and counting them by cell is enough. Only the
    others are sorted, so that the few reference points can be looked up in them.

    Args:
        reference: Values of the reference sample, shape (n_ref,).

    Raises:
        ValueError: If the reference is empty, has a value that is not finite, or all its values are the same.
    """

    def __init__(self, reference: ArrayLike) -> None:
        values = np.asarray(reference)
        if values.ndim != 1 or values.size == 0:
            raise ValueError(f"reference must hold one number per event, shape (n_ref,), got {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"reference: {(~np.isfinite(values)).sum()} of {values.size} values are not finite")
        self.points, repeats = np.unique(values, return_counts=True)
        if self.points.size == 1 and values.size > 1:
            raise ValueError(
                f"reference: all {values.size} values are {self.points[0]:g}; a constant summary tells nothing apart"
            )
        self.n_ref = values.size
        self._reference_up_to = np.cumsum(repeats) / self.n_ref
        self._reference_below = self._reference_up_to - repeats / self.n_ref
        self._grid = _Grid(self.points)
        self._in_cell = np.zeros(self._grid.holds_point.size, dtype=np.int64)
        # of the values that share a cell with a reference point
        self._up_to = np.zeros(self.points.size, dtype=np.int64)
        self._below = np.zeros(self.points.size, dtype=np.int64)
        self.n_gen = 0
        self.n_lost = 0

    def update(self, values: ArrayLike) -> None:
        """Add values of the stream, shape (n,).

        Values that are not finite are counted in ``n_lost`` and in ``n_gen``. They lie above all reference points, so
        that they change the distance by no more than their share.
        """
        batch = np.asarray(values)
        if batch.ndim != 1:
            raise ValueError(f"values must hold one number per event, shape (n,), got {batch.shape}")
        finite = np.isfinite(batch)
        self.n_gen += batch.size
        if not finite.all():
            batch = batch[finite]
            self.n_lost += finite.size - batch.size
        cells = self._grid.cells(batch)
        self._in_cell += np.bincount(cells, minlength=self._in_cell.size)
        close = np.sort(batch[self._grid.holds_point[cells]])
        self._below += np.searchsorted(close, self.points, side="left")
        self._up_to += np.searchsorted(close, self.points, side="right")

    @property
    def has_weight(self) -> bool:
        """Whether there is anything to make a distance of."""
        return self.n_gen > 0

    @property
    def own_function(self) -> tuple[Floats, Floats]:
        """The reference's distribution function at its points and just below them, each (points,)."""
        return self._reference_up_to, self._reference_below

    @property
    def n_effective(self) -> float:
        """Events of equal weight that fluctuate as much, see `gampl.kolmogorov_weighted`: all."""
        return float(self.n_gen)

    @property
    def distance(self) -> float:
        """The distance to all values so far.

        Raises:
            ValueError: If there were none.
        """
        if self.n_gen == 0:
            raise ValueError("no values yet: a distance needs at least one")
        elsewhere = np.cumsum(np.where(self._grid.holds_point, 0, self._in_cell))[self._grid.cell_of_point]
        at_points = np.abs((elsewhere + self._up_to) / self.n_gen - self._reference_up_to)
        just_below = np.abs((elsewhere + self._below) / self.n_gen - self._reference_below)
        return float(max(at_points.max(), just_below.max()))


def rescaled(distance: ArrayLike, n_ref: ArrayLike, n_gen: ArrayLike) -> Floats:
    """K of Eq. (34), the distance in units of the fluctuation of samples of n_ref and n_gen events."""
    return np.asarray(np.asarray(distance) / np.sqrt(1 / np.asarray(n_ref) + 1 / np.asarray(n_gen)))


def distance_to_density(probabilities: ArrayLike) -> Floats:
    """Distance of samples to a density whose distribution function is known: Eq. (33) with one sample unlimited.

    Args:
        probabilities: The distribution function at the events of each sample, in any order, shape (..., n).

    Returns:
        Distances, shape (...).

    Raises:
        ValueError: If there are no events, or a number is no probability.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    if given.ndim == 0 or given.shape[-1] == 0 or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"probabilities must lie between 0 and 1, shape (..., n >= 1), got shape {given.shape}")
    below, n = np.sort(given, axis=-1), given.shape[-1]
    up_to = np.arange(1, n + 1) / n  # the sample's own function at its events; just below it is 1/n less
    return np.asarray(np.maximum((up_to - below).max(axis=-1), (below - up_to + 1 / n).max(axis=-1)))


class _Grid:
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


def band(level: float, folds: int = 1) -> Interval:
    """Equal-tailed interval of K, Eq. (34), or of the mean of ``folds`` independent K: 0.617 to 1.126 at 68.3 %."""
    return Interval(quantile((1 - level) / 2, folds), quantile((1 + level) / 2, folds))


def printed_band(level: float) -> Interval:
    """The interval <K> -+ c(alpha) as Eq. (37) prints it; it holds far more than ``level``, see `half_width`."""
    half = half_width(level)
    return Interval(MEAN - half, MEAN + half)


def half_width(level: float) -> float:
    """c(alpha) of Eq. (37) with alpha = 1 - level.

    This is the leading term of the upper quantile of K itself (Smirnov 1948), and an upper bound of it for samples of
    any size (Massart 1990). It is no half-width of an interval around <K>.
    """
    return float(np.sqrt(np.log(2 / (1 - level)) / 2))


@cache
def quantile(probability: float, folds: int = 1) -> float:
    """Quantile of K, or of the mean of ``folds`` independent K."""
    if folds == 1:
        return float(stats.kstwobign.ppf(probability))
    values, below = _law_of_mean(folds)
    return float(np.interp(probability, below, values))


@cache
def _law_of_mean(folds: int) -> tuple[Floats, Floats]:
    """Values of a mean of independent K and the probabilities below them, by convolution."""
    step, cells = 1e-3, 4000  # K exceeds 4 with a probability of 3e-14
    mass = np.diff(stats.kstwobign.cdf(step * np.arange(cells + 1)))
    length = folds * cells
    total = np.fft.irfft(np.fft.rfft(mass, length) ** folds, length)
    # the centres of the cells of a sum lie at (i + folds / 2) step
    upper_ends = (np.arange(length) + (folds + 1) / 2) * step / folds
    below = np.maximum.accumulate(np.cumsum(total))
    return upper_ends, below
