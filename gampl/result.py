"""The result of an estimate: how many true events an unlimited generated sample is worth, with warnings and words."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gampl.basics import Interval, counted, plain
from gampl.kolmogorov import MEAN, DifferentialCurve
from gampl.samples import Accumulator
from gampl.spread import AveragingCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class NoteCode(Enum):
    """What a note is about, and its words. Call it with what stands in braces to get the note."""

    FEW_MEMBERS = "{members} members resolve G poorly: with 10, its 68 % interval spans a factor 2.6"
    HEAVY_TAILS = (
        "the members' integrals have heavier tails than normal ones: the interval of G was made longer for that "
        "({after:.3g} degrees of freedom in place of {before:.3g}) and may still be too short"
    )
    TAILS_UNSEEN = (
        "the interval of G assumes that the members scatter normally, which {members} cannot show: tails that make it "
        "too short are seen from about {enough} members on"
    )
    LARGE_SCATTER = (
        "the members' integrals would scatter by {percent:.0f} % and not normally, as is assumed: take a larger region"
    )
    AT_SENSITIVITY = (
        "the members differ less than the counting of {n_gen:.0f} events makes them differ, by chance: the lower limit "
        "is what members of a perfect generator show in a typical experiment, and rises with n_gen"
    )
    SPARSE_REGIONS = "fewer than 10 {events} in {regions} of the regions: raise n_gen or merge them"
    LOST_EVENTS = "{lost} with a non-finite {number}: {taken_as}"
    UNLIKE_PART = (
        "do not rely on this: the first {n_gen} events of {members} of the members, which are used, are unlike their "
        "others, as in a sorted sample: use all, or shuffle them"
    )
    WEIGHTED = "weighted events: {n_gen} of a member fluctuate as {n_effective:.0f} of equal weight, which n_gen counts"
    LONG_TAIL = (
        "weights with a long tail: few events carry most of the weight, and one more heavy one would change the result"
    )
    TIES = (
        "many events have the same value of the summary: true events then lie closer together (K is {mean:.2g} on "
        "average and not 0.87), which the estimate and its interval take into account"
    )
    REUSED = "biased: the reference was used to train the generator, so its distance is too small and G is too large"
    LOWER_LIMIT = "compatible with the true density: G has only a lower limit"
    BELOW_RESOLUTION = "below resolution: {n_ref:.0f} reference events cannot exclude a perfect generator at this level"
    FEW_GENERATED = (
        "{n_gen:.0f} generated events are fewer than 10 times the {n_ref:.0f} reference events: their own fluctuation "
        "is part of the interval; raise n_gen"
    )
    TOO_CLOSE = "closer to the reference than independent samples are (1 in 1000): was it used in the training?"
    OTHER = "{text}"

    def __call__(self, **values: Any) -> "Note":
        """The note with these values in its words."""
        return Note(self, self.value.format(**values))


class Note(NamedTuple):
    """A warning about a result: a code to compare, and a text to read."""

    code: NoteCode
    text: str

    def __str__(self) -> str:
        return self.text


def event_notes(members: Sequence[Accumulator], number: str, taken_as: str) -> Iterator[Note]:
    """What to know about the events behind an estimate: the first ones only, lost ones, and weights."""
    if unlike := [member.n_gen for member in members if member.is_of_unlike_part]:
        yield NoteCode.UNLIKE_PART(n_gen=unlike[0], members=len(unlike))
    if n_lost := sum(member.n_lost for member in members):
        yield NoteCode.LOST_EVENTS(lost=counted(n_lost, "event"), number=number, taken_as=taken_as)
    if sizes := [(member.n_effective, member.n_gen) for member in members if member.is_weighted]:
        n_effective, n_gen = min(sizes)
        yield NoteCode.WEIGHTED(n_gen=n_gen, n_effective=n_effective)
        if n_effective < 0.1 * n_gen:
            yield NoteCode.LONG_TAIL()


def significant(number: float, digits: int) -> float:
    """The nearest number with so many significant digits."""
    return float(f"{number:.{digits}g}")


def in_digits(number: float, digits: int = 2) -> str:
    """A number with at most so many significant digits, without an exponent as long as that is readable."""
    rounded = significant(number, digits)
    return f"{rounded:.0f}" if 100 <= rounded < 1e9 else f"{rounded:g}"


def percent(share: float) -> str:
    """A share, such as a confidence level, in percent: 68.3 %."""
    return f"{100 * share:.3g} %"


class State(StrEnum):
    """What the data allow to say about G."""

    VALUE = "value"
    UNBOUNDED = "unbounded above"
    LOWER_LIMIT = "lower limit"


@dataclass(frozen=True)
class _PerTrainingEvent:
    n_train: int  #: training events that G refers to: all, or those in the region of a differential result
    n_equiv: float  #: number of equivalent true events, Eq. (3); ``inf`` if no model uncertainty is resolved
    n_equiv_interval: Interval  #: confidence interval of ``n_equiv``; the upper end may be ``inf``
    level: float  #: confidence level of the interval

    @property
    def G(self) -> float:  # noqa: N802 - the paper's symbol
        """Amplification factor n_equiv / n_train, Eq. (4)."""
        return self.n_equiv / self.n_train

    @property
    def interval(self) -> Interval:
        """Confidence interval of `G` at ``level``."""
        return Interval(*(end / self.n_train for end in self.n_equiv_interval))


@dataclass(frozen=True)
class Worth(_PerTrainingEvent):
    """What an unlimited sample of some of the members is worth, for members that are draws from a right posterior.

    ``n_equiv`` and its interval are an average over training sets.
    """

    n_equiv_at_least: float  #: lower limit, at ``level``, of what these members are worth, trained on this training set

    @property
    def at_least(self) -> float:
        """Lower limit of the amplification factor for this training set."""
        return self.n_equiv_at_least / self.n_train


@dataclass(frozen=True, kw_only=True)
class Amplification(_PerTrainingEvent):
    """An amplification factor with its interval, in the manner of the results of `scipy.stats`.

    `G` of an averaging result is what a posterior of this width is worth on average over training sets; ``pooled`` and
    ``single`` are about these members and their one training set, whose own fluctuation moves all of them alike.
    """

    method: str  #: ``"averaging"`` or ``"differential"``
    state: State  #: whether this is a value, is unbounded above or is a lower limit only
    curve: AveragingCurve | DifferentialCurve  #: what the estimate was read off
    n_members: int  #: members of the posterior
    degrees_of_freedom: float | None = None  #: effective ones, of an averaging interval
    #: with the true integrals, if known, in place of the members' mean, Eq. (11): what one of these members is worth,
    #: on average over them; their pool is worth more
    n_equiv_true: float | None = None
    pooled: Worth | None = None  #: what all members of an averaging result are worth, each with as many events
    single: Worth | None = None  #: what one of them alone is worth
    notes: tuple[Note, ...] = ()  #: warnings

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
        G = f"G{self.words} at {percent(self.level)} confidence: {self.state}"
        if self.pooled is not None and self.single is not None:
            worth = counted(in_digits(self.pooled.n_equiv_at_least, 3), "true event")
            lines = [
                f"pooled, these {self.n_members} members are worth at least {worth}, "
                f"{in_digits(self.pooled.at_least, 3)} times n_train = {self.n_train} "
                f"({percent(self.level)} confidence)",
                f"one of them alone is worth at least {in_digits(self.single.n_equiv_at_least, 3)}",
                f"{G}, of a posterior this wide on average over training sets",
            ]
        else:
            low = in_digits(self.n_equiv_interval.low, 3)
            worth = in_digits(self.n_equiv, 3) if np.isfinite(self.n_equiv) else f"at least {low}"
            lines = [G, f"an unlimited sample is worth {counted(worth, 'true event')}, n_train = {self.n_train}"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def plot(self, ax: "Axes | None" = None, *, legend: bool = True, **options: Any) -> "Axes":
        """Draw the curve with n_train, n_equiv and its interval; returns the axes, never shows them.

        Options are those of `gampl.plots.differential_curve`, such as ``band="paper"``; an averaging curve has none.
        """
        from gampl import plots

        alone, ax = ax is None, plots.new_axes() if ax is None else ax
        (low, high), n_gen = self.n_equiv_interval, self.curve.n_gen
        least = None if self.pooled is None else self.pooled.n_equiv_at_least
        marks = [n for n in (*n_gen, self.n_train, self.n_equiv, low, least) if n is not None and np.isfinite(n)]
        if high < 100 * max(marks):  # an upper end farther away would press the rest together
            marks.append(high)
        left, right = 0.7 * min(marks), 1.4 * max(marks)
        if isinstance(self.curve, DifferentialCurve):
            ax.hlines(self.curve.mean[-1], left, right, color=options.get("color", plots.ESTIMATE), lw=0.9, ls="--")
            plots.differential_curve(self.curve, ax, **({"reach": (left, right)} | options))
        else:
            plots.averaging_curve(self.curve, ax, **options)
            law = np.geomspace(left, right, 50)  # known beyond the samples: on to the crossing
            ax.plot(law, self.curve.sigma_stat[-1] * np.sqrt(n_gen[-1] / law), color=plots.STAT, lw=0.9)
        span = f"{percent(self.level)} interval of $n_{{\\rm equiv}}$"
        ax.axvspan(low, min(high, right), color=plots.MODEL, alpha=0.15, lw=0, label=span)
        ax.axvline(self.n_train, color="0.45", ls=":", lw=1.2, label=r"$n_{\rm train}$")
        if np.isfinite(self.n_equiv):
            ax.axvline(self.n_equiv, color=plots.MODEL, ls="-.", lw=1.2, label=r"$n_{\rm equiv}$")
        if least is not None:
            ax.axvline(least, color=plots.ESTIMATE, ls=(0, (1, 1)), lw=1.2, label="pooled members, at least")
        ax.set_xlim(left, right)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
        ax.text(0.97, 0.965, f"$G${self.words}", transform=ax.transAxes, ha="right", va="top", bbox=box)
        if legend:
            ax.legend(**({"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if alone else {}))
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for strict JSON; infinite and undefined numbers are "inf" and "nan"."""
        entries = asdict(self) | {"G": self.G, "interval": self.interval, "G_true": self.G_true}
        for name, worth in (("pooled", self.pooled), ("single", self.single)):
            if worth is not None:
                entries[name] |= {"G": worth.G, "interval": worth.interval, "at_least": worth.at_least}
        if (law := entries["curve"].pop("law", None)) is not None and law.mean != MEAN:
            entries["curve"]["mean_K"] = law.mean
        return plain(entries | {"notes": [note.text for note in self.notes]})
