"""p p -> t tbar at leading order with an exactly known density: a physics process whose truth needs no holdout.

The tops are on shell and nothing radiates, so that an event has four coordinates, (m, Y, cos theta*, phi) of
`gampl.processes.leading_order_coordinates`. With the momentum fractions x1, x2 = m exp(+-Y) / energy,

    d sigma / dm dY dcos theta* = 2 / m  sum_ij  x1 f_i(x1, m_T) x2 f_j(x2, m_T)  d sigma_ij / dcos theta*,

phi is flat, and the density is this divided by its integral. Coupling, both scales, at the transverse mass m_T, and
parton densities are Pythia's (arXiv:2203.11601).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats
from gampl.processes.leading_order_coordinates import TopPairCoordinates, columns, velocity
from gampl.processes.leading_order_cross_section import ByChannel, Envelope, d_sigma_dcos
from gampl.processes.parton_densities import Q_MAX, Q_MIN, X_MIN, PartonDensities, luminosities
from gampl.regions import Intervals, Observable

BATCH = 32_768  # events at a time, which bounds the memory
NODES = 48  # of each of three Gauss-Legendre rules, for 1e-6 of an integral


@dataclass(frozen=True)
class LeadingOrderTopPair:
    """Pairs of top quarks as rows (m, Y, cos theta*, phi) of float64; a ValueError if a number is out of its range."""

    energy: float = 13_000.0  #: of both beams together in GeV, at most 20 TeV
    top_mass: float = 173.0  #: in GeV
    m_max: float | None = None  #: pairs of this mass in GeV or above are left out; None keeps all
    pdf_set: str = "13"  #: Pythia's setting ``PDF:pSet``, see `PartonDensities.of_pythia`

    def __post_init__(self) -> None:
        # written so that NaN fails
        if not 0 < self.energy <= 2 * Q_MAX:
            raise ValueError(f"energy must be above 0 and at most {2 * Q_MAX:g} GeV, got {self.energy}")
        low, high = max(Q_MIN, 0.5 * self.energy * X_MIN**0.5), 0.5 * self.energy
        if not low < self.top_mass < high:
            raise ValueError(f"top_mass must be between {low:g} and {high:g} GeV at this energy, got {self.top_mass}")
        low = 2 * self.top_mass
        if self.m_max is not None and not low < self.m_max <= self.energy:
            raise ValueError(f"m_max must be above {low:g} and at most {self.energy:g} GeV, got {self.m_max}")

    @cached_property
    def coordinates(self) -> TopPairCoordinates:
        """Events as momenta and as unbounded coordinates for networks, and back."""
        return TopPairCoordinates(self.energy, self.top_mass, self.m_max or self.energy)

    @property
    def observables(self) -> Mapping[str, Observable]:
        """Functions of events by name; `integrals` knows the probabilities of intervals of each."""
        return self.coordinates.observables

    @property
    def pythia_settings(self) -> tuple[str, ...]:
        """Lines that make Pythia generate this very process."""
        return (
            "Top:gg2ttbar = on",
            "Top:qqbar2ttbar = on",
            f"Beams:eCM = {self.energy!r}",
            f"PDF:pSet = {self.pdf_set}",
            f"6:m0 = {self.top_mass!r}",
            f"PhaseSpace:mHatMax = {self.coordinates.m_max!r}",
            "PhaseSpace:useBreitWigners = off",
            "ProcessLevel:resonanceDecays = off",
            "PartonLevel:all = off",
            "HadronLevel:all = off",
        )

    @property
    def sigma(self) -> float:
        """Cross section in pb."""
        return float(sum(self.sigma_by_channel))

    @cached_property
    def sigma_by_channel(self) -> ByChannel:
        """Cross sections of g g and of q qbar in pb."""
        return self._cross_section("m_tt", -np.inf, np.inf, nodes=2 * NODES)

    def log_prob(self, events: ArrayLike) -> Floats:
        """Exact log density of events, (..., 4) to (...): -inf where there are none, NaN for NaN; else a ValueError."""
        x = np.asarray(events, dtype=np.float64)
        m, Y, c, phi = columns(x).reshape(4, -1)
        allowed = (m > 2 * self.top_mass) & (m < self.coordinates.m_max) & (np.abs(c) <= 1) & (np.abs(phi) <= np.pi)
        allowed &= m * np.exp(np.abs(Y)) < self.energy
        result = np.where(np.isnan(m + Y + c + phi), np.nan, -np.inf)
        rows = np.flatnonzero(allowed)
        for k in np.split(rows, range(BATCH, len(rows), BATCH)):
            z = (velocity(m[k], self.top_mass) * c[k]) ** 2
            with np.errstate(divide="ignore"):  # the parton densities end a little below x = 1
                result[k] = np.log(sum(self._density(m[k], Y[k], z))) - np.log(2 * np.pi * self.sigma)
        return result.reshape(x.shape[:-1])

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw ``n`` unweighted events, shape (n, 4), by rejection from an `Envelope` above the density."""
        if n < 0:
            raise ValueError(f"n must not be negative, got {n}")
        events = np.empty((n, 4))
        done = 0
        while done < n:
            trials = min(BATCH, int(1.05 * (n - done) * self._envelope.integral / self.sigma) + 100)
            points, height = self._envelope.sample(trials, rng)
            threshold = rng.random(trials) * height
            log_x1, log_x2, c = points.T
            m = self.energy * np.exp(0.5 * (log_x1 + log_x2))
            allowed = (m > 2 * self.top_mass) & (m < self.coordinates.m_max)
            m, Y, c = m[allowed], 0.5 * (log_x1 - log_x2)[allowed], c[allowed]
            # dm dY = m / 2 dln x1 dln x2
            density = 0.5 * m * sum(self._density(m, Y, (velocity(m, self.top_mass) * c) ** 2))
            if (density > height[allowed]).any():
                raise RuntimeError("the density exceeds its upper bound: this is a mistake in gampl, please report it")
            accepted = np.stack([m, Y, c], axis=1)[density > threshold[allowed]][: n - done]
            events[done : done + len(accepted), :3] = accepted
            done += len(accepted)
        events[:, 3] = rng.uniform(-np.pi, np.pi, n)
        return events

    def integrals(self, regions: Intervals) -> Floats:
        """Exact probabilities of intervals of one of the `observables`, Eq. (9), shape (regions,); else a ValueError.

        By quadrature, to about 1e-6 of each probability, 1e-5 in pT where `m_max` is next to the threshold.
        """
        names = [name for name, observable in self.observables.items() if observable == regions.observable]
        if not names:
            raise ValueError(f"integrals needs regions of one of {', '.join(self.observables)} in `observables`")
        edges = np.stack([regions.low, regions.high], axis=1)
        if names[0] == "phi":
            return np.asarray(np.diff(np.clip(edges, -np.pi, np.pi))[:, 0] / (2 * np.pi))
        return np.array([sum(self._cross_section(names[0], low, high)) for low, high in edges.tolist()]) / self.sigma

    @cached_property
    def _densities(self) -> PartonDensities:
        return PartonDensities.of_pythia(self.pdf_set)

    @cached_property
    def _envelope(self) -> Envelope:
        return Envelope.around(self._densities, self.coordinates)

    def _density(self, m: Floats, Y: Floats, z: Floats) -> ByChannel:
        """Both channels' d sigma / dm dY dcos theta* in pb/GeV at (beta cos theta*)² = z."""
        Q = 0.5 * m * np.sqrt(1 - z)
        # x above 1 is rounding: callers ask inside the allowed ranges only
        f1, f2 = (self._densities(np.minimum(m / self.energy * np.exp(y), 1.0), Q) for y in (Y, -Y))
        partonic = d_sigma_dcos(m, z, self.top_mass)
        return ByChannel(*(2 / m * L * sigma for L, sigma in zip(luminosities(f1, f2), partonic, strict=True)))

    def _cross_section(self, name: str, low: float, high: float, nodes: int = NODES) -> ByChannel:
        """Cross sections in pb with an observable from low to high."""
        m, Y, z, weight = self.coordinates.quadrature(name, low, high, nodes)
        return ByChannel(*(np.dot(weight, density) for density in self._density(m, Y, z)))
