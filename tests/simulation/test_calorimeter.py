import numpy as np
import pytest
from hypothesis import given, strategies as st

from gampl.simulation import calorimeter
from gampl.simulation.calorimeter import ECAL, HCAL, charges, ecal_resolution, hcal_resolution, propagate, towers
from gampl.simulation.pythia import Particles


def particles(pdg, momenta, event=None):
    """Massless particles of the final state from (pT, phi, eta)."""
    pt, phi, eta = np.atleast_2d(np.asarray(momenta, dtype=float)).T
    n = len(pt)
    event = np.zeros(n, dtype=np.int64) if event is None else np.asarray(event)
    return Particles(
        n_events=int(event.max(initial=0)) + 1,
        event=event,
        pdg=np.broadcast_to(np.asarray(pdg, dtype=np.int32), n).copy(),
        status=np.ones(n, dtype=np.int32),
        energy=pt * np.cosh(eta),
        px=pt * np.cos(phi),
        py=pt * np.sin(phi),
        pz=pt * np.sinh(eta),
        m_hat=np.zeros(int(event.max(initial=0)) + 1),
    )


@pytest.mark.parametrize("grid", [ECAL, HCAL])
@given(seed=st.integers(0, 2**32 - 1))
def test_what_a_cell_scatters_lies_in_that_cell(grid, seed):
    rng = np.random.default_rng(seed)
    eta, phi = rng.uniform(-4.8, 4.8, 200), rng.uniform(-np.pi, np.pi, 200)
    cell = grid.index(eta, phi)
    assert (cell >= 0).all()
    assert (grid.index(*grid.scatter(cell, rng)) == cell).all()


def test_the_card_s_segmentation():
    # from the card: 1 degree below eta 1.5 in the ECAL, 10 degrees in the HCAL; beyond 5.0 and 4.9 nothing
    one_degree = np.radians(1.0)
    assert ECAL.index(np.array([0.01]), np.array([0.001]))[0] != ECAL.index(np.array([0.01]), np.array([0.02]))[0]
    assert HCAL.index(np.array([0.01]), np.array([0.001]))[0] == HCAL.index(np.array([0.01]), np.array([0.17]))[0]
    phi = -np.pi + (np.arange(3600) + 0.5) * one_degree / 10
    for grid, eta, cells in [(ECAL, 0.5, 360), (ECAL, 2.9, 360), (ECAL, 4.0, 36), (HCAL, 1.0, 36), (HCAL, 4.0, 18)]:
        assert np.unique(grid.index(np.full(3600, eta), phi)).size == cells
    assert ECAL.index(np.array([5.01, -5.01]), np.zeros(2)).tolist() == [-1, -1]
    assert HCAL.index(np.array([4.91, -4.91]), np.zeros(2)).tolist() == [-1, -1]
    assert np.diff(ECAL.edges).min() > 0
    assert np.diff(HCAL.edges).min() > 0


def test_resolutions_at_energies_worked_out_by_hand():
    # sqrt(0.0017² E² + 0.101² E) at 100 GeV; sqrt(0.0302² E² + 0.5205² E + 1.59²) and so on
    energy = np.array([100.0])
    assert ecal_resolution(np.array([1.0]), energy) == pytest.approx(1.02421, rel=1e-5)
    assert ecal_resolution(np.array([-4.0]), energy) == pytest.approx(4.51359, rel=1e-5)
    assert hcal_resolution(np.array([0.3]), energy) == pytest.approx(6.22419, rel=1e-5)
    assert hcal_resolution(np.array([-2.0]), energy) == pytest.approx(8.65122, rel=1e-5)
    assert hcal_resolution(np.array([4.0]), energy) == pytest.approx(13.73814, rel=1e-5)


def test_charges():
    pdg = np.array([11, -11, 13, 211, -211, 321, 2212, -2212, 22, 130, 2112, 3122], dtype=np.int32)
    assert charges(pdg).tolist() == [-1, 1, -1, 1, -1, 1, 1, -1, 0, 0, 0, 0]


def step_by_step(px, py, pz, charge, steps=200_000):
    """Direction at the calorimeter by small steps along the trajectory: dp/dl = 0.3 q (p/|p|) x B."""
    position = np.zeros(3)
    momentum = np.array([px, py, pz], dtype=float)
    size = np.linalg.norm(momentum)
    field = np.array([0.0, 0.0, calorimeter.FIELD])
    length = 8.0 / steps
    for _ in range(steps):
        force = calorimeter.CURVATURE * charge * np.cross(momentum / size, field)
        middle = momentum + 0.5 * length * force
        before, position = position, position + length * middle / size
        momentum = momentum + length * calorimeter.CURVATURE * charge * np.cross(middle / size, field)
        if np.hypot(*position[:2]) >= calorimeter.RADIUS or abs(position[2]) >= calorimeter.HALF_LENGTH:
            position = before + (position - before) / 2
            break
    return np.arcsinh(position[2] / np.hypot(*position[:2])), np.arctan2(position[1], position[0])


@pytest.mark.parametrize("charge", [1, -1])
@pytest.mark.parametrize("momentum", [(3.0, 1.0, 0.5), (0.5, -0.4, 0.2), (0.1, 0.05, 0.6), (-0.3, 0.02, 4.0)])
def test_helix_against_small_steps(momentum, charge):
    px, py, pz = (np.array([x]) for x in momentum)
    eta, phi = propagate(px, py, pz, np.array([charge]))
    expected = step_by_step(*momentum, charge, steps=20_000)
    assert eta[0] == pytest.approx(expected[0], abs=5e-3)
    assert phi[0] == pytest.approx(expected[1], abs=5e-3)


@given(pt=st.floats(0.5, 500), phi=st.floats(-3.1, 3.1), eta=st.floats(-4.5, 4.5))
def test_neutral_particles_go_straight(pt, phi, eta):
    found = propagate(*(np.array([x]) for x in (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta))), np.array([0]))
    assert found[0][0] == pytest.approx(eta, abs=1e-9)
    assert found[1][0] == pytest.approx(phi, abs=1e-9)


@pytest.mark.parametrize(("pdg", "resolution"), [(22, ecal_resolution), (130, hcal_resolution)])
def test_mean_and_width_of_a_tower_s_energy(pdg, resolution):
    # false-alarm rate of both together 1e-4: 4 standard errors of the mean, and of the standard deviation
    n = 4000
    made = particles(pdg, np.tile([100.0, 0.1, 0.32], (n, 1)), event=np.arange(n))
    found = towers(made, np.random.default_rng(1))
    true = made.energy[0]
    sigma = resolution(np.array([0.32]), np.array([true]))[0]
    assert found.energy.size == n
    assert abs(found.energy.mean() - true) < 4 * sigma / np.sqrt(n)
    assert found.energy.std() == pytest.approx(sigma, rel=4 / np.sqrt(2 * n) * 1.1)


def test_towers_add_what_hits_the_same_cell_and_leave_out_the_invisible():
    rng = np.random.default_rng(2)
    visible = particles([22, 22, 22], [[50, 0.001, 0.005], [70, 0.001, 0.005], [60, 2.0, 1.0]])
    found = towers(visible, rng)
    assert found.energy.size == 2
    assert sorted(found.energy) == pytest.approx([60 * np.cosh(1.0), 120], rel=0.1)
    assert towers(particles([12, 13, -14, 16], np.tile([50, 0, 0.2], (4, 1))), rng).energy.size == 0
    # below the thresholds of 0.5 and 1 GeV, and below two standard deviations
    assert towers(particles([22, 130], [[0.2, 0, 0.1], [1.5, 1, 0.1]]), rng).energy.size == 0


def test_events_do_not_mix():
    made = particles(22, [[50, 0.001, 0.005]] * 3, event=[2, 0, 2])
    found = towers(made, np.random.default_rng(3))
    assert found.event.tolist() == [0, 2]
    assert found.energy[1] > 1.6 * found.energy[0]
