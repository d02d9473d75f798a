"""The differential estimator: the crossing of Eq. (36), its three entrances, what it says and refuses.

How often its intervals are right is tested in test_differential_coverage.py.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from gampl import averaging
from gampl.differential import combine, from_distances, from_samples
from gampl.kolmogorov import DifferentialCurve, distance_interval, n_equiv
from gampl.regions import radius
from gampl.result import Note, NoteCode, State

MEAN = np.sqrt(np.pi / 2) * np.log(2)  # <K>
N_GEN = [1000, 10_000, 10**6]
FAR, RESOLVED, CLOSE = 0.1, 0.029, 0.02  # of a reference of 1000 events, whose expected distance is 0.027


def result(distance, **options):
    return from_distances([np.full(3, distance)], N_GEN, 1000, 1000, **options)


def texts(found):
    return " | ".join(map(str, found.notes))


def codes(found):
    return [note.code for note in found.notes]


@settings(max_examples=300)
@given(
    distance=st.floats(1e-3, 1),
    n_ref=st.floats(10, 1e6),
    n_gen=st.one_of(st.just(np.inf), st.floats(1e3, 1e12)),
)
def test_the_crossing_solves_the_printed_equation(distance, n_ref, n_gen):
    """Eq. (36) as printed, with n_ref for its n_train; the fluctuation of few generated events is taken off first."""
    n = n_equiv(distance, n_ref, n_gen)
    if np.isinf(n):
        assert distance <= MEAN * np.sqrt(1 / n_ref + 1 / n_gen)
    else:
        limit = np.sqrt(distance**2 - MEAN**2 / n_gen)
        assert MEAN * np.sqrt((n + n_ref) / (n * n_ref)) == pytest.approx(limit, rel=1e-6)


def test_known_crossings():
    assert n_equiv(MEAN * np.sqrt(2 / 1000), 1000) == pytest.approx(1000)
    assert n_equiv(MEAN * np.sqrt(1 / 100), np.inf) == pytest.approx(100)
    # the paper's G = 22 is only 2 % above the expectation for true events
    assert n_equiv(0.8884 / np.sqrt(1000), 1000) / 1000 == pytest.approx(22, rel=0.03)
    assert n_equiv(MEAN / np.sqrt(1000), 1001) < np.inf == n_equiv(MEAN / np.sqrt(1000), 999)
    assert n_equiv(0, 10) == np.inf


@pytest.mark.parametrize("bad", [(np.nan, 10), (-0.1, 10), (1.1, 10), (0.5, 0), (0.5, np.nan), (0.5, 10, 0)])
def test_a_bad_crossing_is_not_infinite(bad):
    with pytest.raises(ValueError, match=r"distance must lie between 0 and 1|n_ref and n_gen must be positive"):
        n_equiv(*bad)


def test_stream_equals_distances_of_scipy():
    rng = np.random.default_rng(1)
    reference, members = rng.normal(size=(200, 2)), rng.normal(0.1, 1, (3, 5000, 2))
    told = []
    streamed = from_samples(
        (np.array_split(m, 7) for m in members),
        reference,
        100,
        n_gen=[500, 5000],
        summary=radius,
        progress=lambda *about: told.append(about),
    )
    distances = [[stats.ks_2samp(radius(m[:n]), radius(reference)).statistic for n in (500, 5000)] for m in members]
    np.testing.assert_allclose(streamed.curve.distances, distances, atol=1e-12)
    given_distances = from_distances(distances, [500, 5000], 200, 100)
    assert streamed.n_equiv == pytest.approx(given_distances.n_equiv)
    assert streamed.interval == pytest.approx(given_distances.interval)
    assert streamed.n_equiv == pytest.approx(n_equiv(np.mean(distances, axis=0)[1], 200, 5000))
    assert streamed.n_equiv == pytest.approx(100 * streamed.G)
    assert (streamed.method, streamed.n_members, streamed.curve.n_ref) == ("differential", 3, 200)
    assert [done for member, done in told if member == 2][-1] == 5000


def test_one_dimensional_events_are_their_own_summary():
    rng = np.random.default_rng(2)
    events, reference = rng.normal(size=1000), rng.normal(size=50)
    flat, column = (
        from_samples([[e]], r, 50, n_gen=1000) for e, r in ((events, reference), (events[:, None], reference))
    )
    assert flat.interval == column.interval


@pytest.mark.parametrize(
    ("distance", "state", "words", "note"),
    [
        (FAR, State.VALUE, " to ", ""),
        (RESOLVED, State.UNBOUNDED, "at least", "below resolution: 1000 reference events cannot exclude"),
        (CLOSE, State.LOWER_LIMIT, "≥", "compatible with the true density: G has only a lower limit"),
    ],
)
def test_the_state_is_said_in_words(distance, state, words, note):
    found = result(distance)
    assert found.state is state
    assert words in found.words
    assert str(state) in str(found)
    assert note in texts(found)
    low, high = found.interval
    assert 0 < low <= found.G <= high
    assert np.isfinite(high) == (state is State.VALUE)
    assert np.isinf(found.G) == (state is State.LOWER_LIMIT)


@settings(max_examples=200)
@given(
    distances=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    n_ref=st.integers(10, 10**5),
    n_gen=st.integers(10, 10**9),
    levels=st.tuples(st.floats(0.58, 0.99), st.floats(0.58, 0.99)),
)
def test_the_interval_holds_the_estimate_and_grows_with_the_level(distances, n_ref, n_gen, levels):
    narrow, wide = (from_distances(distances, n_gen, n_ref, 1000, level=level) for level in sorted(levels))
    assert narrow.interval.low <= narrow.G * (1 + 1e-9)
    assert narrow.interval.high >= narrow.G * (1 - 1e-9)
    assert wide.interval.low <= narrow.interval.low * (1 + 1e-9)
    assert wide.interval.high >= narrow.interval.high * (1 - 1e-9)


@settings(max_examples=200)
@given(
    distance=st.floats(0, 0.5),
    farther=st.floats(1e-6, 0.5),
    n_ref=st.integers(10, 10**6),
    n_gen=st.one_of(st.just(np.inf), st.floats(10, 1e9)),
    level=st.floats(0.58, 0.99),
    folds=st.integers(1, 5),
)
def test_the_ends_rise_with_the_distance_and_without_a_jump(distance, farther, n_ref, n_gen, level, folds):
    near, far = (
        distance_interval(DifferentialCurve(np.array([n_gen]), np.array([[d]]), n_ref, folds), level)
        for d in (distance, distance + farther)
    )
    for end, higher in zip(near, far, strict=True):
        assert -1e-12 <= higher - end <= 3 * farther + 1e-12


@settings(max_examples=100)
@given(M=st.floats(0, 10), n_ref=st.integers(1000, 10**6), level=st.floats(0.58, 0.99), more=st.floats(1.1, 100))
def test_the_ends_scale_with_the_root_of_the_reference(M, n_ref, level, more):
    """But for the upper end's half step."""
    ends = [
        np.sqrt(n)
        * (np.array(distance_interval(DifferentialCurve(np.array([np.inf]), np.array([[d]]), n), level)) - [0, 0.5 / n])
        for n in (n_ref, more * n_ref)
        for d in [M / np.sqrt(n) / 12]
    ]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("level", [0.683, 0.95])
def test_a_fluctuation_downwards_claims_no_more_than_the_sensitivity(level):
    """The median limit of a perfect generator, here of 10^5 values of K."""
    lows = [
        from_distances([K / np.sqrt(1000)], np.inf, 1000, 1000, level=level).interval.low
        for K in np.sort(stats.kstwobign.rvs(size=10**5, random_state=9))[::100]
    ]
    assert max(lows) == pytest.approx(np.median(lows), rel=0.02)
    assert result(0.001, level=level).interval.low == pytest.approx(max(lows), rel=1e-3)


def test_a_reused_reference_is_labelled():
    assert NoteCode.REUSED in codes(result(FAR, reference_is="training"))
    assert "biased" in str(result(FAR, reference_is="training"))
    assert NoteCode.REUSED not in codes(result(FAR))
    rng = np.random.default_rng(3)
    streamed = from_samples([rng.normal(size=1000)], rng.normal(size=50), 50, reference_is="training")
    assert NoteCode.REUSED in codes(streamed)


def test_too_close_is_suspicious():
    """K = 0.36 happens to independent samples once in a thousand times, and 0.45 more often."""
    assert "was it used in the training?" in texts(result(0.36 / np.sqrt(1000)))
    assert "was it used in the training?" not in texts(result(0.45 / np.sqrt(1000)))


def test_a_reference_larger_than_the_stream_is_noted():
    rng = np.random.default_rng(4)
    found = from_samples([rng.normal(size=100)], rng.normal(size=1000), 100)
    assert "100 generated events are fewer than 10 times the 1000 reference events" in texts(found)
    assert found.interval.low < 1
    assert np.isinf(found.interval.high)
    assert "fewer than 10 times" not in texts(from_samples([rng.normal(size=1000)], rng.normal(size=100), 100))


def test_lost_events_are_noted():
    rng = np.random.default_rng(5)
    members = rng.normal(size=(2, 10_000))
    members[0, :3] = members[1, 7] = np.nan
    found = from_samples([[m] for m in members], rng.normal(size=100), 100)
    assert "4 events with a non-finite summary" in texts(found)
    with pytest.raises(ValueError, match="member 0: 3 of 10000 events have a non-finite summary"):
        from_samples([[m] for m in members], rng.normal(size=100), 100, max_lost=2e-4)


def test_combined_distances_are_averaged_and_their_notes_kept():
    rng = np.random.default_rng(6)
    distances = 0.05 + 0.01 * rng.random((5, 4, 3))
    parts = [from_distances(d, N_GEN, 1000 + 10 * k, 800) for k, d in enumerate(distances)]
    lost = Note(NoteCode.LOST_EVENTS, "3 lost")
    parts[2] = from_distances(distances[2], N_GEN, 1020, 800, reference_is="training", notes=(lost,))
    found = combine(parts)
    np.testing.assert_allclose(found.curve.distances, distances.mean(axis=1))
    assert (found.n_members, found.curve.folds, found.curve.n_ref, found.n_train) == (20, 5, 1020, 800)
    assert found.n_equiv == pytest.approx(n_equiv(distances.mean(axis=(0, 1))[-1], 1020, 10**6))
    single = np.mean([np.diff(np.log(p.interval))[0] for p in parts])
    assert np.diff(np.log(found.interval))[0] < 0.9 * single
    assert codes(found) == [NoteCode.REUSED, NoteCode.LOST_EVENTS]


def test_what_is_said_of_a_fold_is_not_said_of_all():
    parts = [from_distances([d], 10**6, 1000, 800) for d in (CLOSE, 0.04, 0.04, 0.04, 0.04)]
    assert "only a lower limit" in texts(parts[0])
    assert combine(parts).notes == ()


OTHER = averaging.from_counts([[30], [50], [40]], 100, 1000)
ONE = from_distances([0.1], 10**6, 1000, 1000)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "at least 2 results to combine"),
        ([ONE], "at least 2 results to combine"),
        ([ONE, OTHER], "all differential"),
        ([combine([ONE, ONE]), ONE], "with a single reference each"),
        ([ONE, from_distances([[0.1, 0.1]], [10, 10**6], 1000, 1000)], "differ in the number of steps or in level"),
        ([ONE, from_distances([0.1], 10**6, 1000, 1000, level=0.9)], "differ in the number of steps or in level"),
        ([ONE, from_distances([0.1], 10**5, 1000, 1000)], "more than 10 % in n_train, n_gen or the size"),
        ([ONE, from_distances([0.1], 10**6, 1500, 1000)], "more than 10 % in n_train, n_gen or the size"),
        ([ONE, from_distances([0.1], 10**6, 1000, 1500)], "more than 10 % in n_train, n_gen or the size"),
    ],
)
def test_what_cannot_be_combined_is_named(results, message):
    with pytest.raises(ValueError, match=message):
        combine(results)


NORMAL = np.random.default_rng(7).normal(size=100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_distances([0.1, np.nan], 10**6, 10, 10), "distances must lie between 0 and 1"),
        (lambda: from_distances([-0.1], 10**6, 10, 10), "distances must lie between 0 and 1"),
        (lambda: from_distances([1.1], 10**6, 10, 10), "distances must lie between 0 and 1"),
        (lambda: from_distances([], 10**6, 10, 10), r"distances must have shape \(members, 1\), got \(0,\)"),
        (lambda: from_distances(0.1, 10**6, 10, 10), r"distances must have shape \(members, 1\), got \(\)"),
        (lambda: from_distances([0.1, 0.2], [10, 20], 10, 10), r"distances must have shape \(members, 2\), got \(2,\)"),
        (lambda: from_distances([[0.1, 0.2]], 10, 10, 10), r"distances must have shape \(members, 1\)"),
        (lambda: from_distances([0.1], 0, 10, 10), r"n_gen must be .*positive"),
        (lambda: from_distances([0.1], np.nan, 10, 10), r"n_gen must be .*positive"),
        (lambda: from_distances([[0.1, 0.1]], [20, 10], 10, 10), r"n_gen must be .*increasing"),
        (lambda: from_distances([0.1], 10, 0, 10), "n_ref must be a positive number of events, got 0"),
        (lambda: from_distances([0.1], 10, np.nan, 10), "n_ref must be a positive number of events, got nan"),
        (lambda: from_distances([0.1], 10, 10, 0), "n_train must be a positive whole number of events, got 0"),
        (lambda: from_distances([0.1], 10, 10, 1.5), "n_train must be a positive whole number of events, got 1.5"),
        (lambda: from_distances([0.1], 10, 10, "10"), "n_train must be a positive whole number of events, got '10'"),
        (lambda: from_distances([0.1], 10, 10, 10, level=0.5), "level must lie between 0.57 and 1, got 0.5"),
        (lambda: from_distances([0.1], 10, 10, 10, level=68), "level must lie between 0.57 and 1, got 68"),
        (lambda: from_distances([0.1], 10, 10, 10, level=np.nan), "level must lie between 0.57 and 1, got nan"),
        (lambda: from_distances([0.1], 10, 10, 10, reference_is="test"), 'must be "holdout" or "training", got \'test'),
        (lambda: from_samples([], NORMAL, 10), "members is empty: expected at least one sample"),
        (lambda: from_samples([[NORMAL]], [], 10), "reference must hold one number per event"),
        (lambda: from_samples([[NORMAL]], [1.0, np.nan], 10), "reference: 1 of 2 values is not finite"),
        (lambda: from_samples([[NORMAL]], np.ones(9), 10), "reference: all 9 values are 1; a constant summary"),
        (lambda: from_samples([[NORMAL]], np.ones((9, 2)), 10), "events have 2 coordinates"),
        (
            lambda: from_samples([[NORMAL]], NORMAL, 10, n_gen=101),
            "member 0: has 100 events, expected n_gen = 101",
        ),
        (lambda: from_samples([[NORMAL], []], NORMAL, 10, n_gen=10), "member 1: holds no events"),
        (lambda: from_samples([[NORMAL]], NORMAL, 10, n_gen=[20, 10]), "n_gen must be whole numbers"),
        (
            lambda: from_samples([[NORMAL]], NORMAL, 10, n_gen=10, summary=np.mean),
            "summary must give one number per event",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("distance", [FAR, RESOLVED, CLOSE])
def test_json_round_trip(distance):
    found = result(distance)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["state"] == str(found.state)
    assert [*map(float, plain["interval"])] == list(found.interval)  # which reads "inf"
    assert float(plain["G"]) == found.G
    assert plain["degrees_of_freedom"] is None
    assert plain["curve"] == {"n_gen": N_GEN, "distances": [[distance] * 3], "n_ref": 1000, "folds": 1}


def test_numpy_numbers_of_events_are_plain_numbers():
    found = from_distances([FAR], 10**6, np.int64(1000), np.int64(500))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["n_train"] == 500


def test_it_needs_no_torch():
    code = "import sys, gampl.differential; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
