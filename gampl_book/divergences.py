"""Kullback-Leibler divergence and total variation, for the page on what a validation loss tells.

The generator's density over the true one is r; log r at true events is all that both need, if r has a mean of one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]


class Apart(NamedTuple):
    """How far a generator is from the truth; numbers, or arrays of one shape."""

    distance: Floats  #: total variation, the Kolmogorov-Smirnov distance in the likelihood ratio
    kl: Floats  #: <log(p_true / p_gen)> of true events
    reverse: Floats  #: <log(p_gen / p_true)> of generated events

    @property
    def c(self) -> Floats:
        """The distance in units of its largest value for this divergence, sqrt(KL / 2)."""
        return np.asarray(self.distance / np.sqrt(self.kl / 2))


def apart(log_r: ArrayLike) -> Apart:
    """Estimates from log(p_gen / p_true) at true events, shape (..., n) -> (...).

    Terms with a mean of zero are added to those of the definitions, so that none is negative and small divergences
    have small errors; that takes p_gen to be normalised, and to vanish where p_true does.
    """
    logs = np.asarray(log_r, dtype=np.float64)
    h = np.expm1(logs)
    return Apart(0.5 * np.abs(h).mean(axis=-1), (h - logs).mean(axis=-1), ((1 + h) * logs - h).mean(axis=-1))


def from_generated(ratio: ArrayLike) -> Apart:
    """The same from p_true / p_gen at generated events, (..., n) -> (...).

    It takes p_gen not to vanish where p_true does not.
    """
    r = np.asarray(ratio, dtype=np.float64)
    terms = np.maximum(0, 1 - r), special.kl_div(r, 1), special.kl_div(1, r)
    return Apart(*(term.mean(axis=-1) for term in terms))


def between(log_a: ArrayLike, log_b: ArrayLike) -> Apart:
    """The same for generators a, in the place of the truth, and b, from log r of both at true events, (..., n)."""
    a, b = (np.asarray(logs, dtype=np.float64) for logs in (log_a, log_b))
    difference, r_a, r_b = a - b, np.exp(a), np.exp(b)
    kl, reverse = r_a * difference - r_a + r_b, -r_b * difference - r_b + r_a
    return Apart(0.5 * np.abs(r_a - r_b).mean(axis=-1), kl.mean(axis=-1), reverse.mean(axis=-1))


def gaussian_law(kl: ArrayLike) -> Floats:
    """Total variation of two laws whose log ratio is normal with variance 2 KL."""
    return np.asarray(special.erf(np.sqrt(np.asarray(kl)) / 2))


def bound(kl: ArrayLike) -> Floats:
    """The largest total variation that a divergence allows: Pinsker, Bretagnolle and Huber (Tsybakov, sec. 2.4)."""
    divergence = np.asarray(kl, dtype=np.float64)
    return np.asarray(np.minimum(np.sqrt(divergence / 2), np.sqrt(-np.expm1(-divergence))))


def scaled(s: float, d: int = 1) -> Apart:
    """Generator N(0, s²), s != 1, of each of d coordinates that are N(0, 1)."""
    crossing = 2 * d * np.log(s) / (1 - s**-2)  # of the densities, in R²
    distance = np.abs(stats.chi2.cdf(crossing, d) - stats.chi2.cdf(crossing / s**2, d))
    return Apart(distance, d * (np.log(s) + 0.5 / s**2 - 0.5), d * (0.5 * s**2 - 0.5 - np.log(s)))


def two_parts(true: float, gen: float) -> Apart:
    """A generator that is right but for the share of events in a region; infinite if one of the shares vanishes."""
    p, q = (np.array([share, 1 - share]) for share in (true, gen))
    return Apart(np.abs(true - gen), special.rel_entr(p, q).sum(), special.rel_entr(q, p).sum())


def heavy_tails(freedom: float) -> Apart:
    """Truth is Student's t with more than two degrees of freedom, the generator N(0, 1) has none of its tails."""
    p, q = stats.t(freedom), stats.norm
    crossing = optimize.brentq(lambda x: p.logpdf(x) - q.logpdf(x), 1, 10)  # truth is larger beyond it
    distance = 2 * (p.sf(crossing) - q.sf(crossing))
    kl = 0.5 * np.log(2 * np.pi) + 0.5 * freedom / (freedom - 2) - p.entropy()
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)  # for averages over N(0, 1)
    reverse = weights @ (q.logpdf(nodes) - p.logpdf(nodes)) / weights.sum()
    return Apart(distance, np.asarray(kl), np.asarray(reverse))


def entropy_of_curve(losses: ArrayLike) -> Floats:
    """H of losses H + a n^-b at three sizes with equal ratios, (3, ...) -> (...); infinite if they lie on a line."""
    first, second, third = np.asarray(losses, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((first * third - second**2) / (first + third - 2 * second))
