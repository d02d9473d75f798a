"""The streaming Kolmogorov-Smirnov distance against scipy's, and the law of K."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import integrate, stats

from gampl import kolmogorov
from gampl.kolmogorov import KolmogorovSmirnov, distance_to_density
from gampl.ties import leaps

EXACT = 1e-12


def streamed(reference, values, cuts=()):
    test = KolmogorovSmirnov(reference)
    for chunk in np.split(values, sorted(min(c, len(values)) for c in cuts)):
        test.update(chunk)
    return test.distance


def by_scipy(reference, values):
    with np.errstate(all="ignore"):  # of its p-value, which has no meaning for one or two events
        return stats.ks_2samp(reference, values, method="asymp").statistic


def is_usable(reference):
    return len(reference) == 1 or len(set(reference)) > 1


def samples(elements):
    return st.lists(elements, min_size=1, max_size=30)


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
# few different numbers, so that most are equal to another, within a sample or between the two
TIED = st.integers(-4, 4).map(lambda k: k / 2)
CUTS = st.lists(st.integers(0, 30), max_size=4)
DTYPES = st.sampled_from([np.float32, np.float64])


@settings(max_examples=1000, deadline=None)
@given(samples(TIED).filter(is_usable), samples(TIED), CUTS, DTYPES, DTYPES)
def test_tied_samples_equal_scipy(reference, values, cuts, a, b):
    reference, values = np.array(reference, a), np.array(values, b)
    assert streamed(reference, values, cuts) == pytest.approx(by_scipy(reference, values), abs=EXACT)


@settings(max_examples=600, deadline=None)
@given(samples(FINITE).filter(lambda numbers: len({*numbers}) == len(numbers)), samples(FINITE), CUTS, DTYPES, DTYPES)
def test_any_numbers_equal_scipy(reference, values, cuts, a, b):
    """From the smallest subnormal numbers to the largest of single precision."""
    reference, values = np.array(reference, a), np.array(values, b)
    assert streamed(reference, values, cuts) == pytest.approx(by_scipy(reference, values), abs=EXACT)


@settings(max_examples=1500, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_ref=st.integers(1, 300),
    n_gen=st.integers(1, 3000),
    cuts=st.lists(st.integers(0, 3000), max_size=5),
    shift=st.sampled_from([0.0, 0.2, 50.0]),
    digits=st.sampled_from([None, 1, 2]),
    scale=st.sampled_from([1.0, 1e-30, 1e30, 1e200]),
    offset=st.sampled_from([0.0, 1e6]),
    a=DTYPES,
    b=DTYPES,
)
def test_random_samples_equal_scipy(seed, n_ref, n_gen, cuts, shift, digits, scale, offset, a, b):
    """Compatible, different and disjoint samples, continuous or rounded to ties, of any size and far from zero."""
    rng = np.random.default_rng(seed)
    reference, values = rng.standard_t(2, n_ref), shift + rng.standard_t(2, n_gen)
    if digits is not None:
        reference, values = reference.round(digits), values.round(digits)
    if scale > 1e38:  # beyond single precision
        a = b = np.float64
    if offset:  # where single precision does not resolve the digits
        b = a
    reference, values = ((x * scale + offset).astype(t) for x, t in ((reference, a), (values, b)))
    if not is_usable(reference):
        return
    if a != b and leaps(reference) is not None:  # compared in the precision of the coarser one
        expected = by_scipy(reference.astype(np.float32), values.astype(np.float32))
        assert streamed(reference, values, cuts) == pytest.approx(expected, abs=EXACT)
        return
    assert streamed(reference, values, cuts) == pytest.approx(by_scipy(reference, values), abs=EXACT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 10))
def test_chunks_may_come_in_any_order_and_type(seed, chunks):
    rng = np.random.default_rng(seed)
    reference, values = rng.normal(size=100), rng.normal(0.1, 1, 1000).astype(np.float32)
    parts = [part.astype(rng.choice([np.float32, np.float64])) for part in np.array_split(values, chunks)]
    test = KolmogorovSmirnov(reference)
    for k in rng.permutation(chunks):
        test.update(parts[k])
    assert test.n_gen == 1000
    assert test.distance == streamed(reference, values)


def test_the_distance_may_be_asked_for_at_any_time():
    rng = np.random.default_rng(1)
    reference, values = rng.normal(size=50), rng.normal(size=1000)
    test = KolmogorovSmirnov(reference)
    for k in range(0, 1000, 10):
        test.update(values[k : k + 10])
        assert test.distance == pytest.approx(by_scipy(reference, values[: k + 10]), abs=EXACT)


@pytest.mark.parametrize(("values", "expected"), [([2.0], 1.0), ([-2.0], 1.0), ([0.5], 0.5), ([0.0, 1.0], 0.0)])
def test_small_cases_by_hand(values, expected):
    assert streamed([0.0, 1.0], np.array(values)) == expected


def test_a_long_heavy_tailed_stream_and_a_large_reference():
    """More points than cells of the grid, and values that mostly lie outside of it."""
    rng = np.random.default_rng(2)
    reference, values = rng.standard_cauchy(100_000), rng.standard_cauchy(300_000) ** 3
    assert streamed(reference, values, [1, 100_000]) == pytest.approx(by_scipy(reference, values), abs=EXACT)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint16, np.float32, np.float64])
def test_ties_of_six_types_equal_scipy(dtype):
    rng = np.random.default_rng(4)
    reference, values = (rng.binomial(20, p, n).astype(dtype) for p, n in ((0.4, 300), (0.42, 5000)))
    assert streamed(reference, values, [17, 900]) == pytest.approx(by_scipy(reference, values), abs=EXACT)


def test_integers_are_numbers_too():
    rng = np.random.default_rng(3)
    reference, values = rng.poisson(5, 200), rng.poisson(6, 2000)
    assert streamed(reference, values) == pytest.approx(by_scipy(reference, values), abs=EXACT)


def test_values_that_are_not_finite_count_as_above_all():
    rng = np.random.default_rng(4)
    reference, values = rng.normal(size=100), rng.normal(size=1000)
    broken = values.copy()
    broken[[3, 500, 900]] = np.nan, np.inf, -np.inf
    test = KolmogorovSmirnov(reference)
    test.update(broken)
    assert (test.n_lost, test.n_gen) == (3, 1000)
    broken[[3, 500, 900]] = 1e9
    assert test.distance == pytest.approx(by_scipy(reference, broken), abs=EXACT)
    assert abs(test.distance - by_scipy(reference, values)) <= 3 / 1000


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ([], r"reference must hold one number per event, shape \(n_ref,\), got \(0,\)"),
        (np.zeros((5, 2)), r"reference must hold one number per event, .* got \(5, 2\)"),
        (1.0, r"reference must hold one number per event"),
        ([1.0, np.nan, np.inf], "reference: 2 of 3 values are not finite"),
        ([0.5, 0.5, 0.5], "all 3 values are 0.5; a constant summary"),
    ],
)
def test_bad_references_are_named(reference, message):
    with pytest.raises(ValueError, match=message):
        KolmogorovSmirnov(reference)


def test_bad_values_are_named():
    test = KolmogorovSmirnov([0.0, 1.0])
    with pytest.raises(ValueError, match=r"values must hold one number per event, shape \(n,\), got \(3, 2\)"):
        test.update(np.zeros((3, 2)))
    test.update(np.zeros(0))
    with pytest.raises(ValueError, match="no values yet"):
        _ = test.distance


def test_the_mean_of_k_is_that_of_eq_35():
    mean, _ = integrate.quad(stats.kstwobign.sf, 0, 8)
    assert pytest.approx(mean, abs=1e-9) == kolmogorov.MEAN


@pytest.mark.parametrize("p", [1e-3, 0.025, 0.1585, 0.5, 0.683, 0.975, 0.999])
def test_quantiles_of_k_are_those_of_scipy(p):
    assert kolmogorov.quantile(p) == pytest.approx(stats.kstwobign.ppf(p), rel=1e-12)


def test_the_bands_of_the_docstring():
    assert kolmogorov.band(0.683) == pytest.approx((0.617, 1.126), abs=6e-4)
    assert kolmogorov.band(0.95) == pytest.approx((0.481, 1.480), abs=6e-4)


FOLDS = [2, 5, 10]


@pytest.mark.parametrize("folds", FOLDS)
def test_the_law_of_a_mean_has_its_mean_and_variance(folds):
    """E[K] = sqrt(pi / 2) ln 2 and E[K^2] = pi^2 / 12; the mean of several has that variance over their number."""
    p = (np.arange(20_000) + 0.5) / 20_000
    values = np.array([kolmogorov.quantile.__wrapped__(x, folds) for x in p])
    assert values.mean() == pytest.approx(kolmogorov.MEAN, abs=1e-5)
    assert values.var() == pytest.approx((np.pi**2 / 12 - kolmogorov.MEAN**2) / folds, rel=1e-3)


@pytest.mark.parametrize("folds", FOLDS)
def test_the_law_of_a_mean_equals_pseudo_experiments(folds):
    """The share below each quantile: 21 bounds of 4.5 binomial deviations, false-alarm rate 1.4e-4 in all."""
    n = 100_000
    means = stats.kstwobign.rvs(size=(n, folds), random_state=np.random.default_rng([5, folds])).mean(axis=1)
    for p in (1e-3, 0.025, 0.1585, 0.5, 0.8415, 0.975, 0.999):
        share = (means <= kolmogorov.quantile(p, folds)).mean()
        assert abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / n), p


def test_one_fold_by_convolution_is_k_itself():
    """The convolution's own accuracy, where scipy is an oracle."""
    values, below = kolmogorov._law_of_mean(1)
    for p in (1e-3, 0.1585, 0.5, 0.975, 0.999):
        assert np.interp(p, below, values) == pytest.approx(stats.kstwobign.ppf(p), abs=1e-5)


@pytest.mark.parametrize(("level", "held"), [(0.683, 0.9975), (0.9545, 0.99991)])
def test_the_printed_band_holds_far_more_than_it_says(level, held):
    low, high = kolmogorov.printed_band(level)
    assert stats.kstwobign.cdf(high) - stats.kstwobign.cdf(low) == pytest.approx(held, abs=6e-5)
    assert (low + high) / 2 == pytest.approx(kolmogorov.MEAN)
    own = kolmogorov.band(level)
    assert stats.kstwobign.cdf(own.high) - stats.kstwobign.cdf(own.low) == pytest.approx(level, abs=1e-9)


@pytest.mark.parametrize("level", [0.683, 0.95, 0.9973])
def test_c_is_the_leading_term_and_a_bound_of_the_upper_quantile(level):
    """P(K > c) = 2 exp(-2 c^2) - 2 exp(-8 c^2) + ..., of which c keeps the first term, divided by the density."""
    exact = kolmogorov.quantile(level)
    c = kolmogorov.half_width(level)
    assert exact <= c < exact + 2 * np.exp(-6 * c**2) / (4 * c)
    for n in (5, 100):
        assert stats.kstwo.sf(c / np.sqrt(n), n) <= 1 - level


def test_distance_to_a_density_is_that_of_scipy():
    events = np.random.default_rng(11).normal(size=(20, 37)).round(1)  # with ties
    by_scipy = [stats.ks_1samp(row, stats.norm(0.2).cdf, method="asymp").statistic for row in events]
    assert distance_to_density(stats.norm.cdf(events, 0.2)) == pytest.approx(by_scipy, abs=1e-12)


@pytest.mark.parametrize("probabilities", [[], 0.5, [0.5, np.nan], [0.5, 1.5]])
def test_what_is_no_probability_is_refused(probabilities):
    with pytest.raises(ValueError, match="probabilities must lie between 0 and 1"):
        distance_to_density(probabilities)
