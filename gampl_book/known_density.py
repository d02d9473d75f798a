"""Integrals over phase space with a known integrand, maps of the unit cube, VEGAS grids, and what each is worth.

Cross sections in pb, energies in GeV. Points are rows of numbers from 0 to 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gampl.basics import Floats
from gampl.kolmogorov import MEAN
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.regions import Intervals
from gampl.spread import n_equiv

Integrand = Callable[[Floats], Floats]  # points (n, d) -> values (n,)
WIDTH = 1.42  # GeV, of the top quark
WINDOW = 50.0  # GeV, by which masses of off-shell tops may differ from the pole
_ANGLE = float(np.arctan(2 * WINDOW / WIDTH))
CHANNELS = ("both", "top", "antitop")  # which of the two is resonant


@dataclass(frozen=True)
class TopPairIntegrand:
    """The leading-order process with phi integrated out, on the cube of ln(m^2 / s), Y / Y_max and cos theta*.

    All three are flat from 0 to 1: the map knows the ends of phase space, and nothing of the density.
    """

    process: LeadingOrderTopPair

    @property
    def log_range(self) -> float:
        """The ln(s / m^2) at the threshold."""
        return float(2 * np.log(self.process.energy / (2 * self.process.top_mass)))

    def events(self, u: Floats) -> Floats:
        """Rows (m, Y, cos theta*, phi = 0) of points: (n, 3) -> (n, 4)."""
        log_tau = -self.log_range * (1 - u[:, 0])
        Y = -0.5 * log_tau * (2 * u[:, 1] - 1)
        return np.stack([self.process.energy * np.exp(0.5 * log_tau), Y, 2 * u[:, 2] - 1, np.zeros(len(u))], axis=1)

    def points(self, events: Floats) -> Floats:
        """Inverse of `events`, whatever phi is: (n, 4) -> (n, 3)."""
        m, Y, c, _ = events.T
        log_tau = 2 * np.log(m / self.process.energy)
        return np.stack([1 + log_tau / self.log_range, 0.5 - Y / log_tau, 0.5 * (1 + c)], axis=1)

    def __call__(self, u: Floats) -> Floats:
        """The d sigma / du of points, in pb: (n, 3) -> (n,)."""
        events = self.events(u)
        m, log_tau = events[:, 0], 2 * np.log(events[:, 0] / self.process.energy)
        jacobian = 0.5 * m * self.log_range * -log_tau * 2  # dm, dY and dcos theta* per du
        return np.asarray(2 * np.pi * self.process.sigma * np.exp(self.process.log_prob(events)) * jacobian)


@dataclass(frozen=True)
class OffShellIntegrand:
    """The same times a density of the masses of top and antitop, a third of it for each of the `CHANNELS`.

    A resonant mass has a Breit-Wigner shape, the other one is flat in the window around the pole. The mass of the pair
    moves with the masses of the tops, so that the integral is that of the process. Points have two more numbers.
    """

    on_shell: TopPairIntegrand

    def resonant(self, v: Floats) -> Floats:
        """Masses minus the pole of numbers from 0 to 1 that are flat for the Breit-Wigner shape."""
        return np.asarray(0.5 * WIDTH * np.tan(2 * _ANGLE * (v - 0.5)))

    def share_below(self, mass: Floats) -> Floats:
        """Inverse of `resonant`."""
        return np.asarray(0.5 + np.arctan(2 * mass / WIDTH) / (2 * _ANGLE))

    def masses(self, u: Floats, channel: int | None) -> Floats:
        """Masses minus the pole, (n, 2), of points of a channel's map, or of one that is flat in both masses."""
        flat = WINDOW * (2 * u[:, 3:] - 1)
        is_resonant = [CHANNELS[channel] in ("both", which) if channel is not None else False for which in CHANNELS[1:]]
        return np.where(is_resonant, self.resonant(u[:, 3:]), flat)

    def densities(self, masses: Floats) -> Floats:
        """Densities of the masses in each of the channels, per GeV^2: (n, 2) -> (n, 3)."""
        peak = 0.25 * WIDTH / _ANGLE / (masses**2 + 0.25 * WIDTH**2)
        flat = np.full(len(masses), 0.5 / WINDOW)
        return np.stack([peak[:, 0] * peak[:, 1], peak[:, 0] * flat, flat * peak[:, 1]], axis=1)

    def __call__(self, u: Floats, channel: int | None = None) -> Floats:
        """The d sigma / du in pb with a channel's map: (n, 5) -> (n,)."""
        g = self.densities(self.masses(u, channel))
        of_map = 0.25 / WINDOW**2 if channel is None else g[:, channel]
        return np.asarray(self.on_shell(u[:, :3]) * g.mean(1) / of_map)

    def channel_weights(self, masses: Floats) -> Floats:
        """Share of each channel in the density, of sum 1 (Kleiss and Pittau 1994): (n, 2) -> (n, 3)."""
        g = self.densities(masses)
        return np.asarray(g / g.sum(1, keepdims=True))


@dataclass(frozen=True)
class Grid:
    """VEGAS (Lepage 1978, doi:10.1016/0021-9991(78)90004-9): a density that is a product of one step function each."""

    edges: Floats  #: of the steps, all of the same probability, from 0 to 1: (d, bins + 1)

    @classmethod
    def flat(cls, d: int, bins: int) -> "Grid":
        """Steps of the same length."""
        return cls(np.tile(np.linspace(0, 1, bins + 1), (d, 1)))

    def transform(self, u: Floats) -> tuple[Floats, Floats]:
        """Points that follow the grid, from uniform ones, and one over their density: (n, d) -> (n, d), (n,)."""
        bins = self.edges.shape[1] - 1
        k = np.minimum((u * bins).astype(int), bins - 1)
        low, width = (np.take_along_axis(part.T, k, 0) for part in (self.edges[:, :-1], np.diff(self.edges)))
        return low + width * (u * bins - k), (bins * width).prod(1)

    def adapted(self, x: Floats, weights: Floats, damping: float = 0.5) -> "Grid":
        """The grid after points with these weights, (n, d) and (n,): steps shrink where the squares are large."""
        new = np.empty_like(self.edges)
        bins = self.edges.shape[1] - 1
        for k, edges in enumerate(self.edges):
            place = np.clip(np.searchsorted(edges, x[:, k], side="right") - 1, 0, bins - 1)
            squares = np.bincount(place, weights**2, bins)
            padded = np.concatenate([squares[:1], squares, squares[-1:]])
            smooth = (padded[:-2] + 6 * padded[1:-1] + padded[2:]) / 8
            r = np.clip(smooth / smooth.sum(), 1e-30, 1 - 1e-12)
            importance = np.cumsum(np.append(0, ((r - 1) / np.log(r)) ** damping))
            new[k] = np.interp(np.linspace(0, importance[-1], bins + 1), importance, edges)
        return replace(self, edges=new)


def vegas(f: Integrand, d: int, evaluations: int, rng: np.random.Generator) -> Grid:
    """A grid that was adapted to a function of (n, d) points in several iterations of as many points.

    Each number has a step for ten of these, at most 1000, as in Lepage's own package. There are ten iterations, more
    where each keeps 1800 points: with few damped ones the steps would still be on their way, with few points they
    would follow chance.
    """
    iterations = max(10, evaluations // 1800)
    grid = Grid.flat(d, min(max(evaluations // iterations // 10, 2), 1000))
    for _ in range(iterations):
        x, inverse = grid.transform(rng.random((evaluations // iterations, d)))
        grid = grid.adapted(x, f(x) * inverse)
    return grid


class Quality(NamedTuple):
    """How well weighted points know an integral."""

    integral: float
    error: float
    relative_std: float  #: standard deviation of the weights over their mean
    efficiency: float  #: mean weight over the largest: the share that unweighting keeps
    efficiency_permille: float  #: the same if larger weights may hold 0.1 % of the integral, which is then cut off
    weights: Floats  #: in increasing order, of mean 1; of channels as many as they contribute


def quality(channels: Sequence[Floats]) -> Quality:
    """Of weights f / q of as many points in each channel, whose means add up to the integral."""
    n, means = len(channels[0]), np.array([w.mean() for w in channels])
    integral, error = means.sum(), np.sqrt(sum(w.var() / n for w in channels))
    shares = means / integral
    w = np.concatenate([part[: round(n * share)] / share for part, share in zip(channels, shares, strict=True)])
    w = np.sort(w / w.mean())
    larger = np.arange(len(w), 0, -1)  # weights that are as large or larger
    cut_off = (np.cumsum(w[::-1])[::-1] - w * larger) / len(w)
    largest = w[np.argmax(cut_off <= 1e-3)]
    return Quality(float(integral), float(error), float(w.std()), 1 / w[-1], float((1 - 1e-3) / largest), w)


class Worth(NamedTuple):
    """What points of a density, without their weights, are worth: true events."""

    regions: Sequence[float]  #: in each kind of regions, Eq. (18)
    ratio: float  #: in the likelihood ratio, from the total variation


def worth_without_weights(events: Floats, ratio: Floats, kinds: Sequence[tuple[Intervals, Floats]]) -> Worth:
    """Of unweighted events, (n, 4), with p_true / p_gen, (n,), and kinds of regions with their exact probabilities.

    The deviation of a region's probability is < (1 - p_true / p_gen) 1_V >, whose fluctuation is far smaller than that
    of counts. It is subtracted; what is left is at most worth 10^7.
    """
    found, n = [], len(events)
    for regions, exact in kinds:
        place = regions.place(events).region
        inside, off = place >= 0, 1 - ratio
        sums, squares = (np.bincount(place[inside], off[inside] ** k, len(regions)) / n for k in (1, 2))
        variance = (sums**2 - (squares - sums**2) / n).sum()
        found.append(n_equiv(binomial := float((exact * (1 - exact)).sum()), max(variance, 1e-7 * binomial)))
    return Worth(found, (MEAN / float(np.maximum(0, 1 - ratio).mean())) ** 2)
