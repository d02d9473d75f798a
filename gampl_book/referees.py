"""The benchmark of *Refereeing the Referees* (Grossi, Letizia, Torre, arXiv:2409.16336) for tests in many dimensions.

``python -m gampl_book referees`` runs it with the published number of events, and keeps what it finds in
``data/results/<profile>/many_dimensions.json``; the page shows it beside the published numbers and its own.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg
from scipy.spatial.distance import pdist

from gampl.basics import Floats
from gampl.report.multivariate import directions
from gampl_book import KEPT_RESULTS, ROOT
from gampl_book.pages import Page, rounded

Draw = Callable[[int, np.random.Generator], Floats]  # number of events, (n, dim)
Statistic = Callable[[Floats, Floats], float]  # of two samples of as many events, (n, dim) each

N_PUBLISHED, DIM_PUBLISHED = 10_000, 5
DEFORMATIONS = {
    "mu": r"$\mu$",
    "diagonal": r"$\Sigma_{ii}$",
    "correlation": r"$\Sigma_{i\neq j}$",
    "power up": r"pow$_+$",
    "power down": r"pow$_-$",
    "normal": r"$\mathcal{N}$",
    "uniform": r"$\mathcal{U}$",
}
# the smallest deformations of so many events in so many dimensions that are excluded at 95 %
PUBLISHED = {
    "Gaussian": {
        "mean K-S": (0.08231, 0.06456, 1.03259, 0.01297, 0.01349, 0.31644, 0.54743),
        "sliced K-S": (0.09964, 0.05119, 0.03395, 0.01054, 0.01086, 0.37535, 0.65034),
        "sliced Wasserstein": (0.09616, 0.03714, 0.0358, 0.00934, 0.01009, 0.38044, 0.65743),
        "FGD": (0.09501, 0.03069, 0.01157, 0.00829, 0.00888, 0.28641, 0.4938),
        "MMD, quartic": (0.11968, 0.03462, 0.0612, 0.00651, 0.00689, 0.79385, 1.36812),
    },
    "mixture": {
        "mean K-S": (0.00496, 0.00274, 0.00096, 0.00345, 0.00317, 0.00921, 0.01504),
        "sliced K-S": (0.05494, 0.01644, 0.00654, 0.0106, 0.01066, 0.18137, 0.30846),
        "sliced Wasserstein": (0.09192, 0.03015, 0.01167, 0.01845, 0.01989, 0.25306, 0.4365),
        "FGD": (0.10354, 0.0327, 0.0122, 0.01964, 0.02088, 0.29378, 0.50798),
        "MMD, quartic": (0.06434, 0.01392, 0.00961, 0.00788, 0.00858, 0.37502, 0.64544),
    },
}
REFERENCE = "sliced Wasserstein"  # the published sizes of this test say where to look
FACTORS = np.geomspace(1 / 64, 4, 9)


class Density(NamedTuple):
    """A density of the benchmark."""

    draw: Draw
    mean: Floats  # (dim,)
    covariance: Floats  # (dim, dim), from 10^5 events


class Sizes(NamedTuple):
    """How much the benchmark is to do."""

    n_test: int  # events of each sample
    n_kernel: int  # of which the tests with kernels see so many, as their time grows with the square
    n_null: int  # pairs of true samples
    samples: int  # pairs of a true and a deformed sample


class Sensitivity(NamedTuple):
    """What the benchmark says of a test and a density."""

    smallest: Mapping[str, float]  # deformation that is excluded, by what it is; infinite if none of those tried
    seconds: float  # CPU time of one test


def density(kind: str, dim: int, rng: np.random.Generator, seed: int) -> Density:
    """A mixture of three Gaussians with random means and widths, or a Gaussian with the covariance of one."""
    centre, width, share = rng.uniform(-5, 5, size=(3, dim)), rng.uniform(0, 1, size=(3, dim)), rng.random(3)

    def mixture(n: int, rng: np.random.Generator) -> Floats:
        which = rng.choice(3, size=n, p=share / share.sum())
        return np.asarray(centre[which] + width[which] * rng.normal(size=(n, dim)))

    events = mixture(100_000, np.random.default_rng(seed))
    covariance = np.cov(events.T)
    if kind == "mixture":
        return Density(mixture, events.mean(axis=0), covariance)
    mean, root = rng.uniform(-5, 5, size=dim), np.linalg.cholesky(covariance)
    return Density(lambda n, rng: mean + rng.normal(size=(n, dim)) @ root.T, mean, covariance)


def deformed(x: Floats, how: str, size: float, of: Density, seed: int) -> Floats:
    """Events with a deformation of this size; what it draws once for all events has a seed of its own."""
    fixed, noise = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    if how == "mu":
        return np.asarray(x + fixed.uniform(-size, size, size=x.shape[1]))
    if how == "diagonal":
        return np.asarray(of.mean + (x - of.mean) * fixed.uniform(1, 1 + size, size=x.shape[1]))
    if how == "correlation":
        changed = of.covariance * (1 - size) ** 2
        np.fill_diagonal(changed, np.diag(of.covariance))
        old, new = np.linalg.cholesky(of.covariance), np.linalg.cholesky(changed)
        return np.asarray(of.mean + (x - of.mean) @ (new @ linalg.inv(old)).T)
    if how in ("power up", "power down"):
        return np.asarray(np.sign(x) * np.abs(x) ** (1 + size if how == "power up" else 1 - size))
    return np.asarray(x + size * (noise.normal(size=x.shape) if how == "normal" else noise.uniform(-1, 1, x.shape)))


def ks(x: Floats, y: Floats) -> Floats:
    """Kolmogorov-Smirnov distance of each column, (n, columns) twice -> (columns,)."""
    steps = np.where(np.argsort(np.concatenate([x, y]), axis=0) < len(x), 1, -1)
    return np.asarray(np.abs(np.cumsum(steps, axis=0)).max(axis=0) / len(x))


def frechet(x: Floats, y: Floats) -> float:
    """Squared Fréchet distance of the Gaussians that have the means and covariances of two samples."""
    a, b = np.cov(x.T), np.cov(y.T)
    cross = np.sqrt(np.maximum(linalg.eigvals(a @ b).real, 0)).sum()
    return float(((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * cross)


def squared_distances(x: Floats, y: Floats) -> Floats:
    """Of each event and each other one, (n, dim) and (m, dim) -> (n, m), by a product of matrices."""
    of_x, of_y = ((z**2).sum(axis=1) for z in (x, y))
    return np.asarray(np.maximum(of_x[:, None] + of_y - 2 * x @ y.T, 0))


def unbiased(x: Floats, y: Floats, kernel: Callable[[Floats, Floats], Floats]) -> float:
    """Squared maximum mean discrepancy, in which no event is compared with itself."""
    own = [(gram.sum() - np.trace(gram)) / (len(z) * (len(z) - 1)) for z in (x, y) for gram in [kernel(z, z)]]
    return float(sum(own) - 2 * kernel(x, y).mean())


def statistics(width: float, slices: Floats, n_kernel: int) -> dict[str, Statistic]:
    """The tests by name, with the width of the Gaussian kernel and the directions of slices, (slices, dim)."""
    kernels: dict[str, Callable[[Floats, Floats], Floats]] = {
        "MMD, quartic": lambda x, y: np.square(np.square(1 + x @ y.T / x.shape[1])),
        "energy distance": lambda x, y: -np.sqrt(squared_distances(x, y)),
        "MMD, Gaussian": lambda x, y: np.exp(-0.5 * squared_distances(x, y) / width**2),
    }

    def of_kernel(kernel: Callable[[Floats, Floats], Floats]) -> Statistic:
        return lambda x, y: unbiased(x[:n_kernel], y[:n_kernel], kernel)

    return {
        "mean K-S": lambda x, y: ks(x, y).mean(),
        "sliced K-S": lambda x, y: ks(x @ slices.T, y @ slices.T).mean(),
        REFERENCE: lambda x, y: np.abs(np.sort(x @ slices.T, axis=0) - np.sort(y @ slices.T, axis=0)).mean(),
        "FGD": frechet,
        **{name: of_kernel(kernel) for name, kernel in kernels.items()},
    }


def sizes_tried(kind: str, how: str, n_test: int) -> Floats:
    """Sizes of a deformation that are tried, in increasing order, for samples of so many events."""
    published = dict(zip(DEFORMATIONS, PUBLISHED[kind][REFERENCE], strict=True))[how]
    power, largest = (4, np.inf) if how in ("normal", "uniform") else (2, 0.95)  # noise adds its square to a distance
    return np.unique(np.minimum(published * (N_PUBLISHED / n_test) ** (1 / power) * FACTORS, largest))


def sensitivities(kind: str, dim: int, sizes: Sizes, rng: np.random.Generator, seed: int) -> dict[str, Sensitivity]:
    """Smallest deformation that each test excludes: its mean over samples is above 95 % of pairs of true samples.

    Deformations of increasing size are tried, and the size is interpolated in between. What a deformation adds to the
    statistic of a pair scatters less than the statistic itself, so that this is what is averaged.
    """
    of, n = density(kind, dim, rng, seed), sizes.n_test
    tests = statistics(np.median(pdist(of.draw(500, rng))), directions(dim, rng), sizes.n_kernel)
    null, seconds = [], np.zeros(len(tests))
    for _ in range(sizes.n_null):
        x, y, row = of.draw(n, rng), of.draw(n, rng), []
        for place, test in enumerate(tests.values()):
            start = time.process_time()
            row.append(test(x, y))
            seconds[place] += time.process_time() - start
        null.append(row)
    limit, usual = np.quantile(null, 0.95, axis=0), np.mean(null, axis=0)
    tried = {how: sizes_tried(kind, how, n) for how in DEFORMATIONS}
    added = {how: np.zeros((len(tests), len(some))) for how, some in tried.items()}
    for _ in range(sizes.samples):
        x, y = of.draw(n, rng), of.draw(n, rng)
        intact = np.array([test(x, y) for test in tests.values()])
        for how, some in tried.items():
            for k, size in enumerate(some):
                changed = deformed(y, how, size, of, seed)
                added[how][:, k] += ([test(x, changed) for test in tests.values()] - intact) / sizes.samples
    found = {}
    for place, name in enumerate(tests):
        over = {how: usual[place] + added[how][place] - limit[place] for how in DEFORMATIONS}
        smallest = {how: _crossing(tried[how], over[how]) for how in DEFORMATIONS}
        found[name] = Sensitivity(smallest, seconds[place] / sizes.n_null)
    return found


def _crossing(sizes: Floats, over: Floats) -> float:
    """Where a statistic first exceeds its limit, at the first size that was tried if there."""
    above = np.flatnonzero(over > 0)
    if not above.size or above[0] == 0:
        return float(sizes[0]) if above.size else np.inf
    k = above[0]
    return float(np.exp(np.interp(0, over[k - 1 : k + 1], np.log(sizes[k - 1 : k + 1]))))


def key(test: str, kind: str, dim: int, how: str) -> str:
    """Name of a recorded smallest deformation."""
    return f"eps_{test}_{kind}_{dim}_{how}".replace(" ", "_").replace(",", "")


def rows(numbers: Mapping[str, Any], times: Mapping[str, float], beside: bool) -> list[list[str]]:
    """A table of recorded numbers: density, test, smallest deformations, or with published ones, and ms of a test."""
    found, n_test = [], round(numbers["n_test"]["value"])
    tests = (*PUBLISHED["Gaussian"], "energy distance", "MMD, Gaussian")
    for kind, dim, test in product(PUBLISHED, (5, 20, 100), tests):
        if key(test, kind, dim, "mu") not in numbers:
            continue
        cells = []
        for how in DEFORMATIONS:
            size, least = float(numbers[key(test, kind, dim, how)]["value"]), sizes_tried(kind, how, n_test)[0]
            cells.append(f"{'≤ ' if size <= 1.000001 * least else ''}{rounded(size, 2)}")
        if beside and dim == DIM_PUBLISHED and test in PUBLISHED[kind]:
            cells = [f"{own} ({rounded(x, 2)})" for own, x in zip(cells, PUBLISHED[kind][test], strict=True)]
        found.append([f"{kind}, {dim}", test, *cells, rounded(times[f"{test}, {kind}, {dim}"], 2)])
    return found


def run_all(page: Page, sizes: Sizes, dims: list[int]) -> dict[str, float]:
    """Records the smallest deformations of all densities and tests; the time of each test in ms."""
    rng, times = page.rng(6), {}
    for dim, kind in product(dims, PUBLISHED):
        for test, one in sensitivities(kind, dim, sizes, rng, page.seed).items():
            times[f"{test}, {kind}, {dim}"] = 1e3 * one.seconds
            for how, size in one.smallest.items():
                page.record(key(test, kind, dim, how), size)
    page.made_of(milliseconds=times)
    return times


def run(profile: str, seed: int) -> None:
    """Runs the benchmark alone and keeps what it has found with the project."""
    page = Page("many_dimensions", profile, seed)
    sizes, dims = of_settings(page.settings)
    run_all(page, sizes, dims)
    page.made_of(settings=sizes._asdict() | {"dims": dims})
    page.record("n_test", sizes.n_test)
    page.record("n_kernel", sizes.n_kernel)
    shutil.copy(page.folder / "results.json", ROOT / KEPT_RESULTS / profile / "many_dimensions.json")


def of_settings(settings: Mapping[str, Any]) -> tuple[Sizes, list[int]]:
    """What a page's settings say of the benchmark: its sizes, and the numbers of dimensions."""
    return Sizes(*(settings[name] for name in Sizes._fields)), settings["dims"]
