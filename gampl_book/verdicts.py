"""Verdicts on a statement: how our number compares with the paper's; ``book/claims.md.j2`` says what they mean."""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import reduce
from typing import NamedTuple

LEVEL = 0.95  # of every interval that decides
FACTOR = 2.0  # numbers this close are about the same; the paper calls 2.8 against 1.3 "starting to deviate"
WIDE = 10.0  # an interval whose ends differ by this factor, or more, agrees with nothing


class Verdict(StrEnum):
    """How our number, or its interval, compares with what the paper claims, or with all that agrees with it."""

    REPRODUCED = "reproduced"  # it lies inside the agreement
    CONSISTENT = "consistent"  # it touches what is claimed
    NOT_EXCLUDED = "not excluded"  # it touches numbers on the right side of a bound
    DIFFERS = "differs"  # neither
    NOT_TESTED = "not tested"  # it cannot tell: too wide, of another level, or without its premise
    NOT_ATTEMPTED = "not attempted"


class Says(StrEnum):
    """What kind of statement a claim is; ``x`` is its number."""

    EQUALS = "equals"  # x, as printed
    ABOUT = "about"  # ~ x, read off a figure with logarithmic axes
    AT_MOST_ABOUT = "at most about"  # <~ x
    AT_LEAST_ABOUT = "at least about"  # >~ x
    BELOW = "below"  # < x, however far
    ABOVE = "above"  # > x, however far
    LAW = "follows a law"  # ours is the probability of a smaller value under that law


SIGNS = {Says.ABOUT: "≈ ", Says.AT_MOST_ABOUT: "≲ ", Says.AT_LEAST_ABOUT: "≳ ", Says.BELOW: "< ", Says.ABOVE: "> "}


class Range(NamedTuple):
    """Numbers from ``low`` to ``high``, both included."""

    low: float
    high: float

    def holds(self, other: "Range") -> bool:
        """Whether all of another range lies in this one."""
        return self.low <= other.low and other.high <= self.high

    def meets(self, other: "Range") -> bool:
        """Whether the two have a number in common."""
        return self.low <= other.high and other.low <= self.high


class Recorded(NamedTuple):
    """A number that a notebook recorded; without an interval it has none, or its error was not found."""

    value: float
    interval: Range | None = None
    level: float | None = None


def combine(numbers: Sequence[Recorded], signs: Sequence[int]) -> Recorded:
    """Product of numbers to the power of 1 or -1, with its interval.

    The distances of the intervals' ends are added in quadrature on the logarithmic axis (MOVER: Donner and Zou, Stat.
    Methods Med. Res. 21 (2012) 347), which takes the numbers to be independent. If one is zero or infinite, the ends
    are those of the extreme cases, which is too wide.
    """
    if len(numbers) == 1:
        return numbers[0]
    parts = []
    for n, sign in zip(numbers, signs, strict=True):
        low, high = n.interval or (n.value, n.value)
        parts.append((n.value, low, high) if sign > 0 else [1 / x if x else math.inf for x in (n.value, high, low)])
    values, lows, highs = zip(*parts, strict=True)
    value, levels = math.prod(values), [n.level for n in numbers if n.interval is not None]
    if not levels:
        return Recorded(value)
    level = next((other for other in levels if other != LEVEL), LEVEL)  # one that decides nothing comes first
    if all(0 < v < math.inf for v in values) and min(lows) >= 0:
        down = math.hypot(*(_log(v) - _log(low) for v, low in zip(values, lows, strict=True)))
        up = math.hypot(*(_log(high) - _log(v) for v, high in zip(values, highs, strict=True)))
        return Recorded(value, Range(value * math.exp(-down), value * math.exp(up) if up < 700 else math.inf), level)
    low, high = (reduce(lambda a, b: a * b if a and b else 0.0, ends) for ends in (lows, highs))
    return Recorded(value, Range(low, high), level)


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf
