"""What planning finds: how many members and events it takes, and what they will tell."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from gampl.amplification import Interval
from gampl.rounding import in_digits


class Alternative(NamedTuple):
    """Another way to the same precision."""

    n_gen: int
    needed: int  # members for averaging, n_ref for differential amplification


@dataclass(frozen=True)
class Plan:
    """What both plans have in common.

    Attributes:
        n_train: Training events.
        G: Amplification factor that is assumed.
        level: Confidence level of the interval.
        assurance: Share of experiments in which the factor is kept.
        factor: Factor between G and the farther end of its interval that is kept with this assurance.
        interval: Interval of G in the median experiment.
        n_gen: Generated events of each generator.
        alternatives: Ways with half and with twice as many generated events.
    """

    n_train: int
    G: float
    level: float
    assurance: float
    factor: float
    interval: Interval
    n_gen: int
    alternatives: tuple[Alternative, ...]

    @property
    def aim(self) -> str:
        """What the plan reaches, in words."""
        low, high = self.interval
        return (
            f"G = {self.G:g} would be found as about {in_digits(low)} to {in_digits(high)} at "
            f"{100 * self.level:.3g} % confidence, and within a factor {self.factor:.3g} in "
            f"{100 * self.assurance:.3g} % of experiments"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        return asdict(self) | {"alternatives": [way._asdict() for way in self.alternatives]}


@dataclass(frozen=True)
class AveragingPlan(Plan):
    """Members of a posterior for averaging amplification, and their events.

    Attributes:
        probability: Probability of each region.
        regions: Number of regions.
        members: Members of the posterior.
        pooled_at_least: Lower limit of what the pooled members are worth for their own training set, in the median
            experiment and in units of n_train.
    """

    probability: float
    regions: int
    members: int
    pooled_at_least: float

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
    def notes(self) -> tuple[str, ...]:
        """Warnings in words."""
        scatter = float(np.sqrt((1 / self.probability - 1) / (self.G * self.n_train)))
        if scatter < 1 / 3:
            return ()
        return (
            f"the members' integrals would scatter by {100 * scatter:.0f} % and not normally, as is assumed: "
            "take a larger region",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        names = ("total", "inside", "n_check", "words", "notes")
        return super().to_dict() | {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class DifferentialPlan(Plan):
    """True events to hold out for differential amplification, and generated ones; a single generator is enough.

    Attributes:
        n_ref: True events that the generator has not seen.
    """

    n_ref: int

    @property
    def words(self) -> str:
        """The plan in a sentence."""
        return (
            f"one generator with {self.n_gen} generated events and a holdout of {self.n_ref}, "
            f"{in_digits(self.n_ref / (self.G * self.n_train))} times the equivalent events: {self.aim}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        return super().to_dict() | {"words": self.words}
