"""Distances of weighted and unweighted events to a reference, and the estimates that are made of them."""

import numpy as np
import pytest
from scipy import stats

from gampl import differential
from gampl.distances import Distances
from gampl.kolmogorov import KolmogorovSmirnov
from gampl.kolmogorov_weighted import WeightedKolmogorovSmirnov


def weighted_oracle(reference, values, weights):
    """The largest difference of the two step functions, evaluated at and just below every point."""
    points = np.concatenate([reference, values])
    differences = []
    for compare in (np.less_equal, np.less):
        own = compare(reference[None], points[:, None]).mean(axis=1)
        share = (compare(values[None], points[:, None]) * weights).sum(axis=1) / weights.sum()
        differences.append(np.abs(own - share).max())
    return max(differences)


def test_distance_of_weighted_events():
    rng = np.random.default_rng(1)
    for _ in range(20):
        reference, values = rng.normal(size=40), rng.normal(0.2, 1, size=300).round(1)  # with ties
        weights = rng.exponential(size=300)
        test = WeightedKolmogorovSmirnov(reference.round(1))
        for part in np.array_split(np.arange(300), 4):
            test.update(values[part], weights[part])
        assert test.distance == pytest.approx(weighted_oracle(reference.round(1), values, weights))


def test_equal_weights_change_nothing():
    rng = np.random.default_rng(2)
    reference, values = rng.normal(size=100), rng.normal(size=5000)
    plain, weighted = KolmogorovSmirnov(reference), WeightedKolmogorovSmirnov(reference)
    plain.update(values)
    weighted.update(values, np.full(5000, 2.5))
    assert weighted.distance == pytest.approx(plain.distance)
    assert weighted.n_effective == pytest.approx(5000, rel=0.01)
    assert plain.n_effective == 5000


def test_lost_events_lie_above_all():
    reference = np.arange(10.0)
    test = WeightedKolmogorovSmirnov(reference)
    test.update(np.array([0.5, np.nan, np.inf, -np.inf]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert test.n_lost == 3
    assert test.distance == pytest.approx(0.9)  # at the last point all of the reference and a tenth of the weights


def test_reweighted_events_are_judged_like_true_ones():
    # events of a wider Gaussian with the weights that make them those of the reference: the distance must exceed the
    # 68.3 % quantile of its law in no more than 31.7 % of the cases (and not in far fewer: the law is not loose).
    # 600 experiments: standard deviation 1.9 %; four of them: false alarm 3e-5
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(600):
        test = WeightedKolmogorovSmirnov(rng.normal(size=200))
        values = 1.5 * rng.normal(size=400)
        test.update(values, stats.norm.pdf(values) / stats.norm.pdf(values, scale=1.5))
        K = test.distance / np.sqrt(1 / 200 + 1 / test.n_effective)
        inside += stats.kstwobign.ppf(0.683) > K
    assert 0.683 - 4 * 0.019 < inside / 600 < 0.683 + 4 * 0.019 + 0.08  # n_effective is a bound: conservative


def test_prefixes():
    rng = np.random.default_rng(4)
    reference, values = rng.normal(size=50), rng.normal(size=1234)
    tally = Distances(reference, [100, 1000])
    for batch in np.array_split(values, 7):
        tally.update(batch)
    for reached, n in zip((*tally.prefixes, tally.now), (100, 1000, 1234), strict=True):
        assert reached.n_gen == n
        assert reached.distance == pytest.approx(stats.ks_2samp(reference, values[:n]).statistic)


def test_samples_and_streams_agree():
    rng = np.random.default_rng(5)
    reference, generated = rng.normal(size=300), rng.normal(0.1, 1, size=(3, 20_000))
    a = differential.from_stream([[g] for g in generated], reference, 20_000, 1000)
    b = differential.from_samples(generated, reference, 1000)
    weighted = differential.from_samples(list(generated), reference, 1000, weights=np.ones_like)
    assert (b.n_equiv, *b.interval) == pytest.approx((a.n_equiv, *a.interval))
    assert pytest.approx(a.G, rel=0.02) == weighted.G
    assert any("weighted events" in note for note in weighted.notes)
    assert b.curve.n_gen.tolist() == [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000]


def test_members_of_different_sizes():
    rng = np.random.default_rng(6)
    samples = [rng.normal(0.1, 1, size=n) for n in (500, 30_000)]
    result = differential.from_samples(samples, rng.normal(size=300), 1000)
    assert result.curve.n_gen[-1] == pytest.approx(stats.hmean([500, 30_000]))


def test_bad_weights():
    test = WeightedKolmogorovSmirnov(np.arange(5.0))
    with pytest.raises(ValueError, match="one weight per event"):
        test.update(np.zeros(3), np.ones(2))
    with pytest.raises(ValueError, match="not finite"):
        test.update(np.zeros(3), np.array([1, np.inf, 1]))
    test.update(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="add up to 0"):
        _ = test.distance
    tally = Distances(np.arange(5.0))
    tally.update(np.zeros(3))
    with pytest.raises(ValueError, match="all batches"):
        tally.update(np.zeros(3), np.ones(3))


def test_no_members():
    with pytest.raises(ValueError, match="members is empty"):
        differential.from_samples([], np.arange(5.0), 1000)


def test_a_heavy_event_is_not_outvoted_by_earlier_prefixes():
    # a perfect generator with one event that outweighs 13 others of 100: few effective events, a wide interval
    rng = np.random.default_rng(7)
    weights = np.ones(60_000)
    weights[55_000] = 5000
    result = differential.from_samples([rng.normal(size=60_000)], rng.normal(size=1000), 1000, weights=[weights])
    assert result.curve.n_gen[-1] < 200
    assert result.interval.high > 1
    assert any("long tail" in note for note in result.notes)


@pytest.mark.parametrize(("values", "is_told"), [(2, True), (5, True), (200, False)])
def test_summaries_with_few_values_are_told(values, is_told):
    rng = np.random.default_rng(8)
    reference, generated = (
        rng.integers(values, size=2000).astype(float),
        rng.integers(values, size=50_000).astype(float),
    )
    for result in (
        differential.from_samples([generated], reference, 1000),
        differential.from_stream([[generated]], reference, 50_000, 1000),
    ):
        assert any("few different values" in note for note in result.notes) is is_told


def test_closed_distances_stay():
    rng = np.random.default_rng(9)
    for weights in (None, np.ones(3000)):
        tally = Distances(rng.normal(size=100))
        tally.update(rng.normal(size=3000), weights)
        before = tally.now
        tally.close()
        assert tally.now == before
        assert tally.n_gen == 3000
        with pytest.raises(ValueError, match="closed"):
            tally.update(np.zeros(3), weights)
