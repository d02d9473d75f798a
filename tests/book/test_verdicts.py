"""Verdicts: what holds for every statement and every interval, and what a long run of experiments gives."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from scipy import stats

from gampl_book.claims import Claim
from gampl_book.verdicts import FACTOR, LEVEL, WIDE, Range, Recorded, Says, Verdict, combine

MIRROR = {
    Says.BELOW: Says.ABOVE,
    Says.ABOVE: Says.BELOW,
    Says.AT_MOST_ABOUT: Says.AT_LEAST_ABOUT,
    Says.AT_LEAST_ABOUT: Says.AT_MOST_ABOUT,
    Says.ABOUT: Says.ABOUT,
}


def claim(says=Says.EQUALS, paper=1.0, **changes) -> Claim:
    return Claim("c", "3", "Eq. (1)", "t", "r", paper, says, **changes)


def verdict(of: Claim, value, low=None, high=None, level=LEVEL) -> Verdict:
    interval = None if low is None else Range(low, high)
    return of.judge(Recorded(value, interval, None if low is None else level))[0]


positive = st.floats(1e-4, 1e4)
kinds = st.sampled_from(sorted(MIRROR))
intervals = st.tuples(positive, positive).map(sorted)


@given(kinds, positive, intervals)
def test_a_wide_interval_agrees_with_nothing_that_it_does_not_prove(says, paper, ends):
    low, high = ends
    assume(high >= WIDE * low)
    of = claim(says, paper)
    assert verdict(of, low, low, high) not in {Verdict.CONSISTENT, Verdict.NOT_EXCLUDED}
    assert verdict(of, low, low, math.inf) not in {Verdict.CONSISTENT, Verdict.NOT_EXCLUDED}
    assert verdict(of, low, 0.0, high) not in {Verdict.CONSISTENT, Verdict.NOT_EXCLUDED}


@given(st.sampled_from([Says.ABOUT, Says.AT_MOST_ABOUT, Says.AT_LEAST_ABOUT]), positive, intervals)
def test_an_approximate_number_is_reproduced_at_its_scale_only(says, paper, ends):
    if verdict(claim(says, paper), ends[0], *ends) is Verdict.REPRODUCED:
        assert ends[0] >= paper / FACTOR * (1 - 1e-12)
        assert ends[1] <= paper * FACTOR * (1 + 1e-12)


@given(kinds, positive, intervals, st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
def test_a_shorter_interval_keeps_what_was_certain(says, paper, ends, part):
    low, high = ends
    shorter = [low + share * (high - low) for share in part]
    of = claim(says, paper)
    before, after = verdict(of, low, low, high), verdict(of, shorter[0], *np.clip(shorter, low, high))
    if before is Verdict.REPRODUCED:
        assert after is before
    if before is Verdict.DIFFERS:  # a number that was excluded stays so, but may turn out to be about the same
        assert after is before or (says is Says.ABOUT and after is Verdict.REPRODUCED)


@given(kinds, positive, intervals, st.integers(-6, 6))
def test_units_do_not_matter(says, paper, ends, power):
    scale = 2.0**power  # exact in floating point
    here = verdict(claim(says, paper), ends[0], *ends)
    assert verdict(claim(says, scale * paper), scale * ends[0], *(scale * end for end in ends)) is here


@given(kinds, st.integers(-8, 8), st.tuples(st.integers(-8, 8), st.integers(-8, 8)).map(sorted))
def test_more_is_the_mirror_of_less(says, paper, ends):
    """On a logarithmic axis; powers of two, so that inverses are exact."""
    low, high = (2.0**end for end in ends)
    here = verdict(claim(says, 2.0**paper), low, low, high)
    assert verdict(claim(MIRROR[says], 2.0**-paper), 1 / high, 1 / high, 1 / low) is here


@given(kinds, positive, intervals, st.floats(0.5, 0.99))
def test_only_one_level_decides(says, paper, ends, level):
    assume(level != LEVEL)
    assert verdict(claim(says, paper), ends[0], *ends, level=level) is Verdict.NOT_TESTED


@given(st.floats(0, 1))
def test_a_test_that_does_not_reject_proves_nothing(probability):
    tail = (1 - LEVEL) / 2
    expected = Verdict.NOT_EXCLUDED if tail <= probability <= 1 - tail else Verdict.DIFFERS
    assert verdict(claim(Says.LAW), probability) is expected


@pytest.mark.parametrize(
    ("of", "ours", "expected"),
    [
        (claim(paper=70, tolerance=0.5), (70.447,), Verdict.REPRODUCED),
        (claim(paper=70, tolerance=0.5), (71.15,), Verdict.DIFFERS),
        (claim(paper=70, tolerance=7), (66, 50, 80), Verdict.CONSISTENT),
        (claim(paper=70, tolerance=7), (66, 64, 69), Verdict.REPRODUCED),
        (claim(paper=70), (66, 60, 69), Verdict.DIFFERS),
        (claim(Says.AT_MOST_ABOUT), (0.0173, 0.0048, 0.03), Verdict.DIFFERS),
        (claim(Says.AT_MOST_ABOUT), (0.8, 0.6, 0.9), Verdict.REPRODUCED),
        (claim(Says.AT_MOST_ABOUT), (0.8, 0.6, 1.9), Verdict.CONSISTENT),
        (claim(Says.AT_LEAST_ABOUT), (12, 11, 14), Verdict.DIFFERS),
        (claim(Says.BELOW), (0.0173, 0.0048, 0.03), Verdict.REPRODUCED),
        (claim(Says.BELOW), (0.2, 0.003, 0.9), Verdict.REPRODUCED),  # wide, but all of it below
        (claim(Says.BELOW), (0.2, 0.003, 15), Verdict.NOT_TESTED),
        (claim(Says.BELOW), (0.9, 0.5, 1.5), Verdict.NOT_EXCLUDED),
        (claim(Says.BELOW), (1.4, 1.2, math.inf), Verdict.DIFFERS),
        (claim(Says.BELOW), (1.0, 0.5, 1.0), Verdict.NOT_EXCLUDED),  # the bound itself is not below
        (claim(Says.ABOUT, 22), (0.99, 0.3, math.inf), Verdict.NOT_TESTED),
        (claim(Says.BELOW), (0.4,), Verdict.NOT_TESTED),
        (claim(Says.BELOW, exact="counted"), (0.4,), Verdict.REPRODUCED),
        (claim(Says.ABOUT), (math.nan, 0.9, 1.1), Verdict.NOT_TESTED),
    ],
)
def test_examples(of, ours, expected):
    assert verdict(of, *ours) is expected


def test_a_true_statement_differs_as_often_as_the_level_says():
    """False alarms of 95 % intervals: 5 %, within five binomial standard deviations of 20000 experiments."""
    rng, n, error = np.random.default_rng(1), 20_000, 0.1
    logs = rng.normal(0, error, n)
    half = stats.norm.ppf((1 + LEVEL) / 2) * error
    of = claim(Says.ABOUT)
    alarms = np.mean([not (of.claimed.meets(Range(math.exp(x - half), math.exp(x + half)))) for x in logs])
    assert abs(alarms - (1 - LEVEL)) < 5 * np.sqrt(LEVEL * (1 - LEVEL) / n)


def test_a_quotient_covers_as_its_parts_do():
    """Of two lognormal numbers: the quadrature is exact, so the content is the level, within five sigma."""
    rng, n = np.random.default_rng(2), 4000
    z = stats.norm.ppf((1 + LEVEL) / 2)
    errors = (0.3, 0.5)
    covered = 0
    for logs in rng.normal(0, errors, (n, 2)):
        parts = [
            Recorded(math.exp(x), Range(math.exp(x - z * e), math.exp(x + z * e)), LEVEL)
            for x, e in zip(logs, errors, strict=True)
        ]
        covered += combine(parts, [1, -1]).interval.holds(Range(1.0, 1.0))
    assert abs(covered / n - LEVEL) < 5 * np.sqrt(LEVEL * (1 - LEVEL) / n)


triples = st.tuples(positive, positive, positive).map(sorted)


@given(triples, triples)
def test_a_quotient_is_no_wider_than_the_extreme_cases(first, second):
    (low, a, high), (lower, b, higher) = first, second
    ours = combine([Recorded(a, Range(low, high), LEVEL), Recorded(b, Range(lower, higher), LEVEL)], [1, -1])
    assert ours.value == pytest.approx(a / b)
    assert low / higher <= ours.interval.low * (1 + 1e-9)
    assert ours.interval.high <= high / lower * (1 + 1e-9)


def test_quotients_of_extremes():
    lower_limit = Recorded(math.inf, Range(4.0, math.inf), LEVEL)
    number = Recorded(2.0, Range(1.0, 8.0), LEVEL)
    assert combine([lower_limit, number], [1, -1]) == Recorded(math.inf, Range(0.5, math.inf), LEVEL)
    assert combine([number, lower_limit], [1, -1]) == Recorded(0.0, Range(0.0, 2.0), LEVEL)
    assert combine([number, Recorded(4.0)], [1, -1]).interval == pytest.approx(Range(0.25, 2.0))
    assert combine([Recorded(3.0), Recorded(4.0)], [1, -1]) == Recorded(0.75)
    assert combine([number, number._replace(level=0.683)], [1, -1]).level == 0.683
