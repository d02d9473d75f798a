"""Momenta against the package `vector`, against exact arithmetic, and there and back."""

from fractions import Fraction

import numpy as np
import pytest
import vector
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as npst

from gampl.particles.kinematics import cartesian, cylindrical, delta_phi, delta_r, rapidity, total

EPSILON = np.finfo(np.float64).eps

jet = st.tuples(st.floats(0.1, 5000), st.floats(-np.pi, np.pi), st.floats(-6, 6), st.just(0.0) | st.floats(1e-9, 500))
jets = st.lists(jet, min_size=1, max_size=8).map(np.array)


def random_jets(*shape: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pt, mass = 20 + rng.exponential(60, shape), rng.exponential(10, shape)
    return np.stack([pt, rng.uniform(-np.pi, np.pi, shape), rng.uniform(-5, 5, shape), mass], axis=-1)


def as_vector(momenta: np.ndarray):
    return vector.array(dict(zip(("pt", "phi", "eta", "mass"), np.moveaxis(momenta, -1, 0), strict=True)))


def test_cartesian_and_cylindrical_agree_with_vector():
    momenta = random_jets(2000)
    by_vector, found = as_vector(momenta), cartesian(momenta)
    expected = np.stack([by_vector.E, by_vector.px, by_vector.py, by_vector.pz], axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    energy, px, py, pz = expected.T
    back = vector.array({"E": energy, "px": px, "py": py, "pz": pz})
    found = cylindrical(expected)
    np.testing.assert_allclose(found[:, 0], back.pt, rtol=1e-14)
    np.testing.assert_allclose(found[:, 1], back.phi, rtol=1e-14)
    np.testing.assert_allclose(found[:, 2], back.eta, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found[:, 3] ** 2, back.mass2, atol=1e-14 * energy.max() ** 2)


def test_sums_and_rapidities_agree_with_vector():
    momenta = random_jets(2000, 6)
    by_vector = as_vector(momenta).sum(axis=1)
    expected = np.stack([by_vector.pt, by_vector.phi, by_vector.eta, by_vector.mass], axis=-1)
    np.testing.assert_allclose(total(momenta), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rapidity(total(momenta)), by_vector.rapidity, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rapidity(momenta), as_vector(momenta).rapidity, rtol=1e-9, atol=1e-9)


def test_distances_agree_with_vector():
    a, b = random_jets(2000, seed=2), random_jets(2000, seed=3)
    np.testing.assert_allclose(delta_phi(a, b), as_vector(a).deltaphi(as_vector(b)), atol=1e-14)
    np.testing.assert_allclose(delta_r(a, b), as_vector(a).deltaR(as_vector(b)), rtol=1e-12)


@settings(deadline=None)
@given(jets)
def test_there_and_back(momenta):
    energy_momentum = cartesian(momenta)
    back = cylindrical(energy_momentum)
    np.testing.assert_allclose(back[:, :3], momenta[:, :3], rtol=1e-13, atol=1e-13)
    # E and p are rounded: m² cannot be known better than to a rounding error of E²
    energy = energy_momentum[:, 0]
    assert (np.abs(back[:, 3] ** 2 - momenta[:, 3] ** 2) <= 8 * EPSILON * energy**2).all()


@settings(deadline=None)
@given(jets)
def test_masses_of_light_jets_keep_the_digits_that_energies_leave_them(momenta):
    momenta[:, 3] = 1e-6 * cartesian(momenta)[:, 0] + momenta[:, 3]
    energy = cartesian(momenta)[:, 0]
    mass = cylindrical(cartesian(momenta))[:, 3]
    assert (np.abs(mass / momenta[:, 3] - 1) <= 8 * EPSILON * (energy / momenta[:, 3]) ** 2).all()


@settings(deadline=None)
@given(jets)
def test_masses_are_as_good_as_transverse_masses(momenta):
    """Against exact arithmetic: of a forward jet's energy and momentum only what is transverse costs digits."""
    energy_momentum = cartesian(momenta)
    mass = cylindrical(energy_momentum)[:, 3]
    for row, found, (pt, *_, m) in zip(energy_momentum, mass, momenta, strict=True):
        energy, *momentum = map(Fraction, row.tolist())
        exact = max(float(energy**2 - sum(p**2 for p in momentum)), 0.0)
        assert abs(found**2 - exact) <= 8 * EPSILON * (pt**2 + m**2 + exact)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (2, 3, 5, 4)])
def test_shapes(shape):
    momenta = random_jets(*shape[:-1])
    assert cartesian(momenta).shape == cylindrical(momenta).shape == shape
    assert rapidity(momenta).shape == delta_phi(momenta, momenta).shape == delta_r(momenta, momenta).shape == shape[:-1]
    if len(shape) > 1:
        assert total(momenta).shape == (*shape[:-2], 4)
        assert np.array_equal(total(momenta).reshape(-1, 4), [total(m) for m in momenta.reshape(-1, *shape[-2:])])


def test_single_precision_is_computed_in_double():
    momenta = random_jets(100, 3).astype(np.float32)
    for function in (cartesian, cylindrical, total, rapidity):
        assert function(momenta).dtype == np.float64
        assert np.array_equal(function(momenta), function(momenta.astype(np.float64)))


def test_absent_particles_are_zeros_and_add_nothing():
    absent = np.zeros((5, 2, 4))
    assert not cartesian(absent).any()
    assert not cylindrical(absent).any()
    assert not total(absent).any()
    assert not rapidity(absent).any()
    momenta = random_jets(5, 3)
    np.testing.assert_array_equal(total(np.concatenate([momenta, absent], axis=1)), total(momenta))


def test_a_momentum_along_the_beam_has_infinite_eta():
    assert cylindrical([[5.0, 0, 0, 4.0], [5.0, 0, 0, -5.0]]).tolist() == [[0, 0, np.inf, 3], [0, 0, -np.inf, 0]]


def test_a_mass_below_zero_by_rounding_is_zero():
    assert cylindrical([1.0, 1.0 + 1e-15, 0.0, 0.0])[3] == 0


angles = npst.arrays(np.float64, st.integers(1, 20), elements=st.floats(-np.pi, np.pi))


@settings(deadline=None)
@given(angles, st.floats(-np.pi, np.pi))
def test_differences_of_angles(phi, other):
    a, b = np.zeros((phi.size, 4)), np.zeros((phi.size, 4))
    a[:, 1], b[:, 1] = phi, other
    difference = delta_phi(a, b)
    assert (np.abs(difference) <= np.pi).all()
    assert np.array_equal(difference, -delta_phi(b, a))
    np.testing.assert_allclose(np.exp(1j * difference), np.exp(1j * (phi - other)), atol=1e-14)
    turned = a + np.array([0, 2 * np.pi, 0, 0])
    np.testing.assert_allclose(np.exp(1j * delta_phi(turned, b)), np.exp(1j * difference), atol=1e-14)


def test_small_differences_of_angles_keep_their_digits():
    assert delta_phi([0, 3e-20, 0, 0], [0, 1e-20, 0, 0]) == pytest.approx(2e-20, rel=1e-14, abs=0)
    assert delta_phi([0, -1e-20, 0, 0], [0, np.pi, 0, 0]) == -np.pi
