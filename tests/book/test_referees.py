"""The benchmark of tests in many dimensions against SciPy, sums over pairs and closed forms."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from gampl.report.multivariate import directions
from gampl_book import referees
from gampl_book.pages import rounded


def rng():
    return np.random.default_rng(7)


def test_ks_of_columns_is_scipys():
    x, y = rng().normal(size=(2, 300, 4))
    assert np.allclose(referees.ks(x, y), [stats.ks_2samp(*pair).statistic for pair in zip(x.T, y.T, strict=True)])


def test_sliced_wasserstein_of_one_direction_is_scipys():
    x, y = rng().normal(size=(2, 300, 3))
    along = np.array([[1.0, 0.0, 0.0]])
    found = referees.statistics(1.0, along, 300)["sliced Wasserstein"](x, y)
    assert found == pytest.approx(stats.wasserstein_distance(x[:, 0], y[:, 0]))


def test_frechet_distance_of_gaussians_that_commute():
    x = rng().normal(size=(500, 3))
    assert referees.frechet(x, x) == pytest.approx(0, abs=1e-9)
    # a shift and a stretch: |shift|^2 + tr((s - 1)^2 C)
    expected = 0.5**2 + 0.2**2 * np.trace(np.cov(x.T))
    centred = x - x.mean(axis=0)
    assert referees.frechet(centred, 1.2 * centred + [0.5, 0, 0]) == pytest.approx(expected, rel=1e-6)


def test_kernels_are_sums_over_pairs_of_different_events():
    x, y = rng().normal(size=(2, 40, 3)) + np.array([[[0.0]], [[0.3]]])
    tests = referees.statistics(1.7, directions(3, rng()), 40)
    far = ~np.eye(40, dtype=bool)
    for name, kernel in {
        "MMD, quartic": lambda a, b: (a @ b.T / 3 + 1) ** 4,
        "energy distance": lambda a, b: -cdist(a, b),
        "MMD, Gaussian": lambda a, b: np.exp(-0.5 * (cdist(a, b) / 1.7) ** 2),
    }.items():
        expected = kernel(x, x)[far].mean() + kernel(y, y)[far].mean() - 2 * kernel(x, y).mean()
        assert tests[name](x, y) == pytest.approx(expected, abs=1e-6), name
    few = referees.statistics(1.7, directions(3, rng()), 10)
    assert few["energy distance"](x, y) == pytest.approx(tests["energy distance"](x[:10], y[:10]))


@pytest.mark.parametrize("kind", ["Gaussian", "mixture"])
def test_deformations_do_what_they_say(kind):
    of = referees.density(kind, 4, rng(), 1)
    x = of.draw(200_000, rng())
    assert np.allclose(x.mean(axis=0), of.mean, atol=0.05)
    assert np.allclose(np.cov(x.T), of.covariance, atol=0.3)
    for how in referees.DEFORMATIONS:
        assert np.allclose(referees.deformed(x, how, 0.0, of, 1), x), how
    covariance = np.cov(referees.deformed(x, "correlation", 0.3, of, 1).T)
    expected = np.where(np.eye(4), of.covariance, 0.49 * of.covariance)
    assert np.allclose(covariance, expected, atol=0.3)
    assert np.allclose(referees.deformed(x, "power up", 0.5, of, 1), np.sign(x) * np.abs(x) ** 1.5)
    for how, variance in (("normal", 0.04), ("uniform", 0.04 / 3)):
        assert np.var(referees.deformed(x, how, 0.2, of, 1) - x) == pytest.approx(variance, rel=0.02)


def test_the_smallest_deformation_is_interpolated_and_infinite_if_none_is_seen():
    sizes = np.array([0.1, 0.2, 0.4])
    assert referees._crossing(sizes, np.array([-1.0, 1.0, 3.0])) == pytest.approx(np.sqrt(0.02))
    assert referees._crossing(sizes, np.array([1.0, 1.0, 3.0])) == 0.1
    assert referees._crossing(sizes, np.full(3, -1.0)) == np.inf


def test_more_events_see_smaller_shifts_as_the_square_root_says():
    found = [referees.sensitivities("Gaussian", 5, referees.Sizes(n, 50, 60, 2), rng(), 1) for n in (200, 3_200)]
    for test in ("sliced K-S", "sliced Wasserstein"):
        few, many = (one[test].smallest["mu"] for one in found)
        assert 2 < few / many < 8, test
    assert all(one.seconds >= 0 for one in found[0].values())


def test_the_table_has_published_numbers_beside_those_in_five_dimensions():
    numbers = {
        referees.key(test, kind, dim, how): {"value": 0.5}
        for kind in referees.PUBLISHED
        for dim in (5, 20)
        for test in ("mean K-S", "MMD, Gaussian")
        for how in referees.DEFORMATIONS
    } | {"n_test": {"value": 10_000.0}}
    least = referees.sizes_tried("mixture", "mu", 10_000)[0]
    numbers[referees.key("mean K-S", "mixture", 20, "mu")] = {"value": least}
    times = {
        f"{test}, {kind}, {dim}": 1.0
        for test in ("mean K-S", "MMD, Gaussian")
        for kind in referees.PUBLISHED
        for dim in (5, 20)
    }
    table = referees.rows(numbers, times, beside=True)
    assert [row[:2] for row in table[:4]] == [
        ["Gaussian, 5", "mean K-S"],
        ["Gaussian, 5", "MMD, Gaussian"],
        ["Gaussian, 20", "mean K-S"],
        ["Gaussian, 20", "MMD, Gaussian"],
    ]
    assert table[0][2] == "0.50 (0.082)"
    assert table[6][2] == f"≤ {rounded(least, 2)}"
    assert {cell for row in table[1:4] for cell in row[2:-1]} == {"0.50"}
