"""The toys: the one-dimensional Gaussian of the paper's section 3.2, and the d-dimensional ring of section 2."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from gampl.basics import Floats
from gampl.regions import Intervals, radius


@dataclass(frozen=True)
class GaussianLine:
    """A Gaussian on the line; Eq. (20) is ``GaussianLine()``, Eq. (22) is ``GaussianLine(mean=mu_hat)``.

    A ValueError if the mean is not finite or the width, its standard deviation, not positive.
    """

    mean: float = 0.0
    width: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and np.isfinite(self.width) and self.width > 0):
            raise ValueError(f"GaussianLine needs a finite mean and a positive width, got {self.mean}, {self.width}")

    @classmethod
    def fit_mean(cls, events: ArrayLike, width: float = 1.0) -> "GaussianLine":
        """Maximum-likelihood fit of the mean at a known width, Eq. (21): the "generator" of section 3.2."""
        return cls(float(np.mean(np.asarray(events, dtype=np.float64))), width)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw ``n`` events, shape (n, 1)."""
        return rng.normal(self.mean, self.width, size=(n, 1))

    def log_prob(self, events: ArrayLike) -> Floats:
        """Log density of events of shape (..., 1), shape (...)."""
        return np.asarray(stats.norm.logpdf(np.asarray(events)[..., 0], self.mean, self.width))

    def integrals(self, regions: Intervals) -> Floats:
        """Probabilities of intervals of the coordinate, Eqs. (23) and (25), shape (regions,)."""
        normal, low, high = stats.norm(self.mean, self.width), regions.low, regions.high
        # differences of survival functions keep their digits in the upper tail
        return np.where(low > self.mean, normal.sf(low) - normal.sf(high), normal.cdf(high) - normal.cdf(low))


@dataclass(frozen=True)
class GaussianRing:
    """Gaussian radius and flat angles in ``dim`` dimensions, Eq. (5), in Cartesian coordinates.

    For more than two dimensions the paper's "flat angular distributions" can be read in two ways: directions
    uniform on the sphere (``"sphere"``), or each hyperspherical angle flat in its range (``"angles"``), which
    crowds events near the poles. In two dimensions they are the same. A ValueError if an argument is outside its range.
    """

    dim: int = 2  #: number of dimensions, at least 2
    mean: float = 1.0  #: of the radius
    width: float = 0.1  #: standard deviation of the radius
    angles: Literal["sphere", "angles"] = "sphere"

    def __post_init__(self) -> None:
        if self.dim < 2:
            raise ValueError(f"dim must be at least 2 (GaussianLine is the 1D case), got {self.dim}")
        if not (self.mean > 0 and self.width > 0):
            raise ValueError(f"mean and width of the radius must be positive, got {self.mean}, {self.width}")
        if self.angles not in ("sphere", "angles"):
            raise ValueError(f"angles must be 'sphere' or 'angles', got {self.angles!r}")

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw ``n`` events, shape (n, dim)."""
        # a negative radius (a 10 sigma event) points the other way: the density is symmetric under x -> -x
        R = rng.normal(self.mean, self.width, size=(n, 1))
        if self.angles == "sphere":
            direction = rng.normal(size=(n, self.dim))
            return R * (direction / np.linalg.norm(direction, axis=1, keepdims=True))
        theta = rng.uniform(0.0, np.pi, size=(n, self.dim - 1))
        theta[:, -1] *= 2.0  # the last angle is the azimuth
        ones = np.ones((n, 1))
        return R * (np.hstack([ones, np.cumprod(np.sin(theta), axis=1)]) * np.hstack([np.cos(theta), ones]))

    def log_prob(self, events: ArrayLike) -> Floats:
        """Exact log density of events of shape (..., dim), shape (...); a ValueError for other shapes."""
        x = np.asarray(events, dtype=np.float64)
        if x.ndim == 0 or x.shape[-1] != self.dim:
            raise ValueError(f"events must have shape (..., {self.dim}), got {x.shape}")
        R = radius(x)
        log_radial = np.logaddexp(*(stats.norm.logpdf(r, self.mean, self.width) for r in (R, -R)))
        with np.errstate(divide="ignore"):  # the density diverges at the origin: +inf is right there
            return log_radial - (self.dim - 1) * np.log(R) + self._log_angular(x)

    def _log_angular(self, x: Floats) -> Floats:
        """Log density of the direction per solid angle."""
        d = self.dim
        if self.angles == "sphere":
            return np.asarray(special.gammaln(d / 2) - np.log(2.0) - 0.5 * d * np.log(np.pi))
        # sin(theta_k) = |x_{k+1..d}| / |x_{k..d}|, to the power d-1-k in the volume element, k = 1 .. d-2
        tails = np.sqrt(np.cumsum(x[..., ::-1] ** 2, axis=-1))[..., ::-1]
        log_sines = np.log(tails[..., 1:-1]) - np.log(tails[..., :-2])
        powers = np.arange(d - 2, 0, -1)
        return np.asarray(-(log_sines * powers).sum(-1) - (d - 2) * np.log(np.pi) - np.log(2 * np.pi))

    def shells(self, n_regions: int = 20) -> Intervals:
        """Radial quantile regions that hold the same probability each, as in Fig. 3."""
        quantiles = stats.norm.ppf(np.arange(1, n_regions) / n_regions, self.mean, self.width)
        return Intervals.between(np.concatenate([[0.0], quantiles, [np.inf]]), radius)

    def integrals(self, regions: Intervals) -> Floats:
        """Exact probabilities of radial regions, Eq. (9), shape (regions,); a ValueError for other regions."""
        if regions.observable is not radius:
            raise ValueError("GaussianRing.integrals needs regions of gampl.regions.radius")
        low, high = np.maximum(regions.low, 0.0), np.maximum(regions.high, 0.0)
        cdf = stats.norm(self.mean, self.width).cdf
        return np.asarray(cdf(high) - cdf(-high) - (cdf(low) - cdf(-low)))
