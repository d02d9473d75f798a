"""The averaging estimator: closed forms, coverage, agreement of its three entrances, and what it refuses."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from gampl import averaging
from gampl.processes import GaussianLine, GaussianRing
from gampl.regions import Intervals
from gampl.result import NoteCode, State
from gampl.spread import effective_degrees_of_freedom

N_TRAIN = 1000
REGION = Intervals.between([0.0, 0.5])
I = GaussianLine().integrals(REGION)[0]  # noqa: E741 - the paper's symbol
G_CLOSED = I * (1 - I) / (stats.norm.pdf(0) - stats.norm.pdf(0.5)) ** 2


def codes(result):
    return {note.code for note in result.notes}


def fit_integrals(members: int, rng: np.random.Generator) -> np.ndarray:
    mu = rng.normal(0, N_TRAIN**-0.5, members)
    return stats.norm.cdf(0.5 - mu) - stats.norm.cdf(-mu)


def test_closed_form_is_the_papers_70():
    assert pytest.approx(70.447, abs=1e-3) == G_CLOSED


def test_definition_eq_18():
    """Written out with plain sums, independent of the implementation."""
    counts, n_gen = np.array([[30, 5], [34, 9], [38, 4]]), 100
    shares = counts / n_gen
    total = sum(sum((shares[i, v] - shares[:, v].mean()) ** 2 for i in range(3)) / 2 for v in range(2))
    binomial = sum(shares[:, v].mean() * (1 - shares[:, v].mean()) for v in range(2))
    expected = binomial / ((total - binomial / n_gen) / (1 - 1 / n_gen))
    result = averaging.from_counts(counts, n_gen, n_train=10)
    assert result.n_equiv == (pytest.approx(expected) if expected > 0 else np.inf)
    many = averaging.from_counts(counts * 1000, n_gen * 1000, n_train=10)
    shares_total = binomial / ((total - binomial / 1e5) / (1 - 1e-5))
    assert many.n_equiv == pytest.approx(shares_total)
    assert pytest.approx(shares_total / 10) == many.G


def intervals(integrals, n_gen, levels):
    """The intervals of G that results have at these levels, without the rest of them, which takes longer."""
    table = integrals[:, None] if integrals.ndim == 1 else integrals
    spread = averaging.Spread.of(table, n_gen).of_heavy_tails()
    return [tuple(end / N_TRAIN for end in spread.n_equiv_interval(level)) for level in levels]


@pytest.mark.parametrize("members", [10, 50])
@pytest.mark.parametrize("n_gen", [None, 200_000])
def test_coverage_of_one_region(members, n_gen):
    """2000 pseudo-experiments of the 1D fit. Each bound is 4.5 binomial deviations: false-alarm rate 7e-6."""
    rng = np.random.default_rng([members, n_gen or 0])
    hits = dict.fromkeys((0.683, 0.95), 0)
    for k in range(2000):
        integrals = fit_integrals(members, rng)
        counts = None if n_gen is None else rng.binomial(n_gen, integrals)
        found = intervals(integrals if counts is None else counts / n_gen, n_gen or np.inf, hits)
        if k < 10:
            for level, interval in zip(hits, found, strict=True):
                if counts is None:
                    result = averaging.from_integrals(integrals, N_TRAIN, level=level)
                else:
                    result = averaging.from_counts(counts, n_gen, N_TRAIN, level=level)
                assert interval == pytest.approx(tuple(result.interval))
        for level, (low, high) in zip(hits, found, strict=True):
            hits[level] += low <= G_CLOSED <= high
    for level, n in hits.items():
        # 0.01 allows for the non-Gaussian integrals and the linearised truth
        assert abs(n / 2000 - level) < 4.5 * np.sqrt(level * (1 - level) / 2000) + 0.01, (level, n / 2000)


@pytest.mark.parametrize("members", [10, 50])
def test_coverage_of_18_correlated_regions(members):
    """Members are fits of mean and width of the radius: 18 integrals with two degrees of freedom between them."""
    rng = np.random.default_rng(members)
    edges = GaussianRing(2).shells(20).edges[1:-1]

    def integrals(n: int) -> np.ndarray:
        mean = 1 + 0.1 * rng.normal(size=(n, 1)) / np.sqrt(N_TRAIN)
        width = 0.1 * np.sqrt(rng.chisquare(N_TRAIN - 1, (n, 1)) / N_TRAIN)
        return np.diff(stats.norm.cdf((edges - mean) / width), axis=1)

    population = integrals(200_000)
    share = population.mean(0)
    G = (share * (1 - share)).sum() / population.var(0).sum() / N_TRAIN
    hits = dict.fromkeys((0.683, 0.95), 0)
    repetitions = 1000
    for _ in range(repetitions):
        sample = integrals(members)
        for level, (low, high) in zip(hits, intervals(sample, np.inf, hits), strict=True):
            hits[level] += low <= G <= high
    for level, n in hits.items():
        # 4.5 binomial deviations (7e-6) and 0.02 for Satterthwaite's approximation with 10 members
        assert abs(n / repetitions - level) < 4.5 * np.sqrt(level * (1 - level) / repetitions) + 0.02, (level, n)


def test_effective_degrees_of_freedom_of_correlated_regions():
    """The strong correlation matters: 18 regions behave like fewer than three."""
    rng = np.random.default_rng(7)
    slopes = rng.normal(size=(2, 18))
    covariance = np.cov(rng.normal(size=(400, 2)) @ slopes, rowvar=False)
    C = slopes.T @ slopes
    assert effective_degrees_of_freedom(covariance, 399) / 399 == pytest.approx(
        np.trace(C) ** 2 / (C**2).sum(), rel=0.1
    )


def test_effective_degrees_of_freedom_limits():
    rng = np.random.default_rng(8)
    independent = np.cov(rng.normal(size=(2001, 5)), rowvar=False)
    assert effective_degrees_of_freedom(independent, 2000) == pytest.approx(5 * 2000, rel=0.02)
    assert effective_degrees_of_freedom(np.ones((5, 5)), 9) == pytest.approx(9)
    assert effective_degrees_of_freedom(np.array([[2.0]]), 9) == 9


def test_intervals_of_strongly_correlated_regions_cover():
    """Members with few effective regions, as networks have them. 4.5 binomial deviations: false-alarm rate 7e-6."""
    rng = np.random.default_rng(18)
    for members in (4, 10):
        widths, hits, repetitions = 1e-3 * np.sqrt([1, 0.15, 0.05, 0.02]), 0, 1500
        G = 4 * 0.05 * 0.95 / (widths**2).sum() / N_TRAIN
        for _ in range(repetitions):
            integrals = 0.05 + widths * rng.normal(size=(members, 4))
            ((low, high),) = intervals(integrals, np.inf, [0.95])
            hits += low <= G <= high
        assert hits / repetitions > 0.95 - 4.5 * np.sqrt(0.95 * 0.05 / repetitions), members


def test_members_far_from_normal_are_noted_and_normal_ones_are_not():
    """Members that react to the square of a normal number; of normal ones 5.3 %, and 4.5 deviations (3e-6)."""
    rng = np.random.default_rng(17)
    squared = averaging.from_integrals(0.3 + 0.001 * rng.normal(size=50) ** 2, N_TRAIN)
    assert NoteCode.HEAVY_TAILS in codes(squared)
    normal = [averaging.from_integrals(fit_integrals(50, rng), N_TRAIN) for _ in range(500)]
    assert sum(NoteCode.HEAVY_TAILS in codes(result) for result in normal) < 500 * 0.053 + 4.5 * np.sqrt(500 * 0.05)


def test_limit_covers_when_there_is_no_model_uncertainty():
    """Copies of the truth: G is infinite. Every interval must reach infinity as often as its level says, or more."""
    rng = np.random.default_rng(9)
    results = [averaging.from_counts(rng.binomial(10_000, I, 20), 10_000, N_TRAIN) for _ in range(1000)]
    unbounded = np.mean([np.isinf(r.interval.high) for r in results])
    assert unbounded > 0.683 - 4.5 * np.sqrt(0.683 * 0.317 / 1000)  # false-alarm rate 4e-6
    assert {State.VALUE, State.UNBOUNDED, State.LOWER_LIMIT} == {r.state for r in results}
    limits = [r for r in results if r.state is State.LOWER_LIMIT]
    assert all(np.isfinite(r.interval.low) and r.interval.low > 0 and np.isinf(r.G) for r in limits)


@pytest.mark.parametrize("level", [0.683, 0.95])
@pytest.mark.parametrize(("members", "n_gen"), [(4, 10_000), (10, 10_000), (50, 1_000), (50, 10_000)])
def test_no_limit_exceeds_the_power_of_the_data(members, n_gen, level):
    """Limits are those of a perfect generator's typical scatter at most, which hold in the state of a lower limit.

    That state is found in 0.6 to 15 % of experiments here.
    """
    rng = np.random.default_rng([10, members, n_gen])
    nu, n_equiv, low_states, covered = members - 1, G_CLOSED * N_TRAIN, 0, 0
    power = n_gen / (nu / stats.chi2.ppf((1 - level) / 2, nu) - 1)
    for _ in range(1000):
        spread = averaging.Spread.of(rng.binomial(n_gen, fit_integrals(members, rng))[:, None] / n_gen, n_gen)
        low, high = spread.n_equiv_interval(level)
        assert low <= power * (1 + 1e-9)
        covered += low <= n_equiv <= high
        if spread.model_interval(level).high <= 0:
            low_states += 1
            assert low < n_equiv
    assert low_states > 0
    assert covered / 1000 > level  # by (1 - level) / 2


def test_a_limit_at_the_sensitivity_says_so():
    rng = np.random.default_rng(3)
    results = [averaging.from_counts(rng.binomial(10_000, I, 20), 10_000, N_TRAIN) for _ in range(20)]
    limits = [NoteCode.AT_SENSITIVITY in codes(result) for result in results]
    assert limits == [np.isinf(result.n_equiv) for result in results]
    assert 0 < sum(limits) < 20


def test_one_event_less_does_not_change_a_limit_by_much():
    """One member's count, in steps of one, once raised the limit to 27500 between 858 and 26.9; G is 70."""
    counts = np.array([1904, 1870, 1902, 1935, 1869, 1921, 1951, 1890, 1943, 1928])
    lows = []
    for number in range(1925, 1965):
        counts[3] = number
        lows.append(averaging.from_counts(counts, 10_000, N_TRAIN).interval.low)
    assert max(lows) < 12.1
    assert np.abs(np.diff(np.log(lows))).max() < 0.05


def test_negative_points_are_kept_as_limits():
    rng = np.random.default_rng(11)
    n_gen = np.array([1000, 2000, 4000])
    counts = np.cumsum([rng.binomial(n, I, 10) for n in np.diff(n_gen, prepend=0)], axis=0)
    # make the middle step under-dispersed: all members equal but one
    counts[1] = counts[1].mean().round()
    counts[1, 0] += 1
    counts[2] = np.maximum(counts[2], counts[1])
    curve = averaging.from_counts(counts, n_gen, N_TRAIN).curve
    assert np.isnan(curve.sigma_model[1])
    assert np.isfinite(curve.sigma_model_high[1])
    assert curve.sigma_model_high[1] > 0
    assert curve.n_gen.size == 3


def batches(events: np.ndarray, cuts: list[int]) -> list[np.ndarray]:
    return np.split(events, sorted(min(c, len(events)) for c in cuts))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 600), max_size=6), st.integers(0, 2**31))
def test_stream_equals_counts_however_it_is_cut(cuts, seed):
    rng = np.random.default_rng(seed)
    regions = Intervals.between([-1, 0, 1])
    members = rng.normal(rng.normal(0, 0.3, (4, 1, 1)), 1, (4, 600, 1))
    n_gen = np.array([150, 299, 600])
    counts = [[regions.count(m[:n]).inside for m in members] for n in n_gen]
    by_counts = averaging.from_counts(counts, n_gen, N_TRAIN)
    table, n_lost = averaging.count_stream((batches(m, cuts) for m in members), regions, n_gen)
    assert n_lost == 0
    np.testing.assert_array_equal(table, counts)
    by_stream = averaging.from_samples((batches(m, cuts) for m in members), regions, N_TRAIN, n_gen=n_gen)
    assert by_stream.n_equiv == by_counts.n_equiv
    np.testing.assert_array_equal(by_stream.curve.sigma_est, by_counts.curve.sigma_est)


def test_stream_stops_reading_when_it_has_enough():
    def endless():
        while True:
            yield rng.normal(size=(100, 1))

    rng = np.random.default_rng(12)
    result = averaging.from_samples([endless() for _ in range(12)], REGION, N_TRAIN, n_gen=1000)
    assert result.n_members == 12


@pytest.mark.parametrize("seed", range(20))
def test_ten_equal_counts_are_copies_whatever_they_round_to(seed):
    rng = np.random.default_rng(seed)
    n_gen = int(rng.integers(100, 10**6))
    for counts in (np.full(10, rng.integers(1, n_gen)), np.full((10, 3), rng.integers(1, n_gen // 3, 3))):
        with pytest.raises(ValueError, match="copies of one generator"):
            averaging.from_counts(counts, n_gen, N_TRAIN)
    with pytest.raises(ValueError, match="copies of one generator"):
        averaging.from_integrals(rng.random() * (1 + 1e-7 * rng.random(10)), N_TRAIN)


DISGUISES = {
    "equal": lambda x, _: x,
    "single precision": lambda x, k: x.astype(np.float32) if k % 2 else x,
    "rounded": lambda x, k: x.round(k + 2),
    "shuffled": lambda x, k: np.random.default_rng(k).permutation(x),
    "smeared": lambda x, k: x + np.random.default_rng(k).normal(scale=1e-3, size=x.shape),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_ten_copies_of_a_sample_are_refused_in_any_disguise(disguise):
    x = np.random.default_rng(20).normal(size=4000)
    with pytest.raises(ValueError, match="copies of one generator"):
        averaging.from_samples([DISGUISES[disguise](x, k) for k in range(10)], REGION, N_TRAIN)


@pytest.mark.parametrize(("members", "n_gen", "share"), [(5, 4000, 0.19), (10, 100, 0.02), (50, 10**6, 0.5)])
def test_independent_members_without_any_spread_are_not_taken_for_copies(members, n_gen, share):
    """2000 times; five counts of 760 +- 25 are equal once in 2e7."""
    shares = np.random.default_rng(21).binomial(n_gen, share, (2000, members, 1)) / n_gen
    assert not any(averaging.Spread.of(row, n_gen).is_of_copies for row in shares)


def test_lost_events_are_counted_reported_and_limited():
    rng = np.random.default_rng(13)
    events = rng.normal(size=(5, 1000, 1))
    events[2, 10] = np.nan
    result = averaging.from_samples([[e] for e in events], REGION, N_TRAIN, n_gen=1000)
    assert "1 event with a non-finite observable" in str(result)
    events[2, :20] = np.nan
    with pytest.raises(ValueError, match="member 2: 20 of 1000 events have a non-finite observable"):
        averaging.from_samples([[e] for e in events], REGION, N_TRAIN, n_gen=1000)


def test_order_of_members_and_events_does_not_matter():
    rng = np.random.default_rng(14)
    counts = rng.multinomial(10_000, [0.2, 0.3, 0.5], size=20)[:, :2] + rng.integers(-200, 200, (20, 2))
    a = averaging.from_counts(counts, 10_000, N_TRAIN)
    b = averaging.from_counts(counts[rng.permutation(20)][:, ::-1], 10_000, N_TRAIN)
    assert a.n_equiv == pytest.approx(b.n_equiv, rel=1e-12)
    assert a.interval == pytest.approx(b.interval, rel=1e-12)


def test_exact_integrals_are_the_limit_of_counts():
    integrals = fit_integrals(30, np.random.default_rng(15))
    n = 10**15
    exact = averaging.from_integrals(integrals, N_TRAIN)
    counted = averaging.from_counts(np.round(integrals * n), n, N_TRAIN)
    assert exact.n_equiv == pytest.approx(counted.n_equiv, rel=1e-6)
    assert exact.interval == pytest.approx(counted.interval, rel=1e-6)


@pytest.mark.parametrize("n_gen", [None, 30_000])
def test_g_true_uses_the_truth(n_gen):
    """Members displaced together agree with each other, and are wrong: G is large, G_true is not."""
    rng = np.random.default_rng(16)
    mu = 0.1 + rng.normal(0, 0.01, 5000)
    integrals = stats.norm.cdf(0.5 - mu) - stats.norm.cdf(-mu)
    if n_gen is None:
        result = averaging.from_integrals(integrals, N_TRAIN, truth=[I])
    else:
        result = averaging.from_counts(rng.binomial(n_gen, integrals), n_gen, N_TRAIN, truth=[I])
    expected = I * (1 - I) / np.mean((integrals - I) ** 2) / N_TRAIN
    # counting scatters the mean squared deviation by 1.7 %; forgetting to subtract the noise would shift it by 36 %
    assert result.G_true == pytest.approx(expected, rel=0.08 if n_gen else 1e-12)
    assert 10 * result.G_true < result.G


COUNTS = np.full((5, 2), 40) + np.arange(10).reshape(5, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: averaging.from_counts(COUNTS[:1], 100, 10), "at least 2 members, got 1"),
        (lambda: averaging.from_counts(COUNTS, [100, 200], 10), r"\(steps, members, regions\)"),
        (lambda: averaging.from_counts(COUNTS + 0.5, 100, 10), "weighted events"),
        (lambda: averaging.from_counts(-COUNTS, 100, 10), "whole numbers"),
        (lambda: averaging.from_counts(COUNTS * np.nan, 100, 10), "whole numbers"),
        (lambda: averaging.from_counts(COUNTS, 50, 10), "not smaller than a member's counts"),
        (lambda: averaging.from_counts(np.stack([COUNTS, COUNTS]), [200, 100], 10), "n_gen must increase"),
        (lambda: averaging.from_counts(COUNTS * [1, 0], 100, 10), "region 1 is empty for all members"),
        (lambda: averaging.from_integrals(np.ones((4, 1)), 10), "region 0 is full for all members"),
        (lambda: averaging.from_integrals([[0.1], [np.nan]], 10), "member 1, region 0: nan is not a probability"),
        (lambda: averaging.from_integrals([[0.1], [1.2]], 10), "member 1, region 0: 1.2 is not a probability"),
        (lambda: averaging.from_integrals(np.full((4, 1), 0.3), 10), "copies of one generator"),
        (lambda: averaging.from_integrals([[[0.1]]], 10), r"integrals must have shape \(members, regions\)"),
        *(
            (
                lambda n=n: averaging.from_counts(COUNTS, 100, n),
                "n_train must be a positive whole number of events, got",
            )
            for n in (0, -1, 1.5, np.nan, np.inf, 2**64, True, "10", None)
        ),
        *(
            (
                lambda r=r: averaging.from_samples([[np.zeros(9)]] * 2, r, 10),
                "regions must be made by gampl.regions, su",
            )
            for r in ([0.0, 0.5], [[0.0, 0.5]], (0, 1), np.arange(3), [REGION], "x > 0", None, np.isfinite)
        ),
        (lambda: averaging.count_stream([[np.zeros(9)]], [0, 1], 5), "regions must be made by gampl.regions"),
        (lambda: averaging.from_counts(COUNTS, 100, 10, level=68), "level must lie between 0.5 and 1"),
        (lambda: averaging.from_counts(COUNTS, 100, 10, level=0.4), "level must lie between 0.5 and 1"),
        (lambda: averaging.from_counts(np.stack([COUNTS, COUNTS - 1]), [100, 200], 10), "must not decrease"),
        (lambda: averaging.from_counts(COUNTS, 100, 10, truth=[0.5]), "truth must hold 2 probabilities"),
        (lambda: averaging.from_samples([], REGION, 10, n_gen=10), "members is empty"),
        (lambda: averaging.count_stream([], REGION, 10), "members is empty"),
        (
            lambda: averaging.from_samples([[np.zeros((5, 1))]], REGION, 10, n_gen=10),
            "member 0: has 5 events, expected n_gen = 10",
        ),
        (
            lambda: averaging.from_samples([[]], REGION, 10, n_gen=[10, 5]),
            "n_gen must be whole numbers, positive and increasing",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_needs_no_torch():
    code = "import sys; from gampl import averaging, processes, plots; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
