"""Maps of G: cells and their exact probabilities, and intervals that hold for all cells of planted truths."""

import numpy as np
import pytest

from gampl.processes import LeadingOrderTopPair
from gampl.regions import Intervals
from gampl_book.maps import Grid, bonferroni, estimated, familywise_level, true

M_EDGES, C_EDGES = [-np.inf, 400.0, 550.0, np.inf], [0.0, 0.4, 0.8, np.inf]
EXACT = np.array([0.1, 0.15, 0.08, 0.12, 0.15, 0.1])
N_GEN, N_TRAIN = 20_000, 1_000


def angle(events):
    return np.abs(events[:, 2])


@pytest.fixture(scope="module")
def process():
    return LeadingOrderTopPair()


@pytest.fixture(scope="module")
def grid(process):
    return Grid(Intervals.between(M_EDGES, process.observables["m_tt"]), Intervals.between(C_EDGES, angle))


def planted(rng, scatter, members, correlation):
    """Counts of members in cells, (members, cells), and G of their law; a training set's own fluctuation is in."""
    common = np.sqrt(correlation) * rng.standard_normal((members, 1))
    shares = EXACT + scatter * (common + np.sqrt(1 - correlation) * rng.standard_normal((members, EXACT.size)))
    shares = np.column_stack([shares, 1 - shares.sum(axis=1)])
    return rng.multinomial(N_GEN, shares)[:, :-1], EXACT * (1 - EXACT) / scatter**2 / N_TRAIN


def test_cells_have_the_events_of_both_intervals(process, grid):
    events = process.sample(2_000, np.random.default_rng(1))
    events[0, 2] = np.nan
    counts = grid.count(events)
    table, *_ = np.histogram2d(events[1:, 0], angle(events[1:]), [[0, *M_EDGES[1:-1], 1e9], [*C_EDGES[:-1], 1.0]])
    np.testing.assert_array_equal(counts.inside, table.ravel())
    assert counts.n_lost == 1


def test_probabilities_of_cells_add_up_to_those_of_intervals(process, grid):
    exact = grid.integrals(process).reshape(3, 3)
    np.testing.assert_allclose(exact.sum(axis=1), process.integrals(grid.rows), rtol=1e-5)
    both = Intervals.between([*C_EDGES[:-1], 1.0], process.observables["cos_theta"])
    np.testing.assert_allclose(exact.sum(axis=0), 2 * process.integrals(both), rtol=1e-5)


def test_probabilities_of_cells_are_those_of_a_sample(process, grid):
    exact, n = grid.integrals(process), 40_000
    counts = grid.count(process.sample(n, np.random.default_rng(2))).inside
    assert (np.abs(counts / n - exact) < 5 * np.sqrt(exact * (1 - exact) / n)).all()


@pytest.mark.parametrize(("copies", "expected"), [(False, 0.95 ** (1 / 10)), (True, 0.95)])
def test_the_level_is_right_for_independent_and_for_equal_cells(copies, expected):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(2_000, 1 if copies else 10))  # many members, whose correlations are then known
    level = familywise_level(np.tile(table, 10) if copies else table, rng, experiments=400)
    assert level == pytest.approx(expected, abs=0.03 if copies else 0.003)
    assert level <= bonferroni(10)


def test_intervals_of_all_cells_hold_together_and_single_ones_do_not():
    rng, scatter, experiments, members = np.random.default_rng(4), 0.01, 150, 10
    held = {"alone": 0, "bonferroni": 0, "minimal": 0}
    for _ in range(experiments):
        counts, G = planted(rng, scatter, members, correlation=0.3)
        minimal = familywise_level(counts / N_GEN, rng, experiments=200)
        for name, level in zip(held, (0.95, bonferroni(EXACT.size), minimal), strict=True):
            one = estimated(counts, N_GEN, N_TRAIN, level)
            held[name] += ((one.low <= G) & (one.high >= G)).all()
    error = np.sqrt(0.95 * 0.05 / experiments)
    assert held["bonferroni"] / experiments > 0.95 - 3 * error
    assert held["minimal"] / experiments > 0.95 - 4 * error  # its level is an estimate
    assert held["alone"] / experiments < 0.95 - 4 * error


def test_the_true_map_is_right_on_average_and_holds_the_planted_truth():
    rng, experiments, sets = np.random.default_rng(5), 150, 12
    held, inverse = 0, np.zeros(EXACT.size)
    for _ in range(experiments):
        counts, G = planted(rng, 0.01, sets, correlation=0.3)
        one = true(counts, N_GEN, N_TRAIN, EXACT, bonferroni(EXACT.size))
        held += ((one.low <= G) & (one.high >= G)).all()
        inverse += G / one.G / experiments
    assert held / experiments > 0.95 - 3 * np.sqrt(0.95 * 0.05 / experiments)
    np.testing.assert_allclose(inverse, 1, atol=5 * np.sqrt(2 / sets / experiments))


def test_a_common_error_of_all_generators_is_no_scatter_and_is_seen_by_the_truth_only():
    rng = np.random.default_rng(6)
    shifted = EXACT + 0.03 * np.array([1, -1, 1, -1, 1, -1])
    counts = rng.multinomial(N_GEN, [*(shifted), 1 - shifted.sum()], size=30)[:, :-1]
    one = true(counts, N_GEN, N_TRAIN, EXACT, bonferroni(EXACT.size))
    assert (one.side == -1).all()
    assert not (estimated(counts, N_GEN, N_TRAIN, bonferroni(EXACT.size)).side == -1).any()


def test_a_table_of_one_member_is_refused():
    with pytest.raises(ValueError, match="integrals must have shape"):
        familywise_level(np.ones((1, 3)), np.random.default_rng(0))
