"""AUC and calibration against scikit-learn, closed forms and plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import roc_auc_score

from gampl.ratio import auc, calibration


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, 30, elements=st.integers(-3, 3)), st.integers(1, 29))
def test_auc_is_that_of_scikit_learn(values, n):
    """Ties included."""
    estimate, interval = auc(values[:n], values[n:])
    assert estimate == pytest.approx(roc_auc_score(np.arange(30) < n, values), abs=1e-12)
    assert 0 <= interval.low <= estimate <= interval.high <= 1
    assert interval.low < interval.high


@pytest.mark.parametrize(("m", "n"), [(1, 29), (20, 20), (1000, 5000)])
def test_auc_of_separated_samples_is_not_certain(m, n):
    """The end lies the normal deviation away, by the variance there in Hanley and McNeil's own form."""
    estimate, (low, high) = auc(np.ones(m), np.zeros(n), 0.95)
    assert (estimate, high) == (1.0, 1.0)
    q = (m + n) / 2 - 1
    variance = (low * (1 - low) + q * (low / (2 - low) - low**2) + q * (2 * low**2 / (1 + low) - low**2)) / (m * n)
    assert 0 < low < 1
    assert (1 - low) / np.sqrt(variance) == pytest.approx(stats.norm.isf(0.025), rel=1e-6)
    other = auc(np.zeros(m), np.ones(n), 0.95)
    assert other[0] == other[1].low == 0.0
    assert other[1].high == pytest.approx(1 - low, rel=1e-6)


def test_auc_interval_at_one_half_is_that_of_the_rank_sum():
    """Its variance without a difference is (m + n + 1) / (12 m n): 0.5 leaves the interval at that deviation."""
    rng = np.random.default_rng(27)
    m, n = 300, 700
    deviation = np.sqrt((m + n + 1) / (12 * m * n))
    for _ in range(20):
        estimate, interval = auc(rng.normal(size=m), rng.normal(size=n), 0.5)
        assert (interval.low < 0.5 < interval.high) == (abs(estimate - 0.5) < stats.norm.isf(0.25) * deviation)


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_auc_interval_covers(shift):
    """Two Gaussians: Phi(shift / sqrt(2)). 4.5 binomial deviations (7e-6), and 0.03 for the assumed variance."""
    rng = np.random.default_rng([28, int(10 * shift)])
    exact, hits = stats.norm.cdf(shift / np.sqrt(2)), 0
    for _ in range(400):
        low, high = auc(rng.normal(shift, 1, 60), rng.normal(size=100))[1]
        hits += low <= exact <= high
    assert abs(hits / 400 - 0.683) < 4.5 * np.sqrt(0.683 * 0.317 / 400) + 0.03


def test_calibration_counts_events_in_bins():
    """Against plain loops, with a mixture that is not one to one."""
    rng = np.random.default_rng(29)
    true, generated = rng.normal(0.5, 1, 60), rng.normal(size=140)
    predicted, observed, low, high, n_events = calibration(true, generated, 4, level=0.9)
    values = np.concatenate([true, generated])
    assert n_events.tolist() == [50] * 4
    edges = [-np.inf, *np.sort(values)[[50, 100, 150]], np.inf]
    for i in range(4):
        inside = values[(values >= edges[i]) & (values < edges[i + 1])]
        assert predicted[i] == pytest.approx(np.mean([60 / (60 + 140 * np.exp(-v)) for v in inside]))
        n_true = ((true >= edges[i]) & (true < edges[i + 1])).sum()
        assert observed[i] == n_true / 50
        interval = stats.binomtest(int(n_true), 50).proportion_ci(0.9)
        assert (low[i], high[i]) == pytest.approx(tuple(interval))


def test_calibration_of_the_exact_ratio_is_right_and_of_twice_that_is_wrong():
    """20 bins at 99.99 %: false-alarm rate at most 2e-3 if intervals were exact, less as they are conservative."""
    rng = np.random.default_rng(30)
    x, y = rng.normal(size=20_000), rng.normal(0.5, 1, 40_000)
    values = 0.125 - 0.5 * x, 0.125 - 0.5 * y  # the log ratio of these Gaussians
    right, wrong = (calibration(k * values[0], k * values[1], 20, 0.9999) for k in (1, 2))
    assert ((right.low <= right.predicted) & (right.predicted <= right.high)).all()
    assert ((wrong.low > wrong.predicted) | (wrong.predicted > wrong.high)).mean() > 0.5


def test_calibration_keeps_equal_values_together():
    result = calibration([0, 0, 1, 1, 1, 1, 1], [0, 0, 0], 3)
    assert result.n_events.tolist() == [5, 5]
    assert result.observed.tolist() == [0.4, 1.0]
    assert result.high[1] == 1.0


@pytest.mark.parametrize("judge", [auc, calibration])
def test_what_cannot_be_judged_is_named(judge):
    values = np.arange(5.0)
    for wrong in ([], [np.nan], [1.0, np.inf], [[1.0]]):
        with pytest.raises(ValueError, match="true must hold finite values"):
            judge(wrong, values)
        with pytest.raises(ValueError, match="generated must hold finite values"):
            judge(values, wrong)
    for level in (0.0, 1.0):
        with pytest.raises(ValueError, match="level must lie between 0 and 1"):
            judge(values, values, level=level)


def test_bins_must_be_positive():
    with pytest.raises(ValueError, match="bins must be a positive number, got 0"):
        calibration([1.0], [2.0], 0)
