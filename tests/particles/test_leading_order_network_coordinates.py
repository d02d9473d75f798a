"""Coordinates of top pairs: the numpy code of the process as an oracle, and Jacobians by automatic differentiation."""

import math

import numpy as np
import pytest
import torch
from torch.autograd.functional import jacobian, jvp

from gampl.generators.randomness import torch_generator
from gampl.particles.coordinates import LeadingOrderCoordinates
from gampl.particles.kinematics import cartesian
from gampl.processes.leading_order_coordinates import TopPairCoordinates

ENERGY, TOP = 13_000.0, 173.0
M_MAX = (ENERGY, 1000.0)  # the second far from the energy
SCALE = torch.tensor([ENERGY, 1.0, 1.0, 1.0])


def some_events(n: int = 300, m_max: float = ENERGY, seed: int = 1) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    m = np.exp(rng.uniform(np.log(347), np.log(0.95 * m_max), n))
    Y = np.log(ENERGY / m) * rng.uniform(-0.99, 0.99, n)
    return torch.tensor(np.stack([m, Y, rng.uniform(-0.999, 0.999, n), rng.uniform(-np.pi, np.pi, n)], axis=1))


def of(events: torch.Tensor, m_max: float = ENERGY) -> LeadingOrderCoordinates:
    return LeadingOrderCoordinates.of(events, ENERGY, TOP, m_max)


def far_points(n: int = 200, seed: int = 2) -> torch.Tensor:
    """Points up to 10 deviations away."""
    x = 20 * torch.rand(n, 4, generator=torch_generator(seed), dtype=torch.float64) - 10
    return torch.where(torch.tensor([False, False, False, True]), x * math.pi / 10, x)


@pytest.mark.parametrize("m_max", M_MAX)
def test_events_and_back(m_max):
    events = some_events(m_max=m_max)
    c = of(events, m_max)
    assert c.to_network(events.float()).dtype == c.to_events(far_points().float()).dtype == torch.float64
    torch.testing.assert_close(c.to_events(c.to_network(events)) / SCALE, events / SCALE, rtol=0, atol=1e-10)
    x = 0.3 * far_points()
    torch.testing.assert_close(c.to_network(c.to_events(x)), x, rtol=0, atol=1e-10)


def test_coordinates_are_the_unbounded_ones_of_the_process_standardised():
    events = some_events(m_max=1000.0)
    c = of(events, 1000.0)
    expected = TopPairCoordinates(ENERGY, TOP, 1000.0).unbounded(events.numpy())[0][:, :3]
    x = c.to_network(events)
    np.testing.assert_allclose(x[:, :3] * c.std[:3] + c.mean[:3], expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(x[:, :3].mean(0), torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(x[:, :3].std(0), torch.ones(3).double())
    assert torch.equal(x[:, 3], events[:, 3])
    assert c.angles.tolist() == [False, False, False, True]


@pytest.mark.parametrize("m_max", M_MAX)
def test_log_jacobian_equals_that_of_autograd(m_max):
    events = some_events(25, m_max)
    c = of(some_events(m_max=m_max, seed=3), m_max)
    matrices = jacobian(lambda e: c.to_network(e).sum(0), events).transpose(0, 1)
    torch.testing.assert_close(
        c.log_jacobian(c.to_network(events)), torch.linalg.slogdet(matrices)[1], rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("m_max", M_MAX)
def test_far_from_the_events_all_stays_finite(m_max):
    c, x = of(some_events(m_max=m_max), m_max), far_points()
    # where events are rounded to the edges, the Jacobian still is that of the inverse map
    matrices = jacobian(lambda y: c.to_events(y).sum(0), x).transpose(0, 1)
    near = (x.abs() < 4).all(-1)
    torch.testing.assert_close(c.log_jacobian(x)[near], -torch.linalg.slogdet(matrices[near])[1], rtol=1e-7, atol=1e-7)
    assert c.log_jacobian(x).isfinite().all()
    p = c.momenta(x)
    assert p.isfinite().all()
    assert (p[..., 0] > p[..., 1:].norm(dim=-1)).all()  # up to rounding the tops keep their mass
    assert (p[..., 1:3].norm(dim=-1) > 0).all()


def test_momenta_are_those_of_the_process():
    events = some_events()
    c = of(events)
    expected = cartesian(TopPairCoordinates(ENERGY, TOP, ENERGY).momenta(events.numpy()))
    momenta = c.momenta(c.to_network(events).float().double())
    assert momenta.shape == (len(events), c.particles, 4)
    assert momenta.dtype == torch.float64
    np.testing.assert_allclose(206.6 * c.momenta(c.to_network(events)), expected, rtol=1e-8, atol=1e-7)


def test_a_turn_about_the_beam_changes_phi_alone():
    events = some_events()
    c = of(events)
    x = c.to_network(events)
    _, px, py, _ = c.momenta(x).unbind(-1)
    turn = torch.stack([torch.zeros_like(px), -py, px, torch.zeros_like(px)], -1)
    expected = torch.tensor([0.0, 0.0, 0.0, 1.0]).double().expand(len(x), -1)
    torch.testing.assert_close(c.velocity(x, turn, torch.zeros(len(x), 2, 3).double()), expected)


def test_phi_follows_the_momenta_and_the_rest_the_mean_scalars():
    """Against the forward derivative of the momenta along any flow of x, and of atan2 along any flow of momenta."""
    events, generator = some_events(), torch_generator(4)
    c = of(events)
    x = c.to_network(events)
    flow, vectors = torch.randn(len(x), 4, generator=generator).double(), torch.randn(len(x), 2, 4, generator=generator)
    scalars = torch.randn(len(x), 2, 3, generator=generator).double()
    momenta, rates = jvp(c.momenta, x, flow)
    found = c.velocity(x, rates, scalars)
    torch.testing.assert_close(found[:, :3], (scalars[:, 0] + scalars[:, 1]) / 2)
    torch.testing.assert_close(found[:, 3], flow[:, 3])
    _, of_phi = jvp(lambda p: torch.atan2(p[..., 2], p[..., 1]), momenta, vectors.double())
    found = c.velocity(x, vectors, scalars.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[:, 3].double(), of_phi.mean(-1), rtol=2e-4, atol=2e-4)


def test_tokens_see_all_of_x_and_their_mean_moves_it():
    events = some_events(7)
    c = of(events)
    x = c.to_network(events)
    tokens = c.tokens(x)
    assert tokens.shape == (7, c.particles, c.token_features)
    assert torch.equal(tokens[:, 0, :3], x[:, :3])
    torch.testing.assert_close(torch.atan2(tokens[:, 0, 3], tokens[:, 0, 4]), x[:, 3])
    assert torch.equal(tokens[:, 1], tokens[:, 0])
    outputs = torch.stack([x + 1, x - 2], 1)
    torch.testing.assert_close(c.velocity_of_tokens(outputs), x - 0.5)


def test_statistics_come_from_the_events_given_and_are_saved():
    first, other = of(some_events(seed=5)), of(some_events(seed=6))
    assert (first.mean[:3] != other.mean[:3]).all()
    assert first.mean[3] == 0
    assert first.std[3] == 1
    other.load_state_dict(first.state_dict())
    assert torch.equal(other.to_events(far_points()), first.to_events(far_points()))


def test_infinite_at_the_edges():
    c = of(some_events())
    edges = torch.tensor([[2 * TOP, 0, 0, 0], [400, 0, 1, 0], [400, 0, 0, 0]]).double()
    edges[2, 1] = -torch.log(ENERGY / edges[2, 0])
    assert c.to_network(edges).isinf().any(-1).all()


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        (0, 2 * TOP, "m must be between 346 and 1000 GeV"),
        (0, 1000.0, "m must be"),
        (0, 1200.0, "m must be"),
        (1, math.log(ENERGY / 500) + 1e-15, r"Y must be between -ln\(energy / m\)"),
        (1, -math.log(ENERGY / 500) - 1e-15, "Y must be"),
        (2, 1.0, "cos theta. must be between -1 and 1"),
        (2, -1.0, "cos theta. must be"),
    ],
)
def test_events_at_the_edges_and_beyond_are_named(column, value, what):
    events = some_events(m_max=1000.0)
    events[5] = torch.tensor([500.0, 0.0, 0.0, 0.0])
    events[5, column] = value
    with pytest.raises(ValueError, match=rf"{what}.*1 are not, the first is event 5"):
        of(events, 1000.0)


def test_bad_input_is_named():
    events = some_events()
    for wrong in (events[:, :3], events[0], events[:1]):
        with pytest.raises(ValueError, match=r"events must be at least 2, of shape \(n, 4\), got"):
            of(wrong)
    events[3, 3] = math.nan
    with pytest.raises(ValueError, match="1 of them are not finite"):
        of(events)
    for energy, top, m_max in ((13e3, 173.0, 346.0), (13e3, 173.0, 14e3), (13e3, 0.0, 1e3), (math.nan, 173.0, 1e3)):
        with pytest.raises(ValueError, match="need 0 < 2 top_mass < m_max <= energy"):
            LeadingOrderCoordinates.of(some_events(), energy, top, m_max)
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(3,\)"):
        LeadingOrderCoordinates(torch.zeros(3), torch.ones(4), 13e3, 173.0, 13e3)
