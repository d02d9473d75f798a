"""A step function that the density of top pairs nowhere exceeds, so that rejection sampling from it is exact.

Phase space is cut into cells in ln x1, ln x2 and |cos theta*|. In each of them every factor of the density is bounded
by itself: the splines of the parton densities by their coefficients, the matrix elements and the coupling at the ends
of the ranges of their arguments. These are bounds by proof, not the largest of many trials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gampl.processes.parton_densities import PartonDensities, luminosities
from gampl.processes.top_pair_matrix_element import Ranges, d_sigma_dcos_upper_bounds

ANGULAR_CELLS = 8
ROUNDING = 1e-9  # room for round-off in density and bound


@dataclass(frozen=True, eq=False)
class Envelope:
    """Cells, sampled with the probabilities that belong to the step function.

    Args:
        corner: The lowest ln x1, ln x2 and |cos theta*| of each cell, shape (cells, 3).
        size: The cells' lengths, shape (cells, 3).
        height: Upper bounds on d sigma / d ln x1 d ln x2 d cos theta* in pb, shape (cells,).
    """

    corner: NDArray[np.float64]
    size: NDArray[np.float64]
    height: NDArray[np.float64]
    _cumulative: NDArray[np.float64]

    @classmethod
    def around(cls, densities: PartonDensities, energy: float, top_mass: float, m_max: float) -> "Envelope":
        """Bounds the density in all cells where the mass of the pair can be from 2 `top_mass` to `m_max`."""
        edges = densities.log_x_edges
        first, second = (k.ravel() for k in np.indices((len(edges) - 1, len(edges) - 1)))
        lowest = energy * np.exp(0.5 * (edges[first] + edges[second]))
        highest = energy * np.exp(0.5 * (edges[first + 1] + edges[second + 1]))
        reached = (highest > 2 * top_mass) & (lowest < m_max)
        angles = np.sin(np.linspace(0, np.pi / 2, ANGULAR_CELLS + 1))  # finer towards the beam
        first, second = (np.repeat(k[reached], ANGULAR_CELLS) for k in (first, second))
        m = Ranges(*(np.repeat(np.clip(k[reached], 2 * top_mass, m_max), ANGULAR_CELLS) for k in (lowest, highest)))
        c = Ranges(*(np.tile(ends, reached.sum()) for ends in (angles[:-1], angles[1:])))

        corner = np.stack([edges[first], edges[second], c.low], axis=1)
        size = np.stack([edges[first + 1], edges[second + 1], c.high], axis=1) - corner
        height = _upper_bounds(densities, (first, second), m, c, top_mass) * (1 + ROUNDING)
        probability = height * size.prod(axis=1)
        return cls(corner, size, height, np.cumsum(probability))

    @property
    def integral(self) -> float:
        """Integral of the step function over ln x1, ln x2 and both signs of cos theta*, in pb."""
        return 2 * float(self._cumulative[-1])

    def sample(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points (ln x1, ln x2, cos theta*) of the step function, shape (n, 3), and its height there, (n,)."""
        cell = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1], side="right")
        cell = np.minimum(cell, len(self.height) - 1)  # rounding can reach the end
        points = self.corner[cell] + self.size[cell] * rng.random((n, 3))
        points[:, 2] *= rng.choice((-1.0, 1.0), n)
        return points, self.height[cell]


def _upper_bounds(
    densities: PartonDensities,
    intervals: tuple[NDArray[np.intp], NDArray[np.intp]],
    m: Ranges,
    c: Ranges,
    top_mass: float,
) -> NDArray[np.float64]:
    """Upper bounds on d sigma / d ln x1 d ln x2 d cos theta* in cells, shape (cells,)."""
    beta_squared = Ranges(*(1 - (2 * top_mass / ends) ** 2 for ends in m))
    z = Ranges(*(b * ends**2 for b, ends in zip(beta_squared, c, strict=True)))
    # m_T² = m² / 4 (1 - c²) + m_t² c² rises with m and falls with |c|
    Q = Ranges(
        *(np.sqrt(0.25 * M**2 * (1 - C**2) + (top_mass * C) ** 2) for M, C in ((m.low, c.high), (m.high, c.low)))
    )
    partonic = d_sigma_dcos_upper_bounds(m, z, Q.low, top_mass)
    luminosity = luminosities(*(densities.upper_bounds(k, Q.low, Q.high) for k in intervals))
    return np.asarray(sum(L * sigma for L, sigma in zip(luminosity, partonic, strict=True)))
