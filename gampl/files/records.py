"""Event records: stable particles (status 1) with PDG ids, of LHE files and of HepMC files of version 2 and 3."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyhepmc
import pylhe
from numpy.typing import NDArray

from gampl.files import elsewhere
from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import CARTESIAN, UNITS, Layout, OpenFile, pdg_names
from gampl.files.tables import WEIGHT, Lists, gather

Ids = tuple[int, ...]
FINAL = 1
_UNITS = {pyhepmc.Units.MomentumUnit.GEV: UNITS["GeV"], pyhepmc.Units.MomentumUnit.MEV: UNITS["MeV"]}


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


def lhe_chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of an LHE file; energies are in GeV by the format's definition."""
    return _chunks(source, _lhe_records(source))


def hepmc_chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of a HepMC file; each event says whether it is in GeV or MeV, unless the layout does."""
    return elsewhere.chunks(hepmc_chunks_here, source)


def hepmc_chunks_here(source: OpenFile) -> Iterator[Chunk]:
    """The same in this process, which a damaged file may crash."""
    if not source.layout.sources:
        raise EventFileError(
            f"{source.path}: expected Layout(sources=...) with the PDG ids of the particles that are wanted"
        )
    return _chunks(source, _hepmc_records(source))


def _lhe_records(source: OpenFile) -> Iterator[Record]:
    path, layout = source.path, source.layout
    with_names = layout.weight is not None or bool(layout.keep)
    events = pylhe.LHEFile.frombuffer(source.unpacked(), with_attributes=with_names).events
    for number, event in enumerate(events):
        if len(event.particles) != event.eventinfo.nparticles:
            raise EventFileError(
                f"{path}: event {number} (counted from 0) has {len(event.particles)} particles,"
                f" expected the {event.eventinfo.nparticles} that its first line says"
            )
        final = [particle for particle in event.particles if particle.status == FINAL]
        yield Record(
            np.array([p.id for p in final], dtype=np.int64),
            np.array([(p.e, p.px, p.py, p.pz) for p in final], dtype=np.float64).reshape(-1, 4),
            _weights(path, number, event.weights, event.eventinfo.weight, layout),
        )


class _Counted(io.RawIOBase):
    """A file that counts the events that go past, since the library takes what it cannot read for the file's end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._last_line = b""
        self.error: Exception | None = None
        self.n_events = 0
        self.ended = False

    def readinto(self, buffer: Any) -> int:
        """Hand on what the file has, and look for the lines that begin events and end the file."""
        try:
            content = self._file.read(len(buffer))
        except Exception as error:  # the library would swallow it
            self.error = error
            return 0
        buffer[: len(content)] = content
        lines = (self._last_line + content).split(b"\n")
        self._last_line = lines.pop() if content else b""
        self.n_events += sum(line.startswith(b"E ") for line in lines)
        self.ended = self.ended or any(line.rstrip().endswith(b"END_EVENT_LISTING") for line in lines)
        return len(content)


def _hepmc_records(source: OpenFile) -> Iterator[Record]:
    path, layout = source.path, source.layout
    is_version_2 = b"HepMC::IO_GenEvent" in source.unpacked().read(1024)
    counted = _Counted(source.unpacked())
    reader = (pyhepmc.io.ReaderAsciiHepMC2 if is_version_2 else pyhepmc.io.ReaderAscii)(pyhepmc.io.pyiostream(counted))
    needed = np.array([k for ids in layout.sources for k in np.atleast_1d(np.asarray(ids, dtype=int))])
    with_names = layout.weight is not None or bool(layout.keep)
    n_read = 0
    for event in reader:
        particles = event.numpy.particles
        ids = particles.pid
        final = (particles.status == FINAL) & np.isin(ids, needed)
        momenta = np.stack(
            [numbers[final] for numbers in (particles.e, particles.px, particles.py, particles.pz)], axis=1
        )
        # asked for only where needed: the library refuses to say that there are none
        named = dict(zip(event.weight_names, event.weights, strict=True)) if with_names else {}
        nominal = event.weights[0] if len(event.weights) else 1.0
        scale = _UNITS[event.momentum_unit] if layout.unit is None else 1.0
        yield Record(ids[final], momenta * scale, _weights(path, n_read, named, nominal, layout))
        n_read += 1
    while counted.readinto(bytearray(2**20)):
        pass
    if counted.error is not None:
        raise counted.error
    if n_read != counted.n_events:
        raise EventFileError(
            f"{path}: event {n_read} (counted from 0) of {counted.n_events} cannot be read, expected undamaged text"
        )
    if not counted.ended:
        raise EventFileError(
            f"{path}: ends after event {n_read - 1} without END_EVENT_LISTING, expected a complete file"
        )


def _chunks(source: OpenFile, records: Iterator[Record]) -> Iterator[Chunk]:
    """Some events at a time; without `Layout.sources`, the particles that the first event has."""
    path, layout = source.path, source.layout
    ids: tuple[Ids, ...] = ()
    first = 0
    while some := list(islice(records, source.rows)):
        if not ids:
            ids = _particle_ids(path, layout, some[0])
            names = tuple(layout.particles) or pdg_names([k[0] for k in ids])
            if len(names) != len(ids):
                raise EventFileError(f"{path}: its events have {len(ids)} particles, expected {', '.join(names)}")
        momenta, columns = _momenta(path, first, some, ids, layout), _columns(path, first, some)
        yield Chunk(momenta, names, CARTESIAN, layout.unit or "GeV", columns)
        first += len(some)


def _particle_ids(path: Path, layout: Layout, record: Record) -> tuple[Ids, ...]:
    """The PDG ids that stand for each particle."""
    if not layout.sources:
        if not len(record.ids):
            raise EventFileError(f"{path}: event 0 has no final-state particles, expected some")
        return tuple((int(pdg_id),) for pdg_id in record.ids)
    different: dict[Ids, None] = {}
    result: list[Ids] = []
    for source in layout.sources:
        if isinstance(source, str) or (not isinstance(source, int) and any(isinstance(k, str) for k in source)):
            raise EventFileError(f"{path}: expected sources to be PDG ids or lists of them, got {source!r}")
        ids = (int(source),) if isinstance(source, int) else tuple(int(k) for k in source)
        common = {k for other in different if other != ids for k in other} & set(ids)
        if common:
            raise EventFileError(f"{path}: expected sources that share no PDG id, got {min(common)} in two of them")
        different[ids] = None
        result.append(ids)
    return tuple(result)


def _momenta(
    path: Path, first: int, records: Sequence[Record], particles: tuple[Ids, ...], layout: Layout
) -> NDArray[np.float64]:
    ids = np.concatenate([record.ids for record in records])
    momenta = np.concatenate([record.momenta for record in records])
    events = np.repeat(np.arange(len(records)), [len(record.ids) for record in records])
    lists = {}
    for source in dict.fromkeys(particles):
        chosen = np.isin(ids, source)
        counts = np.bincount(events[chosen], minlength=len(records))
        lists[source] = Lists(f"PDG id {' or '.join(map(str, source))}", momenta[chosen], counts)
    return gather(path, first, particles, lists, CARTESIAN, layout)


def _columns(path: Path, first: int, records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
    names = records[0].columns.keys()
    other = [event for event, record in enumerate(records) if record.columns.keys() != names]
    if other:
        raise EventFileError(
            f"{path}: event {first + other[0]} (counted from 0) has the weights"
            f" {', '.join(records[other[0]].columns)}, expected {', '.join(names)} as before"
        )
    return {name: np.array([record.columns[name] for record in records]) for name in names}


def _weights(path: Path, event: int, named: dict[str, Any], nominal: float, layout: Layout) -> dict[str, float]:
    """The event's weight, and those that the layout keeps."""
    missing = [name for name in (layout.weight, *layout.keep) if name is not None and name not in named]
    if missing:
        raise EventFileError(
            f"{path}: event {event} (counted from 0) has the weights"
            f" {', '.join(islice(named, 12)) or '(without names)'}, expected also {missing[0]!r}"
        )
    kept = {name: float(named[name]) for name in layout.keep}
    return {WEIGHT: float(nominal if layout.weight is None else named[layout.weight]), **kept}
