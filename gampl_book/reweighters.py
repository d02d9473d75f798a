r"""Classifiers of different capacity, and the ways to reweight a generator with them, for the page on what that costs.

All learn log p_true(x) - log p_gen(x). On the line the density of reweighted events is known on a grid of cells.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special

from gampl.basics import Floats
from gampl.particles.event_classifier import calibrated_trees
from gampl.processes import GaussianLine
from gampl.ratio import Classifier, LogRatio, MakeClassifier, cross_fit, in_sample
from gampl.reweighting import Reweighting

EDGES = np.linspace(-8.0, 8.0, 3201)  # of the cells on the line, 0 and 0.5 among them
CENTRES = 0.5 * (EDGES[1:] + EDGES[:-1])[:, None]


def learned(true: Floats, generated: Floats, make: MakeClassifier, seed: int) -> LogRatio:
    """The log ratio learned from all events of both samples, (n, dim)."""
    return in_sample(true, generated, seed, make_classifier=make)


def logistic(_seed: int, degree: int = 1) -> Classifier:
    """Logistic regression in the powers of each coordinate and their products up to a degree, hardly regularised."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    powers = PolynomialFeatures(degree, include_bias=False)
    return make_pipeline(StandardScaler(), powers, LogisticRegression(C=1e4, solver="newton-cholesky"))


def histogram(_seed: int, bins: int = 20) -> Classifier:
    """One probability for each bin of equal content of each coordinate, the quotient of two histograms on a line."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer

    places = KBinsDiscretizer(bins, encode="onehot-dense", quantile_method="averaged_inverted_cdf", subsample=None)
    return make_pipeline(places, LogisticRegression(C=1e4, solver="newton-cholesky"))


def unregularised_trees(seed: int) -> Classifier:
    """Fifty boosted trees with large steps that nothing stops or calibrates."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=0.5, max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=seed
    )


LINE: Mapping[str, MakeClassifier] = {
    "logistic": logistic,
    "quadratic": partial(logistic, degree=2),
    "calibrated": calibrated_trees,
    "histogram": histogram,
    "unregularised": unregularised_trees,
}
TITLES = {
    "none": "none",
    "logistic": "logistic, $x$",
    "quadratic": "logistic, $x$ and $x^2$",
    "calibrated": "trees, calibrated",
    "histogram": "histogram, 20 bins",
    "unregularised": "trees, unregularised",
    "default": "radial functions",
    "exact": "exact ratio",
}
ARE_TREES = ("calibrated", "unregularised")

Fit = Callable[[Floats], GaussianLine]  # training events (n, 1) to a generator
Source = tuple[GaussianLine, LogRatio]  # events of this generator with weights from this ratio


class Density(NamedTuple):
    """Reweighted events of a generator on the line, without the fluctuation of a finite sample."""

    below: Floats  #: probability below each edge of the cells, (cells + 1,)
    n_effective: float  #: (sum w)^2 / sum w^2 of a generated event
    clipped: float  #: share of the generated events whose weight was clipped

    def integrals(self, edges: Sequence[tuple[float, float]]) -> Floats:
        """Probabilities of intervals, (regions,)."""
        return np.array([np.diff(np.interp(ends, EDGES, self.below))[0] for ends in edges])

    def distance(self) -> float:
        """Kolmogorov-Smirnov distance to the true density, a unit Gaussian."""
        return float(np.abs(self.below - special.ndtr(EDGES)).max())


def reweighted(sources: Sequence[Source]) -> Density:
    """The density of events of which each source makes an equal share."""
    total, weighted, squares, clipped = 0.0, np.zeros(len(CENTRES)), 0.0, 0.0
    for generator, ratio in sources:
        mass = np.diff(special.ndtr((EDGES - generator.mean) / generator.width))
        weights = Reweighting(ratio)
        w = weights(CENTRES)
        total += mass.sum()
        weighted += mass * w
        squares += float(mass @ w**2)
        clipped += float(mass @ (w >= weights.largest))
    sums = np.concatenate([[0.0], np.cumsum(weighted)])
    return Density(sums / sums[-1], float(sums[-1] ** 2 / squares / total), clipped / total)


def nothing(events: Floats) -> Floats:
    """The log ratio of weights 1, (n, dim) -> (n,)."""
    return np.zeros(len(events))


WAYS = {
    "training": "the training events",
    "fresh": "as many fresh ones",
    "folds": "cross-fitted, 2 folds",
    "halves": "another half than the generator",
}


def treat(
    way: str, training: Floats, fit: Fit, make: MakeClassifier, n_generated: int, rng: np.random.Generator
) -> list[Source]:
    """Fit a generator and learn its ratio in one of the `WAYS`, from true events (n, 1) and generated ones.

    In halves, generator and classifier see different halves of the training events, once each way round.
    """
    seed = int(rng.integers(2**31))
    if way == "halves":
        parts = training[: (half := len(training) // 2)], training[half:]
        pairs = []
        for mine, other in (parts, parts[::-1]):
            generator = fit(mine)
            pairs.append((generator, learned(other, generator.sample(n_generated // 2, rng), make, seed)))
        return list[Source](pairs)
    generator = fit(training)
    generated = generator.sample(n_generated, rng)
    if way == "folds":
        ratios = cross_fit(training, generated, seed, folds=2, make_classifier=make)
        return [(generator, ratio) for ratio in ratios.of_folds]
    true = GaussianLine().sample(len(training), rng) if way == "fresh" else training
    return [(generator, learned(true, generated, make, seed))]


HOW = {
    "none": "without weights",
    "shared": "one for all, the training events",
    "fresh": "one for all, as many fresh ones",
    "folds": "one for all, cross-fitted",
    "own": "one each, the training events",
    "resampled": "one each, bootstrap samples",
    "halved": "one each, random halves",
}


def posterior(
    training: Floats, fit: Fit, how: str, make: MakeClassifier, sizes: tuple[int, int], rng: np.random.Generator
) -> Floats:
    """Integrals over [0, 0.5) of members that are fitted to bootstrap samples and reweighted, (members,); see `HOW`.

    Sizes are the members, and the generated events that a classifier learns from.
    """
    (N, n_generated), n = sizes, len(training)
    picks = rng.integers(n, size=(N, n))
    members = [fit(training[rows]) for rows in picks]
    ratios: list[Sequence[LogRatio]] = [[nothing]] * N
    seeds = [int(seed) for seed in rng.integers(2**31, size=N)]
    if how in ("shared", "fresh", "folds"):
        generated = np.concatenate([member.sample(n_generated // N, rng) for member in members])
        if how == "folds":
            ratios = [cross_fit(training, generated, seeds[0], folds=2, make_classifier=make).of_folds] * N
        else:
            true = GaussianLine().sample(n, rng) if how == "fresh" else training
            ratios = [[learned(true, generated, make, seeds[0])]] * N
    elif how != "none":
        rows = list(picks) if how == "resampled" else [np.arange(n)] * N
        rows = [rng.permutation(n)[::2] for _ in picks] if how == "halved" else rows
        ratios = [
            [learned(training[seen], member.sample(n_generated, rng), make, seed)]
            for seen, member, seed in zip(rows, members, seeds, strict=True)
        ]
    sources = [[(member, ratio) for ratio in own] for member, own in zip(members, ratios, strict=True)]
    return np.array([reweighted(source).integrals([(0.0, 0.5)])[0] for source in sources])
