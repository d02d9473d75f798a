"""Tables of events: named columns that hold the momenta of particles."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.basics import counted
from gampl.files.checks import Chunk
from gampl.files.source import COORDINATE_SETS, SPELLINGS, Layout, Names, OpenFile

WEIGHT = "weight"
_WEIGHTS = re.compile(r"((gen|mc|event|evt|mc[_. ]?event|sample|total)[_. ]?)?weights?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Labels:
    """What only tells events apart, such as the member that each is of: there are few different ones."""

    words: list[Any]  # the different ones, and perhaps more: texts, bytes, numbers, or None where one is missing
    which: NDArray[np.integer[Any]]  # of them an event has, (n,)

    def __len__(self) -> int:
        return len(self.which)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The label of each event, (n,)."""
        return np.array(self.words, dtype=object)[self.which].astype(dtype or object, copy=bool(copy))

    @classmethod
    def of(cls, values: "NDArray[Any] | Labels") -> "Labels":
        """Those of a column, (n,)."""
        if isinstance(values, Labels):
            return values
        if not values.dtype.hasobject:
            words, which = np.unique(values, return_inverse=True)
            return cls([*words], which)
        places: dict[Any, int] = {}
        which = np.array([places.setdefault(word, len(places)) for word in values], dtype=np.intp)
        return cls([*places], which)


class Column(NamedTuple):
    """Numbers of some events, or four for each of their particles, or labels."""

    numbers: Any  # one per event, or those of all lists one after the other; particles: shape (total, 4)
    counts: NDArray[np.intp] | None = None  # lengths of the lists, shape (n,); None for one number per event


class Table(NamedTuple):
    """An open file with named columns."""

    columns: Mapping[str, bool | None]  # whether a column has a list of numbers for each event; None without numbers
    read: Callable[[Sequence[str]], Iterator[Mapping[str, Column]]]  # columns of some names, some events at a time
    others: Sequence[str] = ()  # further samples of the file


Entries = tuple[Mapping[Any, Column], Mapping[str, NDArray[Any]]]  # particles by their source, further numbers by name


def chunks(file: OpenFile, table: Table) -> Iterator[Chunk]:
    """Momenta, from the columns that hold the coordinates of particles; see `gathered`."""
    sources, coordinates, columns_of = _locate(file, table.columns)
    further = further_columns(file.layout, table.columns)
    if bad := [name for name in further.values() if table.columns.get(name) is not False]:
        raise file.error(f"expected a column {bad[0]!r} with one number per event; it has {listed(table.columns)}")

    def entries() -> Iterator[Entries]:
        for columns in table.read(list(dict.fromkeys(chain(*columns_of.values(), further.values())))):
            particles = {source: _stacked(file, four, columns) for source, four in columns_of.items()}
            yield particles, {name: columns[column].numbers for name, column in further.items()}

    return gathered(file, tuple(file.layout.particles) or sources, sources, coordinates, entries())


def _locate(file: OpenFile, columns: Mapping[str, bool | None]) -> tuple[Names, Names, dict[str, Names]]:
    """For each particle its source, the coordinates, and for each source the columns that hold these."""
    layout = file.layout
    pattern = re.escape(layout.column).replace(re.escape("{particle}"), "(?P<particle>.+)")
    pattern = pattern.replace(re.escape("{coordinate}"), "(?P<coordinate>[A-Za-z]+)")
    named: dict[tuple[str, str], str] = {}  # source and coordinate -> column
    for column in columns:
        match = re.fullmatch(pattern, column)
        name = match and SPELLINGS.get(match["coordinate"].lower())
        if match and name and columns[column] is not None:
            named.setdefault((match["particle"], name), column)
    sources = tuple(map(str, layout.sources or layout.particles))
    if not sources:
        sources = tuple(source for source, n in Counter(source for source, _ in named).items() if n > 1)
        lists = [source for (source, _), column in named.items() if source in sources and columns[column]]
        if lists or not sources:
            example = layout.column.format(particle=[*lists, "b1"][0], coordinate="pT")
            cure = f"expected Layout(particles=...) with columns such as {example}"
            raise file.error(f"the columns {listed(columns)} do not tell the particles, {cure}")
    different = dict.fromkeys(sources)
    choices = (layout.coordinate_names,) if layout.coordinate_names else COORDINATE_SETS
    gaps = [[place for place in product(different, choice) if place not in named] for choice in choices]
    missing, choice = min(zip(gaps, choices, strict=True), key=lambda pair: len(pair[0]))  # the first without gaps
    if missing:
        column = layout.column.format(particle=missing[0][0], coordinate=missing[0][1])
        expected = f"expected {','.join(choice)} of {', '.join(different)}; it has {listed(columns)}"
        raise file.error(f"no column {column!r} with numbers, {expected}")
    return sources, choice, {source: tuple(named[source, name] for name in choice) for source in different}


def further_columns(layout: Layout, columns: Mapping[str, bool | None]) -> dict[str, str]:
    """Name of each further number of an event, and of its column in a file with some columns, as in a `Table`."""
    further = {name: name for name in layout.keep}
    if layout.weight is not None or columns.get(WEIGHT) is not None:
        further[WEIGHT] = layout.weight or WEIGHT
    return further | {name: name for name in weights(columns) if name not in (WEIGHT, layout.weight)}


def weights(columns: Mapping[str, bool | None]) -> list[str]:
    """The columns that have weights of events by their names, one for each."""
    return [name for name, has_lists in columns.items() if is_weight(name) and has_lists is False]


def is_weight(name: str) -> bool:
    """Whether the name of a column says that it has weights of events: ``weight``, ``genWeight``, ``event_weight``."""
    return bool(_WEIGHTS.fullmatch(name))


def listed(columns: Iterable[str]) -> str:
    """The names of columns, for errors."""
    names = [*columns]
    return ", ".join(names[:12]) + ", ..." * (len(names) > 12) or "none with numbers"


def _stacked(file: OpenFile, four: Sequence[str], columns: Mapping[str, Column]) -> Column:
    """Four columns as one, a particle in each event or lists of them."""
    parts = [columns[name] for name in four]
    lengths = [len(part.numbers) if part.counts is None else part.counts for part in parts]
    if other := [name for name, its in zip(four, lengths, strict=True) if not np.array_equal(its, lengths[0])]:
        raise file.error(f"columns {four[0]!r} and {other[0]!r} have lists of different lengths, expected the same")
    return Column(np.stack([part.numbers for part in parts], axis=-1), parts[0].counts)


def gathered(
    file: OpenFile, particles: Names, sources: Sequence[Any], coordinates: Names, parts: Iterator[Entries]
) -> Iterator[Chunk]:
    """Each particle of an event: the next entry, each time that its source occurs, of the source's list.

    Hardest entries come first unless the layout wants the file's order; zeros stand for those that are absent. An
    EventFileError if there are fewer or more entries than particles, and the layout does not allow for it.
    """
    ranks = [sources[:k].count(source) for k, source in enumerate(sources)]
    first = 0
    for entries, columns in parts:
        taken = {
            source: _take(file, first, source, column, sources.count(source), coordinates)
            for source, column in entries.items()
        }
        values = np.stack([taken[source][:, rank] for source, rank in zip(sources, ranks, strict=True)], axis=1)
        yield Chunk(values, particles, coordinates, columns)
        first += len(values)


def _take(file: OpenFile, first: int, source: Any, column: Column, n: int, coordinates: Names) -> NDArray[Any]:
    """The first n entries of each event, shape (events, n, 4); the events are numbered from `first` on."""
    layout, (entries, counts) = file.layout, column
    if counts is None:
        counts = np.ones(len(entries), dtype=np.intp)
    wrong = (counts < n) & (not layout.absent) | (counts > n) & (not layout.further)
    if wrong.any():
        event = int(np.argmax(wrong))
        name = source if isinstance(source, str) else f"PDG id {' or '.join(map(str, source))}"
        cure = "absent" if counts[event] < n else "further"
        its = f"event {first + event} (counted from 0) has {counted(counts[event], 'entry', 'entries')} of {name}"
        raise file.error(f"{its}, expected {n} (or Layout({cure}=True))")
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
