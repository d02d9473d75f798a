"""How many members and events it takes to know G to some precision, before any of them is made.

G is known to a factor f if the interval that is reported around an estimate lies within estimate / f and estimate * f:
intervals of G are not symmetric, and the farther end decides. What the estimators report about a generator of a given G
follows from the numbers of members and events alone, up to fluctuations. A plan keeps the factor in half of all
experiments, or in any other share: its ``assurance``. `gampl.sharpening` says what would improve a result.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import stats

from gampl.basics import Interval
from gampl.kolmogorov import MEAN, DifferentialCurve, distance_interval, excess, worth
from gampl.result import Note, NoteCode, in_digits, percent
from gampl.spread import Spread

COUNTING_SHARE = 0.04  # by which counting generated events may lengthen the logarithm of the factor
FEWEST_INSIDE = 10  # generated events in a region; with fewer the estimator warns
MOST = 10**18  # of anything

Factor = Callable[[int, float], float]  # of members or n_ref, and n_gen; decreases with both


class ArgumentError(ValueError):
    """An argument out of range: its name, and the problem in words that follow the name."""

    def __init__(self, argument: str, problem: str) -> None:
        self.argument, self.problem = argument, problem
        super().__init__(f"{argument} {problem}")


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
    _computed: ClassVar[tuple[str, ...]] = ("words",)

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
        """Plain numbers, texts and lists, for JSON."""
        plain = asdict(self) | {"alternatives": [way._asdict() for way in self.alternatives]}
        return plain | {name: getattr(self, name) for name in self._computed}


@dataclass(frozen=True)
class AveragingPlan(Plan):
    """Members of a posterior for averaging amplification, and their events."""

    probability: float  #: probability of each region
    regions: int  #: number of regions
    members: int  #: members of the posterior
    #: lower limit of what the pooled members are worth for their training set, in the median experiment, per n_train
    pooled_at_least: float
    _computed: ClassVar[tuple[str, ...]] = ("total", "inside", "n_check", "words")

    @property
    def total(self) -> int:
        """Generated events of all members."""
        return self.members * self.n_gen

    @property
    def inside(self) -> float:
        """Generated events of a member expected in each region."""
        return self.n_gen * self.probability

    @property
    def n_check(self) -> int:
        """Holdout events that would check the members' calibration: 10 n_equiv lengthen a pull by only 5 %.

        The estimate itself needs none. One training set gives one pull, which only shows gross errors.
        """
        return int(np.ceil(10 * self.G * self.n_train))

    @property
    def words(self) -> str:
        """The plan in a sentence."""
        return (
            f"{self.members} members with {self.n_gen} generated events each, about {self.inside:.0f} of them in "
            f"{'the' if self.regions == 1 else 'each'} region: {self.aim}; the result would then say that their "
            f"pooled sample is worth at least {in_digits(self.pooled_at_least)} times the training sample"
        )

    @property
    def notes(self) -> tuple[Note, ...]:
        """Warnings."""
        scatter = float(np.sqrt((1 / self.probability - 1) / (self.G * self.n_train)))
        return (NoteCode.LARGE_SCATTER(percent=100 * scatter),) if scatter >= 1 / 3 else ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for JSON."""
        return super().to_dict() | {"notes": tuple(note.text for note in self.notes)}


@dataclass(frozen=True)
class DifferentialPlan(Plan):
    """True events to hold out for differential amplification, and generated ones; a single generator is enough."""

    n_ref: int  #: true events that the generator has not seen

    @property
    def words(self) -> str:
        """The plan in a sentence."""
        return (
            f"one generator with {self.n_gen} generated events and a holdout of {self.n_ref}, "
            f"{in_digits(self.n_ref / (self.G * self.n_train))} times the equivalent events: {self.aim}"
        )


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
    counting of generated events. With so little of it the factor is nearly the same in all experiments. The members'
    variance has members - 1 degrees of freedom; several regions count as if they were one, which is safe for the
    interval, but may make the limit of the pooled members up to a fifth too high.

    Args:
        precision: Factor between G and the farther end of its interval, above 1.
        n_train: Training events.
        probability: Probability of the region, or of each.
        G: Amplification factor that is assumed.
        level: Confidence level of the interval.
        regions: Number of regions of this probability, whose variances are added, Eq. (19).
        members: Their number if it is fixed; n_gen is then the smallest that will do, and may be large.
        assurance: Share of experiments in which the factor is kept, at least 0.5.

    Raises:
        ArgumentError: If an argument is out of range, or the precision is out of reach of the members.
    """
    _check(precision, n_train, G, level, assurance, least_level=0.5)
    _check_number("regions", regions, 1)
    _check_number("members", members, 2)
    if not (0 < probability < 1 and regions * probability <= 1 + 1e-9):
        text = f"must lie between 0 and 1, and within 1 for all regions, got {probability}"
        raise ArgumentError("probability", text)

    def spread(members: int, n_gen: float, quantile: float) -> Spread:
        """The spread with the expected total variance, Eq. (15), times a quantile of its fluctuation."""
        binomial, nu = regions * probability * (1 - probability), members - 1
        model = binomial / (G * n_train)
        expected = model * (1 - 1 / n_gen) + binomial / n_gen
        total = expected * float(stats.chi2.ppf(quantile, nu)) / nu
        return Spread(np.empty((0, 1)), n_gen, total, binomial, nu)

    def factor(members: int, n_gen: float) -> float:
        small = spread(members, n_gen, 1 - assurance)  # the smaller the variance, the larger the factor
        low, high = small.model_interval(level)
        return max(high / small.model, small.model / low) if min(low, small.model) > 0 else np.inf

    fewest = FEWEST_INSIDE / min(probability, 1 - probability)
    members, n_gen, alternatives = _sizes(factor, precision, members, 2, fewest, "members")
    median = spread(members, n_gen, 0.5)
    low, high = (median.binomial / end / n_train if end > 0 else np.inf for end in median.model_interval(level)[::-1])
    pooled = median.binomial / median.deviation_limit(level) / (1 + 1 / members) / n_train
    common = (int(n_train), G, level, assurance, factor(members, n_gen), Interval(low, high), n_gen, alternatives)
    return AveragingPlan(*common, probability, int(regions), members, pooled)


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

    The arguments are those of `averaging`, and ``n_ref``, the size of the holdout if it is fixed; n_gen is then the
    smallest that will do, and may be large. The level must be above 0.57. Both sizes are rounded up to two digits.

    Raises:
        ArgumentError: As for `averaging`.
    """
    _check(precision, n_train, G, level, assurance, least_level=0.57)
    _check_number("n_ref", n_ref, 1)

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
    low, high = (worth(end) / n_train for end in ends(n_ref, n_gen, 0.0)[1][::-1])
    common = (int(n_train), G, level, assurance, factor(n_ref, n_gen), Interval(low, high), n_gen, alternatives)
    return DifferentialPlan(*common, n_ref)


def _sizes(
    factor: Factor,
    precision: float,
    fixed: int | None,
    least: int,
    least_n_gen: float,
    of: str,
    tidy: Callable[[int], int] = int,
) -> tuple[int, int, tuple[Alternative, ...]]:
    """The smallest sizes that keep the factor: first members or n_ref, unless fixed, then n_gen; and alternatives."""

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
    """A whole number, rounded up to two digits."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def _check(precision: float, n_train: int, G: float, level: float, assurance: float, least_level: float) -> None:
    if not (1 < precision < np.inf):
        raise ArgumentError("precision", f"must be a factor above 1, such as 1.5, got {precision}")
    if not (1 <= n_train < np.inf and float(n_train).is_integer()):
        raise ArgumentError("n_train", f"must be a whole number of events, at least 1, got {n_train}")
    if not 1 <= G * n_train <= 1e15:
        raise ArgumentError("G", f"must give 1 to 1e15 equivalent events G n_train, got {G}")
    if not least_level < level < 1:
        raise ArgumentError("level", f"must lie between {least_level} and 1, got {level}")
    if not 0.5 <= assurance < 1:
        raise ArgumentError("assurance", f"must be at least 0.5 and below 1, got {assurance}")


def _check_number(name: str, number: float | None, least: int) -> None:
    if number is not None and not (number >= least and float(number).is_integer()):
        raise ArgumentError(name, f"must be a whole number, at least {least}, got {number}")
