"""Momenta of particles, (pT, phi, eta, m) or (E, px, py, pz), in float64.

Arrays have shape (..., 4). Energies, momenta and masses share one unit, GeV in all of the project's files; phi is in
radians. A particle that is absent, in events of varying multiplicity, is a row of zeros in both forms.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

COORDINATES = ("pT", "phi", "eta", "m")

Floats = NDArray[np.float64]
FourNumbers = tuple[Floats, Floats, Floats, Floats]


def cartesian(momenta: ArrayLike) -> Floats:
    """(pT, phi, eta, m) to (E, px, py, pz), shape (..., 4) both."""
    return np.stack(_cartesian(momenta), axis=-1)


def cylindrical(momenta: ArrayLike) -> Floats:
    """(E, px, py, pz) to (pT, phi, eta, m), shape (..., 4) both.

    phi is in [-pi, pi]; eta of a momentum along the beam is infinite. Below zero by rounding, m² counts as zero. Energy
    and momentum in double precision say nothing about a mass below 1e-8 of the energy.
    """
    return np.stack(_cylindrical(*_components(momenta)), axis=-1)


def total(momenta: ArrayLike) -> Floats:
    """Sum of particles: (..., particles, 4) to (..., 4), both (pT, phi, eta, m)."""
    energy, px, py, pz = (component.sum(axis=-1) for component in _cartesian(momenta))
    return np.stack(_cylindrical(energy, px, py, pz), axis=-1)


def rapidity(momenta: ArrayLike) -> Floats:
    """Rapidity along the beam of (pT, phi, eta, m), (..., 4) to (...)."""
    pt, _, eta, m = _components(momenta)
    transverse_mass = np.hypot(pt, m)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(transverse_mass == 0, 0.0, np.arcsinh(pt * np.sinh(eta) / transverse_mass)))


def delta_phi(a: ArrayLike, b: ArrayLike) -> Floats:
    """Azimuth of a minus that of b, in [-pi, pi], for momenta of shape (..., 4)."""
    difference = np.asarray(a, dtype=np.float64)[..., 1] - np.asarray(b, dtype=np.float64)[..., 1]
    # whole turns are taken off, unlike in (x + pi) % (2 pi) - pi: small angles keep their digits, and swapping a and b
    # changes the sign and nothing else
    return np.asarray(difference - 2 * np.pi * np.rint(difference / (2 * np.pi)))


def wrapped(angle: ArrayLike) -> Floats:
    """The same angle in [-pi, pi), rounded to the precision of pi."""
    return np.asarray((np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi)


def delta_r(a: ArrayLike, b: ArrayLike) -> Floats:
    """Distance Delta R = sqrt(Delta eta² + Delta phi²) of momenta of shape (..., 4), Eq. (38)."""
    delta_eta = np.asarray(a, dtype=np.float64)[..., 2] - np.asarray(b, dtype=np.float64)[..., 2]
    return np.asarray(np.hypot(delta_eta, delta_phi(a, b)))


def _components(momenta: ArrayLike) -> FourNumbers:
    """The last axis taken apart, each number contiguous in memory, where numpy is fast."""
    numbers = np.asarray(momenta)
    a, b, c, d = (np.array(numbers[..., k], dtype=np.float64, order="K") for k in range(len(COORDINATES)))
    return a, b, c, d


def _cartesian(momenta: ArrayLike) -> FourNumbers:
    pt, phi, eta, m = _components(momenta)
    p = pt * np.cosh(eta)
    # not np.hypot, whose care for squares that overflow costs more than all the rest but sine and cosine
    return np.sqrt(m * m + p * p), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)


def _cylindrical(energy: Floats, px: Floats, py: Floats, pz: Floats) -> FourNumbers:
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        eta = np.where((pt == 0) & (pz == 0), 0.0, np.arcsinh(pz / pt))
        # E² - pz² in two factors: it is as small as the transverse mass for the most forward jets, too, and subtracting
        # pT² from it costs few digits
        m_squared = (energy - np.abs(pz)) * (energy + np.abs(pz)) - pt**2
    return pt, np.arctan2(py, px), eta, np.sqrt(np.maximum(m_squared, 0.0))
