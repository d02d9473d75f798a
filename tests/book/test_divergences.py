"""Divergences and distances against quadrature and sums, and what the inequalities say."""

import numpy as np
import pytest
from scipy import integrate, stats

from gampl_book import divergences


def by_quadrature(p, q, ends, points):
    """Distance, KL and reverse KL of two densities on a line."""
    integrands = (
        lambda x: 0.5 * abs(p.pdf(x) - q.pdf(x)),
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)),
        lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)),
    )
    return [integrate.quad(f, -ends, ends, points=points, limit=400)[0] for f in integrands]


def shares(rng, n):
    """Two random distributions over as many events, very unequal ones among them."""
    p, q = rng.dirichlet(np.full(n, 0.3), 2) + 1e-9
    return p / p.sum(), q / q.sum()


@pytest.mark.parametrize("s", [0.5, 0.95, 1.1, 3.0])
def test_scaled_gaussian(s):
    expected = by_quadrature(stats.norm, stats.norm(0, s), 25, (-1, 0, 1))
    assert np.allclose(divergences.scaled(s), expected, rtol=1e-6)


@pytest.mark.parametrize("d", [2, 7])
def test_coordinates_add_divergences_and_not_distances(d):
    one, several = divergences.scaled(1.2), divergences.scaled(1.2, d)
    assert several.kl == pytest.approx(d * one.kl)
    assert several.reverse == pytest.approx(d * one.reverse)
    assert one.distance < several.distance < d * one.distance


@pytest.mark.parametrize("freedom", [5.0, 30.0])
def test_heavy_tails(freedom):
    expected = by_quadrature(stats.t(freedom), stats.norm, 36, (-2, -1, 0, 1, 2))
    assert np.allclose(divergences.heavy_tails(freedom), expected, rtol=4e-3)  # beyond 36 lie 3e-3 of the divergence


def test_two_parts_is_a_binomial_and_a_missing_region_is_infinitely_far():
    distance, kl, reverse = divergences.two_parts(0.3, 0.1)
    assert distance == pytest.approx(0.2)
    assert kl == pytest.approx(stats.entropy([0.3, 0.7], [0.1, 0.9]))
    assert reverse == pytest.approx(stats.entropy([0.1, 0.9], [0.3, 0.7]))
    missing = divergences.two_parts(0.05, 0.0)
    assert np.isinf(missing.kl)
    assert missing.reverse == pytest.approx(-np.log(0.95))


def test_a_shifted_gaussian_follows_the_gaussian_law():
    for shift in (0.01, 0.5, 3.0):
        distance, kl, _ = by_quadrature(stats.norm, stats.norm(shift), 12, (0, shift / 2, shift))
        assert divergences.gaussian_law(kl) == pytest.approx(distance, rel=1e-6)


def test_no_distribution_is_beyond_the_bound_and_a_step_reaches_it():
    rng = np.random.default_rng(1)
    for _ in range(200):
        p, q = shares(rng, 12)
        assert 0.5 * np.abs(p - q).sum() <= divergences.bound(stats.entropy(p, q)) + 1e-12
    assert divergences.two_parts(0.5, 0.499).c == pytest.approx(1, abs=1e-4)


def test_estimates_from_all_of_a_discrete_truth_are_the_definitions():
    rng = np.random.default_rng(2)
    for _ in range(20):
        q = shares(rng, 30)[0]
        p = np.full(30, 1 / 30)  # an average over the places is one over true events
        found = divergences.apart(np.log(q / p))
        assert np.allclose(found, (0.5 * np.abs(p - q).sum(), stats.entropy(p, q), stats.entropy(q, p)))


def test_two_generators_are_compared_as_if_one_were_the_truth():
    (a, b), p = shares(np.random.default_rng(3), 30), np.full(30, 1 / 30)
    found = divergences.between(np.log(a / p), np.log(b / p))
    assert np.allclose(found, (0.5 * np.abs(a - b).sum(), stats.entropy(a, b), stats.entropy(b, a)))
    one, other = (divergences.apart(np.log(x / p)).distance for x in (a, b))
    assert found.distance <= one + other


def test_a_small_divergence_is_found_with_few_events():
    x = np.random.default_rng(4).normal(size=2_000)
    log_r = stats.norm.logpdf(x, 0.05) - stats.norm.logpdf(x)
    assert divergences.apart(log_r).kl == pytest.approx(0.05**2 / 2, rel=0.15)  # the scatter is 3.2 %
    assert np.std(log_r) / np.sqrt(x.size) > 0.5 * 0.05**2 / 2  # that of the mean log ratio is as large as KL


def test_a_power_law_has_its_entropy_and_a_line_none():
    sizes = np.array([1e3, 4e3, 16e3])
    assert divergences.entropy_of_curve(2.5 + 40 * sizes**-0.8) == pytest.approx(2.5)
    assert not np.isfinite(divergences.entropy_of_curve([3.0, 2.0, 1.0]))


@pytest.mark.parametrize("s", [0.9, 1.2])
def test_generated_events_tell_the_same_as_true_ones(s):
    x = np.random.default_rng(3).normal(0, s, 400_000)
    found = divergences.from_generated(np.exp(stats.norm.logpdf(x) - stats.norm.logpdf(x, 0, s)))
    assert np.allclose(found, divergences.scaled(s), rtol=0.02)


def test_generated_events_where_there_is_no_truth():
    nothing = divergences.from_generated([0.0, 1.25, 1.25, 1.25, 1.25])
    assert nothing.distance == pytest.approx(0.2)
    assert nothing.kl == pytest.approx(np.log(1.25))
    assert np.isinf(nothing.reverse)
