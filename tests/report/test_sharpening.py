"""What is said to sharpen a result does so, by as much as is said."""

import re

import numpy as np
import pytest
from scipy import stats

from gampl import averaging, differential
from gampl.kolmogorov import MEAN
from gampl.report.sharpening import sharpen
from gampl.result import State

P = 0.02  # probability of the region


def counted(members, n_gen, n_equiv, **options):
    """Members whose total variance is just the expected one, to the rounding of counts."""
    model = P * (1 - P) / n_equiv
    scores = stats.norm.ppf((np.arange(members) + 0.5) / members)
    integrals = P + np.sqrt(model + P * (1 - P) / n_gen) * scores / scores.std(ddof=1)
    return averaging.from_counts(np.round(integrals * n_gen), n_gen, 10_000, **options)


def measured(members, n_ref, n_gen, n_equiv, **options):
    """Distances that scatter, always by as much, around what is expected."""
    distance = MEAN * np.sqrt(1 / n_equiv + 1 / n_ref + 1 / n_gen)
    scores = stats.norm.ppf((np.arange(members) + 0.5) / members)
    return differential.from_distances(distance + 0.003 * scores / scores.std(ddof=1), n_gen, n_ref, 10_000, **options)


def promised(sentences, change):
    """The numbers that a sentence promises."""
    (sentence,) = (s for s in sentences if change in s)
    return [float(n) for n in re.search(r"about ([\d.]+)(?: to ([\d.]+))? \(now", sentence).groups() if n]


@pytest.mark.parametrize("level", [0.683, 0.95])
def test_sharpening_an_averaging_is_what_the_estimator_says(level):
    few = counted(6, 20_000, 10_000, level=level)
    sentences = sharpen(few)
    assert promised(sentences, "12 members instead of 6") == pytest.approx(
        [end for end in counted(12, 20_000, 10_000, level=level).interval if np.isfinite(end)], rel=0.05
    )
    assert promised(sentences, "200000 generated events per member instead of 20000") == pytest.approx(
        counted(6, 200_000, 10_000, level=level).interval, rel=0.05
    )
    assert sentences[0].startswith("the number of members limits the interval most: with 12 members")
    assert sentences[1].startswith("with 200000 generated events")


@pytest.mark.parametrize("level", [0.683, 0.95])
def test_sharpening_a_differential_is_what_the_estimator_says(level):
    few = measured(4, 100_000, 200_000, 10_000, level=level)
    sentences = sharpen(few)
    expected = {
        "200000 true events instead of 100000": measured(4, 200_000, 200_000, 10_000, level=level),
        "2000000 generated events per member instead of 200000": measured(4, 100_000, 2_000_000, 10_000, level=level),
        "10 members instead of 4": measured(10, 100_000, 200_000, 10_000, level=level),
    }
    for change, sharper in expected.items():
        assert promised(sentences, change) == pytest.approx(sharper.interval, rel=0.05), change


def test_exact_integrals_take_more_members_only():
    sentences = sharpen(averaging.from_integrals([0.1, 0.11, 0.12, 0.13], 100))
    assert len(sentences) == 1
    assert sentences[0].startswith("with 10 members instead of 4 the interval would be about ")


def test_limits_rise():
    """Ten times the events raise the limit of a perfect generator tenfold, twice the reference doubles it."""
    same = averaging.from_counts(np.full(20, 200) + 12 * (np.arange(20) % 2), 10_000, 1000)
    assert same.state is State.LOWER_LIMIT
    (sentence, *_) = sharpen(same)
    assert promised([sentence], "100000 generated events")[0] == pytest.approx(10 * same.interval.low, rel=0.05)
    assert sentence.endswith(", with no upper end), if the generator is that good")
    close = differential.from_distances([0.02], 10**7, 1000, 1000)
    assert close.state is State.LOWER_LIMIT
    assert promised(sharpen(close), "2000 true events")[0] == pytest.approx(2 * close.interval.low, rel=0.05)


def test_an_unbounded_result_gets_an_end():
    open_above = counted(5, 3_000, 10_000)
    assert open_above.state is State.UNBOUNDED
    sentences = sharpen(open_above)
    assert sentences[0].startswith("the number of generated events limits the interval most: with 30000 generated")
    low, high = promised(sentences, "30000 generated events")
    assert low < 1 < high
    resolved = differential.from_distances([0.03], 10**7, 1000, 1000)
    assert resolved.state is State.UNBOUNDED
    assert len(promised(sharpen(resolved), "2000 true events")) == 2


def test_folds_are_sharpened_with_larger_references():
    found = differential.combine([differential.from_distances([d], 10**6, 200, 800) for d in (0.1, 0.12, 0.14)])
    expected = MEAN * np.sqrt(1 / found.n_equiv + 1 / 400 + 1e-6)
    larger = differential.combine([differential.from_distances([expected], 10**6, 400, 800)] * 3)
    change = "400 true events in each of 3 references instead of 200"
    assert promised(sharpen(found), change) == pytest.approx(larger.interval, rel=0.05)


def test_nothing_sharpens_what_is_sharp():
    assert sharpen(counted(2000, 10**6, 10_000)) == ()
    assert sharpen(differential.from_distances([0.9], 10**7, 1000, 1000)) == ()
