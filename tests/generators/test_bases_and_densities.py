"""Latent distributions and explicit densities of events: normalised, and followed by what they draw."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.base import CutAwareNormal, Normal
from gampl.generators.densities import Density, Spline
from gampl.generators.settings import Architecture
from gampl.particles.coordinates import JetCoordinates
from gampl.particles.kinematics import delta_r

PT_MIN, DELTA_R_MIN = 22.0, 0.5


def jets(n=400, particles=2, seed=0):
    """Events that pass the cuts on pT, (n, particles, 4)."""
    rng = np.random.default_rng(seed)
    shape = (n, particles)
    columns = [PT_MIN + rng.exponential(60, shape), rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.2, shape)]
    return torch.from_numpy(np.stack([*columns, rng.gamma(4, 2, shape)], -1))


def cut_aware(particles=2):
    return CutAwareNormal(JetCoordinates.of(jets(particles=particles), PT_MIN), DELTA_R_MIN)


def standard(particles=2):
    return Normal(JetCoordinates.of(jets(particles=particles), PT_MIN).angles)


def proposal(n, d, seed):
    """Broad, independent coordinates of two jets and their log density, to integrate over: (n, d), (n,)."""
    rng = np.random.default_rng(seed)
    x, log_density = np.empty((n, d)), np.zeros(n)
    scales = {0: stats.t(3, 0.5, 1.3), 2: stats.norm(0, 1.8), 3: stats.norm(0, 1.4)}
    for k in range(d):
        shape = scales.get(k % 4, stats.uniform(-np.pi, 2 * np.pi))
        x[:, k] = shape.rvs(n, random_state=rng)
        log_density += shape.logpdf(x[:, k])
    return torch.from_numpy(x), torch.from_numpy(log_density)


@pytest.mark.parametrize("base", [cut_aware(), standard()], ids=["cut-aware", "normal"])
def test_latent_densities_are_normalised(base):
    """By importance sampling; the cut-aware one also has the error of its acceptance, 0.1 %. False alarm 1e-4."""
    x, log_density = proposal(400_000, 8, seed=1)
    weights = (base.log_prob(x) - log_density).exp().numpy()
    error = weights.std() / math.sqrt(len(weights))
    assert error < 0.02
    assert abs(weights.mean() - 1) < 4 * error + 0.002


def test_latent_jets_pass_the_cuts_and_are_normal_otherwise():
    base = cut_aware(particles=3)
    latent = base.sample(20_000, torch.Generator().manual_seed(2))
    events = base.coordinates.to_events(latent).numpy()
    assert events[..., 0].min() > PT_MIN
    distances = np.stack([delta_r(events[:, a], events[:, b]) for a, b in ((0, 1), (0, 2), (1, 2))])
    assert distances.min() > DELTA_R_MIN
    # pT² of two normal components is exponential, cut at pT_min; the cut on distances does not see it
    squares = (events[:, 0, 0] / 206.6) ** 2 - (PT_MIN / 206.6) ** 2
    assert stats.kstest(squares, "expon", args=(0, 2)).pvalue > 1e-3  # false alarm 1e-3
    assert stats.kstest(latent[:, 3], "norm").pvalue > 1e-3


def test_outside_the_cuts_there_is_no_latent_density():
    base = cut_aware()
    near = jets(2)
    near[:, 1] = near[:, 0]
    assert (base.log_prob(base.coordinates.to_network(near)) == -math.inf).all()


def test_latent_angles_are_uniform():
    x = standard().sample(20_000, torch.Generator().manual_seed(3))
    assert stats.kstest(x[:, 1], "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-3  # false alarm 1e-3
    assert stats.kstest(x[:, 0], "norm").pvalue > 1e-3


def densities():
    coordinates = JetCoordinates.of(jets(particles=1), PT_MIN)
    x = coordinates.to_network(jets(particles=1))
    size = Architecture("autoregressive", 1, 2, width=8, components=4)
    network = AutoregressiveTransformer(4, size, generator=torch.Generator().manual_seed(4))
    spline = Spline(4, Architecture("spline", 2, width=16, components=4), generator=torch.Generator().manual_seed(5))
    return [Density(coordinates, network, x), Density(coordinates, spline, x)]


@pytest.mark.parametrize("density", densities(), ids=["autoregressive", "spline"])
def test_densities_are_normalised_and_generate_what_they_say(density):
    """Probabilities in (pT, phi, eta, m) by importance sampling, and as shares of generated events.

    Ten comparisons at 4 sigma: false alarm 6e-4.
    """
    rng, n = np.random.default_rng(6), 100_000
    shapes = [stats.expon(PT_MIN, 90), stats.uniform(-np.pi, 2 * np.pi), stats.norm(0, 2.5), stats.gamma(2, 0, 6)]
    columns = np.stack([shape.rvs(n, random_state=rng) for shape in shapes], -1)
    log_density = sum(shape.logpdf(columns[:, k]) for k, shape in enumerate(shapes))
    weights = np.exp(density.log_prob(torch.from_numpy(columns[:, None])).numpy() - log_density)
    generated = density.sample(50_000, torch.Generator().manual_seed(8))[:, 0].numpy()
    assert generated[:, 0].min() >= PT_MIN
    assert np.abs(generated[:, 1]).max() <= math.pi
    has_mass = generated[:, 3] > 0  # below the end of the masses there is no density: such jets have no mass
    for name, k, limit in (("all", 0, 0.0), ("pT", 0, 60.0), ("phi", 1, 0.5), ("eta", 2, 0.3), ("m", 3, 9.0)):
        inside, share = weights * (columns[:, k] > limit), has_mass & (generated[:, k] > limit)
        error = math.hypot(inside.std() / math.sqrt(n), share.std() / math.sqrt(len(share)))
        assert error < 0.03, name
        assert abs(inside.mean() - share.mean()) < 4 * error, name


@pytest.mark.parametrize("density", densities(), ids=["autoregressive", "spline"])
def test_a_longer_stream_begins_with_the_shorter_one(density):
    short, long = (torch.cat(list(density.stream(n, torch.Generator().manual_seed(8), 300))) for n in (200, 500))
    assert long.shape == (500, 1, 4)
    # where round-off crosses a boundary, of a mixture's component or of an angle, an event is another one
    alike = torch.isclose(long[:200], short, rtol=1e-3, atol=1e-3).all(-1).all(-1)
    assert alike.sum() >= 198
    with pytest.raises(ValueError, match="at least 1"):
        next(density.stream(0, torch.Generator()))


@pytest.mark.parametrize("density", densities(), ids=["autoregressive", "spline"])
def test_the_loss_is_the_density_of_standardised_coordinates(density):
    events = jets(50, particles=1, seed=10)
    x = density.coordinates.to_network(events)
    jacobian = density.coordinates.log_jacobian(x) - density.std.log().sum()
    # log_prob adds the angles a turn away, of which a density that covers events has little
    difference = density.log_prob(events) - (jacobian - density(x))
    assert (difference > -1e-5).all()
    assert difference.median() < 0.05
    gradients = torch.autograd.grad(density(x).sum(), list(density.parameters()))
    assert all(g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("density", densities(), ids=["autoregressive", "spline"])
def test_events_come_without_gradients_and_gradients_stay_on(density):
    for events in density.stream(20, torch.Generator().manual_seed(8), 10):
        assert not events.requires_grad
        assert torch.is_grad_enabled()  # also while the stream waits for the next batch to be asked for


def test_the_global_random_stream_stays():
    before = torch.random.get_rng_state()
    densities()
    standard().sample(3, torch.Generator())
    assert torch.equal(before, torch.random.get_rng_state())
