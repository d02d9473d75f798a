"""Top pairs at leading order whose weight has a parameter of the theory, with the exact truth for each value."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats
from gampl.processes.leading_order_coordinates import velocity
from gampl.processes.leading_order_top_pair import NODES, LeadingOrderTopPair
from gampl.regions import Intervals

OFFSET, SCALE = 15.0, 100.0  # GeV, of the talk's weight


def excess(pt: ArrayLike) -> Floats:
    """The u = ((pT - 15 GeV) / 100 GeV)^2 of the talk's weights w_a = 1 + a u, (...) -> (...)."""
    return ((np.asarray(pt, dtype=np.float64) - OFFSET) / SCALE) ** 2


def likelihood_weights(u: Floats, a: Floats) -> Floats:
    """w_a / <w_a> of events with their mean over these events: (n,) and (n, K) or a number -> (n, K) or (n,)."""
    column = u[:, None] if np.ndim(a) == 2 else u
    return np.asarray((1 + a * column) / (1 + a * u.mean()))


@dataclass(frozen=True)
class WeightedTopPair:
    """Densities p_a = w_a p / <w_a> with w_a = 1 + a u, where pT is that of the tops, by quadrature.

    They lie on a line between p and u p / <u>, and p_a has the share a <u> / (1 + a <u>) of the second.
    """

    process: LeadingOrderTopPair

    def u(self, events: ArrayLike) -> Floats:
        """The u of events, (n, 4) -> (n,)."""
        return excess(self.process.observables["pT_top"](np.asarray(events, dtype=np.float64)))

    def moments(self, regions: Intervals) -> Floats:
        """Integrals of p, u p and u^2 p over each region, which are of one of the process's observables: (regions, 3).

        phi, of which nothing depends, is not possible. A ValueError for other regions.
        """
        names = [name for name, observable in self.process.observables.items() if observable == regions.observable]
        if not names or names == ["phi"]:
            raise ValueError("moments needs regions of one of the process's observables, and not of phi")
        return np.stack([self._moments(names[0], *ends) for ends in zip(regions.low, regions.high, strict=True)])

    @cached_property
    def total(self) -> Floats:
        """The same over all events: 1, <u> and <u^2>."""
        return self._moments("m_tt", -np.inf, np.inf)

    def share(self, a: ArrayLike) -> Floats:
        """Share of u p / <u> in p_a, 0 to 1: it says where on the line p_a is."""
        return np.asarray(a * self.total[1] / (1 + a * self.total[1]))

    def parameter(self, share: ArrayLike) -> Floats:
        """The a with this share."""
        return np.asarray(share / (1 - np.asarray(share)) / self.total[1])

    def integrals(self, moments: Floats, a: float) -> Floats:
        """Probabilities under p_a of regions with these moments, (..., 3) -> (...)."""
        return np.asarray((moments[..., 0] + a * moments[..., 1]) / (1 + a * self.total[1]))

    def effective(self, a: float) -> float:
        """(sum w)^2 / sum w^2 of events with weights w_a, per event (Kish 1965)."""
        return float(1 / self._squares(self.total, a))

    def effective_in(self, moments: Floats, a: float) -> float:
        """Events of p_a that know the regions as well as an event of p with weight w_a does.

        The delta method's variance of sum w 1_V / sum w is < w^2 (1_V - I)^2 > / <w>^2 / n.
        """
        I = self.integrals(moments, a)  # noqa: E741
        variance = self._squares(moments, a) * (1 - 2 * I) + I**2 * self._squares(self.total, a)
        return float((I * (1 - I)).sum() / variance.sum())

    def _squares(self, moments: Floats, a: float) -> Floats:
        """Integrals of w_a^2 p / <w_a>^2, (..., 3) -> (...)."""
        return np.asarray(moments @ np.array([1, 2 * a, a**2]) / (1 + a * self.total[1]) ** 2)

    def _moments(self, name: str, low: float, high: float) -> Floats:
        m, Y, z, weight = self.process.coordinates.quadrature(name, low, high, NODES)
        events = np.stack([m, Y, np.sqrt(z) / velocity(m, self.process.top_mass), np.zeros_like(m)], axis=-1)
        density = 2 * np.pi * np.exp(self.process.log_prob(events)) * weight  # phi is integrated
        return np.array([(density * self.u(events) ** k).sum() for k in range(3)])
