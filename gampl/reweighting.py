r"""Control and correction of a generator by a classifier D: weights w = D / (1 - D), which are p_true / p_gen.

A weight far below 1 marks an event that true events do not have, one far above 1 a feature that the generator misses
(Das, Favaro, Heimel, Krause, Plehn and Shih, arXiv:2305.16774). A `Reweighting` is a function of events, (n, ...) ->
(n,), which `gampl.averaging.from_samples` and `gampl.differential.from_samples` take as ``weights``; `places` says
where the events in the tails of the weights lie.

What a classifier has seen, a reweighted generator has seen: its n_train counts the classifier's true events, too, and
only true events that neither of them knows can test it. Members that share a classifier share its errors, which their
scatter does not show. The book's page on reweighting measures what that does to G.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gampl.basics import Floats, Interval, require, unmasked
from gampl.ratio import LogRatio
from gampl.regions import Observable, numbers

LARGEST = 100.0  # weight, above which a single event would count more than a hundred others


class WeightStatistics(NamedTuple):
    """What the weights of some generated events are like."""

    n: int  #: events
    n_effective: float  #: events of equal weight that fluctuate as much, (sum w)^2 / sum w^2 (Kish 1965)
    mean: float  #: 1 up to fluctuations if the classifier is calibrated
    clipped: float  #: share of the events whose weight was larger and is now the largest
    central: Interval  #: what 98 % of the weights lie in


@dataclass(frozen=True, eq=False)
class Reweighting:
    """Weights of generated events, (n, ...) -> (n,), from a log likelihood ratio; larger ones become the largest.

    An event that the generator has lost, which is not finite, has no ratio. Its weight is 1, as if there were none, so
    that it still counts as lost.
    """

    log_ratio: LogRatio  #: such as `gampl.ratio.held_out` or `gampl.ratio.cross_fit` learn, or the exact one
    largest: float = LARGEST

    def __post_init__(self) -> None:
        require(self.largest > 1, "largest", "be a weight above 1", self.largest)

    def __call__(self, events: Floats) -> Floats:
        """Weights of events, (n, ...) -> (n,); errors are those of the ratio."""
        return np.minimum(self._unclipped(events), self.largest)

    def statistics(self, events: Floats) -> WeightStatistics:
        """Tell how many events the weighted ones are worth, and how many weights are clipped; else a ValueError."""
        unclipped = self._unclipped(events)
        require(unclipped.size > 0, "events", "hold at least one event", unclipped.size)
        w = np.minimum(unclipped, self.largest)
        ends = Interval(*(float(end) for end in np.quantile(w, [0.01, 0.99])))
        clipped = float((unclipped > self.largest).mean())
        return WeightStatistics(w.size, float(w.sum() ** 2 / (w**2).sum()), float(w.mean()), clipped, ends)

    def _unclipped(self, events: Floats) -> Floats:
        ratio = np.asarray(unmasked(self.log_ratio(events), "log_ratio"), dtype=np.float64)
        with np.errstate(over="ignore"):
            return np.where(np.isnan(ratio), 1.0, np.exp(ratio))


def accepted(weights: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which events to keep, (n,), so that these follow the weighted distribution without weights.

    Each is kept with the probability w / max w. A ValueError if a weight is negative or not finite, or all are zero.
    """
    w = np.asarray(unmasked(weights, "weights"), dtype=np.float64)
    is_right = w.ndim == 1 and np.isfinite(w).all() and (w >= 0).all() and w.max(initial=0.0) > 0
    require(is_right, "weights", "be finite and not negative, and some positive, shape (n,)", w.shape)
    return np.asarray(rng.random(w.size) * w.max() < w)


class Place(NamedTuple):
    """An interval of an observable where more events in a tail of the weights lie than others do."""

    tail: Literal["small", "large"]  #: small weights, of generated events; or large ones, of true events
    observable: str
    interval: Interval
    share: float  #: of the events in the tail that lie there
    share_true: float  #: of all true events
    share_generated: float  #: of all generated events
    p_value: float  #: of the two shares, from events that did not choose the interval, for all intervals together


def places(
    log_ratio: LogRatio,
    true: Floats,
    generated: Floats,
    observables: Mapping[str, Observable],
    tail: float = 0.05,
) -> list[Place]:
    """Where in phase space the events with the smallest and the largest weights lie, by rising p-value.

    Of each observable this is the interval from which the distribution of the generated events with the smallest
    weights, or of the true ones with the largest, differs most from that of all of them: Kuiper's (1960). Every second
    event chooses intervals. The others test, by Fisher's exact test, whether true and generated events differ there,
    since an interval is also found where weights do but fluctuate; Bonferroni's factor is the number of intervals.

    Args:
        log_ratio: Of events, (n, ...) -> (n,), which was not learned from the events at hand.
        true: True events, (n, ...).
        generated: Generated events, (m, ...).
        observables: Where to look, by name.
        tail: Share of the events that are a tail.

    Raises:
        ValueError: If ``tail`` does not lie between 0 and 0.5, or half of a sample has less than ten events in a tail.
    """
    require(0 < tail < 0.5, "tail", "lie between 0 and 0.5", tail)
    samples = {"true": true, "generated": generated}
    for name, events in samples.items():
        if (n := int(tail * (len(events) // 2))) < 10:
            raise ValueError(f"{name}: a tail of {tail:g} of half of {len(events)} events has {n}, not 10")
    ratios = {name: np.asarray(log_ratio(events), dtype=np.float64) for name, events in samples.items()}

    def of(observable: str) -> Iterator[Place]:
        values = {name: numbers(observables[observable], events, observable) for name, events in samples.items()}
        sides: tuple[tuple[Literal["small", "large"], str], ...] = (("small", "generated"), ("large", "true"))
        for side, name in sides:
            x, ratio = values[name][::2], ratios[name][::2]
            finite = np.isfinite(x) & ~np.isnan(ratio)
            x, ratio = x[finite], ratio[finite] if side == "small" else -ratio[finite]
            extreme = x[ratio <= np.quantile(ratio, tail)]
            interval = _kuiper(extreme, x)
            inside = {k: _inside(v[1::2], interval) for k, v in values.items()}
            table = [[i.sum(), i.size - i.sum()] for i in inside.values()]
            p_value = min(1.0, 2 * len(observables) * float(stats.fisher_exact(table)[1]))
            share = float(_inside(extreme, interval).mean())
            shares = {f"share_{k}": float(i.mean()) for k, i in inside.items()}
            yield Place(side, observable, interval, share, p_value=p_value, **shares)

    return sorted((place for name in observables for place in of(name)), key=lambda place: place.p_value)


def _inside(values: Floats, interval: Interval) -> NDArray[np.bool_]:
    return (values >= interval.low) & (values <= interval.high)


def _kuiper(part: Floats, everything: Floats) -> Interval:
    """The interval in which the share of a part exceeds that of everything by most."""
    x, part = np.sort(everything), np.sort(part)
    excess = np.searchsorted(part, x, side="right") / part.size - np.searchsorted(x, x, side="right") / x.size
    # the excess between two ends is a difference of this; before the first event it is 0
    lowest = np.minimum.accumulate(np.concatenate([[0.0], excess[:-1]]))
    last = int(np.argmax(excess - lowest))
    first = int(np.argmin(np.concatenate([[0.0], excess])[: last + 1]))
    return Interval(float(x[first]), float(x[last]))
