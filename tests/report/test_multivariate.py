"""Distances of whole events: their laws, what they are worth, and what is refused, against SciPy and formulas."""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.spatial.distance import cdist, pdist

from gampl.report import multivariate
from gampl.report.lot import Lot
from gampl.report.multivariate import DistanceCurve, Kernel, Sliced, Squared, directions, from_samples
from gampl.result import NoteCode, State


def gaussians(n, n_gen, shift=0.0, dim=3, seed=1):
    """True events, and generated ones that are shifted along the first coordinate."""
    rng = np.random.default_rng(seed)
    generated = rng.normal(size=(n_gen, dim))
    generated[:, 0] += shift
    return rng.normal(size=(n, dim)), generated


def mean_distance(shift, variances):
    """E|Z| of normal Z with these means and variances, by quadrature of its Laplace transform."""

    def integrand(u):
        t = np.exp(u)
        grown = 1 + 2 * t * variances
        return (1 - np.prod(np.exp(-t * shift**2 / grown) / np.sqrt(grown))) / np.sqrt(t)

    return integrate.quad(integrand, -30, 30, limit=300)[0] / (2 * np.sqrt(np.pi))


def test_the_energy_distance_is_that_of_scipy_in_one_dimension():
    true, generated = gaussians(300, 400, 0.3, dim=1)
    found = Squared.measure(Kernel.make("energy", true), true, [generated], np.random.default_rng(1))
    # SciPy's is that of the samples themselves: each event counts in the means with itself, at no distance
    n, m = len(true), len(generated)
    of_pairs = 2 * cdist(true, generated).mean() - pdist(true).mean() - pdist(generated).mean()
    assert found.values[0] == pytest.approx(of_pairs, rel=1e-9)
    biased = of_pairs + pdist(true).mean() / n + pdist(generated).mean() / m
    assert stats.energy_distance(true[:, 0], generated[:, 0]) ** 2 == pytest.approx(biased, rel=1e-9)
    assert found.c == pytest.approx(pdist(true).mean(), rel=1e-9)


@pytest.mark.parametrize("kind", ["energy", "mmd"])
def test_the_squared_distance_of_n_true_events_is_c_over_n(kind):
    """In 400 samples of 20 events the standard error of the mean is about 2 %."""
    true, many = gaussians(20 * 400, 3000, dim=3)
    kernel = Kernel.make(kind, many)
    c = kernel.at_zero - kernel.means(many, many)[0].mean()
    to_truth = kernel.means(true, many)[0].reshape(400, 20)
    own = np.array([kernel.of(cdist(x, x)).mean() for x in true.reshape(400, 20, 3)])
    squared = own + kernel.means(many, many)[0].mean() - 2 * to_truth.mean(axis=1)
    assert squared.mean() == pytest.approx(c / 20, rel=0.08)


def test_blocks_change_nothing(monkeypatch):
    true, generated = gaussians(70, 90)
    kernel = Kernel.make("mmd", true)
    whole = kernel.means(true, generated)
    monkeypatch.setattr(multivariate, "BLOCK", 200)
    for parts, all_at_once in zip(kernel.means(true, generated), whole, strict=True):
        np.testing.assert_allclose(parts, all_at_once)
    gram = np.exp(-0.5 * (cdist(true, true) / np.median(pdist(true))) ** 2)
    off = gram[~np.eye(70, dtype=bool)].reshape(70, 69).mean(axis=1)
    np.testing.assert_allclose(kernel.means(true, true)[0], off)


@pytest.mark.parametrize("kind", ["energy", "mmd", "sliced"])
def test_n_equiv_is_that_of_a_shifted_gaussian(kind):
    """Exact in the coordinates of the reference; an interval at 99.9 % fails once in a thousand seeds."""
    shift, dim, seed = 0.7, 3, 1
    true, generated = gaussians(1500, 8000, shift)
    width = true.std(axis=0)
    off, variances = np.array([shift, 0, 0]) / width, 2 / width**2
    if kind == "energy":
        c = mean_distance(np.zeros(dim), variances)
        squared = 2 * (mean_distance(off, variances) - c) / c
    elif kind == "mmd":
        sigma = np.median(pdist(((true - true.mean(axis=0)) / width)[: multivariate.RESAMPLED]))
        alike = np.prod(sigma / np.sqrt(sigma**2 + variances))
        other = alike * np.exp(-0.5 * (off**2 / (sigma**2 + variances)).sum())
        squared = 2 * (alike - other) / (1 - alike)
    else:
        u = directions(dim, np.random.default_rng(seed))
        D = 2 * stats.norm.cdf(np.abs(u @ off) / np.sqrt(u**2 @ (1 / width**2)) / 2) - 1
        squared = D.mean() ** 2 / (np.pi / 2 * np.log(2) ** 2)
    result = from_samples([generated], true, 1500, kind=kind, level=0.999, seed=seed)
    assert result.state is State.VALUE
    assert result.n_equiv_interval.low < 1 / squared < result.n_equiv_interval.high
    assert result.n_equiv == pytest.approx(1 / squared, rel=0.3)
    assert isinstance(result.curve, DistanceCurve)
    # what was measured and c give n_equiv by the same formula for all distances, Eq. (36)
    curve = result.curve
    excess = curve.mean[-1] ** 2 - curve.law.mean**2 * (1 / curve.n_ref + 1 / curve.n_gen[-1])
    assert curve.law.mean**2 / excess == pytest.approx(result.n_equiv)


@pytest.mark.parametrize(("kind", "shift"), [("energy", 0.0), ("energy", 0.4), ("mmd", 0.4)])
def test_intervals_cover(kind, shift):
    """Of 120 intervals at 68.3 %: less than 58 % or, with a difference, more than 80 % have a probability of 1 %."""
    held, two = [], np.full(2, 2.0)
    exact = 2 * (mean_distance(np.array([shift, 0]), two) - mean_distance(np.zeros(2), two))
    for seed in range(120):
        true, generated = gaussians(150, 300, shift, dim=2, seed=seed)
        found = Squared.measure(Kernel.make(kind, true), true, [generated], np.random.default_rng(seed))
        if kind == "mmd":
            sigma2 = np.median(pdist(true)) ** 2
            exact = 2 * sigma2 / (sigma2 + 2) * (1 - np.exp(-0.5 * shift**2 / (sigma2 + 2)))
        low, high = found.interval(0.683)
        held.append(low <= exact <= high)
    assert 0.58 < np.mean(held) < (0.8 if shift else 0.95)


def test_a_perfect_generator_is_rejected_as_often_as_is_said():
    """Of 200 p-values; each count is binomial, and beyond its bounds in less than 1 of 1000 cases."""
    p = []
    for seed in range(200):
        true, generated = gaussians(100, 200, dim=4, seed=seed)
        p.append(Squared.measure(Kernel.make("energy", true), true, [generated], np.random.default_rng(1)).p_value)
    assert 0 < np.mean(np.array(p) < 0.05) < 0.12
    assert 0.37 < np.mean(np.array(p) < 0.5) < 0.63


def test_a_perfect_generator_has_no_upper_end_and_says_so():
    true, generated = gaussians(400, 5000, seed=4)
    for kind in multivariate.KINDS:
        result = from_samples([generated], true, 400, kind=kind, level=0.99)
        assert np.isinf(result.n_equiv_interval.high)
        assert result.state is not State.VALUE
        codes = {note.code for note in result.notes}
        assert codes & {NoteCode.LOWER_LIMIT, NoteCode.BELOW_RESOLUTION}


def test_slices_have_the_law_of_one_and_ties_step_together():
    true, generated = gaussians(300, 900)
    found = Sliced.measure(true, [generated, generated[:450]], np.random.default_rng(5))
    law = found.law
    assert law.mean == pytest.approx(np.sqrt(np.pi / 2) * np.log(2))
    assert law.band(0.683).high - law.band(0.683).low < 0.4  # less than that of a single slice
    u = directions(3, np.random.default_rng(5))
    expected = [
        np.mean([stats.ks_2samp(true @ d, y @ d, method="asymp").statistic for d in u])
        for y in (generated, generated[:450])
    ]
    np.testing.assert_allclose(found.distances, expected)
    whole = np.random.default_rng(1).integers(0, 3, size=(300, 1)).astype(float)
    assert Sliced.measure(whole, [whole], np.random.default_rng(1)).law.mean < 0.75  # three values, two places


def test_members_are_averaged_and_their_scatter_is_part_of_the_interval():
    true, generated = gaussians(500, 9000, 0.5)
    same = from_samples(np.split(generated, 3), true, 500)
    unlike = [
        part + np.array([extra, 0, 0]) for part, extra in zip(np.split(generated, 3), (-0.3, 0, 0.3), strict=True)
    ]
    result = from_samples(unlike, true, 500)
    assert same.n_members == 3
    assert result.n_equiv < same.n_equiv  # the mean square of their distances is larger
    low, high = same.n_equiv_interval
    assert result.n_equiv / result.n_equiv_interval.high < low / same.n_equiv * same.n_equiv / high


def test_a_lot_is_bounded_and_drawn_from_the_whole_stream():
    lot = Lot(most=100)
    for start in range(0, 10_000, 50):
        lot.update(np.arange(start, start + 50.0)[:, None])
    lot.update(np.array([[np.nan]]))
    events = lot.events()[:, 0]
    assert (events.size, lot.n_gen, lot.n_lost) == (100, 10_001, 1)
    assert stats.kstest(events, stats.uniform(0, 10_000).cdf).pvalue > 1e-3
    assert (np.diff(events) > 0).all()
    part = lot.events(20)[:, 0]  # is as random
    assert part.size == 20
    assert set(part) < set(events)
    assert stats.kstest(part, stats.uniform(0, 10_000).cdf).pvalue > 1e-3
    assert lot.n_left_out == 10_000 - 20


def test_what_is_refused():
    true, generated = gaussians(50, 60)
    with pytest.raises(ValueError, match="kind must be one of energy, mmd, sliced"):
        from_samples([generated], true, 10, kind="chi2")
    with pytest.raises(ValueError, match="members must have 3 coordinates, got 2"):
        from_samples([generated[:, :2]], true, 10)
    with pytest.raises(ValueError, match="a coordinate is the same for all events"):
        from_samples([generated], true * [1, 0, 1], 10)
    with pytest.raises(ValueError, match="1 event of 60 with a coordinate that is not finite"):
        from_samples([np.where(np.arange(60)[:, None] == 3, np.inf, generated)], true, 10)
    with pytest.raises(ValueError, match="members: 5 events, expected at least 10"):
        from_samples([generated[:5]], true, 10)
    with pytest.raises(ValueError, match=r"level must lie between 0\.57 and 1"):
        from_samples([generated], true, 10, level=0.4)
