"""Four numbers that fix a pair of on-shell tops without transverse momentum, other ways to write them, and quadrature.

Events are rows (m, Y, cos theta*, phi): mass in GeV and rapidity of the pair; polar angle of the top in the pair's
rest frame against the first beam, and its azimuth in [-pi, pi].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats
from gampl.regions import Observable


def columns(events: ArrayLike) -> Floats:
    """The four numbers, shape (4, ...), of events of shape (..., 4); a ValueError for other shapes."""
    x = np.asarray(events, dtype=np.float64)
    if x.ndim == 0 or x.shape[-1] != 4:
        raise ValueError(f"events must have shape (..., 4), got {x.shape}")
    return np.moveaxis(x, -1, 0)


@dataclass(frozen=True)
class Coordinate:
    """One of the four numbers as an observable, shape (..., 4) to (...)."""

    index: int

    def __call__(self, events: ArrayLike) -> Floats:
        """Evaluate it."""
        return columns(events)[self.index]


m_tt = Coordinate(0)


@dataclass(frozen=True)
class TopTransverseMomentum:
    """Transverse momentum in GeV of either top, of mass `top_mass`, as an observable, shape (..., 4) to (...)."""

    top_mass: float

    def __call__(self, events: ArrayLike) -> Floats:
        """Evaluate it."""
        m, _, c, _ = columns(events)
        return np.asarray(0.5 * m * velocity(m, self.top_mass) * np.sqrt((1 - c) * (1 + c)))


def velocity(m: Floats, top_mass: float) -> Floats:
    """Beta of the tops in the rest frame of pairs of mass m >= 2 m_t."""
    return np.asarray(np.sqrt(1 - (2 * top_mass / m) ** 2))


@dataclass(frozen=True)
class TopPairCoordinates:
    """Phase space of pairs of tops, and changes of variables there, each with its Jacobian."""

    energy: float  #: of the two beams together, in GeV
    top_mass: float  #: in GeV
    m_max: float  #: largest mass of a pair in GeV

    @property
    def observables(self) -> dict[str, Observable]:
        """Functions of events by name: the four numbers and ``pT_top``."""
        numbers = {name: Coordinate(k) for k, name in enumerate(("m_tt", "y_tt", "cos_theta", "phi"))}
        return {**numbers, "pT_top": TopTransverseMomentum(self.top_mass)}

    def momenta(self, events: ArrayLike) -> Floats:
        """(pT, phi, eta, m) of top and antitop, shape (..., 2, 4), from events of shape (..., 4).

        The density of (pT, y, y', phi), with the rapidities y and y' of top and antitop, is the one of the events
        times sqrt(1 - cos² theta*). To the pseudorapidity of a top it is dy / d eta = |p| / E.
        """
        m, Y, c, phi = columns(events)
        pt = TopTransverseMomentum(self.top_mass)(events)
        half_gap = np.arctanh(velocity(m, self.top_mass) * c)
        m_t = np.hypot(pt, self.top_mass)
        tops = []
        for y, angle in ((Y + half_gap, phi), (Y - half_gap, phi - np.copysign(np.pi, phi))):
            pz = m_t * np.sinh(y)
            with np.errstate(divide="ignore", invalid="ignore"):
                eta = np.where((pt == 0) & (pz == 0), 0.0, np.arcsinh(pz / pt))
            tops.append(np.stack([pt, angle, eta, np.full_like(pt, self.top_mass)], axis=-1))
        return np.stack(tops, axis=-2)

    def unbounded(self, events: ArrayLike) -> tuple[Floats, Floats]:
        """Coordinates for networks, each from minus to plus infinity, and the log of their Jacobian.

        Of events inside the allowed ranges, shape (..., 4): ln((m - 2 m_t) / (m_max - m)), artanh(Y / Y_max(m)) with
        Y_max = ln(energy / m), artanh(cos theta*) and artanh(phi / pi), shape (..., 4); and ln |d new / d events|,
        shape (...), to be subtracted from the log density of the events.
        """
        m, Y, c, phi = columns(events)
        above, below, y_max = m - 2 * self.top_mass, self.m_max - m, np.log(self.energy / m)
        fractions = (Y / y_max, c, phi / np.pi)
        new = np.stack([np.log(above / below), *map(np.arctanh, fractions)], axis=-1)
        log_jacobian = np.log(1 / above + 1 / below) - np.log(np.pi * y_max)
        return new, log_jacobian - sum(np.log1p(-(f**2)) for f in fractions)

    def from_unbounded(self, new: ArrayLike) -> Floats:
        """Inverse of `unbounded`, shape (..., 4) to (..., 4)."""
        a, b, c, d = columns(new)
        share = 0.5 * (1 + np.tanh(0.5 * a))  # the logistic function, without overflow
        m = 2 * self.top_mass + (self.m_max - 2 * self.top_mass) * share
        Y = np.log(self.energy / m) * np.tanh(b)
        return np.stack([m, Y, np.tanh(c), np.pi * np.tanh(d)], axis=-1)

    def quadrature(self, observable: str, low: float, high: float, nodes: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Points and weights of Gauss-Legendre quadrature over all events with low <= observable < high.

        The variables are hyperbolic angles, in which the density has no singularities, at the threshold and along the
        beam neither: a with m = 2 m_t cosh(a), or m_T = m_t cosh(a) for intervals in pT; half the difference b of the
        tops' rapidities, tanh(b) = beta cos theta*; and Y. The interval limits one of them, so that it costs no
        accuracy. The density is even in b and in Y: half of a rule does where the interval is even, too.

        The observable is any of `observables` but phi, by name; ends may be infinite; `nodes`, of each rule, is even.
        Returns m, Y, (beta cos theta*)² and weights in (m, Y, cos theta*), shape (points,) each.
        """
        top = self.top_mass
        if observable == "pT_top":
            largest = np.sqrt(0.25 * self.m_max**2 - top**2)
            a_low, a_high = (np.arcsinh(np.clip(pt, 0, largest) / top) for pt in (low, high))
            a, length_a = _rule(a_low, a_high, nodes)
            m_t = top * np.cosh(a)  # the transverse mass
            b, length_b = _even_rule(np.arccosh(np.maximum(self.m_max / (2 * m_t), 1)), nodes)
            m = 2 * m_t[:, None] * np.cosh(b)
            # dm dcos theta* = 2 / (beta cosh b) dm_T db
            jacobian = 2 / (velocity(m, top) * np.cosh(b)) * (top * np.sinh(a))[:, None]
        else:
            lightest, heaviest = (low, high) if observable == "m_tt" else (2 * top, self.m_max)
            if observable == "y_tt" and not low < 0 < high:  # heavier pairs cannot be so far forward
                heaviest = self.energy * np.exp(-min(abs(low), abs(high)))
            a_low, a_high = (np.arccosh(np.clip(end, 2 * top, self.m_max) / (2 * top)) for end in (lightest, heaviest))
            a, length_a = _rule(a_low, a_high, nodes)
            if observable == "cos_theta":
                b_low, b_high = (np.arctanh(np.tanh(a) * end) for end in np.clip((low, high), -1, 1))
                b, length_b = _rule(b_low, b_high, nodes)
            else:
                b, length_b = _even_rule(a, nodes)
            m = np.broadcast_to(2 * top * np.cosh(a)[:, None], b.shape)
            jacobian = m / np.cosh(b) ** 2
        area = jacobian * length_a[:, None] * length_b
        y_max = np.log(self.energy / m)
        if observable == "y_tt":
            Y, length = _rule(np.clip(low, -y_max, y_max), np.clip(high, -y_max, y_max), nodes)
        else:
            Y, length = _even_rule(y_max, nodes)
        m, z, area = (np.broadcast_to(v[..., None], Y.shape) for v in (m, np.tanh(b) ** 2, area))
        return m.ravel(), Y.ravel(), z.ravel(), (area * length).ravel()


def _rule(low: ArrayLike, high: ArrayLike, nodes: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the rule between ends of shape (...): (..., nodes) both."""
    unit, weight = np.polynomial.legendre.leggauss(nodes)
    start, half = np.asarray(low)[..., None], 0.5 * np.subtract(high, low)[..., None]
    return start + half * (unit + 1), half * weight


def _even_rule(end: Floats, nodes: int) -> tuple[Floats, Floats]:
    """The positive half of the rule from -end to end, with twice the weights."""
    x, weight = _rule(-end, end, nodes)
    return x[..., nodes // 2 :], 2 * weight[..., nodes // 2 :]
