"""Expressions: read as Python reads them, computed as numpy computes them, and nothing else gets through."""

import ast
import builtins
import copy
import pickle
import time
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gampl.analysis.expressions import FUNCTIONS, Expression, ExpressionError, expression

NAMES = ("px", "m_tt", "E", "y", "_1", "x")  # x is what names in back-ticks look like to Python's parser
SPECIAL = [0.0, -0.0, 1.0, 2000.0, np.nan, np.inf, -np.inf, 1e308, -3.5]
RNG = np.random.default_rng(6)
COLUMNS = {name: RNG.permutation(np.concatenate([SPECIAL, RNG.normal(scale=3, size=40)])) for name in NAMES}

constants = st.floats(0, 1e6).map(repr) | st.sampled_from(["0", "1", "2", "1.", ".5", "1e3", "2E-1", "1e+300"])


@st.composite
def numbers(draw, depth=3):
    """Text of a number that names a column."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(NAMES))
    inner = numbers(depth=depth - 1)
    a, b = draw(inner), draw(inner | constants)
    a, b = draw(st.permutations([a, b]))
    return draw(
        st.sampled_from(["+", "-", " * ", " / ", "**", " - -"]).map(lambda sign: f"({a}){sign}({b})")
        | st.sampled_from(["+", "-", "*", "/", "**"]).map(lambda sign: f"{a} {sign} {b}")  # Python decides what binds
        | st.sampled_from([name for name in FUNCTIONS if FUNCTIONS[name].most == 1]).map(lambda f: f"{f}({a} + {b})")
        | st.sampled_from([name for name in FUNCTIONS if FUNCTIONS[name].most > 1]).map(lambda f: f"{f}({a},{b})")
        | st.sampled_from(["min", "max"]).map(lambda f: f"{f}( {a}, {b}, {a} )")
        | st.just(f"-{a} + {b}")
    )


@st.composite
def conditions(draw, depth=2):
    """Text of a condition with {} for each number that it compares, and the numbers, some of them constants."""
    if depth == 0 or draw(st.booleans()):
        sides = [draw(numbers(depth=2)), *draw(st.lists(numbers(depth=1) | constants, min_size=1, max_size=3))]
        signs = [draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="])) for _ in sides[1:]]
        return "{}" + "".join(f" {sign} {{}}" for sign in signs), draw(st.permutations(sides))
    parts = draw(st.lists(conditions(depth=depth - 1), min_size=1, max_size=3))
    texts = [draw(st.sampled_from(["({})", "not {}", "not ({})", "{}"])).replace("{}", text) for text, _ in parts]
    joined = texts[0] + "".join(draw(st.sampled_from([" and ", " or "])) + text for text in texts[1:])
    return joined, [side for _, sides in parts for side in sides]


ORACLE = {
    **{name: getattr(np, name) for name in FUNCTIONS},
    # from left to right, since numpy's choice between 0 and -0 hangs on the order
    "min": lambda a, b, c=np.inf: np.minimum(np.minimum(a, b), c),
    "max": lambda a, b, c=-np.inf: np.maximum(np.maximum(a, b), c),
    **COLUMNS,
}


def by_python(text):
    """A number by Python's own eval, on arrays."""
    with np.errstate(all="ignore"):
        return eval(text, dict(ORACLE))  # noqa: S307


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


def test_the_values_are_the_methods_own():
    read = expression("x > 0 and y < 1")
    assert read(COLUMNS).tolist() == read.evaluate(COLUMNS).values.tolist()
    assert read.lost(COLUMNS).tolist() == read.evaluate(COLUMNS).lost.tolist()


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
    assert expression("pt > 20 or ok > 0").lost(columns).tolist() == [False, False, False, False]
    assert expression("pt > 20 and ok > 1").evaluate(columns).values.tolist() == [False] * 4
    assert expression("pt > 20 and ok > 1").lost(columns).tolist() == [False, False, False, True]
    assert expression("1/(pt - 1) > 0").lost(columns).tolist() == [True, True, False, False]
    assert expression("log(-pt)").lost(columns).all()


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


REFUSED = {
    "": "expected a number, a name or '(', got the end",
    " \n": "got the end",
    "__import__('os').system('x')": 'character 12: "\'" is not understood',
    "__import__(os).system(x)": "character 15: '.' is not understood",
    "x.__class__": "character 2: '.' is not understood, expected back-ticks",
    "(x).real > 1": "character 4: '.'",
    "1..real": "'.'",
    "lambda: x": "'lambda' is a word of Python's",
    "[x for x in y]": "'[' is not understood",
    "(x for x in y)": "expected an operator before 'for'",
    "x[0] > 1": "'[' is not understood",
    "{x}": "'{' is not understood",
    "(y := x)": "':' is not understood",
    "f'{x}'": "is not understood",
    "'a'*10**9 < x": "is not understood",
    '"a" < x': "is not understood",
    "b'a'": "is not understood",
    "f(*x)": "expected a number, a name or '(', got '*'",
    "min(**x)": "got '**'",
    "*x": "got '*'",
    "await x": "'await' is a word of Python's",
    "yield": "'yield' is a word of Python's",
    "x if y > 1 else 2": "expected an operator before 'if'",
    "x in y": "expected an operator before 'in'",
    "x is y": "expected an operator before 'is'",
    "x is not y": "expected an operator before 'is'",
    "None < x": "'None' is a word of Python's",
    "True and x > 1": "'True' is a word of Python's",
    "... < x": "'.' is not understood",
    "1j < x": "expected an operator or a space behind the number '1'",
    "0x10 < x": "behind the number '0'",
    "1_000 < x": "behind the number '1'",
    "1if x else 2": "behind the number '1'",
    "0x1for x in y": "behind the number '0'",
    "1or x > 2": "behind the number '1'",
    "1.e < x": "behind the number '1.'",
    "007 < x": "expected a number",
    "'\\d' < x": "is not understood",
    "x \\\n > 1": "'\\\\' is not understood",
    "x > 1 # y": "'#' is not understood",
    "x > 1; y": "';' is not understood",
    "x @ y": "'@' is not understood",
    "x // y": "'//' is not understood",
    "x % 2": "'%' is not understood",
    "x > 1\0": "'\\x00' is not understood",
    "x\x0c> 1": "'\\x0c' is not understood",
    "x\u00a0> 1": "'\\xa0' is not understood",
    "ﬁ > 1": "'ﬁ' is not understood",  # Python would read fi
    "x\ud800": "is not understood",
    "9**9**9**9 < x": "expected a finite constant",
    "10**10**10": "expected a finite constant",
    "1e999 < x": "expected a finite constant",
    "9" * 400 + " < x": "expected a finite constant",
    "x < 1/0": "expected a finite constant",
    "x + log(-1)": "expected a finite constant",
    "5": "names no column",
    "2 < 3": "names no column",
    "x > 1 and 2 < 3": "character 11: this comparison names no column",
    "sqrt(2)": "names no column",
    "x & y": "character 3: expected 'and' instead of '&'",
    "x > 1 && y > 1": "expected 'and' instead of '&&'",
    "x | y": "expected 'or' instead of '|'",
    "x > 1 || y > 1": "expected 'or' instead of '||'",
    "~(x > 1)": "expected 'not', or back-ticks around the name, instead of '~'",
    "!x": "expected 'not' instead of '!'",
    "x = 1": "character 3: expected '==' instead of '='",
    "min(a=x)": "expected '==' instead of '='",
    "x === 1": "expected '==' instead of '==='",
    "x =< 1": "expected '<=' instead of '=<'",
    "x => 1": "expected '>=' instead of '=>'",
    "x <> 1": "expected '!=' instead of '<>'",
    "x ≤ 1": "expected '<=' instead of '≤'",
    "x^2": "expected '**' instead of '^'",
    "(x > 1) + 2": "character 2: expected a number, got the condition 'x > 1'",
    "x > 1 > (y < 2)": "expected a number, got the condition 'y < 2'",
    "(x > 1) == (y > 1)": "expected a number, got the condition 'x > 1'",
    "sqrt(x > 1)": "expected a number, got the condition 'x > 1'",
    "-(x > 1)": "expected a number, got the condition",
    "m and n": "character 1: expected a condition such as 'm_tt > 2000', got the number 'm'",
    "x > 1 or `n n`": "character 10: expected a condition such as 'm_tt > 2000', got the number '`n n`'",
    "not x": "character 5: expected a condition",
    "x > not y": "got 'not'",
    "x not y": "expected 'and' or 'or' before 'not'",
    "x and": "got the end",
    "x > and y": "got 'and'",
    "x y": "character 3: expected an operator before 'y'",
    "2 x": "expected an operator before 'x'",
    "(x)(y)": "character 4: expected an operator before '('",
    "2(x)": "expected an operator before '('",
    "`f`(x)": "expected an operator before '('",
    "f(x)(y)": "expected an operator before '('",
    "`a`b": "expected an operator before 'b'",
    "a`b`": "expected an operator before '`b`'",
    "`a": "expected a second back-tick",
    "``": "expected the name of a column between the back-ticks",
    "`a\nb`": "between the back-ticks",
    "(x": "character 1: this '(' is never closed",
    "x)": "character 2: this ')' closes nothing",
    "a) < (b": "character 2: this ')' closes nothing",
    "()": "got ')'",
    "f()": "got ')'",
    "min(x,)": "got ')'",
    "(x, y)": "',' is not understood",
    "x, y": "',' is not understood",
    "min((x, y))": "',' is not understood",
    "min(x)": "expected 2 arguments or more of min, got 1",
    "abs(x, y)": "expected 1 argument of abs, got 2",
    "hypot(x)": "expected 2 arguments of hypot, got 1",
    "exp > 3": "exp is a function, expected '(' behind it",
    "pT(1)": "character 4: expected names of particles joined by '+'",
    "pT(x*y)": "expected names of particles",
    "pT(-x)": "expected names of particles",
    "pT(pT(x))": "expected names of particles",
    "pT(a+(b+c))": "expected names of particles",
    "pT(x < y)": "expected names of particles",
    "m(mu-+mu+) > 30": "a name that ends in a sign goes in back-ticks",
    "x" * 1001: "expected at most 1000 characters, got 1001",
    "-" * 500 + "x": "nested too deeply",
    "not " * 200 + "x": "nested too deeply",
    "x" + "**x" * 300: "nested too deeply",
    "x" + " + x" * 200: "nested too deeply",
    "(" * 101 + "x" + ")" * 101: "expected at most 100 parentheses",
    "abs(" * 150 + "x" + ")" * 150: "expected at most 100 parentheses",
    "(" * 999: "expected at most 100 parentheses",
    "x" * 400 + " " + "y" * 400: "expected an operator before 'yyy",
    "x" * 400 + " and y": "got the number 'xxx",
    "sqrt(" + "x" * 400 + " > 1)": "got the condition 'xxx",
    "`" + "a\n" * 400 + "`": "between the back-ticks, got 'a",
    "9" * 400 + "x": "behind the number '999",
    "abs(" * 60 + "-" * 60 + "x" + ")" * 60: "nested too deeply",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text)[:30])
def test_what_is_refused_and_how(text):
    start = time.perf_counter()
    with pytest.raises(ExpressionError) as raised:
        expression(text)
    assert time.perf_counter() - start < 1
    message = str(raised.value)
    assert REFUSED[text] in message
    assert message.isprintable()  # so that it is one line
    assert len(message) < 300
    quoted = repr(text) if len(text) <= 60 else repr(text[:20])[1:-1]
    assert message.startswith("expression ")
    assert quoted in message or ("..." in message and len(text) > 60)


def test_errors_far_behind_quote_their_surroundings():
    text = " + ".join(f"c{k}" for k in range(60)) + " = 3 + " + " + ".join(f"d{k}" for k in range(60))
    with pytest.raises(ExpressionError, match=r"'\.\.\..*c59 = 3.*\.\.\.', character 349: expected '=='"):
        expression(text)


def test_what_is_required():
    assert expression("x > 1", condition=True).is_condition
    assert not expression("x", condition=False).is_condition
    with pytest.raises(ExpressionError, match="'x': expected a condition such as 'm_tt > 2000', got a number"):
        expression("x", condition=True)
    with pytest.raises(ExpressionError, match="'x > 1': expected a number such as 'm_tt', got a condition"):
        expression("x > 1", condition=False)


@pytest.mark.parametrize("wrong", [5, None, True, b"x > 1", ["x"]])
def test_only_texts(wrong):
    with pytest.raises(ExpressionError, match="must be a text"):
        expression(wrong)


def test_as_deep_as_it_may_be():
    for text in ("-" * 99 + "x", "(" * 100 + "x" + ")" * 100, "abs(" * 99 + "x" + ")" * 99, "x" + "+x" * 99):
        expression(text)(COLUMNS)


def read_or_refused(text):
    """The only two outcomes there are, both fast and without a warning."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read = expression(text)
        except ExpressionError as error:
            read = None
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert isinstance(read, Expression)
            assert read.names
            values, lost = read.evaluate(dict.fromkeys(read.names, COLUMNS["x"]))
            assert values.shape == lost.shape == COLUMNS["x"].shape
            assert values.dtype == (np.bool_ if read.is_condition else np.float64)
    assert not caught
    assert time.perf_counter() - start < 2
    return read


WORDS = (
    *("x", "y1", "_", "1", "2.5", ".5", "1e3", "007", "`", "`a b`", "``", "(", ")", ",", ".", "+", "-", "*", "/", "**"),
    *("<", "<=", "==", "=", "!=", "!", ">", "and", "or", "not", "&", "|", "~", "if", "else", "for", "in", "is", " "),
    *("lambda", "await", ":", ":=", "[", "]", "{", "'", '"', "\\", "#", "\n", "\0", "é", "ﬁ", "min(", "sqrt(", "m("),
    *("None", "True", "f'", "j", "0x", "...", "@", "%", "__import__", "import"),
)


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
def test_any_text_is_read_or_refused(text):
    read_or_refused(text)


@settings(max_examples=300, deadline=None)
@given(numbers() | conditions().map(lambda drawn: drawn[0].format(*drawn[1])), st.randoms(use_true_random=False))
def test_any_slip_of_the_pen_is_read_or_refused(text, pen):
    for _ in range(pen.randint(1, 3)):
        at = pen.randint(0, len(text))
        text = text[:at] + pen.choice(["", *WORDS]) + text[at + pen.randint(0, 3) :]
    read_or_refused(text)


def test_nothing_of_a_text_is_run(monkeypatch):
    called = []
    with monkeypatch.context() as patch:
        for name in ("eval", "exec", "open"):
            patch.setattr(builtins, name, lambda *given: called.append(given))
        read = expression("open(x) > eval(y)")  # names of columns, as any others
        values = read({"open(x)": [1.0], "eval(y)": [0.0]})
    assert read.names == ("open(x)", "eval(y)")
    assert values.tolist() == [True]
    assert not called
