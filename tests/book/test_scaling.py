"""Powers, means and worths over training sets: against fits whose G is known exactly for every number of events."""

import numpy as np
import pytest
from scipy import stats

from gampl.kolmogorov import worth
from gampl_book.scaling import Mean, geometric_mean, memorised, power, worth_in_regions

SIZES = [100, 1_000, 10_000]
EXACT = np.array([0.2, 0.5, 0.1])


def gaussian_fits(n, sets, rng, bias=0.0):
    """n_equiv of fits of a Gaussian's mean in [0, 0.5] and in the likelihood ratio, (sets,) each; exact integrals."""
    mean, n_gen = bias + rng.normal(size=sets) / np.sqrt(n), 10**15
    region, exact = (np.diff(stats.norm.cdf([0, 0.5], m), axis=-1) for m in (mean[:, None], 0.0))
    return worth_in_regions(region * n_gen, n_gen, exact), np.array(
        [worth(d) for d in 2 * stats.norm.cdf(np.abs(mean) / 2) - 1]
    )


def test_an_efficient_fit_amplifies_by_the_same_factor_for_all_numbers_of_events():
    rng = np.random.default_rng(1)
    found = [gaussian_fits(n, 400, rng) for n in SIZES]
    for values in zip(*found, strict=True):
        b = power(SIZES, np.array(values))
        assert b.interval[0] < 1 < b.interval[1]  # fails in 5 % of seeds
        assert b.interval[1] - b.interval[0] < 0.2
    G = [np.mean(n / region) ** -1 for n, (region, _) in zip(SIZES, found, strict=True)]  # Eq. (30), unrounded
    np.testing.assert_allclose(G, 70.4, rtol=0.3)  # 4 standard errors


def test_a_fit_that_is_wrong_saturates():
    rng = np.random.default_rng(2)
    sizes = [10**4, 10**5, 10**6]
    for values in zip(*(gaussian_fits(n, 50, rng, bias=0.2) for n in sizes), strict=True):
        b = power(sizes, np.array(values))
        assert abs(b.value) < 0.05
        assert b.side == -1


def test_what_counting_adds_is_taken_off():
    rng = np.random.default_rng(3)
    shares, n_gen = EXACT + np.array([0.02, -0.03, 0.01]), 4_000
    inverse = 1 / worth_in_regions(rng.multinomial(n_gen, [*shares, 0.2], size=4_000)[:, :3], n_gen, EXACT)
    expected = ((shares - EXACT) ** 2).sum() / (EXACT * (1 - EXACT)).sum()
    assert abs(inverse.mean() - expected) < 4 * inverse.std() / np.sqrt(inverse.size)
    assert 1 / n_gen > 0.05 * expected  # not to take it off would be seen


def test_no_more_than_the_generated_events_can_be_told():
    assert worth_in_regions(EXACT * 1_000, 1_000, EXACT) == 1_000


def test_a_generator_that_repeats_its_events_has_a_g_of_one_in_regions():
    rng, n, n_gen = np.random.default_rng(4), 200, 10**9
    shares = rng.multinomial(n, [*EXACT, 0.2], size=5_000)[:, :3] / n
    inverse = memorised(n)[0] / worth_in_regions(shares * n_gen, n_gen, EXACT)
    assert inverse.mean() == pytest.approx(1, abs=4 * inverse.std() / np.sqrt(inverse.size))
    assert memorised(n)[1] == worth(1.0)


def test_means_are_those_of_logarithms():
    mean = geometric_mean([1.0, 4.0, 2.0])
    assert mean.value == pytest.approx(2)
    half = stats.t.ppf(0.975, 2) * np.log(2) / np.sqrt(3)
    np.testing.assert_allclose(mean.interval, [2 * np.exp(-half), 2 * np.exp(half)])
    assert geometric_mean([1.0, 4.0, 2.0], 2.1).interval == [mean.interval[0], 2.1]
    assert [Mean(1, ends).side for ends in ([1.1, 2], [0.5, 0.9], [0.5, 2])] == [1, -1, 0]


def test_a_power_without_noise_is_exact():
    values = np.array([2.0, 5.0]) * np.array(SIZES)[:, None] ** 0.7
    b = power(SIZES, values)
    np.testing.assert_allclose([b.value, *b.interval], 0.7)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="values must have shape"):
        power([1, 2, 3], np.ones((2, 4)))
    with pytest.raises(ValueError, match="counts must lie between 0 and n_gen 10"):
        worth_in_regions([11], 10, [0.5])
