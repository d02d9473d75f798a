"""One pass through the samples: both estimates in all regions, and what a report wants to show beside them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from gampl import averaging, differential
from gampl.basics import Floats, counted
from gampl.particles.expressions import Expression
from gampl.ratio import held_out
from gampl.report import multivariate, split
from gampl.report.lot import Lot
from gampl.report.members import Doubt, Job, Member, Overlaps, Placement, Streams, Test, columns_of, counts
from gampl.report.process import Process, Region
from gampl.report.samples import Batch, Numbers, Progress, TrueSample, Truth, Values, batches
from gampl.report.weak_spots import weak_spots, weaker
from gampl.result import Amplification
from gampl.spread import RegionError

EVERYWHERE = "all events"
FEWEST = 10  # true events of a test
BINS = 40
PARTS = 8  # of the true events by each number, for the test of order
TAIL = 0.002  # share of the events that may lie outside of the bins on either side


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One estimate or, if it could not be made, why not.

    The ``n_train`` of a result are the training events that its G refers to, see `gampl.result.Amplification`.
    """

    region: Region | None  #: of the events; None for all of them
    summary: str = ""  #: name of the summary of a differential estimate; empty for averaging
    share: float = 1.0  #: mean share of the generated events in the region
    result: Amplification | None = None  #: G with its interval; None if there is no estimate
    problem: str = ""  #: why no estimate could be made
    at_most: split.SplitLimit | None = None  #: the upper limit of a differential estimate, if the process asks for it
    #: of the members, for averaging: shares of their events in the region or its parts, (members, regions)
    integrals: Floats | None = field(default=None, compare=False, repr=False)

    @property
    def method(self) -> str:
        """``"averaging"`` or ``"differential"``."""
        return "differential" if self.summary else "averaging"

    @property
    def where(self) -> str:
        """Name of the region."""
        return EVERYWHERE if self.region is None else self.region.name

    @property
    def what(self) -> str:
        """Summary and region in words."""
        return f"{self.summary}, {self.where}" if self.summary else self.where


@dataclass(frozen=True, eq=False)
class Histogram:
    """Distribution of a number of each event, for members and for true events: shares of events by bin."""

    name: str  #: observable or expression
    label: str  #: for the axis, with its unit
    edges: Floats  #: (bins + 1,)
    members: Floats  #: share of each member's events in each bin, (members, bins)
    true: Floats  #: the same of the true events, (bins,)
    n_true: int  #: true events behind it
    marks: tuple[float, ...] = ()  #: ends of regions that are intervals of this number

    @property
    def band(self) -> tuple[Floats, Floats]:
        """Mean share over the members and its spread, both (bins,); a single member has no spread."""
        spread = self.members.std(axis=0, ddof=1) if len(self.members) > 1 else np.zeros(self.edges.size - 1)
        return self.members.mean(axis=0), spread


@dataclass(frozen=True)
class Study:
    """The outcome of an analysis."""

    process: Process  #: what was analysed
    findings: tuple[Finding, ...]  #: all estimates, and those that could not be made
    warnings: tuple[str, ...]  #: weak spots of the samples, in words; those of an estimate are its own notes
    #: distributions of summaries and of the observables of regions, generated and true
    histograms: tuple[Histogram, ...]
    members: tuple[str, ...]  #: names of the members
    n_gen: tuple[int, ...]  #: generated events that were used of each, (members,)
    n_holdout: int  #: true events that the generator did not see; 0 if there are none
    reference_is: str  #: ``"holdout"`` or ``"training"``, what the differential estimates compare with
    seconds: float = field(compare=False)  #: wall time

    @property
    def estimates(self) -> tuple[Finding, ...]:
        """The findings that have a result."""
        return tuple(finding for finding in self.findings if finding.result is not None)

    def doubts(self, finding: Finding) -> tuple[str, ...]:
        """The warnings because of which an estimate does not hold."""
        about = (finding.method, finding.where, finding.summary)
        doubts = [warning for warning in self.warnings if isinstance(warning, Doubt) and finding.result is not None]
        return tuple(
            doubt for doubt in doubts if all(own in ("", its) for own, its in zip(doubt.about, about, strict=True))
        )


def analyse(process: Process, progress: Progress | None = None) -> Study:
    """Read all samples of a process once and estimate everything that it asks for.

    An estimate that cannot be made is a `Finding` without a result that says why; a ValueError if the process has no
    members, or a file cannot be used. ``progress`` is called with the name of a sample and the events read of it.
    """
    files = process.members
    if files is None:
        raise ValueError("members: expected files with the generator's events")

    def streams(columns: Sequence[str]) -> Iterator[tuple[str, Iterable[Batch]]]:
        for name, path in zip(files.names, files.files, strict=True):
            yield name, batches(process, replace(files, files=(path,)), columns)

    return analyse_streams(process, streams, progress)


def analyse_streams(
    process: Process, streams: Streams, progress: Progress | None = None, *, learned: Sequence[str] = ()
) -> Study:
    """Analyse as `analyse` does, with members of any kind, see `Streams`; what was learned is a column of theirs."""
    start = time.monotonic()
    expressions = [process.expression_of(region) for region in process.regions]
    expressions += [process.number(text) for text in (*process.summaries, *process.classifier, *process.distances)]
    # what simple conditions are about, for their control plots
    intervals = [e.interval() for e in expressions if e.is_condition]
    expressions += [interval.inner for interval in intervals if interval is not None]
    truth = Truth.of(process, expressions, progress)
    numbers = Numbers(process, expressions, learned)
    regions = [Placement(region, process, truth) for region in process.regions]
    tests: list[Test | Finding] = []
    bins: dict[Expression, Floats] = {}
    if (reference := truth.reference) is not None:
        tests += _tests(process, truth, reference, regions)
        if process.classifier:
            tests.append(_learn(process, reference, numbers, streams))
        bins = {e: _edges_of(values) for e, (values, _) in reference.values.items() if not e.is_condition}
    divisions = {e: _edges_of_equal_parts(reference.values[e].values) for e in bins} if reference else {}
    overlaps = Overlaps(sum(bool(region.condition) for region in process.regions))
    own = [test for test in tests if isinstance(test, Test)]
    together = [process.number(text) for text in process.distances]
    job = Job(process, truth, numbers, regions, own, bins, divisions, overlaps, together)
    members = job.members(streams, progress)
    findings: list[Finding] = []
    if process.averaging and not (len(members) == 1 and tests):  # a single generator can be compared only
        findings += [_finding(job, members, region) for region in regions]
    findings += [test if isinstance(test, Finding) else _finding(job, members, test.where, test) for test in tests]
    if reference is not None and together:
        findings += _distances(job, members, columns_of(reference.values, together))
    everywhere = [(one.summary, one.result) for one in findings if one.summary and one.region is None and one.result]
    return Study(
        process=process,
        findings=tuple(findings),
        warnings=(*weak_spots(job, members), *weaker(everywhere, [test.name for test in job.tests if test.skipped])),
        histograms=tuple(_histogram(job, reference, members, e) for e in bins) if reference else (),
        members=tuple(member.name for member in members),
        n_gen=tuple(member.n_gen for member in members),
        n_holdout=0 if truth.holdout is None else len(truth.holdout),
        reference_is=truth.reference_is,
        seconds=time.monotonic() - start,
    )


def _tests(
    process: Process, truth: Truth, reference: TrueSample, regions: Sequence[Placement]
) -> Iterator[Test | Finding]:
    """Each summary for all events, and in each region that is a condition."""
    places = [None, *(placement for placement in regions if placement.region.condition)]
    for text, where in product(process.summaries, places):
        e = process.number(text)
        values, lost = reference.values[e]
        usable, n_train = ~lost, float(process.n_train)
        if where is not None:
            usable &= where.place(reference.values).region >= 0
            n_train *= where.shares(truth.train or reference)[0]
        true = values[usable]
        problem = ""
        if true.size < FEWEST:
            n = counted(true.size, "event")
            problem = f"the {truth.reference_is} sample has only {n} here, expected at least {FEWEST}"
        elif true.min() == true.max():
            problem = f"all {true.size} true events have the same {text}, {true[0]:g}"
        if problem:
            yield Finding(region=where.region if where else None, summary=text, problem=problem)
        else:
            yield Test(text, partial(_values_of, e), where, true, n_train)


def _values_of(e: Expression, values: Values) -> Floats:
    return values[e].values


def _learn(process: Process, reference: TrueSample, numbers: Numbers, streams: Streams) -> Test:
    """Train a classifier on half of the true events and as many generated ones, the first of each member.

    The other half is the reference. If members have few events, half of these are left for the test.
    """
    files = process.members
    if files is not None and files.member is not None:
        raise ValueError("classifier: needs a file for each member, not a column that says which member an event is of")
    if files is not None and files.weight is not None:
        raise ValueError("classifier: learns from events of equal weight only, expected members without weights")
    expressions = [process.number(text) for text in process.classifier]

    def features(values: Values) -> Floats:
        return np.stack([values[e][0] for e in expressions], axis=-1)

    true = features(reference.values)
    true = true[np.isfinite(true).all(axis=1)]
    most = 2 * len(true) if process.n_gen is None else process.n_gen

    def first(stream: Iterable[Batch]) -> Floats:
        parts: list[Floats] = []
        for batch in stream:
            parts.append(features(numbers(batch.columns)))
            if sum(map(len, parts)) >= most:
                break
        return np.concatenate(parts)[:most]

    samples = [first(stream) for _, stream in streams(numbers.needed)]
    each = min(-(-len(true) // len(samples)), min(map(len, samples)) // 2)
    generated = np.concatenate([events[:each] for events in samples])
    generated = generated[np.isfinite(generated).all(axis=1)]
    ratio = held_out(true, generated, process.seed)
    return Test(
        name=f"classifier of {', '.join(process.classifier)}",
        summary=lambda values: np.asarray(ratio(features(values)), dtype=np.float64),
        where=None,
        reference=np.asarray(ratio.reference),
        n_train=process.n_train,
        skipped=each,
        cut=0.0,  # half of the events have chosen it already, by training the classifier
    )


def _finding(job: Job, members: Sequence[Member], where: Placement | None, test: Test | None = None) -> Finding:
    """The averaging estimate in a region or, with a test, the differential one there."""
    options = {"level": job.process.level, "max_lost": job.process.max_lost}
    finding = Finding(region=where.region if where else None, summary=test.name if test else "")
    try:
        if where is not None:
            finding = replace(finding, share=0.0)  # unless its events can be counted
            integrals = np.stack([member.shares(where) for member in members])
            finding = replace(finding, share=float(integrals.sum(axis=1).mean()), integrals=integrals)
            if test is None:
                tallies = [member.tallies[where] for member in members]
                finding = replace(finding, result=averaging.from_tallies(tallies, job.process.n_train, **options))
        if test is not None:
            distances, n_train = [member.distances[test] for member in members], max(round(test.n_train), 1)
            result = differential.from_tallies(distances, n_train, reference_is=job.truth.reference_is, **options)
            finding = replace(finding, result=result)
            if test in job.halves:
                limit = split.from_halves([member.halves[test] for member in members], n_train, **options)
                finding = replace(finding, at_most=limit)
    except RegionError as error:
        return replace(finding, problem=error.problem if where is None or len(where) == 1 else str(error))
    except ValueError as error:
        return replace(finding, problem=str(error))
    return finding


def _distances(job: Job, members: Sequence[Member], true: Floats) -> Iterator[Finding]:
    """The estimates from distances of whole events."""
    process, reference = job.process, Lot(seed=job.process.seed)
    reference.update(true)
    options: dict[str, Any] = {"level": process.level, "max_lost": process.max_lost, "seed": process.seed}
    for kind, title in multivariate.KINDS.items():
        name, lots = f"{title} of {', '.join(process.distances)}", [member.lot for member in members]
        try:
            result = multivariate.from_lots(
                lots, reference, process.n_train, kind=kind, reference_is=job.truth.reference_is, **options
            )
            yield Finding(region=None, summary=name, result=result)
        except ValueError as error:
            yield Finding(region=None, summary=name, problem=str(error))


def _edges_of(values: Floats) -> Floats:
    """Bins that hold almost all of some values, (bins + 1,); whole numbers of a small range have one each."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [TAIL, 1 - TAIL]) if finite.size else (0.0, 1.0)
    if high - low < BINS and (finite == np.round(finite)).all():
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _edges_of_equal_parts(values: Floats) -> Floats:
    """Inner edges of bins that hold about as many of some values each, (bins - 1,)."""
    finite = values[np.isfinite(values)]
    return np.unique(np.quantile(finite, np.arange(1, PARTS) / PARTS)) if finite.size else finite


def _histogram(job: Job, reference: TrueSample, members: Sequence[Member], e: Expression) -> Histogram:
    """One of the numbers that a job has bins for, events outside of the bins included in the shares."""
    process, edges = job.process, job.histograms[e]
    names = {
        process.number(text): text
        for text in (*process.observables, *process.summaries, *process.classifier, *process.distances)
    }
    marks: list[float] = []
    for placement in job.regions:
        interval = placement.expression.interval() if placement.region.condition else None
        if interval is not None and interval.inner == e:
            marks += interval[1:]
        elif placement.intervals is not None and placement.expression == e:
            marks += [*placement.intervals.low, *placement.intervals.high]
    name = names.get(e, e.text)
    return Histogram(
        name=name,
        label=process.label(name),
        edges=edges,
        members=np.stack([member.counts[e] / (member.weight or 1.0) for member in members]),
        true=counts(reference.values[e].values, edges) / len(reference),
        n_true=len(reference),
        marks=tuple(sorted({mark for mark in marks if np.isfinite(mark)})),
    )
