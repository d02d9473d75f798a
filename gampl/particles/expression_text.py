"""Words and signs of an expression, checked from left to right before Python's parser groups them.

What passes has balanced parentheses, and operators between operands: of Python's grammar only calls, arithmetic,
comparisons and and/or/not are left.
"""

import keyword
import re

from gampl.particles.quoting import quoted

MOST_CHARACTERS = 1000
MOST_NESTED = 100  # parentheses or operations in each other; a + b + c counts as two, (a + b) + c


class ExpressionError(ValueError):
    """A text that is no expression, or columns that an expression cannot be computed of."""


def error(text: str, problem: str, at: int | None = None) -> ExpressionError:
    """The error to raise: the text, the position (counted from 0) if there is one, what is wrong."""
    where = "" if at is None else f", character {at + 1}"
    return ExpressionError(f"expression {quoted(text, at or 0)}{where}: {problem}")


TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<quoted>`[^`]*`)
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<other>===|=<|=>|<>|&&|\|\||//)
    |(?P<sign>\*\*|<=|>=|==|!=|[-+*/(),<>])
    |(?P<one>.)""",
    re.VERBOSE | re.DOTALL,
)
INSTEAD = {
    "&": "'and'",
    "&&": "'and'",
    "|": "'or'",
    "||": "'or'",
    "!": "'not'",
    "^": "'**'",
    "=": "'=='",
    "===": "'=='",
    "=<": "'<='",
    "=>": "'>='",
    "<>": "'!='",
    "≤": "'<='",
    "≥": "'>='",
    "≠": "'!='",
    "−": "'-'",
    "×": "'*'",
    "·": "'*'",
    "²": "'**2'",
    "~": "'not', or back-ticks around the name,",
}
OPERAND = "a number, a name or '('"


def plain(text: str) -> tuple[str, dict[int, str]]:
    """The text as Python's parser may read it, and the names in back-ticks by their position in it.

    The width of all words stays the same. A name in back-ticks becomes a blank word, told from names that look like
    it by where it stands.

    Raises:
        ExpressionError: If the text is too long, or a word or a sign does not fit, with its position.
    """
    if len(text) > MOST_CHARACTERS:
        raise error(text, f"expected at most {MOST_CHARACTERS} characters, got {len(text)}")
    words, names = _Words(text), {}
    parts = []
    for found in TOKEN.finditer(text):
        kind, word, at = found.lastgroup, found[0], found.start()
        if kind == "space":
            parts.append(" " * len(word))
        elif kind == "quoted":
            words.operand(word, at)
            if not word[1:-1] or not word.isprintable():
                raise error(text, f"expected the name of a column between the back-ticks, got {quoted(word[1:-1])}", at)
            names[at + 1] = word[1:-1]
            parts.append(f" {'x' * (len(word) - 2)} ")
        else:
            words.accept(str(kind), word, at)
            parts.append(word)
    words.end()
    return "".join(parts), names


class _Words:
    """What may come next in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.last = ""  # the last word or sign
        self.after_operand = False  # so that an operator, and no operand, comes next
        self.after_name = False  # so that '(' opens a call
        self.open: list[tuple[int, bool]] = []  # positions of open parentheses, whether they are of calls

    def accept(self, kind: str, word: str, at: int) -> None:
        """Checks one word or sign that is no name in back-ticks."""
        if kind == "number":
            self.operand(word, at)
            following = self.text[at + len(word) :][:1]
            if following.isalnum() or following == "_":
                raise error(
                    self.text, f"expected an operator or a space behind the number {quoted(word)}", at + len(word)
                )
        elif kind == "word" and word not in ("and", "or", "not"):
            self.operand(word, at)
            if keyword.iskeyword(word):
                raise error(
                    self.text, f"{word!r} is a word of Python's, expected a column (its name in back-ticks)", at
                )
            self.after_name = True
        elif kind in ("word", "sign"):
            self.sign(word, at)
        elif word in INSTEAD:
            raise error(self.text, f"expected {INSTEAD[word]} instead of {word!r}", at)
        elif word == "`":
            raise error(self.text, "expected a second back-tick, behind the name", at)
        else:
            raise error(
                self.text, f"{word!r} is not understood, expected back-ticks around a name with such characters", at
            )
        self.last = word

    def operand(self, word: str, at: int) -> None:
        """A number or a name."""
        if self.after_operand:
            raise error(self.text, f"expected an operator before {quoted(word)}", at)
        self.last, self.after_operand, self.after_name = word, True, False

    def sign(self, word: str, at: int) -> None:
        """An operator, a comma or a parenthesis."""
        if word == "(":
            if self.after_operand and not self.after_name:
                raise error(self.text, "expected an operator before '('", at)
            if len(self.open) == MOST_NESTED:
                raise error(self.text, f"expected at most {MOST_NESTED} parentheses in each other", at)
            self.open.append((at, self.after_name))
        elif word == "not":
            if self.after_operand:
                raise error(self.text, "expected 'and' or 'or' before 'not'", at)
            if self.last not in ("", "(", "and", "or", "not"):
                raise error(self.text, f"expected {OPERAND} behind {self.last!r}, got 'not' (parentheses help)", at)
        elif not self.after_operand and word not in ("+", "-"):
            raise self.no_operand(repr(word), at)
        elif word == ")":
            if not self.open:
                raise error(self.text, "this ')' closes nothing, expected '(' before it", at)
            self.open.pop()
        elif word == "," and not (self.open and self.open[-1][1]):
            raise error(self.text, "',' is not understood, expected it between the arguments of a function only", at)
        self.after_operand, self.after_name = word == ")", False

    def end(self) -> None:
        """Checks that the text may end here."""
        if not self.after_operand:
            raise self.no_operand("the end", len(self.text))
        if self.open:
            raise error(self.text, "this '(' is never closed, expected ')'", self.open[-1][0])

    def no_operand(self, got: str, at: int) -> ExpressionError:
        """The error where an operand should come."""
        hint = "; a name that ends in a sign goes in back-ticks" if self.last in ("+", "-", "*") else ""
        return error(self.text, f"expected {OPERAND}, got {got}{hint}", at)
