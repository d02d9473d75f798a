"""Checks by repetition: is a posterior as wide as it is wrong, and is K of a learned ratio as large as its law says?

The truth of most generators is not known. That of a trained generator is: events drawn from it train further ones in
the same way, whose deviations and widths say what those of the first are worth (`without_truth`). This is the
parametric bootstrap (Efron and Tibshirani 1993, chapter 6) of a posterior's width: exact as far as the training does to
the generator what it does to nature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from gampl.basics import Floats, Interval, require
from gampl.kolmogorov import DifferentialCurve, KolmogorovSmirnov, n_equiv, rescaled
from gampl.ratio import LearnedRatio, cross_fit
from gampl.result import Amplification
from gampl.spread import SAME


def student(n: int, level: float = 0.683) -> float:
    """Student's factor of a two-sided interval around the mean of n numbers."""
    return float(stats.t.ppf((1 + level) / 2, n - 1))


def pulls(integrals: ArrayLike, truth: ArrayLike) -> Floats:
    """Deviation of the members' mean integral from the truth in units of their spread, shape (regions,).

    For a calibrated posterior the pulls over many training sets have mean 0 and variance 1 (a little more for few
    members, see `expected_rms_pull`). The integrals are of shape (members, regions), the truth (regions,). A ValueError
    if the shapes do not match, or there are fewer than 2 members, or all have the same integral.
    """
    table, target = np.asarray(integrals, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    is_right = table.ndim == 2 and len(table) >= 2 and target.shape == table.shape[1:]
    require(is_right, "integrals", f"have shape (members >= 2, regions) for truth {target.shape}", table.shape)
    if (same := np.ptp(table, axis=0) <= SAME * np.abs(table).max(axis=0)).any():
        raise ValueError(f"region {int(np.argmax(same))}: all members have the same integral, a pull is undefined")
    return np.asarray((table.mean(axis=0) - target) / table.std(axis=0, ddof=1))


def expected_rms_pull(members: int) -> float:
    """Root mean square pull of a calibrated posterior with a finite number of normally distributed members.

    The mean of N members is uncertain by s / sqrt(N), and 1 / s^2 is too large by (N - 1) / (N - 3) on average. A
    ValueError if there are fewer than 4 members.
    """
    require(members >= 4, "members", "be at least 4: the mean square pull is infinite for fewer", members)
    return float(np.sqrt((1 + 1 / members) * (members - 1) / (members - 3)))


def rms_pull(pulls_by_set: ArrayLike, level: float = 0.683) -> tuple[float, Interval]:
    """Root mean square pull over training sets and regions, shape (sets, regions), with an interval.

    Regions of one training set are correlated, training sets are not: the interval is Student's for the mean of the
    sets' mean squared pulls, too short for few (a nominal 68.3 % cover 63 % with four); a ValueError below 2 of them.
    """
    table = np.asarray(pulls_by_set, dtype=np.float64)
    require(table.ndim == 2 and len(table) >= 2, "pulls_by_set", "have shape (sets >= 2, regions)", table.shape)
    squares = (table**2).mean(axis=1)
    half = student(squares.size, level) * squares.std(ddof=1) / np.sqrt(squares.size)
    mean = squares.mean()
    centre, low, high = np.sqrt([mean, max(mean - half, 0.0), mean + half]).tolist()
    return centre, Interval(low, high)


@dataclass(frozen=True)
class Correction:
    """By what the widths of a posterior are to be multiplied, from trainings whose truth is known."""

    factor: float  #: deviation from the truth in units of what the members' spread promises: 1 for a right posterior
    interval: Interval  #: of the factor
    level: float  #: confidence level of the interval
    sets: int  #: training sets behind it

    def n_equiv(self, result: Amplification) -> tuple[float, Interval]:
        """What a posterior with the corrected width is worth, n_equiv / factor^2, and an interval at ``level``.

        In logarithms, the uncertainties of both are added in quadrature: they come from different trainings. An end is
        infinite where that of the result is, or where that of the factor is zero. A ValueError if the levels differ, or
        the factor is zero, so that nothing can be said.
        """
        require(result.level == self.level, "level", f"be that of the correction, {self.level:g}", result.level)
        require(self.factor > 0, "factor", "be above 0: more sets are needed", self.factor)
        (low, high), (least, most) = result.n_equiv_interval, self.interval
        centre = result.n_equiv if np.isfinite(result.n_equiv) else low  # a lower limit has no centre

        def away(end: float, factor: float) -> float:
            return float(np.exp(np.hypot(np.log(end / centre), 2 * np.log(factor / self.factor))))

        scale = self.factor**2
        upper = centre * away(high, least) / scale if np.isfinite(high) and least > 0 else np.inf
        return result.n_equiv / scale, Interval(centre / away(low, most) / scale, upper)

    def interval_of(self, integrals: ArrayLike, level: float = 0.683, n_gen: float = np.inf) -> tuple[Floats, Floats]:
        """Where the true integrals lie, by the members' integrals, (members, regions): two ends, each (regions,).

        That is the members' mean, with the deviation that the corrected width promises and the error of this mean, and
        with Student's t for their number. ``n_gen`` is the number of events that each integral was counted with.
        """
        table = np.asarray(integrals, dtype=np.float64)
        total, model = _variances(table[None], n_gen)
        half = np.sqrt(self.factor**2 * np.maximum(model[0], 0) + total[0] / len(table)) * student(len(table), level)
        return table.mean(axis=0) - half, table.mean(axis=0) + half


def correction(
    integrals_by_set: ArrayLike, truth_by_set: ArrayLike, *, n_gen: float = np.inf, level: float = 0.683
) -> Correction:
    """The correction by ensembles that were trained on sets of events whose true integrals are known.

    If a right posterior's variance is sigma^2, the squared deviation of the mean of N members from the truth is on
    average factor^2 sigma^2 + s^2 / N, where s^2 is the variance of the members' integrals, counting included, and
    sigma^2 is s^2 without it, Eq. (17). The factor is solved from the means over sets, and its square is averaged over
    regions. Its interval is Student's over sets, which are independent, with the uncertainty of sigma^2 added in
    quadrature. Deviations that all sets have in common, such as those of a generator with too few parameters, count.

    Args:
        integrals_by_set: (sets, members, regions).
        truth_by_set: (sets, regions).
        n_gen: Generated events that each integral was counted with; infinite for exact ones.
        level: Confidence level of the interval.

    Raises:
        ValueError: If the shapes do not match, there are fewer than 2 sets or members, or the members of a region
            scatter no more than the counting of their events does.
    """
    tables, truths = np.asarray(integrals_by_set, dtype=np.float64), np.asarray(truth_by_set, dtype=np.float64)
    is_right = tables.ndim == 3 and min(tables.shape[:2], default=0) >= 2 and truths.shape == tables[:, 0].shape
    shapes = f"{tables.shape} and {truths.shape}"
    require(
        is_right, "integrals_by_set and truth_by_set", "be (sets >= 2, members >= 2, regions), (sets, regions)", shapes
    )
    sets, members = tables.shape[:2]
    total, model = _variances(tables, n_gen)
    promised = model.mean(axis=0)  # (regions,)
    if (useless := np.flatnonzero(promised <= 0)).size:
        raise ValueError(
            f"region {useless[0]}: members scatter no more than the counting of {n_gen:.0f} events does: raise n_gen"
        )
    squares = ((tables.mean(axis=1) - truths) ** 2 - total / members) / promised
    of_sets = squares.mean(axis=1)
    square = float(of_sets.mean())
    error = of_sets.std(ddof=1) / np.sqrt(sets) * student(sets, level)
    of_promise = stats.norm.ppf((1 + level) / 2) * np.sqrt(2 / (sets * (members - 1)))  # of one region, at most
    half = np.hypot(error, max(square, 0.0) * of_promise)
    factor, low, high = np.sqrt(np.maximum([square, square - half, square + half], 0.0)).tolist()
    return Correction(factor, Interval(low, high), level, sets)


def _variances(tables: Floats, n_gen: float) -> tuple[Floats, Floats]:
    """Of integrals, with and without counting, Eq. (17): (sets, members, regions) -> (sets, regions) both."""
    mean, total = tables.mean(axis=1), tables.var(axis=1, ddof=1)
    return total, (total - mean * (1 - mean) / n_gen) / (1 - 1 / n_gen)


def without_truth(
    draw: Callable[[int, np.random.Generator], ArrayLike],
    train: Callable[[ArrayLike, int], ArrayLike],
    truth: ArrayLike,
    n_train: int,
    sets: int,
    seed: int,
    *,
    n_gen: float = np.inf,
    level: float = 0.683,
    progress: Callable[[int], None] | None = None,
) -> Correction:
    """The correction of a posterior whose truth is not known, from trainings on events of a generator in its place.

    Args:
        draw: Makes so many events of the generator, such as ``member.sample`` of one that was trained on true events.
        train: Trains an ensemble on these events, from a seed, and returns its integrals, (members, regions). It must
            do all that was done with the true events.
        truth: The generator's own integrals, (regions,), from a sample much larger than n_train.
        n_train: Training events, as many as there are true ones.
        sets: How often, at least 2; for independent regions the factor is known to about 1 / sqrt(2 regions sets).
        seed: Of the events and of the trainings.
        n_gen: Generated events that each of the new integrals is counted with.
        level: Confidence level of the interval.
        progress: Called with the number of sets that are done.

    Raises:
        ValueError: As `correction`, or if ``sets`` is below 2.
    """
    require(sets >= 2, "sets", "be at least 2", sets)
    tables = []
    for k, rng in enumerate(np.random.default_rng(seed).spawn(sets)):
        tables.append(train(draw(n_train, rng), int(rng.integers(2**31))))
        if progress:
            progress(k + 1)
    return correction(
        np.array(tables, dtype=np.float64),
        np.tile(np.asarray(truth, dtype=np.float64), (sets, 1)),
        n_gen=n_gen,
        level=level,
    )


def over_training_sets(values: Sequence[float], level: float = 0.95) -> tuple[float, Interval]:
    """Geometric mean of one positive number per training set, and where that of one more set would lie.

    That is Student's prediction interval for the logarithms, mean +- t s sqrt(1 + 1/n), with the probability ``level``:
    what a number from a single training set, such as the paper's, has to be compared with. A ValueError if there are
    fewer than 2 values, or one is not positive and finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    is_right = numbers.size >= 2 and np.isfinite(numbers).all() and (numbers > 0).all()
    require(is_right, "values", "be at least 2 positive finite numbers", values)
    logs = np.log(numbers)
    half = student(logs.size, level) * logs.std(ddof=1) * np.sqrt(1 + 1 / logs.size)
    centre, low, high = np.exp([logs.mean(), logs.mean() - half, logs.mean() + half]).tolist()
    return centre, Interval(low, high)


def differential_over_training_sets(results: Sequence[Amplification], level: float = 0.95) -> tuple[float, Interval]:
    """G from `over_training_sets` of the measured distances, which are finite where G is not, by Eq. (36).

    A ValueError if there are fewer than 2, one is not differential, or the references differ by more than a factor 5.
    """
    curves = [r.curve for r in results if isinstance(r.curve, DifferentialCurve)]
    if len(curves) < len(results) or len(curves) < 2:
        raise ValueError(f"expected at least 2 differential results, got {len(curves)} of {len(results)}")
    sizes = np.array([(c.n_ref, c.n_gen[-1], r.n_train) for c, r in zip(curves, results, strict=True)])
    n_ref, n_gen, n_train = stats.hmean(sizes)  # variances are averaged
    if sizes[:, 0].max() > 5 * sizes[:, 0].min():
        raise ValueError(f"the references differ too much in size for a common mean distance: n_ref {sizes[:, 0]}")
    centre, (nearest, farthest) = over_training_sets([c.mean[-1] for c in curves], level)
    mean = curves[0].law.mean
    G, low, high = (
        n_equiv(min(distance, 1.0), n_ref, n_gen, mean) / n_train for distance in (centre, farthest, nearest)
    )
    return G, Interval(low, high)


def null_values(
    draw: Callable[[int, np.random.Generator], ArrayLike],
    n_ref: int,
    n_generated: int,
    n_test: int,
    repetitions: int,
    seed: int,
    *,
    learn: Callable[[ArrayLike, ArrayLike, int], LearnedRatio] = cross_fit,
) -> Floats:
    """Values of K for a perfect generator by pseudo-experiments, sorted, shape (repetitions,).

    The values that cross-fitting gives to the reference are not independent, and K of Eq. (34) is larger than its law
    says. With a generator's own events in the place of the reference, the generator is perfect by construction;
    repeating everything then gives the law that holds, for any way to learn a summary.

    ``draw`` makes so many fresh events, such as ``process.sample`` or the ``sample`` of the generator under test.
    ``learn`` gets n_ref of them as the reference and n_generated as generated ones: `gampl.ratio.cross_fit`,
    `gampl.ratio.held_out`, or either with settings, by ``functools.partial``. The test is of n_test further ones.
    p-values cannot be below 1 / (1 + repetitions). The seed is that of all draws and trainings. A ValueError if
    ``repetitions`` or ``n_test`` is not positive, or ``learn`` refuses the samples.
    """
    require(min(repetitions, n_test) >= 1, "repetitions and n_test", "be positive", f"{repetitions} and {n_test}")
    values = np.empty(repetitions)
    for i, rng in enumerate(np.random.default_rng(seed).spawn(repetitions)):
        ratio = learn(draw(n_ref, rng), draw(n_generated, rng), int(rng.integers(2**31)))
        test = KolmogorovSmirnov(ratio.reference)
        test.update(ratio(draw(n_test, rng)))
        values[i] = rescaled(test.distance, test.n_ref, test.n_gen)
    return np.sort(values)


def p_value(K: float, null: ArrayLike) -> float:
    """Probability of a value as large as ``K`` for a perfect generator, by its rank among ``null``: never 0.

    A test that rejects at p <= alpha does so for a perfect generator in at most a share alpha of all cases (Davison and
    Hinkley 1997, section 4.2). A ValueError if ``null`` is empty, or a number is NaN.
    """
    values = np.asarray(null, dtype=np.float64)
    is_right = values.ndim == 1 and values.size > 0 and not np.isnan([*values, K]).any()
    require(is_right, "null", "hold values of K, shape (repetitions,), and neither be NaN", f"{values} and {K}")
    return float((1 + (values >= K).sum()) / (1 + values.size))
