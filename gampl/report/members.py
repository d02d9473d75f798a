"""What is kept of each member while its events pass by, and the weak spots of the samples that it shows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from gampl.averaging import Tally
from gampl.basics import Floats, counted
from gampl.kolmogorov import KolmogorovSmirnov
from gampl.particles.expressions import Expression
from gampl.regions import Intervals, Placed
from gampl.report import suspects
from gampl.report.outsiders import outsiders
from gampl.report.process import Process, Region, true_by_name
from gampl.report.samples import Batch, Numbers, Progress, TrueSample, Truth, Values

FEW = 10  # events of which a Poisson fluctuation is a third
FAR = 3.0  # standard deviations; by chance in 1 of 370 regions

# makes, for names of columns, the name and the batches of each member
Streams = Callable[[Sequence[str]], Iterable[tuple[str, Iterable[Batch]]]]


class Doubt(str):
    """A warning because of which estimates do not hold: all of them, or those of a method, in a region."""

    method: str
    region: str

    def __new__(cls, text: str, method: str = "", region: str = "") -> "Doubt":
        """A doubt about all estimates, or those of a method, or in a region."""
        made = super().__new__(cls, text)
        made.method, made.region = method, region
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


@dataclass(frozen=True, eq=False)
class Job:
    """What is computed of each generated event, and what becomes of it."""

    process: Process
    truth: Truth  #: what members are compared with
    numbers: Numbers  #: all expressions
    regions: Sequence[Placement]  #: where events are counted
    tests: Sequence[Test]  #: what they are tested on
    histograms: Mapping[Expression, Floats]  #: bins by expression

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
                if batch.members is None and n_gen is not None and members[name].n_gen >= n_gen:
                    break
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
        self.distances = {test: KolmogorovSmirnov(test.reference, steps=None, name=name) for test in job.tests}
        self.counts = {e: np.zeros(edges.size - 1) for e, edges in job.histograms.items()}
        self.overlaps = np.zeros((len(job.regions), len(job.regions)))  # events in two regions
        self.kept = suspects.Kept()

    def shares(self, region: Placement) -> Floats:
        """Share of the events in a region or its parts, (regions,); a ValueError if there are too few, see `Tally`."""
        return self.tallies[region].shares.integrals

    def update(self, batch: Batch) -> None:
        """Add the events of a batch."""
        if (most := self.job.process.n_gen) is not None:
            batch = batch.rows(slice(most - self.n_gen))
        self.kept.update(batch.columns)
        values = self.job.numbers(batch.columns)
        placed = {region: region.place(values) for region in self.job.regions}
        for region, tally in self.tallies.items():
            tally.update(placed[region], batch.weights)
        for test, distances in self.distances.items():
            tested = np.arange(len(batch)) >= test.skipped - self.n_gen
            if test.where is not None:
                tested &= placed[test.where].region >= 0
            if tested.any():
                distances.update(test.summary(values)[tested], None if batch.weights is None else batch.weights[tested])
        for e, edges in self.job.histograms.items():
            self.counts[e] += counts(values[e].values, edges, batch.weights)
        if placed:
            inside = np.array([where.region >= 0 for where in placed.values()], dtype=np.float64)
            self.overlaps += inside @ inside.T
        self.n_gen += len(batch)
        self.weight += len(batch) if batch.weights is None else float(batch.weights.sum())


def counts(values: Floats, edges: Floats, weights: Floats | None = None) -> Floats:
    """Events in each bin, or sums of their weights, (bins,)."""
    finite = np.isfinite(values)
    kept = None if weights is None else weights[finite]
    return np.asarray(np.histogram(values[finite], edges, weights=kept)[0], dtype=np.float64)


def weak_spots(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """What a user should know before believing an estimate, for members whose events have passed."""
    process, train, n_train = job.process, job.truth.train, job.process.n_train
    if process.averaging and job.regions and 1 < len(members) < 5:
        yield (
            f"{len(members)} members: the averaging estimate rests on how they scatter, known poorly from so few, and "
            "whether they scatter normally cannot be seen"
        )
    if train is not None and len(train) != n_train:
        yield f"the training sample has {len(train)} events, but n_train is {n_train}: G is in units of n_train"
    yield from _repeats(job, members)
    if job.tests and job.truth.reference_is == "training":
        yield Doubt(
            "the differential estimates compare with the events that the generator was trained on, which makes even a "
            "poor one look good: keep a holdout",
            "differential",
        )
    yield from _regions(job, members)
    if process.averaging:
        yield from _overlaps(job, members)
        yield from _pulls(job, members)


def _repeats(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """Events that are in two samples, or come again and again, and members that do not belong to the others."""
    kept = {member.name: member.kept for member in members}
    if (train := job.truth.train) is not None:
        holdout = job.truth.holdout
        true = suspects.rows_of(train.raw)
        others = None if holdout is None else suspects.rows_of(holdout.raw)
        if others is not None and (share := suspects.repeated(true, others)):
            yield Doubt(
                f"{100 * share:.3g} % of the holdout's events are also in the training sample: a "
                "reference that was used in the training makes G too large",
                "differential",
            )
        if tuple(train.raw) == job.numbers.needed:
            yield from map(Doubt, suspects.memories(true, others, kept))
    if same := suspects.copies(kept):
        groups = [" and ".join(group) if len(group) == 2 else suspects.listed(group) for group in same]
        text = (
            f"members are copies of each other: {suspects.listed(groups)}; independent members scatter, copies do not"
        )
        yield Doubt(text, "averaging")
    copied = {name for group in same for name in group[1:]}
    single = {name: sample for name, sample in kept.items() if name not in copied}
    yield from map(Doubt, suspects.repeating(single))
    if named := true_by_name(kept):
        yield Doubt(
            f"{suspects.listed(named)}: by their names these are true events, which are not a member of the generator"
        )
    files, reference = job.process.members, job.truth.reference
    is_weighted = files is not None and files.weight is not None  # which the true events are not
    true_columns = None if reference is None or is_weighted else reference.raw
    yield from map(Doubt, outsiders(kept, true_columns, job.process.n_train))


def _regions(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """Regions in which a generator can have learned little, by the training sample or else the members."""
    train = job.truth.train
    for placement in job.regions:
        try:
            shares = placement.shares(train) if train else np.mean([m.shares(placement) for m in members], axis=0)
        except ValueError:  # there are no events
            continue
        if (fewest := job.process.n_train * float(shares.min())) < FEW:
            part = " in one of its parts" if len(placement) > 1 else ""
            yield (
                f"region {placement.region.name}: about {fewest:.1f} training events are expected{part}; "
                "no generator has learned much from so few"
            )


def _overlaps(job: Job, members: Sequence[Member]) -> Iterator[str]:
    shared = np.sum([member.overlaps for member in members], axis=0)
    single = [k for k, placement in enumerate(job.regions) if placement.region.condition]
    for a, b in combinations(single, 2):
        both, least = shared[a, b], min(shared[a, a], shared[b, b])
        if both > 0:
            names = " and ".join(repr(job.regions[k].region.name) for k in (a, b))
            yield (
                f"regions {names} overlap: they share {100 * both / least:.3g} % of the smaller one's events, so that "
                "their estimates are not independent"
            )


def _pulls(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """Regions in which the members agree with each other better than with the holdout."""
    holdout = job.truth.holdout
    if holdout is None or len(members) < 2:
        return
    for placement in job.regions:
        shares = np.stack([member.shares(placement) for member in members])
        true, mean = placement.shares(holdout), shares.mean(axis=0)
        spread = shares.var(axis=0, ddof=1)
        # the members' common centre is as uncertain as one of them: all were trained on the same events
        of_members, of_holdout = spread * (1 + 1 / len(members)), mean * (1 - mean) / len(holdout)
        p = deviation_probability(mean - true, of_members, of_holdout, len(members))
        worst = int(p.argmin())
        if p[worst] * p.size < 2 * stats.norm.sf(FAR):
            pull = abs(mean - true)[worst] / np.sqrt(of_members + of_holdout)[worst]
            part = f" (part {worst + 1})" if p.size > 1 else ""
            yield Doubt(
                f"region {placement.region.name}{part}: the members' mean share {mean[worst]:.3g} lies "
                f"{pull:.1f} uncertainties, theirs and the holdout's, from the holdout's {true[worst]:.3g}: they share "
                "a bias that averaging cannot see, and the averaging G is too large",
                "averaging",
                placement.region.name,
            )


def deviation_probability(deviation: Floats, estimated: Floats, known: Floats, members: int) -> Floats:
    """Probability of larger deviations, whose variance is known in part and in part estimated from members, (n,).

    That is the average over the variances that the estimate leaves possible, of chi-squared with members - 1 degrees of
    freedom (Behrens and Fisher): Student's t without the known part, the normal law without the other, and between
    them at most the false alarms that it says.
    """
    quantiles = stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, members - 1) / (members - 1)
    widths = np.sqrt(estimated[:, None] / quantiles + known[:, None])
    ratios = np.divide(np.abs(deviation)[:, None], widths, out=np.zeros_like(widths), where=widths > 0)
    return np.asarray(2 * stats.norm.sf(ratios).mean(axis=1))
