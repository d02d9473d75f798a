"""What is kept of each member while its events pass by."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gampl.averaging import Tally
from gampl.basics import Floats, counted
from gampl.kolmogorov import KolmogorovSmirnov
from gampl.particles.expressions import Bools, Expression
from gampl.regions import Intervals, Placed
from gampl.report import suspects
from gampl.report.lot import Lot
from gampl.report.order import Order
from gampl.report.process import Process, Region
from gampl.report.samples import Batch, Numbers, Progress, TrueSample, Truth, Values, rows_of
from gampl.report.split import Halves

BLOCK = 4096  # events of which is counted at a time in which regions they are

# makes, for names of columns, the name and the batches of each member
Streams = Callable[[Sequence[str]], Iterable[tuple[str, Iterable[Batch]]]]


class Doubt(str):
    """A warning because of which estimates do not hold: all of them, or those of a method, a region or a summary."""

    about: tuple[str, str, str]  #: method, region, summary; empty for all

    def __new__(cls, text: str, method: str = "", region: str = "", summary: str = "") -> "Doubt":
        """A doubt about all estimates, or those of a method, a region or a summary."""
        made = super().__new__(cls, text)
        made.about = (method, region, summary)
        return made


class Placement:
    """One region, or several that are added up, with edges at quantiles of true events, or a ValueError without any."""

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


class Overlaps:
    """Events of all members in each of some regions, and in each two of them."""

    def __init__(self, n_regions: int) -> None:
        self.inside = np.zeros(n_regions, dtype=np.int64)  #: (regions,)
        self.shared = np.zeros((n_regions, n_regions))  #: (regions, regions), of two different ones

    def update(self, masks: Sequence[Bools]) -> None:
        """Add the events of a batch, of which a mask for each region, (n,), says which are in."""
        if len(masks) < 2:
            return
        inside = np.array(masks)
        self.inside += inside.sum(axis=1)
        several = np.flatnonzero(inside.sum(axis=0) > 1)  # regions that share nothing cost nothing
        for start in range(0, several.size, BLOCK):
            block = inside[:, several[start : start + BLOCK]].astype(np.float32)
            self.shared += block @ block.T


@dataclass(frozen=True, eq=False)
class Test:
    """One Kolmogorov-Smirnov test of the members: a summary, of all events or of those in a region."""

    name: str  #: of the summary
    summary: Callable[[Values], Floats]  #: its values for the numbers of a batch, (n,)
    where: Placement | None  #: the region; None for all events
    reference: Floats  #: values of the true events there, (n_ref,)
    n_train: float  #: training events there, which may be an expectation
    #: events at the beginning of each member that must not be tested, since a classifier was trained on them
    skipped: int = 0
    cut: float | None = None  #: where the difference is largest, if that is known


@dataclass(frozen=True, eq=False)
class Job:
    """What is computed of each generated event, and what becomes of it."""

    process: Process
    truth: Truth  #: what members are compared with
    numbers: Numbers  #: all expressions
    regions: Sequence[Placement]  #: where events are counted
    tests: Sequence[Test]  #: what they are tested on
    histograms: Mapping[Expression, Floats]  #: bins by expression
    divisions: Mapping[Expression, Floats]  #: coarser ones, of about as many true events each
    overlaps: Overlaps  #: of the regions that are conditions
    together: Sequence[Expression] = ()  #: coordinates of the events that are compared as a whole

    @cached_property
    def distances(self) -> Mapping[Test, KolmogorovSmirnov]:
        """Of each test one that members share the reference of."""
        return {test: KolmogorovSmirnov(test.reference) for test in self.tests}

    @cached_property
    def halves(self) -> Mapping[Test, Halves]:
        """Of each test one that members share the reference of; none if there is to be no upper limit."""
        share, seed = self.process.split, self.process.seed
        if share is None:
            return {}
        return {test: Halves(test.reference, cut=test.cut, share=share, seed=seed) for test in self.tests}

    def order(self, first: int | None) -> Order:
        """To be filled with `cells` of a sample, of which only the first events may be used."""
        sizes = [len(region) + 1 for region in self.regions]
        return Order(sizes + [edges.size + 1 for edges in self.divisions.values()], first)

    def cells(self, values: Values) -> Iterator[NDArray[np.intp]]:
        """Where the events of a batch lie: in which part of a region, or outside, which comes last; in which bin."""
        for region in self.regions:
            yield region.place(values).region % (len(region) + 1)
        for e, edges in self.divisions.items():
            yield np.searchsorted(edges, values[e].values, side="right")

    def label(self, cell: int) -> str:
        """What `cells` number in words, all of one division before those of the next."""
        texts: list[str] = []
        for placement in self.regions:
            name, n = placement.region.name, len(placement)
            texts += [*([name] if n == 1 else (f"part {k + 1} of {name}" for k in range(n))), f"outside of {name}"]
        for e, x in self.divisions.items():
            ends = ["", *(f"{end:.3g}" for end in x), ""]
            texts += [f"{a}{' <= ' * bool(a)}{e.text}{' < ' * bool(b)}{b}" for a, b in pairwise(ends)]
        return texts[cell]

    def members(self, streams: Streams, progress: Progress | None = None) -> "list[Member]":
        """All members, after their events have passed; a ValueError if one has fewer events than are to be used."""
        n_gen, members = self.process.n_gen, dict[str, Member]()
        for name, stream in streams(self.numbers.needed):
            for batch in stream:
                for label, part in batch.by_member(name):
                    if label not in members:
                        members[label] = Member(label, self)
                    members[label].update(part)
                    if progress is not None:
                        progress(label, members[label].n_gen)
            if name in members:  # its events came from one file, further ones would need memory
                for distances in members[name].distances.values():
                    distances.close()
        if short := [member for member in members.values() if n_gen is not None and member.n_gen < n_gen]:
            n = counted(short[0].n_gen, "usable event")
            raise ValueError(f"{short[0].name}: holds {n}, expected n_gen = {n_gen}")
        return list(members.values())


class Member:
    """Accumulates the events of one member, as far as they are to be used."""

    def __init__(self, name: str, job: Job) -> None:
        self.name, self.job = name, job
        self.n_gen, self.weight = 0, 0.0
        self.tallies = {region: Tally(len(region), name=name) for region in job.regions}
        self.distances = {test: distance.another(name) for test, distance in job.distances.items()}
        self.halves = {test: halves.another(name) for test, halves in job.halves.items()}
        self.lot = Lot(seed=job.process.seed)
        self.counts = {e: np.zeros(edges.size - 1) for e, edges in job.histograms.items()}
        self.kept = suspects.Kept()
        self.order = job.order(job.process.n_gen)

    def shares(self, region: Placement) -> Floats:
        """Share of the events in a region or its parts, (regions,); a ValueError if there are too few, see `Tally`."""
        return self.tallies[region].shares.integrals

    def update(self, batch: Batch) -> None:
        """Add the events of a batch; of those that are not to be used only their order counts."""
        values = self.job.numbers(batch.columns)
        self.order.update(self.job.cells(values), batch.weights)
        if (most := self.job.process.n_gen) is not None:
            used = slice(most - self.n_gen)
            batch, values = batch.rows(used), rows_of(values, used)
        if not len(batch):
            return
        self.kept.update(batch.columns, batch.weights)
        inside: dict[Placement, Bools] = {}  # of conditions; where events lie is kept of one region at a time
        for region, tally in self.tallies.items():
            placed = region.place(values)
            tally.update(placed, batch.weights)
            if region.region.condition:
                inside[region] = placed.region >= 0
        for test, distances in self.distances.items():
            tested = np.arange(len(batch)) >= test.skipped - self.n_gen
            if test.where is not None:
                tested &= inside[test.where]
            if tested.any():
                x, weights = test.summary(values)[tested], None if batch.weights is None else batch.weights[tested]
                distances.update(x, weights)
                if test in self.halves:
                    self.halves[test].update(x, weights)
        if self.job.together:
            self.lot.update(columns_of(values, self.job.together))
        for e, edges in self.job.histograms.items():
            self.counts[e] += counts(values[e].values, edges, batch.weights)
        self.job.overlaps.update(list(inside.values()))
        self.n_gen += len(batch)
        self.weight += len(batch) if batch.weights is None else float(batch.weights.sum())


def columns_of(values: Values, expressions: Sequence[Expression]) -> Floats:
    """Some numbers of each event as coordinates, (n, numbers)."""
    return np.stack([values[e].values for e in expressions], axis=-1)


def counts(values: Floats, edges: Floats, weights: Floats | None = None) -> Floats:
    """Events in each bin, or sums of their weights, (bins,)."""
    finite = np.isfinite(values)
    kept = None if weights is None else weights[finite]
    return np.asarray(np.histogram(values[finite], edges, weights=kept)[0], dtype=np.float64)
