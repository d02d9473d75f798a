"""Cross sections of top pairs against Combridge's form, the total cross sections, and Pythia's coupling."""

import numpy as np
import pytest
import pythia8mc
from hypothesis import given, strategies as st
from scipy import integrate

from gampl.processes.leading_order_cross_section import (
    PICOBARN,
    Ranges,
    alpha_s,
    d_sigma_dcos,
    d_sigma_dcos_upper_bounds,
)

TOP = 173.0


def test_the_coupling_is_pythias():
    pythias = pythia8mc.AlphaStrong()
    pythias.init(0.13, 1, 6, False)
    Q = np.array([20.0, 91.188, 170.9, 171.1, 173.0, 1000.0, 6500.0])
    np.testing.assert_allclose(alpha_s(Q), [pythias.alphaS(q**2) for q in Q.tolist()], rtol=1e-13)


def without_coupling(m, c):
    z = (1 - (2 * TOP / m) ** 2) * c**2
    squared = alpha_s(0.5 * m * np.sqrt(1 - z)) ** 2
    return [sigma / (squared * PICOBARN) for sigma in d_sigma_dcos(m, z, TOP)]


@pytest.mark.parametrize("m", [346.001, 350.0, 500.0, 2000.0, 10_000.0])
def test_totals_are_the_closed_forms(m):
    """P. Nason, S. Dawson and R. K. Ellis, Nucl. Phys. B303 (1988) 607: sigma = alpha_s² / m_t² f(rho)."""
    rho = (2 * TOP / m) ** 2
    beta = np.sqrt(1 - rho)
    log = np.log((1 + beta) / (1 - beta)) / beta
    f_gg = np.pi * beta * rho / 192 * ((rho**2 + 16 * rho + 16) * log - 28 - 31 * rho)
    f_qqbar = np.pi * beta * rho / 27 * (2 + rho)
    for channel, f in enumerate((f_gg, f_qqbar)):
        total = 2 * integrate.quad(lambda c, k=channel: without_coupling(m, c)[k], 0, 1, epsabs=0, epsrel=1e-11)[0]
        assert total == pytest.approx(f / TOP**2, rel=1e-8, abs=0)


def test_angles_follow_combridge():
    """Nucl. Phys. B151 (1979) 429, in Mandelstam's variables: d sigma / dt = pi alpha_s² / (16 s²) times this."""
    rng = np.random.default_rng(1)
    m, c = rng.uniform(347, 5000, 1000), rng.uniform(-1, 1, 1000)
    beta, s, mass = np.sqrt(1 - (2 * TOP / m) ** 2), m**2, TOP**2
    T, U = 0.5 * s * (1 - beta * c), 0.5 * s * (1 + beta * c)  # m_t² - t, m_t² - u
    t, u = mass - T, mass - U
    gg = 12 / s**2 * T * U - 2 / 3 * mass * (s - 4 * mass) / (T * U)
    gg += 8 / 3 * (T * U - 2 * mass * (mass + t)) / T**2 + 8 / 3 * (T * U - 2 * mass * (mass + u)) / U**2
    gg -= 6 * (T * U + mass * (u - t)) / (s * T) + 6 * (T * U + mass * (t - u)) / (s * U)
    qqbar = 64 / 9 * (T**2 + U**2 + 2 * mass * s) / s**2
    for ours, theirs in zip(without_coupling(m, c), (gg, qqbar), strict=True):
        np.testing.assert_allclose(ours, np.pi / (16 * s**2) * theirs * 0.5 * s * beta, rtol=1e-9)


shares = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(shares, shares, st.floats(0, 1), st.floats(0, 1), st.floats(2 * TOP, 1e4), st.floats(1, 30))
def test_upper_bounds_hold(m_shares, c_ends, m_share, c_share, lightest, factor):
    m = Ranges(*(np.array([lightest * factor**share]) for share in m_shares))
    c = Ranges(*(np.array([end]) for end in c_ends))
    z = Ranges(*((1 - (2 * TOP / M) ** 2) * C**2 for M, C in zip(m, c, strict=True)))
    q_low = np.sqrt(0.25 * m.low**2 * (1 - c.high**2) + (TOP * c.high) ** 2)
    at_m, at_c = m.low + m_share * (m.high - m.low), c.low + c_share * (c.high - c.low)
    bounds = d_sigma_dcos_upper_bounds(m, z, q_low, TOP)
    for value, bound in zip(d_sigma_dcos(at_m, (1 - (2 * TOP / at_m) ** 2) * at_c**2, TOP), bounds, strict=True):
        assert value[0] <= bound[0] * (1 + 1e-11) + 1e-300
