"""What the members at hand are worth: closed forms, invariances, coverage, and what tails of their scatter change."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from gampl import averaging
from gampl.result import NoteCode, State
from gampl.spread import Spread

COVERAGE = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "coverage.py"))
N_TRAIN = 1000
LEVELS = st.sampled_from([0.6, 0.683, 0.9, 0.95, 0.99])
SEEDS = st.integers(0, 2**31)


HEAVY = NoteCode.HEAVY_TAILS


def codes(result):
    return {note.code for note in result.notes}


def scattered(members, seed, regions=1, width=0.003):
    return 0.05 + width * np.random.default_rng(seed).normal(size=(members, regions))


# Closed forms


@settings(deadline=None, max_examples=30)
@given(members=st.integers(2, 19), level=LEVELS, seed=SEEDS)
def test_one_region_with_exact_integrals_is_fishers_distribution(members, level, seed):
    integrals = scattered(members, seed)[:, 0]
    result = averaging.from_integrals(integrals, N_TRAIN, level=level)
    if HEAVY in codes(result):
        return
    mean, variance = integrals.mean(), ((integrals - integrals.mean()) ** 2).sum() / (members - 1)
    n_equiv = mean * (1 - mean) / variance
    # the square of Student's t has this distribution
    quantile = stats.t.ppf((1 + level) / 2, members - 1) ** 2
    for worth, excess in ((result.pooled, 1 + 1 / members), (result.single, 2)):
        assert worth.n_equiv_at_least == pytest.approx(n_equiv / excess / quantile)
        assert worth.n_equiv == pytest.approx(n_equiv / excess)
        assert pytest.approx(n_equiv / excess / N_TRAIN) == worth.G
        assert worth.at_least == pytest.approx(n_equiv / excess / quantile / N_TRAIN)
        assert worth.interval == pytest.approx([end / excess for end in result.interval])
        assert worth.level == level


@pytest.mark.parametrize("level", [0.683, 0.95])
def test_many_members_and_independent_regions_are_a_sum_of_squares(level):
    """4000 members know sigma_model to 1 %, and the numbers of directions to 3 %."""
    regions = 8
    spread = Spread.of(scattered(4000, 1, regions), np.inf)
    assert spread.directions == pytest.approx(regions, rel=0.03)
    limit = stats.chi2.ppf(level, regions) / regions * spread.model
    assert spread.deviation_limit(level) == pytest.approx(limit, rel=0.02)


def test_counting_does_not_add_directions():
    """One direction of the model, and as much counting noise in twelve: without its subtraction they count as four."""
    rng = np.random.default_rng(2)
    share, wave = np.full(12, 0.05), np.sin(np.arange(12.0))
    off = rng.normal(size=(20_000, 1)) * wave / np.sqrt((wave**2).sum())
    n_gen = 1000
    integrals = share + off * np.sqrt((share * (1 - share)).sum() / n_gen) / 2
    rest = 1 - integrals.sum(axis=1, keepdims=True)
    counts = rng.multinomial(n_gen, np.concatenate([integrals, rest], axis=1))[:, :-1]
    assert Spread.of(integrals, np.inf).directions == pytest.approx(1)
    assert Spread.of(counts / n_gen, n_gen).directions == pytest.approx(1, abs=0.3)
    assert Spread.of(counts / n_gen, np.inf).directions > 4


# Invariances


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, factor=st.floats(0.1, 1))
def test_members_that_lie_closer_are_worth_more_by_the_square(seed, factor):
    integrals = scattered(12, seed, 3)
    closer = integrals.mean(axis=0) + factor * (integrals - integrals.mean(axis=0))
    wide, narrow = (averaging.from_integrals(table, N_TRAIN) for table in (integrals, closer))
    assert narrow.pooled.n_equiv_at_least == pytest.approx(wide.pooled.n_equiv_at_least / factor**2)
    other = averaging.from_integrals(integrals, 7 * N_TRAIN)
    assert other.pooled.n_equiv_at_least == pytest.approx(wide.pooled.n_equiv_at_least)
    assert other.pooled.at_least == pytest.approx(wide.pooled.at_least / 7)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, n_gen=st.sampled_from([2_000, 20_000]))
def test_the_order_of_members_and_regions_does_not_matter(seed, n_gen):
    rng = np.random.default_rng(seed)
    counts = rng.binomial(n_gen, np.clip(scattered(12, seed, 3), 0.01, 0.3))
    a = averaging.from_counts(counts, n_gen, N_TRAIN)
    b = averaging.from_counts(counts[rng.permutation(12)][:, ::-1], n_gen, N_TRAIN)
    for worth in ("pooled", "single"):
        assert getattr(a, worth).n_equiv_at_least == pytest.approx(getattr(b, worth).n_equiv_at_least, rel=1e-4)
        assert getattr(a, worth).interval == pytest.approx(getattr(b, worth).interval)


@settings(deadline=None, max_examples=60)
@given(
    members=st.integers(2, 60),
    level=LEVELS,
    n_gen=st.floats(1e3, 1e7),
    more=st.floats(1, 100),
    width=st.floats(0, 1e-2),
)
def test_more_counting_noise_never_gives_a_tighter_limit(members, level, n_gen, more, width):
    """With the same sigma_model^2, here zero or more, up to the quadrature's error (5e-4 of Fisher's quantiles)."""
    limits = []
    for n in (n_gen, n_gen / more, np.inf):
        spread = Spread(np.empty((0, 1)), n, width**2 * (1 - 1 / n) + 1 / n, 1.0, members - 1)
        assert spread.model == pytest.approx(width**2, abs=1e-12)
        limits.append(spread.deviation_limit(level))
    assert limits[2] <= limits[0] * (1 + 1e-9)
    assert limits[0] <= limits[1] * (1 + 1e-3)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, n_gen=st.sampled_from([1_000, 10_000, 10**6]), members=st.integers(2, 30))
def test_limits_are_finite_and_fall_with_the_level_in_every_state(seed, n_gen, members):
    rng = np.random.default_rng(seed)
    counts = rng.binomial(n_gen, np.clip(scattered(members, seed), 0.01, 0.1)) + 1
    if len({*counts[:, 0]}) == 1:
        return
    results = [averaging.from_counts(counts, n_gen, N_TRAIN, level=level) for level in (0.6, 0.683, 0.95)]
    limits = [result.pooled.n_equiv_at_least for result in results]
    assert np.isfinite(limits).all()
    assert limits[0] > limits[1] > limits[2] > 0
    assert all(r.single.n_equiv_at_least < r.pooled.n_equiv_at_least for r in results)
    assert all(r.pooled.n_equiv_at_least < r.n_equiv for r in results[1:])


def test_perfect_members_have_limits_too():
    """Counts that agree better than counting explains do not claim more than the counting can."""
    same = averaging.from_counts(np.full(20, 3000) + 40 * (np.arange(20) % 2), 10_000, 500)
    assert same.state is State.LOWER_LIMIT
    expected = averaging.from_counts(np.round(3000 + 45.8 * stats.norm.ppf((np.arange(20) + 0.5) / 20)), 10_000, 500)
    assert 0 < same.pooled.n_equiv_at_least == pytest.approx(expected.pooled.n_equiv_at_least, rel=0.2)


def test_counts_become_exact_integrals():
    integrals = scattered(30, 5)[:, 0]
    n = 10**14
    exact = averaging.from_integrals(integrals, N_TRAIN)
    counts = averaging.from_counts(np.round(integrals * n), n, N_TRAIN)
    assert counts.pooled.n_equiv_at_least == pytest.approx(exact.pooled.n_equiv_at_least, rel=1e-3)


# Coverage: 4.5 binomial deviations, a false-alarm rate of 3e-6 for each bound


@pytest.mark.parametrize(
    ("case", "members", "level", "is_nominal"),
    [
        ("exact integrals", 4, 0.683, True),
        ("exact integrals", 50, 0.95, True),
        ("n_gen = 4 n_equiv", 10, 0.683, True),
        ("n_gen = n_equiv", 10, 0.95, False),
        ("unequal sizes", 4, 0.683, False),
        ("10 regions, one direction", 10, 0.683, True),
        ("10 regions, independent", 4, 0.95, False),
    ],
)
def test_limits_hold_as_often_as_they_say(case, members, level, is_nominal):
    n = 500
    found = COVERAGE["worths"](COVERAGE["CASES"][case], members, level, n)
    tolerance = 4.5 * np.sqrt(level * (1 - level) / n)
    for name in ("pooled", "single"):
        assert found[name].mean() > level - tolerance, name
    if is_nominal:
        assert found["pooled"].mean() < level + tolerance


def share_that_holds(make, members, level, n, seed):
    """How often the limit holds for fits of a Gaussian's mean to what ``make`` does with one training set."""
    rng = np.random.default_rng(seed)
    true = stats.norm.cdf(0.5) - 0.5
    found = []
    for _ in range(n):
        means = make(rng, rng.normal(size=N_TRAIN), members)
        integrals = stats.norm.cdf(0.5 - means) - stats.norm.cdf(-means)
        worth = true * (1 - true) / (integrals.mean() - true) ** 2
        found.append(averaging.from_integrals(integrals, N_TRAIN, level=level).pooled.n_equiv_at_least <= worth)
    return np.mean(found)


def bootstrap(rng, events, members):
    return np.array([np.average(events, weights=rng.poisson(1, events.size)) for _ in range(members)])


def deep(rng, events, members):
    return np.array([rng.permutation(events)[: int(0.8 * events.size)].mean() for _ in range(members)])


@pytest.mark.parametrize(("members", "level"), [(10, 0.683), (20, 0.95)])
def test_the_limit_holds_for_bootstrap_fits_and_not_for_random_parts(members, level):
    """400 training sets. Parts of 80 % have a quarter of the variance that is right: limits are four times too high."""
    n = 400
    tolerance = 4.5 * np.sqrt(level * (1 - level) / n)
    assert abs(share_that_holds(bootstrap, members, level, n, 3) - level) < tolerance
    assert share_that_holds(deep, members, level, n, 4) < level - 2 * tolerance


# Tails


def test_heavy_tails_take_degrees_of_freedom_by_their_kurtosis():
    """Two members out of forty far away; the variance of a variance written out with plain sums."""
    scores = stats.norm.ppf((np.arange(40) + 0.5) / 40)
    scores[[0, -1]] *= 3
    integrals = 0.1 + 1e-3 * scores
    m2, m4 = (((integrals - integrals.mean()) ** k).mean() for k in (2, 4))
    kurtosis = 39 / (38 * 37) * (41 * (m4 / m2**2 - 3) + 6)  # unbiased for normal members
    result = averaging.from_integrals(integrals, N_TRAIN)
    assert result.degrees_of_freedom == pytest.approx(2 / (2 / 39 + kurtosis / 40))
    assert HEAVY in codes(result)
    low, high = stats.chi2.interval(0.683, result.degrees_of_freedom) / np.array(result.degrees_of_freedom)
    assert result.interval == pytest.approx([result.G * low, result.G * high])


def test_normal_members_keep_their_degrees_of_freedom():
    """The tests fail for 5.3 % of 50 normal members (of 20 000); 4.5 binomial deviations of 500: 3e-6."""
    found = [Spread.of(scattered(50, seed), np.inf) for seed in range(500)]
    changed = np.mean([spread.of_heavy_tails() is not spread for spread in found])
    assert changed < 0.053 + 4.5 * np.sqrt(0.053 * 0.947 / 500)
    assert all(spread.of_heavy_tails().degrees_of_freedom < 49.001 for spread in found)


def test_light_tails_and_few_members_change_nothing():
    even = Spread.of(0.1 + 1e-3 * np.linspace(-1, 1, 50)[:, None], np.inf)
    assert even.of_heavy_tails() is even
    few = Spread.of(np.array([[0.1], [0.1001], [0.2]]), np.inf)
    assert few.of_heavy_tails() is few


@pytest.mark.parametrize(("members", "is_said"), [(4, True), (49, True), (50, False)])
def test_too_few_members_to_see_tails_are_noted(members, is_said):
    scores = stats.norm.ppf((np.arange(members) + 0.5) / members)
    result = averaging.from_integrals(0.1 + 1e-3 * scores, N_TRAIN)
    assert (NoteCode.TAILS_UNSEEN in codes(result)) == is_said


# Words and JSON


def test_the_first_sentence_is_the_one_that_holds():
    result = averaging.from_integrals(0.05 + 0.003 * stats.norm.ppf((np.arange(10) + 0.5) / 10), N_TRAIN)
    first, second, third = str(result).splitlines()[:3]
    assert first.startswith("pooled, these 10 members are worth at least ")
    assert f"{float(f'{result.pooled.at_least:.3g}'):g} times n_train = 1000 (68.3 % confidence)" in first
    assert f"{result.single.n_equiv_at_least:.0f}"[:2] in second
    assert third.startswith(f"G{result.words} at 68.3 %")
    plain = result.to_dict()
    assert plain["pooled"]["at_least"] == result.pooled.n_equiv_at_least / N_TRAIN
    assert plain["single"]["G"] == pytest.approx(result.G / 2)


def test_a_prefix_in_which_all_members_agree_has_no_tails():
    counts = np.random.default_rng(1).standard_t(1, size=30) * 20 + 500  # heavy tails in the last step
    last = np.clip(counts, 100, 900).round().astype(int)
    result = averaging.from_counts([np.full(30, 50), last], [1_000, 10_000], N_TRAIN)
    assert HEAVY in codes(result)
