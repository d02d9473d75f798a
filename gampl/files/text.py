"""Tables of numbers as text: CSV and the like, compressed or not."""

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from gampl.files.checks import EventFileError

BLOCK = 1 << 22  # bytes that are parsed at once; the library reads many of them ahead
_SEPARATORS = (",", ";", "\t", " ")
_MOST_BEFORE_ROWS = 1000  # lines of comments


@dataclass(frozen=True)
class TextTable:
    """How a file of text is to be read.

    Attributes:
        path: The file.
        columns: Names of its columns: of the header, or of the last comment above the numbers, or x1, x2 and so on.
        separator: What stands between two numbers.
        skipped: Lines before the first row of numbers.
    """

    path: Path
    columns: tuple[str, ...]
    separator: str
    skipped: int

    @classmethod
    def open(cls, path: Path, names: Sequence[str] = ()) -> "TextTable":
        """Find out how a file is to be read, from its first lines.

        Args:
            path: The file.
            names: Names of the columns, for a file that does not say them.

        Raises:
            EventFileError: If it has no rows, or another number of columns than names.
        """
        comments, header, first = _first_lines(path)
        row = first or header
        if row is None:
            raise EventFileError(f"{path}: holds no rows of numbers, expected at least one")
        separator = max(_SEPARATORS, key=row.strip().count)
        fields = _fields(row, separator)
        if separator == " " and "  " in row.strip():
            raise EventFileError(f"{path}: has several spaces between two numbers, expected one comma, tab or space")
        said = () if header is None or _has_numbers(_fields(header, separator)) else _fields(header, separator)
        if said and first is None:
            raise EventFileError(f"{path}: holds no rows of numbers below the header {header!r}, expected at least one")
        if names and said and tuple(names) != said:
            raise EventFileError(f"{path}: says that its columns are {', '.join(said)}, expected {', '.join(names)}")
        above = tuple(comments[-1].lstrip("# ").replace(",", " ").split()) if comments else ()
        columns = tuple(names) or said or (above if len(above) == len(fields) else ())
        columns = columns or tuple(f"x{k + 1}" for k in range(len(fields)))
        if len(columns) != len(fields):
            raise EventFileError(f"{path}: has {len(fields)} columns, expected {len(columns)}: {', '.join(columns)}")
        if len(set(columns)) < len(columns):
            raise EventFileError(f"{path}: expected columns with different names, got {', '.join(columns)}")
        return cls(path, columns, separator, len(comments) + bool(said))

    def batches(self, wanted: Sequence[str], labels: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """The wanted columns, some rows at a time, as float64; those that are labels as texts.

        Raises:
            EventFileError: If a row has too few or too many fields, or one is no number; says which.
        """
        options = csv.ConvertOptions(
            include_columns=list(wanted),
            column_types={name: pa.string() if name in labels else pa.float64() for name in wanted},
            null_values=["", "NA", "null"],
        )
        try:
            with csv.open_csv(
                self.path,
                csv.ReadOptions(block_size=BLOCK, column_names=list(self.columns), skip_rows=self.skipped),
                csv.ParseOptions(delimiter=self.separator),
                options,
            ) as reader:
                for part in reader:
                    if sum(part.column(name).null_count for name in wanted):
                        raise EventFileError(f"{self.path}: has empty fields, expected a number in each")
                    yield {name: part.column(name).to_numpy(zero_copy_only=False) for name in wanted}
        except pa.ArrowInvalid as error:
            said = re.sub(r"In CSV column #(\d+)", lambda found: f"column {self.columns[int(found[1])]!r}", str(error))
            raise EventFileError(
                f"{self.path}: {said.partition(chr(10))[0].rstrip(', ')}; expected rows of {len(self.columns)} numbers"
            ) from None


def _first_lines(path: Path) -> tuple[list[str], str | None, str | None]:
    """Comments at the top, the line after them, and the line after that."""
    comments: list[str] = []
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="strict") as file:
            for line in file:
                if not line.startswith("#"):
                    second = file.readline().rstrip("\r\n")
                    return comments, line.rstrip("\r\n"), second or None
                comments.append(line.rstrip("\r\n"))
                if len(comments) > _MOST_BEFORE_ROWS:
                    break
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise EventFileError(f"{path}: cannot be read as text, expected a table of numbers ({error})") from None
    return comments, None, None


def _fields(line: str, separator: str) -> tuple[str, ...]:
    return tuple(field.strip().strip('"') for field in line.strip().split(separator))


def _has_numbers(fields: Sequence[str]) -> bool:
    """Whether one of them is a number, so that the line is no header."""
    number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
    return any(number.fullmatch(field) for field in fields)
