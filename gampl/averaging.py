r"""Averaging amplification: G from the spread of integrals over a posterior, section 3 of the paper.

The members' integrals over a region scatter with variance sigma_model^2 + sigma_stat^2(n_gen), Eq. (15). Subtracting
the binomial part, Eq. (17), leaves sigma_model^2; n_equiv is the number of true events whose statistical uncertainty is
as large, Eq. (18). That is about a posterior of this width; what the members at hand are worth depends on how far their
training set's fluctuation has moved all of them, which `gampl.spread` predicts from their scatter.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats, Interval, counted, require, training_events, unmasked
from gampl.regions import Placed, Regions
from gampl.result import Amplification, Note, NoteCode, State, Worth, event_notes
from gampl.samples import Accumulator, Weights, accumulate, gather, mean_size
from gampl.spread import Spread, averaging_curve, n_equiv

MEMBERS_THAT_SHOW_TAILS = 50  # with fewer, tails that spoil the interval can stay unseen: see `Spread.of_heavy_tails`
SPARSE = 10  # events in a region, below which their fluctuation is not normal


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
    progress: Callable[[int, int], None] | None = None,
) -> Amplification:
    """Estimate G from the members' samples, of any sizes, which memory does not depend on.

    Events may have weights; their fluctuation is then that of the sums of weights, and the curve counts effective ones.
    A ValueError if an argument is not as described, a weight is not finite, or too many events are lost; a RegionError
    if a region is empty or full for all members.

    Args:
        members: For each member its events: an array of NumPy, PyTorch, awkward or pandas, shape (n, dim) or (n,); any
            iterable of such batches; or a generator with a method ``sample``, ``resample`` or ``rvs``, see
            `gampl.samples`.
        regions: Which events are in, see `gampl.regions`.
        n_train: Training events.
        n_gen: Events to use of each member, its first; by default all of them. Generators need it. Several numbers,
            increasing, (steps,), also say where the curve of Fig. 1 is traced; by default at 100, 200, 500, 1000 ...
        weights: Makes the weight of each event of a batch, (n, dim) -> (n,); or for each member an array of its
            weights, if its events are an array, too. By default all events weigh the same.
        level: Confidence level of the interval.
        truth: True probabilities of the regions, shape (regions,), for validation.
        max_lost: Largest tolerated share of a member's events with a non-finite observable; they lie in no region.
        progress: Called with (member, events done) after each batch.
    """
    start = _tally_of(regions)
    tallies = accumulate(members, weights, n_gen, start, regions.place, progress)
    return from_tallies(tallies, n_train, level=level, truth=truth, max_lost=max_lost)


class Shares(NamedTuple):
    """Integrals of one member, Eq. (10), after some of its events."""

    n_gen: int  #: events behind them
    integrals: Floats  #: (regions,)
    variances: Floats  #: (regions,), of the integrals by the fluctuation of the events; only for weighted ones
    weights: Floats  #: (regions,), sums of weights, or numbers of events if these have none


class Tally(Accumulator):
    """Counts of events, or sums of their weights, in each region at nested prefixes of a member's sample.

    A weighted integral is a ratio of two sums of weights; its variance is that of the sum of w (1_V - I) over the
    events, the delta method's. See `gampl.samples.Accumulator`.
    """

    def __init__(self, n_regions: int, steps: Iterable[int] | None = None, name: str = "") -> None:
        super().__init__(steps, name)
        # of the regions, and of the events outside of all of them, which come first: sums of w and of w^2
        self._weights, self._squares = np.zeros((2, n_regions + 1))

    def update(self, placed: Placed, weights: Floats | None = None) -> None:
        """Add the events of a batch, with weights of shape (n,) if they have any; errors are those of `parts`."""
        size = self._weights.size
        for part, is_complete in self.parts(placed.lost, weights):
            cells, w = placed.region[part] + 1, None if weights is None else weights[part]
            self._weights += np.bincount(cells, w, minlength=size)
            if w is not None:
                self._squares += np.bincount(cells, w**2, minlength=size)
            if is_complete and self._weights.sum() > 0:
                self.prefixes.append(self.shares)

    @property
    def shares(self) -> Shares:
        """The shares of all events so far; a ValueError if their number or weight is not positive."""
        total = self._weights.sum()
        if not total > 0:
            what = "the weights add up to" if self.n_gen else "expected at least one event, the sum is"
            raise ValueError(f"{what} {total:g}: a share of them means nothing")
        weights = self._weights[1:]
        integrals = weights / total
        squares = self._squares if self.is_weighted else self._weights
        variances = (squares[1:] * (1 - 2 * integrals) + integrals**2 * squares.sum()) / total**2
        if (effective := self.n_effective) > 1:
            variances = variances * effective / (effective - 1)
        return Shares(self.n_gen, integrals, variances, weights.copy())

    @property
    def n_effective(self) -> float:
        """Number of events of equal weight whose sum fluctuates as much, (sum w)^2 / sum w^2 (Kish 1965)."""
        return float(self._weights.sum() ** 2 / self._squares.sum()) if self.is_weighted else float(self.n_gen)

    @property
    def inside(self) -> Floats:
        """The same number of events in each region, shape (regions,)."""
        if not self.is_weighted:
            return self._weights[1:]
        squares = self._squares[1:]
        return np.divide(self._weights[1:] ** 2, squares, out=np.zeros_like(squares), where=squares > 0)


def from_tallies(
    tallies: Iterable[Tally],
    n_train: int,
    *,
    level: float = 0.683,
    truth: ArrayLike | None = None,
    max_lost: float = 1e-3,
) -> Amplification:
    """Estimate G from the tally of each member, which is checked as it comes; see `from_samples`.

    Errors are those of `from_counts`, or that a member has no events or lost too many.
    """
    members, prefixes = gather(tallies, "observable", max_lost)
    if short := [(tally.name or f"member {k}", tally.n_gen) for k, tally in enumerate(members) if tally.n_gen < 2]:
        raise ValueError(f"{short[0][0]}: has {counted(short[0][1], 'event')}, expected at least 2")
    is_weighted = any(tally.is_weighted for tally in members)
    spreads = []
    for shares in prefixes:
        with suppress(ValueError):  # too short for an estimate
            spreads.append(_spread(shares, is_weighted))
    spreads = [spread for spread in spreads if spread.n_gen >= 2 and spread.total > 0]
    spreads.append(_spread([tally.shares for tally in members], is_weighted))
    return _amplification(spreads, n_train, level, truth, _notes(members))


def from_counts(
    counts: ArrayLike, n_gen: ArrayLike, n_train: int, *, level: float = 0.683, truth: ArrayLike | None = None
) -> Amplification:
    """Estimate G from the number of generated events in each region.

    The counts are of shape (members, regions), or (steps, members, regions) for nested prefixes of the samples; one
    region may be (members,). ``n_gen`` are the generated events per member: a number, or an increasing one per step, of
    which G is read off the last. For the other arguments see `from_samples`. A ValueError if shapes do not match, there
    are fewer than 2 members, counts are not whole numbers or the members are copies; a RegionError if a region is empty
    or full for all.
    """
    sizes = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    table = np.asarray(unmasked(counts, "counts"), dtype=np.float64)
    if np.ndim(n_gen) == 0:
        table = table[None]
    if table.ndim == 2:
        table = table[..., None]  # a single region
    shapes = f"(members, regions) for one n_gen or (steps, members, regions) for {sizes.size} of them"
    require(table.ndim == 3 and len(table) == sizes.size, "counts", f"have shape {shapes}", np.shape(counts))
    if not (np.isfinite(table).all() and (table >= 0).all() and (table == np.round(table)).all()):
        raise ValueError("counts must be whole numbers >= 0 (for weighted events use from_samples)")
    if (np.diff(table, axis=0) < 0).any():
        raise ValueError("counts must not decrease with n_gen: the steps are nested prefixes of the same samples")
    if not ((sizes >= 2).all() and (np.diff(sizes) > 0).all() and (table.sum(-1) <= sizes[:, None]).all()):
        raise ValueError("n_gen must increase, be at least 2 and not smaller than a member's counts over all regions")
    spreads = [Spread.of(step / n, n) for step, n in zip(table, sizes, strict=True)]
    return _amplification(spreads, n_train, level, truth)


def from_integrals(
    integrals: ArrayLike, n_train: int, *, level: float = 0.683, truth: ArrayLike | None = None
) -> Amplification:
    """Estimate G from exact integrals of the members' densities: n_gen = infinity, nothing to subtract.

    They are of shape (members, regions) or (members,). For the rest see `from_counts`.
    """
    table = np.asarray(unmasked(integrals, "integrals"), dtype=np.float64)
    return _amplification([Spread.of(table[:, None] if table.ndim == 1 else table, np.inf)], n_train, level, truth)


def count_stream(
    members: Iterable[Any],
    regions: Regions,
    n_gen: ArrayLike,
    *,
    max_lost: float = 1e-3,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Count events, without weights, in regions at nested prefixes of the members' samples, in one pass.

    Returns the counts for `from_counts`, shape (steps, members, regions), and the number of lost events of all members.
    Arguments and errors are those of `from_samples`.
    """
    tallied = accumulate(members, None, np.atleast_1d(n_gen), _tally_of(regions), regions.place, progress)
    tallies, _ = gather(tallied, "observable", max_lost)
    counts = [[shares.weights for shares in tally.prefixes] for tally in tallies]
    return np.stack(counts, axis=1).astype(np.int64), sum(tally.n_lost for tally in tallies)


def _tally_of(regions: Regions) -> Callable[..., Tally]:
    """What begins the tally of a member."""
    made = "be made by gampl.regions, such as Intervals.between([0.0, 0.5])"
    require(hasattr(regions, "place"), "regions", made, type(regions).__name__)
    return partial(Tally, len(regions))


def _spread(members: Sequence[Shares], is_weighted: bool) -> Spread:
    """The spread of one prefix."""
    integrals = np.stack([m.integrals for m in members])
    if is_weighted:
        spread = Spread.of_weighted(integrals, np.stack([m.variances for m in members]))
    else:
        spread = Spread.of(integrals, mean_size([m.n_gen for m in members]))
    is_unequal = is_weighted or len({m.n_gen for m in members}) > 1
    return spread.of_unequal([float(m.variances.sum()) for m in members]) if is_unequal else spread


def _amplification(
    spreads: list[Spread], n_train: int, level: float, truth: ArrayLike | None, notes: Iterable[Note] = ()
) -> Amplification:
    n_train = training_events(n_train)
    require(0.5 < level < 1, "level", "lie between 0.5 and 1", level)
    last = spreads[-1]
    members, n_regions = last.integrals.shape
    target = None if truth is None else np.atleast_1d(np.asarray(truth, np.float64))
    is_right = target is None or (target.shape == (n_regions,) and ((target > 0) & (target < 1)).all())
    require(is_right, "truth", f"hold {n_regions} probabilities between 0 and 1", target)
    if last.is_of_copies:
        raise ValueError(
            "all members have the same integrals, or agree better than independent samples can: they are copies of one "
            "generator's events"
        )
    if (seen := last.of_heavy_tails()) is not last:
        spreads = [spread.of_heavy_tails() for spread in spreads[:-1]] + [seen]
    least, most = seen.model_interval(level)
    estimate, interval = n_equiv(last.binomial, last.model), seen.n_equiv_interval(level)
    at_least = last.binomial / seen.deviation_limit(level)

    def worth(variances: float) -> Worth:
        """What is worth so many times less, as its deviation has so many times the variance of the model."""
        ends = Interval(*(end / variances for end in interval))
        return Worth(n_train, estimate / variances, ends, level, at_least / variances)

    return Amplification(
        n_train,
        estimate,
        interval,
        level,
        method="averaging",
        state=State.VALUE if least > 0 else State.UNBOUNDED if most > 0 else State.LOWER_LIMIT,
        curve=averaging_curve(spreads, level, target),
        n_members=members,
        degrees_of_freedom=seen.degrees_of_freedom,
        n_equiv_true=None if target is None else _n_equiv_true(last, target),
        pooled=worth(1 + 1 / members),
        single=worth(2),
        notes=(*notes, *_spread_notes(last, seen)),
    )


def _n_equiv_true(spread: Spread, truth: Floats) -> float:
    """n_equiv of these members with respect to the truth, Eqs. (3) and (12)."""
    # the members' binomial noise, unbiased: <I_bar (1 - I_bar)> is low by 1 / n_gen
    noise = float((spread.integrals * (1 - spread.integrals)).mean(axis=0).sum()) / (spread.n_gen - 1)
    return n_equiv(float((truth * (1 - truth)).sum()), spread.deviation(truth) - noise)


def _notes(tallies: Sequence[Tally]) -> Iterator[Note]:
    """What to know about the events behind an estimate."""
    yield from event_notes(tallies, "observable", "counted as outside all regions")
    weighted = [tally for tally in tallies if tally.is_weighted]
    if weighted and (sparse := int((np.min([tally.inside for tally in weighted], axis=0) < SPARSE).sum())):
        yield NoteCode.SPARSE_REGIONS(regions=sparse, events="effective events of some member")


def _spread_notes(spread: Spread, seen: Spread) -> Iterator[Note]:
    """What to know about the members; ``seen`` has the degrees of freedom that were used."""
    members = len(spread.integrals)
    if members < 10:
        yield NoteCode.FEW_MEMBERS(members=members)
    if seen is not spread:
        yield NoteCode.HEAVY_TAILS(before=spread.degrees_of_freedom, after=seen.degrees_of_freedom)
    elif members < MEMBERS_THAT_SHOW_TAILS:
        yield NoteCode.TAILS_UNSEEN(members=members, enough=MEMBERS_THAT_SHOW_TAILS)
    if spread.total < spread.statistical:
        yield NoteCode.AT_SENSITIVITY(n_gen=spread.n_gen)
    if np.isfinite(spread.n_gen) and (sparse := int((spread.integrals.mean(axis=0) * spread.n_gen < SPARSE).sum())):
        yield NoteCode.SPARSE_REGIONS(regions=sparse, events="generated events per member")
