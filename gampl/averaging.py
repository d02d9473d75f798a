r"""Averaging amplification: G from the spread of integrals over a posterior, section 3 of the paper.

The members' integrals over a region scatter with variance sigma_model^2 + sigma_stat^2(n_gen), Eq. (15). Subtracting
the binomial part, Eq. (17), leaves sigma_model^2; n_equiv is the number of true events whose statistical uncertainty is
as large, Eq. (18). Three entrances lead to one result: counts, a stream of batches, or exact integrals.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.amplification import Amplification, AveragingCurve, Interval, State
from gampl.regions import Regions
from gampl.spread import Spread
from gampl.streams import pieces, prefix_sizes

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
        if lost > max_lost * sizes[-1]:
            raise ValueError(
                f"member {member}: {lost} of {sizes[-1]} events have a non-finite observable, tolerated are "
                f"max_lost = {max_lost:g}; dropping them would bias the tails"
            )
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
    state, (low, high) = _interval(last, level)
    return Amplification(
        method="averaging",
        n_train=n_train,
        n_equiv=_ratio(last.binomial, last.model),
        n_equiv_interval=Interval(_ratio(last.binomial, high), _ratio(last.binomial, low)),
        level=level,
        state=state,
        curve=_curve(spreads, level, true_integrals),
        n_members=len(last.integrals),
        degrees_of_freedom=last.degrees_of_freedom,
        n_equiv_true=None if true_integrals is None else _n_equiv_true(last, true_integrals),
        notes=notes + _warnings(last),
    )


def _interval(spread: Spread, level: float) -> tuple[State, Interval]:
    """What can be said about sigma_model^2: an interval, or only a one-sided limit where that would be empty."""
    low, high = spread.model_interval(level)
    if high <= 0:
        return State.LOWER_LIMIT, Interval(0.0, spread.model_limit(level))
    return (State.VALUE if low > 0 else State.UNBOUNDED), Interval(low, high)


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
    return binomial / variance if variance > 0 else np.inf


def _curve(spreads: list[Spread], level: float, truth: Floats | None) -> AveragingCurve:
    """The lines of Fig. 1."""
    if not np.isfinite(spreads[-1].n_gen):
        return _exact_curve(spreads[-1], level, truth)
    model = np.array([s.model for s in spreads])
    low, high = np.transpose([_interval(s, level)[1] for s in spreads])
    return AveragingCurve(
        n_gen=np.array([s.n_gen for s in spreads]),
        sigma_stat=np.sqrt([s.statistical for s in spreads]),
        sigma_est=np.sqrt([s.total for s in spreads]),
        sigma_model=np.sqrt(np.where(model > 0, model, np.nan)),
        sigma_model_low=np.sqrt(np.maximum(low, 0)),
        sigma_model_high=np.sqrt(high),
        sigma_true=None if truth is None else np.sqrt([s.deviation(truth) for s in spreads]),
    )


def _exact_curve(spread: Spread, level: float, truth: Floats | None) -> AveragingCurve:
    """Lines for any n_gen from the integrals' limits: two decades to either side of n_equiv."""
    n_gen = np.maximum(spread.binomial / spread.total, 200) * np.logspace(-2, 2, 41)
    stat = spread.binomial / n_gen
    ones = np.ones_like(n_gen)
    low, high = spread.model_interval(level)
    return AveragingCurve(
        n_gen=n_gen,
        sigma_stat=np.sqrt(stat),
        sigma_est=np.sqrt(spread.total * (1 - 1 / n_gen) + stat),
        sigma_model=np.sqrt(spread.total) * ones,
        sigma_model_low=np.sqrt(low) * ones,
        sigma_model_high=np.sqrt(high) * ones,
        sigma_true=None if truth is None else np.sqrt(spread.deviation(truth) + stat),
        is_exact=True,
    )


def _warnings(spread: Spread) -> tuple[str, ...]:
    members = len(spread.integrals)
    notes = []
    if members < 10:
        notes.append(f"{members} members resolve G poorly: with 10, its 68 % interval spans a factor 2.6")
    if spread.is_far_from_normal():
        notes.append("the members' integrals are far from normally distributed: the interval is too short")
    if np.isfinite(spread.n_gen) and (sparse := int((spread.integrals.mean(axis=0) * spread.n_gen < 10).sum())):
        notes.append(f"{sparse} regions hold fewer than 10 generated events per member: raise n_gen or merge them")
    return tuple(notes)
