"""Plans keep what they promise in pseudo-experiments, and are as small as they can be."""

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import special, stats

from gampl import averaging, differential, planning
from gampl.kolmogorov import MEAN, KolmogorovSmirnov
from gampl.result import NoteCode

P = 0.02  # probability of the region


def factor(result):
    low, high = result.interval
    return max(high / result.G, result.G / low) if np.isfinite(result.G) else np.inf


def share_tolerance(share, n):
    """4.5 binomial deviations: false-alarm rate 7e-6, and 0.02 for what the plan leaves out."""
    return 4.5 * np.sqrt(share * (1 - share) / n) + 0.02


# Averaging


def pseudo_experiments(plan, n, rng):
    """Members whose integrals scatter normally as a generator of this G has them, counted with n_gen events."""
    sigma = np.sqrt(P * (1 - P) / (plan.G * plan.n_train))
    integrals = rng.normal(P, sigma, (n, plan.members))
    counts = rng.binomial(plan.n_gen, integrals)
    return [averaging.from_counts(c, plan.n_gen, plan.n_train, level=plan.level) for c in counts]


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 1.5},
        {"precision": 3.0, "level": 0.95},
        {"precision": 1.5, "members": 40, "G": 5.0},  # few generated events: their noise is larger than the spread
        {"precision": 2.0, "members": 20, "assurance": 0.8},
        {"precision": 2.0, "assurance": 0.9, "G": 0.3},
    ],
    ids=str,
)
def test_averaging_keeps_the_factor_with_the_assurance(options):
    n = 500
    plan = planning.averaging(n_train=10_000, probability=P, **options)
    results = pseudo_experiments(plan, n, np.random.default_rng(1))
    factors = np.array([factor(r) for r in results])
    assert plan.factor <= options["precision"]
    # in one of twenty the tails of normal members look heavy, which makes the interval longer
    assert np.quantile(factors, plan.assurance) == pytest.approx(plan.factor, rel=0.04 + 0.2 * (plan.assurance - 0.5))
    kept = (factors <= plan.factor).mean()
    assert abs(kept - plan.assurance) < share_tolerance(plan.assurance, n), kept
    # the medians' own scatter is that of a variance with these degrees of freedom: 4.5 deviations
    scatter = 4.5 * 1.25 * np.sqrt(2 / (plan.members - 1) / n) * (1 + plan.G * plan.n_train / plan.n_gen)
    medians = np.median([r.interval for r in results], axis=0)
    assert np.abs(np.log(medians / plan.interval)).max() < scatter * factor(results[0])
    pooled = np.median([r.pooled.at_least for r in results])
    assert abs(np.log(pooled / plan.pooled_at_least)) < scatter * factor(results[0])


def oracle(members, n_gen, n_equiv, level, assurance):
    """The factor of a plan from Eqs. (15) to (18), in units of sigma_model^2 and without 1 / n_gen beside 1."""
    nu, noise = members - 1, n_equiv / n_gen
    total = stats.chi2.ppf(1 - assurance, nu) / nu * (1 + noise)
    low, high = (total * nu / stats.chi2.ppf(q, nu) - noise for q in ((1 + level) / 2, (1 - level) / 2))
    return max(high / (total - noise), (total - noise) / low) if low > 0 else np.inf


@settings(deadline=None, max_examples=60)
@given(
    precision=st.floats(1.1, 10),
    G=st.floats(0.1, 1000),
    level=st.sampled_from([0.6, 0.683, 0.95]),
    assurance=st.sampled_from([0.5, 0.8]),
)
def test_averaging_plans_are_minimal(precision, G, level, assurance):
    plan = planning.averaging(precision, 10_000, 0.1, G=G, level=level, assurance=assurance)
    n_equiv = G * 10_000
    best = {m: oracle(m, np.inf, n_equiv, level, assurance) for m in (plan.members - 1, plan.members) if m > 1}
    assert best[plan.members] ** 1.04 <= precision * (1 + 1e-9)
    assert plan.members == 2 or best[plan.members - 1] ** 1.04 > precision
    assert plan.factor == pytest.approx(oracle(plan.members, plan.n_gen, n_equiv, level, assurance), rel=0.01)
    wanted = best[plan.members] ** 1.04
    assert plan.factor <= wanted * (1 + 1e-9)
    fewer = plan.n_gen - 10 ** (len(str(plan.n_gen)) - 2)
    assert plan.inside >= 10
    assert 0.1 * fewer < 10 or oracle(plan.members, fewer, n_equiv, level, assurance) > wanted * 0.995
    low, high = plan.interval
    assert low < G < high


def test_alternatives_and_fixed_members_agree():
    plan = planning.averaging(1.5, 10_000, P)
    (fewer, more_members), (more, fewer_members) = plan.alternatives
    assert (fewer, more) == (plan.n_gen // 2, 2 * plan.n_gen)
    assert fewer_members <= plan.members <= more_members
    for n_gen, members in plan.alternatives:
        assert planning.averaging(1.5, 10_000, P, members=members).n_gen <= n_gen
        assert planning.averaging(1.5, 10_000, P, members=members).factor <= 1.5


def test_members_that_cannot_do_are_named_with_those_that_can():
    with pytest.raises(ValueError, match=r"precision 1.5 is out of reach with 10 members") as refused:
        planning.averaging(1.5, 10_000, P, members=10)
    least = int(str(refused.value).split()[-1])
    assert planning.averaging(1.5, 10_000, P, members=least).factor <= 1.5
    with pytest.raises(ValueError, match="out of reach"):
        planning.averaging(1.5, 10_000, P, members=least - 1)


def test_a_rare_region_takes_enough_events_and_a_note():
    plan = planning.averaging(1.5, 10_000, 1e-6)
    assert plan.n_gen == 10**7
    assert "scatter by 1000 % and not normally" in plan.notes[0].text
    assert planning.averaging(1.5, 10_000, P).notes == ()


# Differential


def narrow(D):
    """Distribution function of a generator that differs from uniform events by a narrow bump of D."""
    return lambda u: u - D * np.clip(1 - np.abs(u - 0.5) / max(0.05, D), 0, None)


def reference_and_generated(shape, D, n_ref, n_gen, rng):
    if shape == "smooth":  # N(delta, 1) against N(0, 1)
        return rng.normal(size=n_ref), rng.normal(2 * special.ndtri((1 + D) / 2), 1, n_gen)
    grid = np.linspace(0, 1, 2001)
    return rng.random(n_ref), np.interp(rng.random(n_gen), narrow(D)(grid), grid)


@pytest.mark.parametrize("shape", ["smooth", "narrow"])
@pytest.mark.parametrize(
    ("options", "within"),
    [
        ({"precision": 1.5}, 0.04),
        ({"precision": 2.0}, 0.09),
        ({"precision": 2.0, "assurance": 0.8}, 0.09),
        ({"precision": 3.0, "level": 0.95}, 0.16),
    ],
    ids=str,
)
def test_differential_keeps_the_factor_with_the_assurance(options, within, shape):
    """The bounds hold what the shape does (2, 5 and 10 %), and 4.5 standard errors of the quantile."""
    n, n_train = 250, 100
    plan = planning.differential(n_train=n_train, **options)
    rng = np.random.default_rng(2)
    results = []
    for _ in range(n):
        reference, generated = reference_and_generated(shape, MEAN / np.sqrt(n_train), plan.n_ref, plan.n_gen, rng)
        test = KolmogorovSmirnov(reference)
        test.update(generated)
        results.append(differential.from_distances([test.distance], plan.n_gen, plan.n_ref, n_train, level=plan.level))
    factors = np.array([factor(r) for r in results])
    assert plan.factor <= options["precision"]
    assert abs(np.log(np.quantile(factors, plan.assurance) / plan.factor)) < within
    if shape == "smooth":  # it is kept more often than promised
        assert (factors <= plan.factor).mean() > plan.assurance - share_tolerance(plan.assurance, n)
    assert NoteCode.FEW_GENERATED not in {note.code for note in results[0].notes}
    low, high = np.median([r.interval for r in results], axis=0)
    assert np.abs(np.log([low / plan.interval.low, high / plan.interval.high])).max() < 3 * within


@settings(deadline=None, max_examples=40)
@given(precision=st.floats(1.1, 5), G=st.floats(0.1, 1000), level=st.sampled_from([0.6, 0.683, 0.95]))
def test_differential_plans_are_minimal(precision, G, level):
    """The expected distance, Eq. (36), is put in as a measured one."""

    def factor_of(n_ref, n_gen):
        distance = MEAN * np.sqrt(1 / (1000 * G) + 1 / n_ref + 1 / n_gen)
        return factor(differential.from_distances([distance], n_gen, n_ref, 1000, level=level))

    plan = planning.differential(precision, 1000, G=G, level=level)
    assert factor_of(plan.n_ref, plan.n_gen) == pytest.approx(plan.factor)
    assert plan.factor <= precision
    fewer = plan.n_ref - 10 ** (len(str(plan.n_ref)) - 2)
    assert factor_of(fewer, np.inf) ** 1.04 > precision * (1 - 1e-9)
    fewer = plan.n_gen - 10 ** (len(str(plan.n_gen)) - 2)
    assert factor_of(plan.n_ref, fewer) > factor_of(plan.n_ref, np.inf) ** 1.04 * (1 - 1e-9)
    (half, more), (double, less) = plan.alternatives
    assert less <= plan.n_ref <= more
    assert max(factor_of(more, half), factor_of(less, double)) <= precision * (1 + 1e-9)
    assert np.isfinite(plan.interval).all()
    assert plan.interval.low < G < plan.interval.high


def test_a_small_holdout_takes_more_generated_events_or_cannot_do():
    needed = planning.differential(1.5, 1000).n_ref
    assert planning.differential(1.5, 1000, n_ref=2 * needed).n_gen < planning.differential(1.5, 1000).n_gen
    with pytest.raises(
        ValueError, match=r"precision 1.5 is out of reach with 1000 true events held out: .* takes 31000"
    ):
        planning.differential(1.5, 1000, n_ref=1000)


# Both


@pytest.mark.parametrize("plan", [planning.averaging(1.5, 10_000, P), planning.differential(1.5, 10_000)])
def test_words_and_json(plan):
    plain = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert plain["interval"] == list(plan.interval)
    assert plain["alternatives"][0]["n_gen"] == plan.alternatives[0].n_gen
    assert plain["words"] == plan.words
    assert f"{plan.n_gen} generated events" in plan.words
    assert "within a factor 1." in plan.words
    assert "in 50 % of experiments" in plan.words
    if isinstance(plan, planning.AveragingPlan):
        assert (plan.total, plan.inside, plan.n_check) == (plan.members * plan.n_gen, plan.n_gen * P, 100_000)
        assert "of them in each region" in planning.averaging(1.5, 10_000, P, regions=5).words


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("precision", 1.0, "a factor above 1, such as 1.5"),
        ("precision", np.nan, "a factor above 1"),
        ("precision", np.inf, "a factor above 1"),
        ("precision", 1 + 1e-12, "must not be that close to 1"),
        ("n_train", 0, "a whole number of events, at least 1"),
        ("n_train", 10.5, "a whole number of events"),
        ("n_train", np.inf, "a whole number of events"),
        ("G", 0, "1 to 1e15 equivalent events"),
        ("G", np.nan, "1 to 1e15 equivalent events"),
        ("G", 1e14, "1 to 1e15 equivalent events"),
        ("level", 68.3, "between 0.5 and 1"),
        ("level", 0.5, "between 0.5 and 1"),
        ("assurance", 0.2, "at least 0.5 and below 1"),
        ("assurance", 1, "at least 0.5 and below 1"),
        ("probability", 0, "between 0 and 1"),
        ("probability", 1, "between 0 and 1"),
        ("probability", np.nan, "between 0 and 1"),
        ("regions", 0, "a whole number, at least 1"),
        ("regions", 60, "within 1 for all regions"),
        ("members", 1, "a whole number, at least 2"),
        ("members", np.inf, "a whole number, at least 2"),
        ("n_ref", 0, "a whole number, at least 1"),
        ("n_ref", 1.5, "a whole number, at least 1"),
    ],
)
def test_bad_input_is_named(name, value, expected):
    named = "probability" if value == 60 else name
    given = {"precision": 1.5, "n_train": 1000, name: value}
    if name != "n_ref":
        with pytest.raises(planning.ArgumentError, match=rf"^{named} .*{expected}") as refused:
            planning.averaging(**{"probability": P} | given)
        assert (refused.value.argument, str(refused.value)) == (named, f"{named} {refused.value.problem}")
    if name not in ("probability", "regions", "members"):
        with pytest.raises(ValueError, match=rf"^{name} .*{expected.replace('0.5 and 1', '0.57 and 1')}"):
            planning.differential(**given)
