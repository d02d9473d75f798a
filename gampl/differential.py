r"""Differential amplification: G from the Kolmogorov-Smirnov distance to true events, section 4 of the paper.

A summary makes one number of each event. As more events are generated, the distance between their distribution and that
of a reference sample of true events levels off. n_equiv is the number of true events whose expected distance is as
large, Eq. (36). The reference must not have been used to train the generator, or the distance can be far too small.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from gampl import kolmogorov
from gampl.basics import Interval, require, training_events
from gampl.distances import summarise
from gampl.kolmogorov import (
    KOLMOGOROV,
    MEAN,
    DifferentialCurve,
    KolmogorovSmirnov,
    Law,
    distance_interval,
    n_equiv,
    worth,
)
from gampl.regions import Observable, coordinate
from gampl.result import Amplification, Note, NoteCode, State, event_notes
from gampl.samples import Weights, accumulate, as_events, gather, mean_size

TIES_MATTER = 0.95  # ratio of the mean of K with ties and without, below which a result says so
ReferenceIs = Literal["holdout", "training"]

# what is said of a single reference, and is said anew of several that are combined
OF_ONE_REFERENCE = {
    NoteCode.LOWER_LIMIT,
    NoteCode.BELOW_RESOLUTION,
    NoteCode.FEW_GENERATED,
    NoteCode.TOO_CLOSE,
    NoteCode.TIES,
}


def from_samples(
    members: Iterable[Any],
    reference: Any,
    n_train: int,
    *,
    summary: Observable = coordinate,
    n_gen: ArrayLike | None = None,
    weights: Weights = None,
    level: float = 0.683,
    reference_is: ReferenceIs = "holdout",
    max_lost: float = 1e-3,
    progress: Callable[[int, int], None] | None = None,
) -> Amplification:
    """Estimate G from the members' samples, whatever they are, and a sample of true events.

    Warning:
        The reference must be independent of the generators. Against its own training data even a poor generator looks
        good; ``reference_is="training"`` allows that, as the paper does, and says so in the result.

    The reference is a sample of true events, an array of any library, shape (n_ref, dim) or (n_ref,); about n_train of
    them are a good choice. ``reference_is`` is ``"holdout"`` for events that the generators never saw, ``"training"``
    for their training data. They have no weights: the law of the distance is known for equal ones only. ``summary``
    makes one number of each event of a batch, (n, dim) -> (n,); ``max_lost`` is the largest tolerated share of a
    member's events for which that is not finite, and they count as above all others. The level must be above 0.57. The
    other arguments and errors are those of `gampl.averaging.from_samples`; one member is enough.
    """
    start = partial(KolmogorovSmirnov, summarise(summary, as_events(reference, "reference")))
    tallies = accumulate(members, weights, n_gen, start, partial(summarise, summary), progress)
    return from_tallies(tallies, n_train, level=level, reference_is=reference_is, max_lost=max_lost)


def from_tallies(
    tallies: Iterable[KolmogorovSmirnov],
    n_train: int,
    *,
    level: float = 0.683,
    reference_is: ReferenceIs = "holdout",
    max_lost: float = 1e-3,
) -> Amplification:
    """Estimate G from the distances of each member to one reference, checked as they come; see `from_samples`.

    The members' sizes may differ. A ValueError if there are no members, or one has no events or lost too many.
    """
    members, prefixes = gather(tallies, "summary", max_lost)
    steps = [*prefixes, tuple(tally.now for tally in members)]
    # a heavy event makes the mean smaller, and prefixes before it useless
    sizes = np.array([mean_size([d.n_effective for d in step]) for step in steps])
    later = np.minimum.accumulate(sizes[::-1])[::-1]
    grows = sizes < np.append(later[1:], np.inf)
    distances = np.array([[d.distance for d in step] for step in steps]).T
    table, n_gen, reference = distances[:, grows], sizes[grows], members[0].reference
    return from_distances(
        table,
        n_gen,
        reference.size,
        n_train,
        level=level,
        reference_is=reference_is,
        law=Law.of(reference),
        notes=tuple(event_notes(members, "summary", "taken as above all others")),
    )


def from_distances(
    distances: ArrayLike,
    n_gen: ArrayLike,
    n_ref: float,
    n_train: int,
    *,
    level: float = 0.683,
    reference_is: ReferenceIs = "holdout",
    law: Law = KOLMOGOROV,
    notes: tuple[Note, ...] = (),
) -> Amplification:
    """Estimate G from Kolmogorov-Smirnov distances to one reference sample.

    Distances of each member are of shape (members, steps), or (members,) for a single n_gen: the generated events
    behind them, increasing, shape (steps,). G is read off the last. If a cut lets through different numbers for the
    members, n_gen and ``n_ref``, the events in the reference, are their means. n_gen is ``inf`` for distances to the
    members' densities themselves, see `gampl.kolmogorov.distance_to_density`. ``law`` is that of K: where true events
    can have equal values, `gampl.kolmogorov.Law.of` the reference. ``notes`` are warnings to hand on with the result.
    For the other arguments see `from_samples`. A ValueError if shapes do not match, a distance is not between 0 and 1,
    or a number is out of range.
    """
    sizes = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    is_list = sizes.ndim == 1 and sizes.size > 0 and not (sizes.size > 1 and np.isinf(sizes[-1]))
    is_increasing = is_list and (np.diff(sizes, prepend=0) > 0).all()
    require(is_increasing, "n_gen", "be positive and increasing (or a single inf)", sizes)
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim == 1 and sizes.size == 1:
        table = table[:, None]
    is_right = table.ndim == 2 and table.shape[1] == sizes.size and len(table) > 0
    require(is_right, "distances", f"have shape (members, {sizes.size})", np.shape(distances))
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("distances must lie between 0 and 1, as differences of distribution functions do")
    require(reference_is in ("holdout", "training"), "reference_is", 'be "holdout" or "training"', repr(reference_is))
    require(np.isfinite(n_ref) and n_ref >= 1, "n_ref", "be a positive number of events", n_ref)
    if reference_is == "training":
        notes = (NoteCode.REUSED(), *notes)
    curve = DifferentialCurve(sizes, table, float(n_ref), law=law)
    return _amplification(curve, n_train, level, len(table), notes, _standard_error(curve))


def combine(results: Sequence[Amplification]) -> Amplification:
    """Make one result of several with independent reference samples of about equal size.

    With K-fold cross-fitting each generator is tested against the fold of its training events that it did not see. No
    events need to be kept aside, but each fold is small, and G is that of generators trained on the rest: n_train of
    the results must be the number of events that each was trained on.

    Distances are averaged, and not events pooled: every fold has also trained the generators of the others, so that in
    a pooled sample the differences between the folds and their generators cancel, and G would be too large. A
    ValueError if there are fewer than 2 results, or they are not differential, or differ in the number of steps or in
    level, or by more than 10 % in n_train, n_gen or the size of the reference.
    """
    curves = [r.curve for r in results if isinstance(r.curve, DifferentialCurve) and r.curve.folds == 1]
    if len(curves) < max(len(results), 2):
        raise ValueError("expected at least 2 results to combine, all differential with a single reference each")
    if len({(c.n_gen.size, r.level) for c, r in zip(curves, results, strict=True)}) > 1:
        raise ValueError("the results differ in the number of steps or in level")
    n_train, n_ref = round(float(np.mean([r.n_train for r in results]))), float(np.mean([c.n_ref for c in curves]))
    n_gen = np.mean([c.n_gen for c in curves], axis=0)
    numbers = [[r.n_train, c.n_ref, *c.n_gen] for r, c in zip(results, curves, strict=True)]
    if not np.allclose(numbers, [n_train, n_ref, *n_gen], rtol=0.1, atol=0):
        raise ValueError("the results differ by more than 10 % in n_train, n_gen or the size of their references")
    curve = DifferentialCurve(n_gen, np.stack([c.mean for c in curves]), n_ref, len(curves), curves[0].law)
    errors = [_standard_error(c) / len(curves) for c in curves]
    notes = dict.fromkeys(note for r in results for note in r.notes if note.code not in OF_ONE_REFERENCE)
    members = sum(r.n_members for r in results)
    return _amplification(curve, n_train, results[0].level, members, tuple(notes), float(np.linalg.norm(errors)))


def _amplification(
    curve: DifferentialCurve, n_train: int, level: float, n_members: int, notes: tuple[Note, ...], standard_error: float
) -> Amplification:
    n_train = training_events(n_train)
    # below, the interval would not hold the estimate: P(K < <K>) = 0.56
    require(0.57 < level < 1, "level", "lie between 0.57 and 1", level)
    spread = standard_error * float(stats.t.isf((1 - level) / 2, max(n_members - curve.folds, 1)))
    ends = distance_interval(curve, level, spread)
    mean = curve.law.mean
    estimate = n_equiv(curve.mean[-1], curve.n_ref, curve.n_gen[-1], mean)
    state = State.VALUE if ends.low > 0 else State.UNBOUNDED if np.isfinite(estimate) else State.LOWER_LIMIT
    return Amplification(
        n_train,
        estimate,
        Interval(worth(ends.high, mean), worth(ends.low, mean)),
        level,
        method="differential",
        state=state,
        curve=curve,
        n_members=n_members,
        notes=(*notes, *_curve_notes(curve, state)),
    )


def _standard_error(curve: DifferentialCurve) -> float:
    """Standard error of the mean distance over members, without the reference, which they share."""
    last = curve.distances[:, -1]
    return float(last.std(ddof=1) / np.sqrt(last.size)) if last.size > 1 else 0.0


def _curve_notes(curve: DifferentialCurve, state: State) -> Iterator[Note]:
    """What to know about the distances to this reference."""
    if state is State.LOWER_LIMIT:
        yield NoteCode.LOWER_LIMIT()
    elif state is State.UNBOUNDED:
        yield NoteCode.BELOW_RESOLUTION(n_ref=curve.n_ref)
    if curve.n_gen[-1] < 10 * curve.n_ref:
        yield NoteCode.FEW_GENERATED(n_gen=curve.n_gen[-1], n_ref=curve.n_ref)
    if kolmogorov.rescaled(curve.mean[-1], curve.n_ref, curve.n_gen[-1]) < curve.law.quantile(1e-3, curve.folds):
        yield NoteCode.TOO_CLOSE()
    if curve.law.mean < TIES_MATTER * MEAN:
        yield NoteCode.TIES(mean=curve.law.mean)
