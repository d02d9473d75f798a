"""Weighted top pairs by quadrature, against weighted events."""

import numpy as np
import pytest

from gampl.processes import LeadingOrderTopPair
from gampl.regions import Intervals
from gampl_book.theory_parameter import WeightedTopPair, excess, likelihood_weights

TRUTH = WeightedTopPair(LeadingOrderTopPair())
REGIONS = {
    "m_tt": Intervals.between([400.0, 500.0, 700.0], TRUTH.process.observables["m_tt"]),
    "pT_top": Intervals.between([200.0, 300.0, np.inf], TRUTH.process.observables["pT_top"]),
}


@pytest.fixture(scope="module")
def events():
    return TRUTH.process.sample(200_000, np.random.default_rng(1))


def test_the_density_is_normalised_in_both_orders_of_integration():
    everywhere = Intervals.between([0.0, np.inf], TRUTH.process.observables["pT_top"])
    np.testing.assert_allclose(TRUTH.moments(everywhere)[0], TRUTH.total, rtol=1e-5)
    assert TRUTH.total[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("a", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("regions", REGIONS.values(), ids=REGIONS)
def test_integrals_and_effective_numbers_are_those_of_weighted_events(regions, a, events):
    """Within four standard errors, of the effective numbers within 6 %: their own error is a fourth moment's."""
    moments, w = TRUTH.moments(regions), 1 + a * TRUTH.u(events)
    found = np.array([w[regions.place(events).region == k].sum() for k in range(2)]) / w.sum()
    integrals, n = TRUTH.integrals(moments, a), len(events)
    error = np.sqrt(integrals.sum() / (n * TRUTH.effective_in(moments, a)))
    np.testing.assert_allclose(found, integrals, atol=4 * error)
    assert TRUTH.effective(a) == pytest.approx(w.sum() ** 2 / (w**2).sum() / n, rel=0.06)
    if a == 0:
        assert [TRUTH.effective(a), TRUTH.effective_in(moments, a)] == pytest.approx([1, 1])


def test_effective_number_in_regions_is_that_of_repeated_samples(events):
    regions, n, a = REGIONS["pT_top"], 1000, 10.0
    moments = TRUTH.moments(regions)
    samples, integrals = events.reshape(-1, n, 4), TRUTH.integrals(moments, a)
    w = 1 + a * TRUTH.u(samples)
    of_region = np.stack([regions.place(sample).region for sample in samples])
    found = np.stack([(w * (of_region == k)).sum(1) / w.sum(1) for k in range(2)], -1)
    variance = ((found - integrals) ** 2).mean(0).sum()  # of 200 samples: to 10 % or so
    expected = (integrals * (1 - integrals)).sum() / (n * TRUTH.effective_in(moments, a))
    assert variance == pytest.approx(expected, rel=0.4)


def test_shares_lie_on_a_line():
    moments = TRUTH.moments(REGIONS["m_tt"])
    ends = TRUTH.integrals(moments, 0), moments[:, 1] / TRUTH.total[1]
    for a in (0.3, 10.0):
        share = TRUTH.share(a)
        assert TRUTH.parameter(share) == pytest.approx(a)
        np.testing.assert_allclose(TRUTH.integrals(moments, a), (1 - share) * ends[0] + share * ends[1])


def test_weights_have_a_mean_of_one_for_each_parameter():
    u = excess(np.array([20.0, 115.0, 315.0]))
    np.testing.assert_allclose(u, [0.0025, 1, 9])
    np.testing.assert_allclose(likelihood_weights(u, np.array([[0.0, 30.0]] * 3)).mean(0), 1)
    np.testing.assert_allclose(likelihood_weights(u, 2.0), (1 + 2 * u) / (1 + 2 * u.mean()))


def test_other_regions_are_refused():
    for regions in (Intervals.between([0.0, 1.0]), Intervals.between([0.0, 1.0], TRUTH.process.observables["phi"])):
        with pytest.raises(ValueError, match="not of phi"):
            TRUTH.moments(regions)
