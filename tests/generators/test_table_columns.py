"""Columns of numbers made Gaussian-like and back: densities, grids, and tables that no density describes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gampl.generators.table_columns import learn_columns

N = 4000


def normal_density(z, _):
    """Standard normal log density of standardised columns, (n, d) -> (n,)."""
    return stats.norm.logpdf(z).sum(axis=1)


def draws(seed=0):
    """One column for each form, and what lies on a grid, by name."""
    rng = np.random.default_rng(seed)
    return {
        "linear": rng.normal(1000, 3, N),
        "log": rng.lognormal(-12, 1.2, N),
        "asinh": 5e3 * rng.standard_t(2, N) - 7,
        "minutes": np.round(rng.gamma(2, 30, N) + 20),
        "tens": 10 * np.round(rng.normal(0, 12, N)),
        "hours": np.round(rng.normal(0, 900, N)) / 60,
        "cents": np.round(rng.lognormal(3, 1, N), 2),
        "single": np.round(rng.normal(0, 3, N), 1).astype(np.float32),
        "dice": rng.integers(1, 7, N).astype(float),
        "yes": (rng.random(N) < 0.1).astype(float),
    }


STEPS = {"minutes": 1, "tens": 10, "hours": 1 / 60, "cents": 0.01, "single": 0.1, "dice": 1, "yes": 1}


@pytest.mark.parametrize("name", draws())
def test_grids_are_found_and_values_come_back(name):
    x = np.asarray(draws()[name], dtype=np.float64)[:, None]
    columns, z = learn_columns(x, seed=1)
    (column,) = columns.columns
    assert column.step == pytest.approx(STEPS.get(name, 0), rel=1e-6)
    if name in STEPS:
        np.testing.assert_array_equal(columns.to_values(z), x)
    np.testing.assert_allclose(columns.to_values(z), x, rtol=1e-6, atol=1e-12 * x.std())
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-9)
    if name in ("linear", "log", "asinh"):
        assert column.form == name
        assert abs(stats.skew(z[:, 0])) < 0.3  # linear in z, that of "log" and "asinh" would be far above 1


@pytest.mark.parametrize("name", ["dice", "yes"])
def test_a_column_of_few_values_has_no_others(name):
    x = draws()[name][:, None]
    columns, _ = learn_columns(x, seed=1)
    far = np.linspace(-50, 50, 1001)[:, None]
    assert set(columns.to_values(far).ravel()) == set(x.ravel())
    outside = columns.log_prob([[x.max() + 1], [x.min() - 1]], normal_density)
    np.testing.assert_array_equal(outside, -np.inf)


@pytest.mark.parametrize("name", ["linear", "log", "asinh", "minutes", "tens"])
def test_the_density_integrates_to_one(name):
    x = np.asarray(draws()[name], dtype=np.float64)[:, None]
    columns, _ = learn_columns(x, seed=1)
    z = np.linspace(-9, 9, 40_001)[:, None]
    (column,) = columns.columns
    places = replace(column, step=0.0).to_values(z[:, 0])  # not rounded
    density = np.exp(columns.log_prob(places[:, None], normal_density))
    assert np.trapezoid(density, places) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["dice", "yes", "minutes", "tens"])
def test_probabilities_of_grid_points_sum_to_one(name):
    x = draws()[name][:, None]
    columns, _ = learn_columns(x, seed=1)
    (column,) = columns.columns
    points = np.unique(x) if column.is_complete else np.arange(-2000, 3000, column.step)
    total = np.exp(columns.log_prob(points[:, None], normal_density)).sum() * column.step
    assert total == pytest.approx(1, abs=0.01)


def test_jacobian_is_the_slope_of_the_map():
    for name, x in draws().items():
        columns, _ = learn_columns(np.asarray(x, dtype=np.float64)[:, None], seed=1)
        (column,) = columns.columns
        at = np.quantile(x, [0.2, 0.5, 0.7]) + 0.1 * column.step
        small = 1e-6 * column.scale * column.std if column.form != "log" else 1e-6 * at
        slope = (column.to_normal(at + small) - column.to_normal(at - small)) / (2 * small)
        np.testing.assert_allclose(column.log_slope(at), np.log(slope), atol=1e-4, err_msg=name)


def test_an_independent_density_of_several_columns_is_right():
    rng = np.random.default_rng(3)
    x = np.stack([rng.normal(2, 3, N), rng.lognormal(1, 0.5, N)], axis=1)
    columns, _ = learn_columns(x, seed=0)
    expected = stats.norm(2, 3).logpdf(x[:50, 0]) + stats.lognorm(0.5, scale=np.e).logpdf(x[:50, 1])
    # the maps have learned mean and width from 4000 events, to 2 %: in the tails that is 0.2 in the logarithm
    np.testing.assert_allclose(columns.log_prob(x[:50], normal_density), expected, atol=0.2)


def test_seed_decides_the_spread_over_the_cells():
    x = draws()["minutes"][:, None]
    first, again, other = (learn_columns(x, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    smooth = draws()["linear"][:, None]
    np.testing.assert_array_equal(learn_columns(smooth, 0)[1], learn_columns(smooth, 1)[1])


GRIDS = {
    "tenths": np.arange(-60, 90) / 10,
    "tenths in single precision": (np.arange(-60, 90) / 10).astype(np.float32).astype(float),
    "tenths that were computed": 0.1 * np.arange(-60, 90),
    "quarters": np.arange(-60, 90) / 4,
    "thousandths of a large number": np.round(500 + np.arange(150) / 1000, 3),
    "steps of 0.07": np.round(0.07 * np.arange(150), 2),
    "fives": 5.0 * np.arange(150),
    "thirds": np.arange(-60, 90) / 3,
}


@pytest.mark.parametrize("grid", GRIDS)
def test_values_on_a_grid_are_the_numbers_of_the_training_events(grid):
    """All of them where they were seen; decimal ones, in any precision, between and beyond as well."""
    points = GRIDS[grid]
    seen = np.delete(points, [50, 77, *range(140, 150)])
    columns, _ = learn_columns(np.random.default_rng(5).choice(seen, (N, 1)), seed=1)
    (column,) = columns.columns
    z = column.to_normal(np.random.default_rng(6).uniform(points[0], points[-1], 50_000))
    values = np.unique(column.to_values(z))
    assert len(values) == len(points)
    assert set(seen) <= set(values)
    if grid not in ("tenths that were computed", "thirds"):
        np.testing.assert_array_equal(values, points)


def test_the_most_frequent_number_stands_for_those_that_differ_by_rounding():
    x = np.concatenate([np.arange(100) / 10, [0.30000000000000004, *3 * [0.7000000000000001]]])
    (column,) = learn_columns(x[:, None], seed=1)[0].columns
    values = column.to_values(column.to_normal(x))
    np.testing.assert_array_equal(values, np.where(np.isclose(x, 0.7), x[-1], np.round(x, 1)))


# ---- bad input


def test_tables_that_no_density_describes_are_refused():
    good = np.stack([draws()["linear"], draws()["log"]], axis=1)

    def refused(message, column, names=None):
        with pytest.raises(ValueError, match=message):
            learn_columns(np.column_stack([good, column]), 0, names)

    refused(r"column 2 is constant, 3 in all", np.full(N, 3.0))
    refused(r'column "pt" is constant', np.full(N, 3.0), ("a", "b", "pt"))
    holes = draws()["asinh"]
    holes[[3, 5]] = np.nan, np.inf
    refused(r"column 2 has 2 training events that are not finite numbers", holes)
    half_dry = np.maximum(draws()["asinh"], 0)
    refused(r"column 2 has \d{4} of 4000 training events at the value 0 and lies on no grid", half_dry)
    refused(r"column 0 and column 2 determine each other", 3 - 2 * good[:, 0])
    with pytest.raises(ValueError, match="2 training events are too few for 2 columns"):
        learn_columns(good[:2], 0)
