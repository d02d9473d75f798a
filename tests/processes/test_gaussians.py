"""Toy processes: densities, samples and exact integrals against SciPy and quadrature."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from gampl.processes import GaussianLine, GaussianRing
from gampl.regions import Intervals, radius

RINGS = [
    GaussianRing(2),
    GaussianRing(3),
    GaussianRing(4),
    GaussianRing(3, angles="angles"),
    GaussianRing(5, angles="angles"),
]


def test_line_integrals_keep_their_digits_in_the_tail():
    regions = Intervals.between([-1.0, 0.0, 0.5, 9.0, 10.0])
    for process in (GaussianLine(), GaussianLine(0.2), GaussianLine(-0.3, 2.0)):
        exact = [integrate.quad(lambda x, p=process: np.exp(p.log_prob([[x]])[0]), a, b, epsabs=0)[0]
                 for a, b in zip(regions.low, regions.high, strict=True)]  # fmt: skip
        np.testing.assert_allclose(process.integrals(regions), exact, rtol=1e-9)


def test_fit_mean_is_the_average():
    events = GaussianLine(0.3).sample(1000, np.random.default_rng(1))
    assert GaussianLine.fit_mean(events) == GaussianLine(float(events.mean()))


@pytest.mark.parametrize("ring", RINGS, ids=str)
def test_ring_radius_follows_eq_5(ring):
    R = radius(ring.sample(20_000, np.random.default_rng(2)))
    # false-alarm rate 1e-4 per ring
    assert stats.kstest(R, stats.norm(ring.mean, ring.width).cdf).pvalue > 1e-4


def spherical_volume(angles: np.ndarray) -> np.ndarray:
    powers = np.arange(angles.shape[1] - 1, -1, -1)
    return np.prod(np.sin(angles) ** powers, axis=1)


@pytest.mark.parametrize("ring", RINGS, ids=str)
def test_ring_density_is_normalised(ring):
    """Quadrature in spherical coordinates: Gauss-Legendre in the radius and in each angle."""
    nodes, weights = special.roots_legendre(24)
    r, w_r = 1 + 0.8 * nodes, 0.8 * weights
    polar, w_polar = np.pi / 2 * (nodes + 1), np.pi / 2 * weights
    grids = np.meshgrid(r, *([polar] * (ring.dim - 2)), [0.7], indexing="ij")
    volumes = np.meshgrid(w_r, *([w_polar] * (ring.dim - 2)), [2 * np.pi], indexing="ij")
    r, angles = grids[0].ravel(), np.stack([g.ravel() for g in grids[1:]], axis=1)
    sines = np.cumprod(np.hstack([np.ones((len(r), 1)), np.sin(angles)]), axis=1)
    x = r[:, None] * sines * np.hstack([np.cos(angles), np.ones((len(r), 1))])
    weight = np.prod([v.ravel() for v in volumes], axis=0) * r ** (ring.dim - 1) * spherical_volume(angles)
    assert np.sum(weight * np.exp(ring.log_prob(x))) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("ring", RINGS, ids=str)
def test_ring_samples_follow_their_density(ring):
    """E[q/p] over p is 1 for every density q: a wrong density or sampler shows up here."""
    x = ring.sample(200_000, np.random.default_rng(3))
    q = stats.multivariate_normal(np.full(ring.dim, 0.5), 0.02 * np.eye(ring.dim))
    ratio = np.exp(q.logpdf(x) - ring.log_prob(x))
    error = ratio.std() / np.sqrt(len(x))
    # the proposal reaches beyond the ring, where p is tiny: restrict both to a box inside the ring's support
    inside = np.abs(radius(x) - 1) < 0.25
    total = q.rvs(400_000, random_state=np.random.default_rng(4))
    share = np.mean(np.abs(radius(total) - 1) < 0.25)
    # 4.5 standard deviations: false-alarm rate 7e-6 per ring
    assert abs(np.mean(ratio * inside) - share) < 4.5 * np.hypot(error, np.sqrt(share * (1 - share) / 400_000))


def test_flat_angles_differ_from_directions_on_the_sphere_above_two_dimensions():
    rng = np.random.default_rng(5)
    polar = {a: np.arccos(np.clip((x := GaussianRing(4, angles=a).sample(50_000, rng))[:, 0] / radius(x), -1, 1))
             for a in ("sphere", "angles")}  # fmt: skip
    assert stats.kstest(polar["angles"] / np.pi, "uniform").pvalue > 1e-4
    assert stats.kstest(polar["sphere"] / np.pi, "uniform").pvalue < 1e-10
    assert np.allclose(GaussianRing(2).log_prob([[0.3, 0.9]]), GaussianRing(2, angles="angles").log_prob([[0.3, 0.9]]))


@pytest.mark.parametrize("dim", [2, 4])
def test_shells_hold_equal_shares(dim):
    ring = GaussianRing(dim)
    shells = ring.shells(20)
    np.testing.assert_allclose(ring.integrals(shells), 0.05, atol=1e-15)
    counts, lost = shells.count(ring.sample(100_000, np.random.default_rng(6)))
    assert lost == 0
    assert counts.sum() == 100_000
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianLine(width=0), "positive width"),
        (lambda: GaussianRing(1), "dim must be at least 2"),
        (lambda: GaussianRing(2, width=-1), "must be positive"),
        (lambda: GaussianRing(2, angles="flat"), "angles must be"),
        (lambda: GaussianRing(3).log_prob(np.zeros((5, 2))), r"\(\.\.\., 3\)"),
        (lambda: GaussianRing(2).integrals(Intervals.between([0, 1])), "gampl.regions.radius"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
