"""Tables that Arrow reads: Parquet, and numbers as text, such as CSV, compressed or not."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from gampl.files.source import Names, OpenFile
from gampl.files.tables import Column, Table

BLOCK = 1 << 22  # bytes that are parsed at a time; the library reads many of them ahead
_SEPARATORS = (",", ";", "\t", " ")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
_MOST_BEFORE_ROWS = 1000  # lines, comments and a header


@contextmanager
def parquet_table(source: OpenFile) -> Iterator[Table]:
    """Columns with a number, or a list of numbers, for each event."""
    with pq.ParquetFile(source.location, page_checksum_verification=True) as file:
        _check_end(source, file.metadata)

        def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
            for part in file.iter_batches(batch_size=source.rows, columns=list(names)):
                yield {name: _column(part.column(name)) for name in names}

        yield Table({field.name: _has_lists(field.type) for field in file.schema_arrow}, read)


def _check_end(source: OpenFile, metadata: Any) -> None:
    """Refuses a file behind another, of which the library reads the last one's footer and the first one's numbers."""
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    columns = [group.column(k) for group in groups for k in range(group.num_columns)]
    ends = [
        min(c.data_page_offset, c.dictionary_page_offset or c.data_page_offset) + c.total_compressed_size
        for c in columns
    ]
    source.stream.seek(-8, 2)
    footer = source.stream.tell() - int.from_bytes(source.stream.read(4), "little")
    source.stream.seek(max(ends, default=4))
    if b"PAR1" in source.stream.read(max(footer - source.stream.tell(), 0)):  # indices lie here, which are small
        raise source.error("has bytes before or after its table, expected one file, not several joined")


def _has_lists(kind: Any) -> bool | None:
    """Whether a column has lists of numbers, or one number per event; None if it has neither."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    number = kind.value_type if lists else kind
    if pa.types.is_floating(number) or pa.types.is_integer(number) or pa.types.is_boolean(number):
        return lists
    return None


def _column(values: Any) -> Column:
    values.validate(full=True)
    if not _has_lists(values.type):
        return Column(values.to_numpy(zero_copy_only=False))  # what is null becomes NaN, which the checks refuse
    counts = values.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return Column(values.flatten().to_numpy(zero_copy_only=False), counts.astype(np.intp))


@contextmanager
def text_table(source: OpenFile) -> Iterator[Table]:
    """Columns with the names of the header, or of the last comment above the numbers, or x1, x2 and so on."""
    comments, header, first = _first_lines(source)
    row = first or header
    if row is None:
        raise source.error("holds no rows of numbers, expected at least one")
    separator = max(_SEPARATORS, key=row.strip().count)
    if separator == " " and "  " in row.strip():
        raise source.error("has several spaces between two numbers, expected one comma, tab or space")
    own = _fields(header or "", separator)
    # as pandas writes columns without names: a header, but no names
    is_counted = len(own) > 1 and first is not None and own == tuple(map(str, range(len(own))))
    if any(_NUMBER.fullmatch(field) for field in own):
        own = ()
    if own and first is None:
        raise source.error(f"holds no rows of numbers below the header {header!r}, expected at least one")
    if source.names and own and source.names != own:
        raise source.error(f"says that its columns are {', '.join(own)}, expected {', '.join(source.names)}")
    n = len(_fields(row, separator))
    above = tuple(comments[-1].lstrip("# ").replace(",", " ").split()) if comments else ()
    columns = source.column_names(n, own or (above if len(above) == n else ()))
    if len(set(columns)) < n:
        raise source.error(f"expected columns with different names, got {', '.join(columns)}")

    def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
        types = {name: pa.string() if name in source.labels else pa.float64() for name in names}
        try:
            with csv.open_csv(
                # by its path: Python would crash if it ended while the library reads ahead in a file of Python's
                pa.input_stream(source.location, compression="gzip" if source.is_packed else None),
                csv.ReadOptions(
                    block_size=BLOCK, column_names=list(columns), skip_rows=len(comments) + (bool(own) or is_counted)
                ),
                csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                csv.ConvertOptions(include_columns=list(names), column_types=types, null_values=["", "NA", "null"]),
            ) as reader:
                for part in reader:
                    if sum(part.column(name).null_count for name in names):
                        raise source.error("has empty fields, expected a number in each")
                    yield {name: Column(part.column(name).to_numpy(zero_copy_only=False)) for name in names}
        except pa.ArrowInvalid as error:
            reason = re.sub(r"In CSV column #(\d+)", lambda match: f"column {columns[int(match[1])]!r}", str(error))
            raise source.error(f"{reason.partition(chr(10))[0].rstrip(', ')}; expected rows of {n} numbers") from None

    yield Table(dict.fromkeys(columns, False), read)


def _first_lines(source: OpenFile) -> tuple[list[str], str | None, str | None]:
    """Comments at the top, the line after them, and the line after that."""
    with io.TextIOWrapper(cast("Any", source.unpacked()), encoding="utf-8-sig", errors="replace") as text:
        lines = [line.rstrip("\r\n") for line in islice(text, _MOST_BEFORE_ROWS)]
    comments = list(takewhile(lambda line: line.startswith("#"), lines))
    below = lines[len(comments) :]
    header, first, *_ = *below[:1], *filter(str.strip, below[1:]), None, None
    return comments, header, first or None


def _fields(line: str, separator: str) -> Names:
    return tuple(field.strip().strip('"') for field in line.strip().split(separator))
