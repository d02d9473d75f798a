"""Event records: stable particles (status 1) with PDG ids, of LHE files and of HepMC files of version 2 and 3."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pyhepmc
import pylhe
from numpy.typing import NDArray

from gampl.files.checks import Chunk
from gampl.files.layout import CARTESIAN, UNITS, pdg_names
from gampl.files.source import OpenFile
from gampl.files.tables import WEIGHT, Column, Found, gathered

Ids = tuple[int, ...]
FINAL = 1
_UNITS = {pyhepmc.Units.MomentumUnit.GEV: UNITS["GeV"], pyhepmc.Units.MomentumUnit.MEV: UNITS["MeV"]}


class Record(NamedTuple):
    """Final-state particles of one event."""

    ids: NDArray[np.int64]  # PDG ids, shape (k,)
    momenta: NDArray[np.float64]  # (E, px, py, pz), shape (k, 4)
    columns: dict[str, float]  # numbers of the event, its weight among them


def lhe_chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of an LHE file; energies are in GeV by the format's definition."""
    return _chunks(source, _lhe_records(source))


def hepmc_chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of a HepMC file, where each event says its unit unless the layout does; damage may crash the process."""
    if not source.layout.sources:
        raise source.error("expected Layout(sources=...) with the PDG ids of the particles that are wanted")
    return _chunks(source, _hepmc_records(source))


def _lhe_records(source: OpenFile) -> Iterator[Record]:
    events = pylhe.LHEFile.frombuffer(source.unpacked(), with_attributes=_has_named_weights(source)).events
    for number, event in enumerate(events):
        if len(event.particles) != event.eventinfo.nparticles:
            raise source.error(
                f"event {number} (counted from 0) has {len(event.particles)} particles,"
                f" expected the {event.eventinfo.nparticles} that its first line says"
            )
        final = [particle for particle in event.particles if particle.status == FINAL]
        yield Record(
            np.array([p.id for p in final], dtype=np.int64),
            np.array([(p.e, p.px, p.py, p.pz) for p in final], dtype=np.float64).reshape(-1, 4),
            _weights(source, number, event.weights, event.eventinfo.weight),
        )


def _hepmc_records(source: OpenFile) -> Iterator[Record]:
    _path, layout = source.path, source.layout
    is_version_2 = b"HepMC::IO_GenEvent" in source.unpacked().read(1024)
    reader = (pyhepmc.io.ReaderAsciiHepMC2 if is_version_2 else pyhepmc.io.ReaderAscii)(
        pyhepmc.io.pyiostream(source.unpacked())
    )
    needed = np.array([k for ids in layout.sources for k in np.atleast_1d(np.asarray(ids, dtype=int))])
    n_read = 0
    for event in reader:
        particles = event.numpy.particles
        ids = particles.pid
        final = (particles.status == FINAL) & np.isin(ids, needed)
        momenta = np.stack(
            [numbers[final] for numbers in (particles.e, particles.px, particles.py, particles.pz)], axis=1
        )
        # asked for only where needed: the library refuses to say that there are none
        named = dict(zip(event.weight_names, event.weights, strict=True)) if _has_named_weights(source) else {}
        nominal = event.weights[0] if len(event.weights) else 1.0
        scale = _UNITS[event.momentum_unit] if layout.unit is None else 1.0
        yield Record(ids[final], momenta * scale, _weights(source, n_read, named, nominal))
        n_read += 1
    # the library takes what it cannot read for the file's end
    n_events, has_ended = 0, False
    with source.unpacked() as lines:
        for line in lines:
            n_events += line.startswith(b"E ")
            has_ended = has_ended or line.rstrip().endswith(b"END_EVENT_LISTING")
    if n_read != n_events:
        raise source.error(f"event {n_read} (counted from 0) of {n_events} cannot be read, expected undamaged text")
    if not has_ended:
        raise source.error(f"ends after event {n_read - 1} without END_EVENT_LISTING, expected a complete file")


def _chunks(source: OpenFile, records: Iterator[Record]) -> Iterator[Chunk]:
    """Some events at a time; without `Layout.sources`, the particles that the first event has."""
    parts = iter(lambda: list(islice(records, source.rows)), [])
    some = next(parts, None)
    if some is None:
        return
    ids = _particle_ids(source, some[0])
    names = tuple(source.layout.particles) or pdg_names([k[0] for k in ids])
    if len(names) != len(ids):
        raise source.error(f"its events have {len(ids)} particles, expected {', '.join(names)}")
    yield from gathered(source, names, ids, CARTESIAN, _found(chain([some], parts), ids))


def _particle_ids(source: OpenFile, record: Record) -> tuple[Ids, ...]:
    """The PDG ids that stand for each particle."""
    if not source.layout.sources:
        if not len(record.ids):
            raise source.error("event 0 has no final-state particles, expected some")
        return tuple((int(pdg_id),) for pdg_id in record.ids)
    result: list[Ids] = []
    for ids in source.layout.sources:
        listed = (ids,) if isinstance(ids, int | str) else tuple(ids)
        if any(isinstance(k, str) for k in listed):
            raise source.error(f"expected sources to be PDG ids or lists of them, got {ids!r}")
        one = tuple(int(k) for k in listed)
        if common := {k for other in result if other != one for k in other} & set(one):
            raise source.error(f"expected sources that share no PDG id, got {min(common)} in two of them")
        result.append(one)
    return tuple(result)


def _found(parts: Iterable[Sequence[Record]], particles: Sequence[Ids]) -> Iterator[Found]:
    """Lists of the particles with some ids, and weights, of some events at a time."""
    for records in parts:
        ids = np.concatenate([record.ids for record in records])
        momenta = np.concatenate([record.momenta for record in records])
        events = np.repeat(np.arange(len(records)), [len(record.ids) for record in records])
        lists = {}
        for some in dict.fromkeys(particles):
            chosen = np.isin(ids, some)
            lists[some] = Column(momenta[chosen], np.bincount(events[chosen], minlength=len(records)))
        names = records[0].columns  # those of all others, too
        yield lists, {name: np.array([record.columns[name] for record in records]) for name in names}


def _has_named_weights(source: OpenFile) -> bool:
    return source.layout.weight is not None or bool(source.layout.keep)


def _weights(source: OpenFile, event: int, named: dict[str, Any], nominal: float) -> dict[str, float]:
    """The event's weight, and those that the layout keeps."""
    layout = source.layout
    missing = [name for name in (layout.weight, *layout.keep) if name is not None and name not in named]
    if missing:
        raise source.error(
            f"event {event} (counted from 0) has the weights"
            f" {', '.join(islice(named, 12)) or '(without names)'}, also expected {missing[0]!r}"
        )
    kept = {name: float(named[name]) for name in layout.keep}
    return {WEIGHT: float(nominal if layout.weight is None else named[layout.weight]), **kept}
