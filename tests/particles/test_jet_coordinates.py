"""Coordinates of jets: round trips, Jacobians and rates by automatic differentiation, kinematics as an oracle."""

import math

import numpy as np
import pytest
import torch
from torch.autograd.functional import jacobian, jvp

from gampl.generators.randomness import torch_generator
from gampl.particles.coordinates import JetCoordinates, wrapped
from gampl.particles.kinematics import cartesian

PT_MIN, JETS = 22.0, 3


def some_events(n: int = 300, seed: int = 1) -> torch.Tensor:
    """Jets of 22.1 to some hundred GeV with masses from 0.1 to some ten GeV."""
    uniform = torch.rand(n, JETS, 4, generator=torch_generator(seed), dtype=torch.float64).unbind(-1)
    pt = PT_MIN + 0.1 * torch.exp(8 * uniform[0])
    return torch.stack([pt, math.pi * (2 * uniform[1] - 1), 10 * uniform[2] - 5, 0.1 * torch.exp(6 * uniform[3])], -1)


def of(events: torch.Tensor) -> JetCoordinates:
    return JetCoordinates.of(events, PT_MIN)


def test_events_and_back():
    events = some_events()
    c = of(events)
    assert c.to_network(events.float()).dtype == torch.float64
    torch.testing.assert_close(c.to_events(c.to_network(events)), events, rtol=1e-10, atol=1e-10)
    x = c.to_network(some_events(seed=2))
    torch.testing.assert_close(c.to_network(c.to_events(x)), x, rtol=0, atol=1e-10)


def test_coordinates_are_standardised_except_for_the_directions():
    events = some_events()
    c = of(events)
    x = c.to_network(events).view(-1, JETS, 4)
    torch.testing.assert_close(x[..., ::3].mean(0), torch.zeros(JETS, 2).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(x[..., ::3].std(0), torch.ones(JETS, 2).double())
    assert torch.equal(x[..., 1:3], events[..., 1:3])
    for column in (0, 3):  # rising
        assert torch.equal(x[:, 0, column].argsort(), events[:, 0, column].argsort())
    assert c.angles.tolist() == [False, True, False, False] * JETS


def test_log_jacobian_equals_that_of_autograd():
    events, c = some_events(20), of(some_events(seed=3))
    matrices = jacobian(lambda e: c.to_network(e).sum(0), events).transpose(0, 1).flatten(2)
    log_jacobian = c.log_jacobian(c.to_network(events))
    torch.testing.assert_close(log_jacobian, torch.linalg.slogdet(matrices)[1], rtol=0, atol=1e-8)


def test_momenta_are_those_of_kinematics():
    events = some_events()
    c = of(events)
    momenta = c.momenta(c.to_network(events))
    assert momenta.dtype == torch.float64
    np.testing.assert_allclose(206.6 * momenta, cartesian(events.numpy()), rtol=1e-9, atol=1e-9)


def test_massless_jets():
    """They come back massless up to round-off of m², and stay on the light cone; below the floor m is exactly 0."""
    events = some_events()
    events[:10, 1, 3] = 0.0
    c = of(events)
    x = c.to_network(events)
    assert x.isfinite().all()
    assert (c.to_events(x)[:10, 1, 3] < 1e-6).all()
    below = x.clone()
    below[:, 4 * 1 + 3] = x[:, 4 * 1 + 3].min() - 0.5  # what a generator may say of the second jet
    assert (c.to_events(below)[:, 1, 3] == 0).all()
    energy, *p = c.momenta(below)[:, 1].unbind(-1)
    torch.testing.assert_close(energy, torch.stack(p).norm(dim=0))
    assert torch.equal(c.log_jacobian(below), torch.full((len(x),), -math.inf).double())


def test_a_turn_about_the_beam_changes_phi_alone():
    events = some_events()
    c = of(events)
    x = c.to_network(events)
    _, px, py, _ = c.momenta(x).unbind(-1)
    turn = torch.stack([torch.zeros_like(px), -py, px, torch.zeros_like(px)], -1)
    expected = c.angles.double().expand(len(x), -1)
    torch.testing.assert_close(c.velocity(x, turn, torch.zeros(len(x), JETS, 2).double()), expected)


def direction(p: torch.Tensor) -> torch.Tensor:
    """(phi, eta) of (E, px, py, pz)."""
    _, px, py, pz = p.unbind(-1)
    return torch.stack([torch.atan2(py, px), torch.atanh(pz / p[..., 1:].norm(dim=-1))], -1)


def test_directions_follow_the_momenta_and_the_rest_the_scalars():
    """Against forward derivatives: of the momenta along any flow of x, of the directions along any of momenta."""
    events, generator = some_events(), torch_generator(4)
    c = of(events)
    x = c.to_network(events)
    flow, vectors = torch.randn_like(x), torch.randn(len(x), JETS, 4, generator=generator).double()
    scalars = torch.randn(len(x), JETS, 2, generator=generator).double()
    momenta, rates = jvp(c.momenta, x, flow)
    found = c.velocity(x, rates, scalars).view(-1, JETS, 4)
    torch.testing.assert_close(found[..., 1:3], flow.view(-1, JETS, 4)[..., 1:3])
    assert torch.equal(found[..., ::3], scalars)
    _, expected = jvp(direction, momenta, vectors)
    torch.testing.assert_close(c.velocity(x, vectors, scalars).view(-1, JETS, 4)[..., 1:3], expected)
    single = c.velocity(x, vectors.float(), scalars.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.view(-1, JETS, 4)[..., 1:3].double(), expected, rtol=1e-3, atol=1e-3)


def test_tokens_are_the_coordinates_of_each_jet():
    events = some_events(7)
    c = of(events)
    x = c.to_network(events)
    assert c.tokens(x).shape == (7, c.particles, c.token_features)
    second = c.tokens(x)[:, 1]
    assert torch.equal(second[:, [0, 3, 4]], x[:, [4, 6, 7]])
    torch.testing.assert_close(torch.atan2(second[:, 1], second[:, 2]), x[:, 5])
    assert torch.equal(c.velocity_of_tokens(x.reshape(7, c.particles, c.token_rates)), x)


def test_statistics_come_from_the_events_given_and_are_saved():
    first, other = of(some_events(seed=5)), of(some_events(seed=6))
    for a, b in ((first.mean, other.mean), (first.std, other.std)):
        assert (a[:, ::3] != b[:, ::3]).all()
        assert torch.equal(a[:, 1:3], b[:, 1:3])
    other.load_state_dict(first.state_dict())
    x = torch.randn(10, 4 * JETS, generator=torch_generator(7))
    assert torch.equal(other.to_events(x), first.to_events(x))


def test_bad_input_is_named():
    events = some_events()
    for wrong in (events[0], events[..., :3], events[:1]):
        with pytest.raises(ValueError, match=r"events must be at least 2, of shape \(n, jets, 4\), got"):
            of(wrong)
    for column, value in ((0, PT_MIN), (0, 5.0), (3, -0.1)):
        wrong = events.clone()
        wrong[7, 2, column] = value
        with pytest.raises(ValueError, match=r"jet 2 has pT <= 22.0 GeV or m < 0"):
            of(wrong)
    for value in (math.nan, math.inf):
        wrong = events.clone()
        wrong[7, 2, 1] = wrong[7, 1, 0] = value
        with pytest.raises(ValueError, match="1 of them are not finite"):
            of(wrong)


def test_wrapped_angles_are_the_same_directions():
    angles = torch.tensor([True, False])
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64)[:, None].expand(-1, 2)
    found = wrapped(x, angles)
    assert torch.equal(found[:, 1], x[:, 1])
    assert (found[:, 0].abs() <= math.pi).all()
    torch.testing.assert_close(torch.polar(torch.ones_like(x[:, 0]), found[:, 0]), torch.exp(1j * x[:, 0]))
    inside = x[:, 0].abs() < 3.14
    torch.testing.assert_close(found[inside], x[inside])
