"""Parquet files of users' own events: a column of numbers, or of lists, for each coordinate of a particle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gampl.files.checks import Chunk
from gampl.files.layout import Layout
from gampl.files.tables import Column, assemble, plan


def chunks(path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """Chunks of at most `rows` events."""
    del sample
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        kinds = {field.name: _has_lists(field.type) for field in file.schema_arrow}
        where = plan(path, {name: lists for name, lists in kinds.items() if lists is not None}, layout)
        first = 0
        for part in file.iter_batches(batch_size=rows, columns=where.needed):
            columns = {name: _column(part.column(name)) for name in where.needed}
            chunk = assemble(path, first, columns, where, layout)
            first += len(chunk.values)
            yield chunk


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
