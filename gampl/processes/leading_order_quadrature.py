"""Nodes and weights of Gauss-Legendre quadrature over pairs of tops with an observable in an interval.

The variables are hyperbolic angles, in which the density has no singularities, at the threshold and along the beam
neither: a with m = 2 m_t cosh(a), or m_T = m_t cosh(a) for intervals in pT; half the difference b of the tops'
rapidities, tanh(b) = beta cos theta*; and Y. Intervals are limits of one of them, so that edges cost no accuracy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.processes.leading_order_coordinates import TopPairCoordinates, velocity

Grid = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class Points(NamedTuple):
    """Where to evaluate a density in (m, Y, cos theta*), and with which weight to sum it: shape (points,) each."""

    m: NDArray[np.float64]
    Y: NDArray[np.float64]
    z: NDArray[np.float64]  # (beta cos theta*)²
    weight: NDArray[np.float64]


def points(observable: str, low: float, high: float, space: TopPairCoordinates, nodes: int) -> Points:
    """Points for the integral over all events with low <= observable < high.

    Args:
        observable: ``"m_tt"``, ``"y_tt"``, ``"cos_theta"`` or ``"pT_top"``.
        low: Lower end, -inf is allowed.
        high: Upper end, inf is allowed.
        space: The limits of phase space.
        nodes: Even number of nodes of each of three rules. The density is even in b and in Y, so that half of a rule
            does where the interval is even, too.
    """
    if observable == "pT_top":
        m, b, area = _transverse(low, high, space, nodes)
    else:
        m, b, area = _massive(observable, low, high, space, nodes)
    y_max = np.log(space.energy / m)
    if observable == "y_tt":
        Y, length = _rule(np.clip(low, -y_max, y_max), np.clip(high, -y_max, y_max), nodes)
    else:
        Y, length = _even_rule(y_max, nodes)
    m, z, area = (np.broadcast_to(v[..., None], Y.shape) for v in (m, np.tanh(b) ** 2, area))
    return Points(*(v.ravel() for v in (m, Y, z, area * length)))


def _massive(observable: str, low: float, high: float, space: TopPairCoordinates, nodes: int) -> Grid:
    """Masses m, half gaps b and the weights of dm dcos theta*, shape (nodes, nodes) each."""
    threshold = 2 * space.top_mass
    lightest, heaviest = (low, high) if observable == "m_tt" else (threshold, space.m_max)
    if observable == "y_tt" and not low < 0 < high:  # heavier pairs cannot be so far forward
        heaviest = space.energy * np.exp(-min(abs(low), abs(high)))
    a_low, a_high = (np.arccosh(np.clip(m, threshold, space.m_max) / threshold) for m in (lightest, heaviest))
    a, length_a = _rule(a_low, a_high, nodes)
    if observable == "cos_theta":
        c_low, c_high = np.clip((low, high), -1, 1)
        b, length_b = _rule(np.arctanh(np.tanh(a) * c_low), np.arctanh(np.tanh(a) * c_high), nodes)
    else:
        b, length_b = _even_rule(a, nodes)
    m = np.broadcast_to(threshold * np.cosh(a)[:, None], b.shape)
    return m, b, m / np.cosh(b) ** 2 * length_a[:, None] * length_b


def _transverse(low: float, high: float, space: TopPairCoordinates, nodes: int) -> Grid:
    """The same for an interval in the tops' transverse momentum."""
    largest = np.sqrt(0.25 * space.m_max**2 - space.top_mass**2)
    a_low, a_high = (np.arcsinh(np.clip(pt, 0, largest) / space.top_mass) for pt in (low, high))
    a, length_a = _rule(a_low, a_high, nodes)
    m_t = space.top_mass * np.cosh(a)  # the transverse mass
    b, length_b = _even_rule(np.arccosh(np.maximum(space.m_max / (2 * m_t), 1)), nodes)
    m = 2 * m_t[:, None] * np.cosh(b)
    # dm dcos theta* = 2 / (beta cosh b) dm_T db
    jacobian = 2 / (velocity(m, space.top_mass) * np.cosh(b)) * (space.top_mass * np.sinh(a))[:, None]
    return m, b, jacobian * length_a[:, None] * length_b


def _rule(low: ArrayLike, high: ArrayLike, nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of the rule between ends of shape (...): (..., nodes) both."""
    unit, weight = np.polynomial.legendre.leggauss(nodes)
    start, half = np.asarray(low)[..., None], 0.5 * np.subtract(high, low)[..., None]
    return start + half * (unit + 1), half * weight


def _even_rule(end: NDArray[np.float64], nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The positive half of the rule from -end to end, with twice the weights."""
    x, weight = _rule(-end, end, nodes)
    return x[..., nodes // 2 :], 2 * weight[..., nodes // 2 :]
