"""How well a log ratio tells true events from generated ones: the area under the ROC curve, and its calibration."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from gampl.basics import Floats, Interval


class Calibration(NamedTuple):
    """Predicted and observed shares of true events in bins of the predicted share; all have shape (bins,)."""

    predicted: Floats
    observed: Floats
    low: Floats  #: ends of the intervals of the observed shares
    high: Floats
    n_events: NDArray[np.int64]


def auc(true: ArrayLike, generated: ArrayLike, level: float = 0.683) -> tuple[float, Interval]:
    """Probability that a true event has a larger value than a generated one, ties counting half, with an interval.

    Of values of shapes (m,) and (n,). 0.5 means that they cannot tell the events apart. The interval holds what lies
    within normal deviations of the estimate, with the variance of Hanley and McNeil (1982) at that value and not at the
    estimate: method 5 of Newcombe (2006). It serves estimates of 0 and 1 too, and at 0.5 it is the rank-sum test.

    Raises:
        ValueError: If a sample is empty or not finite, or ``level`` is not between 0 and 1.
    """
    first, second = _finite("true", true), _finite("generated", generated)
    deviations = stats.norm.isf(_tail(level))
    m, n = first.size, second.size
    estimate = float(stats.mannwhitneyu(first, second, method="asymptotic").statistic) / (m * n)

    def outside(theta: float) -> float:
        others = (m + n) / 2 - 1
        variance = theta * (1 - theta) * (1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (m * n)
        return float((theta - estimate) ** 2 - deviations**2 * variance)

    inside = min(max(estimate, 1e-12), 1 - 1e-12)  # 0 and 1 have no variance: they are roots, but not ends
    low = optimize.brentq(outside, 0.0, inside) if estimate > 0 else 0.0
    high = optimize.brentq(outside, inside, 1.0) if estimate < 1 else 1.0
    return estimate, Interval(float(low), float(high))


def calibration(true: ArrayLike, generated: ArrayLike, bins: int = 10, level: float = 0.683) -> Calibration:
    """Compare the probability of a true event, by the log ratio, with its frequency, in bins of equal numbers.

    The probability is that for the classes as mixed here. Intervals are those of Clopper and Pearson (1934). Equal
    values share a bin, so that there may be fewer bins.

    Args:
        true: Log ratios of true events that the classifier was not trained on, shape (m,).
        generated: Log ratios of such generated events, shape (n,).
        bins: Number of bins.
        level: Confidence level of each interval.

    Raises:
        ValueError: If a sample is empty or not finite, ``bins`` is not positive, or ``level`` is not between 0 and 1.
    """
    first, second = _finite("true", true), _finite("generated", generated)
    if bins < 1:
        raise ValueError(f"bins must be a positive number, got {bins}")
    tail = _tail(level)
    values = np.concatenate([first, second])
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    _, where = np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)
    n_events = np.bincount(where)
    n_true = np.bincount(where[: first.size], minlength=n_events.size)
    n_generated = n_events - n_true
    predicted = special.expit(values + np.log(first.size / second.size))
    return Calibration(
        predicted=np.bincount(where, weights=predicted) / n_events,
        observed=n_true / n_events,
        low=np.where(n_true > 0, stats.beta.ppf(tail, np.maximum(n_true, 1), n_generated + 1), 0.0),
        high=np.where(n_generated > 0, stats.beta.isf(tail, n_true + 1, np.maximum(n_generated, 1)), 1.0),
        n_events=n_events,
    )


def _finite(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite values of at least 1 event, shape (n,), got shape {array.shape}")
    return array


def _tail(level: float) -> float:
    """Probability above a two-sided interval."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return (1 - level) / 2
