"""What expressions are made of: numbers, columns, and operations on them, computed for a batch of events at a time."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.particles.expression_text import MOST_CHARACTERS


class Function(NamedTuple):
    """A function of the grammar, of numbers."""

    compute: Callable[..., Any]
    fewest: int  # arguments
    most: int


FUNCTIONS: Mapping[str, Function] = {
    **{
        name: Function(getattr(np, name), 1, 1)
        for name in ("sqrt", "exp", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs")
    },
    "arctan2": Function(np.arctan2, 2, 2),
    "atan2": Function(np.arctan2, 2, 2),
    "hypot": Function(np.hypot, 2, 2),
    "min": Function(lambda *numbers: reduce(np.minimum, numbers), 2, MOST_CHARACTERS),
    "max": Function(lambda *numbers: reduce(np.maximum, numbers), 2, MOST_CHARACTERS),
}

COMPUTE: Mapping[str, Callable[..., Any]] = {
    **{name: function.compute for name, function in FUNCTIONS.items()},
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,  # numpy's operator is faster than its function for x**2
    "negative": operator.neg,
    "positive": operator.pos,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "and": lambda *parts: Known(_all(p.holds for p in parts), _any(p.fails for p in parts)),
    "or": lambda *parts: Known(_any(p.holds for p in parts), _all(p.fails for p in parts)),
    "not": lambda part: Known(part.fails, part.holds),
}

Batch = Mapping[str, NDArray[np.float64]]  # the columns of one evaluation


class Known(NamedTuple):
    """What is known of a condition, Kleene's logic: events for which it neither holds nor fails are lost."""

    holds: NDArray[np.bool_]  # (n,)
    fails: NDArray[np.bool_]  # (n,)


def _all(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return reduce(np.logical_and, masks)


def _any(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return reduce(np.logical_or, masks)


@dataclass(frozen=True)
class Number:
    """A constant, also one that was computed: ``2 * 1e3``."""

    value: np.float64
    is_condition = False

    def of(self, batch: Batch) -> Any:  # noqa: ARG002 - the same for all events
        """The number."""
        return self.value


@dataclass(frozen=True)
class Column:
    """A column or an observable, by name."""

    name: str
    is_condition = False

    def of(self, batch: Batch) -> Any:
        """The column, shape (n,)."""
        return batch[self.name]


@dataclass(frozen=True)
class Operation:
    """What `COMPUTE` makes of other parts; a key rather than a function, since that can be compared and pickled."""

    key: str
    parts: "tuple[Part, ...]"
    is_condition: bool

    def of(self, batch: Batch) -> Any:
        """Its values, shape (n,)."""
        return COMPUTE[self.key](*[part.of(batch) for part in self.parts])


@dataclass(frozen=True)
class Comparison:
    """``a <= b < c``, each side computed once."""

    sides: "tuple[Part, ...]"
    keys: tuple[str, ...]
    is_condition = True

    def of(self, batch: Batch) -> Any:
        """Where it holds and where it fails; neither, where a side is not finite."""
        numbers = [side.of(batch) for side in self.sides]
        holds = _all(COMPUTE[key](*pair) for key, pair in zip(self.keys, pairwise(numbers), strict=True))
        pairs = zip(numbers, self.sides, strict=True)
        finite = _all(np.isfinite(number) for number, side in pairs if not isinstance(side, Number))
        return Known(holds & finite, ~holds & finite)


Part = Number | Column | Operation | Comparison
