"""The result object: words, JSON, figures."""

import json

import matplotlib as mpl
import numpy as np
import pytest

from gampl import averaging
from gampl.basics import NoteCode
from gampl.result import State

mpl.use("agg")
RNG = np.random.default_rng(1)
N_GEN = np.array([100, 1000, 10_000])


def result(width: float, truth: list[float] | None = None):
    p = np.clip(0.3 + width * RNG.normal(size=20), 0.01, 0.99)
    counts = np.cumsum([RNG.binomial(n, p) for n in np.diff(N_GEN, prepend=0)], axis=0)
    return averaging.from_counts(counts, N_GEN, 500, truth=truth)


def limit_result():
    """Members whose counts agree better than counting allows."""
    counts = np.full(20, 3000) + np.arange(20) % 2
    return averaging.from_counts(counts, 10_000, 500)


def test_words_name_the_state():
    assert "value" in str(result(0.05))
    limited = limit_result()
    assert limited.state is State.LOWER_LIMIT
    assert "≥" in str(limited)
    assert "lower limit" in str(limited)


def test_numbers_read_without_exponents_as_long_as_possible():
    integrals = 0.3 + 1e-4 * RNG.normal(size=(50, 1))
    text = str(averaging.from_integrals(integrals, 1000))
    assert "e+0" not in text.splitlines()[0]


def test_interval_brackets_the_estimate_and_scales_with_n_train():
    r = result(0.05)
    assert r.interval.low < r.G < r.interval.high
    assert r.n_equiv_interval.low == pytest.approx(500 * r.interval.low)


def test_few_members_are_noted():
    r = averaging.from_counts([[30], [50], [40]], 100, 10)
    assert r.notes[0].code is NoteCode.FEW_MEMBERS
    assert "note: 3 members" in str(r)


def test_json_round_trip():
    plain = json.loads(json.dumps(result(0.05, [0.3]).to_dict()))
    assert plain["state"] == "value"
    assert len(plain["curve"]["sigma_est"]) == 3
    assert plain["G"] == pytest.approx(plain["n_equiv"] / 500)


@pytest.mark.parametrize("make", [lambda: result(0.05, [0.3]), lambda: result(0.0), limit_result])
def test_every_point_is_drawn(make):
    r = make()
    ax = r.plot()
    drawn = [line.get_xdata() for line in ax.lines if line.get_marker() in ("o", "v")]
    points = np.concatenate([np.asarray(x, dtype=float) for x in drawn])
    # a NaN is an invisible point of the error-bar line: each n_gen must have one visible marker
    visible = set()
    for line in ax.lines:
        if line.get_marker() in ("o", "v"):
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            visible |= set(x[np.isfinite(y)])
    assert visible == set(r.curve.n_gen)
    assert points.size >= r.curve.n_gen.size
    mpl.pyplot.close(ax.figure)


def test_exact_integrals_draw_lines():
    integrals = np.clip(0.3 + 0.01 * RNG.normal(size=(20, 1)), 0, 1)
    r = averaging.from_integrals(integrals, 500, truth=[0.3])
    crossing = np.interp(0, np.log(r.curve.sigma_model / r.curve.sigma_stat), np.log(r.curve.n_gen))
    assert np.exp(crossing) == pytest.approx(r.n_equiv, rel=1e-6)
    ax = r.plot()
    assert ax.get_xscale() == "log"
    mpl.pyplot.close(ax.figure)


def test_a_single_n_gen_shows_the_crossing():
    p = np.clip(0.3 + 0.01 * RNG.normal(size=20), 0, 1)
    r = averaging.from_counts(RNG.binomial(20_000, p), 20_000, 500)
    ax = r.plot()
    left, right = ax.get_xlim()
    assert left < min(500, r.n_equiv_interval.low)
    assert right > max(20_000, r.n_equiv)
    markers = {line.get_label(): line.get_marker() for line in ax.lines}
    assert markers[r"$\sigma_{\rm est}$"] == "s"
    mpl.pyplot.close(ax.figure)
