"""Numbers as text: tables separated by commas, semicolons, tabs, bars or blanks, packed or not."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import IO, NamedTuple

import pyarrow as pa
from pyarrow import csv as arrow_csv

from gampl.basics import counted
from gampl.files.arrow import labels
from gampl.files.source import LARGEST_ROW, EventFileError, Names, OpenFile
from gampl.files.tables import Column, Table

BLOCK = 1 << 22  # bytes that are parsed at a time
_MOST_BEFORE_ROWS = 1000  # lines, comments and a header
_LINES, _LETTERS = 100, 1 << 16  # of a header and rows that are looked at
# by how decimals are written; the first of those that fit equally well. A blank stands for any number of them and tabs
_SEPARATORS = {".": (",", ";", "\t", " ", "|"), ",": (";", "\t", " ", "|", ",")}
_MARKS = ("#", "%", "//", "!")  # of comments
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
_WITH_COMMA = re.compile(r"[-+]?(\d*|\d{1,3}(\.\d{3})+),\d+([eE][-+]?\d+)?")
_FORTRAN = re.compile(r"[-+]?\d*\.\d*[dD][-+]?\d+")
_QUOTED = re.compile(rb'("(?<![^ \t\r\n]")(?:[^"]++|"")*+")')  # a field, from its beginning
_WHOLE = re.compile(r"[-+]?\d+")
_UNIT = re.compile(r"[kMGT]?eV(/c\^?2?)?|rad|deg|[mcn]?m|[np]?s|[mfp]b|1|-|[(\[].*[)\]]")
_SAY_WHICH = "say which it is: --decimal , or --decimal . (decimal=',' or '.')"


class _Head(NamedTuple):
    """How a text begins."""

    comments: Names  # without their marks
    lines: Sequence[str]  # a header, if there is one, and rows
    begins: Sequence[int]  # where these lines begin
    newline: bytes


@dataclass(frozen=True)
class _Form:
    """How its lines are divided into fields."""

    decimal: str
    separator: str

    def fields(self, line: str) -> Names:
        """Those of a line; quotes keep separators together, and are dropped."""
        text = line.strip(" ") if self.separator == "\t" else line.strip()
        if self.separator == " ":
            text = text.replace("\t", " ")
        if '"' in text:
            found = next(csv.reader([text], delimiter=self.separator, skipinitialspace=True), [])
        else:
            found = text.split() if self.separator == " " else text.split(self.separator)
        return tuple(field.strip() for field in found)

    def is_number(self, field: str) -> bool:
        """Whether a field is a number, however decimals are written."""
        return bool(_NUMBER.fullmatch(field) or (self.decimal == "," and _WITH_COMMA.fullmatch(field)))

    def fit(self, lines: Sequence[str]) -> float:
        """How well it fits: the share of numbers in the fields below the first line, if lines have equally many."""
        parts = [self.fields(line) for line in lines]
        below = [field for part in parts[1:] or parts for field in part]
        share = sum(map(self.is_number, below)) / max(len(below), 1)
        return share * Counter(map(len, parts)).most_common(1)[0][1] / len(lines)

    def is_sound(self, lines: Sequence[str]) -> bool:
        """Whether all lines have equally many fields, and commas in fields are for decimals if they are to be, or not.

        None is then in a header, and there is at least one.
        """
        parts = [self.fields(line) for line in lines]
        commas = [field for part in parts for field in part if "," in field]
        are_decimals = [bool(_WITH_COMMA.fullmatch(field)) for field in commas]
        if len(set(map(len, parts))) > 1:
            return False
        return not any(are_decimals) if self.decimal == "." else bool(commas) and all(are_decimals)


@contextmanager
def table(source: OpenFile) -> Iterator[Table]:
    """Columns with the names of the header, or of a comment above the numbers, or x1, x2 and so on."""
    head = _head(source)
    if not head.lines:
        raise source.error(f"holds no rows of numbers in its first {_MOST_BEFORE_ROWS} lines, expected at least one")
    form = _form(source, head)
    own, rows = _header(source, form, head)
    if not rows:
        raise source.error(f"holds no rows of numbers below the header {head.lines[0]!r}, expected at least one")
    named = tuple(name for name in own if name)
    if source.names and own and source.names not in (own, named):
        raise source.error(f"says that its columns are {', '.join(own)}, expected {', '.join(source.names)}")
    n = len(form.fields(rows[0]))
    columns = source.column_names(n, own or source.names or _names_above(form, head.comments, n))
    if len(set(named)) < len(named):
        raise source.error(f"expected columns with different names, got {', '.join(columns)}")
    begin = head.begins[len(head.lines) - len(rows)]

    def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
        types = {name: pa.string() if name in source.labels else pa.float64() for name in names}
        n_read = 0
        with source.unpacked() as stream:
            stream.read(begin)
            for block in _blocks(source, stream, head.newline):
                content = _without_spare_blanks(block) if form.separator == " " else block
                if not content.strip():
                    continue
                try:
                    part = arrow_csv.read_csv(
                        pa.BufferReader(content),
                        arrow_csv.ReadOptions(block_size=len(content) + 1, column_names=columns, use_threads=False),
                        arrow_csv.ParseOptions(delimiter=form.separator, newlines_in_values=True),
                        arrow_csv.ConvertOptions(
                            include_columns=list(names),
                            column_types=types,
                            null_values=["", "NA", "null"],
                            decimal_point=form.decimal,
                        ),
                    )
                except pa.ArrowInvalid as error:
                    raise _refused(source, form, columns, n_read, content, error) from None
                lines = filter(bytes.strip, content.split(head.newline)) if content.count(b'"') % 2 else ()
                if part.num_rows < len([*lines]):
                    raise source.error(f"has a quote that does not close, in row {n_read + part.num_rows} or before it")
                if sum(part.column(name).null_count for name in names):
                    raise source.error("has empty fields, expected a number in each")
                whole = {name: part.column(name).combine_chunks() for name in names}
                yield {
                    name: Column(labels(values) if name in source.labels else values.to_numpy())
                    for name, values in whole.items()
                }
                n_read += part.num_rows

    yield Table(dict.fromkeys(columns, False), read)


def _head(source: OpenFile) -> _Head:
    with source.unpacked() as stream:
        content = stream.read(BLOCK)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise source.error("is text in UTF-16, expected UTF-8")
    newline = b"\n" if b"\n" in content or b"\r" not in content else b"\r"
    begin = 3 * content.startswith(b"\xef\xbb\xbf")  # a mark of UTF-8
    parts = content[begin:].split(newline, _MOST_BEFORE_ROWS)
    if len(content) == BLOCK or len(parts) > _MOST_BEFORE_ROWS:
        parts = parts[:-1]  # which is not whole
    begins = accumulate((len(part) + 1 for part in parts), initial=begin)
    texts = (part.decode(errors="replace").rstrip("\r\n") for part in parts)
    lines = [(at, line) for line, at in zip(texts, begins, strict=False) if line.strip()]
    comments = [line.lstrip("#%/! \t") for _, line in takewhile(lambda part: _is_comment(part[1]), lines)]
    below = lines[len(comments) :]
    while len(below) > 1 and _is_comment(below[1][1]):  # below a header
        del below[1]
    letters = accumulate(len(line) for _, line in below)
    below = below[: max(2, min(_LINES, sum(n < _LETTERS for n in letters)))]
    return _Head(tuple(comments), [line for _, line in below], [at for at, _ in below], newline)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_MARKS)


def _form(source: OpenFile, head: _Head) -> _Form:
    """The form that fits best; an EventFileError if it must be asked whether a comma is for decimals."""
    best: dict[str, _Form] = {}
    for decimal in [source.decimal] if source.decimal else [*_SEPARATORS]:
        forms = [_Form(decimal, separator) for separator in _SEPARATORS[decimal]]
        best[decimal] = max(forms, key=lambda form: form.fit(head.lines))
    if source.decimal or not best[","].is_sound(head.lines):
        return best[source.decimal or "."]
    row = next(line for line in reversed(head.lines) if "," in line)
    if not best["."].is_sound(head.lines):
        raise source.error(f"has rows such as {row!r}, which seem to have decimal commas; {_SAY_WHICH}")
    n, fewer = (len(form.fields(row)) for form in best.values())
    if len(source.names) == n or (not source.names and _names_above(best["."], head.comments, n)):
        return best["."]
    raise source.error(f"has rows such as {row!r}, {n} numbers or {fewer} with decimal commas; {_SAY_WHICH}")


def _header(source: OpenFile, form: _Form, head: _Head) -> tuple[Names, Sequence[str]]:
    """The names that stand in the first line, and the rows; an EventFileError if it may be either."""
    first, *below = map(form.fields, head.lines)
    rows, size = head.lines[1:], len(first)
    columns = [*zip(*below, strict=False)]
    if form.separator == " " and size + 1 == len(columns) and columns[0] == tuple(map(str, range(len(below)))):
        first = ("", *first)  # above the rows' numbers, as pandas prints them
    if wrong := _FORTRAN.search(head.lines[0]):
        raise source.error(f"has numbers such as {wrong[0]}, expected exponents with e instead of d, as in 1e-3")
    if not any(map(form.is_number, first)):
        return first, rows
    numbers = first if first[0] else first[1:]
    if not all(map(_WHOLE.fullmatch, numbers)) or not below:
        return (), head.lines
    # a header, as pandas writes it for columns without names, or a row
    is_counted = numbers == tuple(map(str, range(len(numbers))))
    broken = [not any(map(_WHOLE.fullmatch, column)) for column in columns[-len(numbers) :]]
    if is_counted and any(broken) and (len(numbers) > 1 or (len(below) > 10 and not head.comments)):
        return () if first == numbers else ("", *(f"x{k + 1}" for k in range(len(numbers)))), rows
    if not head.comments and (is_counted or all(broken)):
        cure = "put # in front of it if it is one, or a line with # above it if it is not"
        raise source.error(f"begins with {head.lines[0]!r}, which may be a header or an event; {cure}")
    return (), head.lines


def _names_above(form: _Form, comments: Names, n: int) -> Names:
    """The n names in a comment, also behind a word such as ``columns:``; the last that fits, but for units."""
    fitting = []
    for comment in comments:
        text = re.sub(r"^\w+:", "", comment).strip()
        own = form.separator != " " and form.separator in text
        words = form.fields(text) if own else tuple(text.replace(",", " ").split())
        if len(set(words)) == len(words) == n and not any(map(form.is_number, words)):
            fitting.append(words)
    names = [words for words in fitting if not all(map(_UNIT.fullmatch, words))] or fitting[:1]
    return names[-1] if names else ()


def _blocks(source: OpenFile, stream: IO[bytes], newline: bytes) -> Iterator[bytes]:
    """The rows, some at a time."""
    rest = b""
    while block := stream.read(BLOCK):
        rest += block
        end = _end(rest, newline)
        if end:
            yield rest[:end]
        rest = rest[end:]
        if len(rest) > LARGEST_ROW:
            raise source.error(f"has a row of more than {LARGEST_ROW} bytes, expected newlines and quotes that close")
    yield rest


def _end(content: bytes, newline: bytes) -> int:
    """Where the last whole row ends: behind the last newline that is not in quotes; 0 if there is none."""
    end, is_in_quotes = len(content), content.count(b'"') % 2 == 1
    while True:
        quote = content.rfind(b'"', 0, end)
        if not is_in_quotes and (found := content.rfind(newline, quote + 1, end)) >= 0:
            return found + 1
        if quote < 0:
            return 0
        end, is_in_quotes = quote, not is_in_quotes


def _without_spare_blanks(block: bytes) -> bytes:
    """The same rows with single blanks between their fields, and none around them; in quotes all are kept."""
    parts = _QUOTED.split(block)
    parts[::2] = [re.sub(rb" ?([\r\n]) ?", rb"\1", re.sub(rb"[ \t]{2,}|\t", b" ", part)) for part in parts[::2]]
    return b"".join(parts).strip(b" ")


def _refused(
    source: OpenFile, form: _Form, columns: Names, n_read: int, content: bytes, error: Exception
) -> EventFileError:
    """What the parser says, with names of columns, and rows counted from the file's first."""
    reason = re.sub(r"In CSV column #(\d+)", lambda match: f"column {columns[int(match[1])]!r}", str(error))
    reason = re.sub(r"[Rr]ow #(\d+)", lambda match: f"row {n_read + int(match[1])}", reason)
    commas = rb"\d,\d" if form.separator != "," else rb'"[-+]?\d*,\d+"'
    hint = f"; if its numbers have decimal commas, {_SAY_WHICH}" * bool(re.search(commas, content))
    return source.error(
        f"{reason.partition(chr(10))[0].rstrip(', ')}; expected rows of {counted(len(columns), 'number')}{hint}"
    )
