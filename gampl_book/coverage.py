"""What several training sets say about a posterior whose truth is known: coverage, pulls, width, and errors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats, Interval
from gampl.calibration import Correction, pulls, rms_pull, student

LEVEL = 0.683  # of the intervals that are judged


def over_sets(values: ArrayLike) -> tuple[float, list[float]]:
    """Mean of one number for each training set, (sets,), and the ends of its 95 % interval by Student's law."""
    x = np.asarray(values, dtype=float)
    half = student(x.size, 0.95) * x.std(ddof=1) / np.sqrt(x.size)
    return float(x.mean()), [float(x.mean() - half), float(x.mean() + half)]


def covered(held: NDArray[np.bool_]) -> tuple[float, float, Interval]:
    """Share of intervals with the truth, (sets, regions) of yes and no, its standard error and its 95 % interval.

    Regions of one training set are not independent: the error is that over training sets, or the binomial one where
    this is larger.
    """
    mean, sets, n = float(held.mean()), len(held), held.size
    shrunk = (held.sum() + 1) / (n + 2)  # so that all of few are not certainty
    of_sets, binomial = held.mean(axis=1).std(ddof=1) / np.sqrt(sets), np.sqrt(shrunk * (1 - shrunk) / n)
    half = float(max(student(sets, 0.95) * of_sets, 1.96 * binomial))
    return mean, float(max(of_sets, binomial)), Interval(max(0.0, mean - half), min(1.0, mean + half))


def holds(
    correction: Correction, table: Floats, truth: Floats, n_gen: float = np.inf, n_true: float = np.inf
) -> NDArray[np.bool_]:
    """Whether the interval of members' integrals, (members, regions), holds the truth, (regions,).

    If the truth was counted with n_true events, its own standard error is added in quadrature.
    """
    low, high = correction.interval_of(table, LEVEL, n_gen)
    half = np.sqrt((high - low) ** 2 / 4 + truth * (1 - truth) / n_true)
    return np.asarray(np.abs((low + high) / 2 - truth) <= half)


def standardised(correction: Correction, table: Floats, truth: Floats, n_gen: float = np.inf) -> Floats:
    """Deviation of members' mean integrals from the truth in units of the error that their interval promises.

    (members, regions), (regions,) -> (regions,). For a calibrated posterior with N members it follows Student's t with
    N - 1 degrees of freedom, whose variance is (N - 1) / (N - 3).
    """
    low, high = correction.interval_of(table, LEVEL, n_gen)
    return np.asarray(((low + high) / 2 - truth) / ((high - low) / 2 / student(len(table))))


AS_IT_IS = Correction(1.0, Interval(1.0, 1.0), LEVEL, 1)  # changes nothing


class Judged:
    """A posterior by its members' integrals for each training set, (members, regions), and the exact ones, (regions,).

    Widths and deviations are in units of the error that n_train true events have. The exact integrals may be those of
    n_true events that no generator has seen: what these fluctuate by is taken out of the deviations, but not of pulls.
    """

    def __init__(
        self, tables: Sequence[Floats], exact: Floats, n_train: int, n_gen: float, n_true: float = np.inf
    ) -> None:
        self.sets, of_events = len(tables), exact * (1 - exact) / n_train
        mean, total = (np.array([f(table) for table in tables]) for f in (_mean, _variance))
        model = (total - mean * (1 - mean) / n_gen) / (1 - 1 / n_gen)  # Eq. (17)
        self.off: Floats = mean - exact  # (sets, regions)
        self.held = np.array([holds(AS_IT_IS, table, exact, n_gen, n_true) for table in tables])
        self.rms = rms_pull([pulls(table, exact) for table in tables])
        self.squares: Floats = (model / of_events).mean(axis=1)  # of the width, for each set
        squared = self.off**2 - total / np.array([[len(table)] for table in tables]) - exact * (1 - exact) / n_true
        self.deviations: Floats = (squared / of_events).mean(axis=1)  # squares of the mean's deviation
        self.percent = float(100 * (np.sqrt(np.maximum(model.mean(axis=0), 0)) / exact).mean())

    @property
    def width(self) -> float:
        """sigma_model, root mean square over regions and sets."""
        return float(np.sqrt(max(self.squares.mean(), 0.0)))

    @property
    def deviation(self) -> float:
        """The same of the members' mean from the truth, without what counting and few members add."""
        return float(np.sqrt(max(self.deviations.mean(), 0.0)))

    @property
    def over(self) -> tuple[float, Interval]:
        """G_est / G_true, and its 68.3 % interval over training sets."""
        return self.over_at(LEVEL)

    def over_at(self, level: float) -> tuple[float, Interval]:
        """The same with Student's interval at this level."""
        promise = self.squares.mean()
        value = float(self.deviations.mean() / promise)
        error = np.hypot(self.deviations.std(ddof=1), value * self.squares.std(ddof=1)) / promise / np.sqrt(self.sets)
        half = float(student(self.sets, level) * error)
        return value, Interval(max(0.0, value - half), value + half)


def _mean(table: Floats) -> Floats:
    return np.asarray(table.mean(axis=0))


def _variance(table: Floats) -> Floats:
    return np.asarray(table.var(axis=0, ddof=1))
