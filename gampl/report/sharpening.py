"""After a result: whether more members, generated events or true events would sharpen it, and how much."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import stats

from gampl.basics import Interval
from gampl.kolmogorov import DifferentialCurve, distance_interval, worth
from gampl.report.multivariate import DistanceCurve
from gampl.result import Amplification, in_digits
from gampl.spread import AveragingCurve, Spread

SHARP = 1.1  # an interval within this factor of G is left alone
GAIN = 0.1  # a change that shortens the interval by a smaller share is not worth a word

count = partial(in_digits, digits=7)  # of events, whole below ten million


class _Change(NamedTuple):
    what: str
    words: str
    n_equiv: Interval  # expected with the change


def sharpen(result: Amplification) -> tuple[str, ...]:
    """What would shorten the interval of a result, the most effective first; empty if nothing would help much.

    Tried are twice the members (at least 10), ten times the generated events, and twice the reference, one at a time.
    The intervals are those of `gampl.planning`, for the G that was estimated. Where that is infinite, they are lower
    limits that a perfect generator would reach.
    """
    low, high = now = result.n_equiv_interval
    if np.isfinite(high) and max(high / result.n_equiv, result.n_equiv / low) <= SHARP:
        return ()
    changes = list(_changes(result))
    helpful = sorted((c for c in changes if _is_shorter(c.n_equiv, now)), key=lambda change: _length(change.n_equiv))
    condition = "" if np.isfinite(result.n_equiv) else ", if the generator is that good"
    return tuple(
        (f"{change.what} limits the interval most: " if rank == 0 and len(changes) > 1 else "")
        + f"with {change.words} {_comparison(change.n_equiv, now, result.n_train)}{condition}"
        for rank, change in enumerate(helpful)
    )


def _changes(result: Amplification) -> Iterator[_Change]:
    curve, members, n_gen = result.curve, result.n_members, float(result.curve.n_gen[-1])
    if isinstance(curve, DistanceCurve):  # whose intervals have no formula
        return
    expected: Callable[..., Interval]
    if isinstance(curve, DifferentialCurve):
        expected, folds, n_ref = partial(_differential, result, curve), curve.folds, curve.n_ref
        reference = "true events" if folds == 1 else f"true events in each of {folds} references"
        words = f"{count(2 * n_ref)} {reference} instead of {count(n_ref)}"
        yield _Change("the size of the reference", words, expected(members, n_gen, 2 * n_ref))
    else:
        expected, folds, n_gen = partial(_averaging, result, curve), 1, np.inf if curve.is_exact else n_gen
    if np.isfinite(n_gen):
        words = f"{count(10 * n_gen)} generated events per member instead of {count(n_gen)}"
        yield _Change("the number of generated events", words, expected(members, 10 * n_gen))
    if members > folds:
        more = max(2 * members, 10)
        yield _Change("the number of members", f"{more} members instead of {members}", expected(more, n_gen))


def _averaging(result: Amplification, curve: AveragingCurve, members: int, n_gen: float) -> Interval:
    """The interval of n_equiv that is expected with these members and events."""
    binomial = float(curve.n_gen[-1] * curve.sigma_stat[-1] ** 2)
    nu = (result.degrees_of_freedom or result.n_members - 1) * (members - 1) / (result.n_members - 1)
    return Spread.expected(binomial / result.n_equiv, binomial, n_gen, nu).n_equiv_interval(result.level)


def _differential(
    result: Amplification, curve: DifferentialCurve, members: int, n_gen: float, n_ref: float | None = None
) -> Interval:
    """The interval of n_equiv that is expected with these members and events, or another size of the reference."""
    mean, n_ref = curve.law.mean, n_ref or curve.n_ref
    estimate = mean / np.sqrt(result.n_equiv)
    # what the members' spread adds to the interval, in quadrature
    farthest = mean / np.sqrt(result.n_equiv_interval.low)
    alone = distance_interval(curve, result.level).high
    spread = float(np.sqrt(max((farthest - estimate) ** 2 - (alone - estimate) ** 2, 0.0)))
    if members != result.n_members:  # by half-widths of the interval of a mean over members that scatter by 1
        sizes = np.array([members, result.n_members])
        half_widths = stats.t.isf((1 - result.level) / 2, np.maximum(sizes - curve.folds, 1)) / np.sqrt(sizes)
        spread = float(spread * half_widths[0] / half_widths[1])
    typical = mean if np.isfinite(result.n_equiv) else curve.law.quantile(0.5, curve.folds)
    distance = typical * np.sqrt(1 / result.n_equiv + 1 / n_ref + 1 / n_gen)
    changed = DifferentialCurve(np.array([n_gen]), np.array([[distance]]), n_ref, curve.folds, curve.law)
    low, high = distance_interval(changed, result.level, spread)
    return Interval(worth(high, mean), worth(low, mean))


def _is_shorter(new: Interval, now: Interval) -> bool:
    """Whether an interval is shorter by a share that matters; an open one is if its lower end is higher."""
    (is_open, length), (was_open, before) = _length(new), _length(now)
    if is_open != was_open:
        return was_open
    return new.low > (1 + GAIN) * now.low if is_open else length < (1 - GAIN) * before


def _length(interval: Interval) -> tuple[bool, float]:
    """Whether it is open above, and its logarithmic length, or what orders open ones."""
    low, high = interval
    return (False, float(np.log(high / low))) if np.isfinite(high) else (True, -float(np.log(low)))


def _comparison(new: Interval, now: Interval, n_train: int) -> str:
    (low, high), (old_low, old_high) = ([in_digits(end / n_train) for end in ends] for ends in (new, now))
    before = f"{old_low} to {old_high}" if np.isfinite(now.high) else f"{old_low}, with no upper end"
    if np.isfinite(new.high):
        return f"the interval would be about {low} to {high} (now {before})"
    return f"the lower end would be about {low} (now {before})"
