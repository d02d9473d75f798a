"""Top pairs as momenta and as unbounded coordinates: `vector`, round trips, and Jacobians by finite differences."""

import numpy as np
import pytest
import vector
from hypothesis import given, strategies as st

from gampl.particles.kinematics import cartesian, rapidity
from gampl.processes.leading_order_coordinates import TopPairCoordinates, TopTransverseMomentum

ENERGY, TOP = 13_000.0, 173.0
SPACE = TopPairCoordinates(ENERGY, TOP, ENERGY)


def some_events(n=500, seed=1):
    rng = np.random.default_rng(seed)
    m = np.exp(rng.uniform(np.log(347), np.log(12_000), n))
    Y = np.log(ENERGY / m) * rng.uniform(-0.99, 0.99, n)
    return np.stack([m, Y, rng.uniform(-0.999, 0.999, n), rng.uniform(-np.pi, np.pi, n)], axis=1)


def test_momenta_are_those_of_vector():
    x = some_events()
    pt, phi, eta, mass = np.moveaxis(SPACE.momenta(x), -1, 0)
    top, antitop = (
        vector.arr({"pt": pt[:, k], "phi": phi[:, k], "eta": eta[:, k], "mass": mass[:, k]}) for k in (0, 1)
    )
    pair = top + antitop
    np.testing.assert_array_equal(mass, TOP)
    np.testing.assert_allclose(pair.mass, x[:, 0], rtol=1e-10)
    np.testing.assert_allclose(pair.rapidity, x[:, 1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.hypot(pair.px, pair.py), 0, atol=1e-9)
    np.testing.assert_allclose(top.boostCM_of(pair).costheta, x[:, 2], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(top.boostCM_of(pair).phi, x[:, 3], rtol=1e-9)
    np.testing.assert_allclose(TopTransverseMomentum(TOP)(x), top.pt, rtol=1e-12)
    assert (np.abs(phi) <= np.pi).all()


def test_tops_along_the_beam_and_at_rest():
    x = np.array([[400.0, 0.3, 1.0, 0.5], [400.0, 0.3, -1.0, 0.5], [2 * TOP, 0.0, 0.2, 0.1]])
    p = SPACE.momenta(x)
    np.testing.assert_array_equal(p[..., 0], 0)
    np.testing.assert_array_equal(p[:, :, 2], [[np.inf, -np.inf], [-np.inf, np.inf], [0, 0]])


unbounded = st.tuples(*[st.floats(-12, 12)] + [st.floats(-8, 8)] * 3).map(np.array)


@given(unbounded)
def test_every_unbounded_point_is_an_event(z):
    event = SPACE.from_unbounded(z)
    assert 2 * TOP < event[0] < ENERGY
    assert np.abs(event[1]) < np.log(ENERGY / event[0])
    again, log_jacobian = SPACE.unbounded(event)
    np.testing.assert_allclose(again, z, rtol=1e-8, atol=1e-8)
    assert np.isfinite(log_jacobian)


def numerical_log_jacobian(function, x):
    steps = 1e-6 * np.array([x[0], 1, 1, 1])
    columns = [(function(x + d) - function(x - d)) / (2 * s) for s, d in zip(steps, np.diag(steps), strict=True)]
    return np.log(np.abs(np.linalg.det(np.stack(columns, axis=1))))


@pytest.mark.parametrize("x", some_events(20, seed=2) * [1, 1, 1, 0.9])
def test_jacobians_are_as_documented(x):
    new, log_jacobian = SPACE.unbounded(x)
    assert new.shape == (4,)
    assert numerical_log_jacobian(lambda e: SPACE.unbounded(e)[0], x) == pytest.approx(log_jacobian, abs=1e-4)

    def transverse(event):
        top, antitop = SPACE.momenta(event)
        return np.array([top[0], rapidity(top), rapidity(antitop), top[1]])

    # the density of the new coordinates is divided by the Jacobian
    assert numerical_log_jacobian(transverse, x) == pytest.approx(-0.5 * np.log(1 - x[2] ** 2), abs=1e-4)

    def pseudorapidity(event):
        return SPACE.momenta(event)[0, 2]

    top = SPACE.momenta(x)[0]
    energy, *p = cartesian(top)
    step = np.array([0, 1e-5, 0, 0])  # moves the rapidity of the top and nothing else of it
    slope = (pseudorapidity(x + step) - pseudorapidity(x - step)) / 2e-5
    assert 1 / slope == pytest.approx(np.linalg.norm(p) / energy, rel=1e-6)


@pytest.mark.parametrize("function", [SPACE.momenta, SPACE.unbounded, SPACE.from_unbounded, TopTransverseMomentum(TOP)])
def test_wrong_shapes_are_named(function):
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 4\), got \(5, 3\)"):
        function(np.zeros((5, 3)))
