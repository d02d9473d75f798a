"""Flow matching against flows that are known exactly, and its density against brute force."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from gampl.generators.base import Normal
from gampl.generators.flow_matching import FlowMatching
from gampl.generators.settings import EVALUATIONS, Solver

FINE = Solver("rk4", 40)
MEAN, WIDTH = 0.7, 0.4  # of the events of the exact flow


class Plain(nn.Module):
    """Coordinates that are the events themselves, the last `turning` of them angles."""

    def __init__(self, d, turning=0):
        super().__init__()
        self.d, self.event_shape = d, (d,)
        self.register_buffer("angles", torch.arange(d) >= d - turning)

    def to_network(self, events):
        return events.double()

    def to_events(self, x):
        return x

    def log_jacobian(self, x):
        return torch.zeros_like(x[:, 0])


class Exact(nn.Module):
    """The velocity that carries N(0, 1) at t = 1 to N(MEAN, WIDTH²) at t = 0 on straight paths: < x_1 - x_0 | x_t >."""

    def forward(self, x, t):
        t = t.unsqueeze(-1)
        variance = (1 - t) ** 2 * WIDTH**2 + t**2
        return -MEAN + (t - (1 - t) * WIDTH**2) / variance * (x - (1 - t) * MEAN)


class Wild(nn.Module):
    """A velocity that nobody trained: smooth, periodic in the last coordinate, with a divergence."""

    def __init__(self, d, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Parameter(torch.randn(d + 3, 16, generator=generator, dtype=torch.float64))
        self.second = nn.Parameter(0.4 * torch.randn(16, d, generator=generator, dtype=torch.float64))

    def forward(self, x, t):
        seen = torch.cat([x[:, :-1], x[:, -1:].sin(), x[:, -1:].cos(), t[:, None], torch.ones_like(t[:, None])], -1)
        return torch.tanh(seen @ self.first) @ self.second


def exact_flow(d=1):
    coordinates = Plain(d)
    return FlowMatching(coordinates, Exact(), Normal(coordinates.angles), FINE)


def wild_flow(d=2):
    coordinates = Plain(d, turning=1)
    return FlowMatching(coordinates, Wild(d), Normal(coordinates.angles), Solver("rk4", 10))


def test_the_exact_velocity_makes_the_exact_events():
    # one Kolmogorov-Smirnov test with a fixed seed: false alarm 1e-3
    events = exact_flow().sample(20_000, torch.Generator().manual_seed(1))[:, 0]
    assert stats.kstest(events, "norm", args=(MEAN, WIDTH)).pvalue > 1e-3


def test_the_exact_velocity_has_the_exact_density():
    x = torch.linspace(-1, 2, 30, dtype=torch.float64)[:, None]
    expected = stats.norm.logpdf(x[:, 0].numpy(), MEAN, WIDTH)
    np.testing.assert_allclose(exact_flow().log_prob(x), expected, atol=1e-5)


def test_the_exact_velocity_minimises_the_loss():
    """The least loss is half the mean variance of x_1 - x_0 given x_t; every other velocity has more."""
    flow = exact_flow()
    x = torch.from_numpy(np.random.default_rng(2).normal(MEAN, WIDTH, (200_000, 1)))

    def loss(offset):
        flow.velocity.forward = lambda x, t: Exact().forward(x, t) + offset
        return flow(x, None, *flow.noise(len(x), torch.Generator().manual_seed(3)))

    t = np.linspace(0, 1, 10_001)
    spread = (1 - t) ** 2 * WIDTH**2 + t**2
    least = 0.5 * np.trapezoid(WIDTH**2 + 1 - (t - (1 - t) * WIDTH**2) ** 2 / spread, t)
    losses = loss(0.0)
    assert losses.shape == (200_000,)
    assert abs(losses.mean() - least) < 4 * losses.std() / math.sqrt(200_000)  # false alarm 6e-5
    for offset in (0.1, -0.1):  # the same times and latent events: the difference is 0.1² / 2 and a little noise
        assert 0.003 < loss(offset).mean() - losses.mean() < 0.007


def test_the_path_takes_the_shorter_way_around():
    flow = wild_flow()
    seen = []

    class Still(nn.Module):
        def forward(self, x, _):
            seen.append(x)
            return torch.zeros_like(x)

    flow.velocity = Still()
    x = torch.zeros(5000, 2, dtype=torch.float64)
    x[:, 1] = 3.0  # latent angles are uniform, so that half of them are nearer beyond pi
    losses = flow(x, None, *flow.noise(len(x), torch.Generator().manual_seed(4)))
    assert seen[0][:, 1].abs().max() <= math.pi
    assert (seen[0][:, 1] < -2).any()
    assert losses.max() < 0.25 * (math.pi**2 + 25)
    # the way is uniform in (-pi, pi): its mean square pi² / 3, and that of the other coordinate 1
    assert losses.mean() == pytest.approx(0.25 * (math.pi**2 / 3 + 1), rel=0.05)


def test_the_density_of_a_wild_flow_integrates_to_one_by_brute_force():
    flow = wild_flow()
    line, angle = torch.linspace(-12, 12, 241, dtype=torch.float64), torch.arange(64, dtype=torch.float64)
    grid = torch.cartesian_prod(line, angle * 2 * math.pi / 64 - math.pi)
    total = flow.log_prob(grid).exp().sum().item() * 0.1 * 2 * math.pi / 64
    assert total == pytest.approx(1, abs=1e-3)
    # not a matter of course: the latent density, without the divergence, is a different one
    assert flow.log_prob(grid).sub(flow.base.log_prob(grid)).abs().max() > 0.5


def test_the_samples_of_a_wild_flow_follow_its_density():
    """Chi squared in bins of both coordinates against the integrated density: false alarm 1e-3."""
    flow = wild_flow()
    events = flow.sample(20_000, torch.Generator().manual_seed(5)).numpy()
    step, angle_step = 0.1, 2 * math.pi / 96
    line = (torch.arange(240, dtype=torch.float64) + 0.5) * step - 12  # bin edges lie between these points
    angle = (torch.arange(96, dtype=torch.float64) + 0.5) * angle_step - math.pi
    grid = torch.cartesian_prod(line, angle)
    probability = flow.log_prob(grid).exp().numpy() * step * angle_step
    edges = [np.array([-12, -1, -0.3, 0.3, 1, 12]), np.linspace(-math.pi, math.pi, 7)]
    expected = 20_000 * np.histogram2d(*grid.T.numpy(), edges, weights=probability)[0]
    counts = np.histogram2d(*events.T, edges)[0]
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(chi2, counts.size - 1) > 1e-3


def test_estimated_divergences_are_unbiased():
    flow, x = wild_flow(3), torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    exact = flow.log_prob(x)
    # for each event the mean of independent estimates; signs of 2 coordinates repeat, so many are needed
    estimates = torch.stack([flow.log_prob(x, probes=4, generator=torch.Generator().manual_seed(s)) for s in range(30)])
    pulls = (estimates.mean(0) - exact) / (estimates.std(0) / math.sqrt(30))
    assert estimates.std(0).min() > 1e-3
    assert pulls.abs().max() < 5  # of 40 pulls with 29 degrees of freedom: false alarm 1e-3
    assert pulls.square().mean() < 2.2
    with pytest.raises(ValueError, match="generator"):
        flow.log_prob(x, probes=1)


def test_a_longer_stream_begins_with_the_shorter_one():
    flow = wild_flow()
    short, long = (torch.cat(list(flow.stream(n, torch.Generator().manual_seed(7), 50))) for n in (70, 130))
    assert [len(batch) for batch in flow.stream(130, torch.Generator(), 50)] == [50, 50, 30]
    torch.testing.assert_close(long[:70], short, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="at least 1"):
        next(flow.stream(0, torch.Generator()))


@pytest.mark.parametrize("steps", [1, 7, 49])  # 1 / (1 / 49) is a little more than 49
@pytest.mark.parametrize("method", EVALUATIONS)
def test_a_solver_evaluates_as_often_as_it_says(method, steps):
    flow, calls = exact_flow(), []
    original = flow.velocity.forward
    flow.velocity.forward = lambda x, t: calls.append(len(x)) or original(x, t)
    flow.transport(torch.zeros(3, 1, dtype=torch.float64), Solver(method, steps))
    assert len(calls) == Solver(method, steps).evaluations


def test_more_steps_are_closer_to_the_exact_flow():
    latent = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    exact = MEAN + WIDTH * latent
    errors = [(exact_flow().transport(latent, Solver("midpoint", n)) - exact).abs().max().item() for n in (4, 8, 16)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]  # second order: four times smaller each


def test_a_solver_is_checked():
    with pytest.raises(ValueError, match=r"Solver\.method.*'dopri5'"):
        Solver("dopri5", 3)
    with pytest.raises(ValueError, match=r"Solver\.steps"):
        Solver("rk4", 0)
