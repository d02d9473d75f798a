"""Four numbers that fix a pair of on-shell tops without transverse momentum, and other ways to write them.

Events are rows (m, Y, cos theta*, phi): mass in GeV and rapidity of the pair; polar angle of the top in the pair's
rest frame against the first beam, and its azimuth in [-pi, pi].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

OFF_SHELL = 1e-3  # relative, what momenta may miss of two tops back to back: files in single precision pass


def m_tt(events: ArrayLike) -> NDArray[np.float64]:
    """Mass of the pair in GeV, shape (..., 4) to (...)."""
    return _columns(events)[0]


def y_tt(events: ArrayLike) -> NDArray[np.float64]:
    """Rapidity of the pair, shape (..., 4) to (...)."""
    return _columns(events)[1]


def cos_theta(events: ArrayLike) -> NDArray[np.float64]:
    """Cosine of the top's polar angle in the pair's rest frame, shape (..., 4) to (...)."""
    return _columns(events)[2]


def azimuth(events: ArrayLike) -> NDArray[np.float64]:
    """Azimuth of the top, shape (..., 4) to (...)."""
    return _columns(events)[3]


@dataclass(frozen=True)
class TopTransverseMomentum:
    """Transverse momentum in GeV of either top, shape (..., 4) to (...).

    Args:
        top_mass: In GeV.
    """

    top_mass: float

    def __call__(self, events: ArrayLike) -> NDArray[np.float64]:
        """Evaluate it."""
        m, _, c, _ = _columns(events)
        return np.asarray(0.5 * m * velocity(m, self.top_mass) * np.sqrt((1 - c) * (1 + c)))


def velocity(m: NDArray[np.float64], top_mass: float) -> NDArray[np.float64]:
    """Beta of the tops in the rest frame of pairs of mass m >= 2 m_t."""
    return np.asarray(np.sqrt(1 - (2 * top_mass / m) ** 2))


@dataclass(frozen=True)
class TopPairCoordinates:
    """Changes of variables for pairs of tops, each with its Jacobian.

    Args:
        energy: Of the two beams together, in GeV.
        top_mass: In GeV.
        m_max: Largest mass of a pair in GeV.
    """

    energy: float
    top_mass: float
    m_max: float

    def momenta(self, events: ArrayLike) -> NDArray[np.float64]:
        """(pT, phi, eta, m) of top and antitop, shape (..., 2, 4), from events of shape (..., 4).

        The density of (pT, y, y', phi), with the rapidities y and y' of top and antitop, is the one of the events
        times sqrt(1 - cos² theta*). To the pseudorapidity of a top it is dy / d eta = |p| / E.
        """
        m, Y, c, phi = _columns(events)
        pt = TopTransverseMomentum(self.top_mass)(events)
        half_gap = np.arctanh(velocity(m, self.top_mass) * c)
        m_t = np.hypot(pt, self.top_mass)
        tops = []
        for y, azimuth in ((Y + half_gap, phi), (Y - half_gap, phi - np.copysign(np.pi, phi))):
            pz = m_t * np.sinh(y)
            with np.errstate(divide="ignore", invalid="ignore"):
                eta = np.where((pt == 0) & (pz == 0), 0.0, np.arcsinh(pz / pt))
            tops.append(np.stack([pt, azimuth, eta, np.full_like(pt, self.top_mass)], axis=-1))
        return np.stack(tops, axis=-2)

    def from_momenta(self, momenta: ArrayLike) -> NDArray[np.float64]:
        """Inverse of `momenta`: shape (..., 2, 4) to (..., 4).

        Raises:
            ValueError: If a pair is not two tops of mass `top_mass` back to back in the transverse plane.
        """
        p = np.asarray(momenta, dtype=np.float64)
        if p.ndim < 2 or p.shape[-2:] != (2, 4):
            raise ValueError(f"momenta of top and antitop must have shape (..., 2, 4), got {p.shape}")
        pt, phi, eta, mass = np.moveaxis(p, -1, 0)
        m_t = np.hypot(pt, self.top_mass)
        scale = OFF_SHELL * m_t[..., 0]
        recoil = np.hypot((pt * np.cos(phi)).sum(-1), (pt * np.sin(phi)).sum(-1))
        wrong = ~((np.abs(mass - self.top_mass) < OFF_SHELL * self.top_mass).all(-1) & (recoil < scale))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"momenta of entry {row}: expected two tops of {self.top_mass} GeV back to back,"
                f" got masses {mass.reshape(-1, 2)[row]} and transverse momentum {recoil.reshape(-1)[row]:.3g} GeV"
            )
        y = np.arcsinh(pt * np.sinh(eta) / m_t)
        Y, half_gap = 0.5 * y.sum(-1), 0.5 * (y[..., 0] - y[..., 1])
        m = 2 * m_t[..., 0] * np.cosh(half_gap)
        return np.stack([m, Y, np.tanh(half_gap) / velocity(m, self.top_mass), phi[..., 0]], axis=-1)

    def unbounded(self, events: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates for networks, each from minus to plus infinity, and the log of their Jacobian.

        The log density of the new coordinates is that of the events minus the second result.

        Args:
            events: Inside the allowed ranges, shape (..., 4).

        Returns:
            ln((m - 2 m_t) / (m_max - m)), artanh(Y / Y_max(m)) with Y_max = ln(energy / m), artanh(cos theta*) and
            artanh(phi / pi), shape (..., 4); and ln |d new / d events|, shape (...).
        """
        m, Y, c, phi = _columns(events)
        above, below, y_max = m - 2 * self.top_mass, self.m_max - m, np.log(self.energy / m)
        fractions = (Y / y_max, c, phi / np.pi)
        new = np.stack([np.log(above / below), *map(np.arctanh, fractions)], axis=-1)
        log_jacobian = np.log(1 / above + 1 / below) - np.log(np.pi * y_max)
        return new, log_jacobian - sum(np.log1p(-(f**2)) for f in fractions)

    def from_unbounded(self, new: ArrayLike) -> NDArray[np.float64]:
        """Inverse of `unbounded`, shape (..., 4) to (..., 4)."""
        a, b, c, d = _columns(new)
        share = 0.5 * (1 + np.tanh(0.5 * a))  # the logistic function, without overflow
        m = 2 * self.top_mass + (self.m_max - 2 * self.top_mass) * share
        Y = np.log(self.energy / m) * np.tanh(b)
        return np.stack([m, Y, np.tanh(c), np.pi * np.tanh(d)], axis=-1)


def _columns(events: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(events, dtype=np.float64)
    if x.ndim == 0 or x.shape[-1] != 4:
        raise ValueError(f"events must have shape (..., 4), got {x.shape}")
    return np.moveaxis(x, -1, 0)
