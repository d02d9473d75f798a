"""Posteriors that are calibrated, too narrow or too wide by construction, and the law of K for a perfect generator."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from scipy import special, stats

from gampl import differential
from gampl.calibration import (
    differential_over_training_sets,
    expected_rms_pull,
    null_values,
    over_training_sets,
    p_value,
    pulls,
    rms_pull,
)
from gampl.kolmogorov import n_equiv
from gampl.processes import GaussianRing
from gampl.ratio import LearnedRatio, default_classifier, held_out, small_network


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_rms_pull_measures_the_width(width):
    rng = np.random.default_rng(1)
    truth = np.full(4, 0.3)
    posteriors = [truth + 0.01 * rng.normal(size=4) + width * 0.01 * rng.normal(size=(400, 4)) for _ in range(200)]
    rms, (low, high) = rms_pull([pulls(p, truth) for p in posteriors], level=0.9999)
    assert low < 1 / width < high
    assert low < rms < high


@pytest.mark.parametrize("members", [10, 50])
def test_expected_rms_pull(members):
    normal = np.random.default_rng(members).normal(size=(40_000, members + 1))
    squares = [pulls(row[1:, None], row[:1])[0] ** 2 for row in normal]
    # 4.5 standard errors: false-alarm rate 7e-6
    assert abs(np.mean(squares) - expected_rms_pull(members) ** 2) < 4.5 * np.std(squares) / np.sqrt(len(squares))


def test_prediction_interval_covers_one_more_set():
    """2000 repetitions, 4.5 binomial deviations: false-alarm rate 7e-6."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(2000):
        low, high = over_training_sets(np.exp(rng.normal(0.5, 0.4, 4)), level=0.9)[1]
        hits += low <= np.exp(rng.normal(0.5, 0.4)) <= high
    assert abs(hits / 2000 - 0.9) < 4.5 * np.sqrt(0.09 / 2000)


def test_geometric_mean():
    assert over_training_sets([1.0, 4.0])[0] == pytest.approx(stats.gmean([1.0, 4.0]))


def distance_of(distance):
    return differential.from_distances([distance], 10**5, 1000, 1000)


def test_differential_results_over_training_sets():
    G, interval = differential_over_training_sets([distance_of(d) for d in (0.1, 0.12)])
    typical = over_training_sets([0.1, 0.12])
    expected = [n_equiv(min(d, 1.0), 1000, 1e5) / 1000 for d in (typical[0], *typical[1])]
    assert pytest.approx(expected[0]) == G
    assert interval == pytest.approx((expected[2], expected[1]))  # a large distance is a small G


def test_compatible_training_sets_have_no_upper_end():
    G, interval = differential_over_training_sets([distance_of(d) for d in (0.02, 0.021, 0.019)])
    assert G == interval.high == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pulls(np.zeros((1, 3)), np.zeros(3)), "members >= 2"),
        (lambda: pulls(np.zeros((5, 3)), np.zeros(2)), r"integrals must have shape .* for truth \(2,\), got \(5, 3\)"),
        (lambda: pulls(np.full((10, 1), 0.26575), np.full(1, 0.1)), "region 0: all members have the same integral"),
        (lambda: pulls(np.full((5, 2), 0.1), np.full(2, 0.1)), "region 0: all members have the same integral"),
        (lambda: expected_rms_pull(3), "members must be at least 4"),
        (lambda: rms_pull(np.zeros((1, 3))), "sets >= 2"),
        (lambda: rms_pull(np.zeros(3)), "sets >= 2"),
        (lambda: over_training_sets([1.0]), "at least 2 positive"),
        (lambda: over_training_sets([1.0, 0.0]), "at least 2 positive"),
        (lambda: over_training_sets([1.0, np.inf]), "at least 2 positive"),
        (lambda: differential_over_training_sets([distance_of(0.1)]), "at least 2 differential results, got 1 of 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


RING = GaussianRing(2)


def in_sample(reference, generated, seed):
    """What must not be done: the reference is valued by the classifier that was trained on it."""
    classifier = default_classifier(seed)
    classifier.fit(np.concatenate([reference, generated]), np.repeat([1, 0], [len(reference), len(generated)]))

    def value(events):
        return special.logit(classifier.predict_proba(events)[:, 1])

    return LearnedRatio(value, reference, value(reference), value(generated))


@pytest.mark.slow
def test_held_out_has_exact_size_and_in_sample_rejects_a_perfect_generator():
    """K follows Kolmogorov's law (false-alarm rate 1e-4); the same experiment sees what in-sample use does to it.

    A hundred repetitions see a law whose distribution function is 0.3 off somewhere: 0.22 is the smallest difference
    that is seen at all, and thirty see that of the use in sample.
    """
    repeat = partial(null_values, RING.sample, 400, 800, 2000)
    held = repeat(100, 21, learn=held_out)
    assert stats.kstest(held, stats.kstwobign.cdf).pvalue > 1e-4
    reused = repeat(30, 22, learn=in_sample)
    assert stats.kstest(reused, stats.kstwobign.cdf).pvalue < 1e-9
    assert (reused > stats.kstwobign.isf(0.05)).mean() > 0.6


def difference_of_means(reference, generated, seed):
    """A very quick learner, used in sample: the direction in which the means of the samples differ most."""
    direction = reference.mean(axis=0) - generated.mean(axis=0)

    def value(events):
        return events @ direction

    return LearnedRatio(value, reference, value(reference), value(generated))


def test_p_values_from_the_own_null_have_their_size():
    """Kolmogorov's law rejects far too often, the learner's own null does not: 4.5 deviations, false alarms 2e-5."""
    repeat = partial(null_values, lambda n, rng: rng.normal(size=(n, 4)), 100, 200, 1000, learn=difference_of_means)
    null, fresh = repeat(1000, 23), repeat(1500, 24)
    p = np.array([p_value(K, null) for K in fresh])
    for level in (0.05, 0.3, 0.7):
        # both samples fluctuate
        deviation = np.sqrt(level * (1 - level) * (1 / null.size + 1 / fresh.size))
        assert abs((p <= level).mean() - level) < 4.5 * deviation
        assert (fresh > stats.kstwobign.isf(level)).mean() - level > 4.5 * deviation


def test_null_values_repeat_the_whole_procedure():
    class Call(NamedTuple):
        n_ref: int
        n_generated: int
        seed: int

    calls = []

    def learn(reference, generated, seed):
        calls.append(Call(len(reference), len(generated), seed))
        return held_out(reference, generated, seed, make_classifier=small_network)

    drawn = []

    def draw(n, rng):
        drawn.append(RING.sample(n, rng))
        return drawn[-1]

    values = null_values(draw, 40, 50, 60, 5, 25, learn=learn)
    assert values.shape == (5,)
    assert (np.diff(values) >= 0).all()
    assert [call[:2] for call in calls] == [(40, 50)] * 5
    assert len({call.seed for call in calls}) == 5
    assert [len(events) for events in drawn] == [40, 50, 60] * 5
    assert len({events[0, 0] for events in drawn}) == 15
    # the last experiment, written out
    ratio = held_out(*drawn[-3:-1], calls[-1].seed, make_classifier=small_network)
    K = stats.ks_2samp(ratio.reference, ratio(drawn[-1])).statistic / np.sqrt(1 / 20 + 1 / 60)
    assert np.isclose(values, K, rtol=1e-12).any()


def test_p_value_is_a_rank_and_never_zero():
    null = [0.5, 0.7, 0.7, 1.2]
    assert [p_value(K, null) for K in (0.1, 0.7, 0.71, 1.2, 9.0)] == [1.0, 0.8, 0.4, 0.4, 0.2]


@pytest.mark.parametrize("repetitions", [19, 39])
def test_p_value_is_conservative(repetitions):
    """P(p <= k / (n + 1)) = k / (n + 1) without ties. 4.5 deviations: false-alarm rate 7e-6 per bound."""
    values = np.random.default_rng(26).exponential(size=(4000, repetitions + 1))
    p = np.array([p_value(row[0], row[1:]) for row in values])
    for level in (0.05, 0.25, 0.5):
        assert abs((p <= level).mean() - level) < 4.5 * np.sqrt(level * (1 - level) / 4000)


@pytest.mark.parametrize(("null", "K"), [([], 1.0), ([[1.0]], 1.0), ([1.0, np.nan], 1.0), ([1.0], np.nan)])
def test_p_value_refuses_what_has_no_rank(null, K):
    with pytest.raises(ValueError, match="null must"):
        p_value(K, null)


def test_numbers_out_of_range_are_named():
    with pytest.raises(ValueError, match="repetitions and n_test must be positive, got 0 and"):
        null_values(RING.sample, 40, 40, 40, 0, 1)
    with pytest.raises(ValueError, match=r"repetitions and n_test must be positive, got .* and 0"):
        null_values(RING.sample, 40, 40, 0, 1, 1)
