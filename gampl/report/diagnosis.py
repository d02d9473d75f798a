"""Weak spots of samples that spoil an estimate without being seen in it, told in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl.basics import Floats
from gampl.report.members import Job, Member
from gampl.report.process import Process
from gampl.report.samples import Truth

FEW = 10  # events of which a Poisson fluctuation is a third
FAR = 3.0  # standard deviations; by chance in 1 of 370 regions
HALF = 0.5
CHANCE = 3  # equal events that rounded numbers may have without any repeats within the samples


def weak_spots(process: Process, truth: Truth, job: Job, members: Sequence[Member]) -> tuple[str, ...]:
    """What a user should know before believing an estimate; nothing if all is well.

    Args:
        process: What was asked for.
        truth: True events.
        job: Regions and tests.
        members: After all their events have passed.
    """
    return (
        *_sizes(process, truth, job, members),
        *_repeats(job, truth, members),
        *_reference(truth, job),
        *_regions(process, truth, job, members),
        *(_overlaps(job, members) if process.averaging else ()),
        *(_pulls(job, truth, members) if process.averaging else ()),
    )


def _sizes(process: Process, truth: Truth, job: Job, members: Sequence[Member]) -> Iterator[str]:
    if process.averaging and job.regions and len(members) < 5:
        yield (
            f"{len(members)} members: the averaging estimate rests on how they scatter; the interval is honest but "
            "wide, and whether they scatter normally cannot be seen"
        )
    if truth.train is not None and len(truth.train) != process.n_train:
        yield (
            f"the training sample has {len(truth.train)} events, but n_train is {process.n_train}: "
            "G is in units of n_train"
        )


def _reference(truth: Truth, job: Job) -> Iterator[str]:
    if job.tests and truth.reference_is == "training":
        yield (
            "the differential estimates compare with the events that the generator was trained on, which makes even a "
            "poor one look good: keep a holdout"
        )


def _repeats(job: Job, truth: Truth, members: Sequence[Member]) -> Iterator[str]:
    """Events that are in two samples, beyond what a sample repeats itself, as rounded numbers do."""
    first = [Rows.of(member.first_events) for member in members]
    if truth.train is not None:
        train = Rows.of(truth.train.raw)
        if truth.holdout is not None and train.has_more_than_chance(known := Rows.of(truth.holdout.raw)):
            yield (
                f"{100 * train.share_of(known):.3g} % of the holdout's events are also in the training sample: a "
                "reference that was used in the training makes G too large"
            )
        copied = [m.name for m, rows in zip(members, first, strict=True) if train.has_more_than_chance(rows)]
        if copied and truth.train.names == job.numbers.needed:
            yield f"{_listed(copied)} repeat events of the training sample: they remember instead of generating"
    same = [
        f"{members[a].name} and {members[b].name}"
        for a, b in combinations(range(len(members)), 2)
        if first[a].share_of(first[b]) > HALF and first[a].has_more_than_chance(first[b])
    ]
    if same:
        yield f"members are copies of each other: {_listed(same)}; independent members scatter, copies do not"


def _regions(process: Process, truth: Truth, job: Job, members: Sequence[Member]) -> Iterator[str]:
    for k, placement in enumerate(job.regions):
        shares = _mean_shares(members, k) if truth.train is None else placement.shares(truth.train)
        if shares is not None and (fewest := process.n_train * float(shares.min())) < FEW:
            part = " in one of its parts" if len(placement) > 1 else ""
            yield (
                f"region {placement.region.name}: about {fewest:.1f} training events are expected{part}; "
                "no generator has learned much from so few"
            )


def _mean_shares(members: Sequence[Member], region: int) -> Floats | None:
    """Mean share of the members' events in a region or its parts; None if there are no events."""
    try:
        return np.asarray(np.mean([member.tallies[region].shares.integrals for member in members], axis=0))
    except ValueError:
        return None


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


def _pulls(job: Job, truth: Truth, members: Sequence[Member]) -> Iterator[str]:
    """Regions in which the members agree with each other better than with the holdout."""
    if truth.holdout is None or len(members) < 2:
        return
    for k, placement in enumerate(job.regions):
        shares = np.stack([member.tallies[k].shares.integrals for member in members])
        true, mean = placement.shares(truth.holdout), shares.mean(axis=0)
        spread = shares.var(axis=0, ddof=1)
        # the members' common centre is as uncertain as one of them: all were trained on the same events
        error = np.sqrt(spread * (1 + 1 / len(members)) + mean * (1 - mean) / len(truth.holdout))
        pulls = np.divide(shares.mean(axis=0) - true, error, out=np.zeros_like(true), where=error > 0)
        p = 2 * stats.t.sf(np.abs(pulls).max(), len(members) - 1) * pulls.size
        if p < 2 * stats.norm.sf(FAR):
            worst = int(np.abs(pulls).argmax())
            part = f" (part {worst + 1})" if pulls.size > 1 else ""
            yield (
                f"region {placement.region.name}{part}: the members' mean share {shares[:, worst].mean():.3g} lies "
                f"{abs(pulls[worst]):.1f} of their own uncertainties from the holdout's {true[worst]:.3g}: they share "
                "a bias that averaging cannot see, and the averaging G is too large"
            )


@dataclass(frozen=True, eq=False)
class Rows:
    """Events as one number each, the same for equal ones.

    Attributes:
        hashes: Sorted, (n,).
        repeats: Share of events that the sample has twice.
    """

    hashes: NDArray[np.uint64]
    repeats: float

    @classmethod
    def of(cls, rows: Floats) -> "Rows":
        """Of events, (n, columns), by a random linear hash of their bits."""
        if not rows.size:
            return cls(np.empty(0, dtype=np.uint64), 1.0)
        odd = np.random.default_rng(1).integers(0, 2**63, rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        bits = np.ascontiguousarray(rows + 0.0).view(np.uint64)
        mixed = (bits ^ (bits >> np.uint64(32))) * odd
        hashes = np.sort((mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64))
        return cls(hashes, float((hashes[1:] == hashes[:-1]).mean()) if len(hashes) > 1 else 0.0)

    def share_of(self, others: "Rows") -> float:
        """Share of other events that are among these."""
        if not (self.hashes.size and others.hashes.size):
            return 0.0
        nearest = np.searchsorted(self.hashes, others.hashes).clip(max=self.hashes.size - 1)
        return float((self.hashes[nearest] == others.hashes).mean())

    def has_more_than_chance(self, others: "Rows") -> bool:
        """Whether more of the others are among these than two samples of rounded numbers have in common."""
        n = others.hashes.size
        if not (n and self.hashes.size):
            return False
        # two events are equal with a probability c: about n c / 2 of n repeat, and of others n c are among them
        expected = 2 * max(self.repeats * n, others.repeats * self.hashes.size)
        return self.share_of(others) * n > expected + 5 * np.sqrt(expected) + CHANCE


def _listed(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
