"""What all estimates speak of: arrays, intervals, notes, and numbers in a few digits."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end of a confidence interval."""

    low: float
    high: float


class NoteCode(StrEnum):
    """What a note is about."""

    FEW_MEMBERS = "few members"
    HEAVY_TAILS = "heavy tails"
    TAILS_UNSEEN = "tails unseen"
    SPARSE_REGIONS = "sparse regions"
    LOST_EVENTS = "lost events"
    WEIGHTED = "weighted events"
    LONG_TAIL = "long tail of weights"
    TIES = "ties"
    REUSED = "reused reference"
    LOWER_LIMIT = "lower limit"
    BELOW_RESOLUTION = "below resolution"
    FEW_GENERATED = "few generated events"
    TOO_CLOSE = "too close"
    LARGE_SCATTER = "large scatter"
    OTHER = "other"


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
