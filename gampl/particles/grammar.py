"""Texts of expressions and observables on Python's own parser, which executes nothing.

Only numbers, names, + - * / ** < <= > >= == != and or not, parentheses and commas reach the parser. What it makes of
them are calls, arithmetic, comparisons and logic, and a few trees such as tuples, which `gampl.particles.expressions`
and `gampl.particles.observables` refuse. A name that Python cannot read is a blank word to it, and put in afterwards.
"""

import ast
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MOST_CHARACTERS = 1000
MOST_NESTED = 100  # parentheses in each other
MOST_SHOWN = 60  # characters of a text that an error quotes

WORD = r"""(?P<space>[ \t\r\n]+)
    |(?P<quoted>`[^`]*`)
    |(?P<name>{names})
    |(?P<glued>(?>{number})(?=[A-Za-z_]))|(?P<number>{number})
    |(?P<keyword>(?:{keywords})\b)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<instead>===|=<|=>|<>|&&|\|\||=(?!=)|!(?!=)|[&|^~≤≥≠−×·²])
    |(?P<trailing>,(?=[ \t\r\n]*\)))
    |(?P<sign>\*\*|[<>=!]=|/(?!/)|[-+*(),<>])
    |(?P<backtick>`)
    |(?P<other>//|.)"""
NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
KEYWORDS = "|".join(word for word in keyword.kwlist if word not in ("and", "or", "not"))
PROBLEMS = {
    "glued": "expected an operator or a space behind the number {word}",
    "keyword": "{word} is a word of Python's, expected a column (its name in back-ticks)",
    "instead": "expected {instead} instead of {word}",
    "trailing": "expected a number or a name behind ','",
    "backtick": "expected a second back-tick, behind the name",
    "other": "{word} is not understood, expected back-ticks around a name with such characters",
}
INSTEAD = {
    **dict.fromkeys(("&", "&&"), "'and'"),
    **dict.fromkeys(("|", "||"), "'or'"),
    **dict.fromkeys(("=", "==="), "'=='"),
    **dict.fromkeys(("=<", "≤"), "'<='"),
    **dict.fromkeys(("=>", "≥"), "'>='"),
    **dict.fromkeys(("<>", "≠"), "'!='"),
    **dict.fromkeys(("×", "·"), "'*'"),
    "^": "'**'",
    "²": "'**2'",
    "−": "'-'",
    "!": "'not'",
    "~": "'not', or back-ticks around the name,",
}


class ExpressionError(ValueError):
    """A text that is not an expression or an observable, or columns that do not fit an expression."""


@dataclass(frozen=True)
class Parsed:
    """A text and Python's tree of it, in which names are those of the text."""

    text: str
    kind: str  #: what it should be, for errors: "expression" or "observable"
    body: ast.expr  #: the tree
    start: int  #: number of spaces before the tree

    def function(self, node: ast.Call) -> str:
        """The name of the function in f(x); an ExpressionError if it is anything else, or has no arguments."""
        if not isinstance(node.func, ast.Name) or not self.source(node).startswith(node.func.id):
            raise self.error("expected an operator before '('", node)
        if node.keywords or not node.args:
            raise self.error(f"expected numbers or names in the parentheses of {quoted(node.func.id)}", node)
        return node.func.id

    def sum(self, node: ast.expr) -> list[ast.Name]:
        """The names in a sum of particles; an ExpressionError if anything else is in it."""
        parts = [node]
        while isinstance(first := parts[0], ast.BinOp) and isinstance(first.op, ast.Add):
            parts[:1] = [first.left, first.right]
        if others := [part for part in parts if not isinstance(part, ast.Name)]:
            raise self.error("expected names of particles joined by '+', or a known function before '('", others[0])
        return [part for part in parts if isinstance(part, ast.Name)]

    def source(self, node: ast.expr) -> str:
        """The text of a node, without parentheses around it."""
        begin, end = self._span(node)
        return self.text[begin:end]

    def error(self, problem: str, node: ast.expr | None = None) -> ExpressionError:
        """The error to raise, at a node."""
        return error(self.kind, self.text, problem, None if node is None else self._span(node)[0])

    def _span(self, node: ast.expr) -> tuple[int, int]:
        """Begin and end of a node in the text, with its own back-ticks: words and numbers touch no others."""
        begin, end = self.start + node.col_offset, self.start + (node.end_col_offset or 0)
        return begin - (self.text[begin - 1 : begin] == "`"), end + (self.text[end : end + 1] == "`")


def parse(text: str, kind: str = "expression", names: Iterable[str] = ()) -> Parsed:
    """Python's tree of a text of at most 1000 characters.

    Line breaks count as spaces. The `names`, of letters, digits and _, then signs, may stand without back-ticks; where
    several fit, the longest counts. An ExpressionError says where other words or signs are, or what does not fit.
    """
    if len(text) > MOST_CHARACTERS:
        raise error(kind, text, f"expected at most {MOST_CHARACTERS} characters, got {len(text)}")
    plain, positions, opened = "", {}, []
    for match in _words(tuple(names)).finditer(text):
        group, word, at = str(match.lastgroup), match[0], match.start()
        if group in PROBLEMS:
            raise error(kind, text, PROBLEMS[group].format(word=quoted(word), instead=INSTEAD.get(word)), at)
        if group == "quoted" and (word == "``" or not word.isprintable()):
            raise error(kind, text, f"expected a name between the back-ticks, got {quoted(word[1:-1])}", at)
        if group == "quoted":
            positions[at + 1], word = word[1:-1], f" {'x' * (len(word) - 2)} "
        elif group == "name":
            positions[at], word = word, re.sub(r"\W", " ", re.sub(r"\w", "x", word))
        elif group == "space":
            word = " " * len(word)
        elif word == "(":
            opened.append(at)
        elif word == ")" and not opened:
            raise error(kind, text, "this ')' closes nothing, expected '(' before it", at)
        elif word == ")":
            opened.pop()
        if len(opened) > MOST_NESTED:
            raise error(kind, text, f"expected at most {MOST_NESTED} parentheses in each other", at)
        plain += word
    if opened:
        raise error(kind, text, "this '(' is never closed, expected ')'", opened[-1])
    start = len(plain) - len(plain.lstrip())
    try:
        body = ast.parse(plain[start:], mode="eval").body
        for node in ast.walk(body):
            if isinstance(node, ast.Name):
                node.id = positions.get(start + node.col_offset, node.id)
        return Parsed(text, kind, body, start)
    except SyntaxError as refused:
        at, end = (start + int(offset or 0) - 1 for offset in (refused.offset, refused.end_offset))
    except (RecursionError, MemoryError):  # of Python's parser, or where callers have left little of the stack
        raise error(kind, text, "nested too deeply, expected fewer operations") from None
    at, got = (at, quoted(text[at:end])) if end > at >= start else (len(text), "the end")
    hint = "; a name that ends in a sign goes in back-ticks" if plain[:at].rstrip().endswith(("+", "-", "*")) else ""
    raise error(kind, text, f"expected numbers and names with one operator between any two, got {got}{hint}", at)


@lru_cache(maxsize=100)
def _words(names: tuple[str, ...]) -> re.Pattern[str]:
    """What a text is made of: `WORD`."""
    by_length = sorted(names, key=len, reverse=True)
    known = "|".join(re.escape(name) + (r"\b" if re.fullmatch(r"\w+", name) else "") for name in by_length)
    return re.compile(WORD.format(names=known or "(?!)", number=NUMBER, keywords=KEYWORDS), re.VERBOSE | re.DOTALL)


def error(kind: str, text: str, problem: str, at: int | None = None) -> ExpressionError:
    """The error to raise at a position, counted from 0."""
    where = "" if at is None else f", character {at + 1}"
    return ExpressionError(f"{kind} {quoted(text, at or 0)}{where}: {problem}")


def quoted(text: str, at: int = 0) -> str:
    """A text in quotes on one line, as errors show it; of a long one the part around a position, counted from 0."""
    start = max(0, min(at - MOST_SHOWN // 2, len(text) - MOST_SHOWN))
    end = start + MOST_SHOWN
    return repr("..." * (start > 0) + text[start:end] + "..." * (end < len(text)))
