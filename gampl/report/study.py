"""One pass through the samples: both estimates in all regions, and what a report wants to show beside them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gampl import averaging, differential
from gampl.particles.expressions import Expression
from gampl.report.diagnosis import weak_spots
from gampl.report.events import Batch, Numbers, of_file
from gampl.report.histograms import Filling, Histogram, edges_of
from gampl.report.learned import learn
from gampl.report.members import Member, Plan, Test, ValueOf, by_member
from gampl.report.process import Process
from gampl.report.truth import Placement, Progress, Truth
from gampl.result import Amplification
from gampl.spread import RegionError

Floats = NDArray[np.float64]
Streams = Callable[[Sequence[str]], Iterable[tuple[str, Iterable[Batch]]]]
EVERYWHERE = "all events"


@dataclass(frozen=True)
class Finding:
    """One estimate, or why there is none.

    Attributes:
        region: Name of the region; `EVERYWHERE` for a differential estimate of all events.
        summary: Name of the summary of a differential estimate; empty for averaging.
        result: The estimate; None where it could not be made.
        problem: Why not.
        share: Mean share of the generated events in the region.
    """

    region: str
    summary: str
    result: Amplification | None
    problem: str = ""
    share: float = 1.0

    @property
    def method(self) -> str:
        """``"averaging"`` or ``"differential"``."""
        return "differential" if self.summary else "averaging"

    @property
    def what(self) -> str:
        """Region and summary in words."""
        return f"{self.summary}, {self.region}" if self.summary else self.region


@dataclass(frozen=True)
class Study:
    """The outcome of an analysis.

    Attributes:
        process: What was analysed.
        findings: All estimates.
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


def analyse(process: Process, progress: Progress | None = None) -> Study:
    """Read all samples of a process once and estimate everything that it asks for.

    Args:
        process: What to do; its members must be given by files.
        progress: Called with the name of a sample and the events read of it.

    Raises:
        ValueError: If the process has no members, or a file cannot be used. An estimate that cannot be made is a
            `Finding` that says why.
    """
    files = process.members
    if files is None:
        raise ValueError("members: expected files with the generator's events")

    short = [path.name for path in files.files]
    names = short if len(set(short)) == len(short) else [str(path) for path in files.files]

    def streams(wanted: Sequence[str]) -> Iterator[tuple[str, Iterable[Batch]]]:
        for name, path in zip(names, files.files, strict=True):
            yield name, of_file(process, files, path, wanted)

    return analyse_streams(process, streams, progress)


def analyse_streams(
    process: Process, streams: Streams, progress: Progress | None = None, *, given: Sequence[str] = ()
) -> Study:
    """As `analyse`, for members that need not be files.

    Args:
        process: What to do.
        streams: Makes, for names of columns, the name and the batches of each member.
        progress: See `analyse`.
        given: Observables that are columns of the generated events.
    """
    start = time.monotonic()
    expressions = _expressions(process)
    truth = Truth.of(process, expressions, progress)
    plan = _plan(process, truth, Numbers(process, expressions, given), streams)
    members = _pass(plan, streams, progress)
    findings = [*_averaging(process, plan, members), *_differential(process, truth, plan, members)]
    return Study(
        process=process,
        findings=tuple(findings),
        warnings=weak_spots(process, truth, plan, members),
        histograms=tuple(_histograms(process, truth, plan, members)),
        members=tuple(member.name for member in members),
        n_gen=tuple(member.n_gen for member in members),
        n_holdout=truth.n_holdout,
        reference_is=truth.reference_is,
        seconds=time.monotonic() - start,
    )


def _expressions(process: Process) -> list[Expression]:
    """All that is computed of each event."""
    wanted = [process.expression_of(region) for region in process.regions]
    wanted += [process.number(text) for text in (*process.summaries, *process.classifier)]
    # what simple conditions are about, for their control plots
    wanted += [found[0] for e in wanted if e.is_condition and (found := e.interval()) is not None]
    return list(dict.fromkeys(wanted))


def _plan(process: Process, truth: Truth, numbers: Numbers, streams: Streams) -> Plan:
    regions = [Placement(region, process, truth) for region in process.regions]
    bins = {}
    if truth.reference is not None:
        bins = {e: edges_of(values) for e, (values, _) in truth.reference.values.items() if not e.is_condition}
    tests = _tests(process, truth, regions)
    if process.classifier:
        tests.append(learn(process, truth, numbers, streams))
    return Plan(numbers, regions, tests, bins, process.n_gen)


def _tests(process: Process, truth: Truth, regions: Sequence[Placement]) -> list[Test]:
    """Each summary for all events, and in each region that is a condition."""
    reference = truth.reference
    if reference is None:
        return []
    tests = []
    where: list[int | None] = [None, *(k for k, region in enumerate(regions) if region.region.condition)]
    for text in process.summaries:
        e = process.number(text)
        for k in where:
            usable = ~reference.values[e].lost
            if k is not None:
                usable &= regions[k].place(reference.values).region >= 0
            values = reference.values[e].values[usable]
            n_train = process.n_train * (1.0 if k is None else regions[k].shares(truth.train or reference)[0])
            problem = ""
            if values.size < 10:
                problem = f"the {truth.reference_is} sample has only {values.size} events here, expected at least 10"
            elif values.min() == values.max():
                problem = f"all {values.size} true events have the same {text}, {values[0]:g}"
            tests.append(Test(text, ValueOf(e), k, values, n_train, problem))
    return tests


def _pass(plan: Plan, streams: Streams, progress: Progress | None) -> list[Member]:
    """All members, after their events have passed."""
    members: dict[str, Member] = {}
    for name, stream in streams(plan.numbers.needed):
        for batch in stream:
            for label, part in by_member(name, batch):
                member = members.setdefault(label, Member(label, plan))
                member.update(part)
                if progress is not None:
                    progress(label, member.n_gen)
            if batch.members is None and members[name].is_complete:
                break
        if name in members:  # its events came from one file
            members[name].close()
    for member in members.values():
        if plan.n_gen is not None and not member.is_complete:
            raise ValueError(f"{member.name}: holds {member.n_gen} usable events, expected n_gen = {plan.n_gen}")
    return list(members.values())


def _averaging(process: Process, plan: Plan, members: Sequence[Member]) -> Iterator[Finding]:
    if not process.averaging or (len(members) == 1 and plan.tests):  # a single generator can be compared only
        return
    for k, placement in enumerate(plan.regions):
        name, tallies = placement.region.name, [member.tallies[k] for member in members]
        share = 0.0
        try:
            share = float(np.mean([tally.shares.integrals.sum() for tally in tallies]))
            result = averaging.from_tallies(tallies, process.n_train, level=process.level, max_lost=process.max_lost)
            yield Finding(name, "", result, share=share)
        except RegionError as error:
            yield Finding(name, "", None, str(error) if len(placement) > 1 else error.problem, share)
        except ValueError as error:
            yield Finding(name, "", None, str(error), share)


def _differential(process: Process, truth: Truth, plan: Plan, members: Sequence[Member]) -> Iterator[Finding]:
    for k, test in enumerate(plan.tests):
        region = EVERYWHERE if test.region is None else plan.regions[test.region].region.name
        share = 1.0
        if test.problem:
            yield Finding(region, test.name, None, test.problem, share)
            continue
        try:
            if test.region is not None:
                share = float(np.mean([m.tallies[test.region].shares.integrals.sum() for m in members]))
            result = differential.from_tallies(
                [distances for member in members if (distances := member.distances[k]) is not None],
                max(round(test.n_train), 1),
                level=process.level,
                reference_is=truth.reference_is,
                max_lost=process.max_lost,
            )
            yield Finding(region, test.name, result, share=share)
        except ValueError as error:
            yield Finding(region, test.name, None, str(error), share)


def _histograms(process: Process, truth: Truth, plan: Plan, members: Sequence[Member]) -> Iterator[Histogram]:
    labels = {process.number(text): text for text in (*process.observables, *process.summaries, *process.classifier)}
    for e, edges in plan.histograms.items():
        marks: list[float] = []
        for placement in plan.regions:
            interval = placement.expression.interval() if placement.region.condition else None
            if interval is not None and interval[0] == e:
                marks += interval[1:]
            elif placement.intervals is not None and placement.expression == e:
                marks += [*placement.intervals.low, *placement.intervals.high]
        true = None
        if truth.reference is not None:
            filling = Filling(edges)
            filling.update(truth.reference.values[e][0])
            true = filling.shares
        name = labels.get(e, e.text)
        yield Histogram(
            name=name,
            label=process.label(name),
            edges=edges,
            members=np.stack([member.fillings[e].shares for member in members]),
            true=true,
            n_true=0 if truth.reference is None else len(truth.reference),
            marks=tuple(sorted({mark for mark in marks if np.isfinite(mark)})),
        )
