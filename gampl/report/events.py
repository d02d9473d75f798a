"""The numbers of each event that an analysis needs, from files of any kind, a batch at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.files import EventFile, EventFileError, open_file
from gampl.particles.events import Events
from gampl.particles.expressions import Evaluated, Expression
from gampl.particles.observables import observable
from gampl.processes import top_pair, z_jets
from gampl.report.process import Process, SampleFiles

Floats = NDArray[np.float64]
# of files that say which process they are of
COMPOSITES = {"top_pair": top_pair.COMPOSITES, "z_jets": z_jets.COMPOSITES}
ROWS = 100_000


class Batch(NamedTuple):
    """Some events."""

    columns: Mapping[str, Floats]  # each (n,)
    weights: Floats | None  # (n,)
    members: NDArray[Any] | None  # (n,), which member each event is of, where a column says it

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def batches(process: Process, files: SampleFiles, wanted: Sequence[str]) -> Iterator[Batch]:
    """Events of all files, one after the other.

    Args:
        process: Says how particles are read.
        files: Which files.
        wanted: Names of columns, or of observables of particles where the files hold these.

    Raises:
        EventFileError: If a file is not what it should be, or has no column or observable of a name.
        FileNotFoundError: If there is no such file.
    """
    for path in files.files:
        yield from of_file(process, files, path, wanted)


def of_file(process: Process, files: SampleFiles, path: Path, wanted: Sequence[str]) -> Iterator[Batch]:
    """Events of one file, see `batches`."""
    further = tuple(name for name in (files.weight, files.member) if name is not None)
    layout = process.layout
    if layout is not None:
        layout = replace(layout, keep=tuple(dict.fromkeys([*layout.keep, *further])))
    with open_file(path, kind=files.kind, sample=files.sample, layout=layout, names=files.columns) as file:
        for numbers in _numbers(process, files, file, [*wanted, *further]):
            batch = {name: numbers[name] for name in wanted}
            weights = None if files.weight is None else np.asarray(numbers[files.weight], dtype=np.float64)
            members = None if files.member is None else numbers[files.member]
            if weights is not None and not np.isfinite(weights).all():
                raise EventFileError(f"{path}: column {files.weight!r} has weights that are not finite")
            yield Batch(batch, weights, members)


def _numbers(
    process: Process, files: SampleFiles, file: EventFile, names: Sequence[str]
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Columns, or numbers of the particles, of an open file."""
    if not file.holds_particles:
        yield from file.columns(names, labels=() if files.member is None else (files.member,))
        return
    for events in file.events(ROWS):
        yield {name: _number(process, file.path, events, name) for name in names}


def _number(process: Process, path: Path, events: Events, name: str) -> Floats:
    """A column of the events, or an observable of their particles."""
    if name in events.columns:
        return events.columns[name]
    composites = {**COMPOSITES.get(str(events.about.get("process")), {}), **process.composites}
    jets = [p for p in events.particles if p.startswith(("j", "b", "q"))] or None
    try:
        return observable(name, events.particles, composites, jets)(events.momenta)
    except ValueError as error:
        there = ", ".join(events.columns) or "none"
        raise EventFileError(f"{path}: {name!r} is neither a column ({there}) nor an observable: {error}") from None


class Numbers:
    """Expressions that are computed batch by batch, each once: observables first, then what is made of them.

    Args:
        process: Its observables can be used in all expressions, and in observables below them.
        expressions: What is wanted.
        given: Observables that the events have as columns already, since a generator has learned them.

    Attributes:
        needed: Names of the columns that the events must have.
    """

    def __init__(self, process: Process, expressions: Iterable[Expression], given: Sequence[str] = ()) -> None:
        self._wanted = list(dict.fromkeys(expressions))
        wanted = dict.fromkeys(name for e in self._wanted for name in e.names)
        observables = [(name, known.expression) for name, known in process.observables.items() if name not in given]
        self._observables: dict[str, Expression] = {}  # that are needed, from the last to the first
        # from the last observable to the first: a name means an observable above, else a column
        for name, e in reversed(observables):
            if name in wanted:
                self._observables[name] = e
                del wanted[name]
                wanted |= dict.fromkeys(e.names)
        self.needed = tuple(wanted)

    def __call__(self, numbers: Mapping[str, Floats]) -> dict[Expression, Evaluated]:
        """Values and lost events of each expression, both (n,), for columns of a batch."""
        there = dict(numbers)
        for name, e in reversed(self._observables.items()):
            there[name] = e.evaluate(there).values
        return {e: e.evaluate(there) for e in self._wanted}
