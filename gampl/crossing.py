"""Where a distance crosses the law of true events, Eq. (36): the number of equivalent events and its interval."""

import numpy as np
from scipy import stats

from gampl import kolmogorov
from gampl.amplification import DifferentialCurve, Interval


def n_equiv(distance: float, n_ref: float, n_gen: float = np.inf) -> float:
    """Number of true events whose expected distance to a reference is as large: the crossing of Eq. (36).

    Args:
        distance: Distance of ``n_gen`` generated events to the reference.
        n_ref: Events in the reference, ``inf`` if the distance is to the true density.
        n_gen: Generated events; their own fluctuation is taken off, so that few of them estimate the same limit.

    Returns:
        ``inf`` if the distance is not larger than expected for true events.

    Raises:
        ValueError: If the distance is not between 0 and 1, or a number of events not positive.
    """
    if not (0 <= distance <= 1 and n_ref > 0 and n_gen > 0):
        raise ValueError(
            f"expected a distance between 0 and 1 and positive numbers of events, got distance {distance}, "
            f"n_ref {n_ref}, n_gen {n_gen}"
        )
    return worth(excess(distance, 1 / n_ref + 1 / n_gen))


def worth(distance: float) -> float:
    """True events that are expected to lie as far from the true density, Eq. (35) with n_2 = infinity."""
    return (kolmogorov.MEAN / distance) ** 2 if distance > 0 else np.inf


def excess(distance: float, noise: float, K: float = kolmogorov.MEAN) -> float:
    """Distance D whose n_equiv, with the samples' variance 1/n_ref + 1/n_gen, puts this measured one at K, Eq. (36)."""
    return kolmogorov.MEAN * float(np.sqrt(max((distance / K) ** 2 - noise, 0.0)))


def distance_interval(curve: DifferentialCurve, level: float, members: float = 0.0) -> Interval:
    """Confidence interval of the distance D between the generated and the true density, from the last step.

    *Lower end.* The measured distance M exceeds D by no more than the distance between the reference and the truth
    (triangle inequality), which is K / sqrt(n_ref). So D > M - c / sqrt(n_ref) with the upper quantile c of K. This is
    exact for D = 0.

    *Upper end*, the smaller of two. There, n_equiv true events would be as close as M with a probability of only
    (1 - level) / 2: the crossing with the lower edge of the band. And at the place where the densities differ most the
    reference fluctuates normally with a standard deviation of at most 1 / (2 sqrt(n_ref)). A distance below that
    expected of true events is raised to it first: a fluctuation must not claim more than the sensitivity. The crossing
    is with the band of one reference even if there are several: a narrow difference makes distances shorter on average
    than those of n_equiv true events, and the mean of several would exclude the right n_equiv.

    Generated events add their variance to that of the reference, 1/n_ref + 1/n_gen. The coverage was checked for many
    shapes of the difference. It is at least nominal at 68.3 % and from 95 % on; for the least favourable shape, a
    narrow bump, it falls short by up to 1.7 % in between.

    Args:
        curve: The distances.
        level: Confidence level.
        members: Half-width of the interval of the mean distance from the spread of the members. It is added in
            quadrature and does not shrink the rest, since all members share the reference.
    """
    noise = 1 / curve.n_ref + 1 / curve.n_gen[-1]
    unit, tail, distance = np.sqrt(noise), (1 - level) / 2, float(curve.mean[-1])
    estimate = excess(distance, noise)
    low = max(distance - kolmogorov.quantile(level, curve.folds) * unit, 0.0)
    raised = max(distance, kolmogorov.MEAN * unit)
    crossing = excess(raised, noise, kolmogorov.quantile(tail))
    normal = raised + stats.norm.isf(tail) * 0.5 * unit / np.sqrt(curve.folds)
    low = estimate - float(np.hypot(estimate - low, members))
    high = estimate + float(np.hypot(min(crossing, normal) - estimate, members))
    return Interval(max(low, 0.0), min(high, 1.0))
