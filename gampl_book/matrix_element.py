"""The matrix element method on a system whose likelihood is a quadrature: the top mass from a b quark and a lepton.

A top of a leading-order pair decays at rest as t -> b W -> b l nu, without polarisation and with a W on its shell. The
hard process is what the detector looks at, z = (ln pT_b, ln m_bl²), with

    m_bl² = (m_t² - m_W²) (1 + cos theta) / 2,    p(cos theta) = 3/4 F_0 sin² theta + 3/8 F_L (1 - cos theta)²,

F_0 = m_t² / (m_t² + 2 m_W²), where theta is the angle of the lepton in the rest frame of the W (Kane, Ladinsky and Yuan
1992, Phys. Rev. D45, 124), and with the transverse momentum of a b quark that has the energy (m_t² - m_W²) / 2 m_t and
a random direction in the frame of a top with the pT of the leading order. The two numbers are independent. Masses and
momenta are in GeV, b quark and lepton have no mass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, RectBivariateSpline, make_interp_spline
from scipy.special import ndtr
from scipy.stats import chi2, norm

from gampl.basics import Floats, Interval
from gampl.processes.leading_order_top_pair import NODES, LeadingOrderTopPair

Transfer = Callable[[Floats, Floats], Floats]  # log density of the shifts y = x - z at z: (n, 2), (n, 2) -> (n,)
Efficiency = Callable[[Floats], Floats]  # probability that an event at z is accepted: (..., 2) -> (...)

W_MASS = 80.4
MASSES = np.arange(161.0, 186.0, 3.0)  # at which likelihoods are worked out
FINE = np.arange(MASSES[0], MASSES[-1] + 0.005, 0.01)  # between which they are interpolated
TOPS, DIRECTIONS = 300, 200  # nodes of the rules over the top's pT and over the b quark's direction
LOG_PT = np.arange(np.log(2.0), np.log(1000.0), 0.05)  # edges between which the density of ln pT_b is worked out
FLOOR = 1e-12  # of an integral: where no measured event is, sums over sampled points may be zero
ROWS = 200_000  # of a transfer density that are asked for together


@cache
def _leading_order(top_mass: float) -> LeadingOrderTopPair:
    return LeadingOrderTopPair(top_mass=top_mass)


def b_energy(top_mass: float) -> float:
    """Energy of the b quark in the rest frame of the top."""
    return (top_mass**2 - W_MASS**2) / (2 * top_mass)


class HardProcess:
    """Densities of z = (ln pT_b, ln m_bl²) at all of `MASSES`, and events."""

    def sample(self, top_mass: float, n: int, rng: np.random.Generator) -> Floats:
        """Draws n events, (n, 2)."""
        process = _leading_order(top_mass)
        p = np.asarray(process.observables["pT_top"](process.sample(n, rng))) / top_mass
        n_z, angle = rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n)
        s = np.sqrt(1 - n_z**2)
        # the boost along the beam does not change pT
        pt = b_energy(top_mass) * np.hypot(np.hypot(1, p) * s * np.cos(angle) + p, s * np.sin(angle))
        is_longitudinal = rng.random(n) < top_mass**2 / (top_mass**2 + 2 * W_MASS**2)
        share = np.where(is_longitudinal, rng.beta(2, 2, n), rng.beta(1, 3, n))  # (1 + cos theta) / 2
        return np.stack([np.log(pt), np.log((top_mass**2 - W_MASS**2) * share)], axis=1)

    def log_prob(self, z: ArrayLike) -> Floats:
        """Log densities at all masses, (..., 2) -> (..., masses); -inf where there are no events."""
        log_pt, log_m2 = np.moveaxis(np.asarray(z, dtype=np.float64), -1, 0)
        inside = (log_pt > LOG_PT[0]) & (log_pt < LOG_PT[-1])
        of_pt = self._log_pt_density(np.clip(log_pt, LOG_PT[0], LOG_PT[-1]))
        of_pt = np.where(inside[..., None], of_pt, -np.inf)
        t = np.exp(log_m2)[..., None] / (MASSES**2 - W_MASS**2)
        f_0 = MASSES**2 / (MASSES**2 + 2 * W_MASS**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            density = 3 * t * (1 - t) * (2 * f_0 * t + (1 - f_0) * (1 - t))  # of ln t
            return of_pt + np.where(t < 1, np.log(density), -np.inf)

    @cached_property
    def _log_pt_density(self) -> Callable[[Floats], Floats]:
        """Of ln pT_b, (...) -> (..., masses), from differences of its distribution function."""
        middles = 0.5 * (LOG_PT[1:] + LOG_PT[:-1])
        density = [np.diff(_pt_distribution(mass, np.exp(LOG_PT))) / np.diff(LOG_PT) for mass in MASSES]
        return make_interp_spline(middles, np.log(np.maximum(density, 1e-300)).T)


def _pt_distribution(top_mass: float, pt: Floats) -> Floats:
    """Probability that the b quark has a smaller pT, (k,) -> (k,)."""
    process = _leading_order(top_mass)
    m, Y, z, weight = process.coordinates.quadrature("pT_top", 0.0, np.inf, NODES)
    p_top = 0.5 * m * np.sqrt(np.maximum((1 - z) - (2 * top_mass / m) ** 2, 0.0))
    c = np.sqrt(z / (1 - (2 * top_mass / m) ** 2))
    events = np.stack([m, Y, np.minimum(c, 1.0), np.zeros_like(m)], axis=-1)
    weight = 2 * np.pi * np.exp(process.log_prob(events)) * weight  # phi is integrated
    # the outermost rule, one of Gauss and Legendre, is in a = arsinh(pT / m_t), in which the density is smooth
    unit, unit_weight = np.polynomial.legendre.leggauss(NODES)
    of_a = CubicSpline(unit, weight.reshape(NODES, -1).sum(1) / unit_weight)
    a = CubicSpline(unit, np.arcsinh(p_top.reshape(NODES, -1).mean(1) / top_mass))
    unit, unit_weight = np.polynomial.legendre.leggauss(TOPS)
    p, weight = np.sinh(a(unit)), of_a(unit) * unit_weight
    n_x = (np.arange(DIRECTIONS) + 0.5) * 2 / DIRECTIONS - 1
    along = (np.hypot(1, p)[:, None] * n_x + p[:, None]) ** 2
    result = np.empty(len(pt))
    for k, q in enumerate(pt / b_energy(top_mass)):
        n_y = np.sqrt(np.maximum(q**2 - along, 0) / (1 - n_x**2))  # |n_y| over its largest value is below this
        result[k] = weight @ np.arcsin(np.minimum(n_y, 1)).mean(1) * 2 / np.pi
    return result / weight.sum()


@dataclass(frozen=True)
class Detector:
    """What is measured, x = z + y, and of which events; with r and s the responses to jet and lepton, y = ln (r, r s).

    ln r is normal with a relative resolution that improves with pT, or, for a share of the jets, comes from a wide
    normal distribution of those that lose energy. ln s is normal.
    """

    stochastic: float = 0.9  #: Resolution of the jet, sqrt(stochastic² / pT + constant²), pT in GeV.
    constant: float = 0.06
    lossy: float = 0.25  #: Share of jets that lose energy,
    loss: float = 0.25  #: so much of ln r in the mean,
    spread: float = 0.2  #: with this standard deviation.
    lepton: float = 0.05  #: Standard deviation of ln s.

    def smear(self, z: Floats, rng: np.random.Generator) -> Floats:
        """Draws the shifts y of events, (n, 2) -> (n, 2)."""
        is_lossy = rng.random(len(z)) < self.lossy
        normal = rng.standard_normal((len(z), 2))
        u = np.where(is_lossy, -self.loss + self.spread * normal[:, 0], self._resolution(z) * normal[:, 0])
        return np.stack([u, u + self.lepton * normal[:, 1]], axis=1)

    def log_prob(self, y: Floats, z: Floats) -> Floats:
        """Log density of the shifts y of events at z, (n, 2), (n, 2) -> (n,)."""
        u, v = y[..., 0], y[..., 1] - y[..., 0]
        good = np.log1p(-self.lossy) + norm.logpdf(u, 0, self._resolution(z))
        lossy = np.log(self.lossy) + norm.logpdf(u, -self.loss, self.spread)
        return np.asarray(np.logaddexp(good, lossy) + norm.logpdf(v, 0, self.lepton))

    def _resolution(self, z: Floats) -> Floats:
        return np.hypot(self.stochastic * np.exp(-0.5 * z[..., 0]), self.constant)


def efficiency(z: Floats) -> Floats:
    """Probability that an event is accepted, (..., 2) -> (...): the jet is tagged, the lepton is isolated from it.

    It depends on the hard process only: what tags a jet is not what measures its energy.
    """
    tagged = 0.85 * ndtr((z[..., 0] - np.log(35.0)) / 0.5)
    return np.asarray(tagged * -np.expm1(-np.exp(z[..., 1]) / 40.0**2))


class Simulated(NamedTuple):
    """Accepted events with what is measured of them, and all that were made for them."""

    z: Floats  #: Of accepted events, (n, 2).
    y: Floats  #: Their shifts, (n, 2).
    made: Floats  #: All events, (k, 2).
    accepted: NDArray[np.bool_]  #: Which of these are accepted, (k,).

    @property
    def x(self) -> Floats:
        """What is measured, (n, 2)."""
        return self.z + self.y


def simulate(process: HardProcess, detector: Detector, top_mass: float, n: int, rng: np.random.Generator) -> Simulated:
    """Makes events until n of them are accepted."""
    made, accepted = np.empty((0, 2)), np.empty(0, dtype=bool)
    while accepted.sum() < n:
        more = process.sample(top_mass, 2 * n, rng)
        made = np.concatenate([made, more])
        accepted = np.concatenate([accepted, rng.random(len(more)) < efficiency(more)])
    needed = np.flatnonzero(accepted)[n - 1] + 1
    made, accepted = made[:needed], accepted[:needed]
    z = made[accepted]
    return Simulated(z, detector.smear(z, rng), made, accepted)


class Steps(NamedTuple):
    """Distances of the nodes of the trapezoidal rule in u = ln r and v = ln s."""

    u: float = 0.05
    v: float = 0.034


FINER = Steps(0.025, 0.017)  # which changes a mass by about a hundredth of a GeV


class Nodes(NamedTuple):
    """Points of the hard process at which the integrals for P measured events are summed, and their weights."""

    z: Floats  #: (P, Q, 2)
    y: Floats  #: The shifts from there to the measured events, (P, Q, 2).
    weight: Floats  #: (P, Q)

    @classmethod
    def regular(cls, x: Floats, steps: Steps = Steps()) -> "Nodes":  # noqa: B008
        """The trapezoidal rule for events x, (P, 2): fast for densities that fall to nothing at both ends, as T does.

        The kink of the hard process at the largest m_bl is averaged over.
        """
        u, v = np.meshgrid(np.arange(-1.0, 0.8, steps.u), np.arange(-0.21, 0.211, steps.v), indexing="ij")
        y = np.broadcast_to(np.stack([u, u + v], axis=-1).reshape(-1, 2), (len(x), u.size, 2))
        return cls(x[:, None] - y, y, np.full(y.shape[:2], steps.u * steps.v))

    @classmethod
    def sampled(cls, x: Floats, z: Floats, log_q: Floats) -> "Nodes":
        """Importance sampling for events x, (P, 2), with points z drawn from densities q: (P, Q, 2), (P, Q).

        Points where q is said to be zero, beyond the ends of a tabulated density, count as zero.
        """
        weight = np.where(np.isfinite(log_q), np.exp(-np.where(np.isfinite(log_q), log_q, 0.0)), 0.0)
        return cls(z, x[:, None] - z, weight / z.shape[1])


class Integrals:
    """int dz p(z | m_t) eps(z) T(x | z) at some nodes, for any T and eps, at all of `MASSES`."""

    def __init__(self, process: HardProcess, nodes: Nodes) -> None:
        self.nodes, self._hard = nodes, np.exp(process.log_prob(nodes.z)) * nodes.weight[..., None]  # (P, Q, masses)
        self._used = self._hard.any(axis=-1)

    def terms(self, transfer: Transfer, efficiency: Efficiency) -> Floats:
        """eps(z) T(x | z) at the nodes, zero where no event can be, (P, Q)."""
        z, y = self.nodes.z[self._used], self.nodes.y[self._used]
        log_t = [transfer(y[k : k + ROWS], z[k : k + ROWS]) for k in range(0, len(y), ROWS)]
        terms = np.zeros(self._used.shape)
        terms[self._used] = np.exp(np.concatenate(log_t)) * efficiency(z)
        return terms

    def __call__(self, transfer: Transfer, efficiency: Efficiency = efficiency) -> Floats:
        """The integrals, (P, masses)."""
        return np.einsum("pq,pqm->pm", self.terms(transfer, efficiency), self._hard)

    def spread(self, mass: int, transfer: Transfer, efficiency: Efficiency = efficiency) -> Floats:
        """Relative standard deviation of the Q weights of each integral at one of the masses, (P,)."""
        weights = self.terms(transfer, efficiency) * self._hard[..., mass]
        return np.asarray(weights.std(axis=1, ddof=1) / weights.mean(axis=1))


class Normalisation:
    """int dz p(z | m_t) eps(z): middles of cells in ln pT_b, and a Gauss-Legendre rule in m_bl²."""

    def __init__(self, process: HardProcess) -> None:
        t, weight = np.polynomial.legendre.leggauss(24)
        log_pt, largest = 0.5 * (LOG_PT[1:] + LOG_PT[:-1]), np.log(MASSES**2 - W_MASS**2)
        points = np.broadcast_arrays(log_pt[:, None, None], largest + np.log(0.5 * (1 + t))[:, None])
        self._z = np.stack(points, axis=-1)  # (pT, t, masses, 2)
        density = np.diagonal(np.exp(process.log_prob(self._z)), axis1=2, axis2=3)
        self._weight = density * (weight / (1 + t))[:, None] * np.diff(LOG_PT)[:, None, None]

    def __call__(self, efficiency: Efficiency = efficiency) -> Floats:
        """The share of accepted events, (masses,)."""
        return np.asarray((efficiency(self._z) * self._weight).sum((0, 1)))


class LogLikelihood:
    """ln p(x | m_t) of accepted events at all of `MASSES`, interpolated between `GRID`: (n, 2) -> (n, masses).

    Made of the integrals at `grid_points`, (points, masses), and the share of accepted events, (masses,).
    """

    def __init__(self, integrals: Floats, normalisation: Floats) -> None:
        log_p = np.log(np.maximum(integrals, FLOOR)) - np.log(normalisation)
        tables = log_p.reshape(*map(len, GRID), -1)
        self._splines = [RectBivariateSpline(*GRID, tables[..., k]) for k in range(len(MASSES))]

    def __call__(self, x: Floats) -> Floats:
        """Beyond the outermost points it is the one there, where one event in some thousands is."""
        inside = [np.clip(x[:, k], axis[0], axis[-1]) for k, axis in enumerate(GRID)]
        return np.stack([spline.ev(*inside) for spline in self._splines], axis=1)


GRID = np.arange(np.log(9.0), np.log(700.0), 0.15), np.arange(4.6, 10.8, 0.13)


def grid_points() -> Floats:
    """Measured events between which likelihoods are interpolated, (points, 2)."""
    return np.stack(np.meshgrid(*GRID, indexing="ij"), axis=-1).reshape(-1, 2)


class Fitted(NamedTuple):
    """Masses of pseudo-experiments by maximum likelihood, and the ends of their 68.3 % intervals, (k,) each."""

    mass: Floats
    low: Floats
    high: Floats

    def covers(self, true: float, further: Floats | float = 0.0) -> NDArray[np.bool_]:
        """Whether the intervals hold the true mass, (k,), with a further standard error, (k,), added in quadrature."""
        low, high = (
            self.mass + sign * np.hypot(end - self.mass, further) for sign, end in ((-1, self.low), (1, self.high))
        )
        return np.asarray((low <= true) & (true <= high))

    @property
    def error(self) -> Floats:
        """Half the lengths of the intervals, (k,)."""
        return 0.5 * (self.high - self.low)


def fit_mass(log_likelihood: Floats) -> Fitted:
    """Fits the sums over events at all of `MASSES`, (k, masses): the interval is where it falls by a half at most."""
    curve = CubicSpline(MASSES, log_likelihood, axis=1)(FINE)
    near = curve >= curve.max(axis=1, keepdims=True) - 0.5
    last = len(FINE) - 1 - near[:, ::-1].argmax(axis=1)
    return Fitted(FINE[curve.argmax(axis=1)], FINE[near.argmax(axis=1)], FINE[last])


class PowerLaw(NamedTuple):
    """Mean squares of normal numbers that fall like n^-power and reach some value at n = crossing."""

    crossing: float
    interval: Interval  #: of the crossing
    power: float
    power_interval: Interval


def crossing(n: Floats, squares: Floats, value: float, level: float = 0.95) -> PowerLaw:
    """Where the expectation of squares, (k, sets), at sizes n, (k,), falls to a value, by maximum likelihood.

    Each is the square of a normal number with mean zero. The intervals are those of the profile likelihood.
    """
    log_n, sets = np.log(np.asarray(n, dtype=np.float64)), squares.shape[1]
    start = log_n.mean() + (np.log(squares.mean()) - np.log(value))
    at, power = np.linspace(start - 12, start + 12, 1201), np.linspace(-0.5, 3.0, 351)
    log_expected = np.log(value) - power[:, None] * (log_n[:, None, None] - at)  # (k, power, at)
    mean = squares.mean(axis=1)[:, None, None]
    deviance = sets * (log_expected + mean * np.exp(-log_expected)).sum(axis=0)  # -2 ln L
    rise = deviance - deviance.min()
    best = np.unravel_index(rise.argmin(), rise.shape)
    allowed = rise <= chi2.ppf(level, 1)
    ends = [axis[allowed.any(axis=k)][[0, -1]] for k, axis in ((0, at), (1, power))]
    return PowerLaw(
        float(np.exp(at[best[1]])),
        Interval(*np.exp(ends[0]).tolist()),
        float(power[best[0]]),
        Interval(*ends[1].tolist()),
    )


def events_worth(shifts: Floats, one: float, level: float = 0.95) -> tuple[float, Interval]:
    """n_equiv of a transfer density: events whose mass has the error that it adds, and an interval.

    By its shifts of the mass, (sets,), which are taken to be normal with mean zero, and the statistical error of one
    event.
    """
    sets, square = shifts.size, float((shifts**2).mean())
    ends = [one**2 * chi2.ppf(p, sets) / (sets * square) for p in (0.5 - level / 2, 0.5 + level / 2)]
    return one**2 / square, Interval(*map(float, ends))
