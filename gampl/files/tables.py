"""Tables of events: named columns, as numbers of each event or as the momenta of particles."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import COORDINATE_SETS, Layout, OpenFile, coordinate

WEIGHT = "weight"
Batch = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers of some events.

    Args:
        numbers: One per event, or those of all lists one after the other.
        counts: Lengths of the lists, shape (n,); None for one number per event.
    """

    numbers: NDArray[Any]
    counts: NDArray[np.intp] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """An open file with named columns.

    Args:
        columns: Name of each column, and whether it has a list of numbers for each event; None if it has no numbers.
        read: Yields the columns of some names, some events at a time.
    """

    columns: Mapping[str, bool | None]
    read: Callable[[Sequence[str]], Iterator[Mapping[str, Column]]]


def numbers(file: OpenFile, table: Table, names: Sequence[str]) -> Iterator[Batch]:
    """Columns with one number per event as float64, labels as they come; some events at a time.

    Raises:
        EventFileError: If a column is missing, or has something else.
    """
    for name in names:
        if name not in table.columns:
            raise EventFileError(f"{file.path}: has no column {name!r}; it has {_some(table.columns)}")
    for columns in table.read(names):
        if len({len(column.numbers) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column.numbers)}" for name, column in columns.items())
            raise EventFileError(f"{file.path}: columns have different lengths, {lengths}; expected the same")
        yield {
            name: column.numbers if name in file.labels else _one_per_event(file.path, name, column)
            for name, column in columns.items()
        }


def _one_per_event(path: Path, name: str, column: Column) -> NDArray[np.float64]:
    values = column.numbers
    if column.counts is not None or values.ndim != 1:
        content = "lists" if column.counts is not None else f"shape {values.shape}"
        raise EventFileError(f"{path}: column {name!r} has {content}, expected one number per event")
    if values.dtype.kind not in "fiub":
        raise EventFileError(f"{path}: column {name!r} holds {values.dtype}, expected numbers")
    return np.asarray(values, dtype=np.float64)


def chunks(file: OpenFile, table: Table) -> Iterator[Chunk]:
    """Momenta, from the columns that hold the coordinates of particles.

    Raises:
        EventFileError: If columns are missing or do not go together, or an event has too few or too many particles.
    """
    path, layout = file.path, file.layout
    numeric = {name: has_lists for name, has_lists in table.columns.items() if has_lists is not None}
    sources, coordinates, momenta = _locate(path, numeric, layout)
    further = further_columns(layout, numeric)
    for name in further.values():
        if numeric.get(name, True):
            raise EventFileError(
                f"{path}: expected a column {name!r} with one number per event; it has {_some(numeric)}"
            )
    needed = dict.fromkeys([*(name for four in momenta.values() for name in four), *further.values()])
    first = 0
    for columns in table.read(list(needed)):
        lists = {source: _lists(path, source, four, columns) for source, four in momenta.items()}
        values = gather(path, first, sources, lists, coordinates, layout)
        numbers = {name: columns[column].numbers for name, column in further.items()}
        particles = tuple(layout.particles) or sources
        chunk = Chunk(values, particles, coordinates, layout.unit or "GeV", numbers)
        first += len(chunk)
        yield chunk


def _locate(
    path: Path, columns: Mapping[str, bool], layout: Layout
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, tuple[str, ...]]]:
    """For each particle its source, the coordinates, and for each source the columns that hold these."""
    by_source = _by_source(columns, layout)
    sources = tuple(map(str, layout.sources or layout.particles))
    if not sources:
        sources = tuple(source for source, four in by_source.items() if len(four) > 1)
        lists = [source for source in sources if any(columns[c] for c in by_source[source].values())]
        if lists or not sources:
            example = layout.column.format(particle=lists[0] if lists else "b1", coordinate="pT")
            raise EventFileError(
                f"{path}: the columns {_some(columns)} do not tell the particles, expected"
                f" Layout(particles=...) with columns such as {example}"
            )

    def gaps(choice: tuple[str, ...]) -> list[str]:
        return [
            layout.column.format(particle=source, coordinate=name)
            for source in dict.fromkeys(sources)
            for name in choice
            if name not in by_source.get(source, {})
        ]

    choices = (layout.coordinate_names,) if layout.coordinate_names else COORDINATE_SETS
    choice = min(choices, key=lambda names: len(gaps(names)))  # the first without gaps, or what comes closest
    if missing := gaps(choice):
        raise EventFileError(
            f"{path}: no column {missing[0]!r} with numbers, expected {','.join(choice)} of"
            f" {', '.join(dict.fromkeys(sources))}; it has {_some(columns)}"
        )
    return sources, choice, {source: tuple(by_source[source][name] for name in choice) for source in sources}


def further_columns(layout: Layout, columns: Mapping[str, Any]) -> dict[str, str]:
    """Name of each further number of an event, and of its column in a file with some columns."""
    further = {name: name for name in layout.keep}
    if layout.weight is not None or WEIGHT in columns:
        further[WEIGHT] = layout.weight or WEIGHT
    return further


def _by_source(columns: Mapping[str, bool], layout: Layout) -> dict[str, dict[str, str]]:
    """For each source of which there are columns, their names by coordinate."""
    pattern = re.escape(layout.column)
    pattern = pattern.replace(re.escape("{particle}"), "(?P<particle>.+)")
    pattern = pattern.replace(re.escape("{coordinate}"), "(?P<coordinate>[A-Za-z]+)")
    by_source: dict[str, dict[str, str]] = {}
    for column in columns:
        match = re.fullmatch(pattern, column)
        name = coordinate(match["coordinate"]) if match else None
        if match and name:
            by_source.setdefault(match["particle"], {}).setdefault(name, column)
    return by_source


def _some(columns: Mapping[str, Any]) -> str:
    names = list(columns)
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "none with numbers"


class Lists(NamedTuple):
    """Lists of particles of some events."""

    name: str
    entries: NDArray[Any]  # four numbers each, one event after the other, shape (total, 4)
    counts: NDArray[np.intp]  # entries of each event, shape (n,)


def _lists(path: Path, name: str, four: Sequence[str], columns: Mapping[str, Column]) -> Lists:
    """What four columns hold, a particle in each event or lists of them."""
    first, *others = (columns[column].counts for column in four)
    entries = [columns[column].numbers for column in four]
    for column, counts, numbers in zip(four[1:], others, entries[1:], strict=True):
        if first is None or counts is None:
            same = first is counts and len(numbers) == len(entries[0])
        else:
            same = np.array_equal(first, counts)
        if not same:
            raise EventFileError(
                f"{path}: columns {four[0]!r} and {column!r} have lists of different lengths, expected the same"
            )
    stacked = np.stack(entries, axis=-1)
    return Lists(name, stacked, np.ones(len(stacked), dtype=np.intp) if first is None else first)


def gather(
    path: Path,
    first: int,
    sources: Sequence[Any],
    lists: Mapping[Any, Lists],
    coordinates: Sequence[str],
    layout: Layout,
) -> NDArray[Any]:
    """Particles of each event: each time that a source occurs, the next entry of its list.

    Hardest entries come first unless the layout wants the file's order; zeros stand for those that are absent.

    Args:
        path: File, for errors.
        first: Number of the first event, for errors.
        sources: For each particle.
        lists: By source.
        coordinates: Of the entries.
        layout: Says whether there may be fewer (``absent``) or more (``further``) entries than particles.

    Returns:
        Shape (n, particles, 4).

    Raises:
        EventFileError: If there are fewer or more entries than the layout allows.
    """
    taken = {
        source: _take(path, first, some, sources.count(source), coordinates, layout) for source, some in lists.items()
    }
    ranks = (sources[:k].count(source) for k, source in enumerate(sources))
    return np.stack([taken[source][:, rank] for source, rank in zip(sources, ranks, strict=True)], axis=1)


def _take(path: Path, first: int, lists: Lists, n: int, coordinates: Sequence[str], layout: Layout) -> NDArray[Any]:
    """The first n entries of each event, shape (events, n, 4)."""
    name, entries, counts = lists
    wrong = (counts < n) & (not layout.absent) | (counts > n) & (not layout.further)
    if wrong.any():
        event = int(np.argmax(wrong))
        cure = "absent" if counts[event] < n else "further"
        raise EventFileError(
            f"{path}: event {first + event} (counted from 0) has {counts[event]} entries of {name},"
            f" expected {n} (or Layout({cure}=True))"
        )
    events = np.repeat(np.arange(len(counts)), counts)
    if layout.order == "pT":
        by_name = dict(zip(coordinates, entries.T, strict=True))
        with np.errstate(all="ignore"):
            pt = by_name["pT"] if "pT" in by_name else np.hypot(by_name["px"], by_name["py"])
        # what is not a number comes first, where the checks see it
        entries = entries[np.lexsort((np.where(np.isnan(pt), -np.inf, -pt), events))]
    rank = np.arange(len(events)) - np.repeat(np.cumsum(counts) - counts, counts)
    taken = rank < n
    result = np.zeros((len(counts), n, 4), dtype=entries.dtype)
    result[events[taken], rank[taken]] = entries[taken]
    return result
