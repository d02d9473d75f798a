"""The result object: words and JSON."""

import json

import numpy as np
import pytest

from gampl import averaging
from gampl.result import NoteCode, State

RNG = np.random.default_rng(1)
N_GEN = np.array([100, 1000, 10_000])


def result(width: float, truth: list[float] | None = None):
    p = np.clip(0.3 + width * RNG.normal(size=20), 0.01, 0.99)
    counts = np.cumsum([RNG.binomial(n, p) for n in np.diff(N_GEN, prepend=0)], axis=0)
    return averaging.from_counts(counts, N_GEN, 500, truth=truth)


def limit_result():
    """Members whose counts agree better than counting allows."""
    counts = np.full(20, 3000) + 50 * (np.arange(20) % 2)
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
    plain = json.loads(json.dumps(result(0.05, [0.3]).to_dict(), allow_nan=False))
    assert plain["state"] == "value"
    assert len(plain["curve"]["sigma_est"]) == 3
    assert plain["G"] == pytest.approx(plain["n_equiv"] / 500)
