"""Leading-order cross sections of g g -> t tbar and q qbar -> t tbar.

Textbook formulas: B. L. Combridge, Nucl. Phys. B151 (1979) 429, in the form of R. K. Ellis, W. J. Stirling and
B. R. Webber, "QCD and Collider Physics", Table 10.1. With the velocity beta of the tops and the angle theta* between
top and beam in the rest frame of the pair, and z = (beta cos theta*)², their variables are

    rho = 4 m_t² / m² = 1 - beta²,    tau_1² + tau_2² = (1 + z) / 2,    tau_1 tau_2 = (1 - z) / 4.

The renormalisation scale is the transverse mass m_T = m sqrt(1 - z) / 2, Pythia's choice.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALPHA_S = 0.13  # at m_Z; these three are Pythia's
M_Z = 91.188  # GeV
SIX_FLAVOURS = 171.0  # GeV, from where the top quark counts in the running

PICOBARN = 0.3893793721e9  # GeV² (hbar c)², CODATA 2018


class ByChannel(NamedTuple):
    """One number, or array, of each initial state."""

    gg: NDArray[np.float64]
    qqbar: NDArray[np.float64]


def alpha_s(Q: ArrayLike) -> NDArray[np.float64]:
    """The strong coupling at a scale in GeV, on one loop: five flavours, six above `SIX_FLAVOURS`."""

    def one_loop(start: float, log_q: NDArray[np.float64], flavours: int) -> NDArray[np.float64]:
        return start / (1 + start * (33 - 2 * flavours) / (6 * np.pi) * log_q)

    log_q = np.log(np.asarray(Q, dtype=np.float64) / M_Z)
    threshold = np.log(SIX_FLAVOURS / M_Z)
    at_threshold = float(one_loop(ALPHA_S, np.asarray(threshold), 5))
    return np.where(log_q < threshold, one_loop(ALPHA_S, log_q, 5), one_loop(at_threshold, log_q - threshold, 6))


def d_sigma_dcos(m: ArrayLike, z: ArrayLike, top_mass: float) -> ByChannel:
    """Partonic cross sections d sigma / d cos theta* in pb, averaged over colours and spins of the initial state.

    That of q qbar is for one of its two ways round.

    Args:
        m: Mass of the pair in GeV, at least twice `top_mass`.
        z: (beta cos theta*)², of the same shape.
        top_mass: In GeV.
    """
    m, z = np.asarray(m, dtype=np.float64), np.asarray(z, dtype=np.float64)
    rho = (2 * top_mass / m) ** 2
    front = np.pi * PICOBARN / 2 * alpha_s(0.5 * m * np.sqrt(1 - z)) ** 2 * np.sqrt(1 - rho) / m**2
    gg = (7 + 9 * z) / (24 * (1 - z)) * (0.5 * (1 + z) + rho - rho**2 / (1 - z))
    qqbar = 2 / 9 * (1 + z + rho)
    return ByChannel(front * gg, front * qqbar)


class Ranges(NamedTuple):
    """Lower and upper ends of ranges, shape (k,) both."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def d_sigma_dcos_upper_bounds(m: Ranges, z: Ranges, q_low: NDArray[np.float64], top_mass: float) -> ByChannel:
    """What `d_sigma_dcos` does not exceed at any m, z and scale in these ranges: each term at its largest."""
    rho = Ranges((2 * top_mass / m.high) ** 2, (2 * top_mass / m.low) ** 2)
    front = np.pi * PICOBARN / 2 * alpha_s(q_low) ** 2 * np.sqrt(1 - rho.low) / m.low**2
    gg = (7 + 9 * z.high) / (24 * (1 - z.high)) * (0.5 * (1 + z.high) + rho.high - rho.low**2 / (1 - z.low))
    qqbar = 2 / 9 * (1 + z.high + rho.high)
    return ByChannel(front * gg, front * qqbar)
