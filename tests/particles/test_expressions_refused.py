"""What is not an expression: refused soon, in one line that says where and why; nothing of a text is ever run."""

import builtins
import time
import warnings

import numpy as np
import pytest
from expression_texts import COLUMNS, conditions, numbers
from hypothesis import given, settings, strategies as st

from gampl.particles.expressions import Expression, expression
from gampl.particles.grammar import ExpressionError

REFUSED = {
    "": "character 1: expected numbers and names with one operator between any two, got the end",
    " \n": "got the end",
    "__import__('os').system('x')": 'character 12: "\'" is not understood',
    "__import__(os).system(x)": "character 15: '.' is not understood",
    "x.__class__": "character 2: '.' is not understood, expected back-ticks",
    "(x).real > 1": "character 4: '.'",
    "1..real": "'.'",
    "lambda: x": "'lambda' is a word of Python's",
    "[x for x in y]": "'[' is not understood",
    "(x for x in y)": "'for' is a word of Python's",
    "x[0] > 1": "'[' is not understood",
    "{x}": "'{' is not understood",
    "(y := x)": "':' is not understood",
    "f'{x}'": "is not understood",
    "'a'*10**9 < x": "is not understood",
    '"a" < x': "is not understood",
    "b'a'": "is not understood",
    "f(*x)": "expected names of particles",
    "min(**x)": "expected numbers or names in the parentheses of 'min'",
    "*x": "got '*'",
    "await x": "'await' is a word of Python's",
    "yield": "'yield' is a word of Python's",
    "x if y > 1 else 2": "'if' is a word of Python's",
    "x in y": "'in' is a word of Python's",
    "x is y": "'is' is a word of Python's",
    "x is not y": "'is' is a word of Python's",
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
    "007 < x": "expected numbers and names",
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
    "(x > 1) + 2": "character 2: expected a number such as 'm_tt', got the condition 'x > 1'",
    "x > 1 > (y < 2)": "character 10: expected a number such as 'm_tt', got the condition 'y < 2'",
    "(x > 1) == (y > 1)": "got the condition 'x > 1'",
    "sqrt(x > 1)": "got the condition 'x > 1'",
    "-(x > 1)": "got the condition 'x > 1'",
    "m and n": "character 1: expected a condition such as 'm_tt > 2000', got the number 'm'",
    "x > 1 or `n n`": "character 10: expected a condition such as 'm_tt > 2000', got the number '`n n`'",
    "not x": "character 5: expected a condition",
    "x > not y": "got 'not'",
    "x not y": "character 7: expected numbers and names with one operator between any two, got 'y'",
    "x and": "got the end",
    "x > and y": "got 'and'",
    "x y": "character 3: expected numbers and names with one operator between any two, got 'y'",
    "2 x": "character 3: expected numbers and names with one operator between any two, got 'x'",
    "(x)(y)": "character 1: expected an operator before '('",
    "2(x)": "expected an operator before '('",
    "`f`(x)": "expected an operator before '('",
    "f(x)(y)": "expected an operator before '('",
    "`a`b": "one operator between any two, got 'b'",
    "a`b`": "one operator between any two, got 'b'",
    "`a": "expected a second back-tick",
    "``": "expected a name between the back-ticks",
    "`a\nb`": "between the back-ticks",
    "(x": "character 1: this '(' is never closed",
    "x)": "character 2: this ')' closes nothing",
    "a) < (b": "character 2: this ')' closes nothing",
    "()": "expected numbers, names, comparisons",
    "f()": "expected numbers or names in the parentheses of 'f'",
    "min(x y)": "character 5: expected numbers and names with one operator between any two, got 'x y'",
    "min(x,)": "character 6: expected a number or a name behind ','",
    "(x, y)": "',' is not understood",
    "x, y": "',' is not understood",
    "min((x, y))": "expected 2 arguments or more of min, got 1",
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
    "x" * 400 + " " + "y" * 400: "got 'yyy",
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
