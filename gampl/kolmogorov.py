"""The Kolmogorov-Smirnov distance of a stream to a small sample, its law, and where it crosses that of true events."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from gampl.basics import Floats, Interval, counted, require, unmasked
from gampl.samples import Accumulator
from gampl.ties import Grid, distinct, leaps, values_of_k

MEAN = float(np.sqrt(np.pi / 2) * np.log(2))  # <K>, Eq. (35)


class Distance(NamedTuple):
    """The distance of Eq. (33) after some events."""

    n_gen: int  #: events behind it
    n_effective: float  #: events of equal weight that fluctuate as much
    distance: float


class KolmogorovSmirnov(Accumulator):
    """Largest difference between the empirical distribution functions of a reference sample and a stream, Eq. (33).

    The reference's function is constant between its points and the stream's only rises, so the largest difference lies
    at a reference point or just below one. It is enough to count the stream's values below and up to each of them: the
    distance is exact at any time, after any number of values, ties included, and memory does not grow. Where the
    reference has ties, numbers that differ in precision only are equal, see `gampl.ties.distinct`. Values of the
    stream may have weights; its distribution function F is then the share of the weights. Of values without, only those
    that share a cell of a fine grid with a reference point are sorted. Those that are not finite lie above all
    reference points, so that they change the distance by no more than their share. Fewer values than there are points
    are kept as they are, and cost nothing more.

    The reference is of shape (n_ref,); a ValueError if it is empty, has a value that is not finite, or a single one
    only. The distance is kept at prefixes if ``steps`` are given: see `gampl.samples.Accumulator`.
    """

    def __init__(self, reference: ArrayLike, steps: Iterable[int] | None = (), name: str = "") -> None:
        super().__init__(steps, name)
        self.reference = values = np.asarray(unmasked(reference, "reference"))
        is_list = values.ndim == 1 and values.size > 0
        require(is_list, "reference", "hold one number per event, shape (n_ref,)", values.shape)
        if bad := int((~np.isfinite(values)).sum()):
            raise ValueError(f"reference: {bad} of {values.size} values {'is' if bad == 1 else 'are'} not finite")
        self._low, self._high, repeats = distinct(values)
        if repeats.size == 1 < values.size:
            constant = f"all {values.size} values are {values[0]:g}"
            raise ValueError(f"reference: {constant}; a constant summary tells nothing apart")
        self.n_ref = values.size
        self._reference_up_to = np.cumsum(repeats) / self.n_ref
        self._reference_below = self._reference_up_to - repeats / self.n_ref
        self._grid = Grid(self._low, self._high)
        self.clear()

    def clear(self) -> None:
        """Forget the values so far."""
        # sums of weights and of their squares: of all values, of those up to each point, of those below it
        self._all = np.zeros(2)
        self._up_to = self._below = np.zeros((2, 1))
        # but values without weights that share no cell of the grid with a point are counted by cell only
        self._in_cell = np.zeros(1, dtype=np.int64)
        self._few: list[NDArray[Any]] = []  # values without weights that are not counted yet
        self._closed: Distance | None = None

    def update(self, values: ArrayLike, weights: ArrayLike | None = None) -> None:
        """Add values, shape (n,), with weights, shape (n,), if they have any; errors are those of `parts`."""
        if self._closed is not None:
            raise ValueError("this distance is closed: no further events are accepted")
        x = np.asarray(unmasked(values, "values"))
        w = None if weights is None else np.asarray(unmasked(weights, "weights"), dtype=np.float64)
        require(x.ndim == 1, "values", "hold one number per event, shape (n,)", x.shape)
        finite = np.isfinite(x)
        for part, is_complete in self.parts(~finite, w):
            self._add(x[part], finite[part], None if w is None else w[part])
            if is_complete and self.total > 0:
                self.prefixes.append(self.now)

    def _add(self, x: NDArray[Any], finite: NDArray[np.bool_], weights: Floats | None) -> None:
        if weights is None:
            self._all += x.size
            self._few.append(x[finite])
            if sum(map(len, self._few)) >= self._low.size:
                self._count()
            return
        order = np.argsort(np.where(finite, x, np.inf).astype(np.float64))
        sums = np.zeros((2, x.size + 1))  # of the weights and their squares of the first k values
        np.cumsum([weights[order], weights[order] ** 2], axis=1, out=sums[:, 1:])
        self._all += sums[:, -1]
        self._add_sums(x[order][: int(finite.sum())], sums)

    def _count(self) -> None:
        """Count the few values that were kept."""
        values = np.concatenate(self._few)
        self._few = []
        cells = self._grid.cells(values)
        self._in_cell = self._in_cell + np.bincount(cells, minlength=self._grid.holds_point.size)
        ordered = np.sort(values[self._grid.holds_point[cells]])
        self._add_sums(ordered, np.arange(ordered.size + 1)[None])

    def _add_sums(self, ordered: NDArray[Any], sums: NDArray[Any]) -> None:
        self._up_to = self._up_to + sums[:, np.searchsorted(ordered, self._high, side="right")]
        self._below = self._below + sums[:, np.searchsorted(ordered, self._low, side="left")]

    def close(self) -> None:
        """Keep the distance and let go of the memory that further values would need."""
        if self._closed is None and self.total > 0:
            self._closed = self.now
            del self._low, self._high, self._reference_up_to, self._reference_below, self._up_to, self._below
            del self._grid, self._in_cell, self._few

    @property
    def now(self) -> Distance:
        """The distance to all values so far; errors are those of `distance`."""
        return self._closed or Distance(self.n_gen, self.n_effective, self.distance)

    @property
    def total(self) -> float:
        """Sum of the values' weights, or their number."""
        return float(self._all[0])

    @property
    def n_effective(self) -> float:
        """Events of equal weight that fluctuate as much.

        With the sums of weights S and of squared weights Q, of which Q(t) is of values up to a point, the variance of F
        is ((1 - F)^2 Q(t) + F^2 (Q - Q(t))) / S^2. The largest is that of 1 / 4n for events of equal weight; their
        number is no more than S^2 / Q.
        """
        if self._closed is not None:
            return self._closed.n_effective
        if not self.is_weighted:
            return float(self.n_gen)
        F, squares = self._share(self._up_to)
        variances = (1 - F) ** 2 * squares + F**2 * (self._all[1] - squares)
        return float(self._all[0] ** 2 / max(4 * variances.max(), self._all[1]))

    @property
    def distance(self) -> float:
        """The distance to all values so far; a ValueError if their number or weight is not positive."""
        if self._few and self._up_to.shape[1] > 1:  # others are counted already
            self._count()
        places: Any = slice(None)
        if self._few:  # between two values the stream's function is constant and the reference's rises
            values = np.sort(np.concatenate(self._few))
            first = np.concatenate([np.searchsorted(self._high, values), np.searchsorted(self._low, values, "right")])
            places = np.unique(np.clip([0, self._low.size, *first, *(first - 1)], 0, self._low.size - 1))
            up_to = np.searchsorted(values, self._high[places], side="right") / self.total
            below = np.searchsorted(values, self._low[places], side="left") / self.total
        else:
            up_to, below = self._share(self._up_to)[0], self._share(self._below)[0]
        largest = np.abs(up_to - self._reference_up_to[places]).max()
        return float(max(largest, np.abs(below - self._reference_below[places]).max()))

    def _share(self, sums: Floats) -> tuple[Floats, Floats]:
        """The stream's distribution function, and the sum of squares, from the sums at each point or just below it."""
        if self.n_gen == 0:
            raise ValueError("no values yet: a distance needs at least one")
        if not self.total > 0:
            total = f"{counted(self.n_gen, 'event')} add up to {self.total:g}"
            raise ValueError(f"the weights of {total}, expected more than 0")
        elsewhere = np.cumsum(np.where(self._grid.holds_point, 0, self._in_cell))[self._grid.cell_of_point]
        return (sums[0] + elsewhere) / self.total, sums[1] + elsewhere


def distance_to_density(probabilities: ArrayLike) -> Floats:
    """Distances, shape (...), of samples to a density: Eq. (33) with one sample unlimited.

    The probabilities are the density's distribution function at the events of each sample, any order, shape (..., n); a
    ValueError if they are not, or there are none.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    is_right = p.ndim > 0 and p.shape[-1] > 0 and ((p >= 0) & (p <= 1)).all()
    require(is_right, "probabilities", "lie between 0 and 1, shape (..., n >= 1)", f"shape {p.shape}")
    below, n = np.sort(p, axis=-1), p.shape[-1]
    up_to = np.arange(1, n + 1) / n  # the sample's own function at its events; just below it is 1/n less
    return np.asarray(np.maximum((up_to - below).max(axis=-1), (below - up_to + 1 / n).max(axis=-1)))


def rescaled(distance: ArrayLike, n_ref: ArrayLike, n_gen: ArrayLike) -> Floats:
    """K of Eq. (34), the distance in units of the fluctuation of samples of n_ref and n_gen events."""
    return np.asarray(np.asarray(distance) / np.sqrt(1 / np.asarray(n_ref) + 1 / np.asarray(n_gen)))


def printed_band(level: float) -> Interval:
    """The interval <K> -+ c(alpha) as Eq. (37) prints it; it holds far more than ``level``, see `half_width`."""
    half = half_width(level)
    return Interval(MEAN - half, MEAN + half)


def half_width(level: float) -> float:
    """c(alpha) of Eq. (37), alpha = 1 - level: not the half-width of an interval around <K>.

    It is the leading term of K's upper quantile (Smirnov 1948), and its bound for samples of any size (Massart 1990).
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
    return upper_ends, np.maximum.accumulate(np.cumsum(total))


class Law:
    """The law of K for a reference: Kolmogorov's, or that of values among which some are equal, see `gampl.ties`."""

    def __init__(self, values: Floats | None = None, scatter: float = 0.5) -> None:
        self._values = values  # of K, by pseudo-experiments
        self.scatter = scatter  #: largest standard deviation of B at a single place
        self.mean = MEAN if values is None else float(values.mean())  #: <K>, Eq. (35)

    @classmethod
    def of(cls, reference: ArrayLike) -> "Law":
        """The law for true events with the ties of the reference, shape (n_ref,); a ValueError if all are equal."""
        ties = leaps(reference)
        if ties is None:
            return KOLMOGOROV
        if (ties == [0, 1]).all():
            raise ValueError("reference: all values are equal; a constant summary tells nothing apart")
        across = ties[(ties[:, 0] < 0.5) & (ties[:, 1] > 0.5)]  # B scatters most at 1/2, unless a leap leaves that out
        return cls(values_of_k(ties), float(np.sqrt(across * (1 - across)).max(initial=0.0)) if across.size else 0.5)

    def quantile(self, probability: float, folds: int = 1) -> float:
        """Quantile of K, or of the mean of ``folds`` independent K."""
        if self._values is None:
            return quantile(probability, folds)
        rng = np.random.default_rng(folds)
        return float(np.quantile(np.mean([rng.permutation(self._values) for _ in range(folds)], axis=0), probability))

    def band(self, level: float, folds: int = 1) -> Interval:
        """Equal-tailed interval of K, or of the mean of ``folds`` of them: Kolmogorov's 0.617 to 1.126 at 68.3 %."""
        return Interval(self.quantile((1 - level) / 2, folds), self.quantile((1 + level) / 2, folds))

    def below_elsewhere(self, K: float, folds: int = 1) -> float:
        """A bound of the probability that B stays below K but at one place, see `distance_interval`; 1 with ties."""
        is_known = folds == 1 and self._values is None
        return float(1 - special.kolmogorov(np.sqrt(2) * K)) ** 2 if is_known else 1.0


KOLMOGOROV = Law()
band = KOLMOGOROV.band


@dataclass(frozen=True)
class DifferentialCurve:
    """Kolmogorov-Smirnov distances of generated events to a reference sample, Fig. 6."""

    n_gen: Floats  #: generated events per member, shape (steps,)
    distances: Floats  #: distances of Eq. (33), shape (members, steps); of several folds: their means, (folds, steps)
    n_ref: float  #: events in the reference sample, or in one fold of it
    folds: int = 1  #: independent reference samples behind the estimate
    law: Law = KOLMOGOROV  #: of K for these true events

    @property
    def mean(self) -> Floats:
        """Mean distance, shape (steps,), the right-hand side of Eq. (36) at the last step."""
        return np.asarray(self.distances.mean(axis=0))


def n_equiv(distance: float, n_ref: float, n_gen: float = np.inf, mean: float = MEAN) -> float:
    """Number of true events whose expected distance to a reference is as large: the crossing of Eq. (36).

    The distance is that of ``n_gen`` generated events, whose own fluctuation is taken off, so that few of them estimate
    the same limit. ``n_ref`` is ``inf`` for a distance to the true density. The result is ``inf`` if the distance is
    not larger than expected for true events; a ValueError if it is not in [0, 1], or a number of events not positive.
    ``mean`` is that of K, which is smaller where true events have equal values, see `Law`.
    """
    require(0 <= distance <= 1, "distance", "lie between 0 and 1", distance)
    require(n_ref > 0 and n_gen > 0, "n_ref and n_gen", "be positive", f"{n_ref} and {n_gen}")
    return worth(excess(distance, 1 / n_ref + 1 / n_gen, mean), mean)


def worth(distance: float, mean: float = MEAN) -> float:
    """True events that are expected to lie as far from the true density, Eq. (35) with n_2 = infinity."""
    return (mean / distance) ** 2 if distance > 0 else np.inf


def excess(distance: float, noise: float, mean: float = MEAN) -> float:
    """Distance D whose n_equiv, with the samples' variance 1/n_ref + 1/n_gen, is expected as far, Eq. (36)."""
    return float(np.sqrt(max(distance**2 - mean**2 * noise, 0.0)))


def distance_interval(curve: DifferentialCurve, level: float, members: float = 0.0) -> Interval:
    """Confidence interval of the distance D between the generated and the true density, from the last step.

    In units of 1 / sqrt(n_ref), the measured distance M is the largest ``|B + D s|``, where the Brownian bridge B is
    the reference's fluctuation and s the shape of the difference, of height 1. The interval is right for any shape.

    *Lower end.* M exceeds D by no more than K (triangle inequality), so D > M - c with the upper quantile c of K. This
    is exact for D = 0, and for a difference of many narrow teeth of both signs.

    *Upper end.* At the place t of the largest difference, B scatters with a standard deviation of at most 1/2. Given
    B(t), the rest is most likely to stay below m if it is centred (Anderson 1955, *Proc. Amer. Math. Soc.* 6, 170), as
    two bridges of half the length are: P(M < m) <= Phi(2 (m - D)) P(K < sqrt(2) m)^2. The upper end is the D for which
    this is as much as the lower end leaves of 1 - level. A narrow difference has M > D + c with a probability of
    Phi(-2 c), one of many teeth never has M < D. For a spike on a broad hill, the least favourable shape, the bound is
    nearly reached: no upper end that holds for it is lower by more than 2 % (M > 1) or 8 %.

    A distance below the median of true events is raised to it first: a fluctuation must not claim more than the
    sensitivity. Half a step of 1/n_ref, in which counts come, is added. Generated events add their variance to that of
    the reference. The mean over several references scatters less by the root of their number; the second factor of the
    bound is left out. ``members`` is the half-width of the interval of the mean distance from the spread of the
    members. It is added in quadrature and does not shrink the rest, since all members share the reference.

    Measured (``benchmarks/differential_coverage.py``, 1000 reference events, levels from 68.3 to 95 %): no coverage is
    below nominal, and for D > 1 / sqrt(n_ref) that of the least favourable shape is at most 4 % above. Smaller D are
    covered in 80 to 99 % of cases at 68.3 %, since no less than the sensitivity is claimed. For values with ties c is
    that of their own law, and the second factor is left out.
    """
    noise = 1 / curve.n_ref + 1 / curve.n_gen[-1]
    unit, distance, law = float(np.sqrt(noise)), float(curve.mean[-1]), curve.law
    estimate = excess(distance, noise, law.mean)
    exceeds, at_peak = law.quantile(level, curve.folds), law.scatter / float(np.sqrt(curve.folds))
    left = 1 - level - float(special.ndtr(-exceeds / at_peak))
    raised = max(distance / unit, law.quantile(0.5, curve.folds))
    elsewhere = law.below_elsewhere(raised, curve.folds)
    low = max(distance - exceeds * unit, 0.0)
    high = unit * (raised - at_peak * float(special.ndtri(left / elsewhere))) + 0.5 / (curve.n_ref * curve.folds)
    below, above = (float(np.hypot(width, members)) for width in (estimate - low, high - estimate))
    return Interval(max(estimate - below, 0.0), min(estimate + above, 1.0))
