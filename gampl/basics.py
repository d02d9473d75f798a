"""The types that the whole package shares, the error about an argument, and what can be printed or kept as JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from numbers import Real
from typing import Any, NamedTuple

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


def training_events(n_train: object) -> int:
    """The number of training events; an `ArgumentError` if it is not a positive whole number below 1e18."""
    is_number = isinstance(n_train, Real) and not isinstance(n_train, bool)
    is_right = is_number and 1 <= n_train < 1e18 and float(n_train).is_integer()  # type: ignore[operator,arg-type]
    require(is_right, "n_train", "be a positive whole number of events", repr(n_train))
    return int(n_train)  # type: ignore[call-overload]


def unmasked(values: Any, what: str) -> Any:
    """The same values; a ValueError if some numbers of an array are masked."""
    # of records, too, whose masks have one truth value for each field
    masked = np.ma.getmaskarray(values).tobytes().count(1) if isinstance(values, np.ma.MaskedArray) else 0
    if masked:
        n = counted(masked, "masked number")
        raise ValueError(f"{what}: has {n}, expected none: leave them out")
    return values


def counted(number: object, thing: str, things: str = "") -> str:
    """So many of a thing, as words: "1 event", "2 events"."""
    return f"{number} {thing}" if str(number) == "1" else f"{number} {things or thing + 's'}"


def printable(text: str) -> str:
    """A text without what would move a terminal's cursor, change its colours or turn the direction of writing."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain(value: Any) -> Any:
    """Dictionaries, lists, texts and finite numbers only, as strict JSON has them; others are "inf", "-inf", "nan"."""
    if isinstance(value, str):  # names of files need not be UTF-8
        return value.encode(errors="backslashreplace").decode()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else str(float(value))
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Iterable):
        return [plain(entry) for entry in value]
    return str(value)
