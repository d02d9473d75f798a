"""Network coordinates: round trips, derivatives by automatic differentiation, and numpy's kinematics as an oracle."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian, jvp

from gampl.generators.randomness import torch_generator
from gampl.particles.coordinates import Coordinates, JetCoordinates, LeadingOrderCoordinates, wrapped
from gampl.particles.kinematics import cartesian
from gampl.processes.leading_order_coordinates import TopPairCoordinates

PT_MIN, JETS = 22.0, 3
ENERGY, TOP = 13_000.0, 173.0
M_MAX = (ENERGY, 1000.0)  # the second far from the energy


def some_jets(n: int = 300, seed: int = 1) -> Tensor:
    """Jets of 22.1 to some hundred GeV with masses from 0.1 to some ten GeV."""
    uniform = torch.rand(n, JETS, 4, generator=torch_generator(seed), dtype=torch.float64).unbind(-1)
    pt = PT_MIN + 0.1 * torch.exp(8 * uniform[0])
    return torch.stack([pt, math.pi * (2 * uniform[1] - 1), 10 * uniform[2] - 5, 0.1 * torch.exp(6 * uniform[3])], -1)


def some_pairs(n: int = 300, seed: int = 1, m_max: float = ENERGY) -> Tensor:
    rng = np.random.default_rng(seed)
    m = np.exp(rng.uniform(np.log(347), np.log(0.95 * m_max), n))
    Y = np.log(ENERGY / m) * rng.uniform(-0.99, 0.99, n)
    return torch.tensor(np.stack([m, Y, rng.uniform(-0.999, 0.999, n), rng.uniform(-np.pi, np.pi, n)], axis=1))


def of_jets(events: Tensor) -> JetCoordinates:
    return JetCoordinates.of(events, PT_MIN)


def of_pairs(events: Tensor, m_max: float = ENERGY) -> LeadingOrderCoordinates:
    return LeadingOrderCoordinates.of(events, ENERGY, TOP, m_max)


def far_points(n: int = 200, seed: int = 2) -> Tensor:
    """Points of pairs up to 10 deviations away."""
    x = 20 * torch.rand(n, 4, generator=torch_generator(seed), dtype=torch.float64) - 10
    return torch.where(torch.tensor([False, False, False, True]), x * math.pi / 10, x)


class Case(NamedTuple):
    events: Callable[..., Tensor]  # of n and seed
    of: Callable[[Tensor], Coordinates]
    scale: Tensor  # of the numbers of an event
    x: Callable[[Coordinates], Tensor]  # other points than those of the events
    momenta: Callable[[np.ndarray], np.ndarray]  # (E, px, py, pz) of events, by numpy
    angles: list[bool]
    kept: list[int]  # numbers of a row that are not standardised


def pairs(m_max: float) -> Case:
    return Case(
        lambda n=300, seed=1: some_pairs(n, seed, m_max),
        lambda events: of_pairs(events, m_max),
        torch.tensor([ENERGY, 1.0, 1.0, 1.0]),
        lambda _: 0.3 * far_points(),
        lambda events: cartesian(TopPairCoordinates(ENERGY, TOP, m_max).momenta(events)),
        [False, False, False, True],
        [3],
    )


CASES = {
    "jets": Case(
        some_jets,
        of_jets,
        torch.ones(4),
        lambda c: c.to_network(some_jets(seed=2)),
        cartesian,
        [False, True, False, False] * JETS,
        [1, 2],
    ),
    **{f"pairs of at most {m_max:g} GeV": pairs(m_max) for m_max in M_MAX},
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


# ---- all


@cases
def test_events_and_back(case):
    events = case.events()
    c = case.of(events)
    x = case.x(c)
    assert c.to_network(events.float()).dtype == c.to_events(x.float()).dtype == torch.float64
    torch.testing.assert_close(c.to_events(c.to_network(events)) / case.scale, events / case.scale, rtol=0, atol=1e-9)
    torch.testing.assert_close(c.to_network(c.to_events(x)), x, rtol=0, atol=1e-10)


@cases
def test_coordinates_are_standardised_except_for_directions(case):
    events = case.events()
    c = case.of(events)
    x = c.to_network(events).reshape(events.shape)
    others = [k for k in range(4) if k not in case.kept]
    assert torch.equal(x[..., case.kept], events[..., case.kept])
    torch.testing.assert_close(x[..., others].mean(0), torch.zeros_like(x[0, ..., others]), rtol=0, atol=1e-12)
    torch.testing.assert_close(x[..., others].std(0), torch.ones_like(x[0, ..., others]))
    assert c.angles.tolist() == case.angles


@cases
def test_log_jacobian_equals_that_of_autograd(case):
    events, c = case.events(20), case.of(case.events(seed=3))
    matrices = jacobian(lambda e: c.to_network(e).sum(0), events).transpose(0, 1).flatten(2)
    log_jacobian = c.log_jacobian(c.to_network(events))
    torch.testing.assert_close(log_jacobian, torch.linalg.slogdet(matrices)[1], rtol=1e-9, atol=1e-8)


@cases
def test_momenta_are_those_of_numpy(case):
    events = case.events()
    c = case.of(events)
    momenta = c.momenta(c.to_network(events))
    assert momenta.shape == (len(events), c.particles, 4)
    assert momenta.dtype == torch.float64
    np.testing.assert_allclose(206.6 * momenta, case.momenta(events.numpy()), rtol=1e-8, atol=1e-7)


@cases
def test_a_turn_about_the_beam_changes_phi_alone(case):
    events = case.events()
    c = case.of(events)
    x = c.to_network(events)
    _, px, py, _ = c.momenta(x).unbind(-1)
    turn = torch.stack([torch.zeros_like(px), -py, px, torch.zeros_like(px)], -1)
    expected = c.angles.double().expand(len(x), -1)
    still = torch.zeros(len(x), c.particles, c.scalars).double()
    torch.testing.assert_close(c.velocity(x, turn, still), expected)


@cases
def test_statistics_come_from_the_events_given_and_are_saved(case):
    first, other = case.of(case.events(seed=5)), case.of(case.events(seed=6))
    others = [k for k in range(4) if k not in case.kept]
    for a, b, kept in ((first.mean, other.mean, 0), (first.std, other.std, 1)):
        assert (a[..., others] != b[..., others]).all()
        assert (a[..., case.kept] == kept).all()
    other.load_state_dict(first.state_dict())
    x = case.x(first)
    assert torch.equal(other.to_events(x), first.to_events(x))


@cases
def test_bad_events_are_named(case):
    events = case.events()
    for wrong in (events[0], events[..., :3], events[:1]):
        with pytest.raises(ValueError, match=r"events must have shape \(n, (jets, )?4\) with n of at least 2, got"):
            case.of(wrong)
    for value in (math.nan, math.inf):
        wrong = events.clone()
        wrong[7, ..., 1] = wrong[7, ..., 0] = value
        with pytest.raises(ValueError, match="1 of them are not finite"):
            case.of(wrong)


def test_wrapped_angles_are_the_same_directions():
    angles = torch.tensor([True, False])
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64)[:, None].expand(-1, 2)
    turned = wrapped(x, angles)
    assert torch.equal(turned[:, 1], x[:, 1])
    assert (turned[:, 0].abs() <= math.pi).all()
    torch.testing.assert_close(torch.polar(torch.ones_like(x[:, 0]), turned[:, 0]), torch.exp(1j * x[:, 0]))
    inside = x[:, 0].abs() < 3.14
    torch.testing.assert_close(turned[inside], x[inside])


# ---- jets


def test_coordinates_of_jets_rise():
    events = some_jets()
    x = of_jets(events).to_network(events).view(-1, JETS, 4)
    for column in (0, 3):
        assert torch.equal(x[:, 0, column].argsort(), events[:, 0, column].argsort())


def test_massless_jets():
    """They come back massless up to round-off of m², and stay on the light cone; below the floor m is exactly 0."""
    events = some_jets()
    events[:10, 1, 3] = 0.0
    c = of_jets(events)
    x = c.to_network(events)
    assert x.isfinite().all()
    assert (c.to_events(x)[:10, 1, 3] < 1e-6).all()
    below = x.clone()
    below[:, 4 * 1 + 3] = x[:, 4 * 1 + 3].min() - 0.5  # what a generator may say of the second jet
    assert (c.to_events(below)[:, 1, 3] == 0).all()
    energy, *p = c.momenta(below)[:, 1].unbind(-1)
    torch.testing.assert_close(energy, torch.stack(p).norm(dim=0))
    assert torch.equal(c.log_jacobian(below), torch.full((len(x),), -math.inf).double())


def direction(p: Tensor) -> Tensor:
    """(phi, eta) of (E, px, py, pz)."""
    _, px, py, pz = p.unbind(-1)
    return torch.stack([torch.atan2(py, px), torch.atanh(pz / p[..., 1:].norm(dim=-1))], -1)


def test_directions_of_jets_follow_the_momenta_and_the_rest_the_scalars():
    """Against forward derivatives: of the momenta along any flow of x, of the directions along any of momenta."""
    events, generator = some_jets(), torch_generator(4)
    c = of_jets(events)
    x = c.to_network(events)
    flow, vectors = torch.randn_like(x), torch.randn(len(x), JETS, 4, generator=generator).double()
    scalars = torch.randn(len(x), JETS, 2, generator=generator).double()
    momenta, rates = jvp(c.momenta, x, flow)
    velocity = c.velocity(x, rates, scalars).view(-1, JETS, 4)
    torch.testing.assert_close(velocity[..., 1:3], flow.view(-1, JETS, 4)[..., 1:3])
    assert torch.equal(velocity[..., ::3], scalars)
    _, expected = jvp(direction, momenta, vectors)
    torch.testing.assert_close(c.velocity(x, vectors, scalars).view(-1, JETS, 4)[..., 1:3], expected)
    single = c.velocity(x, vectors.float(), scalars.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.view(-1, JETS, 4)[..., 1:3].double(), expected, rtol=1e-3, atol=1e-3)


def test_tokens_are_the_coordinates_of_each_jet():
    events = some_jets(7)
    c = of_jets(events)
    x = c.to_network(events)
    assert c.tokens(x).shape == (7, c.particles, c.token_features)
    second = c.tokens(x)[:, 1]
    assert torch.equal(second[:, [0, 3, 4]], x[:, [4, 6, 7]])
    torch.testing.assert_close(torch.atan2(second[:, 1], second[:, 2]), x[:, 5])
    assert torch.equal(c.velocity_of_tokens(x.reshape(7, c.particles, c.token_rates)), x)


@pytest.mark.parametrize(("column", "value"), [(0, PT_MIN), (0, 5.0), (3, -0.1)])
def test_jets_outside_phase_space_are_named(column, value):
    events = some_jets()
    events[7, 2, column] = value
    with pytest.raises(ValueError, match=r"jet 2 has pT <= 22.0 GeV or m < 0"):
        of_jets(events)


# ---- pairs of tops at leading order


def test_coordinates_of_pairs_are_the_unbounded_ones_of_the_process():
    events = some_pairs(m_max=1000.0)
    c = of_pairs(events, 1000.0)
    expected = TopPairCoordinates(ENERGY, TOP, 1000.0).unbounded(events.numpy())[0][:, :3]
    np.testing.assert_allclose(c.to_network(events)[:, :3] * c.std[:3] + c.mean[:3], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("m_max", M_MAX)
def test_far_from_the_events_all_stays_finite(m_max):
    c, x = of_pairs(some_pairs(m_max=m_max), m_max), far_points()
    # where events are rounded to the edges, the Jacobian still is that of the inverse map
    matrices = jacobian(lambda y: c.to_events(y).sum(0), x).transpose(0, 1)
    near = (x.abs() < 4).all(-1)
    torch.testing.assert_close(c.log_jacobian(x)[near], -torch.linalg.slogdet(matrices[near])[1], rtol=1e-7, atol=1e-7)
    assert c.log_jacobian(x).isfinite().all()
    p = c.momenta(x)
    assert p.isfinite().all()
    assert (p[..., 0] > p[..., 1:].norm(dim=-1)).all()  # up to rounding the tops keep their mass
    assert (p[..., 1:3].norm(dim=-1) > 0).all()


def test_phi_of_pairs_follows_the_momenta_and_the_rest_the_mean_scalars():
    """Against the forward derivative of the momenta along any flow of x, and of atan2 along any flow of momenta."""
    events, generator = some_pairs(), torch_generator(4)
    c = of_pairs(events)
    x = c.to_network(events)
    flow, vectors = torch.randn(len(x), 4, generator=generator).double(), torch.randn(len(x), 2, 4, generator=generator)
    scalars = torch.randn(len(x), 2, 3, generator=generator).double()
    momenta, rates = jvp(c.momenta, x, flow)
    velocity = c.velocity(x, rates, scalars)
    torch.testing.assert_close(velocity[:, :3], (scalars[:, 0] + scalars[:, 1]) / 2)
    torch.testing.assert_close(velocity[:, 3], flow[:, 3])
    _, of_phi = jvp(lambda p: torch.atan2(p[..., 2], p[..., 1]), momenta, vectors.double())
    single = c.velocity(x, vectors, scalars.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single[:, 3].double(), of_phi.mean(-1), rtol=2e-4, atol=2e-4)


def test_tokens_of_pairs_see_all_of_x_and_their_mean_moves_it():
    events = some_pairs(7)
    c = of_pairs(events)
    x = c.to_network(events)
    tokens = c.tokens(x)
    assert tokens.shape == (7, c.particles, c.token_features)
    assert torch.equal(tokens[:, 0, :3], x[:, :3])
    torch.testing.assert_close(torch.atan2(tokens[:, 0, 3], tokens[:, 0, 4]), x[:, 3])
    assert torch.equal(tokens[:, 1], tokens[:, 0])
    outputs = torch.stack([x + 1, x - 2], 1)
    torch.testing.assert_close(c.velocity_of_tokens(outputs), x - 0.5)


def test_infinite_at_the_edges():
    c = of_pairs(some_pairs())
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
def test_pairs_at_the_edges_and_beyond_are_named(column, value, what):
    events = some_pairs(m_max=1000.0)
    events[5] = torch.tensor([500.0, 0.0, 0.0, 0.0])
    events[5, column] = value
    with pytest.raises(ValueError, match=rf"{what}.*1 are not, the first is event 5"):
        of_pairs(events, 1000.0)


def test_numbers_of_pairs_that_do_not_fit_are_named():
    for energy, top, m_max in ((13e3, 173.0, 346.0), (13e3, 173.0, 14e3), (13e3, 0.0, 1e3), (math.nan, 173.0, 1e3)):
        with pytest.raises(ValueError, match="need 0 < 2 top_mass < m_max <= energy"):
            LeadingOrderCoordinates.of(some_pairs(), energy, top, m_max)
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(3,\)"):
        LeadingOrderCoordinates(torch.zeros(3), torch.ones(4), 13e3, 173.0, 13e3)
