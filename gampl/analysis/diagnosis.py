"""Weak spots of samples that spoil an estimate without being seen in it, told in words."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl.analysis.members import Member, Plan
from gampl.analysis.process import Process
from gampl.analysis.truth import Truth

Floats = NDArray[np.float64]

FEW = 10  # events of which a Poisson fluctuation is a third
FAR = 3.0  # standard deviations; by chance in 1 of 370 regions
SAME = 0.01  # share of a sample's events that repeat among themselves above which repeats mean nothing
LONG_TAIL = 0.1  # share of effective events below which few events carry most of the weight


def weak_spots(process: Process, truth: Truth, plan: Plan, members: Sequence[Member]) -> tuple[str, ...]:
    """What a user should know before believing an estimate; nothing if all is well.

    Args:
        process: What was asked for.
        truth: True events.
        plan: Regions and tests.
        members: After all their events have passed.
    """
    return (
        *(_few_members(plan, members) if process.averaging else ()),
        *_sizes(process, truth),
        *_repeats(plan, truth, members),
        *_reference(truth, plan),
        *_regions(process, truth, plan),
        *(_overlaps(plan, members) if process.averaging else ()),
        *(_pulls(plan, truth, members) if process.averaging else ()),
        *_weights(members),
    )


def _few_members(plan: Plan, members: Sequence[Member]) -> Iterator[str]:
    if plan.regions and len(members) < 5:
        yield (
            f"{len(members)} members: the averaging estimate lives on how they scatter; the interval is honest but "
            "wide, and whether they scatter normally cannot be seen"
        )


def _sizes(process: Process, truth: Truth) -> Iterator[str]:
    if truth.train is not None and len(truth.train) != process.n_train:
        yield (
            f"the training sample has {len(truth.train)} events, but n_train is {process.n_train}: "
            "G is in units of n_train"
        )


def _reference(truth: Truth, plan: Plan) -> Iterator[str]:
    if plan.tests and truth.reference_is == "training":
        yield (
            "the differential estimates compare with the events that the generator was trained on, which makes even a "
            "poor one look good: keep a holdout"
        )


def _repeats(plan: Plan, truth: Truth, members: Sequence[Member]) -> Iterator[str]:
    """Events that are in two samples, unless a sample repeats itself, as rounded numbers do."""
    train = truth.train
    if train is not None and (own := _own_repeats(train.raw)) < SAME:
        share = 0.0 if truth.holdout is None else _share_known(truth.holdout.raw, train.raw)
        if truth.holdout is not None and share > 2 * own + 5 * np.sqrt(2 * own / len(truth.holdout)):
            yield (
                f"{100 * share:.3g} % of the holdout's events are also in the training sample: a reference that was "
                "used in the training makes G too large"
            )
        copied = [m.name for m in members if _share_known(m.first_events, train.raw) > SAME]
        if copied and train.names == plan.numbers.needed:
            yield f"{_listed(copied)} repeat events of the training sample: they remember instead of generating"
    same = [
        f"{a.name} and {b.name}"
        for a, b in combinations(members, 2)
        if _own_repeats(a.first_events) < SAME and _share_known(a.first_events, b.first_events) > 0.5
    ]
    if same:
        yield f"members are copies of each other: {_listed(same)}; independent members scatter, copies do not"


def _regions(process: Process, truth: Truth, plan: Plan) -> Iterator[str]:
    for placement in plan.regions:
        if truth.reference is None:
            return
        inside = placement.shares(truth.reference)
        if (fewest := process.n_train * float(inside.min())) < FEW:
            yield (
                f"region {placement.region.name}: about {fewest:.1f} training events are expected"
                f"{' in one of its parts' if len(placement) > 1 else ''}; no generator has learned much from so few"
            )


def _overlaps(plan: Plan, members: Sequence[Member]) -> Iterator[str]:
    shared = np.sum([member.overlaps for member in members], axis=0)
    single = [k for k, placement in enumerate(plan.regions) if placement.region.condition]
    for a, b in combinations(single, 2):
        both, least = shared[a, b], min(shared[a, a], shared[b, b])
        if both > 0:
            names = " and ".join(repr(plan.regions[k].region.name) for k in (a, b))
            yield (
                f"regions {names} overlap: they share {100 * both / least:.3g} % of the smaller one's events, so that "
                "their estimates are not independent"
            )


def _pulls(plan: Plan, truth: Truth, members: Sequence[Member]) -> Iterator[str]:
    """Regions in which the members agree with each other better than with the holdout."""
    if truth.holdout is None or len(members) < 2:
        return
    for k, placement in enumerate(plan.regions):
        shares = np.stack([member.tallies[k].shares.integrals for member in members])
        true = placement.shares(truth.holdout)
        spread = shares.var(axis=0, ddof=1)
        # the members' common centre is as uncertain as one of them: all were trained on the same events
        error = np.sqrt(spread * (1 + 1 / len(members)) + true * (1 - true) / len(truth.holdout))
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


def _weights(members: Sequence[Member]) -> Iterator[str]:
    weighted = [t for member in members for t in member.tallies[:1] if t.is_weighted]
    if weighted and min(t.n_effective / t.n_gen for t in weighted) < LONG_TAIL:
        effective = min(t.n_effective / t.n_gen for t in weighted)
        yield (
            f"weights with a long tail: the events of a member fluctuate as {100 * effective:.2g} % of their number, "
            "and one more heavy event would change the result"
        )


def _hashes(rows: Floats) -> NDArray[np.uint64]:
    """One number for each row, the same for equal rows: a random linear hash of its bits."""
    odd = np.random.default_rng(1).integers(0, 2**63, rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    bits = np.ascontiguousarray(rows + 0.0).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(32))) * odd
    return (mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64)


def _share_known(rows: Floats, others: Floats) -> float:
    if not (rows.size and others.size):
        return 0.0
    return float(np.isin(_hashes(rows), _hashes(others)).mean())


def _own_repeats(rows: Floats) -> float:
    return 1 - np.unique(_hashes(rows)).size / len(rows) if rows.size else 1.0


def _listed(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
