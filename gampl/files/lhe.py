"""LHE files, plain or gzipped: the final state of each event (status 1), with its weight."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pylhe

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import Layout
from gampl.files.records import Record, named_weights, open_text, record_chunks

FINAL = 1


def chunks(path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """Chunks of at most `rows` events; energies are in GeV by the format's definition."""
    del sample
    with open_text(path) as file:
        yield from record_chunks(path, _records(path, file, layout), layout, layout.unit or "GeV", rows)


def _records(path: Path, file: object, layout: Layout) -> Iterator[Record]:
    named = layout.weight is not None or bool(layout.keep)
    for number, event in enumerate(pylhe.LHEFile.frombuffer(file, with_attributes=named).events):
        if len(event.particles) != event.eventinfo.nparticles:
            raise EventFileError(
                f"{path}: event {number} (counted from 0) has {len(event.particles)} particles,"
                f" expected the {event.eventinfo.nparticles} that its first line says"
            )
        final = [particle for particle in event.particles if particle.status == FINAL]
        yield Record(
            np.array([p.id for p in final], dtype=np.int64),
            np.array([(p.e, p.px, p.py, p.pz) for p in final], dtype=np.float64).reshape(-1, 4),
            named_weights(path, number, event.weights, event.eventinfo.weight, layout),
        )
