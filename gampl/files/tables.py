"""Tables of events: named columns, as numbers of each event or as the momenta of particles."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, one_per_event
from gampl.files.layout import COORDINATE_SETS, Layout, coordinate
from gampl.files.source import OpenFile

WEIGHT = "weight"
Batch = dict[str, NDArray[Any]]


class Column(NamedTuple):
    """Numbers of some events, or four for each of their particles."""

    numbers: NDArray[Any]  # one per event, or those of all lists one after the other; particles: shape (total, 4)
    counts: NDArray[np.intp] | None = None  # lengths of the lists, shape (n,); None for one number per event


class Table(NamedTuple):
    """An open file with named columns."""

    columns: Mapping[str, bool | None]  # whether a column has a list of numbers for each event; None without numbers
    read: Callable[[Sequence[str]], Iterator[Mapping[str, Column]]]  # columns of some names, some events at a time


Found = tuple[Mapping[Any, Column], Mapping[str, NDArray[Any]]]  # particles by their source, further numbers by name


def numbers(file: OpenFile, table: Table, names: Sequence[str]) -> Iterator[Batch]:
    """Columns with one number per event as float64, labels as they come; some events at a time.

    Raises:
        EventFileError: If a column is missing, or has something else.
    """
    for name in names:
        if name not in table.columns:
            raise file.error(f"has no column {name!r}; it has {_some(table.columns)}")
    for columns in table.read(names):
        if lists := [name for name, column in columns.items() if column.counts is not None]:
            raise file.error(f"column {lists[0]!r} has lists, expected one number per event")
        yield {
            name: values if name in file.labels else one_per_event(file.path, name, values, len(values))
            for name, (values, _) in columns.items()
        }


def chunks(file: OpenFile, table: Table) -> Iterator[Chunk]:
    """Momenta, from the columns that hold the coordinates of particles.

    Raises:
        EventFileError: If columns are missing or do not go together, or an event has too few or too many particles.
    """
    numeric = {name: has_lists for name, has_lists in table.columns.items() if has_lists is not None}
    sources, coordinates, momenta = _locate(file, numeric)
    further = further_columns(file.layout, numeric)
    for name in further.values():
        if numeric.get(name, True):
            raise file.error(f"expected a column {name!r} with one number per event; it has {_some(numeric)}")

    def found() -> Iterator[Found]:
        needed = dict.fromkeys([*(name for four in momenta.values() for name in four), *further.values()])
        for columns in table.read(list(needed)):
            particles = {source: _stacked(file, four, columns) for source, four in momenta.items()}
            yield particles, {name: columns[column].numbers for name, column in further.items()}

    return gathered(file, tuple(file.layout.particles) or sources, sources, coordinates, found())


def _locate(
    file: OpenFile, columns: Mapping[str, bool]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, tuple[str, ...]]]:
    """For each particle its source, the coordinates, and for each source the columns that hold these."""
    layout = file.layout
    pattern = re.escape(layout.column).replace(re.escape("{particle}"), "(?P<particle>.+)")
    pattern = pattern.replace(re.escape("{coordinate}"), "(?P<coordinate>[A-Za-z]+)")
    named: dict[tuple[str, str], str] = {}  # source and coordinate -> column
    for column in columns:
        match = re.fullmatch(pattern, column)
        if match and (name := coordinate(match["coordinate"])):
            named.setdefault((match["particle"], name), column)
    sources = tuple(map(str, layout.sources or layout.particles))
    if not sources:
        sources = tuple(source for source, n in Counter(source for source, _ in named).items() if n > 1)
        lists = [source for (source, _), column in named.items() if source in sources and columns[column]]
        if lists or not sources:
            example = layout.column.format(particle=lists[0] if lists else "b1", coordinate="pT")
            raise file.error(
                f"the columns {_some(columns)} do not tell the particles, expected Layout(particles=...) with columns"
                f" such as {example}"
            )
    different = dict.fromkeys(sources)
    choices = (layout.coordinate_names,) if layout.coordinate_names else COORDINATE_SETS
    gaps = [[place for place in product(different, choice) if place not in named] for choice in choices]
    missing, choice = min(zip(gaps, choices, strict=True), key=lambda pair: len(pair[0]))  # the first without gaps
    if missing:
        column = layout.column.format(particle=missing[0][0], coordinate=missing[0][1])
        raise file.error(
            f"no column {column!r} with numbers, expected {','.join(choice)} of {', '.join(different)};"
            f" it has {_some(columns)}"
        )
    return sources, choice, {source: tuple(named[source, name] for name in choice) for source in different}


def further_columns(layout: Layout, columns: Mapping[str, Any]) -> dict[str, str]:
    """Name of each further number of an event, and of its column in a file with some columns."""
    further = {name: name for name in layout.keep}
    if layout.weight is not None or WEIGHT in columns:
        further[WEIGHT] = layout.weight or WEIGHT
    return further


def _some(columns: Mapping[str, Any]) -> str:
    names = list(columns)
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "none with numbers"


def _stacked(file: OpenFile, four: Sequence[str], columns: Mapping[str, Column]) -> Column:
    """Four columns as one, a particle in each event or lists of them."""
    first, *others = (columns[column] for column in four)
    for column, other in zip(four[1:], others, strict=True):
        if first.counts is None or other.counts is None:
            same = first.counts is other.counts and len(other.numbers) == len(first.numbers)
        else:
            same = np.array_equal(first.counts, other.counts)
        if not same:
            raise file.error(f"columns {four[0]!r} and {column!r} have lists of different lengths, expected the same")
    return Column(np.stack([columns[column].numbers for column in four], axis=-1), first.counts)


def gathered(
    file: OpenFile,
    particles: tuple[str, ...],
    sources: Sequence[Any],
    coordinates: Sequence[str],
    parts: Iterator[Found],
) -> Iterator[Chunk]:
    """Each particle of an event: the next entry, each time that its source occurs, of the source's list.

    Hardest entries come first unless the layout wants the file's order; zeros stand for those that are absent.

    Raises:
        EventFileError: If there are fewer or more entries than particles, and the layout does not allow for it.
    """
    ranks = [sources[:k].count(source) for k, source in enumerate(sources)]
    first = 0
    for particles_of, columns in parts:
        taken = {
            source: _take(file, first, source, some, sources.count(source), coordinates)
            for source, some in particles_of.items()
        }
        values = np.stack([taken[source][:, rank] for source, rank in zip(sources, ranks, strict=True)], axis=1)
        yield Chunk(values, particles, coordinates, file.layout.unit or "GeV", columns)
        first += len(values)


def _take(
    file: OpenFile, first: int, source: Any, particles: Column, n: int, coordinates: Sequence[str]
) -> NDArray[Any]:
    """The first n entries of each event, shape (events, n, 4); the events are numbered from `first` on."""
    layout, (entries, counts) = file.layout, particles
    if counts is None:
        counts = np.ones(len(entries), dtype=np.intp)
    wrong = (counts < n) & (not layout.absent) | (counts > n) & (not layout.further)
    if wrong.any():
        event = int(np.argmax(wrong))
        name = source if isinstance(source, str) else f"PDG id {' or '.join(map(str, source))}"
        cure = "absent" if counts[event] < n else "further"
        raise file.error(
            f"event {first + event} (counted from 0) has {counts[event]} entries of {name},"
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
