"""One pass through the samples: both estimates in all regions, and what a report wants to show beside them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gampl import averaging, differential
from gampl.basics import Floats
from gampl.particles.expressions import Expression
from gampl.report.diagnosis import weak_spots
from gampl.report.histograms import Filling, Histogram, edges_of
from gampl.report.learned import learn
from gampl.report.members import Job, Member, Placement, Test, by_member
from gampl.report.process import Process, Region
from gampl.report.samples import Batch, Numbers, Progress, Truth, Values, batches
from gampl.result import Amplification
from gampl.spread import RegionError

Streams = Callable[[Sequence[str]], Iterable[tuple[str, Iterable[Batch]]]]
EVERYWHERE = "all events"
FEWEST = 10  # true events of a test


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an estimate is about.

    Attributes:
        region: Of the events; None for all of them.
        summary: Name of the summary of a differential estimate; empty for averaging.
        share: Mean share of the generated events in the region.
    """

    region: Region | None
    summary: str = ""
    share: float = 1.0

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


@dataclass(frozen=True, kw_only=True)
class Estimate(Target):
    """One estimate; its ``n_train`` are the training events that its G refers to, those in the region if there is one.

    Attributes:
        result: The estimate.
    """

    result: Amplification


@dataclass(frozen=True, kw_only=True)
class Failure(Target):
    """An estimate that could not be made.

    Attributes:
        problem: Why not.
    """

    problem: str


Finding = Estimate | Failure


@dataclass(frozen=True)
class Study:
    """The outcome of an analysis.

    Attributes:
        process: What was analysed.
        findings: All estimates, and those that could not be made.
        warnings: Weak spots of the samples, in words; those of an estimate are its own notes.
        histograms: Distributions of summaries and of the observables of regions, generated and true.
        members: Names of the members.
        n_gen: Generated events that were used of each, (members,).
        n_holdout: True events that the generator did not see; 0 if there are none.
        reference_is: ``"holdout"`` or ``"training"``, what the differential estimates compare with.
        seconds: Wall time.
    """

    process: Process
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    histograms: tuple[Histogram, ...]
    members: tuple[str, ...]
    n_gen: tuple[int, ...]
    n_holdout: int
    reference_is: str
    seconds: float = field(compare=False)

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """The findings that have a result."""
        return tuple(finding for finding in self.findings if isinstance(finding, Estimate))


def analyse(process: Process, progress: Progress | None = None) -> Study:
    """Read all samples of a process once and estimate everything that it asks for.

    Args:
        process: What to do; its members must be given by files.
        progress: Called with the name of a sample and the events read of it.

    Raises:
        ValueError: If the process has no members, or a file cannot be used. An estimate that cannot be made is a
            `Failure` that says why.
    """
    files = process.members
    if files is None:
        raise ValueError("members: expected files with the generator's events")
    short = [path.name for path in files.files]
    names = short if len(set(short)) == len(short) else [str(path) for path in files.files]

    def streams(columns: Sequence[str]) -> Iterator[tuple[str, Iterable[Batch]]]:
        for name, path in zip(names, files.files, strict=True):
            yield name, batches(process, files, columns, path)

    return analyse_streams(process, streams, progress)


def analyse_streams(
    process: Process, streams: Streams, progress: Progress | None = None, *, learned: Sequence[str] = ()
) -> Study:
    """As `analyse`, for members that need not be files.

    Args:
        process: What to do.
        streams: Makes, for names of columns, the name and the batches of each member.
        progress: See `analyse`.
        learned: Observables that are columns of the generated events.
    """
    start = time.monotonic()
    expressions = _expressions(process)
    truth = Truth.of(process, expressions, progress)
    numbers = Numbers(process, expressions, learned)
    placements = [Placement(region, process, truth) for region in process.regions]
    tests = list(_tests(process, truth, placements))
    if process.classifier:
        tests.append(learn(process, truth, numbers, streams))
    bins = {}
    if truth.reference is not None:
        bins = {e: edges_of(values) for e, (values, _) in truth.reference.values.items() if not e.is_condition}
    job = Job(numbers, placements, [test for test in tests if isinstance(test, Test)], bins, process.n_gen)
    members = _pass(job, streams, progress)
    findings: list[Finding] = []
    if process.averaging and not (len(members) == 1 and tests):  # a single generator can be compared only
        findings += [_averaging(process, placement, k, members) for k, placement in enumerate(placements)]
    findings += [
        test if isinstance(test, Failure) else _differential(process, truth, job, test, members) for test in tests
    ]
    return Study(
        process=process,
        findings=tuple(findings),
        warnings=weak_spots(process, truth, job, members),
        histograms=tuple(_histograms(process, truth, job, members)),
        members=tuple(member.name for member in members),
        n_gen=tuple(member.n_gen for member in members),
        n_holdout=truth.n_holdout,
        reference_is=truth.reference_is,
        seconds=time.monotonic() - start,
    )


def _expressions(process: Process) -> list[Expression]:
    """All that is computed of each event."""
    expressions = [process.expression_of(region) for region in process.regions]
    expressions += [process.number(text) for text in (*process.summaries, *process.classifier)]
    # what simple conditions are about, for their control plots
    intervals = [e.interval() for e in expressions if e.is_condition]
    expressions += [interval.inner for interval in intervals if interval is not None]
    return list(dict.fromkeys(expressions))


def _tests(process: Process, truth: Truth, placements: Sequence[Placement]) -> Iterator[Test | Failure]:
    """Each summary for all events, and in each region that is a condition."""
    reference, name = truth.reference, truth.reference_is
    if reference is None:
        return
    where: list[tuple[int | None, Placement | None]] = [(None, None)]
    where += [(k, placement) for k, placement in enumerate(placements) if placement.region.condition]
    for text in process.summaries:
        e = process.number(text)
        for k, placement in where:
            usable, n_train = ~reference.values[e].lost, float(process.n_train)
            if placement is not None:
                usable &= placement.place(reference.values).region >= 0
                n_train *= placement.shares(truth.train or reference)[0]
            values = reference.values[e].values[usable]
            problem = ""
            if values.size < FEWEST:
                problem = f"the {name} sample has only {values.size} events here, expected at least {FEWEST}"
            elif values.min() == values.max():
                problem = f"all {values.size} true events have the same {text}, {values[0]:g}"
            if problem:
                yield Failure(region=placement.region if placement else None, summary=text, problem=problem)
            else:
                yield Test(text, _value_of(e), k, values, n_train)


def _value_of(e: Expression) -> Callable[[Values], Floats]:
    """An expression as a summary."""
    return lambda values: values[e].values


def _pass(job: Job, streams: Streams, progress: Progress | None) -> list[Member]:
    """All members, after their events have passed."""
    members: dict[str, Member] = {}
    for name, stream in streams(job.numbers.needed):
        for batch in stream:
            for label, part in by_member(name, batch):
                member = members.setdefault(label, Member(label, job))
                member.update(part)
                if progress is not None:
                    progress(label, member.n_gen)
            if batch.members is None and members[name].is_complete:
                break
        if name in members:  # its events came from one file
            members[name].close()
    for member in members.values():
        if job.n_gen is not None and not member.is_complete:
            raise ValueError(f"{member.name}: holds {member.n_gen} usable events, expected n_gen = {job.n_gen}")
    return list(members.values())


def _averaging(process: Process, placement: Placement, k: int, members: Sequence[Member]) -> Finding:
    region, share = placement.region, 0.0
    try:
        share = _share(members, k)
        result = averaging.from_tallies(
            [member.tallies[k] for member in members],
            process.n_train,
            level=process.level,
            max_lost=process.max_lost,
        )
        return Estimate(region=region, share=share, result=result)
    except RegionError as error:
        problem = str(error) if len(placement) > 1 else error.problem
        return Failure(region=region, share=share, problem=problem)
    except ValueError as error:
        return Failure(region=region, share=share, problem=str(error))


def _differential(process: Process, truth: Truth, job: Job, test: Test, members: Sequence[Member]) -> Finding:
    region = None if test.region is None else job.regions[test.region].region
    share, k = 1.0, job.tests.index(test)
    try:
        if test.region is not None:
            share = _share(members, test.region)
        result = differential.from_tallies(
            [member.distances[k] for member in members],
            max(round(test.n_train), 1),
            level=process.level,
            reference_is=truth.reference_is,
            max_lost=process.max_lost,
        )
        return Estimate(region=region, summary=test.name, share=share, result=result)
    except ValueError as error:
        return Failure(region=region, summary=test.name, share=share, problem=str(error))


def _share(members: Sequence[Member], region: int) -> float:
    """Mean share of the members' events in a region."""
    return float(np.mean([member.tallies[region].shares.integrals.sum() for member in members]))


def _histograms(process: Process, truth: Truth, job: Job, members: Sequence[Member]) -> Iterator[Histogram]:
    names = {process.number(text): text for text in (*process.observables, *process.summaries, *process.classifier)}
    for e, edges in job.histograms.items():
        marks: list[float] = []
        for placement in job.regions:
            interval = placement.expression.interval() if placement.region.condition else None
            if interval is not None and interval.inner == e:
                marks += interval[1:]
            elif placement.intervals is not None and placement.expression == e:
                marks += [*placement.intervals.low, *placement.intervals.high]
        true = None
        if truth.reference is not None:
            filling = Filling(edges)
            filling.update(truth.reference.values[e].values)
            true = filling.shares
        name = names.get(e, e.text)
        yield Histogram(
            name=name,
            label=process.label(name),
            edges=edges,
            members=np.stack([member.fillings[e].shares for member in members]),
            true=true,
            n_true=0 if truth.reference is None else len(truth.reference),
            marks=tuple(sorted({mark for mark in marks if np.isfinite(mark)})),
        )
