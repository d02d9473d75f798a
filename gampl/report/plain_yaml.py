"""YAML that a stranger may have written, read without surprises.

Of YAML only plain data is left: mappings with different keys, lists, texts, numbers, true and false. Tags, anchors,
aliases and several documents are refused, so nothing is ever run, and nothing grows beyond its size in the file.

Without quotes, words are texts as YAML 1.2 has it: ``no``, ``2024-01-01`` and ``12:30`` too, and ``010`` or ``0x1F``
are not numbers. ``1e5``, ``100_000`` and ``inf`` are numbers, the first two whole ones. Quotes make a text of anything.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from gampl.particles.grammar import MOST_SHOWN, quoted

MOST_BYTES = 100_000  # PyYAML needs a few seconds for so many
MOST_NESTED = 20
MOST_WHOLE = 2**53  # where floats begin to skip whole numbers
WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17}|[1-9][0-9]{0,2}(?:_[0-9]{3}){1,5})")
NUMBER = re.compile(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.?(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
# what msgspec calls types and limits
TYPES = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}
TYPES |= {"array": "a list", "object": "a mapping", "null": "nothing"}
MSGSPEC = (
    (r" matching regex .*", " on one line"),
    (r" of length >= ", " of length at least "),
    (r" >= ", " of at least "),
    (r" <= ", " of at most "),
)


class ProcessFileError(ValueError):
    """A process file that cannot be used, in one sentence: what was expected and what is there.

    Its ``place`` is a key, such as ``regions[2].edges``, or a line; empty for all of the file.
    """

    def __init__(self, place: str, problem: str, file: Path | None = None) -> None:
        self.file, self.place, self.problem = file, place, problem

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.file or ""), self.place, self.problem)))


class _Loader(yaml.SafeLoader):
    """Composes nodes of plain data only."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases, & and *, are refused (quotes make a text)", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags, which begin with !, are refused (quotes make a text)", event.start_mark)
        if self.depth == MOST_NESTED:
            raise _refused(f"expected at most {MOST_NESTED} lists and mappings in each other", event.start_mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refused(problem: str, mark: yaml.Mark | None) -> ProcessFileError:
    """An error at a place in the text."""
    return ProcessFileError("" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}", problem)


def load(path: Path) -> Any:
    """The content of a YAML file; its texts hold printable characters, tabs and line breaks only.

    A `ProcessFileError` if it cannot be read, is longer than `MOST_BYTES`, or is not plain data in YAML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "there is no such name"
        raise ProcessFileError("", f"expected a process file, cannot read it: {reason}") from None
    if len(content) > MOST_BYTES:
        raise ProcessFileError("", f"expected a process file of at most {MOST_BYTES} bytes, got more")
    try:
        node = _Loader(content.decode("utf-8-sig")).get_single_node()
        return None if node is None else _content(node)
    except ProcessFileError:
        raise
    except UnicodeDecodeError as error:
        raise ProcessFileError("", f"expected text in UTF-8, byte {error.start} is not") from None
    except yaml.composer.ComposerError as error:  # anchors and aliases never get there
        raise _refused("expected a single YAML document, got several", error.problem_mark) from None
    except yaml.reader.ReaderError as error:
        raise _refused(f"this is not YAML, character {error.position} cannot be printed", None) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # of a \U escape that is not a character, PyYAML says nothing
        reason = " ".join(str(getattr(error, "problem", None) or "an escape is out of range").split())
        problem = f"this is not YAML, {reason} (a text with special characters needs quotes)"
        raise _refused(problem, getattr(error, "problem_mark", None)) from None


def _content(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = _scalar(node.value) if node.style is None else node.value
        if isinstance(value, str) and not value.translate({ord("\n"): None, ord("\t"): None}).isprintable():
            raise _refused(f"expected printable characters, got {quoted(value)}", node.start_mark)
        return value
    if isinstance(node, yaml.SequenceNode):
        return [_content(part) for part in node.value]
    content: dict[str, Any] = {}
    for key, value in node.value:
        name = _content(key)
        if not isinstance(name, str):
            raise _refused(f"expected a text as key, got {shown(name)} (quotes make a text)", key.start_mark)
        if not name.strip() or not name.isprintable():
            raise _refused(f"expected a key on one line, got {quoted(name)}", key.start_mark)
        if name in content:
            raise _refused(f"expected each key once, {quoted(name)} comes twice", key.start_mark)
        content[name] = _content(value)
    return content


def _scalar(text: str) -> Any:
    """What a word without quotes is."""
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    if NUMBER.fullmatch(text) and not LEADING_ZERO.match(text):
        value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return int(value) if value.is_integer() and abs(value) < MOST_WHOLE else value
    return text


def shown(content: Any) -> str:
    """A value as an error quotes it, short and on one line."""
    if content is None:
        return "nothing"
    if isinstance(content, str):
        return f"the text {quoted(content)}"
    if isinstance(content, int | float):
        return str(content).lower() if isinstance(content, bool) else f"the number {content!r}"
    what = "mapping" if isinstance(content, dict) else "list"
    return f"a {what} of {len(content)}" if content else f"an empty {what}"


def take(kind: Any, content: Any, key: str = "") -> Any:
    """The content of a file at a key as what it should be, such as a class, or else a `ProcessFileError`."""
    if (known := getattr(kind, "__annotations__", None)) and isinstance(content, dict):
        check_keys(content, known, key)
    try:
        return msgspec.convert(content, kind, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        raise ProcessFileError(*_in_words(str(error), content, key)) from None


def check_keys(content: Mapping[str, Any], known: Collection[str], key: str) -> None:
    """Raises a `ProcessFileError` if a mapping has another key."""
    if unknown := [name for name in content if name not in known]:
        by_lower_case = {name.lower(): name for name in known}
        close = difflib.get_close_matches(unknown[0][:MOST_SHOWN].lower(), by_lower_case, n=1)
        hint = f" (did you mean {by_lower_case[close[0]]}?)" if close else ""
        raise ProcessFileError(inside(key, unknown[0]), f"unknown key{hint}, expected one of {', '.join(known)}")


def _in_words(message: str, content: Any, key: str) -> tuple[str, str]:
    """The key that an error of msgspec is about and what is wrong there: what it says of types, and what stands there.

    Its errors have no fields; they end with where the value is, as in "Expected `int`, got `str` - at `$.edges[0]`".
    """
    problem, _, place = message.partition(" - at `$")
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", place):
        content = content[name or int(index)]
        key = inside(key, name) if name else f"{key}[{index}]"
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", problem):
        return inside(key, missing[1]), "expected this key, got nothing"
    if not problem.startswith("Expected `"):
        return key, problem  # of one of our own classes
    expected = problem.removeprefix("Expected ").partition(", got ")[0]
    for pattern, words in MSGSPEC:
        expected = re.sub(pattern, words, expected)
    expected = re.sub(r"`(.*)`", lambda types: " or ".join(TYPES[name] for name in types[1].split(" | ")), expected)
    hint = " (quotes make it a text)" if expected.startswith("a text") and isinstance(content, int | float) else ""
    return key, f"expected {expected}, got {shown(content)}{hint}"


def inside(key: str, name: str) -> str:
    """The key of an entry of a mapping."""
    name = name if len(name) <= MOST_SHOWN else quoted(name)
    return f"{key}.{name}" if key else name
