"""What is computed of each generated event, and what is kept of each member while its events pass by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.distances import Distances
from gampl.particles.expressions import Expression
from gampl.regions import Intervals, Placed, Tally
from gampl.report.histograms import Filling
from gampl.report.process import Process, Region
from gampl.report.samples import Batch, Numbers, TrueSample, Truth, Values

KEPT = 10_000  # events of each member that are kept, to recognise those that are in two samples
MOST_MEMBERS = 1_000


class Placement:
    """One region, or several that are added up, with the edges that quantiles have.

    Args:
        region: What the user asks for.
        process: Names of observables.
        truth: Where quantiles are taken from.

    Raises:
        ValueError: If quantiles cannot be taken.
    """

    def __init__(self, region: Region, process: Process, truth: Truth) -> None:
        self.region = region
        self.expression = process.expression_of(region)
        self.intervals: Intervals | None = None
        sample = truth.train or truth.reference
        if region.edges:
            self.intervals = Intervals.between(region.edges)
        elif region.quantiles and sample is not None:
            values, lost = sample.values[self.expression]
            try:
                self.intervals = Intervals.quantiles(values[~lost], region.quantiles)
            except ValueError as error:
                raise ValueError(f"region {region.name!r}: {error}") from None

    def __len__(self) -> int:
        return 1 if self.intervals is None else len(self.intervals)

    def place(self, values: Values) -> Placed:
        """The region of each event."""
        number, lost = values[self.expression]
        if self.intervals is None:
            return Placed(np.where(number, 0, -1), lost)
        return Placed(np.where(lost, -1, self.intervals.place(number).region), lost)

    def shares(self, sample: TrueSample) -> Floats:
        """Share of true events in each region, (regions,)."""
        return self.place(sample.values).counts(len(self)).inside / len(sample)


@dataclass(frozen=True, eq=False)
class Test:
    """One Kolmogorov-Smirnov test of the members: a summary, of all events or of those in a region.

    Attributes:
        name: Of the summary.
        summary: Its values for the numbers of a batch, (n,).
        region: Where, as its number in the job; None for all events.
        reference: Values of the true events there, (n_ref,).
        n_train: Training events there, which may be an expectation.
        skipped: Events at the beginning of each member that must not be tested, since a classifier was trained on them.
    """

    name: str
    summary: Callable[[Values], Floats]
    region: int | None
    reference: Floats
    n_train: float
    skipped: int = 0


@dataclass(frozen=True, eq=False)
class Job:
    """What is computed of each generated event, and what becomes of it.

    Attributes:
        numbers: All expressions.
        regions: Where events are counted.
        tests: What they are tested on.
        histograms: Bins by expression.
        n_gen: Events to use of each member, all if None.
    """

    numbers: Numbers
    regions: Sequence[Placement]
    tests: Sequence[Test]
    histograms: Mapping[Expression, Floats]
    n_gen: int | None = None


class Member:
    """Accumulates the events of one member.

    Args:
        name: How to call it.
        job: What to keep.
    """

    def __init__(self, name: str, job: Job) -> None:
        self.name, self.job = name, job
        self.n_gen = 0
        self.tallies = [Tally(len(region), name=name) for region in job.regions]
        self.distances = [Distances(test.reference, name=name) for test in job.tests]
        self.fillings = {e: Filling(edges) for e, edges in job.histograms.items()}
        self.overlaps = np.zeros((len(job.regions), len(job.regions)))  # events in two regions
        self._raw: list[Floats] = []

    @property
    def is_complete(self) -> bool:
        """Whether there are as many events as are to be used."""
        return self.job.n_gen is not None and self.n_gen >= self.job.n_gen

    @property
    def first_events(self) -> Floats:
        """Columns of the first events, (at most KEPT, columns)."""
        return np.concatenate(self._raw) if self._raw else np.empty((0, len(self.job.numbers.needed)))

    def update(self, batch: Batch) -> None:
        """Add the events of a batch, as far as they are to be used."""
        left = len(batch) if self.job.n_gen is None else self.job.n_gen - self.n_gen
        rows = slice(0, min(left, len(batch)))
        columns = {name: values[rows] for name, values in batch.columns.items()}
        weights = None if batch.weights is None else batch.weights[rows]
        self._keep(columns)
        values = self.job.numbers(columns)
        placed = [region.place(values) for region in self.job.regions]
        for tally, where in zip(self.tallies, placed, strict=True):
            tally.update(where, weights)
        for test, distances in zip(self.job.tests, self.distances, strict=True):
            self._test(test, distances, values, placed, weights)
        for e, filling in self.fillings.items():
            filling.update(values[e][0], weights)
        if placed:
            inside = np.array([where.region >= 0 for where in placed], dtype=np.float64)
            self.overlaps += inside @ inside.T
        self.n_gen += rows.stop

    def close(self) -> None:
        """All events have been seen: let go of the memory that further ones would need."""
        for distances in self.distances:
            distances.close()

    def _test(
        self, test: Test, distances: Distances, values: Values, placed: Sequence[Placed], weights: Floats | None
    ) -> None:
        summary = test.summary(values)
        if test.region is not None:
            inside = placed[test.region].region >= 0
            summary, weights = summary[inside], None if weights is None else weights[inside]
        rest = slice(max(test.skipped - self.n_gen, 0), None)
        if summary[rest].size:
            distances.update(summary[rest], None if weights is None else weights[rest])

    def _keep(self, columns: Mapping[str, NDArray[Any]]) -> None:
        missing = KEPT - sum(map(len, self._raw))
        if missing > 0 and columns:
            self._raw.append(np.stack([values[:missing] for values in columns.values()], axis=-1))


def by_member(name: str, batch: Batch) -> list[tuple[str, Batch]]:
    """A batch, or its parts if a column says which member each event is of.

    Raises:
        ValueError: If a label is missing, or there are so many that the column can hardly be one of labels.
    """
    if batch.members is None:
        return [(name, batch)]
    if missing := _missing(batch.members):
        raise ValueError(f"{name}: {missing} events do not say which member they are of")
    labels, which = np.unique(batch.members, return_inverse=True)
    if labels.size > MOST_MEMBERS:
        raise ValueError(f"{name}: the column of the members has {labels.size} values, expected at most {MOST_MEMBERS}")
    parts = []
    for k, label in enumerate(labels):
        rows = which == k
        columns = {column: values[rows] for column, values in batch.columns.items()}
        weights = None if batch.weights is None else batch.weights[rows]
        parts.append((f"member {_text(label)}", Batch(columns, weights, None)))
    return parts


def _missing(labels: NDArray[Any]) -> int:
    """Number of empty labels."""
    if labels.dtype.kind == "f":
        return int(np.isnan(labels).sum())
    if labels.dtype.kind in "iub":
        return 0
    return sum(
        label is None or label in ("", b"") or (isinstance(label, float) and np.isnan(label)) for label in labels
    )


def _text(label: Any) -> str:
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(float(label))
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)
