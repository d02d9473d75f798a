"""The result of an estimate: how many true events an unlimited generated sample is worth."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gampl.rounding import in_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Interval(NamedTuple):
    """Lower and upper end of a confidence interval."""

    low: float
    high: float


class State(StrEnum):
    """What the data allow to say about G."""

    VALUE = "value"
    UNBOUNDED = "unbounded above"
    LOWER_LIMIT = "lower limit"


class Curve(Protocol):
    """What an estimate was read off; knows how to draw itself."""

    @property
    def n_gen(self) -> NDArray[np.float64]:
        """Generated events per member, shape (steps,)."""
        ...

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Draw the curve; returns the axes."""
        ...


@dataclass(frozen=True)
class AveragingCurve:
    """Uncertainties of an integral against the number of generated events, Fig. 1; all arrays have shape (steps,).

    Attributes:
        n_gen: Generated events per member.
        sigma_stat: Statistical uncertainty of n_gen true events, square root of Eq. (16).
        sigma_est: Spread of the members' integrals, square root of Eq. (15).
        sigma_model: Model uncertainty by subtraction, Eq. (17); NaN where the difference is negative.
        sigma_model_low: Lower end of its interval at the result's level; 0 where it is compatible with no model
            uncertainty.
        sigma_model_high: Upper end of that interval; the upper limit where ``sigma_model`` is NaN.
        sigma_true: Deviation of the members from the true integrals, Eq. (11); None where these are unknown.
        is_exact: Whether the lines follow from exact integrals instead of counts at each n_gen.
    """

    n_gen: NDArray[np.float64]
    sigma_stat: NDArray[np.float64]
    sigma_est: NDArray[np.float64]
    sigma_model: NDArray[np.float64]
    sigma_model_low: NDArray[np.float64]
    sigma_model_high: NDArray[np.float64]
    sigma_true: NDArray[np.float64] | None = None
    is_exact: bool = False

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Draw the curve; returns the axes. It has no options."""
        from gampl.plots import averaging_curve

        return averaging_curve(self, ax, **options)


@dataclass(frozen=True)
class DifferentialCurve:
    """Kolmogorov-Smirnov distances of generated events to a reference sample, Fig. 6.

    Attributes:
        n_gen: Generated events per member, shape (steps,).
        distances: Distances of Eq. (33), shape (members, steps); of several folds: their means, shape (folds, steps).
        n_ref: Events in the reference sample, or in one fold of it.
        folds: Independent reference samples behind the estimate.
    """

    n_gen: NDArray[np.float64]
    distances: NDArray[np.float64]
    n_ref: float
    folds: int = 1

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean distance, shape (steps,), the right-hand side of Eq. (36) at the last step."""
        return np.asarray(self.distances.mean(axis=0))

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Draw the curve; returns the axes. Options: see `gampl.plots.differential_curve`."""
        from gampl.plots import differential_curve

        return differential_curve(self, ax, **options)


@dataclass(frozen=True)
class Worth:
    """What an unlimited sample of some of the members is worth, for members that are draws from a right posterior.

    Attributes:
        n_train: Training events.
        n_equiv: Number of equivalent true events, on average over training sets; ``inf`` as that of the result.
        n_equiv_interval: Confidence interval of this average.
        n_equiv_at_least: Lower limit of what these members are worth, trained on this training set.
        level: Confidence level of both.
    """

    n_train: int
    n_equiv: float
    n_equiv_interval: Interval
    n_equiv_at_least: float
    level: float

    @property
    def G(self) -> float:  # noqa: N802 - the paper's symbol
        """Amplification factor, on average over training sets."""
        return self.n_equiv / self.n_train

    @property
    def interval(self) -> Interval:
        """Confidence interval of `G`."""
        return Interval(*(end / self.n_train for end in self.n_equiv_interval))

    @property
    def at_least(self) -> float:
        """Lower limit of the amplification factor for this training set."""
        return self.n_equiv_at_least / self.n_train

    def divided(self, by: float) -> "Worth":
        """The same with so many times fewer events."""
        low, high = self.n_equiv_interval
        return replace(
            self,
            n_equiv=self.n_equiv / by,
            n_equiv_interval=Interval(low / by, high / by),
            n_equiv_at_least=self.n_equiv_at_least / by,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self) | {"G": self.G, "interval": self.interval, "at_least": self.at_least}


@dataclass(frozen=True)
class Amplification:
    """An amplification factor with its interval, in the manner of the results of `scipy.stats`.

    An averaging result says three things. `G` is what a posterior of this width is worth on average over training sets.
    ``pooled`` and ``single`` are about the members that there are and their one training set, whose own fluctuation
    moves all of them alike.

    Attributes:
        method: ``"averaging"`` or ``"differential"``.
        n_train: Training events.
        n_equiv: Estimated number of equivalent true events, Eq. (3); ``inf`` if no model uncertainty is resolved.
        n_equiv_interval: Confidence interval of ``n_equiv``; the upper end may be ``inf``.
        level: Confidence level of the interval.
        state: Whether this is a value, is unbounded above or is a lower limit only.
        curve: What the estimate was read off.
        n_members: Members of the posterior.
        degrees_of_freedom: Effective degrees of freedom behind an averaging interval; None for a differential one.
        n_equiv_true: The same number with the true integrals in place of the members' mean, Eq. (11): what one of these
            members is worth, on average over them. Their pool is worth more. None if unknown.
        pooled: What all members together are worth, each with as many events; None for a differential result.
        single: What one of them alone is worth.
        notes: Warnings in words.
    """

    method: str
    n_train: int
    n_equiv: float
    n_equiv_interval: Interval
    level: float
    state: State
    curve: Curve
    n_members: int
    degrees_of_freedom: float | None = None
    n_equiv_true: float | None = None
    pooled: Worth | None = None
    single: Worth | None = None
    notes: tuple[str, ...] = ()

    @property
    def G(self) -> float:  # noqa: N802 - the paper's symbol
        """Amplification factor n_equiv / n_train, Eq. (4)."""
        return self.n_equiv / self.n_train

    @property
    def interval(self) -> Interval:
        """Confidence interval of G at ``level``."""
        return Interval(*(end / self.n_train for end in self.n_equiv_interval))

    @property
    def G_true(self) -> float | None:  # noqa: N802 - the paper's symbol
        """True amplification factor of these members, where the true integrals are known."""
        return None if self.n_equiv_true is None else self.n_equiv_true / self.n_train

    @property
    def words(self) -> str:
        """G and its interval as a relation, such as "= 2.6 (1.9 to 3.8)" or "≥ 5.1"."""
        low, high = self.interval
        if self.state is State.VALUE:
            return f" = {in_digits(self.G, 3)} ({in_digits(low, 3)} to {in_digits(high, 3)})"
        if self.state is State.UNBOUNDED and np.isfinite(self.G):
            return f" = {in_digits(self.G, 3)} (at least {in_digits(low, 3)})"
        return f" ≥ {in_digits(low, 3)}"

    def __str__(self) -> str:
        G = f"G{self.words} at {100 * self.level:.3g} % confidence: {self.state}"
        if self.pooled is not None and self.single is not None:
            lines = [
                f"pooled, these {self.n_members} members are worth at least "
                f"{in_digits(self.pooled.n_equiv_at_least, 3)} true events, {in_digits(self.pooled.at_least, 3)} times "
                f"n_train = {self.n_train} ({100 * self.level:.3g} % confidence)",
                f"one of them alone is worth at least {in_digits(self.single.n_equiv_at_least, 3)}",
                f"{G}, of a posterior this wide on average over training sets",
            ]
        else:
            low = in_digits(self.n_equiv_interval.low, 3)
            worth = in_digits(self.n_equiv, 3) if np.isfinite(self.n_equiv) else f"at least {low}"
            lines = [G, f"an unlimited sample is worth {worth} true events, n_train = {self.n_train}"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def plot(self, ax: "Axes | None" = None, *, legend: bool = True, **options: Any) -> "Axes":
        """Draw the curve with n_train, n_equiv and its interval; returns the axes, never shows them.

        Options are those of the curve's own ``plot``, such as ``band="paper"`` for a differential result.
        """
        from gampl.plots import amplification

        return amplification(self, ax, legend=legend, **options)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON; infinite and undefined numbers are kept as floats."""
        plain = asdict(self) | {"G": self.G, "interval": self.interval, "G_true": self.G_true}
        plain |= {name: worth.to_dict() for name in ("pooled", "single") if (worth := getattr(self, name)) is not None}
        plain["state"] = str(self.state)
        plain["curve"] = {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in plain["curve"].items()
        }
        return plain
