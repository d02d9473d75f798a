r"""Frames and series of pandas in HDF5, as ``to_hdf`` writes them in both of its formats.

Texts, categories and, in the format ``table``, names of columns are kept as pickled objects, which are never unpickled
here. Of names, what is a list of texts or whole numbers is read as the text that it is: ``(lp0\nVx\np1\naVy\np2\na.``
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gampl.files.arrays import Place, table_at
from gampl.files.inside import Inside
from gampl.files.source import EventFileError, OpenFile
from gampl.files.tables import Column, Table

_NAME = rb"(?:V([^\n]*)\np\d+|I(\d+))\na"
_NAMES = re.compile(rb"\(lp\d+\n(?:%s)*\." % _NAME)
_CURE = "expected numbers, written by to_hdf(..., format='table', data_columns=True) or to_parquet"
_NO_NUMBERS = (b"category", b"datetime", b"timedelta")
Item = tuple[str | int, Place | None]  # a column's name, and where it is, or None for what is not to be read


def is_frame(group: Inside) -> bool:
    """Whether pandas has written a group."""
    return "pandas_type" in group.group.attrs


def table(source: OpenFile, group: Inside) -> Table:
    """The columns of a frame by their names; x1, x2 and so on if pandas has counted them."""
    items = [*(_of_table(source, group) if group.is_dataset("table") else _of_blocks(source, group))]
    if not items:
        raise source.error(f"holds a frame of pandas without columns that can be read; {_CURE}")
    counted = sorted(name for name, _ in items if isinstance(name, int))
    if counted == [*range(len(items))]:
        own = source.column_names(len(items))
        items = [(own[int(name)], place) for name, place in items]
    places = {str(name): place for name, place in items}
    numbers = table_at(source, group, {name: place for name, place in places.items() if place is not None})

    def read(names: Sequence[str]) -> Iterator[Mapping[str, Column]]:
        if bad := [name for name in names if places[name] is None]:
            raise source.error(f"column {bad[0]!r} is kept by pandas as pickled objects, categories or times; {_CURE}")
        return numbers.read(names)

    return Table({name: None if place is None else False for name, place in places.items()}, read)


def _of_table(source: OpenFile, group: Inside) -> Iterator[Item]:
    """A field for each column, or one for several of a type."""
    rows = group.dataset("table")
    for field in rows.dtype.names or ():
        about = [rows.attrs.get(f"{field}_{what}", b"") for what in ("meta", "dtype")]
        is_number = not any(isinstance(text, bytes) and text.startswith(_NO_NUMBERS) for text in about)
        shape = rows.dtype[field].shape
        if shape:
            names = _names(source, rows.attrs.get(f"{field}_kind"))
            yield from ((name, ("table", field, (..., k)) if is_number else None) for k, name in enumerate(names))
        elif field != "index":
            yield field, ("table", field) if is_number else None


def _names(source: OpenFile, pickled: Any) -> list[str | int]:
    """A list of names, without unpickling it."""
    if not isinstance(pickled, bytes) or not _NAMES.fullmatch(pickled):
        raise source.error(f"holds a frame of pandas with pickled names of columns; {_CURE}")
    found = re.findall(_NAME, pickled)
    return [int(number) if number else text.decode("raw_unicode_escape") for text, number in found]


def _of_blocks(source: OpenFile, group: Inside) -> Iterator[Item]:
    """A matrix for all columns of a type, or the values of a series."""
    if group.is_dataset("values"):
        own = bytes(group.group.attrs.get("name", b"N."))  # None, pickled
        yield 0 if own == b"N." else own.decode(), _numbers(group, "values", ...)
    k = 0
    while f"block{k}_items" in group or f"block{k}_items_level0" in group:
        if f"block{k}_items" not in group:
            raise source.error(f"holds a frame of pandas whose columns have names of several levels; {_CURE}")
        items = group.dataset(f"block{k}_items")
        if items.dtype.kind not in "Siu" or items.ndim != 1:
            raise source.error(f"holds a frame of pandas with pickled names of columns; {_CURE}")
        for column, item in enumerate(items[:].tolist()):
            name = item.decode() if isinstance(item, bytes) else item
            yield name, _numbers(group, f"block{k}_values", (slice(None), column))
        k += 1


def _numbers(group: Inside, name: str, step: Any) -> Place | None:
    """A step into a dataset of numbers; the library says where these stand for something else."""
    about = group.dataset(name).attrs
    if "shape" in about:
        raise EventFileError(f"{group.path}: holds a frame of pandas without rows, expected at least one")
    return None if "value_type" in about else (name, step)
