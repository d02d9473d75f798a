"""Regions: which events are in, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gampl.regions import Intervals, Selections
from gampl.summaries import radius

edges_strategy = st.lists(st.floats(-10, 10), min_size=2, max_size=8, unique=True).map(sorted)
values_strategy = st.lists(st.floats(-12, 12) | st.sampled_from([np.nan, np.inf, -np.inf]), max_size=50)


@given(edges_strategy, values_strategy, st.randoms(use_true_random=False))
def test_interval_counts_equal_a_loop_over_events(edges, values, random):
    pairs = [(a, b) for a, b in itertools.pairwise(edges) if random.random() < 0.7] or [(edges[0], edges[1])]
    random.shuffle(pairs)
    low, high = map(np.array, zip(*pairs, strict=True))
    counts, lost = Intervals(low, high).count(np.array(values).reshape(-1, 1))
    finite = [v for v in values if np.isfinite(v)]
    assert counts.tolist() == [sum(a <= v < b for v in finite) for a, b in pairs]
    assert lost == len(values) - len(finite)


@given(edges_strategy, values_strategy)
def test_selections_agree_with_intervals(edges, values):
    x = np.array(values).reshape(-1, 1)
    functions = [lambda e, a=a, b=b: (e[:, 0] >= a) & (e[:, 0] < b) for a, b in itertools.pairwise(edges)]
    by_mask, by_value = Selections(functions).count(x), Intervals.between(edges).count(x)
    assert by_mask.inside.tolist() == by_value.inside.tolist()
    assert by_mask.n_lost == by_value.n_lost


def test_quantiles_split_a_sample_evenly():
    events = np.random.default_rng(1).normal(size=(10_000, 3))
    regions = Intervals.quantiles(events, 20, radius)
    assert set(regions.count(events).inside) == {500}


def test_edges_and_subsets():
    regions = Intervals.between([0, 1, 2, 4])
    assert regions.edges.tolist() == [0, 1, 2, 4]
    assert regions[1:].edges.tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="not adjacent"):
        _ = regions[[0, 2]].edges


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Intervals([0, 0.5], [1, 2]), r"regions 0 \[0.0, 1.0\) and 1 \[0.5, 2.0\) overlap"),
        (lambda: Intervals([0], [0]), "region 0: .* is empty"),
        (lambda: Intervals([np.nan], [1]), "region 0: .* is empty"),
        (lambda: Intervals([0, 1], [1]), "equal length"),
        (lambda: Intervals.between([1]), "at least 2 numbers"),
        (lambda: Intervals.quantiles([1.0, 1.0, 1.0], 4), "too few different values"),
        (lambda: Intervals.quantiles([1.0, np.nan], 4), "1 of 2 values are not finite"),
        (lambda: Intervals.between([0, 1]).count(np.zeros((5, 2))), "2 coordinates"),
        (lambda: Intervals.between([0, 1], lambda x: x).count(np.zeros((5, 2))), "one number per event"),
        (lambda: Selections([]), "at least one region"),
        (lambda: Selections([lambda x: x[:, 0]]).count(np.zeros((5, 2))), "one bool per event"),
        (
            lambda: Selections([lambda x: x[:, 0] < 1, lambda x: x[:, 0] > -1]).count(np.zeros((5, 2))),
            "0 and 1 overlap",
        ),
    ],
)
def test_bad_regions_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
