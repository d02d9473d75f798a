"""YAML that a stranger may have written: read without surprises, and every part knows where it stands.

Of YAML only plain data is left: mappings with different keys, lists, texts, numbers, true and false. Tags, anchors,
aliases and several documents are refused, so nothing is ever run, and nothing grows beyond its size in the file.

Without quotes, words are texts as YAML 1.2 has it: ``no``, ``2024-01-01`` and ``12:30`` too, and ``010`` or ``0x1F``
are no numbers. ``1e5``, ``100_000`` and ``inf`` are numbers. Quotes make a text of anything.
"""

import difflib
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import yaml
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "process files are read with PyYAML, which is not installed: pip install 'gampl[events]'", name=error.name
    ) from None

from gampl.particles.quoting import MOST_SHOWN, quoted

MOST_BYTES = 100_000  # PyYAML needs a few seconds for so many
MOST_NESTED = 20
WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17}|[1-9][0-9]{0,2}(?:_[0-9]{3}){1,5})")
NUMBER = re.compile(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.?(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NOTHING = ("", "~", "null", "Null", "NULL")


class ProcessFileError(ValueError):
    """A process file that cannot be used; one sentence with the file, the key, what was expected and what is there."""


class _RefusedError(Exception):
    """What YAML would allow, at a place in the text."""

    def __init__(self, problem: str, mark: yaml.Mark | None) -> None:
        super().__init__(problem)
        self.mark = mark


class _Loader(yaml.SafeLoader):
    """Composes nodes of plain data only."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _RefusedError("anchors and aliases, & and *, are refused (quotes make a text)", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _RefusedError("tags, which begin with !, are refused (quotes make a text)", event.start_mark)
        if self.depth == MOST_NESTED:
            raise _RefusedError(f"expected at most {MOST_NESTED} lists and mappings in each other", event.start_mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def load(path: Path) -> "Value":
    """The content of a YAML file.

    Raises:
        ProcessFileError: If it cannot be read, is longer than `MOST_BYTES`, or no plain data in YAML.
    """
    try:
        with path.open("rb") as file:
            found = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "there is no such name"
        raise ProcessFileError(f"{path}: expected a process file, cannot read it: {reason}") from None
    if len(found) > MOST_BYTES:
        raise ProcessFileError(f"{path}: expected a process file of at most {MOST_BYTES} bytes, got more")
    try:
        return Value(_plain(found.decode("utf-8-sig")), "", path)
    except UnicodeDecodeError as error:
        raise ProcessFileError(f"{path}: expected text in UTF-8, byte {error.start} is not") from None
    except (_RefusedError, yaml.YAMLError, ValueError, OverflowError) as error:
        raise ProcessFileError(f"{path}: {_where(error)}{_reason(error)}") from None


def _where(error: Exception) -> str:
    mark = getattr(error, "mark", None) or getattr(error, "problem_mark", None)
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _reason(error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, yaml.composer.ComposerError) and "single document" in str(error.context):
        return "expected a single YAML document, got several"
    if isinstance(error, yaml.reader.ReaderError):
        return f"this is not YAML, character {error.position} cannot be printed"
    # of a \U escape that is no character, PyYAML says nothing
    reason = getattr(error, "problem", None) or "an escape is out of range"
    return f"this is not YAML, {' '.join(str(reason).split())} (a text with special characters needs quotes)"


def _plain(text: str) -> Any:
    """The content of a text in YAML."""
    loader = _Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return None if node is None else _content(node)
    finally:
        loader.dispose()


def _content(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node.value) if node.style is None else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_content(part) for part in node.value]
    content: dict[str, Any] = {}
    for key, value in node.value:
        name = _content(key)
        if not isinstance(name, str):
            raise _RefusedError(f"expected a text as key, got {shown(name)} (quotes make a text)", key.start_mark)
        if name in content:
            raise _RefusedError(f"expected each key once, {quoted(name)} comes twice", key.start_mark)
        content[name] = _content(value)
    return content


def _scalar(text: str) -> Any:
    """What a word without quotes is."""
    if text in NOTHING:
        return None
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    if NUMBER.fullmatch(text) and not LEADING_ZERO.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def shown(content: Any) -> str:
    """A value as an error quotes it, short and on one line."""
    match content:
        case None:
            return "nothing"
        case bool():
            return str(content).lower()
        case int() | float():
            return f"the number {content!r}"
        case str():
            return f"the text {quoted(content)}"
    what = "mapping" if isinstance(content, dict) else "list"
    return f"a {what} of {len(content)}" if content else f"an empty {what}"


def closest(name: str, known: Collection[str]) -> str:
    """Which of the known names was perhaps meant, for an error."""
    by_lower_case = {other.lower(): other for other in known}
    found = difflib.get_close_matches(name[:MOST_SHOWN].lower(), by_lower_case, n=1)
    return f" (did you mean {by_lower_case[found[0]]}?)" if found else ""


@dataclass(frozen=True)
class Value:
    """A part of a file that is taken as what it should be; all methods raise `ProcessFileError` if it is not.

    Args:
        content: Mapping, list, text, number, true or false; None if nothing stands there.
        key: Where it stands, such as ``regions[2].edges``; empty for all of the file.
        file: The file.
    """

    content: Any
    key: str
    file: Path

    def error(self, problem: str) -> ProcessFileError:
        """The error to raise, with file and key."""
        return ProcessFileError(f"{self.file}: {self.key}: {problem}" if self.key else f"{self.file}: {problem}")

    def expected(self, what: str) -> ProcessFileError:
        """The error to raise if it is something else."""
        return self.error(f"expected {what}, got {shown(self.content)}")

    def inside(self, name: str, content: Any) -> "Value":
        """A value of this mapping."""
        key = name if name.isprintable() and len(name) <= MOST_SHOWN else quoted(name)
        return Value(content, f"{self.key}.{key}" if self.key else key, self.file)

    def entries(self) -> dict[str, "Value"]:
        """The values of a mapping whose keys are names of the user's own."""
        if not isinstance(self.content, dict) or not self.content:
            raise self.expected("a mapping")
        for name in self.content:
            if not name.strip() or not name.isprintable():
                raise self.error(f"expected names of printable characters as keys, got {quoted(name)}")
        return {name: self.inside(name, content) for name, content in self.content.items()}

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, "Value"]:
        """The values of a mapping with known keys."""
        if not isinstance(self.content, dict):
            raise self.expected(f"a mapping with some of {', '.join(known)}")
        for name, content in self.content.items():
            if name not in known:
                there_are = ", ".join(known)
                raise self.inside(name, content).error(
                    f"unknown key{closest(name, known)}, expected one of {there_are}"
                )
        for name in required:
            if name not in self.content:
                raise self.inside(name, None).error("expected this key, got nothing")
        return {name: self.inside(name, content) for name, content in self.content.items()}

    def items(self, what: str) -> list["Value"]:
        """The values of a list."""
        if not isinstance(self.content, list) or not self.content:
            raise self.expected(f"a list of {what}")
        return [Value(content, f"{self.key}[{k}]", self.file) for k, content in enumerate(self.content)]

    def one_or_more(self, what: str) -> list["Value"]:
        """The values of a list, or a single one that is no list."""
        return self.items(what) if isinstance(self.content, list) else [self]

    def text(self, what: str = "a text") -> str:
        """A text on one line."""
        if not isinstance(self.content, str):
            hint = " (quotes make it a text)" if isinstance(self.content, int | float) else ""
            raise self.error(f"expected {what}, got {shown(self.content)}{hint}")
        if not self.content.strip() or not self.content.isprintable():
            raise self.expected(f"{what} of printable characters on one line")
        return self.content.strip()

    def names(self) -> tuple[str, ...]:
        """A list of different names."""
        return different([(item, item.text("a name")) for item in self.items("names")])

    def choice(self, known: Collection[str]) -> str:
        """One of a few texts."""
        if not isinstance(self.content, str) or self.content not in known:
            hint = closest(self.content, known) if isinstance(self.content, str) else ""
            raise self.error(f"expected one of {', '.join(known)}, got {shown(self.content)}{hint}")
        return self.content

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.content, bool):
            raise self.expected("true or false")
        return self.content

    def number(self, *, is_finite: bool = True) -> float:
        """A number, never NaN."""
        if isinstance(self.content, int | float) and not isinstance(self.content, bool):
            value = float(self.content)
            if math.isfinite(value) or (math.isinf(value) and not is_finite):
                return value
        raise self.expected("a finite number" if is_finite else "a number")

    def whole(self, least: int) -> int:
        """A whole number, which may be written as 1e5."""
        value = self.content
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value < 2**53 and value % 1 == 0:
            return int(value)
        raise self.expected(f"a whole number of at least {least}")


def different(found: list[tuple[Value, str]]) -> tuple[str, ...]:
    """Texts with where they stand, without where they stand.

    Raises:
        ProcessFileError: If a text comes twice.
    """
    seen: set[str] = set()
    for value, text in found:
        if text in seen:
            raise value.error(f"expected each once, {quoted(text)} comes twice")
        seen.add(text)
    return tuple(text for _, text in found)
