"""How many members and events it takes to know G to some precision, before any of them is made.

G is known to a factor f if the interval that is reported around an estimate lies within estimate / f and estimate * f:
intervals of G are not symmetric, and the farther end decides. What the estimators report about a generator of a known G
follows from the numbers of members and events, up to fluctuations. A plan keeps the factor in half of all experiments,
or in any other share: its ``assurance``. `gampl.report.sharpening` says what would improve a result.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from gampl.basics import ArgumentError, Interval, plain, require
from gampl.kolmogorov import MEAN, DifferentialCurve, distance_interval, excess, worth
from gampl.result import Note, NoteCode, in_digits, percent
from gampl.spread import Spread

COUNTING_SHARE = 0.04  # by which counting generated events may lengthen the logarithm of the factor
FEWEST_INSIDE = 10  # generated events in a region; with fewer the estimator warns
MOST = 10**18  # of anything


class Alternative(NamedTuple):
    """Another way to the same precision."""

    n_gen: int
    needed: int  #: members for averaging, n_ref for differential amplification


@dataclass(frozen=True)
class Plan:
    """What both plans have in common."""

    n_train: int  #: training events
    G: float  #: amplification factor that is assumed
    level: float  #: confidence level of the interval
    assurance: float  #: share of experiments in which the factor is kept
    factor: float  #: factor between G and the farther end of its interval that is kept with this assurance
    interval: Interval  #: interval of G in the median experiment
    n_gen: int  #: generated events of each generator
    alternatives: tuple[Alternative, ...]  #: ways with half and with twice as many generated events

    @property
    def aim(self) -> str:
        """What the plan reaches, in words."""
        low, high = self.interval
        return (
            f"G = {self.G:g} would be found as about {in_digits(low)} to {in_digits(high)} at "
            f"{percent(self.level)} confidence, and within a factor {self.factor:.3g} in "
            f"{percent(self.assurance)} of experiments"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for strict JSON, as those of `gampl.result.Amplification`."""
        return plain(asdict(self) | {"alternatives": [way._asdict() for way in self.alternatives]})


@dataclass(frozen=True, kw_only=True)
class AveragingPlan(Plan):
    """Members of a posterior for averaging amplification, and their events."""

    probability: float  #: probability of each region
    regions: int  #: number of regions
    members: int  #: members of the posterior
    #: lower limit of what the pooled members are worth for their training set, in the median experiment, per n_train
    pooled_at_least: float
    total: int  #: generated events of all members
    inside: float  #: generated events of a member expected in each region
    #: holdout events that would check the members' calibration, which no estimate needs: 10 n_equiv lengthen a pull by
    #: only 5 %; but one training set gives one pull, which only shows gross errors
    n_check: int
    words: str  #: the plan in a sentence
    notes: tuple[Note, ...]  #: warnings

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for JSON."""
        return super().to_dict() | {"notes": [note.text for note in self.notes]}


@dataclass(frozen=True, kw_only=True)
class DifferentialPlan(Plan):
    """True events to hold out for differential amplification, and generated ones; a single generator is enough."""

    n_ref: int  #: true events that the generator has not seen
    words: str  #: the plan in a sentence


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
    """Plan an averaging amplification, with n_gen rounded up to two digits.

    Members are costly, so their number is chosen first: the smallest that leaves 4 % of the factor's logarithm for the
    counting of generated events. With so little of it the factor is nearly the same in all experiments. If the number
    of ``members`` is fixed, n_gen is the smallest that will do, and may be large. Several regions count as one, with
    members - 1 degrees of freedom: safe for the interval, but the pooled members' limit may be up to a fifth too high.

    The ``precision`` is the factor between G and the farther end of its interval, above 1; the ``assurance`` is the
    share of experiments in which it is kept, at least 0.5; the ``probability`` is that of each of the ``regions``,
    whose variances are added, Eq. (19). For the others see `Plan`. An ArgumentError if one is out of range, or the
    precision is out of reach of the members.
    """
    _check(precision, n_train, G, level, assurance, least_level=0.5)
    require(_is_whole(regions, 1), "regions", "be a whole number, at least 1", regions)
    require(members is None or _is_whole(members, 2), "members", "be a whole number, at least 2", members)
    is_possible = MOST * min(probability, 1 - probability) >= FEWEST_INSIDE and regions * probability <= 1 + 1e-9
    expected = "lie between 0 and 1, not within 1e-17 of either, and within 1 for all regions"
    require(is_possible, "probability", expected, probability)
    binomial = regions * probability * (1 - probability)

    def spread(members: int, n_gen: float, quantile: float) -> Spread:
        """The spread with the expected total variance, times a quantile of its fluctuation."""
        expected = Spread.expected(binomial / (G * n_train), binomial, n_gen, members - 1)
        return replace(expected, total=expected.total * float(stats.chi2.ppf(quantile, members - 1)) / (members - 1))

    def factor(members: int, n_gen: float) -> float:
        small = spread(members, n_gen, 1 - assurance)  # the smaller the variance, the larger the factor
        low, high = small.model_interval(level)
        return max(high / small.model, small.model / low) if min(low, small.model) > 0 else np.inf

    fewest = FEWEST_INSIDE / min(probability, 1 - probability)
    members, n_gen, alternatives = _sizes(factor, precision, members, 2, fewest, "members")
    median = spread(members, n_gen, 0.5)
    interval = Interval(*(end / n_train for end in median.n_equiv_interval(level)))
    plan = Plan(int(n_train), G, level, assurance, factor(members, n_gen), interval, n_gen, alternatives)
    inside, scatter = n_gen * probability, float(np.sqrt((1 / probability - 1) / (G * n_train)))
    pooled_at_least = median.binomial / median.deviation_limit(level) / (1 + 1 / members) / n_train
    return AveragingPlan(
        **vars(plan),
        probability=probability,
        regions=int(regions),
        members=members,
        pooled_at_least=pooled_at_least,
        total=members * n_gen,
        inside=inside,
        n_check=int(np.ceil(10 * G * n_train)),
        words=f"{members} members with {n_gen} generated events each, about {inside:.0f} of them in "
        f"{'the' if regions == 1 else 'each'} region: {plan.aim}; the result would then say that their pooled sample "
        f"is worth at least {in_digits(pooled_at_least)} times the training sample",
        notes=(NoteCode.LARGE_SCATTER(percent=100 * scatter),) if scatter >= 1 / 3 else (),
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

    The arguments and errors are those of `averaging`, with n_ref, the size of the holdout, in place of the members. The
    level must be above 0.57. Both sizes are rounded up to two digits.
    """
    _check(precision, n_train, G, level, assurance, least_level=0.57)
    require(n_ref is None or _is_whole(n_ref, 1), "n_ref", "be a whole number, at least 1", n_ref)

    def ends(n_ref: int, n_gen: float, deviations: float) -> tuple[float, Interval]:
        """Estimate of the distance and its interval, when the reference fluctuates by so many standard deviations."""
        noise = 1 / n_ref + 1 / n_gen
        measured = max(MEAN * np.sqrt(1 / (G * n_train) + noise) + deviations * 0.5 * np.sqrt(noise), 0.0)
        curve = DifferentialCurve(np.array([n_gen]), np.array([[measured]]), n_ref)
        return excess(measured, noise), distance_interval(curve, level)

    def factor(n_ref: int, n_gen: float) -> float:
        estimate, (low, high) = ends(n_ref, n_gen, float(stats.norm.isf(assurance)))
        return max(high / estimate, estimate / low) ** 2 if min(low, estimate) > 0 else np.inf

    n_ref, n_gen, alternatives = _sizes(factor, precision, n_ref, 1, 1, "true events held out", tidy=_rounded_up)
    interval = Interval(*(worth(end) / n_train for end in ends(n_ref, n_gen, 0.0)[1][::-1]))
    plan = Plan(int(n_train), G, level, assurance, factor(n_ref, n_gen), interval, n_gen, alternatives)
    words = f"one generator with {n_gen} generated events and a holdout of {n_ref}, {in_digits(n_ref / (G * n_train))}"
    return DifferentialPlan(**vars(plan), n_ref=n_ref, words=f"{words} times the equivalent events: {plan.aim}")


def _sizes(
    factor: Callable[[int, float], float],
    precision: float,
    fixed: int | None,
    least: int,
    least_n_gen: float,
    of: str,
    tidy: Callable[[int], int] = int,
) -> tuple[int, int, tuple[Alternative, ...]]:
    """The smallest sizes that keep the factor: first members or n_ref, unless fixed, then n_gen; and alternatives.

    The factor decreases with both.
    """

    def needed(precision: float, n_gen: float = np.inf) -> int | None:
        number = _smallest(lambda first: factor(first, n_gen) <= precision, least)
        return None if number is None else tidy(number)

    first = int(fixed) if fixed else needed(precision ** (1 / (1 + COUNTING_SHARE)))
    if first is None:
        raise ArgumentError("precision", f"must not be that close to 1, got {precision}")
    best = factor(first, np.inf)
    goal = precision if fixed else best ** (1 + COUNTING_SHARE)
    exact = _smallest(lambda n_gen: factor(first, n_gen) <= goal, int(np.ceil(least_n_gen)))
    if exact is None:
        why = f"however many events are generated, the factor is {best:.3g}; it takes {needed(precision)}"
        raise ArgumentError("precision", f"{precision:g} is out of reach with {first} {of}: {why}")
    n_gen = _rounded_up(exact)
    others = [(n, needed(precision, n)) for n in (n_gen // 2, 2 * n_gen) if n >= least_n_gen]
    return first, n_gen, tuple(Alternative(n, more) for n, more in others if more is not None)


def _smallest(works: Callable[[int], bool], least: int) -> int | None:
    """The smallest whole number that works, where all above do as well; None if none up to 10^18 does."""
    above = least
    while not works(above):
        if above >= MOST:
            return None
        above = min(2 * above, MOST)
    return least + bisect_left(range(least, above), True, key=works)


def _rounded_up(number: int) -> int:
    """A whole number, rounded up to two digits."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def _check(precision: float, n_train: int, G: float, level: float, assurance: float, least_level: float) -> None:
    require(1 < precision < np.inf, "precision", "be a factor above 1, such as 1.5", precision)
    require(n_train < MOST and _is_whole(n_train, 1), "n_train", "be a whole number of events, at least 1", n_train)
    require(1 <= G * n_train <= 1e15, "G", "give 1 to 1e15 equivalent events G n_train", G)
    require(least_level < level < 1, "level", f"lie between {least_level} and 1", level)
    require(0.5 <= assurance < 1, "assurance", "be at least 0.5 and below 1", assurance)


def _is_whole(number: float, least: int) -> bool:
    return number >= least and float(number).is_integer()
