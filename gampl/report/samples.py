"""True and generated events as an analysis sees them: the numbers that it needs, from files of any kind."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats, counted
from gampl.files import EventFile, EventFileError, Layout, open_file
from gampl.files.arrays import MOMENTA
from gampl.files.tables import Labels, is_weight
from gampl.particles.events import Events
from gampl.particles.expressions import Evaluated, Expression
from gampl.particles.observables import observable
from gampl.report.process import Process, SampleFiles
from gampl.reweighting import accepted

Values = Mapping[Expression, Evaluated]  # of each expression values and which are lost, both (n,)
Progress = Callable[[str, int], None]
ROWS = 100_000
SAME = 1e-6  # of a weight, within which single precision may have rounded one and the same
MOST_MEMBERS = 10_000


class Batch(NamedTuple):
    """Some events."""

    columns: Mapping[str, Floats]  # each (n,)
    weights: Floats | None = None  # (n,)
    members: NDArray[Any] | Labels | None = None  # (n,), which member each event is of, where a column says it

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, which: slice | NDArray[np.intp]) -> "Batch":
        """Some of the events, of one member."""
        columns = {name: values[which] for name, values in self.columns.items()}
        return Batch(columns, None if self.weights is None else self.weights[which])

    def by_member(self, name: str) -> Iterator[tuple[str, "Batch"]]:
        """The batch under this name, or its parts if a column says which member each event is of.

        A ValueError if a label is missing, or there are so many that the column can hardly be one of labels.
        """
        if self.members is None:
            yield name, self
            return
        members = Labels.of(self.members)
        sizes = np.bincount(members.which, minlength=len(members.words)).tolist()
        held = [(word, n) for word, n in zip(members.words, sizes, strict=True) if n]
        if missing := sum(n for word, n in held if word in (None, "", b"") or word != word):
            raise ValueError(f"{name}: has {counted(missing, 'event')} without the name of a member")
        labels = sorted({word for word, _ in held})
        if (n := len(labels)) > MOST_MEMBERS:
            raise ValueError(f"{name}: the column of the members has {n} values, expected at most {MOST_MEMBERS}")
        place = {label: k for k, label in enumerate(labels)}
        # numbers of 16 bits are sorted in time that grows with how many they are
        which = np.array([place.get(word, 0) for word in members.words], dtype=np.int16)[members.which]
        ordered, ends = self.rows(np.argsort(which, kind="stable")), np.cumsum(np.bincount(which)).tolist()
        for label, start, end in zip(labels, [0, *ends], ends, strict=False):
            yield f"member {_text(label)}", ordered.rows(slice(start, end))


def _text(label: Any) -> str:
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(float(label))
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)


def opened(path: Path, files: SampleFiles, layout: Layout | None) -> AbstractContextManager[EventFile]:
    """One of some files, opened as they are to be read."""
    how, names = {"kind": files.kind, "sample": files.sample, "decimal": files.decimal}, files.columns
    return open_file(path, layout=layout, names=names, **how)


def batches(process: Process, files: SampleFiles, names: Sequence[str]) -> Iterator[Batch]:
    """Columns of these names of all files, one after the other, or observables of particles where they hold these.

    Of particles there is also `MOMENTA`, (n, particles, 4).

    An `EventFileError` if a file is not what it should be, has no column or observable of a name, or carries weights
    that differ, and nothing says whether to use them.
    """
    known: dict[str, float] = {}  # weights of all events by their column, where none is asked for
    needs_choice = files.weight is None and not files.ignore_weights
    labels = () if files.member is None else (files.member,)
    further = labels if files.weight is None else (files.weight, *labels)
    layout = process.layout
    if layout is not None:
        layout = replace(layout, keep=tuple(dict.fromkeys([*layout.keep, *further])))
    for path in files.files:
        with opened(path, files, layout) as file:
            parts: Iterable[Mapping[str, NDArray[Any]]]
            if file.holds_particles:
                parts = (_of_particles(process, path, events, (*names, *further)) for events in file.events(ROWS))
            else:
                parts = file.columns((*names, *further), labels, with_weights=needs_choice)
            for numbers in parts:
                for name in filter(is_weight, numbers if needs_choice else ()):
                    if name not in (*names, *labels):
                        is_true = files in (process.train, process.holdout)
                        _check_equal(name, numbers[name], known, path, is_true=is_true)
                weights = None if files.weight is None else np.asarray(numbers[files.weight], dtype=np.float64)
                if weights is not None and not np.isfinite(weights).all():
                    raise EventFileError(f"{path}: column {files.weight!r} has weights that are not finite")
                members = None if files.member is None else numbers[files.member]
                yield Batch({name: np.asarray(numbers[name]) for name in names}, weights, members)


def _check_equal(name: str, weights: NDArray[Any], known: dict[str, float], path: Path, *, is_true: bool) -> None:
    """An `EventFileError` if the weights of a batch are others than the one that events before had, see ``known``."""
    if not len(weights):
        return
    only = known.setdefault(name, float(weights[0]))
    if (np.abs(weights - only) <= SAME * abs(only)).all():
        return
    n = np.unique(np.append(weights, only)).size
    negative = np.count_nonzero(weights < 0)
    use = f"weight: {name} (in a shell --weight {shlex.quote(name)}) uses them"
    if is_true:
        use = f"weight: {name} with unweight: true (in a shell --unweight {shlex.quote(name)}) makes events of equal "
        use += "weight of them"
        use += ", which is not possible with negative ones" * bool(negative)
    option = "--unweight" if is_true else "--weight"
    raise EventFileError(
        f"{path}: events have different weights ({n} different ones in {len(weights)} events, {negative} negative), "
        f"expected a choice: {use}; ignore_weights: true (in a shell {option} none) leaves them out"
    )


def _of_particles(process: Process, path: Path, events: Events, names: Iterable[str]) -> dict[str, Floats]:
    """Columns of the events, or observables of their particles."""
    composites = composites_of(process, events)
    jets = [particle for particle in events.particles if particle.startswith(("j", "b", "q"))] or None
    numbers = {MOMENTA: events.momenta, **events.columns}
    for name in names:
        try:
            if name not in numbers:
                numbers[name] = observable(name, events.particles, composites, jets)(events.momenta)
        except ValueError as error:
            problem = f"{name!r} is neither a column ({', '.join(events.columns) or 'none'}) nor an observable: {error}"
            raise EventFileError(f"{path}: {problem}") from None
    return numbers


def composites_of(process: Process, events: Events) -> dict[str, tuple[str, ...]]:
    """Sums of particles: of a process, and of what some events say that they are of."""
    from gampl.processes import DileptonTopPair, TopPair, ZJets

    processes = {"dilepton": DileptonTopPair, "top_pair": TopPair, "z_jets": ZJets}
    known = {name: process.composites for name, process in processes.items()}
    return {**known.get(str(events.about.get("process")), {}), **process.composites}


def rows_of(values: Values, rows: slice) -> dict[Expression, Evaluated]:
    """Values of some of the events."""
    return {e: Evaluated(numbers[rows], lost[rows]) for e, (numbers, lost) in values.items()}


class Numbers:
    """Expressions that are computed batch by batch, each once: observables of the process first, in their order.

    Observables that a generator has learned are columns already; ``needed`` are all columns that events must have.
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
    """Numbers of true events."""

    values: Values  #: of each expression the values and which of them are lost, both (n,)
    raw: Mapping[str, Floats]  #: columns as the files have them, to recognise events that are in two samples

    def __len__(self) -> int:
        return len(next(iter(self.raw.values())))

    @classmethod
    def read(
        cls, process: Process, name: Literal["train", "holdout"], numbers: Numbers, progress: Progress | None = None
    ) -> "TrueSample | None":
        """All events of the training sample or the holdout; None if there are none.

        A ValueError if a file cannot be used or unweighted, or the numbers of too many events are not finite.
        """
        files: SampleFiles | None = getattr(process, name)
        if files is None:
            return None
        parts: list[Batch] = []
        for batch in batches(process, files, numbers.needed):
            parts.append(batch)
            if progress is not None:
                progress(name, sum(map(len, parts)))
        raw = {column: np.concatenate([part.columns[column] for part in parts]) for column in numbers.needed}
        if files.unweight:
            rng = np.random.default_rng([process.seed, ("train", "holdout").index(name)])
            weights = np.concatenate([np.asarray(part.weights) for part in parts])
            if not ((weights >= 0).all() and weights.max(initial=0) > 0):
                raise ValueError(f"{name}: events can be unweighted if no weight is negative and not all are zero")
            kept = accepted(weights, rng)
            raw = {column: values[kept] for column, values in raw.items()}
        values = numbers(raw)
        for e, (_, lost) in values.items():
            if lost.sum() > process.max_lost * lost.size:
                tolerated = f"the tolerated share max_lost = {process.max_lost:g}"
                problem = f"{e.text!r} is not finite for {lost.sum()} of {lost.size} events, more than {tolerated}"
                raise ValueError(f"{name}: {problem}")
        return cls(values, raw)

    def part(self, rows: slice) -> "TrueSample":
        """Some of the events."""
        return TrueSample(rows_of(self.values, rows), {name: column[rows] for name, column in self.raw.items()})


@dataclass(frozen=True, eq=False)
class Truth:
    """True events: those that the generator was trained on, and those that it has not seen."""

    train: TrueSample | None
    holdout: TrueSample | None
    unused: TrueSample | None = None  #: events of the training sample beyond those that a generator is trained on here

    @classmethod
    def of(cls, process: Process, expressions: Iterable[Expression], progress: Progress | None = None) -> "Truth":
        """Read both samples, as far as the process has them, see `TrueSample.read`."""
        numbers = Numbers(process, expressions)
        train, unused = TrueSample.read(process, "train", numbers, progress), None
        if process.members is None and train is not None and len(train) > process.n_train:  # trained here
            train, unused = train.part(slice(process.n_train)), train.part(slice(process.n_train, None))
        return cls(train, TrueSample.read(process, "holdout", numbers, progress), unused)

    @property
    def reference(self) -> TrueSample | None:
        """What generated events are compared with: the holdout, else the training sample."""
        return self.holdout or self.train

    @property
    def reference_is(self) -> Literal["holdout", "training"]:
        """Which of the two it is."""
        return "training" if self.holdout is None and self.train is not None else "holdout"
