"""The weak spots of samples, in words: what a user should know before believing an estimate."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from gampl.basics import Floats, counted
from gampl.report import suspects
from gampl.report.members import Doubt, Job, Member
from gampl.report.multivariate import DistanceCurve
from gampl.report.order import Disorder, disorder
from gampl.report.outsiders import outsiders
from gampl.report.process import true_by_name
from gampl.report.reweighted import reweighted
from gampl.result import Amplification, State

FEW = 10  # events of which a Poisson fluctuation is a third
FAR = 3.0  # standard deviations; by chance in 1 of 370 regions


def weak_spots(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """What a user should know before believing an estimate, for members whose events have passed."""
    process, train, n_train = job.process, job.truth.train, job.process.n_train
    if process.averaging and job.regions and 1 < len(members) < 5:
        yield (
            f"{len(members)} members: the averaging estimate rests on how they scatter, known poorly from so few, and "
            "whether they scatter normally cannot be seen"
        )
    if train is not None and len(train) != n_train:
        n = counted(len(train), "event")
        yield f"the training sample has {n}, but n_train is {n_train}: G is in units of n_train"
    yield from _repeats(job, members)
    yield from reweighted(job, members)
    yield from _order(job, members)
    if (job.tests or job.together) and job.truth.reference_is == "training":
        yield Doubt(
            "the differential estimates compare with the events that the generator was trained on, which makes even a "
            "poor one look good: keep a holdout",
            "differential",
        )
    yield from _regions(job, members)
    if process.averaging:
        yield from _overlaps(job)
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


def _order(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """Samples whose events do not come in random order, see `gampl.report.order`, and what that spoils."""
    train, unused = job.truth.train, job.truth.unused
    if train is not None and unused is not None:
        order = job.order(len(train))
        for sample in (train, unused):
            order.update(job.cells(sample.values))
        if (found := disorder({"the training sample": order}, job.label)) is not None:
            yield Doubt(
                f"{_seen(found)}: the generator was trained on the first {len(train)}, which are not a random part of "
                "it; shuffle the file, or train on all of it"
            )
    found = disorder({member.name: member.order for member in members}, job.label)
    if found is None:
        return
    if any(member.order.is_cut for member in members):
        unlike = f"the first {job.process.n_gen}, which are used, are not a random part of them"
        yield Doubt(f"{_seen(found)}, and {unlike}: use all, or shuffle the files")
    elif not found.is_chain:
        yield (
            f"{_seen(found)}: estimates use all of them and do not depend on it, but the curves against n_gen do, and "
            "a Markov chain that has not yet reached its equilibrium is not a sample"
        )
        for test in job.tests:
            if test.skipped:
                text = f"{_seen(found)}: the classifier has learned from the first ones and not a random part"
                yield Doubt(f"{text}; shuffle the files", "differential", summary=test.name)
    if found.is_chain:
        yield Doubt(
            f"{_seen(found)}: neighbours are alike. If it is a Markov chain, n of its events fluctuate as n / "
            f"{found.excess:.2g} independent ones, which makes the averaging G too small: keep every so many-th event, "
            "as shuffling only hides it. If the files are sorted piece by piece, shuffle them",
            "averaging",
        )


def _seen(found: Disorder) -> str:
    """Whose events do not come in random order, and how that is seen."""
    first, second = (f"{100 * share:.3g}" for share in found.shares)
    how = f"from {first} to {second} % along the file"
    if found.is_cut:
        how = f"{first} % of the first ones, {second} % of the others"
    return f"{suspects.listed(found.names)}: the events do not come in random order ({found.where}: {how})"


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


def _overlaps(job: Job) -> Iterator[str]:
    shared, inside = job.overlaps.shared, job.overlaps.inside
    single = [placement.region.name for placement in job.regions if placement.region.condition]
    for a, b in zip(*np.nonzero(np.triu(shared, 1)), strict=True):
        yield (
            f"regions {single[a]!r} and {single[b]!r} overlap: they share "
            f"{100 * shared[a, b] / min(inside[a], inside[b]):.3g} % of the smaller one's events, so that their "
            "estimates are not independent"
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


def weaker(found: Sequence[tuple[str, Amplification]], classifiers: Sequence[str]) -> Iterator[str]:
    """Which summaries of all events show less of a difference than the one that counts, and classifiers with none."""
    distances = [name for name, result in found if isinstance(result.curve, DistanceCurve)]
    told = [(result.n_equiv, summary, result) for summary, result in found if result.state is State.VALUE]
    least, summary, strongest = min(told, key=lambda one: one[0], default=(np.inf, "", None))
    others = {name: result for name, result in found if result.n_equiv_interval.low > least}
    if strongest is not None and (names := [name for name in others if name not in (*classifiers, *distances)]):
        yield (
            f"{', '.join(names)}: what is found is about {'these numbers' if len(names) > 1 else 'this number'} alone; "
            f"{summary} tells more of the generated events from true ones, and G{strongest.words} counts for the "
            "events as a whole"
        )
    for name, result in found:
        if name in (*classifiers, *distances) and name in others and strongest is not None:
            yield Doubt(
                f"{name}: G{result.words} is the weaker statement, as it tells fewer of the generated events from true "
                f"ones than {summary} does: G{strongest.words}, which counts, since no sample is worth more than the "
                "number says that shows the largest difference",
                "differential",
                summary=name,
            )
        elif name in classifiers and result.state is not State.VALUE:
            yield (
                f"{name}: that it hardly tells generated events from true ones is weak evidence: it may have learned "
                "too little from these true events, and another number may show more"
            )
