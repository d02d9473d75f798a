"""Tables of events: which columns hold which coordinate of which particle, for Parquet and ROOT."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import COORDINATE_SETS, Layout, coordinate
from gampl.files.lists import in_order, take

WEIGHT = "weight"


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers of some events.

    Args:
        numbers: One per event, or those of all lists one after the other.
        counts: Lengths of the lists, shape (n,); None for one number per event.
    """

    numbers: NDArray[Any]
    counts: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class Plan:
    """Where everything is.

    Args:
        particles: Their names.
        sources: For each particle, the name that its columns have.
        coordinates: What the four numbers of a particle are.
        momenta: For each source, the columns of the four coordinates.
        columns: For each further number of an event, its column.
    """

    particles: tuple[str, ...]
    sources: tuple[str, ...]
    coordinates: tuple[str, ...]
    momenta: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]

    @property
    def needed(self) -> list[str]:
        """Names of all columns that must be read, each once."""
        return list(dict.fromkeys([c for four in self.momenta.values() for c in four] + list(self.columns.values())))


def plan(path: Path, columns: Mapping[str, bool], layout: Layout) -> Plan:
    """Finds the columns.

    Args:
        path: File, for errors.
        columns: Name of each column with numbers, and whether it has a list of them for each event.
        layout: What the user says.

    Raises:
        EventFileError: If a column is missing, or the particles cannot be told from the names.
    """
    found = _by_source(columns, layout)
    sources = tuple(map(str, layout.sources or layout.particles))
    if not sources:
        sources = tuple(source for source, four in found.items() if len(four) > 1)
        lists = [source for source in sources if any(columns[c] for c in found[source].values())]
        if lists or not sources:
            raise EventFileError(
                f"{path}: the columns {_some(columns)} do not tell the particles, expected"
                " Layout(particles=...) with columns such as "
                + layout.column.format(particle=lists[0] if lists else "b1", coordinate="pT")
            )
    given = layout.coordinate_names
    choices = (given,) if given else COORDINATE_SETS
    for choice in choices:
        if all(set(choice) <= found.get(source, {}).keys() for source in sources):
            break
    else:
        _refuse_missing(path, columns, layout, found, sources, choices)
    momenta = {source: tuple(found[source][name] for name in choice) for source in sources}
    further = {name: name for name in layout.keep}
    if layout.weight is not None or WEIGHT in columns:
        further[WEIGHT] = layout.weight or WEIGHT
    for name in further.values():
        if columns.get(name, True):
            raise EventFileError(
                f"{path}: expected a column {name!r} with one number per event; it has {_some(columns)}"
            )
    return Plan(tuple(layout.particles) or sources, sources, choice, momenta, further)


def _same_lengths(one: Column, other: Column) -> bool:
    if one.counts is None or other.counts is None:
        return one.counts is other.counts and len(one.numbers) == len(other.numbers)
    return np.array_equal(one.counts, other.counts)


def _by_source(columns: Mapping[str, bool], layout: Layout) -> dict[str, dict[str, str]]:
    """For each source of which there are columns, their names by coordinate."""
    pattern = re.escape(layout.column)
    pattern = pattern.replace(re.escape("{particle}"), "(?P<particle>.+)")
    pattern = pattern.replace(re.escape("{coordinate}"), "(?P<coordinate>[A-Za-z]+)")
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        match = re.fullmatch(pattern, column)
        name = coordinate(match["coordinate"]) if match else None
        if match and name:
            found.setdefault(match["particle"], {}).setdefault(name, column)
    return found


def _refuse_missing(
    path: Path,
    columns: Mapping[str, bool],
    layout: Layout,
    found: Mapping[str, Mapping[str, str]],
    sources: tuple[str, ...],
    choices: tuple[tuple[str, ...], ...],
) -> None:
    # the set of coordinates that comes closest, and its first gap
    def gaps(choice: tuple[str, ...]) -> list[str]:
        return [
            layout.column.format(particle=source, coordinate=name)
            for source in dict.fromkeys(sources)
            for name in choice
            if name not in found.get(source, {})
        ]

    closest = min(choices, key=lambda choice: len(gaps(choice)))
    raise EventFileError(
        f"{path}: no column {gaps(closest)[0]!r} with numbers, expected {','.join(closest)} of"
        f" {', '.join(dict.fromkeys(sources))}; it has {_some(columns)}"
    )


def _some(columns: Mapping[str, bool]) -> str:
    names = list(columns)
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "none with numbers"


def assemble(path: Path, first: int, columns: Mapping[str, Column], where: Plan, layout: Layout) -> Chunk:
    """Some events, from their columns.

    Raises:
        EventFileError: If columns that belong together differ in length, or an event has too few or too many entries.
    """
    taken: dict[str, NDArray[Any]] = {}
    for source, names in where.momenta.items():
        four = [columns[name] for name in names]
        counts = four[0].counts
        for name, column in zip(names, four, strict=True):
            if not _same_lengths(column, four[0]):
                raise EventFileError(
                    f"{path}: columns {names[0]!r} and {name!r} have lists of different lengths, expected the same"
                )
        entries = np.stack([column.numbers for column in four], axis=-1)
        wanted = where.sources.count(source)
        if counts is None:
            counts = np.ones(len(entries), dtype=np.intp)
        by_name = dict(zip(where.coordinates, entries.T, strict=True))
        with np.errstate(all="ignore"):
            pt = by_name["pT"] if "pT" in by_name else np.hypot(by_name["px"], by_name["py"])
        taken[source] = take(path, first, entries, counts, pt, wanted, source, layout)
    values = in_order(where.sources, taken)
    further = {name: columns[column].numbers for name, column in where.columns.items()}
    return Chunk(values, where.particles, where.coordinates, layout.unit or "GeV", further)
