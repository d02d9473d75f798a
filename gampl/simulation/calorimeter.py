"""Calorimeter towers of a batch of events, with the response that the Delphes card of ATLAS describes.

Geometry, resolutions and thresholds are those of ``cards/delphes_card_ATLAS.tcl`` of Delphes 3 (de Favereau et al.
2014, arXiv:1307.6346), in which jets are made of towers: the efficiency of the tracker plays no part. Particles start
at the centre of the detector (the card: at their true vertex). K0S and Lambda, whose energy the card splits between
the two calorimeters, have decayed before they arrive.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.particles.kinematics import wrapped
from gampl.simulation.pythia import Particles

FIELD, RADIUS, HALF_LENGTH = 2.0, 1.15, 3.51  # T, m, m
CURVATURE = 0.299792458  # GeV / (T m): pT = 0.3 B r
NEITHER_TOWER = (12, 13, 14, 16)  # muons and neutrinos leave no energy
ELECTROMAGNETIC = (11, 22)
# of the charged particles that live long enough to arrive; antiparticles have the opposite
CHARGE = {11: -1, 13: -1, 211: 1, 321: 1, 2212: 1, 3112: -1, 3222: 1, 3312: -1, 3334: -1}
SIGNIFICANCE = 2.0  # towers below this many standard deviations of the noise are dropped


class Towers(NamedTuple):
    """Energy deposits of a batch, ordered by event, shape (towers,) each."""

    event: NDArray[np.int64]
    energy: Floats  # GeV
    eta: Floats
    phi: Floats

    @property
    def momenta(self) -> Floats:
        """(E, px, py, pz) of massless particles, shape (towers, 4)."""
        pt = self.energy / np.cosh(self.eta)
        return np.stack([self.energy, pt * np.cos(self.phi), pt * np.sin(self.phi), pt * np.sinh(self.eta)], axis=-1)


class Grid:
    """Cells in (eta, phi): edges of rings in eta, each with the number of cells in phi *below* it, as in Delphes."""

    def __init__(self, *edges: tuple[Floats, int]) -> None:
        eta = np.concatenate([values for values, _ in edges])
        cells = np.concatenate([np.full(len(values), n_phi) for values, n_phi in edges])
        order = np.argsort(eta, kind="stable")
        self.edges, self.cells = eta[order], cells[order]
        self.stride = int(cells.max())
        self.size = self.edges.size * self.stride

    def index(self, eta: Floats, phi: Floats) -> NDArray[np.int64]:
        """The cell of each direction, -1 outside the grid."""
        ring = np.searchsorted(self.edges, eta, side="left")
        covered = (ring > 0) & (ring < self.edges.size)
        n_phi = self.cells[np.where(covered, ring, 0)]
        column = np.minimum((n_phi * (phi + np.pi) / (2 * np.pi)).astype(np.int64), n_phi - 1)
        return np.where(covered, ring * self.stride + column, -1)

    def scatter(self, index: NDArray[np.int64], rng: np.random.Generator) -> tuple[Floats, Floats]:
        """A uniform (eta, phi) in each of some cells."""
        ring, column = np.divmod(index, self.stride)
        u, v = rng.random((2, index.size))
        eta = self.edges[ring - 1] + u * (self.edges[ring] - self.edges[ring - 1])
        return np.asarray(eta), np.asarray(-np.pi + (column + v) * 2 * np.pi / self.cells[ring])


_STEPS = 0.0174 * np.arange(1, 85)
_ECAL_OUTER = np.array([3.3, 3.475, 3.65, 3.825, 4.0, 4.175, 4.35, 4.525, 4.7, 5.0])
_HCAL_OUTER = np.array([2.8, 3.0, 3.5, 3.7, 3.9, 4.1, 4.3, 4.5, 4.7, 4.9])
ECAL = Grid(
    (np.concatenate([-2.958 + _STEPS, 0.0174 * np.arange(-85, 87), 1.4964 + _STEPS]), 360),
    (np.concatenate([-_ECAL_OUTER, [-3.125, -2.958, 3.125], _ECAL_OUTER]), 36),
)
HCAL = Grid(
    (np.concatenate([[-3.2], np.arange(-25, 27) / 10, [3.3]]), 36),
    (np.concatenate([-_HCAL_OUTER, [-3.3, -2.6, 3.2], _HCAL_OUTER]), 18),
)


def ecal_resolution(eta: Floats, energy: Floats) -> Floats:
    """Standard deviation of an electromagnetic tower's energy, in GeV; zero beyond the calorimeter."""
    distance, root = np.abs(eta), np.sqrt(energy)
    central = np.hypot(0.0017 * energy, 0.101 * root)
    forward = np.hypot(0.035 * energy, 0.285 * root)
    return np.select([distance <= 3.2, distance <= 4.9], [central, forward])


def hcal_resolution(eta: Floats, energy: Floats) -> Floats:
    """Standard deviation of a hadronic tower's energy, in GeV; zero beyond the calorimeter."""
    distance, root = np.abs(eta), np.sqrt(energy)
    barrel = np.sqrt((0.0302 * energy) ** 2 + (0.5205 * root) ** 2 + 1.59**2)
    endcap = np.hypot(0.05 * energy, 0.706 * root)
    forward = np.hypot(0.0942 * energy, root)
    return np.select([distance <= 1.7, distance <= 3.2, distance <= 4.9], [barrel, endcap, forward])


def charges(pdg: NDArray[np.int32]) -> NDArray[np.int64]:
    """Electric charge of particles of the final state in units of e."""
    return np.sign(pdg) * np.select([np.abs(pdg) == code for code in CHARGE], [*CHARGE.values()])


def propagate(px: Floats, py: Floats, pz: Floats, charge: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(eta, phi) where particles from the centre meet the calorimeter's cylinder, charged ones on a helix."""
    pt = np.maximum(np.hypot(px, py), 1e-9)  # GeV; along the beam the length below is finite all the same
    radius = pt / (CURVATURE * FIELD)  # of the helix, in m
    chord = RADIUS / (2 * radius)
    with np.errstate(invalid="ignore"):  # of particles that turn before they reach the barrel: arcsin(> 1) is NaN
        arc = np.where(chord < 1, 2 * radius * np.arcsin(chord), np.inf)
    to_barrel = np.where(charge == 0, RADIUS, arc)
    to_end = HALF_LENGTH * pt / np.maximum(np.abs(pz), 1e-9)
    length = np.minimum(to_barrel, to_end)  # of the path's projection on the transverse plane
    turn = np.where(charge == 0, 0.0, length / (2 * radius))  # half the angle by which the momentum has turned
    r = np.where(charge == 0, length, 2 * radius * np.abs(np.sin(turn)))
    phi = np.arctan2(py, px) - charge * turn + np.where(np.sin(turn) < 0, np.pi, 0.0)
    eta = np.arcsinh(length * pz / pt / np.maximum(r, 1e-9))
    return np.asarray(eta), wrapped(phi)


def towers(final: Particles, rng: np.random.Generator) -> Towers:
    """Energies and directions that the two calorimeters report for particles of the final state.

    The energies in each cell are added; the sum fluctuates as a log-normal variable with the cell's resolution, and
    its direction is uniform in the cell.
    """
    seen = final.where(~np.isin(np.abs(final.pdg), NEITHER_TOWER))
    eta, phi = propagate(seen.px, seen.py, seen.pz, charges(seen.pdg))
    is_electromagnetic = np.isin(np.abs(seen.pdg), ELECTROMAGNETIC)
    parts = []
    for grid, mask, resolution, lowest in (
        (ECAL, is_electromagnetic, ecal_resolution, 0.5),
        (HCAL, ~is_electromagnetic, hcal_resolution, 1.0),
    ):
        cell = grid.index(eta[mask], phi[mask])
        hit = cell >= 0
        keys, members = np.unique(seen.event[mask][hit] * grid.size + cell[hit], return_inverse=True)
        event, cell = np.divmod(keys, grid.size)
        ring = cell // grid.stride
        centre = (grid.edges[ring - 1] + grid.edges[ring]) / 2
        true_energy = np.bincount(members, seen.energy[mask][hit]).astype(np.float64)
        variance = np.log1p((resolution(centre, true_energy) / true_energy) ** 2)  # of the energy's logarithm
        energy = true_energy * np.exp(np.sqrt(variance) * rng.standard_normal(keys.size) - variance / 2)
        tower_eta, tower_phi = grid.scatter(cell, rng)
        above = (energy >= lowest) & (energy >= SIGNIFICANCE * resolution(centre, energy))
        parts.append(Towers(event[above], energy[above], tower_eta[above], tower_phi[above]))
    joined = [np.concatenate(values) for values in zip(*parts, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return Towers(*(values[order] for values in joined))
