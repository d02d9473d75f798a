"""HepMC files, version 2 or 3, plain or gzipped: stable particles of each event (status 1), with its weight."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyhepmc

from gampl.files import elsewhere
from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import UNITS, Layout
from gampl.files.records import Record, named_weights, open_text, record_chunks

FINAL = 1
_UNITS = {pyhepmc.Units.MomentumUnit.GEV: UNITS["GeV"], pyhepmc.Units.MomentumUnit.MEV: UNITS["MeV"]}


def chunks(path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """Chunks of at most `rows` events; each event says whether it is in GeV or MeV, unless the layout does."""
    return elsewhere.chunks("hepmc", path, sample=sample, layout=layout, rows=rows)


def chunks_here(path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """The same in this process, which a damaged file may crash."""
    del sample
    if not layout.sources:
        raise EventFileError(f"{path}: expected Layout(sources=...) with the PDG ids of the particles that are wanted")
    with open_text(path) as file:
        yield from record_chunks(path, _records(path, file, layout), layout, layout.unit or "GeV", rows)


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


def _records(path: Path, file: IO[bytes], layout: Layout) -> Iterator[Record]:
    version_2 = b"HepMC::IO_GenEvent" in file.read(1024)
    file.seek(0)
    counted = _Counted(file)
    reader = (pyhepmc.io.ReaderAsciiHepMC2 if version_2 else pyhepmc.io.ReaderAscii)(pyhepmc.io.pyiostream(counted))
    wanted = np.array([k for source in layout.sources for k in np.atleast_1d(np.asarray(source, dtype=int))])
    with_names = layout.weight is not None or bool(layout.keep)
    n_read = 0
    for event in reader:
        particles = event.numpy.particles
        ids = particles.pid
        final = (particles.status == FINAL) & np.isin(ids, wanted)
        momenta = np.stack(
            [numbers[final] for numbers in (particles.e, particles.px, particles.py, particles.pz)], axis=1
        )
        # asked for only when wanted: the library refuses to say that there are none
        named = dict(zip(event.weight_names, event.weights, strict=True)) if with_names else {}
        nominal = event.weights[0] if len(event.weights) else 1.0
        scale = _UNITS[event.momentum_unit] if layout.unit is None else 1.0
        yield Record(ids[final], momenta * scale, named_weights(path, n_read, named, nominal, layout))
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
