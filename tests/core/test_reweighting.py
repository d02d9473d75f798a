"""Weights from a classifier, and where in phase space their tails lie."""

import numpy as np
import pytest
from scipy import stats

from gampl import averaging, differential, ratio
from gampl.processes.gaussians import GaussianLine
from gampl.regions import Intervals, coordinate
from gampl.reweighting import Place, Reweighting, accepted, places

TRUE, SHIFTED = GaussianLine(), GaussianLine(mean=0.4)
EXACT = ratio.exact_log_ratio(TRUE.log_prob, SHIFTED.log_prob)
OBSERVABLES = {"x": lambda e: e[:, 0], "y": lambda e: e[:, 1]}


def square(n, rng, thinned=1.0):
    """Flat events in a square, of which a share is kept where 0.2 < x < 0.4."""
    events = rng.random((n, 2))
    inside = (events[:, 0] > 0.2) & (events[:, 0] < 0.4)
    return events[~inside | (rng.random(n) < thinned)]


def test_weights_turn_the_generator_into_the_truth_for_both_estimates():
    rng, weights = np.random.default_rng(1), Reweighting(EXACT)
    members = [SHIFTED.sample(40_000, rng) for _ in range(4)]
    regions = Intervals([-1.0, 0.0, 1.0], [0.0, 1.0, 3.0], coordinate)
    truth = TRUE.integrals(regions)
    plain, weighted = (averaging.from_samples(members, regions, 1000, weights=w, truth=truth) for w in (None, weights))
    assert plain.n_equiv_true < 30
    assert weighted.n_equiv_true > 3000
    reference = TRUE.sample(2000, rng)
    plain, weighted = (differential.from_samples(members, reference, 1000, weights=w) for w in (None, weights))
    assert plain.n_equiv < 40
    assert weighted.n_equiv_interval.high > 2000


def test_statistics_agree_with_the_exact_moments_of_the_weights():
    rng, d = np.random.default_rng(2), 0.4
    about = Reweighting(EXACT).statistics(SHIFTED.sample(200_000, rng))
    assert about.n == 200_000
    assert about.mean == pytest.approx(1, abs=0.01)
    assert about.n_effective / about.n == pytest.approx(np.exp(-(d**2)), rel=0.02)  # <w>^2 / <w^2>
    log_w = stats.norm(-(d**2) / 2, d)  # of generated events
    assert np.log(about.central) == pytest.approx(log_w.ppf([0.01, 0.99]), abs=0.02)
    assert about.clipped == 0


def test_large_weights_are_clipped_and_counted():
    events = np.array([[-8.0], [0.0], [0.2], [np.nan]])
    weights = Reweighting(EXACT, largest=2.0)
    np.testing.assert_allclose(weights(events), [2.0, np.exp(0.08), 1.0, 1.0])  # a lost event has no ratio
    assert weights.statistics(events).clipped == 0.25


def test_a_ratio_beyond_all_numbers_is_the_largest_weight():
    def ratio(events):
        return np.array([1e4, np.inf, -np.inf])[: len(events)]

    assert Reweighting(ratio)(np.zeros((3, 1))).tolist() == [100.0, 100.0, 0.0]


@pytest.mark.parametrize("largest", [1.0, 0.0, np.nan])
def test_the_largest_weight_is_above_one(largest):
    with pytest.raises(ValueError, match=r"largest must be a weight above 1"):
        Reweighting(EXACT, largest)


def test_accepted_events_follow_the_truth():
    rng = np.random.default_rng(3)
    events = SHIFTED.sample(30_000, rng)
    weights = Reweighting(EXACT, largest=20.0)(events)
    kept = events[accepted(weights, rng), 0]
    assert len(kept) == pytest.approx(weights.sum() / weights.max(), rel=0.1)
    assert stats.kstest(kept, "norm").pvalue > 1e-3


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -0.1], [1.0, np.inf], [[1.0]], [np.nan]])
def test_events_with_impossible_weights_cannot_be_accepted(weights):
    with pytest.raises(ValueError, match="weights must be finite"):
        accepted(weights, np.random.default_rng(0))


@pytest.mark.parametrize(("thinned", "side"), [(0.5, "large"), (1.6, "small")])
def test_a_planted_fault_is_found_where_it_is(thinned, side):
    rng = np.random.default_rng(4)
    true, fake = (square(20_000, rng, min(1.0, share)) for share in (1 / thinned, thinned))
    learned = ratio.held_out(true[:9000], fake[:9000], 5)
    first, *others = places(learned, true[9000:], fake[9000:], OBSERVABLES)
    assert (first.tail, first.observable) == (side, "x")
    assert first.interval == pytest.approx((0.2, 0.4), abs=0.08)
    assert first.p_value < 1e-6
    assert first.share > 0.8
    assert all(place.p_value > 1e-4 for place in others if place.observable == "y")


def test_where_there_is_no_fault_none_is_claimed():
    """A classifier of a perfect generator has tails, too: at most 1 % of 300 trials may claim a place at p < 1e-2."""
    rng, claims = np.random.default_rng(5), 0
    for _ in range(300):
        direction = rng.normal(size=2)  # what a classifier has learned from noise is as good as any function
        found = places(lambda e, d=direction: e @ d, rng.random((1000, 2)), rng.random((1000, 2)), OBSERVABLES)
        claims += found[0].p_value < 0.01
    assert claims <= stats.binom.ppf(0.999, 300, 0.01)


def test_places_are_of_both_tails_and_all_observables():
    rng = np.random.default_rng(6)
    found = places(lambda e: e[:, 0], rng.random((500, 2)), rng.random((700, 2)), OBSERVABLES)
    assert sorted((place.tail, place.observable) for place in found) == sorted(
        (tail, name) for tail in ("small", "large") for name in OBSERVABLES
    )
    of_x = {place.tail: place for place in found if place.observable == "x"}
    assert isinstance(of_x["small"], Place)
    assert of_x["small"].interval == pytest.approx((0.0, 0.05), abs=0.02)  # the smallest ratios are the smallest x
    assert of_x["large"].interval == pytest.approx((0.95, 1.0), abs=0.02)


def test_places_need_events_in_the_tails():
    events = np.zeros((100, 2))
    with pytest.raises(ValueError, match=r"true: a tail of 0.05 of half of 100 events has 2, not 10"):
        places(lambda e: e[:, 0], events, events, OBSERVABLES)
    with pytest.raises(ValueError, match=r"tail must lie between 0 and 0.5"):
        places(lambda e: e[:, 0], events, events, OBSERVABLES, tail=0.5)
