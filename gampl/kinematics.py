"""Momenta of particles, (pT, phi, eta, m) or (E, px, py, pz), in float64.

Arrays have shape (..., 4). Energies, momenta and masses share one unit, GeV in all of the project's files; phi is in
radians. A particle that is absent, in events of varying multiplicity, is a row of zeros in both forms.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

COORDINATES = ("pT", "phi", "eta", "m")


def cartesian(momenta: ArrayLike) -> NDArray[np.float64]:
    """(pT, phi, eta, m) to (E, px, py, pz), shape (..., 4) both."""
    pt, phi, eta, m = np.moveaxis(np.asarray(momenta, dtype=np.float64), -1, 0)
    return np.stack([np.hypot(m, pt * np.cosh(eta)), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)


def cylindrical(momenta: ArrayLike) -> NDArray[np.float64]:
    """(E, px, py, pz) to (pT, phi, eta, m), shape (..., 4) both.

    phi is in [-pi, pi]; eta of a momentum along the beam is infinite. Below zero by rounding, m² counts as zero.
    """
    energy, px, py, pz = np.moveaxis(np.asarray(momenta, dtype=np.float64), -1, 0)
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.where((pt == 0) & (pz == 0), 0.0, np.arcsinh(pz / pt))
    # the difference of squares in two factors: massless jets lose half of their digits otherwise
    p = np.hypot(pt, pz)
    m = np.sqrt(np.maximum((energy - p) * (energy + p), 0.0))
    return np.stack([pt, np.arctan2(py, px), eta, m], axis=-1)


def total(momenta: ArrayLike) -> NDArray[np.float64]:
    """Sum of particles: (..., particles, 4) to (..., 4), both (pT, phi, eta, m)."""
    return cylindrical(cartesian(momenta).sum(axis=-2))


def rapidity(momenta: ArrayLike) -> NDArray[np.float64]:
    """Rapidity along the beam of (pT, phi, eta, m), (..., 4) to (...)."""
    pt, _, eta, m = np.moveaxis(np.asarray(momenta, dtype=np.float64), -1, 0)
    transverse_mass = np.hypot(pt, m)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(transverse_mass == 0, 0.0, np.arcsinh(pt * np.sinh(eta) / transverse_mass)))


def delta_phi(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Azimuth of a minus that of b, in [-pi, pi), for momenta of shape (..., 4)."""
    difference = np.asarray(a, dtype=np.float64)[..., 1] - np.asarray(b, dtype=np.float64)[..., 1]
    return np.asarray((difference + np.pi) % (2 * np.pi) - np.pi)


def delta_r(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Distance Delta R = sqrt(Delta eta² + Delta phi²) of momenta of shape (..., 4), Eq. (38)."""
    delta_eta = np.asarray(a, dtype=np.float64)[..., 2] - np.asarray(b, dtype=np.float64)[..., 2]
    return np.asarray(np.hypot(delta_eta, delta_phi(a, b)))
