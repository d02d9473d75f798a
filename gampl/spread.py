"""The scatter of integrals over the members of a posterior: its size, its interval, its degrees of freedom."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gampl.amplification import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Scatter of the members' integrals at one n_gen, summed over regions as in Eq. (19)."""

    integrals: Floats  # (members, regions)
    n_gen: float
    total: float  # unbiased variance over members, Eq. (15)
    binomial: float  # sum of <I> (1 - <I>), the numerator of Eq. (16)
    degrees_of_freedom: float

    @classmethod
    def of(cls, integrals: Floats, n_gen: float) -> "Spread":
        """Measure the scatter of integrals of shape (members, regions) that were counted with ``n_gen`` events.

        Raises:
            ValueError: If there are fewer than 2 members, an entry is no probability, or a region is empty or full.
        """
        if integrals.ndim != 2 or integrals.shape[1] == 0:
            raise ValueError(f"expected shape (members, regions), got {integrals.shape}")
        if len(integrals) < 2:
            raise ValueError(f"a spread needs at least 2 members, got {len(integrals)}")
        if not (np.isfinite(integrals).all() and (integrals >= 0).all() and (integrals <= 1).all()):
            member, region = np.argwhere(~((integrals >= 0) & (integrals <= 1)))[0]
            raise ValueError(
                f"member {member}, region {region}: {integrals[member, region]} is not a probability in [0, 1]"
            )
        mean = integrals.mean(axis=0)
        for region in np.flatnonzero((mean <= 0) | (mean >= 1)):
            kind = "empty" if mean[region] <= 0 else "full"
            raise ValueError(f"region {region} is {kind} for all members: its integral says nothing about them")
        covariance = np.atleast_2d(np.cov(integrals, rowvar=False, ddof=1))
        return cls(
            integrals=integrals,
            n_gen=n_gen,
            total=float(np.trace(covariance)),
            binomial=float((mean * (1 - mean)).sum()),
            degrees_of_freedom=effective_degrees_of_freedom(covariance, len(integrals) - 1),
        )

    @classmethod
    def of_weighted(cls, integrals: Floats, variances: Floats) -> "Spread":
        """Measure the scatter of integrals whose own statistical variances are known; both (members, regions).

        ``n_gen`` is the effective number of events: that many of equal weight have the mean of the variances, summed
        over regions.

        Raises:
            ValueError: As `of`, or if the variances vanish.
        """
        exact = cls.of(integrals, np.inf)
        noise = float(variances.mean(axis=0).sum())
        if not (np.isfinite(noise) and noise > 0):
            raise ValueError(f"the statistical variance of the weighted integrals is {noise:g}, expected more than 0")
        # what makes `subtract` take off just the noise
        n_gen = (exact.binomial - exact.total + noise) / noise
        if n_gen < 2:
            raise ValueError(
                f"the weights fluctuate as {max(n_gen, 0):.2g} events of equal weight, expected at least 2"
            )
        return replace(exact, n_gen=n_gen)

    def of_unequal(self, noise: ArrayLike) -> "Spread":
        """The same with the degrees of freedom of members that are not equally noisy (Satterthwaite 1946).

        Args:
            noise: Statistical variance of each member, summed over regions, (members,).
        """
        variances = max(self.model, 0.0) + np.asarray(noise, dtype=np.float64)
        loss = variances.mean() ** 2 / (variances**2).mean()
        return replace(self, degrees_of_freedom=self.degrees_of_freedom * float(loss))

    @property
    def statistical(self) -> float:
        """sigma_stat^2(n_gen), Eq. (16); the paper prints sigma for sigma^2."""
        return self.binomial / self.n_gen

    def subtract(self, total: float) -> float:
        """sigma_model^2 from a total variance, Eq. (17).

        The divisor is exact: a member's own binomial variance is <I>(1 - <I>) - sigma_model^2 on average.
        """
        return (total - self.statistical) / (1 - 1 / self.n_gen)

    @property
    def model(self) -> float:
        """sigma_model^2, Eq. (17); negative where counting noise happens to exceed the spread."""
        return self.subtract(self.total)

    def model_interval(self, level: float) -> Interval:
        """Two-sided interval of sigma_model^2: scale the total by chi2 quantiles, then subtract."""
        nu = self.degrees_of_freedom
        high_chi2, low_chi2 = stats.chi2.interval(level, nu)[::-1]
        return Interval(self.subtract(self.total * nu / high_chi2), self.subtract(self.total * nu / low_chi2))

    def model_limit(self, level: float) -> float:
        """One-sided upper limit of sigma_model^2.

        A total below the binomial expectation is raised to it first (a power-constrained limit, Cowan et al.,
        arXiv:1105.3166): a downward fluctuation must not exclude sigma_model = 0 or claim more than the sensitivity.
        """
        nu = self.degrees_of_freedom
        total = max(self.total, self.statistical)
        return self.subtract(float(total * nu / stats.chi2.ppf(1 - level, nu)))

    def is_far_from_normal(self) -> bool:
        """Whether the members clearly do not scatter normally, as the chi-squared interval assumes.

        Looks at the direction in which they scatter most. Shapiro and Wilk's test must fail at 0.1 %, and the shape
        must be so different that it matters: a skewness or excess kurtosis above 0.5.
        """
        if len(self.integrals) < 3:
            return False
        centred = self.integrals - self.integrals.mean(axis=0)
        along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
        matters = abs(stats.skew(along)) > 0.5 or stats.kurtosis(along) > 0.5
        return bool(matters and stats.shapiro(along).pvalue < 1e-3)

    def deviation(self, truth: Floats) -> float:
        """Mean squared deviation from the true integrals, Eq. (11)."""
        return float(((self.integrals - truth) ** 2).mean(axis=0).sum())


def effective_degrees_of_freedom(covariance: Floats, nu: int) -> float:
    """Degrees of freedom of the trace of a sample covariance matrix, shape (regions, regions), with ``nu`` of its own.

    Integrals over different regions of one member are strongly correlated, so their summed variance has far fewer than
    nu x regions degrees of freedom: nu (tr C)^2 / tr C^2 (Satterthwaite, Biometrics Bulletin 2 (1946) 110). Noise in
    the sample covariance C lowers the estimate: with few members and many independent regions the interval is too long.
    For strongly correlated ones it is nearly right (a nominal 95 % cover 93 % for ten members of the 4D ring, 95 % for
    fifty). An unbiased estimate of the ratio is noisier, and the interval covers less.
    """
    trace, trace_of_square = float(np.trace(covariance)), float((covariance**2).sum())
    return nu * trace**2 / trace_of_square if trace > 0 else float(nu)
