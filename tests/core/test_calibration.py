"""Calibration checks on posteriors that are calibrated, too narrow or too wide by construction."""

import numpy as np
import pytest
from scipy import stats

from gampl import differential
from gampl.calibration import differential_over_training_sets, expected_rms_pull, over_training_sets, pulls, rms_pull


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
    expected = [differential.n_equiv(min(d, 1.0), 1000, 1e5) / 1000 for d in (typical[0], *typical[1])]
    assert pytest.approx(expected[0]) == G
    assert interval == pytest.approx((expected[2], expected[1]))  # a large distance is a small G


def test_compatible_training_sets_have_no_upper_end():
    G, interval = differential_over_training_sets([distance_of(d) for d in (0.02, 0.021, 0.019)])
    assert G == interval.high == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pulls(np.zeros((1, 3)), np.zeros(3)), "members >= 2"),
        (lambda: pulls(np.zeros((5, 3)), np.zeros(2)), r"\(5, 3\), \(2,\)"),
        (lambda: pulls(np.full((5, 2), 0.1), np.full(2, 0.1)), "region 0: all members have the same integral"),
        (lambda: expected_rms_pull(3), "fewer than 4 members"),
        (lambda: rms_pull(np.zeros((1, 3))), "at least 2"),
        (lambda: rms_pull(np.zeros(3)), "at least 2"),
        (lambda: over_training_sets([1.0]), "at least 2 positive"),
        (lambda: over_training_sets([1.0, 0.0]), "at least 2 positive"),
        (lambda: over_training_sets([1.0, np.inf]), "at least 2 positive"),
        (lambda: differential_over_training_sets([distance_of(0.1)]), "at least 2 differential results, got 1 of 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
