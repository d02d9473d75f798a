"""Event records with PDG ids: what LHE and HepMC files have in common."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import CARTESIAN, Layout, pdg_names
from gampl.files.lists import in_order, take

Ids = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Record:
    """Final-state particles of one event.

    Args:
        ids: PDG ids, shape (k,).
        momenta: (E, px, py, pz), shape (k, 4).
        columns: Numbers of the event, ``weight`` among them.
    """

    ids: NDArray[np.int64]
    momenta: NDArray[np.float64]
    columns: dict[str, float]


def record_chunks(path: Path, records: Iterator[Record], layout: Layout, unit: str, rows: int) -> Iterator[Chunk]:
    """Chunks of at most `rows` events; without sources, those that the first event has."""
    sources: tuple[Ids, ...] = ()
    first = 0
    while some := list(islice(records, rows)):
        if not sources:
            sources = _sources(path, layout, some[0])
            names = tuple(layout.particles) or pdg_names([ids[0] for ids in sources])
            if len(names) != len(sources):
                raise EventFileError(f"{path}: its events have {len(sources)} particles, expected {', '.join(names)}")
        yield Chunk(_momenta(path, first, some, sources, layout), names, CARTESIAN, unit, _columns(path, first, some))
        first += len(some)


def _momenta(
    path: Path, first: int, records: Sequence[Record], sources: tuple[Ids, ...], layout: Layout
) -> NDArray[np.float64]:
    ids = np.concatenate([record.ids for record in records])
    momenta = np.concatenate([record.momenta for record in records])
    events = np.repeat(np.arange(len(records)), [len(record.ids) for record in records])
    taken = {}
    for source in dict.fromkeys(sources):
        of_source = np.isin(ids, source)
        entries = momenta[of_source]
        counts = np.bincount(events[of_source], minlength=len(records))
        with np.errstate(all="ignore"):
            pt = np.hypot(entries[:, 1], entries[:, 2])
        text = f"PDG id {' or '.join(map(str, source))}"
        taken[source] = take(path, first, entries, counts, pt, sources.count(source), text, layout)
    return in_order(sources, taken)


def _columns(path: Path, first: int, records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
    names = records[0].columns.keys()
    for event, record in enumerate(records, start=first):
        if record.columns.keys() != names:
            raise EventFileError(
                f"{path}: event {event} (counted from 0) has the weights {', '.join(record.columns)},"
                f" expected {', '.join(names)} as before"
            )
    return {name: np.array([record.columns[name] for record in records]) for name in names}


def _sources(path: Path, layout: Layout, record: Record) -> tuple[Ids, ...]:
    if not layout.sources:
        if not len(record.ids):
            raise EventFileError(f"{path}: event 0 has no final-state particles, expected some")
        return tuple((int(pdg_id),) for pdg_id in record.ids)
    sources: list[Ids] = []
    for source in layout.sources:
        if isinstance(source, str) or (not isinstance(source, int) and any(isinstance(k, str) for k in source)):
            raise EventFileError(f"{path}: expected sources to be PDG ids or lists of them, got {source!r}")
        sources.append((int(source),) if isinstance(source, int) else tuple(int(k) for k in source))
    different = list(dict.fromkeys(sources))
    for k, one in enumerate(different):
        for other in different[:k]:
            if common := set(one) & set(other):
                raise EventFileError(f"{path}: expected sources that share no PDG id, got {min(common)} in two of them")
    return tuple(sources)


def open_text(path: Path) -> IO[bytes]:
    """A text file, decompressed if need be."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb")


def named_weights(path: Path, event: int, named: dict[str, Any], nominal: float, layout: Layout) -> dict[str, float]:
    """The event's weight, and those that the layout keeps."""
    for name in (*([layout.weight] if layout.weight is not None else []), *layout.keep):
        if name not in named:
            raise EventFileError(
                f"{path}: event {event} (counted from 0) has the weights"
                f" {_some(named) or '(without names)'}, expected also {name!r}"
            )
    kept = {name: float(named[name]) for name in layout.keep}
    return {"weight": float(nominal if layout.weight is None else named[layout.weight]), **kept}


def _some(names: Iterable[str]) -> str:
    return ", ".join(islice(names, 12))
