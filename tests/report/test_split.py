"""Upper limits of n_equiv by counting: exact for tiny samples, their coverage for large ones, and what is refused."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from gampl.kolmogorov import MEAN, Law, worth
from gampl.ratio import exact_log_ratio
from gampl.report import split
from gampl.report.split import Halves, Share, counted_at, difference_at_least, from_halves, from_samples

LEVELS = (0.683, 0.95)
N = 600  # pseudo-experiments
SHIFT = 0.3


def allowed(level, n=N):
    """Coverage that is too low by 4.5 binomial deviations: a false alarm in 3.4e-6 of cases."""
    return level - 4.5 * np.sqrt(level * (1 - level) / n)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 30), (2, 7), (12, 3), (3, 40), (15, 15), (9, 11)])
def test_the_difference_of_two_shares_is_covered_exactly(n, m, level):
    """All outcomes are added up, without chance, for probabilities on a grid."""
    limits = np.array(
        [[difference_at_least(Share(k, n), Share(i, m), level) for i in range(m + 1)] for k in range(n + 1)]
    )
    p, q = (grid[None, None] for grid in np.meshgrid(np.linspace(0, 1, 61), np.linspace(0, 1, 61)))
    k, i = np.arange(n + 1)[:, None, None, None], np.arange(m + 1)[:, None, None]
    covered = limits[..., None, None] <= np.maximum(p - q, 0) + 1e-9
    coverage = (stats.binom.pmf(k, n, p) * stats.binom.pmf(i, m, q) * covered).sum(axis=(0, 1))
    assert coverage.min() >= level - 1e-4, coverage.min()
    # limits rise with what is seen
    assert (np.diff(limits, axis=0) > -1e-9).all()
    assert (np.diff(limits, axis=1) < 1e-9).all()


@pytest.mark.parametrize("level", LEVELS)
def test_against_a_known_share_it_is_the_limit_of_clopper_and_pearson(level):
    n, known = 80, 10**9
    for k in (45, 60, 80):
        exact = stats.binomtest(k, n, alternative="greater").proportion_ci(level).low - 0.4
        limit = difference_at_least(Share(k, n), Share(int(0.4 * known), known), level)
        assert exact - 0.004 < limit < exact + 1e-4
        # the other way round, with the numbers outside in place of those inside
        assert difference_at_least(Share(int(0.6 * known), known), Share(n - k, n), level) == pytest.approx(limit)


@pytest.mark.parametrize("level", LEVELS)
def test_large_samples_have_the_normal_limit(level):
    first, second = Share(580_000, 10**6), Share(4_000_000, 8 * 10**6)
    normal = 0.08 - stats.norm.ppf(level) * np.sqrt(0.58 * 0.42 / 10**6 + 0.25 / (8 * 10**6))
    assert difference_at_least(first, second, level) == pytest.approx(normal, abs=1e-5)


# true events, generated events, distance of the two distribution functions
SHAPES = {
    "equal": (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(size=n), 0.0),
    "shift": (
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.normal(SHIFT, 1, size=n),
        2 * stats.norm.cdf(SHIFT / 2) - 1,
    ),
    "counts": (
        lambda rng, n: rng.poisson(2.0, size=n),
        lambda rng, n: rng.poisson(2.4, size=n),
        np.max(stats.poisson.cdf(range(20), 2.0) - stats.poisson.cdf(range(20), 2.4)),
    ),
    "two values": (lambda rng, n: rng.random(n) < 0.9, lambda rng, n: rng.random(n) < 0.8, 0.1),
    "printed": (  # the same distribution in another precision
        lambda rng, n: rng.normal(size=n).round(1),
        lambda rng, n: rng.normal(size=n).round(1).astype(np.float32),
        0.0,
    ),
}


@cache
def experiments(shape):
    """Limits of D, (experiments, levels), of 90 true and 400 generated events, whose halves are counted."""
    true, generated, _ = SHAPES[shape]
    rng = np.random.default_rng(7)
    limits = np.empty((N, len(LEVELS)))
    for k in range(N):
        halves = Halves(np.asarray(true(rng, 90)) * 1.0, seed=k)
        halves.update(np.asarray(generated(rng, 400)))
        limits[k] = [difference_at_least(*counted_at([halves])[1:], level) for level in LEVELS]
    return limits


@pytest.mark.parametrize("shape", SHAPES)
def test_limits_of_the_distance_hold_as_often_as_they_say(shape):
    D = SHAPES[shape][2]
    for level, limits in zip(LEVELS, experiments(shape).T, strict=True):
        assert np.mean(limits <= D) > allowed(level), (shape, level)


def test_a_perfect_generator_is_excluded_nearly_as_often_as_it_may():
    """An exact limit that never excludes anything would cover, too: here at least half of what is allowed is used."""
    for level, limits in zip(LEVELS, experiments("equal").T, strict=True):
        assert np.mean(limits > 0) > (1 - level) / 2


def test_the_limit_follows_from_the_distance_and_approaches_the_truth():
    rng, D = np.random.default_rng(3), SHAPES["shift"][2]
    limit = from_samples([rng.normal(SHIFT, 1, size=400_000)], rng.normal(size=40_000), 1000, level=0.95)
    assert limit.n_equiv_at_most == worth(limit.distance_at_least)
    assert limit.G_at_most == limit.n_equiv_at_most / 1000
    # four deviations of 20 000 events: the limit is two of them below the truth
    assert D - 4.5 * 0.5 / np.sqrt(20_000) < limit.distance_at_least < D + 2.5 * 0.5 / np.sqrt(20_000)
    assert limit.place.startswith("<=") or limit.place.startswith("<")
    assert f"n_equiv is at most {limit.n_equiv_at_most:.0f}" in str(limit)
    assert limit.to_dict()["true"] == list(limit.true)


def test_values_with_ties_have_their_own_mean_distance():
    rng = np.random.default_rng(4)
    true, generated = rng.poisson(2.0, size=2000), rng.poisson(3.0, size=9000)
    limit = from_samples([generated], true, 1000)
    mean = Law.of(true).mean
    assert mean < 0.8 * MEAN
    assert limit.n_equiv_at_most == (mean / limit.distance_at_least) ** 2


@pytest.mark.parametrize("seed", range(5))
def test_identical_samples_have_no_upper_limit(seed):
    """At 99.9 %: the lots of either sample are others, so that a limit comes by chance in at most 0.1 % of cases."""
    x = np.random.default_rng(seed).normal(size=500)
    for options in ({"cut": 0.0}, {"level": 0.999}, {"level": 0.999, "share": 0.2}):
        limit = from_samples([x], x, 100, seed=seed, **options)
        assert limit.n_equiv_at_most == np.inf
        assert "no upper limit" in str(limit)
        assert limit.to_dict()["n_equiv_at_most"] == "inf"


@pytest.mark.parametrize(
    ("true", "generated"), [([0.0, 1.0], [0.5]), ([1.0, 1.0], [1.0, 1.0, 1.0]), ([1, 2, 3], [9] * 4)]
)
@pytest.mark.parametrize("seed", range(4))
def test_tiny_samples_have_no_limit_at_95_percent(true, generated, seed):
    limit = from_samples([np.array(generated, dtype=float)], true, 3, level=0.95, seed=seed)
    assert limit.n_equiv_at_most == np.inf


def test_the_place_of_a_likelihood_ratio_needs_no_events():
    rng, true, gen = np.random.default_rng(6), stats.norm(0, 1), stats.norm(SHIFT, 1)
    ratio = exact_log_ratio(lambda x: true.logpdf(x[:, 0]), lambda x: gen.logpdf(x[:, 0]))
    reference, events = rng.normal(size=(2000, 1)), rng.normal(SHIFT, 1, size=(20_000, 1))
    limit = from_samples([events], reference, 1000, summary=ratio, cut=0.0, level=0.95)
    assert (limit.true.total, limit.generated.total, limit.place) == (2000, 20_000, "> 0")
    assert limit.true.inside == np.sum(reference < SHIFT / 2)
    assert limit.generated.inside == np.sum(events < SHIFT / 2)
    chosen = from_samples([events], reference, 1000, summary=ratio, level=0.95)
    assert (chosen.true.total, chosen.place[0]) == (1000, ">")
    # counting all rather than half of them leaves less than the root of 2, with room for chance (4 deviations)
    assert limit.n_equiv_at_most < 1.5 * chosen.n_equiv_at_most


def test_counts_are_those_of_the_events_and_do_not_depend_on_batches():
    rng = np.random.default_rng(8)
    true, generated = rng.normal(size=301).round(1), rng.normal(0.5, 1, size=2000).round(1)
    whole, parts = Halves(true, share=0.25, seed=5), Halves(true, share=0.25, seed=5)
    whole.update(generated)
    for part in np.split(generated, [1, 2, 700, 1999]):
        parts.update(part)
    assert (whole.generated == parts.generated).all()
    assert whole.true.sum() == 301
    assert whole.true[0].sum() == 75
    assert abs(whole.generated[0].sum() - 500) < 4.5 * np.sqrt(2000 * 0.25 * 0.75)
    limit = from_halves([whole], 10)
    side, end = limit.place.split()
    at_end = float(end)
    is_in = {"<=": np.less_equal, "<": np.less, ">": np.greater, ">=": np.greater_equal}[side]
    inside = sum(is_in(np.round(x, 6), at_end).sum() for x in (true, generated))
    assert limit.true.inside + limit.generated.inside < inside
    # the first part, which has chosen, and the second one are all
    cell, is_below = split._largest(whole.true[0], whole.generated[0])
    first = [split._inside(counts[0], cell, is_below).inside for counts in (whole.true, whole.generated)]
    assert sum(first) + limit.true.inside + limit.generated.inside == inside


def test_members_are_pooled():
    rng = np.random.default_rng(9)
    reference = rng.normal(size=4000)
    shifted = [rng.normal(shift, 1, size=20_000) for shift in (-0.4, 0.4)]
    each = [from_samples([events], reference, 1000).n_equiv_at_most for events in shifted]
    pooled = from_samples(shifted, reference, 1000)
    assert pooled.generated.total == pytest.approx(20_000, abs=4.5 * np.sqrt(10_000))
    assert pooled.n_equiv_at_most > 3 * max(each)  # in the pool the shifts cancel, but for the width


def test_lost_events_lie_above_all_and_are_limited():
    rng = np.random.default_rng(10)
    reference, events = rng.normal(size=200), rng.normal(size=2000)
    events[:4] = np.nan, np.inf, -np.inf, np.nan
    halves = Halves(reference)
    halves.update(events)
    assert halves.n_lost == 4
    assert halves.generated[:, -1].sum() == 4 + np.sum(events[4:] > halves._ends[1, -1])
    assert from_halves([halves], 100, max_lost=0.01).generated.total + halves.generated[0].sum() == 2000
    with pytest.raises(ValueError, match="4 of 2000 events have a non-finite summary"):
        from_halves([halves], 100)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"reference": [1.0]}, "at least 2 events, one for each part"),
        ({"reference": [1.0, np.nan]}, "hold finite numbers"),
        ({"share": 1.0}, "share must lie between 0 and 1"),
        ({"share": np.nan}, "share must lie between 0 and 1"),
        ({"cut": np.inf}, "cut must be finite"),
        ({"level": 0.4}, "level must lie between 0.5 and 1"),
        ({"n_train": 0}, "n_train must be a positive whole number"),
        ({"n_gen": 99}, "has 50 events, expected n_gen = 99"),
        ({"members": []}, "members is empty"),
        ({"summary": lambda x: x[:3]}, "give one number per event"),
    ],
)
def test_bad_input_is_refused(change, problem):
    rng = np.random.default_rng(11)
    arguments = {"members": [rng.normal(size=50)], "reference": rng.normal(size=50), "n_train": 10} | change
    with pytest.raises(ValueError, match=problem):
        from_samples(**arguments)


def test_weights_and_impossible_shares_are_refused():
    halves = Halves([1.0, 2.0])
    with pytest.raises(ValueError, match="events of equal weight"):
        halves.update([1.0], [1.0])
    for first in (Share(3, 2), Share(-1, 2), Share(0, 0)):
        with pytest.raises(ValueError, match="first must be events out of at least one"):
            difference_at_least(first, Share(1, 2), 0.9)
