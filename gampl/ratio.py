r"""Likelihood ratios as summaries, section 4.2 of the paper: exact (LR_truth), or learned by a classifier (LR_class).

All values are logarithms, log p_true(x) - log p_gen(x): the Kolmogorov-Smirnov distance is the same for the ratio.

A classifier must not value the events that it was trained on. It recognises its training sample, and then rejects even
a perfect generator. Here a learned ratio is a function of the event whose values for the reference are always made by a
classifier that did not see them: after one split (`held_out`), or in turn (`cross_fit`). How well a ratio tells true
events from generated ones is said by `auc` and `calibration`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from gampl.basics import Floats, Interval, counted, require
from gampl.distances import Comparison
from gampl.regions import Observable, is_finite, numbers

ROWS = 16_384  # events that a classifier values in one step, so that its features need little memory


class Classifier(Protocol):
    """What scikit-learn calls a classifier; class 1 are true events, class 0 generated ones.

    It must take events as they are: `gampl.particles.event_classifier` those of several particles, (n, particles, 4).
    """

    def fit(self, X: Floats, y: NDArray[np.int64]) -> object:
        """Train on events, shape (n, ...), with their classes, shape (n,)."""

    def predict_proba(self, X: Floats) -> ArrayLike:
        """Probabilities of the two classes, shape (n, 2)."""


MakeClassifier = Callable[[int], Classifier]  # from a seed
LogRatio = Callable[[Floats], Floats]


def exact_log_ratio(
    log_prob_true: Callable[[Floats], ArrayLike], log_prob_gen: Callable[[Floats], ArrayLike]
) -> Observable:
    """Summary LR_truth from the two log densities, events (n, dim) -> (n,).

    Where one density vanishes the ratio is the largest or smallest finite number, so that the event has its place in
    the order; where both do it is NaN, and the comparison counts the event as lost. A ValueError, when it is called, if
    a log density does not return one number per event.
    """

    def log_ratio(events: Floats) -> Floats:
        true, gen = numbers(log_prob_true, events, "log_prob_true"), numbers(log_prob_gen, events, "log_prob_gen")
        with np.errstate(invalid="ignore"):  # inf - inf
            ratio = true - gen
        largest = np.finfo(np.float64).max
        return np.asarray(np.clip(ratio, -largest, largest))

    return log_ratio


def default_classifier(seed: int) -> Classifier:
    """Logistic regression on 100 radial functions of the standardised coordinates. Needs scikit-learn.

    Its scores become probabilities by a logistic function that is fitted to threefold cross-validated scores (Platt
    1999): otherwise a few hundred events make it sure of differences that do not exist. Regularisation and calibration
    were chosen on generators of the rings that no page shows, by the loss and the power on further events. In many
    dimensions, or with coordinates far from normal, a network or trees can do better. scikit-learn warns if there are
    fewer than 150 events to train on.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    functions = Nystroem(n_components=100, random_state=seed)  # they widen with the number of coordinates
    logistic = LogisticRegression(C=30.0, solver="newton-cholesky")
    return make_pipeline(StandardScaler(), functions, CalibratedClassifierCV(logistic, cv=3, ensemble=False))


def small_network(seed: int) -> Classifier:
    """A network with 16 hidden nodes on standardised coordinates, quicker on long streams. Needs scikit-learn."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier((16,), solver="lbfgs", alpha=3.0, max_iter=5000, max_fun=20_000, random_state=seed)
    return make_pipeline(StandardScaler(), network)


class Calibration(NamedTuple):
    """Predicted and observed shares of true events in bins of the predicted share; all have shape (bins,)."""

    predicted: Floats
    observed: Floats
    low: Floats  #: ends of the intervals of the observed shares
    high: Floats
    n_events: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LearnedRatio:
    """A summary LR_class and its values for events that the classifier behind each value was not trained on.

    Call it with events of a fresh generated stream, (n, ...) -> (n,). Events that are not finite get NaN.
    """

    summary: LogRatio  #: the learned log ratio as a function of events, (n, ...) -> (n,)
    reference_events: Floats  #: true events to test against, shape (n_ref, ...)
    reference: Floats  #: their log ratios, shape (n_ref,)
    generated: Floats  #: log ratios of generated events that were kept out of the training, shape (n,)
    of_folds: Sequence[LogRatio] = ()  #: of cross-fitting, whose events get any one of them, as if by lot

    def __call__(self, events: ArrayLike) -> Floats:
        """Log ratios of events of the shape that was learned from, or (n,) in one dimension; else a ValueError."""
        x = _events(events)
        shape = _events(self.reference_events).shape[1:]
        expected = f"have shape ({', '.join(['n', *map(str, shape)])}) as in the training"
        require(x.shape[1:] == shape, "events", expected, np.shape(events))
        return self.summary(x)

    def comparison(self) -> Comparison:
        """The Kolmogorov-Smirnov test of a stream with this summary, against its reference."""
        return Comparison(self, self.reference)

    def auc(self, level: float = 0.683) -> tuple[float, Interval]:
        """Share of pairs in which the true event has the larger value, with an interval; see `gampl.ratio.auc`."""
        return auc(self.reference, self.generated, level)

    def calibration(self, bins: int = 10, level: float = 0.683) -> Calibration:
        """Compare the predicted probability of a true event with its frequency; see `gampl.ratio.calibration`."""
        return calibration(self.reference, self.generated, bins, level)


def held_out(
    reference: ArrayLike,
    generated: ArrayLike,
    seed: int,
    *,
    train_share: float = 0.5,
    make_classifier: MakeClassifier = default_classifier,
) -> LearnedRatio:
    """Learn the ratio on one random part of both samples and value the other part: the test has its exact size.

    Both are events, shape (n, ...) or (n,), of which ``train_share`` is trained on. The other true events become the
    reference of the test; the other generated ones serve the AUC and the calibration, and the stream to be tested must
    be fresh. ``make_classifier`` makes an untrained classifier from a seed: `small_network`, or your own. A ValueError
    if the samples are not finite events of the same shape, or a part would hold fewer than 2.
    """
    samples = _samples(reference, generated)
    require(0 < train_share < 1, "train_share", "lie between 0 and 1", train_share)
    rng = np.random.default_rng(seed)
    parts = []
    for name, events in samples.items():
        n, cut = len(events), round(train_share * len(events))
        if not 2 <= cut <= n - 2:
            split = f"{counted(n, 'event')} split at train_share = {train_share:g} into {cut} and {n - cut}"
            raise ValueError(f"{name}: {split}; both parts need at least 2")
        order = rng.permutation(n)
        parts.append((events[np.sort(order[:cut])], events[np.sort(order[cut:])]))
    (true_train, true_test), (fake_train, fake_test) = parts
    ratio = _train(true_train, fake_train, make_classifier(int(rng.integers(2**31))))
    return LearnedRatio(ratio, true_test, ratio(true_test), ratio(fake_test))


def cross_fit(
    reference: ArrayLike,
    generated: ArrayLike,
    seed: int,
    *,
    folds: int = 5,
    make_classifier: MakeClassifier = default_classifier,
) -> LearnedRatio:
    """Learn the ratio several times, each time without one fold, and value each event by the one that left it out.

    All reference events are tested. In exchange the test rejects a perfect generator too often, since each fold's
    classifier was trained on the other folds; the book's page on likelihood ratios measures how often. So judge K by
    `gampl.calibration.null_values` and not by Kolmogorov's law, and take an interval of G from `held_out`.

    An event belongs to a fold by its coordinates alone, as if by lot. So the value is one function of the event for
    the reference and for any stream, however it comes in batches or is cut; equal events are in the same fold; and
    each classifier values the same share of both samples. ``folds``, at least 2, are the parts and the classifiers. For
    the other arguments and the errors see `held_out`; there must be enough events for the folds.
    """
    samples = _samples(reference, generated)
    require(folds >= 2, "folds", "be at least 2", folds)
    salt, *seeds = (int(word) for word in np.random.SeedSequence(seed).generate_state(1 + folds))
    fold = {name: _fold(events, folds, salt) for name, events in samples.items()}
    if few := [name for name, which in fold.items() if which.size - np.bincount(which).max() < 2]:
        raise ValueError(f"{few[0]}: {fold[few[0]].size} events are too few for {folds} folds")
    ratios = []
    for k, classifier_seed in enumerate(seeds):
        true, fake = (events[fold[name] != k] for name, events in samples.items())
        ratios.append(_train(true, fake, make_classifier(classifier_seed)))

    def ratio(events: Floats) -> Floats:
        which, values = _fold(events, folds, salt), np.empty(len(events))
        for k, of_fold in enumerate(ratios):
            values[which == k] = of_fold(events[which == k])
        return values

    of_true, of_generated = map(ratio, samples.values())
    return LearnedRatio(ratio, samples["reference"], of_true, of_generated, ratios)


def in_sample(
    reference: ArrayLike, generated: ArrayLike, seed: int, *, make_classifier: MakeClassifier = default_classifier
) -> LogRatio:
    """Learn the ratio from all events of both samples: for other events only, as it recognises these.

    For the arguments and errors see `held_out`.
    """
    samples = _samples(reference, generated)
    return _train(samples["reference"], samples["generated"], make_classifier(seed))


def _train(true: Floats, generated: Floats, classifier: Classifier) -> LogRatio:
    """The log ratio behind a classifier trained on two samples: its log odds less those of the classes there."""
    classifier.fit(np.concatenate([true, generated]), np.repeat([1, 0], [len(true), len(generated)]))
    log_prior_odds = float(np.log(len(true) / len(generated)))

    def ratio(events: Floats) -> Floats:
        values = np.full(len(events), np.nan)
        for start in range(0, len(events), ROWS):
            rows = events[start : start + ROWS]
            finite = is_finite(rows)
            if (n := int(finite.sum())) == 0:
                continue
            p = np.asarray(classifier.predict_proba(rows[finite]), dtype=np.float64)
            require(p.shape == (n, 2), "make_classifier: predict_proba", f"return shape ({n}, 2)", p.shape)
            # a probability rounded to 0 is a very large ratio and not an infinite one
            logs = np.log(np.maximum(p, np.finfo(np.float64).tiny))
            values[start : start + ROWS][finite] = logs[:, 1] - logs[:, 0] - log_prior_odds
        return values

    return ratio


def _fold(events: Floats, folds: int, salt: int) -> NDArray[np.intp]:
    """Fold of each event from the bits of its coordinates, shape (n,)."""
    state = np.full(len(events), salt, dtype=np.uint64)
    coordinates = (events + 0.0).reshape(len(events), math.prod(events.shape[1:]))
    for bits in coordinates.view(np.uint64).T:  # + 0.0 makes -0.0 the same as 0.0
        # the next number of SplitMix64 (Steele, Lea and Flood 2014)
        state = (state ^ bits) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state % np.uint64(folds)).astype(np.intp)


def _events(events: ArrayLike) -> Floats:
    """Events of shape (n, ...): plain numbers have one coordinate."""
    x = np.ascontiguousarray(events, dtype=np.float64)
    return x[:, None] if x.ndim == 1 else x


def _samples(reference: ArrayLike, generated: ArrayLike) -> dict[str, Floats]:
    """Both samples by name, checked."""
    samples = {"reference": _events(reference), "generated": _events(generated)}
    for name, events in samples.items():
        require(0 not in events.shape[1:], name, "hold events, shape (n, ...) or (n,)", events.shape)
        if len(events) < 4:
            n = counted(len(events), "event")
            raise ValueError(f"{name}: only {n}, expected some to train on and others to test on")
        if not (finite := is_finite(events)).all():
            raise ValueError(f"{name}: {(~finite).sum()} of {len(events)} are not finite")
    true, fake = (events.shape[1:] for events in samples.values())
    if true != fake:
        raise ValueError(f"a generated event has shape {fake}, one of the reference {true}")
    return samples


def auc(true: ArrayLike, generated: ArrayLike, level: float = 0.683) -> tuple[float, Interval]:
    """Probability that a true event has a larger value than a generated one, ties counting half, with an interval.

    The values, of shapes (m,) and (n,), cannot tell the events apart at 0.5. The interval holds what lies within normal
    deviations of the estimate, with the variance of Hanley and McNeil (1982) at that value and not at the estimate:
    method 5 of Newcombe (2006). It serves estimates of 0 and 1 too, and at 0.5 it is the rank-sum test. A ValueError if
    a sample is empty or not finite, or ``level`` is not between 0 and 1.
    """
    first, second, tail = _checked(true, generated, level)
    deviations = stats.norm.isf(tail)
    m, n = first.size, second.size
    estimate = float(stats.mannwhitneyu(first, second, method="asymptotic").statistic) / (m * n)

    def outside(theta: float) -> float:
        others = (m + n) / 2 - 1
        variance = theta * (1 - theta) * (1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (m * n)
        return float((theta - estimate) ** 2 - deviations**2 * variance)

    inside = min(max(estimate, 1e-12), 1 - 1e-12)  # 0 and 1 have no variance: they are roots, but not ends
    low = optimize.brentq(outside, 0.0, inside) if estimate > 0 else 0.0
    high = optimize.brentq(outside, inside, 1.0) if estimate < 1 else 1.0
    return estimate, Interval(float(low), float(high))


def calibration(true: ArrayLike, generated: ArrayLike, bins: int = 10, level: float = 0.683) -> Calibration:
    """Compare the probability of a true event, by the log ratio, with its frequency, in bins of equal numbers.

    The log ratios, of shapes (m,) and (n,), are of events that the classifier was not trained on. The probability is
    that for the classes as mixed here. The intervals, each at ``level``, are those of Clopper and Pearson (1934). Equal
    values share a bin, so that there may be fewer. Errors are those of `auc`, or that ``bins`` is not positive.
    """
    first, second, tail = _checked(true, generated, level)
    require(bins >= 1, "bins", "be a positive number", bins)
    values = np.concatenate([first, second])
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    _, where = np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)
    n_events = np.bincount(where)
    n_true = np.bincount(where[: first.size], minlength=n_events.size)
    n_generated = n_events - n_true
    predicted = special.expit(values + np.log(first.size / second.size))
    low = np.where(n_true > 0, stats.beta.ppf(tail, np.maximum(n_true, 1), n_generated + 1), 0.0)
    high = np.where(n_generated > 0, stats.beta.isf(tail, n_true + 1, np.maximum(n_generated, 1)), 1.0)
    return Calibration(np.bincount(where, weights=predicted) / n_events, n_true / n_events, low, high, n_events)


def _checked(true: ArrayLike, generated: ArrayLike, level: float) -> tuple[Floats, Floats, float]:
    """Both lists of values, and the probability above a two-sided interval."""
    first, second = np.asarray(true, dtype=np.float64), np.asarray(generated, dtype=np.float64)
    for name, values in (("true", first), ("generated", second)):
        is_right = values.ndim == 1 and values.size > 0 and np.isfinite(values).all()
        require(is_right, name, "hold finite values of at least 1 event, shape (n,)", values.shape)
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    return first, second, (1 - level) / 2
