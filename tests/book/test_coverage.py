"""What the page on coverage says of posteriors, on integrals whose law is known."""

import numpy as np
import pytest
from scipy import stats

from gampl.basics import Interval
from gampl.calibration import Correction
from gampl_book.coverage import AS_IT_IS, Judged, covered, holds, standardised

N_TRAIN, N_GEN, MEMBERS = 1_000, 20_000, 6
EXACT = np.linspace(0.2, 0.6, 20)


def tables(rng, sets, width=1.0):
    """Counted integrals of calibrated members, times a factor on their own scatter: sets of (members, regions)."""
    error = np.sqrt(EXACT * (1 - EXACT) / N_TRAIN)
    common, own = rng.normal(size=(sets, 1, EXACT.size)), rng.normal(size=(sets, MEMBERS, EXACT.size))
    return rng.binomial(N_GEN, EXACT + error * (common + width * own)) / N_GEN


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_width_deviation_and_coverage_are_those_of_the_members(width):
    # 4000 intervals: errors of 0.008 in coverage, 1 % in widths
    judged = Judged(list(tables(np.random.default_rng(1), 200, width)), EXACT, N_TRAIN, N_GEN)
    assert judged.width == pytest.approx(width, rel=0.05)
    assert judged.deviation == pytest.approx(1.0, rel=0.06)
    over, (low, high) = judged.over
    assert low < over < high
    assert over == pytest.approx(width**-2, rel=0.12)
    expected = 0.683 if width == 1 else None  # counting makes the others no simple law
    share, error, (low, high) = covered(judged.held)
    assert 0 < error < 0.02
    assert low < share < high
    assert share == pytest.approx(expected, abs=0.03) if expected else (share < 0.6 if width < 1 else share > 0.8)


def test_errors_of_coverage_are_at_least_binomial_and_grow_with_correlations():
    held = np.random.default_rng(2).random((8, 50)) < 0.7
    assert covered(held)[1] >= 0.9 * np.sqrt(0.7 * 0.3 / held.size)
    one_mind = np.repeat(held[:, :1], 50, axis=1)  # all regions of a training set alike
    assert covered(one_mind)[1] > 3 * covered(held)[1]
    everything = covered(np.ones((4, 16), dtype=bool))
    assert everything[0] == 1.0
    assert everything[1] > 0


def test_an_interval_holds_what_lies_in_it():
    table = np.array([[0.4], [0.5], [0.6], [0.5]])
    half = stats.t.ppf(0.8415, 3) * np.std(table, ddof=1) * np.sqrt(1 + 1 / 4)
    truths = 0.5 + half * np.array([0.0, 0.99, 1.01, -0.99])
    assert [bool(holds(AS_IT_IS, table, truth)[0]) for truth in truths[:, None]] == [True, True, False, True]


def test_a_truth_that_is_counted_itself_takes_nothing_from_coverage_or_deviation():
    rng, n_true = np.random.default_rng(3), 2_000
    found = []
    for _ in range(100):  # each with a holdout of its own
        counted = rng.binomial(n_true, EXACT) / n_true
        found.append(Judged(list(tables(rng, 2)), counted, N_TRAIN, N_GEN, n_true))
    assert np.mean([one.held for one in found]) == pytest.approx(0.683, abs=0.03)
    assert np.mean([one.deviations for one in found]) == pytest.approx(1.0, rel=0.1)
    as_if_exact = Judged(list(tables(rng, 100)), counted, N_TRAIN, N_GEN)
    assert as_if_exact.deviations.mean() > 1.2


def test_standardised_deviations_follow_students_t_once_the_width_is_right():
    """Of uncounted integrals, 8000 deviations: the rms of Student's t with 5 degrees of freedom is known to 2 %."""
    rng, error = np.random.default_rng(4), np.sqrt(EXACT * (1 - EXACT) / N_TRAIN)
    common, own = rng.normal(size=(400, 1, EXACT.size)), rng.normal(size=(400, MEMBERS, EXACT.size))
    made = EXACT + error * (common + 0.5 * own)
    twice = Correction(2.0, Interval(2.0, 2.0), 0.683, 1)
    before, after = (np.array([standardised(one, table, EXACT) for table in made]) for one in (AS_IT_IS, twice))
    expected = np.sqrt((MEMBERS - 1) / (MEMBERS - 3))
    assert np.sqrt((after**2).mean()) == pytest.approx(expected, rel=0.08)
    assert np.sqrt((before**2).mean()) > 1.6 * expected
    np.testing.assert_array_equal(np.sign(after), np.sign(made.mean(axis=1) - EXACT))
