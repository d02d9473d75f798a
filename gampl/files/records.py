"""Event records: stable particles (status 1) with PDG ids, of LHE files and of HepMC files of version 2 and 3."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any

import numpy as np
import pyhepmc
import pylhe
from numpy.typing import NDArray

from gampl.basics import Floats, counted
from gampl.files.checks import Chunk
from gampl.files.source import CARTESIAN, UNITS, Names, OpenFile
from gampl.files.tables import WEIGHT, Column, Entries, gathered

Ids = tuple[int, ...]
# final-state particles of one event: PDG ids, (k,); (E, px, py, pz), (k, 4); and the event's weights
Record = tuple[NDArray[np.int64], Floats, dict[str, float]]
FINAL = 1
SPACE = "\x1f"  # stands for one in a name
MOST_LINES, MOST_NAMES = 1000, 1 << 20  # before the first event, and bytes of one of them
LHE_END = b"</LesHouchesEvents>"
_UNITS = {pyhepmc.Units.MomentumUnit.GEV: UNITS["GeV"], pyhepmc.Units.MomentumUnit.MEV: UNITS["MeV"]}
_PDG_NAMES = dict(enumerate(("d", "u", "s", "c", "b", "t"), start=1))
_PDG_NAMES |= dict(enumerate(("e-", "nu_e", "mu-", "nu_mu", "tau-", "nu_tau"), start=11))
_PDG_NAMES |= dict(enumerate(("g", "gamma", "Z", "W+", "H"), start=21))


def lhe_chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of an LHE file; energies are in GeV by the format's definition."""
    return _chunks(source, _lhe_records(source))


def hepmc_chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of a HepMC file, where each event says its unit unless the layout does; damage may crash the process."""
    if not source.layout.sources:
        raise source.error("expected Layout(sources=...) with the PDG ids of its particles")
    return _chunks(source, _hepmc_records(source))


def _lhe_records(source: OpenFile) -> Iterator[Record]:
    events = pylhe.LHEFile.frombuffer(source.unpacked(), with_attributes=_has_named_weights(source)).events
    for number, event in enumerate(events):
        if len(event.particles) != event.eventinfo.nparticles:
            raise source.error(
                f"event {number} (counted from 0) has {counted(len(event.particles), 'particle')},"
                f" expected the {event.eventinfo.nparticles} that its first line says"
            )
        final = [particle for particle in event.particles if particle.status == FINAL]
        ids = np.array([p.id for p in final], dtype=np.int64)
        momenta = np.array([(p.e, p.px, p.py, p.pz) for p in final], dtype=np.float64).reshape(-1, 4)
        yield ids, momenta, _weights(source, number, event.weights, event.eventinfo.weight)
    with source.unpacked() as lines:
        last = next((line for line in lines if LHE_END in line), b"").partition(LHE_END)[2]
        if n := len(last.strip()) + sum(len(line.strip()) for line in lines):
            end = LHE_END.decode()
            raise source.error(f"goes on for {counted(n, 'byte')} after {end}, expected one file, not several joined")


def _hepmc_records(source: OpenFile) -> Iterator[Record]:
    is_version_2 = b"HepMC::IO_GenEvent" in source.unpacked().read(1024)
    reader = pyhepmc.io.ReaderAsciiHepMC2 if is_version_2 else pyhepmc.io.ReaderAscii
    needed = [*chain.from_iterable(_source_ids(source))]
    n_read = 0
    for event in reader(pyhepmc.io.pyiostream(io.BufferedReader(_NamesWithSpaces(source.unpacked())))):
        particles = event.numpy.particles
        final = (particles.status == FINAL) & np.isin(particles.pid, needed)
        momenta = np.stack([getattr(particles, name.lower())[final] for name in CARTESIAN], axis=1)
        # asked for only where needed: the library refuses to say that there are none
        names = [name.replace(SPACE, " ") for name in event.weight_names] if _has_named_weights(source) else []
        named = dict(zip(names, event.weights, strict=True)) if names else {}
        nominal = event.weights[0] if len(event.weights) else 1.0
        scale = _UNITS[event.momentum_unit] if source.layout.unit is None else 1.0
        yield particles.pid[final], momenta * scale, _weights(source, n_read, named, nominal)
        n_read += 1
    # the library takes what it cannot read for the file's end
    n_events, has_ended = 0, False
    with source.unpacked() as lines:
        for line in lines:
            n_events += line.startswith(b"E ")
            if has_ended and line.strip(b"\0 \t\r\n") and not line.startswith(b"HepMC::"):  # which begins another one
                raise source.error(f"goes on after END_EVENT_LISTING with {line[:40]!r}, expected its end")
            has_ended = line.rstrip().endswith(b"END_EVENT_LISTING") or (has_ended and not line.startswith(b"HepMC::"))
    if n_read != n_events:
        raise source.error(f"event {n_read} (counted from 0) of {n_events} cannot be read, expected undamaged text")
    if not has_ended:
        raise source.error(f"ends after event {n_read - 1} without END_EVENT_LISTING, expected a complete file")


class _NamesWithSpaces(io.RawIOBase):
    """The same file, with `SPACE` for spaces in the names of weights, where the library ends a name of version 3."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content, lines = content, list[bytes]()
        while (line := content.readline(MOST_NAMES)) and not line.startswith(b"E ") and len(lines) < MOST_LINES:
            lines.append(b"W " + line[2:].replace(b" ", SPACE.encode()) if line.startswith(b"W ") else line)
        self._start = io.BytesIO(b"".join([*lines, line]))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._start.read(len(buffer)) or self._content.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _chunks(source: OpenFile, records: Iterator[Record]) -> Iterator[Chunk]:
    """Some events at a time; without `Layout.sources`, the particles that the first event has."""
    parts = iter(lambda: list(islice(records, source.rows)), [])
    some = next(parts, None)
    if some is None:
        return
    ids = _source_ids(source) or tuple((int(pdg_id),) for pdg_id in some[0][0])
    if not ids:
        raise source.error("event 0 has no final-state particles, expected some")
    names = tuple(source.layout.particles) or pdg_names([k[0] for k in ids])
    if len(names) != len(ids):
        raise source.error(f"its events have {counted(len(ids), 'particle')}, expected {', '.join(names)}")
    yield from gathered(source, names, ids, CARTESIAN, _entries(chain([some], parts), ids))


def _source_ids(source: OpenFile) -> tuple[Ids, ...]:
    """The PDG ids that stand for each particle, as far as the layout says it."""
    listed = [(ids,) if isinstance(ids, int | str) else tuple(ids) for ids in source.layout.sources]
    if texts := [k for ids in listed for k in ids if isinstance(k, str)]:
        raise source.error(f"expected sources to be PDG ids or lists of them, got {texts[0]!r}")
    result = tuple(tuple(map(int, ids)) for ids in listed)
    numbers = Counter(k for ids in set(result) for k in set(ids))
    if common := [k for k, n in numbers.items() if n > 1]:
        raise source.error(f"expected sources that share no PDG id, got {min(common)} in two of them")
    return result


def _entries(parts: Iterable[Sequence[Record]], particles: Sequence[Ids]) -> Iterator[Entries]:
    """Lists of the particles with some ids, and weights, of some events at a time."""
    for records in parts:
        ids_of, momenta_of, weights = zip(*records, strict=True)
        ids, momenta = np.concatenate(ids_of), np.concatenate(momenta_of)
        events = np.repeat(np.arange(len(records)), list(map(len, ids_of)))
        lists = {}
        for some in dict.fromkeys(particles):
            of_these = np.isin(ids, some)
            lists[some] = Column(momenta[of_these], np.bincount(events[of_these], minlength=len(records)))
        yield lists, {name: np.array([of_event[name] for of_event in weights]) for name in weights[0]}


def _has_named_weights(source: OpenFile) -> bool:
    return not {source.layout.weight, *source.layout.keep} <= {None, WEIGHT}


def _weights(source: OpenFile, event: int, named: dict[str, Any], nominal: float) -> dict[str, float]:
    """The event's weight, and those that the layout keeps."""
    layout, named = source.layout, {WEIGHT: nominal, **named}  # the event's own, unless another has its name
    if missing := [name for name in (layout.weight, *layout.keep) if name is not None and name not in named]:
        existing = ", ".join(islice(named, 1, 13)) or "(without names)"
        raise source.error(f"event {event} (counted from 0) has the weights {existing}, also expected {missing[0]!r}")
    kept = {name: float(named[name]) for name in layout.keep}
    return {WEIGHT: float(nominal if layout.weight is None else named[layout.weight]), **kept}


def pdg_names(pdg_ids: Sequence[int]) -> Names:
    """Different names for PDG ids, such as ``mu-`` and ``t~``, or ``pdg211``; those that repeat are numbered."""
    names = []
    for pdg_id in pdg_ids:
        name = _PDG_NAMES.get(abs(pdg_id), f"pdg{abs(pdg_id)}")
        if pdg_id < 0:
            name = name.translate(str.maketrans("+-", "-+")) if name[-1] in "+-" else f"{name}~"
        names.append(name)
    return tuple(
        name if names.count(name) == 1 else f"{name}{names[: i + 1].count(name)}" for i, name in enumerate(names)
    )
