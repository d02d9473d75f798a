"""Integrands, VEGAS grids and what points are worth, against quadrature and closed forms, and flows."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gampl.processes import LeadingOrderTopPair
from gampl.regions import Intervals
from gampl_book.known_density import (
    CHANNELS,
    WINDOW,
    Grid,
    OffShellIntegrand,
    TopPairIntegrand,
    quality,
    vegas,
    worth_without_weights,
)
from gampl_book.neural_sampling import (
    Counted,
    Steps,
    points_of_channels,
    points_of_flow,
    train_on_channels,
    train_on_density,
    train_on_events,
)

PROCESS = LeadingOrderTopPair()
ON_SHELL = TopPairIntegrand(PROCESS)
OFF_SHELL = OffShellIntegrand(ON_SHELL)
FIT = Steps(steps=60, batch_size=128, learning_rate=5e-3)


def rng(seed=1):
    return np.random.default_rng(seed)


def test_the_integral_over_the_cube_is_the_cross_section():
    u = (stats.qmc.Sobol(3, rng=rng()).random(2**16) + 2.0**-33) % 1
    assert ON_SHELL(u).mean() == pytest.approx(PROCESS.sigma, rel=2e-3)


def test_points_and_events_are_inverse():
    events = PROCESS.sample(1000, rng())
    u = ON_SHELL.points(events)
    assert ((u > 0) & (u < 1)).all()
    np.testing.assert_allclose(ON_SHELL.events(u)[:, :3], events[:, :3], rtol=1e-9, atol=1e-9)


def test_masses_integrate_to_one_in_each_channel():
    # the terms are products, and at the pole the first one is the square of its factor
    height = OFF_SHELL.densities(np.zeros((1, 2)))[0, 0] ** 0.5
    for channel, other in enumerate((height, 0.5 / WINDOW)):  # the factor of a mass at the pole
        along = integrate.quad(
            lambda m, k=channel: OFF_SHELL.densities(np.array([[m, 0.0]]))[0, k], -WINDOW, WINDOW, points=[0]
        )[0]
        assert along == pytest.approx(other, rel=1e-6)
    shares = OFF_SHELL.share_below(OFF_SHELL.resonant(np.linspace(0, 1, 11)))
    np.testing.assert_allclose(shares, np.linspace(0, 1, 11), atol=1e-12)


@pytest.mark.parametrize("channel", range(len(CHANNELS)))
def test_each_channel_with_its_known_weight_is_a_third(channel):
    u = rng().random((1000, 5))
    weights = OFF_SHELL.channel_weights(OFF_SHELL.masses(u, channel))
    np.testing.assert_allclose(weights.sum(1), 1)
    np.testing.assert_allclose(3 * OFF_SHELL(u, channel) * weights[:, channel], ON_SHELL(u[:, :3]))


def test_one_map_and_channels_have_the_same_density():
    u = rng().random((1000, 5))
    masses = OFF_SHELL.masses(u, 1)  # the top resonant
    same = np.concatenate([u[:, :3], 0.5 * (masses / WINDOW + 1)], axis=1)
    jacobian = OFF_SHELL.densities(masses)[:, 1] * (2 * WINDOW) ** 2  # of one map to the other
    np.testing.assert_allclose(OFF_SHELL(same), OFF_SHELL(u, 1) * jacobian, rtol=1e-6)


def peaked(x):
    """A product of two Gaussian peaks, of integral 1 up to 1e-6."""
    return np.prod(stats.norm(0.4, 0.05).pdf(x), axis=1)


def test_a_grid_has_the_density_of_its_steps():
    grid = vegas(peaked, 2, 20_000, rng())
    x, inverse = grid.transform(rng(2).random((20_000, 2)))
    bins = grid.edges.shape[1] - 1
    for k in range(2):
        counts = np.histogram(x[:, k], grid.edges[k])[0]
        assert stats.chisquare(counts).pvalue > 1e-4
    assert (1 / inverse).min() > 0
    np.testing.assert_allclose(np.diff(grid.edges[0]).sum(), 1)
    assert len(np.unique(np.round(np.log(inverse), 12))) <= bins**2


def test_a_grid_learns_a_product_and_keeps_the_integral():
    grid = vegas(peaked, 2, 20_000, rng())
    x, inverse = grid.transform(rng(2).random((20_000, 2)))
    trained, flat = quality([peaked(x) * inverse]), quality([peaked(rng(3).random((20_000, 2)))])
    assert trained.relative_std < 0.3
    assert flat.relative_std == pytest.approx((1 / (4 * np.pi * 0.05**2) - 1) ** 0.5, rel=0.1)  # closed form
    for one in (trained, flat):
        assert abs(one.integral - 1) < 4 * one.error


def test_a_flat_grid_is_uniform():
    u = rng().random((100, 3))
    x, inverse = Grid.flat(3, 50).transform(u)
    np.testing.assert_allclose(x, u)
    np.testing.assert_allclose(inverse, 1)


def test_a_grid_is_no_better_than_that_of_the_vegas_package():
    package = pytest.importorskip("vegas", reason="vegas, which is not needed, is not installed")
    integrator = package.Integrator([[0, 1]] * 2)
    integrator(package.batchintegrand(peaked), nitn=10, neval=2000)
    y, x, jacobian = rng(2).random((20_000, 2)), np.empty((20_000, 2)), np.empty(20_000)
    integrator.map.map(y, x, jacobian)
    theirs = quality([peaked(x) * jacobian]).relative_std
    x, inverse = vegas(peaked, 2, 20_000, rng()).transform(y)
    assert quality([peaked(x) * inverse]).relative_std == pytest.approx(theirs, rel=0.3)


def test_quality_of_weights_with_a_known_law():
    w = rng().exponential(2.0, 100_000)
    found = quality([w])
    assert found.integral == pytest.approx(2, abs=4 * found.error)
    assert found.relative_std == pytest.approx(1, rel=0.02)
    assert found.efficiency == w.mean() / w.max()
    # of an exponential law the integral above w is exp(-w): a permille above ln 1000
    assert found.efficiency_permille == pytest.approx(0.999 / np.log(1000), rel=0.05)


def test_quality_of_channels_is_that_of_their_mixture():
    w = rng().exponential(1.0, 100_000)
    split = quality([0.25 * w[:50_000], 0.75 * w[50_000:]])
    assert split.relative_std == pytest.approx(1, rel=0.03)
    assert split.integral == pytest.approx(1, abs=4 * split.error)


def test_worth_without_weights_is_that_of_a_shifted_density():
    # generated uniform on [0, 1), true 1 + a (2 x - 1): two halves are off by a / 4, the total variation is a / 4
    a, x = 0.1, rng().random(400_000)
    ratio = 1 + a * (2 * x - 1)
    halves = Intervals.between([0, 0.5, 1], lambda events: events[:, 0])
    exact = np.array([0.5 - a / 4, 0.5 + a / 4])
    worth = worth_without_weights(x[:, None], ratio, [(halves, exact)])
    assert worth.regions[0] == pytest.approx((exact * (1 - exact)).sum() / (2 * (a / 4) ** 2), rel=0.05)
    assert worth.ratio == pytest.approx((np.sqrt(np.pi / 2) * np.log(2) / (a / 4)) ** 2, rel=0.02)


@pytest.mark.parametrize("behind", [0, 3])
def test_madnis_beats_plain_sampling_with_as_many_evaluations_as_planned(behind):
    counted = Counted(ON_SHELL)
    flow = train_on_density(counted, 3, FIT, 1, behind).flow
    assert counted.calls == FIT.steps // (behind + 1) * FIT.batch_size
    x, q = points_of_flow(flow, 10_000, 2)
    made = quality([ON_SHELL(x) / q])
    assert made.relative_std < 2  # of plain sampling it is 2.7
    assert abs(made.integral - PROCESS.sigma) < 5 * made.error


def test_channels_of_madnis_add_up():
    made = points_of_channels(train_on_channels(OFF_SHELL, FIT, 1, knows_weights=True), 5_000, 2)
    assert [x.shape for x, _ in made] == [(5_000, 5)] * len(CHANNELS)
    found = quality([w for _, w in made])
    assert abs(found.integral - PROCESS.sigma) < 5 * found.error


def test_flows_from_events_are_normalised_and_independent():
    samples = [ON_SHELL.points(PROCESS.sample(n, rng(n))) for n in (500, 2_000)]
    together = train_on_events(samples, FIT, 1)
    for channel in range(2):
        x, q = points_of_flow(together, 10_000, 3, channel)
        made = quality([ON_SHELL(x) / q])
        assert abs(made.integral - PROCESS.sigma) < 5 * made.error
        assert made.relative_std < 2
    assert not torch.equal(*(together.sample(5, channel=k) for k in range(2)))


def test_the_same_seed_trains_the_same_flow():
    first, second = (train_on_density(Counted(ON_SHELL), 3, Steps(3, 64, 1e-2), seed).flow for seed in (1, 1))
    np.testing.assert_array_equal(points_of_flow(first, 100, 1)[0], points_of_flow(second, 100, 1)[0])
