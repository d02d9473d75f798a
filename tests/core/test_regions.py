"""Regions: which events are in, what share that is, weighted or not, and the estimates made of shares."""

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from gampl import averaging
from gampl.averaging import Tally
from gampl.regions import Intervals, Placed, Selections, radius
from gampl.result import NoteCode
from gampl.spread import RegionError, Spread

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
        (lambda: Intervals.quantiles([1.0, np.nan], 4), "1 of 2 values is not finite"),
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


REGIONS = Intervals.between([-1.0, 0.0, 1.0])
N_TRAIN = 100


def placed(events):
    return REGIONS.place(np.asarray(events, dtype=float))


def sample(rng, n, shift=0.0):
    return rng.normal(shift, 1.0, size=n)


def test_batches_make_no_difference():
    events = sample(np.random.default_rng(1), 2500)
    whole, parts = Tally(2, [100, 1700]), Tally(2, [100, 1700])
    whole.update(placed(events))
    for batch in np.array_split(events, 13):
        parts.update(placed(batch))
    assert [p.n_gen for p in parts.prefixes] == [100, 1700]
    for a, b in zip((*whole.prefixes, whole.shares), (*parts.prefixes, parts.shares), strict=True):
        np.testing.assert_array_equal(a.integrals, b.integrals)
    first = whole.prefixes[0].integrals
    np.testing.assert_allclose(first, REGIONS.count(events[:100]).inside / 100)


def test_equal_weights_change_nothing():
    events = sample(np.random.default_rng(2), 1000)
    plain, weighted = Tally(2), Tally(2)
    plain.update(placed(events))
    weighted.update(placed(events), np.full(1000, 0.37))
    np.testing.assert_allclose(weighted.shares.integrals, plain.shares.integrals)
    np.testing.assert_allclose(weighted.shares.variances, plain.shares.variances)
    p = plain.shares.integrals
    np.testing.assert_allclose(plain.shares.variances, p * (1 - p) / 999)
    assert weighted.n_effective == pytest.approx(1000)
    np.testing.assert_allclose(weighted.inside, plain.inside)


def test_variance_of_a_weighted_integral_is_that_of_many_samples():
    # importance sampling of a Gaussian from a wider one; 4000 samples, so that the variance is known to 2.2 %: the
    # tolerance is 4 of these (false alarm 6e-5 for each of two regions)
    rng = np.random.default_rng(3)
    integrals, variances = [], []
    for _ in range(4000):
        events = 1.5 * rng.normal(size=300)
        tally = Tally(2)
        tally.update(placed(events), stats.norm.pdf(events) / stats.norm.pdf(events, scale=1.5))
        integrals.append(tally.shares.integrals)
        variances.append(tally.shares.variances)
    np.testing.assert_allclose(np.mean(variances, axis=0) / np.var(integrals, axis=0), 1, atol=0.09)
    binomial = np.mean(integrals, axis=0) * (1 - np.mean(integrals, axis=0)) / 300
    assert (np.var(integrals, axis=0) > 1.1 * binomial).all()  # counting the events alone would be too optimistic


def members(rng, n_members, n, weighted):
    """Members whose means scatter as those of fits to N_TRAIN events, with or without weights, and their tallies."""
    made = []
    for shift in rng.normal(0, 1 / np.sqrt(N_TRAIN), n_members):
        tally = Tally(1)
        events = (1.5 if weighted else 1.0) * rng.normal(size=n)
        weights = stats.norm.pdf(events, shift) / stats.norm.pdf(events, scale=1.5) if weighted else None
        tally.update(Intervals.between([0.0, 0.5]).place(events if weighted else events + shift), weights)
        made.append(tally)
    return made


@pytest.mark.parametrize("weighted", [False, True])
def test_interval_covers_the_true_model_uncertainty(weighted):
    # the integral over [0, 0.5] changes by (pdf(0) - pdf(0.5)) for a shift: sigma_model is that times the shifts'
    # scatter. 400 experiments: a coverage of 68.3 % has a standard deviation of 2.3 %; 4 of them: false alarm 6e-5
    rng = np.random.default_rng(4)
    p = stats.norm.cdf(0.5) - 0.5
    slope = stats.norm.pdf(0) - stats.norm.pdf(0.5)
    sigma2 = slope**2 / N_TRAIN
    truth = p * (1 - p) / sigma2 / N_TRAIN
    results = [averaging.from_tallies(members(rng, 6, 20_000, weighted), N_TRAIN) for _ in range(400)]
    covered = np.mean([r.interval.low <= truth <= r.interval.high for r in results])
    assert abs(covered - 0.683) < 4 * 0.0233


def test_unequal_sizes_use_the_harmonic_mean():
    rng = np.random.default_rng(5)
    tallies = []
    for n in (3000, 60_000, 900):
        tally = Tally(2)
        tally.update(placed(sample(rng, n)))
        tallies.append(tally)
    result = averaging.from_tallies(tallies, N_TRAIN)
    assert result.curve.n_gen[-1] == pytest.approx(stats.hmean([3000, 60_000, 900]))
    assert result.curve.n_gen[:-1].max() <= 500


def test_equal_sizes_agree_with_counts():
    rng = np.random.default_rng(6)
    samples = [sample(rng, 20_000, 0.05 * k) for k in range(5)]
    counts = [REGIONS.count(s).inside for s in samples]
    a, b = averaging.from_counts(counts, 20_000, N_TRAIN), averaging.from_samples(samples, REGIONS, N_TRAIN)
    assert (b.n_equiv, *b.n_equiv_interval) == pytest.approx((a.n_equiv, *a.n_equiv_interval))
    weighted = averaging.from_samples(samples, REGIONS, N_TRAIN, weights=np.ones_like)
    assert pytest.approx(a.G, rel=1e-3) == weighted.G
    assert "fluctuate as 20000 of equal weight" in str(weighted)


def test_a_long_tail_of_weights_is_told():
    rng = np.random.default_rng(7)
    samples = [sample(rng, 5000, 0.1 * k) for k in range(4)]
    weights = [rng.pareto(1.05, size=5000) for _ in samples]
    result = averaging.from_samples(samples, REGIONS, N_TRAIN, weights=weights)
    assert NoteCode.LONG_TAIL in {note.code for note in result.notes}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(4), r"one number per event, \(5,\), got \(4,\)"),
        (np.array([1, 1, np.nan, 1, 1]), "1 of 5 are not finite"),
    ],
)
def test_unusable_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        Tally(2).update(placed(np.zeros(5)), weights)


def test_weights_for_some_batches_only():
    for first, second in ((None, np.ones(5)), (np.ones(5), None), (np.ones(0), None)):
        tally = Tally(2)
        tally.update(placed(np.zeros(5 if first is None else first.size)), first)
        with pytest.raises(ValueError, match="all batches"):
            tally.update(placed(np.zeros(5)), second)


@pytest.mark.parametrize("weights", [np.zeros(5), np.array([1, 1, 1, 1, -5.0])])
def test_weights_that_add_up_to_nothing(weights):
    tally = Tally(2)
    tally.update(placed(np.zeros(5)), weights)
    with pytest.raises(ValueError, match="add up to"):
        _ = tally.shares


def test_no_events():
    with pytest.raises(ValueError, match="at least one event"):
        _ = Tally(2).shares


def test_too_many_lost_events():
    events = np.concatenate([np.random.default_rng(8).normal(size=1000), np.full(2, np.nan)])
    with pytest.raises(ValueError, match="member 0: 2 of 1002 events have a non-finite observable"):
        averaging.from_samples([events, events], REGIONS, N_TRAIN)
    tolerant = averaging.from_samples([events, events[::-1] + 0.1], REGIONS, N_TRAIN, max_lost=0.01)
    assert "4 events with a non-finite observable" in str(tolerant)


def test_places_agree_with_masks():
    events = np.random.default_rng(9).normal(size=(500, 2))
    events[::50] = np.nan
    selections = Selections([lambda e: e[:, 0] < -1, lambda e: e[:, 0] > 1.5])
    where = selections.place(events)
    np.testing.assert_array_equal(where.region == 0, events[:, 0] < -1)
    np.testing.assert_array_equal(where.region == 1, events[:, 0] > 1.5)
    assert where.lost.sum() == 10
    gaps = Intervals([0.5, -1.0], [np.inf, 0.0], lambda e: e[:, 0])
    where = gaps.place(events)
    np.testing.assert_array_equal(where.region == 0, events[:, 0] >= 0.5)
    np.testing.assert_array_equal(where.region == 1, (events[:, 0] >= -1) & (events[:, 0] < 0))
    assert isinstance(where, Placed)


def test_noise_of_weighted_spread_is_what_is_subtracted():
    rng = np.random.default_rng(10)
    integrals, variances = rng.uniform(0.2, 0.3, (5, 2)), rng.uniform(1e-5, 2e-5, (5, 2))
    spread = Spread.of_weighted(integrals, variances)
    assert spread.model == pytest.approx(spread.total - variances.mean(axis=0).sum())
    with pytest.raises(ValueError, match="statistical variance"):
        Spread.of_weighted(integrals, np.zeros((5, 2)))


def test_members_of_very_different_sizes_are_covered():
    # one member of 1000 events, nine of 100 000: its noise dominates the spread, which has few degrees of freedom.
    # 300 experiments: standard deviation of a coverage of 68.3 % is 2.7 %; it may be larger, as limits are one-sided
    rng = np.random.default_rng(11)
    p = stats.norm.cdf(0.5) - 0.5
    slope = stats.norm.pdf(0) - stats.norm.pdf(0.5)
    n_equiv = p * (1 - p) / (slope**2 / N_TRAIN)
    covered = 0
    for _ in range(300):
        tallies = []
        for n in (1000, *[100_000] * 9):
            shift = rng.normal(0, 1 / np.sqrt(N_TRAIN))
            inside = rng.binomial(n, stats.norm.cdf(0.5 + shift) - stats.norm.cdf(shift))
            tally = Tally(1)
            tally.update(Placed(np.repeat([0, -1], [inside, n - inside]), np.zeros(n, dtype=bool)))
            tally.prefixes.clear()  # these events are sorted
            tallies.append(tally)
        low, high = averaging.from_tallies(tallies, N_TRAIN).n_equiv_interval
        covered += low <= n_equiv <= high
    assert covered / 300 > 0.683 - 4 * 0.027


def test_a_member_is_called_by_its_name():
    events = np.random.default_rng(14).normal(size=1000)
    tallies = [Tally(2), Tally(2, name="beta.csv")]
    for tally, sample_of_it in zip(tallies, (events, np.append(events, [np.nan, np.nan])), strict=True):
        tally.update(placed(sample_of_it))
    with pytest.raises(ValueError, match=r"^beta\.csv: 2 of 1002 events have a non-finite observable"):
        averaging.from_tallies(tallies, N_TRAIN)


def test_a_useless_region_is_known_by_its_number():
    with pytest.raises(RegionError, match=r"region 1 is empty for all members") as refused:
        averaging.from_counts([[3, 0], [4, 0]], 10, N_TRAIN)
    assert refused.value.region == 1
    assert refused.value.problem.startswith("empty for all members")


def test_a_single_event():
    with pytest.raises(ValueError, match="member 1: has 1 event, expected at least 2"):
        averaging.from_samples([np.array([0.5, 0.2]), np.array([0.5])], REGIONS, N_TRAIN)


def test_the_weight_of_lost_events_counts():
    rng = np.random.default_rng(12)
    events, weights = rng.normal(size=10_000), np.ones(10_000)
    events[:5], weights[:5] = np.nan, 1000.0
    with pytest.raises(ValueError, match=r"5 of 10000 events, but 0\.333 of the weight, have a non-finite observable"):
        averaging.from_samples([events, events[::-1]], REGIONS, N_TRAIN, weights=[weights, weights[::-1]])


def test_prefixes_without_weight_are_left_out():
    rng = np.random.default_rng(13)
    samples = [rng.normal(0.1 * k, 1, size=5000) for k in range(3)]
    weights = np.concatenate([np.zeros(150), np.ones(4850)])
    result = averaging.from_samples(samples, REGIONS, N_TRAIN, weights=[weights] * 3)
    assert len(result.curve.n_gen) == 5
