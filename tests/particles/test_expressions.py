"""Expressions: read as Python reads them, computed as numpy computes them."""

import ast
import copy
import pickle

import numpy as np
import pytest
from expression_texts import COLUMNS, conditions, numbers
from hypothesis import example, given, settings

from gampl.particles import expressions, grammar
from gampl.particles.expressions import FUNCTIONS, expression, no_function
from gampl.particles.grammar import ExpressionError

ORACLE = {
    **{name: getattr(np, name) for name in FUNCTIONS},
    # from left to right, since numpy's choice between 0 and -0 hangs on the order
    "min": lambda a, b, c=np.inf: np.minimum(np.minimum(a, b), c),
    "max": lambda a, b, c=-np.inf: np.maximum(np.maximum(a, b), c),
    **COLUMNS,
}


class FloatingPoint(ast.NodeTransformer):
    """Makes integers floating-point numbers, as in an expression: -0 is a negative zero then."""

    def visit_Constant(self, node):
        return ast.copy_location(ast.Constant(float(node.value)), node)


def by_python(text):
    """A number by Python's own eval, on arrays."""
    tree = FloatingPoint().visit(ast.parse(text, mode="eval"))
    with np.errstate(all="ignore"):
        return eval(compile(tree, text, "eval"), dict(ORACLE))  # noqa: S307


def finite_constants(text):
    """The expression, or None where only its constants are refused: 1e300 * 1e300."""
    try:
        return expression(text)
    except ExpressionError as error:
        assert "expected a finite constant" in str(error) or "too deeply" in str(error)  # noqa: PT017
        return None


@settings(deadline=None)  # machines that do other things at the same time
@given(numbers())
@example("-x**2")
@example("2**-x**2 - 3 - y")
@example("px/y/2*E")
@example("px / -0 + px")
def test_numbers_are_those_of_pythons_eval(text):
    read = finite_constants(text)
    if read is None:
        return
    values, lost = read.evaluate(COLUMNS)
    assert values.dtype == np.float64
    assert not read.is_condition
    np.testing.assert_array_equal(values, by_python(text))
    assert lost.tolist() == (~np.isfinite(values)).tolist()


def kleene(node, numbers):
    """True, False, or None where a number that is not finite leaves it open; comparisons by Python's own eval."""
    if isinstance(node, ast.BoolOp):
        known = [kleene(value, numbers) for value in node.values]
        deciding = isinstance(node.op, ast.Or)
        return deciding if deciding in known else None if None in known else not deciding
    if isinstance(node, ast.UnaryOp):
        known = kleene(node.operand, numbers)
        return None if known is None else not known
    code = ast.unparse(node)
    if not all(np.isfinite(numbers[name.id]) for name in ast.walk(node) if isinstance(name, ast.Name)):
        return None
    return bool(eval(code, numbers))  # noqa: S307


@settings(deadline=None)
@given(conditions())
@example(("{} < {} <= {} < {}", ["0", "x", "1", "2"]))
@example(("{} != {}", ["x", "y"]))
@example(("not {} > {} or {} > {} and {} < {}", ["x", "1", "y", "1", "E", "0"]))
def test_conditions_are_those_of_pythons_eval(drawn):
    form, sides = drawn
    read = finite_constants(form.format(*sides))
    if read is None:
        return
    values, lost = read.evaluate(COLUMNS)
    assert read.is_condition
    assert values.dtype == lost.dtype == np.bool_
    compared = np.broadcast_arrays(COLUMNS["x"], *map(by_python, sides))[1:]
    tree = ast.parse(form.format(*(f"n{k}" for k in range(len(sides)))), mode="eval").body
    by_event = [kleene(tree, {f"n{k}": n for k, n in enumerate(event)}) for event in zip(*compared, strict=True)]
    assert values.tolist() == [known is True for known in by_event]
    assert lost.tolist() == [known is None for known in by_event]


def test_least_and_greatest():
    columns = {"a": np.array([3.0, 1.0, np.nan]), "b": np.array([2.0, 5.0, 0.0]), "c": np.array([4.0, 0.0, 0.0])}
    np.testing.assert_array_equal(expression("min(a, b, c, 2.5)")(columns), [2, 0, np.nan])
    np.testing.assert_array_equal(expression("max(a, b, c, 2.5)")(columns), [4, 5, np.nan])


def test_a_call_gives_the_values():
    read = expression("x > 0 and y < 1")
    assert read(COLUMNS).tolist() == read.evaluate(COLUMNS).values.tolist()


@pytest.mark.parametrize(
    ("text", "names", "is_condition"),
    [
        ("2000 <= m_tt < 2200", ("m_tt",), True),
        ("(abs(eta) < 2.5) and not (pt < 20 or pt > 1e3)", ("eta", "pt"), True),
        ("sqrt(px**2 + py**2)", ("px", "py"), False),
        ("`pT(mu-)` > 30", ("pT(mu-)",), True),
        ("deltaR(q1, q2) < 1.0", ("deltaR(q1,q2)",), True),
        ("m( b1 + q1+q2 )", ("m(b1+q1+q2)",), False),
        ("m(`mu-` + `mu+`) / m_tt", ("m(mu-+mu+)", "m_tt"), False),
        ("b + a*b - c", ("b", "a", "c"), False),
        ("`x` + xxx*`xxx` - `y`", ("x", "xxx", "y"), False),
        ("`a b`<1 and`lambda`>2", ("a b", "lambda"), True),
        ("`min` + `exp`", ("min", "exp"), False),
        ("`π[0].η` * 1", ("π[0].η",), False),
        ("\n  x > 1\n  and\ty < 2\r\n", ("x", "y"), True),
        ("not(x<1)", ("x",), True),
        ("+-x", ("x",), False),
        ("f (q1)", ("f(q1)",), False),
        ("m(" + "a+" * 400 + "a)", ("m(" + "a+" * 400 + "a)",), False),
    ],
)
def test_names_and_kinds(text, names, is_condition):
    read = expression(text)
    assert (read.text, read.names, read.is_condition) == (text, names, is_condition)
    assert pickle.loads(pickle.dumps(read)) == copy.deepcopy(read) == read  # noqa: S301 - our own


def test_names_in_back_ticks_are_told_from_their_like():
    columns = {"xxxxx": np.array([1.0]), "pT(q)": np.array([10.0]), "a-b*c": np.array([100.0])}
    assert expression("xxxxx + 2*`pT(q)` + 3*`a-b*c` + 4*`xxxxx`")(columns).tolist() == [325.0]


@pytest.mark.parametrize(
    ("text", "inner", "low", "high"),
    [
        ("2000 <= m_tt < 2200", "m_tt", 2000, 2200),
        ("pt > 5", "pt", 5, np.inf),
        ("5 > `p t`", "`p t`", -np.inf, 5),
        ("-2*2.5 < (eta) <= +1e1", "eta", -5, 10),
        ("10 > `a` - (b)*`c` > 3", "`a` - (b)*`c`", 3, 10),
        ("3 < x > 5", "x", 5, np.inf),
        ("((sqrt(px**2 + py**2) < 4))", "sqrt(px**2 + py**2)", -np.inf, 4),
        ("m(b1+ q1)>=1", "m(b1+ q1)", 1, np.inf),
        ("3 < x < 1", "x", 3, 1),
    ],
)
def test_intervals_that_a_plot_can_show(text, inner, low, high):
    found = expression(text).interval()
    assert (found.inner.text, found.low, found.high) == (inner, low, high)
    assert found.inner == expression(inner, condition=False)
    values = {name: np.linspace(-7, 7, 200) + k for k, name in enumerate(found.inner.names)}
    number = found.inner(values)  # 2.3 and the like: never at an end
    usable = np.isfinite(number)
    assert expression(text)(values)[usable].tolist() == ((number > low) & (number < high))[usable].tolist()


@pytest.mark.parametrize(
    "text",
    ["x", "x == 1", "1 != x", "x < y", "1 < x < y", "1 < 2 < x", "not x < 1", "x > 1 and x < 2", "1 < x < 2 < 3"],
)
def test_no_interval(text):
    assert expression(text).interval() is None


def test_lost_events_are_nowhere():
    columns = {"pt": np.array([1.0, np.nan, np.inf, 50.0]), "ok": np.array([1.0, 1.0, 1.0, np.nan])}
    for text, inside in [("pt > 20", [0, 0, 0, 1]), ("not pt < 20", [0, 0, 0, 1]), ("pt != 20", [1, 0, 0, 1])]:
        values, lost = expression(text).evaluate(columns)
        assert values.tolist() == list(map(bool, inside))
        assert lost.tolist() == [False, True, True, False]
    # where the other comparison decides nothing is lost
    assert expression("pt > 20 or ok > 0").evaluate(columns).lost.tolist() == [False, False, False, False]
    assert expression("pt > 20 and ok > 1").evaluate(columns).values.tolist() == [False] * 4
    assert expression("pt > 20 and ok > 1").evaluate(columns).lost.tolist() == [False, False, False, True]
    assert expression("1/(pt - 1) > 0").evaluate(columns).lost.tolist() == [True, True, False, False]
    assert expression("log(-pt)").evaluate(columns).lost.all()


def test_columns_of_any_real_numbers():
    columns = {"i": np.array([3, -4]), "f": np.float32([0.1, 1e30]), "b": np.array([True, False]), "l": [1, 2]}
    values = expression("i**-1 + f*f*0 + b + l")(columns)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, [1 / 3 + 2, -1 / 4 + 2])
    assert expression("x > 1").evaluate({"x": []}).values.shape == (0,)


class Counting(dict):
    """Columns that are made when they are asked for."""

    def __getitem__(self, name):
        self.setdefault("asked", []).append(name)
        return np.ones(3)

    def __contains__(self, name):
        return True


def test_a_text_is_parsed_once(monkeypatch):
    parsed = []
    monkeypatch.setattr(expressions, "parse", lambda text: parsed.append(text) or grammar.parse(text))
    text = "2000 <= a_name_of_this_test < 2200"
    for condition in (None, True):
        read = expression(text, condition=condition)
        read({name: [2100.0] for name in read.names})
        assert read.interval().inner({name: [2100.0] for name in read.names}) == [2100.0]
    assert parsed == [text, "a_name_of_this_test"]  # and its inner number, once


def test_each_column_is_fetched_once():
    columns = Counting()
    expression("a < b < a + b or a > 3")(columns)
    assert dict.__getitem__(columns, "asked") == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"pt": [1.0], "eta": [2.0]}, r"there is no column 'm', expected one of pt, eta$"),
        ({f"c{k}": [1.0] for k in range(15)}, r"expected one of c0, c1, .*, c11 and 3 more$"),
        ({}, "there is no column 'm'"),
        ({"m": ["a"], "x": [1.0]}, "column 'm' must hold real numbers, got <U1"),
        ({"m": [1j], "x": [1.0]}, "column 'm' must hold real numbers, got complex128"),
        ({"m": [None], "x": [1.0]}, "column 'm' must hold real numbers, got object"),
        ({"m": [[1.0]], "x": [1.0]}, r"column 'm' must have one number per event, got shape \(1, 1\)"),
        ({"m": 1.0, "x": [1.0]}, r"column 'm' must have one number per event, got shape \(\)"),
        ({"m": [1.0, 2.0], "x": [1.0]}, "column 'x' must have 2 events as 'm', got 1"),
    ],
)
def test_columns_that_do_not_fit(columns, message):
    with pytest.raises(ExpressionError, match=message):
        expression("m < x")(columns)


def test_a_function_that_there_is_not_is_named():
    with pytest.raises(
        ExpressionError, match=r"no column 'norm\(x\)', and norm is not a function, expected one of sqrt, "
    ):
        expression("norm(x) < 1")({"x": [1.0]})
    expression("norm(x) < 1")({"norm(x)": [1.0]})  # unless a column is called so
    assert no_function("x") == no_function("sqrt(x)") == ""
