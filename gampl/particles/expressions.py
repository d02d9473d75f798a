"""Expressions of columns and observables that users write: ``2000 <= m_tt < 2200`` or ``sqrt(px**2 + py**2)``.

The grammar::

    condition   =  number < number  |  number <= number < number ...  |  condition and condition
                   |  condition or condition  |  not condition  |  ( condition )
    number      =  1.5e3  |  name  |  - number  |  number + number  |  ...  |  sqrt( number )  |  ...  |  ( number )
    name        =  letters, digits and _  |  ` any name as it stands `  |  an observable: m(b1+q1+q2)

Comparisons are < <= > >= == !=, operators + - * / **, functions those of `FUNCTIONS`. A call of anything else is the
name of an observable of particles, see `gampl.particles.observables`. Operators bind as in Python, whose parser (which
executes nothing) groups them; what is not listed here is refused, and nothing is ever run but numpy's functions.
"""

import ast
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.particles.grammar import MOST_CHARACTERS, MOST_NESTED, ExpressionError, Parsed, parse, quoted

Bools = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]

MOST_LISTED = 12  # columns that an error lists
# what is wrong with a condition in the place of a number, and the other way round
_MISMATCH = {
    True: "expected a number such as 'm_tt', got {} condition",
    False: "expected a condition such as 'm_tt > 2000', got {} number",
}


_OF_ONE = ("sqrt", "exp", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs")
# with the fewest and the most numbers that each takes
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    **{name: (getattr(np, name), 1, 1) for name in _OF_ONE},
    **{name: (getattr(np, name), 2, 2) for name in ("arctan2", "atan2", "hypot")},
    "min": (lambda *numbers: reduce(np.minimum, numbers), 2, MOST_CHARACTERS),
    "max": (lambda *numbers: reduce(np.maximum, numbers), 2, MOST_CHARACTERS),
}
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,  # numpy's operator is faster than its function for x**2
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def no_function(name: str) -> str:
    """What errors say behind the name of a column that there is not, if it is written like a function's call."""
    called = re.match(r"\s*(\w+)\s*\(", name)
    if called is None or called[1] in FUNCTIONS:
        return ""
    return f", and {called[1]} is not a function, expected one of {', '.join(FUNCTIONS)}"


class Evaluated(NamedTuple):
    """An expression's values for one batch of events."""

    values: NDArray[Any]  # (n,), float64, or bool for a condition
    lost: Bools  # (n,), events that have no usable value


class Interval(NamedTuple):
    """A condition that keeps one number between two ends, as they are written: ``2000 <= m_tt < 2200``."""

    inner: "Expression"  # the number that is kept between
    low: float  # -inf if there is none
    high: float  # inf if there is none


@dataclass(frozen=True)
class Expression:
    """A number or a condition of each event, computed from columns; `expression` makes them."""

    text: str
    names: tuple[str, ...]  #: columns or observables that it needs, each once, in order of appearance
    is_condition: bool  #: whether its values are bool
    _parsed: Parsed = field(repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return expression, (self.text,)

    def __call__(self, columns: Columns) -> NDArray[Any]:
        """The values of `evaluate`."""
        return self.evaluate(columns).values

    def evaluate(self, columns: Columns) -> Evaluated:
        """Values and lost events, both of shape (n,), computed in float64 without warnings.

        An event is lost if the number is not finite. A comparison of numbers that are not finite is neither true nor
        false, and a condition is lost if that leaves it open: not in ``n_jets > 0 and pT(j1) > 50`` for events without
        jets. A condition is False for lost events, behind ``not``, too: they are in no region, as in `gampl.regions`.
        The values of a mere name are the column itself, not a copy. An ExpressionError if a column is missing, does not
        hold real numbers or has another shape than (n,).
        """
        with np.errstate(all="ignore"):
            value = _Evaluation(self._parsed, self._floats(columns)).value(self._parsed.body)
        return Evaluated(value > 0, value == 0) if _is_condition(value) else Evaluated(value, ~np.isfinite(value))

    def interval(self) -> Interval | None:
        """The number and its ends if the condition is one comparison with constants, for plots; else None.

        ``==``, ``!=`` and combined conditions have none. Nothing is inside if low > high, which is not checked.
        """
        node = self._parsed.body
        if not isinstance(node, ast.Compare):
            return None
        sides = [node.left, *node.comparators]
        with np.errstate(all="ignore"):
            numbers = [_Evaluation(self._parsed, _any_columns()).value(side) for side in sides]
        varying = [k for k, number in enumerate(numbers) if np.ndim(number)]
        is_equality = any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        if is_equality or (len(sides), varying) not in [(2, [0]), (2, [1]), (3, [1])]:
            return None
        low, high = -np.inf, np.inf
        for op, (left, right) in zip(node.ops, pairwise(numbers), strict=True):  # one of the two is constant
            lower, upper = (left, right) if isinstance(op, ast.Lt | ast.LtE) else (right, left)
            if np.ndim(upper):
                low = max(low, float(lower))
            else:
                high = min(high, float(upper))
        return Interval(expression(self._parsed.source(sides[varying[0]])), low, high)

    def _floats(self, columns: Columns) -> dict[str, Floats]:
        """The columns that are needed, each fetched once."""
        floats: dict[str, Floats] = {}
        error = self._parsed.error
        for name in self.names:
            if name not in columns:
                known = [*map(str, columns)]
                more = f" and {len(known) - MOST_LISTED} more" * (len(known) > MOST_LISTED)
                listed = ", ".join(known[:MOST_LISTED]) or "none, there are no columns"
                raise error(f"there is no column {quoted(name)}{no_function(name)}, expected one of {listed}{more}")
            column = np.asarray(columns[name])
            if column.dtype.kind not in "fiub":
                raise error(f"column {name!r} must hold real numbers, got {column.dtype}")
            if column.ndim != 1:
                raise error(f"column {name!r} must have one number per event, got shape {column.shape}")
            floats[name] = column.astype(np.float64, copy=False)
            first, n_events = self.names[0], len(floats[self.names[0]])
            if len(column) != n_events:
                raise error(f"column {name!r} must have {n_events} events as {first!r}, got {len(column)}")
        return floats


def expression(text: str, *, condition: bool | None = None) -> Expression:
    """The expression that a text means, in the grammar above, of at most 1000 characters.

    With `condition` true it must be a condition, with false a number. An ExpressionError if the text is not in the
    grammar (says where), a condition stands where a number is needed or the other way round, or it names no column.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression must be a text such as 'pt > 20', got {type(text).__name__}")
    result = _read(text)
    if condition is not None and condition != result.is_condition:
        raise result._parsed.error(_MISMATCH[result.is_condition].format("a"))
    return result


@lru_cache(maxsize=1000)  # the same text comes again and again: in regions, in their plots, for each file
def _read(text: str) -> Expression:
    parsed, columns = parse(text), _any_columns()
    try:
        with np.errstate(all="ignore"):
            value = _Evaluation(parsed, columns).value(parsed.body)
    except RecursionError:  # callers have left little of the stack
        raise parsed.error("nested too deeply, expected fewer operations") from None
    if not columns:
        raise parsed.error("names no column, expected at least one")
    return Expression(text, tuple(columns), _is_condition(value), parsed)


def _is_condition(value: NDArray[Any]) -> bool:
    return value.dtype == np.int8


def _any_columns() -> dict[str, Floats]:
    """Columns of a made-up event, on which a text is checked: those that it asks for, in order."""
    return defaultdict(lambda: np.array([0.5]))


class _Evaluation:
    """Computes what Python's tree says for the columns of a batch; what is not listed here is refused.

    A number is np.float64 if it is a constant, else of shape (n,). A condition is int8 of shape (n,): 1 where it holds,
    -1 where it fails, 0 where that is open. So Kleene's logic is the smallest, the largest and the negative of these.
    """

    def __init__(self, parsed: Parsed, columns: Mapping[str, Floats]) -> None:
        self.parsed, self.columns, self.depth = parsed, columns, 0

    def value(self, node: ast.expr, condition: bool | None = None) -> Any:
        """A number or a condition, of which only one may be allowed."""
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise self.parsed.error(f"nested too deeply, expected at most {MOST_NESTED} operations in each other", node)
        value = self.of_kind(node)
        self.depth -= 1
        if isinstance(value, np.float64) and not np.isfinite(value):
            raise self.parsed.error(f"expected a finite constant, got {value}", node)
        if condition not in (None, _is_condition(value)):
            mismatch = _MISMATCH[not condition].format("the")
            raise self.parsed.error(f"{mismatch} {quoted(self.parsed.source(node))}", node)
        return value

    def of_kind(self, node: ast.expr) -> Any:
        """What a node of Python's tree stands for."""
        match node:
            case ast.Constant(value=int() | float()):  # of the text, since an int may be too large for a float
                return np.float64(self.parsed.source(node))
            case ast.Name(id=name) if name in FUNCTIONS and self.parsed.source(node) == name:
                problem = f"{name} is a function, expected '(' behind it, or back-ticks around a column of this name"
            case ast.Name(id=name):
                return self.columns[name]
            case ast.Call():
                return self.call(node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.computed(OPERATORS[type(op)], left, right)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return -self.value(operand, condition=True)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return self.computed(OPERATORS[type(op)], operand)
            case ast.BoolOp(op=op, values=parts):
                join = np.minimum if isinstance(op, ast.And) else np.maximum
                return reduce(join, [self.value(part, condition=True) for part in parts])
            case ast.Compare():
                return self.comparison(node)
            case ast.Tuple(elts=[_, *_]):
                problem = "',' is not understood, expected it between the arguments of a function only"
            case _:
                problem = "expected numbers, names, comparisons, + - * / **, functions, 'and', 'or' and 'not' only"
        raise self.parsed.error(problem, node)

    def call(self, node: ast.Call) -> Any:
        """A function of numbers, or an observable of particles by its name without spaces: m(b1+q1+q2)."""
        name = self.parsed.function(node)
        if name not in FUNCTIONS:
            sums = ["+".join(part.id for part in self.parsed.sum(argument)) for argument in node.args]
            return self.columns[f"{name}({','.join(sums)})"]
        compute, fewest, most = FUNCTIONS[name]
        if not fewest <= len(node.args) <= most:
            expected = f"{fewest} argument{'s' * (fewest > 1)}" + (" or more" if most > fewest else "")
            raise self.parsed.error(f"expected {expected} of {name}, got {len(node.args)}", node)
        return self.computed(compute, *node.args)

    def computed(self, compute: Callable[..., Any], *arguments: ast.expr) -> Any:
        return compute(*[self.value(argument, condition=False) for argument in arguments])

    def comparison(self, node: ast.Compare) -> NDArray[np.int8]:
        numbers = [self.value(side, condition=False) for side in (node.left, *node.comparators)]
        if all(np.ndim(number) == 0 for number in numbers):
            raise self.parsed.error("this comparison names no column, expected at least one", node)
        pairs = zip(node.ops, pairwise(numbers), strict=True)
        holds = reduce(np.logical_and, [OPERATORS[type(op)](a, b) for op, (a, b) in pairs])
        finite = reduce(np.logical_and, map(np.isfinite, numbers))
        return (2 * holds.view(np.int8) - np.int8(1)) * finite
