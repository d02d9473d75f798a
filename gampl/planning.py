"""How many members and events it takes to know G to a wanted precision, before any is made, and what sharpens a result.

G is known to a factor f if the interval that is reported around an estimate lies within estimate / f and estimate * f:
intervals of G are not symmetric, and the farther end decides. What the estimators report about a generator of a given G
follows from the numbers of members and events alone, up to fluctuations. A plan keeps the factor in half of all
experiments, or in any other share: its ``assurance``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from gampl.amplification import DifferentialCurve, Interval
from gampl.crossing import distance_interval, excess, worth
from gampl.kolmogorov import MEAN
from gampl.plans import Alternative, AveragingPlan, DifferentialPlan
from gampl.sharpening import sharpen
from gampl.spread import Spread

__all__ = ["AveragingPlan", "DifferentialPlan", "averaging", "differential", "sharpen"]

COUNTING_SHARE = 0.04  # by which counting generated events may lengthen the logarithm of the factor
FEWEST_INSIDE = 10  # generated events in a region; with fewer the estimator warns
MOST = 10**18  # of anything

Factor = Callable[[int, float], float]  # of members or n_ref, and n_gen; decreases with both


def averaging(
    precision: float,
    n_train: int,
    probability: float,
    *,
    G: float = 1.0,
    level: float = 0.683,
    regions: int = 1,
    members: int | None = None,
    assurance: float = 0.5,
) -> AveragingPlan:
    """Plan an averaging amplification.

    Members are costly, so their number is found first: the smallest that leaves 4 % of the factor's logarithm for the
    counting of generated events. With so little of it the factor is nearly the same in all experiments. The members'
    variance has members - 1 degrees of freedom; several regions count as if they were one, which is safe for the
    interval, but may make the limit of the pooled members up to a fifth too high.

    Args:
        precision: The wanted factor between G and the farther end of its interval, above 1.
        n_train: Training events.
        probability: Probability of the region, or of each.
        G: Amplification factor that is assumed.
        level: Confidence level of the interval.
        regions: Number of regions of this probability, whose variances are added, Eq. (19).
        members: Their number if it is fixed; n_gen is then the smallest that will do, and may be large.
        assurance: Share of experiments in which the factor is kept, at least 0.5.

    Returns:
        The plan, with n_gen rounded up to two digits.

    Raises:
        ValueError: If an argument is out of range, or the precision is out of reach of the members. The message begins
            with the argument's name.
    """
    _check(precision, n_train, G, level, assurance, least_level=0.5)
    if not (regions >= 1 and float(regions).is_integer()):
        raise ValueError(f"regions must be a whole number, at least 1, got {regions}")
    if not (0 < probability < 1 and regions * probability <= 1 + 1e-9):
        raise ValueError(f"probability must lie between 0 and 1, and within 1 for all regions, got {probability}")
    if members is not None and not (members >= 2 and float(members).is_integer()):
        raise ValueError(f"members must be a whole number, at least 2, got {members}")

    def spread(members: int, n_gen: float, quantile: float) -> Spread:
        """With the expected total variance, Eq. (15), times a quantile of its fluctuation."""
        binomial, nu = regions * probability * (1 - probability), members - 1
        model = binomial / (G * n_train)
        expected = model * (1 - 1 / n_gen) + binomial / n_gen
        total = expected * float(stats.chi2.ppf(quantile, nu)) / nu
        return Spread(np.empty((0, 1)), n_gen, total, binomial, nu)

    def factor(members: int, n_gen: float) -> float:
        found = spread(members, n_gen, 1 - assurance)  # the smaller the variance, the larger the factor
        low, high = found.model_interval(level)
        return max(high / found.model, found.model / low) if min(low, found.model) > 0 else np.inf

    found = _sizes(factor, precision, members, 2, FEWEST_INSIDE / min(probability, 1 - probability), "members")
    median = spread(found.first, found.n_gen, 0.5)
    low, high = (median.binomial / end / n_train if end > 0 else np.inf for end in median.model_interval(level)[::-1])
    pooled = median.binomial / median.deviation_limit(level) / (1 + 1 / found.first) / n_train
    return AveragingPlan(
        n_train=int(n_train),
        G=G,
        level=level,
        assurance=assurance,
        factor=factor(found.first, found.n_gen),
        interval=Interval(low, high),
        n_gen=found.n_gen,
        alternatives=found.alternatives,
        probability=probability,
        regions=int(regions),
        members=found.first,
        pooled_at_least=pooled,
    )


def differential(
    precision: float,
    n_train: int,
    *,
    G: float = 1.0,
    level: float = 0.683,
    n_ref: int | None = None,
    assurance: float = 0.5,
) -> DifferentialPlan:
    """Plan a differential amplification with one generator.

    A generator is worth n_equiv = G n_train true events if it lies <K> / sqrt(n_equiv) from the true density, Eq. (35).
    The measured distance is on average that of Eq. (36), and fluctuates by up to 1 / (2 sqrt(n_ref)). That is right
    for a difference between a narrow one and a smooth one. Where the factor is 2, it is 7 % smaller for a smooth
    difference, and the ends of the interval are 12 and 21 % lower; for a narrow one these are 8 % higher.

    Args:
        precision: The wanted factor between G and the farther end of its interval, above 1.
        n_train: Training events.
        G: Amplification factor that is assumed.
        level: Confidence level of the interval.
        n_ref: Size of the holdout if it is fixed; n_gen is then the smallest that will do, and may be large.
        assurance: Share of experiments in which the factor is kept, at least 0.5.

    Returns:
        The plan, with n_ref and n_gen rounded up to two digits.

    Raises:
        ValueError: As for `averaging`.
    """
    _check(precision, n_train, G, level, assurance, least_level=0.57)
    if n_ref is not None and not (n_ref >= 1 and float(n_ref).is_integer()):
        raise ValueError(f"n_ref must be a whole number, at least 1, got {n_ref}")

    def ends(n_ref: int, n_gen: float, deviations: float) -> tuple[float, Interval]:
        """Estimate of the distance and its interval, when the reference fluctuates by so many standard deviations."""
        noise = 1 / n_ref + 1 / n_gen
        measured = max(MEAN * np.sqrt(1 / (G * n_train) + noise) + deviations * 0.5 * np.sqrt(noise), 0.0)
        curve = DifferentialCurve(np.array([n_gen]), np.array([[measured]]), n_ref)
        return excess(measured, noise), distance_interval(curve, level)

    def factor(n_ref: int, n_gen: float) -> float:
        estimate, (low, high) = ends(n_ref, n_gen, float(stats.norm.isf(assurance)))
        return max(high / estimate, estimate / low) ** 2 if min(low, estimate) > 0 else np.inf

    found = _sizes(factor, precision, n_ref, 1, 1, "true events held out", tidy=_rounded_up)
    low, high = (worth(end) / n_train for end in ends(found.first, found.n_gen, 0.0)[1][::-1])
    return DifferentialPlan(
        n_train=int(n_train),
        G=G,
        level=level,
        assurance=assurance,
        factor=factor(found.first, found.n_gen),
        interval=Interval(low, high),
        n_gen=found.n_gen,
        alternatives=found.alternatives,
        n_ref=found.first,
    )


class _Sizes(NamedTuple):
    first: int  # members or n_ref
    n_gen: int
    alternatives: tuple[Alternative, ...]


def _sizes(
    factor: Factor,
    precision: float,
    given: int | None,
    least: int,
    least_n_gen: float,
    of: str,
    tidy: Callable[[int], int] = int,
) -> _Sizes:
    """The smallest sizes that keep the factor: first the costly one, unless it is given, then n_gen."""

    def needed(precision: float, n_gen: float = np.inf) -> int | None:
        number = _smallest(lambda first: factor(first, n_gen) <= precision, least)
        return None if number is None else tidy(number)

    first = int(given) if given else needed(precision ** (1 / (1 + COUNTING_SHARE)))
    if first is None:
        raise ValueError(f"precision must not be that close to 1, got {precision}")
    best = factor(first, np.inf)
    wanted = precision if given else best ** (1 + COUNTING_SHARE)
    exact = _smallest(lambda n_gen: factor(first, n_gen) <= wanted, int(np.ceil(least_n_gen)))
    if exact is None:
        raise ValueError(
            f"precision {precision:g} is out of reach with {first} {of}: however many events are generated, the factor "
            f"is {best:.3g}; it takes {needed(precision)}"
        )
    n_gen = _rounded_up(exact)
    others = [(n, needed(precision, n)) for n in (n_gen // 2, 2 * n_gen) if n >= least_n_gen]
    return _Sizes(first, n_gen, tuple(Alternative(n, more) for n, more in others if more is not None))


def _smallest(works: Callable[[int], bool], least: int) -> int | None:
    """The smallest whole number that works, where all above do as well; None if none up to 10^18 does."""
    below, above = least - 1, least
    while not works(above):
        if above >= MOST:
            return None
        below, above = above, min(2 * above, MOST)
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if works(middle) else (middle, above)
    return above


def _rounded_up(number: int) -> int:
    """To two digits."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def _check(precision: float, n_train: int, G: float, level: float, assurance: float, least_level: float) -> None:
    if not (1 < precision < np.inf):
        raise ValueError(f"precision must be a factor above 1, such as 1.5, got {precision}")
    if not (1 <= n_train < np.inf and float(n_train).is_integer()):
        raise ValueError(f"n_train must be a whole number of events, at least 1, got {n_train}")
    if not 1 <= G * n_train <= 1e15:
        raise ValueError(f"G must make for 1 to 1e15 equivalent events G n_train, got G = {G}")
    if not least_level < level < 1:
        raise ValueError(f"level must lie between {least_level} and 1, got {level}")
    if not 0.5 <= assurance < 1:
        raise ValueError(f"assurance must be at least 0.5 and below 1, got {assurance}")
