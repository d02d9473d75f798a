r"""Averaging amplification: G from the spread of integrals over a posterior, section 3 of the paper.

The members' integrals over a region scatter with variance sigma_model^2 + sigma_stat^2(n_gen), Eq. (15). Subtracting
the binomial part, Eq. (17), leaves sigma_model^2; n_equiv is the number of true events whose statistical uncertainty is
as large, Eq. (18). Four entrances lead to one result: samples, counts, a stream of batches, or exact integrals.

That n_equiv is about a posterior of this width. What the members at hand are worth, pooled or one by one, depends on
how far their training set's fluctuation has moved all of them; `gampl.spread` predicts it from their scatter.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.amplification import Amplification, Interval, Worth
from gampl.averaging_curve import averaging_curve, model_interval
from gampl.inputs import Weights, weighted_streams
from gampl.regions import Regions
from gampl.spread import Spread, spread_notes
from gampl.streams import check_lost, mean_size, pieces, prefix_sizes
from gampl.tallies import Shares, Tally, weight_warnings

Floats = NDArray[np.float64]


def from_counts(
    counts: ArrayLike,
    n_gen: ArrayLike,
    n_train: int,
    *,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    notes: tuple[str, ...] = (),
) -> Amplification:
    """Estimate G from the number of generated events in each region.

    Args:
        counts: Events per member and region, shape (members, regions), or (steps, members, regions) for nested prefixes
            of the samples; one region may be given as (members,).
        n_gen: Generated events per member, or one increasing number per step, shape (steps,). G is read off the last.
        n_train: Training events.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.
        notes: Warnings to hand on with the result.

    Raises:
        ValueError: If shapes do not match, there are fewer than 2 members, counts are no counts, or a region is empty
            or full for all members.
    """
    sizes = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    table = np.asarray(counts, dtype=np.float64)
    if np.ndim(n_gen) == 0:
        table = table[None]
    if table.ndim == 2:
        table = table[..., None]  # a single region
    if table.ndim != 3 or len(table) != sizes.size:
        raise ValueError(
            f"counts must have shape (members, regions) for one n_gen or (steps, members, regions) for {sizes.size} "
            f"of them, got {np.shape(counts)}"
        )
    if not (np.isfinite(table).all() and (table >= 0).all() and (table == np.round(table)).all()):
        raise ValueError("counts must be whole numbers >= 0 (weighted events are not supported)")
    if (np.diff(table, axis=0) < 0).any():
        raise ValueError("counts must not decrease with n_gen: the steps are nested prefixes of the same samples")
    if not ((sizes >= 2).all() and (np.diff(sizes) > 0).all() and (table.sum(-1) <= sizes[:, None]).all()):
        raise ValueError("n_gen must increase, be at least 2 and not smaller than a member's counts over all regions")
    spreads = [Spread.of(step / n, n) for step, n in zip(table, sizes, strict=True)]
    return _amplification(spreads, n_train, level, truth, notes)


def from_integrals(
    integrals: ArrayLike, n_train: int, *, level: float = 0.683, truth: ArrayLike | None = None
) -> Amplification:
    """Estimate G from exact integrals of the members' densities: n_gen = infinity, nothing to subtract.

    Args:
        integrals: Probability of each region for each member, shape (members, regions) or (members,).
        n_train: Training events.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.

    Raises:
        ValueError: If shapes do not match, there are fewer than 2 members, or a region is empty or full for all.
    """
    table = np.asarray(integrals, dtype=np.float64)
    spread = Spread.of(table[:, None] if table.ndim == 1 else table, np.inf)
    return _amplification([spread], n_train, level, truth, ())


def from_samples(
    members: Iterable[Any],
    regions: Regions,
    n_train: int,
    *,
    n_gen: int | None = None,
    weights: Weights = None,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    max_lost: float = 1e-3,
    progress: Callable[[int, int], None] | None = None,
) -> Amplification:
    """Estimate G from the members' samples, whatever they are: arrays, streams of batches, or generators.

    The members may have samples of different sizes. Events may have weights; their fluctuation is then that of the sums
    of weights, and the curve counts effective events.

    Args:
        members: For each member its events: an array of NumPy, PyTorch, awkward or pandas, shape (n, dim) or (n,); any
            iterable of such batches; or a generator with a method ``sample``, ``resample`` or ``rvs``, see
            `gampl.inputs`.
        regions: Which events are in, see `gampl.regions`.
        n_train: Training events.
        n_gen: Events to use of each member; by default all of them. Generators need it.
        weights: Makes the weight of each event of a batch, (n, dim) -> (n,); or for each member an array of its
            weights, if its events are an array, too. By default all events weigh the same.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.
        max_lost: See `count_stream`.
        progress: See `count_stream`.

    Raises:
        ValueError: If an argument is not as described, a weight is not finite, or too many events are lost.
    """
    tallies = []
    for member, batches in enumerate(weighted_streams(members, weights, n_gen)):
        tally = Tally(len(regions))
        for events, of_batch in batches:
            tally.update(regions.place(events), of_batch)
            if progress is not None:
                progress(member, tally.n_gen)
        tallies.append(tally)
    return from_tallies(tallies, n_train, level=level, truth=truth, max_lost=max_lost)


def from_tallies(
    tallies: Sequence[Tally],
    n_train: int,
    *,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    max_lost: float = 1e-3,
    notes: tuple[str, ...] = (),
) -> Amplification:
    """Estimate G from the shares of the members' events in each region, see `gampl.tallies`.

    Args:
        tallies: One for each member; their sizes may differ.
        n_train: Training events.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.
        max_lost: Largest tolerated share of events with a non-finite observable in a member.
        notes: Warnings to hand on with the result.

    Raises:
        ValueError: If there are fewer than 2 members, one has no events or lost too many, or a region is empty or full.
    """
    if len(tallies) < 2:
        raise ValueError(f"a spread needs at least 2 members, got {len(tallies)}")
    for member, tally in enumerate(tallies):
        if tally.n_gen < 2:
            raise ValueError(f"member {member}: has {tally.n_gen} events, expected at least 2")
        check_lost(member, "observable", tally.n_lost, tally.n_gen, max_lost, tally.lost_share)
    fewest = min(tally.n_gen for tally in tallies)
    prefixes = zip(*([s for s in tally.prefixes if s.n_gen < fewest] for tally in tallies), strict=True)
    spreads = []
    for steps in (*prefixes, tuple(tally.shares for tally in tallies)):
        spread = _spread(steps, any(tally.is_weighted for tally in tallies), is_last=steps[0].n_gen >= fewest)
        if spread is not None:
            spreads.append(spread)
    if n_lost := sum(tally.n_lost for tally in tallies):
        notes += (f"{n_lost} events with a non-finite observable were counted as outside all regions",)
    return _amplification(spreads, n_train, level, truth, notes + weight_warnings(tallies))


def _spread(members: Sequence[Shares], is_weighted: bool, is_last: bool) -> Spread | None:
    """Of one prefix; None if it is too short for an estimate and not the last."""
    integrals = np.stack([m.integrals for m in members])
    try:
        if is_weighted:
            spread = Spread.of_weighted(integrals, np.stack([m.variances for m in members]))
        else:
            spread = Spread.of(integrals, mean_size([m.n_gen for m in members]))
        if is_weighted or len({m.n_gen for m in members}) > 1:
            spread = spread.of_unequal([float(m.variances.sum()) for m in members])
    except ValueError:
        if is_last:
            raise
        return None
    return spread if is_last or spread.total > 0 else None


def from_stream(
    members: Iterable[Iterable[ArrayLike]],
    regions: Regions,
    n_gen: ArrayLike,
    n_train: int,
    *,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    max_lost: float = 1e-3,
    progress: Callable[[int, int], None] | None = None,
) -> Amplification:
    """Estimate G from generated events that pass by in batches; memory does not depend on n_gen.

    Args:
        members: For each member an iterable of batches of events, shape (n, dim) or (n,).
        regions: Which events are in, see `gampl.regions`.
        n_gen: Events to use of each member: one number, or increasing ones to trace the curve of Fig. 1.
        n_train: Training events.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.
        max_lost: See `count_stream`.
        progress: See `count_stream`.

    Raises:
        ValueError: As for `count_stream` and `from_counts`.
    """
    counts, n_lost = count_stream(members, regions, n_gen, max_lost=max_lost, progress=progress)
    notes = (f"{n_lost} events with a non-finite observable were counted as outside all regions",) if n_lost else ()
    return from_counts(counts, np.atleast_1d(n_gen), n_train, level=level, truth=truth, notes=notes)


def count_stream(
    members: Iterable[Iterable[ArrayLike]],
    regions: Regions,
    n_gen: ArrayLike,
    *,
    max_lost: float = 1e-3,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Count generated events in regions at nested prefixes of the members' streams, in one pass.

    Args:
        members: For each member an iterable of batches of events, shape (n, dim) or (n,).
        regions: Which events are in, see `gampl.regions`.
        n_gen: Increasing numbers of events, shape (steps,), or a single one.
        max_lost: Largest tolerated share of events with a non-finite observable in a member. Lost events count as
            generated and lie in no region.
        progress: Called with (member, events done) after each batch, and at the end of each prefix.

    Returns:
        Counts, shape (steps, members, regions), and the number of lost events of all members.

    Raises:
        ValueError: If there are no members, a stream ends early or loses too many events, or n_gen does not increase.
    """
    sizes = prefix_sizes(n_gen)
    tables, n_lost = [], 0
    for member, batches in enumerate(members):
        report = None if progress is None else partial(progress, member)
        counts, lost = _count_prefixes(member, batches, regions, sizes, report)
        check_lost(member, "observable", lost, int(sizes[-1]), max_lost)
        tables.append(counts)
        n_lost += lost
    if not tables:
        raise ValueError("members is empty: expected at least 2 streams of batches")
    return np.stack(tables, axis=1), n_lost


def _count_prefixes(
    member: int,
    batches: Iterable[ArrayLike],
    regions: Regions,
    sizes: NDArray[np.int64],
    progress: Callable[[int], None] | None,
) -> tuple[NDArray[np.int64], int]:
    """Cumulative counts of one member after each of ``sizes`` events, shape (steps, regions), and lost events."""
    counts = np.zeros((sizes.size, len(regions)), dtype=np.int64)
    done = n_lost = 0
    for step, events, _ in pieces(batches, sizes, member):
        inside, lost = regions.count(np.asarray(events, dtype=np.float64))
        counts[step] += inside
        n_lost += lost
        done += len(events)
        if progress is not None:
            progress(done)
    return counts.cumsum(axis=0), n_lost


def _amplification(
    spreads: list[Spread], n_train: int, level: float, truth: ArrayLike | None, notes: tuple[str, ...]
) -> Amplification:
    if not (np.isfinite(n_train) and n_train >= 1):
        raise ValueError(f"n_train must be a positive number of events, got {n_train}")
    if not 0.5 < level < 1:
        raise ValueError(f"level must lie between 0.5 and 1, got {level}")
    last = spreads[-1]
    true_integrals = None if truth is None else _check_truth(truth, last.integrals.shape[1])
    if last.total <= 0:
        raise ValueError("all members have the same integrals: they are copies of one generator")
    has_tails = (seen := last.of_heavy_tails()) is not last
    if has_tails:
        spreads = [spread.of_heavy_tails() for spread in spreads[:-1]] + [seen]
    state, (low, high) = model_interval(seen, level)
    members = len(last.integrals)
    alone = Worth(
        n_train=n_train,
        n_equiv=_ratio(last.binomial, last.model),
        n_equiv_interval=Interval(_ratio(last.binomial, high), _ratio(last.binomial, low)),
        n_equiv_at_least=last.binomial / seen.deviation_limit(level),
        level=level,
    )
    return Amplification(
        method="averaging",
        n_train=n_train,
        n_equiv=alone.n_equiv,
        n_equiv_interval=alone.n_equiv_interval,
        level=level,
        state=state,
        curve=averaging_curve(spreads, level, true_integrals),
        n_members=members,
        degrees_of_freedom=seen.degrees_of_freedom,
        n_equiv_true=None if true_integrals is None else _n_equiv_true(last, true_integrals),
        pooled=alone.divided(1 + 1 / members),
        single=alone.divided(2),
        notes=notes + spread_notes(last, seen),
    )


def _check_truth(truth: ArrayLike, n_regions: int) -> Floats:
    integrals = np.atleast_1d(np.asarray(truth, dtype=np.float64))
    if integrals.shape != (n_regions,) or not ((integrals > 0) & (integrals < 1)).all():
        raise ValueError(f"truth must hold {n_regions} probabilities between 0 and 1, got {integrals}")
    return integrals


def _n_equiv_true(spread: Spread, truth: Floats) -> float:
    """n_equiv of these members with respect to the truth, Eqs. (3) and (12)."""
    own_binomial = float((spread.integrals * (1 - spread.integrals)).mean(axis=0).sum())
    n = spread.n_gen
    # the members' binomial noise, unbiased: <I_bar (1 - I_bar)> is low by 1 / n_gen
    noise = own_binomial / (n - 1) if np.isfinite(n) else 0.0
    return _ratio(float((truth * (1 - truth)).sum()), spread.deviation(truth) - noise)


def _ratio(binomial: float, variance: float) -> float:
    return float(binomial / variance) if variance > 0 else np.inf
