r"""The scatter of integrals over the members of a posterior: its size, its interval, and what it predicts.

A posterior is right if each member's integral is I + b + e_i, with independent normal e_i ~ N(0, sigma_model^2) and one
b ~ N(0, sigma_model^2) of the training set, which all members share. `Spread.model_interval` is about sigma_model^2, a
property of the posterior; `Spread.deviation_limit` about the squared deviations (b + <e>)^2 and (b + e_i)^2 of the
members that there are, with mean (1 + 1/N) sigma_model^2 and 2 sigma_model^2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from gampl.basics import Floats, Interval, counted, require

UNLIKELY = {"kurtosis": 0.05, "shape": 0.01}  # probability of taking normal members for others, of each test
SAME = 1e-6  # of an integral, within which single precision may have rounded one and the same
TOO_ALIKE = 1e-6  # probability below which independent samples do not agree so well
_NODES, _WEIGHTS = (half / 2 for half in np.polynomial.legendre.leggauss(64))


class RegionError(ValueError):
    """A region without any event of any member, or with all of them: its number, and what it is, in words."""

    def __init__(self, region: int, *, is_empty: bool) -> None:
        self.region = region
        self.problem = f"{'empty' if is_empty else 'full'} for all members: its integral says nothing about them"
        super().__init__(f"region {region} is {self.problem}")


@dataclass(frozen=True)
class Spread:
    """Scatter of the members' integrals at one n_gen, summed over regions as in Eq. (19)."""

    integrals: Floats  #: shape (members, regions)
    n_gen: float
    total: float  #: unbiased variance over members, Eq. (15)
    binomial: float  #: sum of <I> (1 - <I>), the numerator of Eq. (16)
    degrees_of_freedom: float

    @classmethod
    def of(cls, integrals: Floats, n_gen: float) -> "Spread":
        """Measure the scatter of integrals of shape (members, regions) that were counted with ``n_gen`` events.

        A ValueError if there are fewer than 2, or an entry is not a probability; a RegionError if one is empty or full.
        """
        is_table = integrals.ndim == 2 and integrals.shape[1] > 0
        require(is_table, "integrals", "have shape (members, regions)", integrals.shape)
        if len(integrals) < 2:
            raise ValueError(f"a spread needs at least 2 members, got {len(integrals)}")
        if (bad := np.argwhere(~((integrals >= 0) & (integrals <= 1)))).size:
            m, r = bad[0]
            raise ValueError(f"member {m}, region {r}: {integrals[m, r]} is not a probability in [0, 1]")
        mean = integrals.mean(axis=0)
        if (useless := np.flatnonzero((mean <= 0) | (mean >= 1))).size:
            raise RegionError(int(useless[0]), is_empty=mean[useless[0]] <= 0)
        covariance = np.atleast_2d(np.cov(integrals, rowvar=False, ddof=1))
        nu, binomial = effective_degrees_of_freedom(covariance, len(integrals) - 1), float((mean * (1 - mean)).sum())
        return cls(integrals, n_gen, float(np.trace(covariance)), binomial, nu)

    @classmethod
    def of_weighted(cls, integrals: Floats, variances: Floats) -> "Spread":
        """Measure the scatter of integrals with known statistical variances, both of shape (members, regions).

        ``n_gen`` is the effective number of events: that many of equal weight have the mean variance, summed over
        regions. Errors are those of `of`, or that the variances vanish.
        """
        exact = cls.of(integrals, np.inf)
        noise = float(variances.mean(axis=0).sum())
        if not (np.isfinite(noise) and noise > 0):
            raise ValueError(f"the statistical variance of the weighted integrals is {noise:g}, expected more than 0")
        # what makes `subtract` take off just the noise
        n_gen = (exact.binomial - exact.total + noise) / noise
        if n_gen < 2:
            worth = counted(f"{max(n_gen, 0):.2g}", "event")
            raise ValueError(f"the weights are worth {worth} of equal weight, expected at least 2")
        return replace(exact, n_gen=n_gen)

    def of_unequal(self, noise: ArrayLike) -> "Spread":
        """The same with fewer degrees of freedom, for members with different statistical variances.

        These are summed over regions, shape (members,). After Satterthwaite (1946).
        """
        variances = max(self.model, 0.0) + np.asarray(noise, dtype=np.float64)
        loss = variances.mean() ** 2 / (variances**2).mean()
        return replace(self, degrees_of_freedom=self.degrees_of_freedom * float(loss))

    @classmethod
    def expected(cls, model: float, binomial: float, n_gen: float, degrees_of_freedom: float) -> "Spread":
        """What is expected of members with this sigma_model^2 and binomial numerator, Eq. (15), without integrals."""
        total = model * (1 - 1 / n_gen) + binomial / n_gen
        return cls(np.empty((0, 1)), n_gen, total, binomial, degrees_of_freedom)

    @property
    def statistical(self) -> float:
        """sigma_stat^2(n_gen), Eq. (16); the paper prints sigma for sigma^2."""
        return self.binomial / self.n_gen

    def subtract(self, total: float) -> float:
        """sigma_model^2 from a total variance, Eq. (17)."""
        # exact: a member's own binomial variance is <I>(1 - <I>) - sigma_model^2 on average
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

    def bounds(self, level: float) -> Interval:
        """The interval of sigma_model^2 that is reported: `model_interval`, with an upper end within the data's power.

        A total below the binomial expectation is raised to it for the upper end (power-constrained, Cowan et al.,
        arXiv:1105.3166): members that happen to agree better than counting explains claim no more than those of a
        perfect generator do in a typical experiment. Where the lower end is not positive only the upper one is left.
        Its tail stays (1 - level) / 2, so that nothing jumps where one end becomes none. At that typical total it is
        also the one-sided limit of the CLs method (Read, J. Phys. G 28 (2002) 2693): such members are found with at
        most 1 - ``level`` of the probability that a perfect generator has for them.
        """
        typical = replace(self, total=max(self.total, self.statistical))
        return Interval(self.model_interval(level).low, typical.model_interval(level).high)

    def n_equiv_interval(self, level: float) -> Interval:
        """The numbers of true events whose statistical variances are the `bounds`, Eq. (18)."""
        low, high = self.bounds(level)
        return Interval(n_equiv(self.binomial, high), n_equiv(self.binomial, low))

    def deviation_limit(self, level: float) -> float:
        """One-sided upper limit of the squared deviation of one more draw from the posterior, summed over regions.

        For one region and exact integrals, the deviation of the pooled members from the truth, b + <e>, is independent
        of their variance s^2, and its square over (1 + 1/N) s^2 follows F(1, N - 1). So 1 + 1/N times this limit holds
        (b + <e>)^2 with the probability ``level``. For b + e_i the factor is 2; it holds with a little more, since e_i
        is a part of s^2, too. Several regions make it F(mu, nu) with mu `directions` and nu ``degrees_of_freedom``
        (Box, Ann. Math. Stat. 25 (1954) 290).

        With counting noise, s^2 = (sigma_model^2 + sigma_stat^2) Y with Y ~ chi2(nu) / nu and sigma_stat^2 known. The
        limit is the quantile of (s^2 / Y - sigma_stat^2) X with X ~ chi2(mu) / mu, averaged over the Y that leave
        sigma_model^2 > 0. Too small an s^2 is raised first, as in `bounds`; and the limit is never below that of
        exact integrals with the same sigma_model^2. It covers more than its level where counting noise dominates.
        """
        nu, mu = self.degrees_of_freedom, self.directions
        quantile = float(stats.f.ppf(level, mu, nu))
        if not self.statistical > 0:
            return self.model * quantile
        total = max(self.total / self.statistical, 1.0)  # in units of the counting noise
        X = 2 / mu * special.gammaincinv(mu / 2, _NODES + 0.5)
        possible = special.gammainc(nu / 2, nu / 2 * total)

        def excess(log_limit: float) -> float:
            below = special.gammainc(nu / 2, nu / 2 * total / (1 + np.exp(log_limit) / X))
            return float(1 - level - _WEIGHTS @ below / possible)

        limit = np.exp(optimize.brentq(excess, np.log(total) - 30, np.log(total) + 30, xtol=1e-6))
        return max(limit * self.statistical / (1 - 1 / self.n_gen), self.model * quantile)

    @property
    def directions(self) -> float:
        """Effective number of directions in which exact integrals scatter: (tr C)^2 / tr C^2, at least 1."""
        if self.integrals.shape[1] == 1:
            return 1.0
        mean = self.integrals.mean(axis=0)
        counting = (np.diag(mean) - np.outer(mean, mean)) / self.n_gen
        model = np.cov(self.integrals, rowvar=False, ddof=1) - counting  # which is multinomial
        return max(effective_degrees_of_freedom(model, 1), 1.0)

    @property
    def is_of_copies(self) -> bool:
        """Whether the members are one sample, exact or rounded, under several names.

        Their integrals are then equal within single precision, or scatter less than the counting of independent events
        lets them, which is due to chance once in a million. Sums leave a variance above 0 of equal numbers, too.
        """
        if (np.ptp(self.integrals, axis=0) <= SAME * self.integrals.max(axis=0)).all():
            return True
        nu, noise = self.degrees_of_freedom, self.statistical
        return noise > 0 and bool(stats.chi2.cdf(nu * self.total / noise, nu) < TOO_ALIKE)

    def of_heavy_tails(self) -> "Spread":
        """The same with fewer degrees of freedom where the members' tails are seen to be heavier than normal ones.

        The relative variance of a sample variance is 2 / nu for normal members, and more by kurtosis / N for others.
        The excess kurtosis, along the direction of most scatter, is used only where Shapiro and Wilk's test fails at
        1 % or, from 20 members on, that of the kurtosis (Anscombe and Glynn 1983) at 5 %: so the interval of normal
        members stays what it is. Fewer than 50 members often look normal and are not.
        """
        members = len(self.integrals)
        if members < 4 or not np.ptp(self.integrals, axis=0).any():
            return self
        centred = self.integrals - self.integrals.mean(axis=0)
        _, scales, directions = np.linalg.svd(centred, full_matrices=False)
        along = centred @ directions[0]
        kurtosis = float(stats.kurtosis(along, bias=False))
        is_seen = members <= 5000 and stats.shapiro(along).pvalue < UNLIKELY["shape"]
        if members >= 20 and not is_seen:
            is_seen = stats.kurtosistest(along, alternative="greater").pvalue < UNLIKELY["kurtosis"]
        if not (is_seen and kurtosis > 0):
            return self
        share = float(scales[0] ** 2 / (scales**2).sum())
        nu = 2 / (2 / self.degrees_of_freedom + share**2 * kurtosis / members)
        return replace(self, degrees_of_freedom=nu)

    def deviation(self, truth: Floats) -> float:
        """Mean squared deviation from the true integrals, Eq. (11)."""
        return float(((self.integrals - truth) ** 2).mean(axis=0).sum())


def n_equiv(binomial: float, variance: float) -> float:
    """Number of true events with this statistical variance, Eq. (18), for the numerator of Eq. (16)."""
    return float(binomial / variance) if variance > 0 else np.inf


def effective_degrees_of_freedom(covariance: Floats, nu: int) -> float:
    """Degrees of freedom of the trace of a sample covariance matrix, shape (regions, regions), with ``nu`` of its own.

    Integrals over different regions of one member are strongly correlated, so their summed variance has far fewer than
    nu x regions: nu (tr C)^2 / tr C^2 (Satterthwaite, Biometrics Bulletin 2 (1946) 110). Noise in the sample covariance
    C lowers it: with few members and many independent regions the interval is too long. For strongly correlated ones it
    is nearly right (a nominal 95 % cover 93 % for ten members of the 4D ring, 95 % for fifty). An unbiased estimate of
    the ratio is noisier, and the interval covers less.
    """
    trace, trace_of_square = float(np.trace(covariance)), float((covariance**2).sum())
    return nu * trace**2 / trace_of_square if trace > 0 else float(nu)


@dataclass(frozen=True)
class AveragingCurve:
    """Uncertainties of an integral against the number of generated events, Fig. 1; all arrays have shape (steps,)."""

    n_gen: Floats  #: generated events per member
    sigma_stat: Floats  #: statistical uncertainty of n_gen true events, square root of Eq. (16)
    sigma_est: Floats  #: spread of the members' integrals, square root of Eq. (15)
    sigma_model: Floats  #: model uncertainty by subtraction, Eq. (17); NaN where the difference is negative
    sigma_model_low: Floats  #: lower end of its interval at the result's level; 0 where none is compatible
    sigma_model_high: Floats  #: upper end of that interval; the upper limit where ``sigma_model`` is NaN
    sigma_true: Floats | None = None  #: deviation from the true integrals, Eq. (11); None where these are unknown
    is_exact: bool = False  #: whether the lines follow from exact integrals instead of counts at each n_gen


def averaging_curve(spreads: Sequence[Spread], level: float, truth: Floats | None) -> AveragingCurve:
    """The lines of Fig. 1, from the spreads at increasing n_gen.

    Exact integrals give them for any n_gen: two decades to either side of n_equiv.
    """
    last = spreads[-1]
    low, high = np.transpose([s.bounds(level) for s in spreads])
    model = np.array([s.model for s in spreads])
    deviation = None if truth is None else np.array([s.deviation(truth) for s in spreads])
    if is_exact := not np.isfinite(last.n_gen):
        n_gen = np.maximum(last.binomial / last.total, 200) * np.logspace(-2, 2, 41)
        stat = last.binomial / n_gen
        est = last.total * (1 - 1 / n_gen) + stat
        model, low, high = (np.repeat(number, n_gen.size) for number in (model, low, high))
        deviation = None if deviation is None else deviation + stat
    else:
        n_gen = np.array([s.n_gen for s in spreads])
        stat, est = np.array([s.statistical for s in spreads]), np.array([s.total for s in spreads])
    model, low, high = (np.sqrt(line) for line in (np.where(model > 0, model, np.nan), low.clip(0), high.clip(0)))
    true = None if deviation is None else np.sqrt(deviation)
    return AveragingCurve(n_gen, np.sqrt(stat), np.sqrt(est), model, low, high, true, is_exact)
