"""The types that the whole package shares, the error about an argument, and what can be printed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end of a confidence interval."""

    low: float
    high: float


class ArgumentError(ValueError):
    """An argument that is not as expected: its name, and the problem in words that follow the name."""

    def __init__(self, argument: str, problem: str) -> None:
        self.argument, self.problem = argument, problem
        super().__init__(f"{argument} {problem}")


def require(is_met: bool | np.bool_, argument: str, expected: str, got: object) -> None:
    """Raise an `ArgumentError` that an argument must be as expected unless the condition is met."""
    if not is_met:
        raise ArgumentError(argument, f"must {expected}, got {got}")


def printable(text: str) -> str:
    """A text without what would move a terminal's cursor, change its colours or turn the direction of writing."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
