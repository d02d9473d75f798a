"""Top pairs with a known density: normalisation, samples and integrals against ways that share nothing with the code.

How the process compares with Pythia is in test_leading_order_pythia.py.
"""

from functools import cache

import numpy as np
import pytest
from scipy import integrate, interpolate, stats

from gampl.processes.leading_order_cross_section import Envelope
from gampl.processes.leading_order_top_pair import BATCH, LeadingOrderTopPair
from gampl.processes.parton_densities import PARTONS, PartonDensities, nodes
from gampl.regions import Intervals

PROCESS = LeadingOrderTopPair()
OTHERS = [LeadingOrderTopPair(m_max=1000.0), LeadingOrderTopPair(energy=7000.0, top_mass=100.0)]
EDGES = {
    "m_tt": [0, 400, 500, 600, 800, 1000, 1500, 2000, 2200, np.inf],
    "y_tt": [-np.inf, -2.5, -1, -0.3, 0.1, 1.2, 2, np.inf],
    "cos_theta": [-np.inf, -0.95, -0.5, 0, 0.4, 0.99, 2],
    "phi": [-4, -1, 0.5, 4],
    "pT_top": [-np.inf, 30, 60, 100, 200, 500, 1000, np.inf],
}


@pytest.fixture(scope="module")
def events():
    return PROCESS.sample(200_000, np.random.default_rng(1))


def density(m, Y, c):
    """The density with phi integrated out, of arrays that broadcast."""
    m, Y, c = np.broadcast_arrays(m, Y, c)
    return 2 * np.pi * np.exp(PROCESS.log_prob(np.stack([m, Y, c, np.zeros_like(m)], axis=-1)))


def test_density_is_normalised_by_adaptive_cubature():
    """Genz and Malik's, in ln m, Y / Y_max and cos theta*: other variables and other nodes than those inside."""

    def integrand(u):
        m, y_max = np.exp(u[:, 0]), np.log(PROCESS.energy / np.exp(u[:, 0]))
        return density(m, u[:, 1] * y_max, u[:, 2]) * m * y_max

    low, high = [np.log(2 * PROCESS.top_mass), -1, -1], [np.log(PROCESS.energy), 1, 1]
    found = integrate.cubature(integrand, low, high, rule="genz-malik", rtol=1e-9, max_subdivisions=100)
    assert found.error < 3e-3
    assert abs(found.estimate - 1) < 2e-4


@pytest.mark.parametrize("process", [PROCESS, *OTHERS], ids=str)
def test_density_is_normalised_by_importance_sampling(process):
    """Over all unbounded space, Student's t as the proposal: what the sampler uses inside plays no part."""
    z, _ = process.coordinates.unbounded(process.sample(2000, np.random.default_rng(2)))
    proposal = stats.multivariate_t(z.mean(axis=0), 1.3 * np.cov(z.T), df=8)
    new = proposal.rvs(200_000, random_state=np.random.default_rng(3))
    x = process.coordinates.from_unbounded(new)
    log_weight = process.log_prob(x) - process.coordinates.unbounded(x)[1] - proposal.logpdf(new)
    error = np.exp(log_weight).std() / np.sqrt(len(x))
    assert error < 3e-3
    # 4.5 standard deviations: false-alarm rate 7e-6 for each process
    assert abs(np.exp(log_weight).mean() - 1) < 4.5 * error


def gauss(low, high, n=32):
    u, w = np.polynomial.legendre.leggauss(n)
    half = 0.5 * np.subtract(high, low)[..., None]
    return np.asarray(low)[..., None] + half * (u + 1), half * w


@cache
def marginal(name):
    """Points of a coordinate and its marginal density there, by a quadrature of its own over the other two."""
    lightest, heaviest = 2 * PROCESS.top_mass, PROCESS.energy
    if name == "m_tt":
        m = lightest + (heaviest - lightest) * np.linspace(0, 1, 600)[1:-1] ** 4
        Y, w_y = gauss(-np.log(heaviest / m), np.log(heaviest / m))
        c, w_c = gauss(0, 1)
        return m, 2 * np.einsum("myc,my,c->m", density(m[:, None, None], Y[..., None], c), w_y, w_c)
    if name == "y_tt":
        Y = np.linspace(-3.6, 3.6, 201)
        log_m, w_m = gauss(np.full_like(Y, np.log(lightest)), np.log(heaviest) - np.abs(Y), 48)
        m = np.exp(log_m)
        c, w_c = gauss(0, 1, 24)
        return Y, 2 * np.einsum("ymc,ym,c->y", density(m[..., None], Y[:, None, None], c), w_m * m, w_c)
    c = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 201))
    log_m, w_m = gauss(np.log(lightest), np.log(heaviest), 48)
    Y, w_y = gauss(np.zeros(48), np.log(heaviest) - log_m, 24)
    values = density(np.exp(log_m)[:, None, None], Y[..., None], c)
    return c, 2 * np.einsum("myc,m,my->c", values, w_m * np.exp(log_m), w_y)


def marginal_cdf(name):
    x, p = marginal(name)
    ends = [2 * PROCESS.top_mass] if name == "m_tt" else []
    x, p = np.concatenate([ends, x]), np.concatenate([np.zeros(len(ends)), p])
    # the density rises like a root from the threshold: integrate over the root of the distance
    t = np.sqrt(x - x[0])
    antiderivative = interpolate.CubicSpline(t, 2 * t * p).antiderivative()
    return lambda v: antiderivative(np.sqrt(np.maximum(v - x[0], 0)))


@pytest.mark.parametrize("name", ["m_tt", "y_tt", "cos_theta", "phi"])
def test_samples_follow_the_marginals(events, name):
    values = PROCESS.observables[name](events)
    cdf = stats.uniform(-np.pi, 2 * np.pi).cdf if name == "phi" else marginal_cdf(name)
    assert cdf(values.max()) == pytest.approx(1, abs=2e-4)
    # false-alarm rate 1e-4 for each coordinate
    assert stats.kstest(values, cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", ["m_tt", "y_tt", "cos_theta"])
def test_integrals_are_those_of_the_marginals(name):
    regions = Intervals.between(np.array(EDGES[name]), PROCESS.observables[name])
    x, _ = marginal(name)
    edges = np.clip(regions.edges, 2 * PROCESS.top_mass if name == "m_tt" else x[0], x[-1])
    np.testing.assert_allclose(PROCESS.integrals(regions), np.diff(marginal_cdf(name)(edges)), rtol=3e-4, atol=1e-6)


@cache
def hundred_thousand(process):
    return process.sample(100_000, np.random.default_rng(4))


@pytest.mark.parametrize("process", [PROCESS, *OTHERS], ids=str)
@pytest.mark.parametrize("name", EDGES)
def test_integrals_are_the_shares_of_samples(process, name):
    sample = hundred_thousand(process)
    regions = Intervals.between(np.array(EDGES[name], dtype=float), process.observables[name])
    exact = process.integrals(regions)
    assert exact.sum() == pytest.approx(1, abs=3e-6)
    counts, lost = regions.count(sample)
    assert (lost, counts.sum()) == (0, len(sample))
    assert (counts[exact == 0] == 0).all()
    frequent = exact * len(sample) > 10
    expected, observed = exact[frequent] * len(sample), counts[frequent]
    # too large by less than one degree of freedom at most: false-alarm rate at most 1e-5 for each of 15 cases
    assert stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), frequent.sum()) > 1e-5
    rare = exact[~frequent].sum() * len(sample)
    assert stats.poisson.sf(counts[~frequent].sum() - 1, rare) > 1e-5


@pytest.mark.slow
def test_integrals_are_the_shares_of_many_samples():
    rng, regions, n = np.random.default_rng(9), {}, 4_000_000
    for name in ("m_tt", "y_tt", "cos_theta", "pT_top"):
        inner = np.quantile(PROCESS.observables[name](PROCESS.sample(100_000, rng)), np.linspace(0, 1, 41)[1:-1])
        edges = np.concatenate([[-np.inf], inner, [np.inf]])
        regions[name] = Intervals.between(edges, PROCESS.observables[name])
    counts = dict.fromkeys(regions, 0)
    for _ in range(10):
        sample = PROCESS.sample(n // 10, rng)
        for name, intervals in regions.items():
            counts[name] = counts[name] + intervals.count(sample).inside
    for name, intervals in regions.items():
        exact = PROCESS.integrals(intervals)
        # false-alarm rate 1e-4 for each of 4
        assert stats.chisquare(counts[name], n * exact / exact.sum()).pvalue > 1e-4, name


def test_samples_follow_the_joint_density(events):
    """E[q / p] over p is 1 for every density q: here a narrow Gaussian across all four unbounded coordinates."""
    z, log_jacobian = PROCESS.coordinates.unbounded(events)
    A = np.array([[0.5, 0.1, 0.0, 0.1], [0.0, 0.3, -0.1, 0.0], [0.0, 0.1, 0.5, 0.1], [0.1, 0.0, 0.1, 0.5]])
    q = stats.multivariate_normal(np.median(z, axis=0) + np.array([0, 0.1, 0.2, 0]), A @ A.T)
    ratio = np.exp(q.logpdf(z) - PROCESS.log_prob(events) + log_jacobian)
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.02
    assert abs(ratio.mean() - 1) < 4.5 * error  # false-alarm rate 7e-6


def test_the_quadrature_has_converged():
    coarse, fine = (PROCESS._cross_section("m_tt", 0, np.inf, nodes) for nodes in (40, 72))
    assert sum(coarse) == pytest.approx(PROCESS.sigma, rel=2e-6)
    assert sum(fine) == pytest.approx(PROCESS.sigma, rel=5e-7)
    tail = Intervals(2000.0, 2200.0, PROCESS.observables["m_tt"])
    finer = sum(PROCESS._cross_section("m_tt", 2000.0, 2200.0, 72)) / PROCESS.sigma
    assert PROCESS.integrals(tail)[0] == pytest.approx(finer, rel=1e-6)
    assert PROCESS.sigma == sum(PROCESS.sigma_by_channel)


@pytest.mark.parametrize("process", [PROCESS, *OTHERS, LeadingOrderTopPair(energy=400.0)], ids=str)
def test_the_density_never_exceeds_the_envelope(process):
    """At random points, at corners of cells, and at the points between."""
    envelope: Envelope = process._envelope
    rng = np.random.default_rng(5)
    cell = rng.integers(0, len(envelope.height), 100_000)
    share = np.where(rng.random((len(cell), 3)) < 0.5, rng.random((len(cell), 3)), rng.integers(0, 2, (len(cell), 3)))
    log_x1, log_x2, c = (envelope.corner[cell] + share * envelope.size[cell]).T
    m = process.energy * np.exp(0.5 * (log_x1 + log_x2))
    x = np.stack([m, 0.5 * (log_x1 - log_x2), np.minimum(c, 1.0), np.zeros_like(m)], axis=1)
    values = 2 * np.pi * process.sigma * np.exp(process.log_prob(x)) * 0.5 * m
    assert np.count_nonzero(values) > len(cell) // 4
    assert (values <= envelope.height[cell]).all()


def test_the_envelope_is_as_low_as_it_can_be():
    """Where partons are all alike, the bound is the density at the lightest, most forward corner, or close to it."""
    process = LeadingOrderTopPair()
    process.__dict__["_densities"] = PartonDensities(np.ones((*map(len, nodes()), len(PARTONS))))
    envelope = process._envelope
    log_x1, log_x2, c_low = envelope.corner.T
    c_high = c_low + envelope.size[:, 2]
    m = process.energy * np.exp(0.5 * (log_x1 + log_x2))
    tested = (m > 2 * process.top_mass) & (c_high < 0.9) & (log_x1 < 0)
    x = np.stack([m, 0.5 * (log_x1 - log_x2), c_high, np.zeros_like(m)], axis=1)[tested]
    values = 2 * np.pi * process.sigma * np.exp(process.log_prob(x)) * 0.5 * m[tested]
    ratio = values / envelope.height[tested]
    assert ratio.max() <= 1
    assert np.median(ratio) > 0.97
    assert ratio[m[tested] > 4000].min() > 0.99


def test_an_envelope_that_is_too_low_does_not_pass_unseen():
    process = LeadingOrderTopPair()
    right = process._envelope
    process.__dict__["_envelope"] = Envelope(right.corner, right.size, 0.7 * right.height)
    with pytest.raises(RuntimeError, match="exceeds its upper bound"):
        process.sample(10_000, np.random.default_rng(6))


def test_sampling_repeats_itself():
    n = BATCH + 1000
    first, again = (PROCESS.sample(n, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (n, 4)
    assert len(np.unique(first[:, 0])) == n
    assert PROCESS.sample(0, np.random.default_rng(7)).shape == (0, 4)
    assert np.isfinite(PROCESS.log_prob(first)).all()


def test_outside_there_is_no_density():
    inside = np.array([500.0, 0.5, 0.3, 1.0])
    outside = [[345.9, 0, 0, 0], [346.0, 0, 0, 0], [500, np.log(26) + 1e-9, 0, 0], [500, -4, 0, 0], [500, 0, 1.01, 0],
               [500, 0, -2, 0], [500, 0, 0, 3.2], [0, 0, 0, 0], [-500, 0, 0, 0], [1e5, 0, 0, 0],
               [np.inf, 0, 0, 0], [500, -np.inf, 0, 0]]  # fmt: skip
    np.testing.assert_array_equal(PROCESS.log_prob(outside), -np.inf)
    assert np.isfinite(PROCESS.log_prob(inside))
    assert np.isnan(PROCESS.log_prob(np.where(np.eye(4) == 1, np.nan, inside))).all()
    assert LeadingOrderTopPair(m_max=499.0).log_prob(inside) == -np.inf
    assert PROCESS.log_prob(np.full((2, 3, 4), inside)).shape == (2, 3)
    # up to the edges it is finite, but for x = 1, where no partons are
    assert np.isfinite(PROCESS.log_prob([[346.001, 0, 1, np.pi], [500, np.log(26) - 0.01, -1, -np.pi]])).all()


def test_symmetries():
    x = PROCESS.sample(1000, np.random.default_rng(8))
    for flip in ([1, -1, 1, 1], [1, 1, -1, 1], [1, 1, 1, -1]):
        np.testing.assert_allclose(PROCESS.log_prob(x * flip), PROCESS.log_prob(x), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeadingOrderTopPair(energy=np.nan), "energy must be above 0 and at most 20000 GeV, got nan"),
        (lambda: LeadingOrderTopPair(energy=1e5), "energy must be .* got 100000"),
        (lambda: LeadingOrderTopPair(top_mass=7000.0), "top_mass must be between 20.5548 and 6500 GeV .* got 7000"),
        (lambda: LeadingOrderTopPair(top_mass=4.7), "top_mass must be between"),
        (lambda: LeadingOrderTopPair(m_max=346.0), "m_max must be above 346 and at most 13000 GeV, got 346"),
        (lambda: LeadingOrderTopPair(m_max=0.0), "m_max must be above"),
        (lambda: PROCESS.log_prob(np.zeros((5, 3))), r"shape \(\.\.\., 4\), got \(5, 3\)"),
        (lambda: PROCESS.sample(-1, np.random.default_rng(1)), "n must not be negative, got -1"),
        (lambda: PROCESS.integrals(Intervals.between([0, 1])), "one of m_tt, y_tt, cos_theta, phi, pT_top"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
