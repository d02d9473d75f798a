"""The one-dimensional Gaussian of the paper's section 3.2."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gampl.regions import Intervals


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
        return cls(mean=float(np.mean(np.asarray(events, dtype=np.float64))), width=width)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw ``n`` events, shape (n, 1)."""
        return rng.normal(self.mean, self.width, size=(n, 1))

    def log_prob(self, events: ArrayLike) -> NDArray[np.float64]:
        """Log density of events of shape (..., 1), shape (...)."""
        log_density: NDArray[np.float64] = stats.norm.logpdf(np.asarray(events)[..., 0], self.mean, self.width)
        return log_density

    def integrals(self, regions: Intervals) -> NDArray[np.float64]:
        """Probabilities of intervals of the coordinate, Eqs. (23) and (25), shape (regions,)."""
        # differences of survival functions keep their digits in the upper tail
        low, high = regions.low, regions.high
        upper_tail = low > self.mean
        by_cdf = stats.norm.cdf(high, self.mean, self.width) - stats.norm.cdf(low, self.mean, self.width)
        by_sf = stats.norm.sf(low, self.mean, self.width) - stats.norm.sf(high, self.mean, self.width)
        return np.where(upper_tail, by_sf, by_cdf)
