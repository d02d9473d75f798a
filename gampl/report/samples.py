"""True and generated events as an analysis sees them: the numbers that it needs, from files of any kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.files import EventFile, EventFileError, open_file
from gampl.particles.events import Events
from gampl.particles.expressions import Evaluated, Expression
from gampl.particles.observables import observable
from gampl.processes import top_pair, z_jets
from gampl.report.process import Process, SampleFiles

Values = Mapping[Expression, Evaluated]
Progress = Callable[[str, int], None]
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


def batches(process: Process, files: SampleFiles, names: Sequence[str], path: Path | None = None) -> Iterator[Batch]:
    """Events of all files, one after the other, or of one of them.

    Args:
        process: Says how particles are read.
        files: Which files.
        names: Of columns, or of observables of particles where the files hold these.
        path: The only file to read.

    Raises:
        EventFileError: If a file is not what it should be, or has no column or observable of a name.
        FileNotFoundError: If there is no such file.
    """
    further = tuple(name for name in (files.weight, files.member) if name is not None)
    layout = process.layout
    if layout is not None:
        layout = replace(layout, keep=tuple(dict.fromkeys([*layout.keep, *further])))
    for one in files.files if path is None else (path,):
        with open_file(one, kind=files.kind, sample=files.sample, layout=layout, names=files.columns) as file:
            for numbers in _numbers(process, files, file, (*names, *further)):
                weights = None if files.weight is None else np.asarray(numbers[files.weight], dtype=np.float64)
                if weights is not None and not np.isfinite(weights).all():
                    raise EventFileError(f"{one}: column {files.weight!r} has weights that are not finite")
                members = None if files.member is None else numbers[files.member]
                yield Batch({name: numbers[name] for name in names}, weights, members)


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
    jets = [particle for particle in events.particles if particle.startswith(("j", "b", "q"))] or None
    try:
        return observable(name, events.particles, composites, jets)(events.momenta)
    except ValueError as error:
        listed = ", ".join(events.columns) or "none"
        raise EventFileError(f"{path}: {name!r} is neither a column ({listed}) nor an observable: {error}") from None


class Numbers:
    """Expressions that are computed batch by batch, each once: observables first, then what is made of them.

    Args:
        process: Its observables can be used in all expressions, and in observables below them.
        expressions: What to compute.
        learned: Observables that the events have as columns already, since a generator has learned them.

    Attributes:
        needed: Names of the columns that the events must have.
    """

    def __init__(self, process: Process, expressions: Iterable[Expression], learned: Sequence[str] = ()) -> None:
        self._expressions = list(dict.fromkeys(expressions))
        names = dict.fromkeys(name for e in self._expressions for name in e.names)
        self._observables: list[tuple[str, Expression]] = []
        # from the last observable to the first: a name means an observable above, else a column
        for name, definition in reversed([*process.observables.items()]):
            if name in names and name not in learned:
                self._observables.insert(0, (name, definition.expression))
                del names[name]
                names |= dict.fromkeys(definition.expression.names)
        self.needed = tuple(names)

    def __call__(self, columns: Mapping[str, Floats]) -> dict[Expression, Evaluated]:
        """Values and lost events of each expression, both (n,), for columns of a batch."""
        numbers = dict(columns)
        for name, e in self._observables:
            numbers[name] = e.evaluate(numbers).values
        return {e: e.evaluate(numbers) for e in self._expressions}


@dataclass(frozen=True, eq=False)
class TrueSample:
    """Numbers of true events.

    Attributes:
        values: Of each expression the values and which of them are lost, both (n,).
        raw: Columns as the files have them, (n, columns), to recognise events that are in two samples.
        names: Of these columns.
    """

    values: Values
    raw: Floats
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.raw)

    def first(self, n: int) -> "TrueSample":
        """The first n events, or all if there are fewer."""
        values = {e: Evaluated(values[:n], lost[:n]) for e, (values, lost) in self.values.items()}
        return TrueSample(values, self.raw[:n], self.names)


@dataclass(frozen=True, eq=False)
class Truth:
    """The training sample and the holdout, as far as they are given.

    Attributes:
        train: Events that the generator was trained on.
        holdout: Events that it has not seen.
    """

    train: TrueSample | None
    holdout: TrueSample | None

    @classmethod
    def of(cls, process: Process, expressions: Iterable[Expression], progress: Progress | None = None) -> "Truth":
        """Read both samples.

        Raises:
            ValueError: If a file cannot be used, or the numbers of too many events are not finite.
        """
        numbers = Numbers(process, expressions)
        train = true_sample(process, "train", numbers, progress)
        if process.members is None and train is not None:  # trained here, on the first events
            train = train.first(process.n_train)
        return cls(train, true_sample(process, "holdout", numbers, progress))

    @property
    def reference(self) -> TrueSample | None:
        """What generated events are compared with: the holdout, else the training sample."""
        return self.holdout or self.train

    @property
    def reference_is(self) -> Literal["holdout", "training"]:
        """Which of the two it is."""
        return "training" if self.holdout is None and self.train is not None else "holdout"

    @property
    def n_holdout(self) -> int:
        """Events that the generator has not seen."""
        return 0 if self.holdout is None else len(self.holdout)


def true_sample(
    process: Process, name: Literal["train", "holdout"], numbers: Numbers, progress: Progress | None = None
) -> TrueSample | None:
    """All events of the training sample or the holdout; None if there are none.

    Raises:
        ValueError: See `Truth.of`.
    """
    files: SampleFiles | None = getattr(process, name)
    if files is None:
        return None
    parts: list[Batch] = []
    n = 0
    for batch in batches(process, files, numbers.needed):
        parts.append(batch)
        n += len(batch)
        if progress is not None:
            progress(name, n)
    raw = {column: np.concatenate([part.columns[column] for part in parts]) for column in numbers.needed}
    if files.unweight:
        rng = np.random.default_rng([process.seed, ("train", "holdout").index(name)])
        kept = unweighted(np.concatenate([np.asarray(part.weights) for part in parts]), rng, name)
        raw = {column: values[kept] for column, values in raw.items()}
    values = numbers(raw)
    for e, (_, lost) in values.items():
        if lost.sum() > process.max_lost * lost.size:
            raise ValueError(
                f"{name}: {e.text!r} is not finite for {lost.sum()} of {lost.size} events, tolerated are "
                f"max_lost = {process.max_lost:g}"
            )
    return TrueSample(values, np.stack(list(raw.values()), axis=-1), numbers.needed)


def unweighted(weights: Floats, rng: np.random.Generator, name: str) -> NDArray[np.bool_]:
    """Which events are kept if each is with a probability of its weight over the largest one, (n,).

    Raises:
        ValueError: If a weight is negative, or all are zero.
    """
    if not ((weights >= 0).all() and weights.max(initial=0) > 0):
        raise ValueError(f"{name}: events can be unweighted if no weight is negative and not all are zero")
    return np.asarray(rng.random(weights.size) * weights.max() < weights)
