"""Leading-order cross sections of g g -> t tbar and q qbar -> t tbar, and a step function that they nowhere exceed.

Textbook formulas: B. L. Combridge, Nucl. Phys. B151 (1979) 429, in the form of R. K. Ellis, W. J. Stirling and
B. R. Webber, "QCD and Collider Physics", Table 10.1. With the velocity beta of the tops and the angle theta* between
top and beam in the rest frame of the pair, and z = (beta cos theta*)², their variables are

    rho = 4 m_t² / m² = 1 - beta²,    tau_1² + tau_2² = (1 + z) / 2,    tau_1 tau_2 = (1 - z) / 4.

The renormalisation scale is the transverse mass m_T = m sqrt(1 - z) / 2, Pythia's choice.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats
from gampl.processes.leading_order_coordinates import TopPairCoordinates
from gampl.processes.parton_densities import PartonDensities, luminosities

ALPHA_S = 0.13  # at m_Z; these three are Pythia's
M_Z = 91.188  # GeV
SIX_FLAVOURS = 171.0  # GeV, from where the top quark counts in the running
PICOBARN = 0.3893793721e9  # GeV² (hbar c)², CODATA 2018

ANGULAR_CELLS = 8
ROUNDING = 1e-9  # room for round-off in density and bound


class ByChannel(NamedTuple):
    """One number, or array, of each initial state."""

    gg: Floats
    qqbar: Floats


class Ranges(NamedTuple):
    """Lower and upper ends of ranges, shape (k,) both."""

    low: Floats
    high: Floats


def alpha_s(Q: ArrayLike) -> Floats:
    """The strong coupling at a scale in GeV, on one loop: five flavours, six above `SIX_FLAVOURS`."""

    def one_loop(start: Floats | float, log_q: Floats, flavours: int) -> Floats:
        return start / (1 + start * (33 - 2 * flavours) / (6 * np.pi) * log_q)

    log_q, threshold = np.log(np.asarray(Q, dtype=np.float64) / M_Z), np.log(SIX_FLAVOURS / M_Z)
    above = one_loop(one_loop(ALPHA_S, threshold, 5), log_q - threshold, 6)
    return np.where(log_q < threshold, one_loop(ALPHA_S, log_q, 5), above)


def d_sigma_dcos(m: ArrayLike, z: ArrayLike, top_mass: float) -> ByChannel:
    """Partonic cross sections d sigma / d cos theta* in pb, averaged over colours and spins of the initial state.

    At masses m >= 2 `top_mass` in GeV and z = (beta cos theta*)² of one shape; q qbar is for one of its two ways round.
    """
    m, z = np.asarray(m, dtype=np.float64), np.asarray(z, dtype=np.float64)
    return d_sigma_dcos_upper_bounds(Ranges(m, m), Ranges(z, z), 0.5 * m * np.sqrt(1 - z), top_mass)


def d_sigma_dcos_upper_bounds(m: Ranges, z: Ranges, q_low: Floats, top_mass: float) -> ByChannel:
    """What `d_sigma_dcos` does not exceed at any m and z in these ranges, and scale above: each term at its largest."""
    rho = Ranges((2 * top_mass / m.high) ** 2, (2 * top_mass / m.low) ** 2)
    front = np.pi * PICOBARN / 2 * alpha_s(q_low) ** 2 * np.sqrt(1 - rho.low) / m.low**2
    gg = (7 + 9 * z.high) / (24 * (1 - z.high)) * (0.5 * (1 + z.high) + rho.high - rho.low**2 / (1 - z.low))
    qqbar = 2 / 9 * (1 + z.high + rho.high)
    return ByChannel(front * gg, front * qqbar)


@dataclass(frozen=True, eq=False)
class Envelope:
    """A step function that the density nowhere exceeds, so that rejection sampling from it is exact.

    In each cell of ln x1, ln x2 and |cos theta*| every factor of the density is bounded by itself: the splines of the
    parton densities by their coefficients, matrix elements and coupling at the ends of the ranges of their arguments.
    These are bounds by proof, not the largest of many trials.
    """

    corner: Floats  #: the lowest ln x1, ln x2 and |cos theta*| of each cell, shape (cells, 3)
    size: Floats  #: the cells' lengths, shape (cells, 3)
    height: Floats  #: upper bounds on d sigma / d ln x1 d ln x2 d cos theta* in pb, shape (cells,)

    @classmethod
    def around(cls, densities: PartonDensities, space: TopPairCoordinates) -> "Envelope":
        """Bounds the density in all cells where pairs can be."""
        edges, threshold = densities.log_x_edges, 2 * space.top_mass
        first, second = (k.ravel() for k in np.indices((len(edges) - 1, len(edges) - 1)))
        lowest, highest = (space.energy * np.exp(0.5 * (edges[first + k] + edges[second + k])) for k in (0, 1))
        reached = (highest > threshold) & (lowest < space.m_max)
        angles = np.sin(np.linspace(0, np.pi / 2, ANGULAR_CELLS + 1))  # finer towards the beam
        first, second = (np.repeat(k[reached], ANGULAR_CELLS) for k in (first, second))
        m = Ranges(*(np.repeat(np.clip(k[reached], threshold, space.m_max), ANGULAR_CELLS) for k in (lowest, highest)))
        c = Ranges(*(np.tile(ends, reached.sum()) for ends in (angles[:-1], angles[1:])))
        corner = np.stack([edges[first], edges[second], c.low], axis=1)
        size = np.stack([edges[first + 1], edges[second + 1], c.high], axis=1) - corner

        z = Ranges(*((1 - (threshold / M) ** 2) * C**2 for M, C in zip(m, c, strict=True)))
        # m_T² = m² / 4 (1 - c²) + m_t² c² rises with m and falls with |c|
        ends = ((m.low, c.high), (m.high, c.low))
        Q = Ranges(*(np.sqrt(0.25 * M**2 * (1 - C**2) + (space.top_mass * C) ** 2) for M, C in ends))
        luminosity = luminosities(*(densities.upper_bounds(k, Q.low, Q.high) for k in (first, second)))
        partonic = d_sigma_dcos_upper_bounds(m, z, Q.low, space.top_mass)
        height = np.asarray(sum(L * sigma for L, sigma in zip(luminosity, partonic, strict=True)))
        return cls(corner, size, height * (1 + ROUNDING))

    @cached_property
    def _cumulative(self) -> Floats:
        return np.cumsum(self.height * self.size.prod(axis=1))

    @property
    def integral(self) -> float:
        """Integral of the step function over ln x1, ln x2 and both signs of cos theta*, in pb."""
        return 2 * float(self._cumulative[-1])

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Points (ln x1, ln x2, cos theta*) of the step function, shape (n, 3), and its height there, (n,)."""
        cell = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1], side="right")
        cell = np.minimum(cell, len(self.height) - 1)  # rounding can reach the end
        points = self.corner[cell] + self.size[cell] * rng.random((n, 3))
        points[:, 2] *= rng.choice((-1.0, 1.0), n)
        return points, self.height[cell]
