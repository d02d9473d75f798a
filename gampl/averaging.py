r"""Averaging amplification: G from the spread of integrals over a posterior, section 3 of the paper.

The members' integrals over a region scatter with variance sigma_model^2 + sigma_stat^2(n_gen), Eq. (15). Subtracting
the binomial part, Eq. (17), leaves sigma_model^2; n_equiv is the number of true events whose statistical uncertainty is
as large, Eq. (18). Three entrances lead to one result: samples, counts, or exact integrals.

That n_equiv is about a posterior of this width. What the members at hand are worth, pooled or one by one, depends on
how far their training set's fluctuation has moved all of them; `gampl.spread` predicts it from their scatter.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats, Interval, Note, NoteCode
from gampl.regions import Regions, Shares, Tally
from gampl.result import Amplification, State, Worth
from gampl.samples import Weights, accumulate, gather, mean_size, weight_notes
from gampl.spread import Spread, averaging_curve, spread_notes

Progress = Callable[[int, int], None]


def from_samples(
    members: Iterable[Any],
    regions: Regions,
    n_train: int,
    *,
    n_gen: ArrayLike | None = None,
    weights: Weights = None,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    max_lost: float = 1e-3,
    progress: Progress | None = None,
) -> Amplification:
    """Estimate G from the members' samples, whatever they are: arrays, streams of batches, or generators.

    The samples may have different sizes, and memory does not depend on them. Events may have weights; their fluctuation
    is then that of the sums of weights, and the curve counts effective events.

    Args:
        members: For each member its events: an array of NumPy, PyTorch, awkward or pandas, shape (n, dim) or (n,); any
            iterable of such batches; or a generator with a method ``sample``, ``resample`` or ``rvs``, see
            `gampl.samples`.
        regions: Which events are in, see `gampl.regions`.
        n_train: Training events.
        n_gen: Events to use of each member; by default all of them. Generators need it. Several increasing numbers,
            shape (steps,), also say where the curve of Fig. 1 is traced; by default at 100, 200, 500, 1000 and so on.
        weights: Makes the weight of each event of a batch, (n, dim) -> (n,); or for each member an array of its
            weights, if its events are an array, too. By default all events weigh the same.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.
        max_lost: Largest tolerated share of events with a non-finite observable in a member. Lost events count as
            generated and lie in no region.
        progress: Called with (member, events done) after each batch.

    Raises:
        ValueError: If an argument is not as described, a weight is not finite, or too many events are lost.
    """
    tallies = accumulate(members, weights, n_gen, partial(Tally, len(regions)), regions.place, progress)
    return from_tallies(tallies, n_train, level=level, truth=truth, max_lost=max_lost)


def from_tallies(
    tallies: Iterable[Tally],
    n_train: int,
    *,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    max_lost: float = 1e-3,
) -> Amplification:
    """Estimate G from the shares of the members' events in each region, see `gampl.regions.Tally`.

    There is one for each member, and each is checked as it comes; their sizes may differ. For the other arguments see
    `from_samples`.

    Raises:
        ValueError: If there are fewer than 2 members, or one has no events or lost too many.
        RegionError: If a region is empty or full for all members.
    """
    members, prefixes = gather(tallies, "observable", max_lost)
    if len(members) < 2:
        raise ValueError(f"a spread needs at least 2 members, got {len(members)}")
    if short := [(tally.name or f"member {k}", tally.n_gen) for k, tally in enumerate(members) if tally.n_gen < 2]:
        raise ValueError(f"{short[0][0]}: has {short[0][1]} events, expected at least 2")
    is_weighted = any(tally.is_weighted for tally in members)
    spreads = []
    for shares in prefixes:
        try:
            spreads.append(_spread(shares, is_weighted))
        except ValueError:  # too short for an estimate
            continue
    spreads = [spread for spread in spreads if spread.n_gen >= 2 and spread.total > 0]
    spreads.append(_spread([tally.shares for tally in members], is_weighted))
    return _amplification(spreads, n_train, level, truth, tuple(_notes(members)))


def from_counts(
    counts: ArrayLike,
    n_gen: ArrayLike,
    n_train: int,
    *,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    notes: tuple[Note, ...] = (),
) -> Amplification:
    """Estimate G from the number of generated events in each region.

    The counts are of shape (members, regions), or (steps, members, regions) for nested prefixes of the samples; one
    region may be given as (members,). ``n_gen`` is the number of generated events per member, or one increasing number
    per step, shape (steps,); G is read off the last. ``notes`` are warnings to hand on with the result. For the other
    arguments see `from_samples`.

    Raises:
        ValueError: If shapes do not match, there are fewer than 2 members, or counts are not whole numbers.
        RegionError: If a region is empty or full for all members.
    """
    sizes = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    table = np.asarray(counts, dtype=np.float64)
    if np.ndim(n_gen) == 0:
        table = table[None]
    if table.ndim == 2:
        table = table[..., None]  # a single region
    if table.ndim != 3 or len(table) != sizes.size:
        shapes = f"(members, regions) for one n_gen or (steps, members, regions) for {sizes.size} of them"
        raise ValueError(f"counts must have shape {shapes}, got {np.shape(counts)}")
    if not (np.isfinite(table).all() and (table >= 0).all() and (table == np.round(table)).all()):
        raise ValueError("counts must be whole numbers >= 0 (for weighted events use from_samples)")
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

    They are the probability of each region for each member, shape (members, regions) or (members,). For the other
    arguments see `from_samples`.

    Raises:
        ValueError: If shapes do not match, or there are fewer than 2 members.
        RegionError: If a region is empty or full for all members.
    """
    table = np.asarray(integrals, dtype=np.float64)
    spread = Spread.of(table[:, None] if table.ndim == 1 else table, np.inf)
    return _amplification([spread], n_train, level, truth, ())


def count_stream(
    members: Iterable[Any],
    regions: Regions,
    n_gen: ArrayLike,
    *,
    max_lost: float = 1e-3,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Count generated events in regions at nested prefixes of the members' samples, in one pass.

    For the arguments see `from_samples`; ``n_gen`` are increasing numbers of events, shape (steps,), or a single one.

    Returns:
        Counts for `from_counts`, shape (steps, members, regions), and the number of lost events of all members.

    Raises:
        ValueError: If there are no members, one has too few events or loses too many, or n_gen does not increase.
    """
    start, sizes = partial(Tally, len(regions)), np.atleast_1d(n_gen)
    tallies, _ = gather(accumulate(members, None, sizes, start, regions.place, progress), "observable", max_lost)
    if not tallies:
        raise ValueError("members is empty: expected at least 2 samples")
    counts = [[shares.weights for shares in tally.prefixes] for tally in tallies]
    return np.stack(counts, axis=1).astype(np.int64), sum(tally.n_lost for tally in tallies)


def _spread(members: Sequence[Shares], is_weighted: bool) -> Spread:
    """The spread of one prefix."""
    integrals = np.stack([m.integrals for m in members])
    if is_weighted:
        spread = Spread.of_weighted(integrals, np.stack([m.variances for m in members]))
    else:
        spread = Spread.of(integrals, mean_size([m.n_gen for m in members]))
    is_unequal = is_weighted or len({m.n_gen for m in members}) > 1
    return spread.of_unequal([float(m.variances.sum()) for m in members]) if is_unequal else spread


def _notes(tallies: Sequence[Tally]) -> Iterator[Note]:
    """What to know about the events behind an estimate."""
    if n_lost := sum(tally.n_lost for tally in tallies):
        yield NoteCode.LOST_EVENTS(n_lost=n_lost, number="observable", taken_as="counted as outside all regions")
    weighted = [tally for tally in tallies if tally.is_weighted]
    yield from weight_notes((tally.n_effective, tally.n_gen) for tally in weighted)
    if weighted and (sparse := int((np.min([tally.inside for tally in weighted], axis=0) < 10).sum())):
        yield NoteCode.SPARSE_REGIONS(regions=sparse, events="effective events of some member")


def _amplification(
    spreads: list[Spread], n_train: int, level: float, truth: ArrayLike | None, notes: tuple[Note, ...]
) -> Amplification:
    if not (np.isfinite(n_train) and n_train >= 1):
        raise ValueError(f"n_train must be a positive number of events, got {n_train}")
    if not 0.5 < level < 1:
        raise ValueError(f"level must lie between 0.5 and 1, got {level}")
    last = spreads[-1]
    true_integrals = None if truth is None else _check_truth(truth, last.integrals.shape[1])
    if last.total <= 0:
        raise ValueError("all members have the same integrals: they are copies of one generator")
    if (seen := last.of_heavy_tails()) is not last:
        spreads = [spread.of_heavy_tails() for spread in spreads[:-1]] + [seen]
    least, most = seen.model_interval(level)
    state = State.VALUE if least > 0 else State.UNBOUNDED if most > 0 else State.LOWER_LIMIT
    n_equiv = _ratio(last.binomial, last.model)
    low, high = (_ratio(last.binomial, variance) for variance in reversed(seen.bounds(level)))
    at_least = last.binomial / seen.deviation_limit(level)
    members = len(last.integrals)

    def worth(variances: float) -> Worth:
        """What is worth so many times less, as its deviation has so many times the variance of the model."""
        interval = Interval(low / variances, high / variances)
        return Worth(n_train, n_equiv / variances, interval, at_least / variances, level)

    return Amplification(
        method="averaging",
        n_train=n_train,
        n_equiv=n_equiv,
        n_equiv_interval=Interval(low, high),
        level=level,
        state=state,
        curve=averaging_curve(spreads, level, true_integrals),
        n_members=members,
        degrees_of_freedom=seen.degrees_of_freedom,
        n_equiv_true=None if true_integrals is None else _n_equiv_true(last, true_integrals),
        pooled=worth(1 + 1 / members),
        single=worth(2),
        notes=(*notes, *spread_notes(last, seen)),
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
