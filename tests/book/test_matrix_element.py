"""The matrix element method's exact parts against simulation, and its summaries against their laws."""

import numpy as np
import pytest
from scipy import stats

from gampl_book.matrix_element import (
    FINER,
    MASSES,
    Detector,
    HardProcess,
    Integrals,
    LogLikelihood,
    Nodes,
    Normalisation,
    crossing,
    events_worth,
    fit_mass,
    grid_points,
    simulate,
)

PROCESS, DETECTOR, TRUE = HardProcess(), Detector(), 173.0
NOMINAL = int(np.flatnonzero(MASSES == TRUE)[0])


@pytest.fixture(scope="module")
def simulated():
    return simulate(PROCESS, DETECTOR, TRUE, 100_000, np.random.default_rng(1))


@pytest.mark.parametrize(("column", "low", "high"), [(0, np.log(5), np.log(300)), (1, 5.0, 10.2)])
def test_the_hard_process_has_its_density(column, low, high, simulated):
    """Chi² of 30 bins, which exceeds its limit by chance once in 10 000 tests."""
    edges = np.linspace(low, high, 31)
    fine = np.linspace(low, high, 30 * 40 + 1)
    points = np.full((len(fine), 2), [4.0, 9.0])
    points[:, column] = fine
    density = np.exp(PROCESS.log_prob(points)[:, NOMINAL])
    whole = np.full((40_001, 2), [4.0, 9.0])
    whole[:, column] = np.linspace(*[(np.log(2.01), np.log(990)), (-6.0, 11.0)][column], 40_001)
    density /= np.trapezoid(np.exp(PROCESS.log_prob(whole)[:, NOMINAL]), whole[:, column])
    area = np.array([np.trapezoid(density[40 * k : 40 * k + 41], fine[40 * k : 40 * k + 41]) for k in range(30)])
    expected, found = area * len(simulated.made), np.histogram(simulated.made[:, column], edges)[0]
    assert ((found - expected) ** 2 / expected).sum() < stats.chi2.ppf(1 - 1e-4, 30)


def test_the_hard_process_ends_at_the_largest_mass_of_quark_and_lepton():
    edge = np.log(MASSES**2 - 80.4**2)
    for k in (0, len(MASSES) - 1):
        below, above = PROCESS.log_prob([[4.0, edge[k] - 1e-6], [4.0, edge[k] + 1e-6]])[:, k]
        assert np.isfinite(below)
        assert above == -np.inf
    assert (PROCESS.log_prob([[0.0, 9.0], [8.0, 9.0]]) == -np.inf).all()


def test_shifts_have_the_detectors_density():
    rng = np.random.default_rng(2)
    z = np.full((200_000, 2), [np.log(40.0), 9.0])
    y = DETECTOR.smear(z, rng)
    edges = np.linspace(-0.9, 0.6, 31), np.linspace(-0.15, 0.15, 16)
    found = np.histogram2d(y[:, 0], y[:, 1] - y[:, 0], edges)[0]
    middles = np.meshgrid(*(0.5 * (e[1:] + e[:-1]) for e in edges), indexing="ij")
    at = np.stack([middles[0], middles[0] + middles[1]], axis=-1)
    density = np.exp(DETECTOR.log_prob(at, np.full(at.shape, z[0])))
    expected = density * 0.05 * 0.02 * len(z)
    assert expected.sum() == pytest.approx(len(z), rel=0.01)
    large = expected > 100  # where the middle of a bin stands for it to a few per cent
    off = (found - expected)[large] / np.sqrt(expected[large] + (0.03 * expected[large]) ** 2)
    assert (off**2).mean() < 1.6


def test_the_share_of_accepted_events_is_the_simulated_one(simulated):
    share = Normalisation(PROCESS)()[NOMINAL]
    n = len(simulated.made)
    assert simulated.accepted.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n) + 1e-3)
    assert (np.diff(Normalisation(PROCESS)()) > 0).all()


def test_the_likelihood_is_the_density_of_measured_events(simulated):
    integrals = Integrals(PROCESS, Nodes.regular(grid_points()))
    likelihood = LogLikelihood(integrals(DETECTOR.log_prob), Normalisation(PROCESS)())
    a, b = np.linspace(np.log(12), np.log(300), 121), np.linspace(6.0, 10.6, 121)
    middles = [0.5 * (e[1:] + e[:-1]) for e in (a, b)]
    points = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(likelihood(points)[:, NOMINAL]).reshape(12, 10, 12, 10).sum((1, 3)) * np.diff(a)[0] * np.diff(b)[0]
    expected, found = density * 100_000, np.histogram2d(*simulated.x.T, [a[::10], b[::10]])[0]
    some = expected > 20
    assert expected[some].sum() > 95_000
    assert ((found - expected)[some] ** 2 / expected[some]).sum() < stats.chi2.ppf(1 - 1e-4, some.sum())


def test_sampled_integrals_are_those_of_the_quadrature(simulated):
    x, rng, draws = simulated.x[:200], np.random.default_rng(3), 400
    regular = Integrals(PROCESS, Nodes.regular(x, FINER))(DETECTOR.log_prob)
    broad = stats.multivariate_normal([-0.1, -0.1], [[0.06, 0.06], [0.06, 0.065]])
    y = broad.rvs((200, draws), rng)
    sampled = Integrals(PROCESS, Nodes.sampled(x, x[:, None] - y, broad.logpdf(y)))
    error = sampled.spread(NOMINAL, DETECTOR.log_prob) / np.sqrt(draws)
    pulls = (sampled(DETECTOR.log_prob) / regular - 1)[:, NOMINAL] / error
    assert abs(pulls.mean()) < 0.4
    assert 0.7 < pulls.std() < 1.5


def test_points_without_a_density_have_no_weight():
    x = np.array([[4.0, 9.0]])
    nodes = Nodes.sampled(x, np.array([[[0.0, 9.0], [4.0, 9.0]]]), np.array([[-np.inf, 0.0]]))
    assert np.isfinite(Integrals(PROCESS, nodes)(DETECTOR.log_prob)).all()


def test_masses_of_a_parabola():
    means = np.array([170.0, 174.5])
    found = fit_mass(-0.5 * ((MASSES - means[:, None]) / 1.5) ** 2)
    np.testing.assert_allclose(found.mass, means, atol=0.011)
    np.testing.assert_allclose(found.error, 1.5, atol=0.02)
    assert found.covers(171.0).tolist() == [True, False]
    assert found.covers(172.0).tolist() == [False, False]
    assert found.covers(172.1, 2.0).tolist() == [True, True]


def test_the_crossing_of_a_power_law_is_found_as_often_as_the_level_says():
    """Of 200 intervals that hold the truth in about 95 % of cases, fewer than 175 do once in 10 000 tests."""
    rng, n = np.random.default_rng(4), np.array([100.0, 400.0, 1600.0, 6400.0])
    held = 0
    for _ in range(200):
        squares = (n[:, None] / 900) ** -0.8 * rng.standard_normal((4, 6)) ** 2
        law = crossing(n, squares, 1.0)
        held += law.interval.low <= 900 <= law.interval.high
    assert held >= 175
    exact = crossing(n, np.repeat((n[:, None] / 900) ** -0.8, 6, axis=1), 1.0)
    assert exact.crossing == pytest.approx(900, rel=0.02)
    assert exact.power == pytest.approx(0.8, abs=0.011)


def test_events_that_shifts_are_worth():
    shifts = np.array([0.3, -0.4])
    worth, (low, high) = events_worth(shifts, 10.0)
    assert worth == pytest.approx(100 / 0.125)
    for end, p in ((low, 0.025), (high, 0.975)):  # the sum of squares over the variance follows chi² with two
        assert stats.chi2.cdf(0.25 / (100 / end), 2) == pytest.approx(p)
