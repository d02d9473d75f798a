"""Tables of Arrow: Parquet and Feather."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from gampl.files.source import OpenFile
from gampl.files.tables import Column, Labels, Table

FEATHER, FEATHER_1 = b"ARROW1", b"FEA1"
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary)


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


@contextmanager
def feather_table(source: OpenFile) -> Iterator[Table]:
    """Columns of a Feather or Arrow file, which is read from the front, as its footer may be that of another file."""
    if source.start(4) == FEATHER_1:
        raise source.error("is of version 1 of Feather, expected version 2, as pandas.DataFrame.to_feather writes it")

    def opened(fields: Sequence[int] = ()) -> Any:
        source.stream.seek(8)  # behind the magic number
        return ipc.open_stream(source.stream, options=ipc.IpcReadOptions(included_fields=list(fields)))

    def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
        for part in opened([schema.get_field_index(name) for name in names]):
            columns = {name: part.column(name) for name in names}
            for rows in source.slices(part.num_rows):
                yield {name: _column(column[rows]) for name, column in columns.items()}
        end = source.stream.tell()
        source.stream.seek(-10, 2)
        size = source.stream.tell() - end
        if int.from_bytes(source.stream.read(4), "little") != size or source.stream.read() != FEATHER:
            raise source.error("does not end behind its table, expected one file, not several joined")

    schema = opened().schema
    yield Table({field.name: _has_lists(field.type) for field in schema}, read)


def _has_lists(kind: Any) -> bool | None:
    """Whether a column has lists of numbers, or one number per event; None if it has neither."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    number = kind.value_type if lists else kind
    if pa.types.is_floating(number) or pa.types.is_integer(number) or pa.types.is_boolean(number):
        return lists
    return None


def labels(values: Any) -> Labels:
    """Those of an array of texts or of a dictionary's; None for what is null."""
    coded = values.dictionary_encode()
    words = [*coded.dictionary.to_pylist(), None]
    return Labels(words, coded.indices.cast("int64").fill_null(len(words) - 1).to_numpy())


def _column(values: Any) -> Column:
    values.validate(full=True)
    is_coded = pa.types.is_dictionary(values.type)
    if any(is_text(values.type.value_type if is_coded else values.type) for is_text in TEXTS):
        return Column(labels(values))
    if is_coded:
        values = values.dictionary_decode()
    if not _has_lists(values.type):
        return Column(values.to_numpy(zero_copy_only=False))  # what is null becomes NaN, which the checks refuse
    counts = values.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return Column(values.flatten().to_numpy(zero_copy_only=False), counts.astype(np.intp))
