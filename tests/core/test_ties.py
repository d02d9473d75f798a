"""Summaries with equal values: their law of K against direct pseudo-experiments, and the coverage of what follows."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from gampl import differential
from gampl.kolmogorov import KOLMOGOROV, MEAN, KolmogorovSmirnov, Law
from gampl.report import split
from gampl.report.sharpening import sharpen
from gampl.result import NoteCode
from gampl.ties import leaps, values_of_k


def counts(rng, n, shift=0.0):
    return rng.poisson(5 + shift, n).astype(float)


def rare_jets(rng, n, shift=0.0):
    return rng.poisson(0.3 + shift, n).astype(float)


def tenths(rng, n, shift=0.0):
    return np.round(rng.normal(shift, 1, n), 1)


def many_at_zero(rng, n, shift=0.0):
    """A third of the events at one value, the others without ties."""
    return np.maximum(rng.normal(0.4 + shift, 1, n), 0)


SUMMARIES = [counts, rare_jets, tenths, many_at_zero]


def distance(first, second):
    """Of two samples, by their distribution functions at all values."""
    points = np.unique(np.concatenate([first, second]))
    a, b = (np.searchsorted(np.sort(x), points, side="right") / x.size for x in (first, second))
    return np.abs(a - b).max()


def law_of(draw):
    """Its law from a sample of the size that users have."""
    return Law.of(draw(np.random.default_rng(2), 1000))


@pytest.mark.parametrize("draw", SUMMARIES)
def test_the_law_is_that_of_pseudo_experiments(draw):
    """1000 pairs of samples; leaps of 1000 events add an error of 2 %."""
    rng, n, m = np.random.default_rng(1), 500, 5000
    K = [distance(draw(rng, n), draw(rng, m)) / np.sqrt(1 / n + 1 / m) for _ in range(1000)]
    law = law_of(draw)
    assert law.mean == pytest.approx(np.mean(K), rel=0.05)
    assert law.quantile(0.683) == pytest.approx(np.quantile(K, 0.683), rel=0.08)
    assert law.mean < 0.95 * MEAN


def test_two_values_have_the_law_of_a_binomial_share():
    """B at a single t is normal: its size has the half-normal distribution. Half of the mean's error is Monte Carlo."""
    K = values_of_k(np.array([[0.0, 0.5], [0.5, 1.0]]))
    assert K.mean() == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.02)
    for p in (0.5, 0.683, 0.95):
        assert np.quantile(K, p) == pytest.approx(0.5 * stats.norm.ppf((1 + p) / 2), rel=0.03)


def test_many_small_leaps_are_nearly_none():
    even = np.arange(5001) / 5000
    K = values_of_k(np.stack([even[:-1], even[1:]], axis=-1))
    for p in (0.1, 0.5, 0.683, 0.95):
        assert np.quantile(K, p) == pytest.approx(KOLMOGOROV.quantile(p), rel=0.025)
    coarse = np.arange(301) / 300
    assert values_of_k(np.stack([coarse[:-1], coarse[1:]], axis=-1)).mean() == pytest.approx(0.835, rel=0.01)


def test_values_without_ties_keep_kolmogorovs_law():
    values = np.random.default_rng(3).normal(size=20_000)
    assert Law.of(values) is Law.of(values.astype(np.float32)) is KOLMOGOROV
    assert leaps(values) is None


@pytest.mark.parametrize("draw", SUMMARIES)
@pytest.mark.parametrize(("level", "shift"), [(0.683, 0.3), (0.95, 0.1)])
def test_intervals_cover_and_the_median_is_right(draw, level, shift):
    """150 references of 300 events; at most 4.5 deviations below the level."""
    rng, n_ref, repetitions = np.random.default_rng([4, round(100 * shift)]), 300, 150
    generated = draw(rng, 300_000, shift)
    D, law = distance(generated, draw(rng, 1_000_000)), law_of(draw)
    n_equiv = (law.mean / D) ** 2
    held, found = 0, []
    for _ in range(repetitions):
        reference = draw(rng, n_ref)
        M, own = distance(reference, generated), Law.of(reference)
        result = differential.from_distances([M], np.inf, n_ref, n_ref, level=level, law=own)
        low, high = result.n_equiv_interval
        held += low <= n_equiv <= high
        found.append(result.n_equiv)
    assert held / repetitions > level - 4.5 * np.sqrt(level * (1 - level) / repetitions)
    if D * np.sqrt(n_ref) > 2:
        assert np.median(found) == pytest.approx(n_equiv, rel=0.25)


def a_third_at_one_value(rng, n):
    x = rng.normal(0.2, 1, n)
    return np.where(rng.random(n) < 0.3, 1 / 3, x)


def peak(rng, n):
    """Far from zero, beside its width."""
    return np.where(rng.random(n) < 0.3, 91.18761234, rng.normal(91, 2.5, n))


def cents(rng, n):
    return np.round(rng.normal(0.5, 0.3, n), 2)


NUMBERS = {
    "single precision": lambda x: x.astype(np.float32),
    "single precision, read as double": lambda x: x.astype(np.float32).astype(float),
    "eight printed digits": lambda x: np.char.mod("%.8g", x).astype(float),
    "six printed decimals": lambda x: np.char.mod("%.6f", x).astype(float),
    "computed": lambda x: (x + 5) - 5,
    "in other units": lambda x: (x.astype(np.float32) * 1000.0) / 1000,
}


@pytest.mark.parametrize("coarser", ["reference", "members"])
@pytest.mark.parametrize("form", NUMBERS)
@pytest.mark.parametrize("draw", [a_third_at_one_value, peak, cents, tenths])
def test_equal_events_stay_equal_whatever_their_precision(draw, form, coarser):
    """Where ties have a share of 30 %, or 4 %, and what lies between moves by single precision at most."""
    rng = np.random.default_rng(6)
    reference, values = draw(rng, 1000), draw(rng, 20_000)
    expected = distance(reference, values)
    a, b = (NUMBERS[form](reference), values) if coarser == "reference" else (reference, NUMBERS[form](values))
    for weights in (None, np.ones(b.size)):
        test = KolmogorovSmirnov(a)
        for part in np.array_split(np.arange(b.size), 3):
            test.update(b[part], weights if weights is None else weights[part])
        is_grid = draw in (cents, tenths)
        assert test.distance == pytest.approx(expected, abs=1e-12 if is_grid else 1e-3)
        if form != "computed" and not is_grid:
            assert distance(a.astype(float), b.astype(float)) > 0.2  # as numbers
    assert Law.of(a).mean == pytest.approx(Law.of(reference).mean, rel=0.01)


def test_equal_events_of_one_sample_are_equal_however_they_were_computed():
    rng = np.random.default_rng(7)
    k = rng.integers(-30, 60, 3000)
    mixed = np.where(rng.random(k.size) < 0.5, 0.1 * k, k / 10)
    members = rng.integers(-30, 58, 50_000)
    assert np.unique(mixed).size > np.unique(k).size
    np.testing.assert_array_equal(leaps(mixed), leaps(k))
    test = KolmogorovSmirnov(mixed)
    test.update(np.cumsum(np.full(100, 0.1))[members + 30] - 3.1)
    assert test.distance == pytest.approx(distance(k, members), abs=1e-12)


def test_what_differs_by_more_than_its_precision_is_different():
    rng = np.random.default_rng(8)
    reference, values = cents(rng, 1000), rng.normal(0.5, 0.3, 20_000)  # whose members do not know the grid
    test = KolmogorovSmirnov(reference)
    test.update(values)
    assert test.distance == pytest.approx(distance(reference, values), abs=3e-4)
    close = KolmogorovSmirnov(peak(rng, 1000))
    close.update(np.where((x := peak(rng, 20_000)) == 91.18761234, 91.1878, x))
    assert close.distance > 0.2
    seconds = 1.7e9 + rng.integers(0, 3600, 3000)  # which single precision does not resolve
    later = 1.7e9 + rng.integers(0, 3600, 50_000)
    exact = KolmogorovSmirnov(seconds)
    exact.update(later)
    assert exact.distance == pytest.approx(distance(seconds, later), abs=1e-12)


def test_a_result_carries_its_law():
    rng = np.random.default_rng(5)
    reference, members = counts(rng, 300), [counts(rng, 30_000, 0.5) for _ in range(3)]
    result = differential.from_samples(members, reference, 300)
    law = Law.of(reference)
    assert result.n_equiv == pytest.approx(
        1 / ((result.curve.mean[-1] / law.mean) ** 2 - 1 / 300 - 1 / 30_000), rel=1e-6
    )
    assert result.curve.law.mean == result.to_dict()["curve"]["mean_K"] == law.mean
    assert NoteCode.TIES in {note.code for note in result.notes}
    assert sharpen(result)
    plt.close(result.plot().figure)
    folds = [differential.from_samples(members, counts(rng, 300), 300) for _ in range(3)]
    assert differential.combine(folds).curve.law is folds[0].curve.law


def test_a_reference_of_equal_values_has_no_law():
    with pytest.raises(ValueError, match="all values are equal"):
        Law.of(np.full(50, 2.5))
    with pytest.raises(ValueError, match="all values are equal"):  # and not a limit of 0
        split.from_samples([np.random.default_rng(1).normal(size=1000)], np.full(50, 2.5), 100)
