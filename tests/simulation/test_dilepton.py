"""Dilepton top pairs on and off shell: kinematics that must hold, and the Breit-Wigner masses."""

import numpy as np
import pytest
from scipy import integrate, stats

from gampl.particles.kinematics import total
from gampl.processes.dilepton import DileptonTopPair
from gampl.simulation.dilepton import DileptonRecipe
from gampl.simulation.shards import generate

M_T, M_W, M_B, GAMMA_W = 173.0, 80.385, 4.8, 2.09
N = 4000


@pytest.fixture(scope="module", params=[False, True], ids=["on", "off"])
def made(request):
    samples, passed, _ = generate(DileptonRecipe(off_shell=request.param), seed=21, n_events=N)
    return request.param, samples["events"], passed


def masses(off_shell, momenta, *names):
    return np.concatenate([DileptonTopPair(off_shell).observable(f"m({name})")(momenta) for name in names])


def test_events_are_balanced_partons_on_their_mass_shells(made):
    off_shell, events, passed = made
    assert events.particles == DileptonTopPair(off_shell).particles
    assert passed["kept"] == len(events) > 0.98 * N  # the others have a top that decays to a lighter quark
    np.testing.assert_array_equal(events.momenta[0, :, 3], [0.10566, 0, 0.10566, 0, M_B, M_B])
    assert np.abs(total(events.momenta)[:, 0]).max() < 1e-3  # pT of all


def test_on_shell_masses_are_the_nominal_ones_and_m_bl_ends_at_the_edge(made):
    off_shell, events, _ = made
    edge = np.sqrt(
        M_B**2 + (M_T**2 - M_W**2 - M_B**2 + np.sqrt((M_T**2 - M_W**2 - M_B**2) ** 2 - 4 * M_W**2 * M_B**2)) / 2
    )
    m_bl = masses(off_shell, events.momenta, "bl1", "bl2")
    if off_shell:
        assert np.mean(m_bl > 1.002 * edge) > 1e-3
        assert np.std(masses(True, events.momenta, "W1")) > 1
        return
    np.testing.assert_allclose(masses(False, events.momenta, "t1", "t2"), M_T, atol=0.02)
    np.testing.assert_allclose(masses(False, events.momenta, "W1", "W2"), M_W, atol=0.01)
    assert 0.96 * edge < m_bl.max() < 1.0002 * edge


@pytest.mark.parametrize("made", [True], indirect=True)
def test_w_masses_off_shell_are_of_a_breit_wigner_within_its_peak(made):
    """Close to the peak the phase space of the decays hardly changes: within 2 % of m_W, false-alarm rate 1e-4."""
    off_shell, events, _ = made
    assert off_shell
    m = masses(True, events.momenta, "W1", "W2")
    low, high = 0.98 * M_W, 1.02 * M_W

    def density(x):
        # Breit-Wigner in s times the phase space of t -> b W at the nominal mass of the top
        matrix = (M_T**2 - x**2) ** 2 * (M_T**2 + 2 * x**2) / x**2
        return 2 * x * x**2 * matrix / ((x**2 - M_W**2) ** 2 + (x**2 * GAMMA_W / M_W) ** 2)

    grid = np.linspace(low, high, 2001)
    cdf = integrate.cumulative_simpson(density(grid), x=grid, initial=0)
    inside = m[(m > low) & (m < high)]
    assert len(inside) > N
    assert stats.kstest(inside, lambda x: np.interp(x, grid, cdf / cdf[-1])).pvalue > 1e-4


def test_only_a_fraction_is_kept():
    _, passed, _ = generate(DileptonRecipe(kept=0.3), seed=22, n_events=1000)
    assert stats.binomtest(passed["kept"], passed["two b quarks"], 0.3).pvalue > 1e-4
    with pytest.raises(ValueError, match="kept must be a fraction"):
        DileptonRecipe(kept=0)
