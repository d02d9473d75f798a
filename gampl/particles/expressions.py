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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.particles.expression_parts import COMPUTE, FUNCTIONS, Column, Comparison, Number, Operation, Part
from gampl.particles.expression_text import MOST_NESTED, ExpressionError, error, plain
from gampl.particles.quoting import quoted

__all__ = ["FUNCTIONS", "Evaluated", "Expression", "ExpressionError", "Interval", "expression"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]

MOST_LISTED = 12  # columns that an error lists


# what Python's parser calls an operator, and its key in `COMPUTE`
ARITHMETIC: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.USub: "negative",
    ast.UAdd: "positive",
}
COMPARISONS: Mapping[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
LOGIC: Mapping[type[ast.AST], str] = {ast.And: "and", ast.Or: "or", ast.Not: "not"}


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
    """A number or a condition of each event, computed of columns; `expression` makes them.

    Args:
        text: As it was given.
        names: Columns or observables that it needs, each once, in order of appearance.
        is_condition: Whether its values are bool.
    """

    text: str
    names: tuple[str, ...]
    is_condition: bool
    _tree: Part = field(repr=False)
    _interval: Interval | None = field(repr=False)

    def __call__(self, columns: Columns) -> NDArray[Any]:
        """The values of `evaluate`."""
        return self.evaluate(columns).values

    def lost(self, columns: Columns) -> Bools:
        """The lost events of `evaluate`."""
        return self.evaluate(columns).lost

    def evaluate(self, columns: Columns) -> Evaluated:
        """Values and lost events, both of shape (n,), computed in float64 without warnings.

        An event is lost if the number is not finite. A comparison of numbers that are not finite is neither true nor
        false, and a condition is lost if that leaves it open: not in ``n_jets > 0 and pT(j1) > 50`` for events without
        jets. A condition is False for lost events, behind ``not``, too: they are in no region, as in `gampl.regions`.
        The values of a mere name are the column itself, no copy.

        Args:
            columns: Numbers of each event by name, each of shape (n,).

        Raises:
            ExpressionError: If a column is missing, holds no real numbers or has another shape.
        """
        with np.errstate(all="ignore"):
            values = self._tree.of(_floats(self, columns))
        if self.is_condition:
            return Evaluated(values.holds, ~(values.holds | values.fails))
        return Evaluated(values, ~np.isfinite(values))

    def interval(self) -> Interval | None:
        """The number and its ends if the condition is one comparison with constants, for plots; else None.

        ``5 > pt`` and ``2000 <= m_tt < 2200`` have one; ``==``, ``!=`` and combined conditions have none. Nothing is
        inside if low > high, which is not checked.
        """
        return self._interval


def _floats(wanted: Expression, columns: Columns) -> dict[str, Floats]:
    """The columns that an expression needs, each fetched once."""
    floats: dict[str, Floats] = {}
    for name in wanted.names:
        if name not in columns:
            there_are = [*map(str, columns)]
            more = f" and {len(there_are) - MOST_LISTED} more" if len(there_are) > MOST_LISTED else ""
            listed = ", ".join(there_are[:MOST_LISTED]) or "none, there are no columns"
            raise error(wanted.text, f"there is no column {quoted(name)}, expected one of {listed}{more}")
        column = np.asarray(columns[name])
        if column.dtype.kind not in "fiub":
            raise error(wanted.text, f"column {name!r} must hold real numbers, got {column.dtype}")
        if column.ndim != 1:
            raise error(wanted.text, f"column {name!r} must have one number per event, got shape {column.shape}")
        floats[name] = column.astype(np.float64, copy=False)
        n_events = len(floats[wanted.names[0]])
        if len(column) != n_events:
            raise error(
                wanted.text, f"column {name!r} must have {n_events} events as {wanted.names[0]!r}, got {len(column)}"
            )
    return floats


def expression(text: str, *, condition: bool | None = None) -> Expression:
    """The expression that a text says; nothing of the text is executed.

    Args:
        text: In the grammar above, at most 1000 characters. Line breaks count as spaces.
        condition: True if it must be a condition, False if it must be a number, None if it may be either.

    Raises:
        ExpressionError: If the text is not in the grammar (says where), a condition stands where a number is needed or
            the other way round, or it names no column.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression must be a text such as 'pt > 20', got {type(text).__name__}")
    try:
        return _Reader(text).read(condition)
    except (RecursionError, MemoryError):  # of Python's parser, or where callers have left little of the stack
        raise error(text, "nested too deeply, expected fewer operations") from None


class _Reader:
    """Makes an expression of the tree that Python's parser makes of the text; what is not listed here is refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain, self.quoted = plain(text)
        self.names: dict[str, None] = {}  # in order
        self.depth = 0

    def read(self, condition: bool | None) -> Expression:
        """The expression."""
        try:
            body = ast.parse(f"({self.plain})", mode="eval").body  # in parentheses since spaces may come first
        except SyntaxError as refused:  # the little that is left, such as 007
            at = max((refused.offset or 2) - 2, 0)
            raise error(self.text, "expected a number, a name or an operator that fits", at) from None
        part = self.part(body)
        if not self.names:
            raise error(self.text, "names no column, expected at least one")
        if condition is not None and condition != part.is_condition:
            wanted = "a condition such as 'm_tt > 2000'" if condition else "a number such as 'm_tt'"
            raise error(self.text, f"expected {wanted}, got a {'condition' if part.is_condition else 'number'}")
        return Expression(self.text, tuple(self.names), part.is_condition, part, self.interval(body, part))

    def part(self, node: ast.expr) -> Part:
        """A number or a condition."""
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise error(
                self.text, f"nested too deeply, expected at most {MOST_NESTED} operations in each other or in a row"
            )
        found = self.of_kind(node)
        self.depth -= 1
        return found

    def of_kind(self, node: ast.expr) -> Part:
        """What a node of Python's tree stands for."""
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self.finite(node, float(self.source(node)))  # of the text: an int may be too large for a float
            case ast.Name():
                return self.column(node, self.named(node))
            case ast.Call(func=ast.Name(id=word), args=arguments, keywords=[]):
                return (self.function if word in FUNCTIONS else self.observable)(node, word, arguments)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return self.operation(node, ARITHMETIC[type(op)], [left, right])
            case ast.UnaryOp(op=op, operand=operand) if type(op) in ARITHMETIC:
                return self.operation(node, ARITHMETIC[type(op)], [operand])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Operation("not", (self.condition(operand),), is_condition=True)
            case ast.BoolOp(op=op, values=parts):
                return Operation(LOGIC[type(op)], tuple(map(self.condition, parts)), is_condition=True)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
                return self.comparison(node, [left, *others], tuple(COMPARISONS[type(op)] for op in ops))
        raise self.error(
            node, "expected numbers, names, comparisons, + - * / **, functions, 'and', 'or' and 'not' only"
        )

    def column(self, node: ast.expr, name: str) -> Column:
        """A name, and that it is needed."""
        if name in FUNCTIONS and self.source(node) == name:
            raise self.error(
                node, f"{name} is a function, expected '(' behind it, or back-ticks around a column of this name"
            )
        self.names[name] = None
        return Column(name)

    def observable(self, node: ast.expr, function: str, arguments: Sequence[ast.expr]) -> Column:
        """An observable of particles by its name without spaces, such as m(b1+q1+q2)."""
        return self.column(node, f"{function}({','.join(map(self.particles, arguments))})")

    def particles(self, node: ast.expr) -> str:
        """Names joined by +, which Python's parser groups as (a + b) + c."""
        parts = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts.append(node.right)
            node = node.left
        names = []
        for part in (node, *reversed(parts)):
            if not isinstance(part, ast.Name):
                there_are = ", ".join(FUNCTIONS)
                raise self.error(
                    part, f"expected names of particles joined by '+', or one of the functions {there_are}"
                )
            names.append(self.named(part))
        return "+".join(names)

    def named(self, node: ast.Name) -> str:
        """A name, be it in back-ticks."""
        return self.quoted.get(node.col_offset - 1, node.id)

    def function(self, node: ast.expr, name: str, arguments: Sequence[ast.expr]) -> Part:
        """A function of the grammar's own."""
        fewest, most = FUNCTIONS[name].fewest, FUNCTIONS[name].most
        if not fewest <= len(arguments) <= most:
            needed = f"{fewest} argument{'s' * (fewest > 1)}" + (" or more" if most > fewest else "")
            raise self.error(node, f"expected {needed} of {name}, got {len(arguments)}")
        return self.operation(node, name, arguments)

    def operation(self, node: ast.expr, key: str, arguments: Sequence[ast.expr]) -> Part:
        """Something computed of numbers, at once if they are constants."""
        parts = tuple(map(self.number, arguments))
        constants = [part.value for part in parts if isinstance(part, Number)]
        if len(constants) < len(parts):
            return Operation(key, parts, is_condition=False)
        with np.errstate(all="ignore"):
            return self.finite(node, COMPUTE[key](*constants))

    def finite(self, node: ast.expr, value: float) -> Number:
        """A constant."""
        if not np.isfinite(value):
            raise self.error(node, f"expected a finite constant, got {value}")
        return Number(np.float64(value))

    def comparison(self, node: ast.expr, sides: Sequence[ast.expr], keys: tuple[str, ...]) -> Comparison:
        """Numbers that are compared."""
        parts = tuple(map(self.number, sides))
        if all(isinstance(part, Number) for part in parts):
            raise self.error(node, "this comparison names no column, expected at least one")
        return Comparison(parts, keys)

    def number(self, node: ast.expr) -> Part:
        """A part that must be a number."""
        part = self.part(node)
        if part.is_condition:
            raise self.error(node, f"expected a number, got the condition {quoted(self.source(node))}")
        return part

    def condition(self, node: ast.expr) -> Part:
        """A part that must be a condition."""
        part = self.part(node)
        if not part.is_condition:
            raise self.error(
                node, f"expected a condition such as 'm_tt > 2000', got the number {quoted(self.source(node))}"
            )
        return part

    def interval(self, node: ast.expr, part: Part) -> Interval | None:
        """See `Expression.interval`."""
        if not (isinstance(node, ast.Compare) and isinstance(part, Comparison)) or {*part.keys} & {"==", "!="}:
            return None
        kept = [k for k, side in enumerate(part.sides) if not isinstance(side, Number)]
        if (len(part.sides), kept) not in [(2, [0]), (2, [1]), (3, [1])]:
            return None
        low, high = -np.inf, np.inf
        for key, (a, b) in zip(part.keys, pairwise(part.sides), strict=True):
            if isinstance(a, Number):
                is_lower_end, end = key[0] == "<", float(a.value)
            elif isinstance(b, Number):
                is_lower_end, end = key[0] == ">", float(b.value)
            low, high = (max(low, end), high) if is_lower_end else (low, min(high, end))
        return Interval(expression(self.source([node.left, *node.comparators][kept[0]])), low, high)

    def source(self, node: ast.expr) -> str:
        """The text of a node, without parentheses around it."""
        start, end = self.span(node)
        return self.text[start:end]

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where a node begins and ends in the text, with back-ticks."""
        start, end = node.col_offset - 1, (node.end_col_offset or 0) - 1
        # words and numbers never touch a back-tick that is not their own
        return start - (self.text[start - 1 : start] == "`"), end + (self.text[end : end + 1] == "`")

    def error(self, node: ast.expr, problem: str) -> ExpressionError:
        """The error to raise at a node."""
        return error(self.text, problem, self.span(node)[0])
