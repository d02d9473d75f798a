"""What all estimates speak of: arrays, intervals, notes, and numbers in a few digits."""

from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end of a confidence interval."""

    low: float
    high: float


class NoteCode(Enum):
    """What a note is about, and its words. Call it with what stands in braces to get the note."""

    FEW_MEMBERS = "{members} members resolve G poorly: with 10, its 68 % interval spans a factor 2.6"
    HEAVY_TAILS = (
        "the members' integrals have heavier tails than normal ones: the interval of G was made longer for that "
        "({after:.3g} degrees of freedom in place of {before:.3g}) and may still be too short"
    )
    TAILS_UNSEEN = (
        "the interval of G takes the members to scatter normally, which {members} cannot show: tails that make it too "
        "short are seen from about {enough} members on"
    )
    LARGE_SCATTER = (
        "the members' integrals would scatter by {percent:.0f} % and not normally, as is assumed: take a larger region"
    )
    SPARSE_REGIONS = "{regions} regions hold fewer than 10 {events}: raise n_gen or merge them"
    LOST_EVENTS = "{n_lost} events with a non-finite {number} were {taken_as}"
    WEIGHTED = "weighted events: {n_gen} of a member fluctuate as {n_effective:.0f} of equal weight, which n_gen counts"
    LONG_TAIL = (
        "weights with a long tail: few events carry most of the weight, and one more heavy one would change the result"
    )
    TIES = (
        "the summary takes few different values (effectively {different:.2g}): their distances are shorter than those "
        "of the law, and G is too large; count shares in regions instead"
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
