"""Classifiers of the page on reweighting, and the exact density of reweighted events, against plain counting."""

from functools import partial

import numpy as np
import pytest

from gampl.processes import GaussianLine, LeadingOrderTopPair
from gampl.ratio import cross_fit
from gampl.regions import Intervals
from gampl.reweighting import Reweighting
from gampl_book.reweighted_networks import HEAVIER, Heavier
from gampl_book.reweighters import HOW, LINE, WAYS, histogram, learned, posterior, reweighted, treat

EDGES = [(0.0, 0.5), (2.0, 3.0)]
GENERATOR = GaussianLine(0.1, 1.2)


def shifted_ratio(events):
    """Of a unit Gaussian and the generator, exactly."""
    return GaussianLine().log_prob(events) - GENERATOR.log_prob(events)


def test_exact_weights_give_the_true_density():
    density = reweighted([(GENERATOR, shifted_ratio)])
    truth = GaussianLine().integrals(Intervals.between([0.0, 0.5, 2.0, 3.0]))[[0, 2]]
    np.testing.assert_allclose(density.integrals(EDGES), truth, rtol=1e-4)
    assert density.distance() < 1e-5
    assert density.clipped == 0
    assert 0 < density.n_effective < 1


def test_integrals_effective_numbers_and_clipped_shares_are_those_of_counting():
    density = reweighted([(GENERATOR, lambda x: 5 * shifted_ratio(x) + 3)])
    events = GENERATOR.sample(400_000, np.random.default_rng(1))
    weights = Reweighting(lambda x: 5 * shifted_ratio(x) + 3)
    w, about = weights(events), weights.statistics(events)
    inside = [w[(events[:, 0] >= low) & (events[:, 0] < high)].sum() / w.sum() for low, high in EDGES[:1]]
    np.testing.assert_allclose(density.integrals(EDGES[:1]), inside, atol=4 / np.sqrt(about.n_effective))
    assert density.n_effective == pytest.approx(about.n_effective / about.n, rel=0.02)
    assert density.clipped == pytest.approx(about.clipped, abs=0.004)  # five standard errors


def test_a_histogram_gives_bins_the_true_shares_whatever_the_generator():
    rng = np.random.default_rng(2)
    true, generated = GaussianLine().sample(1000, rng), GENERATOR.sample(100_000, rng)
    ratio = learned(true, generated, histogram, 0)
    w = np.exp(ratio(generated))
    # two bins' edge, where many generated events are on either side
    edge = np.sort(generated[:, 0])[np.flatnonzero(np.diff(ratio(np.sort(generated, axis=0))))[9]]
    share = w[generated[:, 0] <= edge].sum() / w.sum()
    assert share == pytest.approx((true[:, 0] <= edge).mean(), abs=2e-3)


def test_the_mean_over_folds_is_what_cross_fitted_events_have():
    rng = np.random.default_rng(3)
    true, generated = GaussianLine().sample(500, rng), GENERATOR.sample(2000, rng)
    make = partial(histogram, bins=5)
    fitted = cross_fit(true, generated, 7, folds=2, make_classifier=make)
    density = reweighted([(GENERATOR, ratio) for ratio in fitted.of_folds])
    events = GENERATOR.sample(400_000, rng)
    w = np.exp(fitted(events))
    counted = w[(events[:, 0] >= 0) & (events[:, 0] < 0.5)].sum() / w.sum()
    assert density.integrals(EDGES)[0] == pytest.approx(counted, abs=0.004)  # five standard errors


@pytest.mark.parametrize("classifier", LINE)
@pytest.mark.parametrize("way", WAYS)
def test_every_classifier_learns_in_every_way(way, classifier):
    rng = np.random.default_rng(4)
    training = GaussianLine().sample(400, rng)
    sources = treat(way, training, GaussianLine.fit_mean, LINE[classifier], 800, rng)
    assert len(sources) == (2 if way in ("folds", "halves") else 1)
    assert reweighted(sources).integrals(EDGES)[0] == pytest.approx(0.19, abs=0.15)


@pytest.mark.parametrize("how", HOW)
def test_members_of_every_kind_scatter(how):
    rng = np.random.default_rng(5)
    training = GaussianLine().sample(400, rng)
    integrals = posterior(training, GaussianLine.fit_mean, how, LINE["logistic"], (4, 800), rng)
    assert integrals.shape == (4,)
    assert len(set(integrals)) == 4


def test_the_density_of_changed_events_is_that_of_a_generator():
    """Weights p_true / p_changed of the changed events have a mean of one, each within 1 in 10^6 by chance."""
    process, rng = LeadingOrderTopPair(), np.random.default_rng(3)
    heavier = Heavier(process.coordinates, np.array([np.log(HEAVIER), 0.0, 0.0, 0.0]))
    events = heavier.of(process.sample(20_000, rng))
    w = np.exp(process.log_prob(events) - heavier.density(process.log_prob)(events))
    assert w.std() > 0.1
    assert abs(w.mean() - 1) < 4.9 * w.std() / np.sqrt(len(w))
