"""Copies, memories of the training sample and members unlike the others are found; honest members are not suspected."""

import numpy as np
import pytest

from gampl.report import suspects
from gampl.report.suspects import Kept, copies, memories, repeating

N_TRAIN = 1000


def kept(events, batch=7000):
    """What is kept of a member's events, (n,) or (n, columns), which come in batches."""
    rows = np.asarray(events, dtype=np.float64).reshape(len(events), -1)
    made = Kept()
    for start in range(0, len(rows), batch):
        made.update({f"x{k}": x for k, x in enumerate(rows[start : start + batch].T)})
    return made


def suspected(train, holdout, samples):
    """What is said of the samples: of memories, copies and repeats."""
    members = {f"m{k}": kept(events) for k, events in enumerate(samples)}
    true = None if train is None else train.reshape(len(train), -1)
    said = [] if true is None else [*memories(true, holdout.reshape(len(holdout), -1), members)]
    same = copies(members)
    single = {name: sample for name, sample in members.items() if name not in {n for g in same for n in g[1:]}}
    return said, same, [*repeating(single)]


def single_precision(x, _):
    return x.astype(np.float32)


def as_text(x, _):
    return np.char.mod("%.6g", x).astype(float)


def as_it_is(x, _):
    return x


def smeared(x, rng):
    return x + rng.normal(scale=1e-3, size=x.shape)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("disguise", [as_it_is, single_precision, as_text, smeared])
def test_a_memory_of_the_training_sample_is_found(disguise, columns):
    rng = np.random.default_rng([1, columns])
    train, holdout = rng.normal(size=(2, N_TRAIN, columns))
    samples = [disguise(train[rng.integers(N_TRAIN, size=12_000)], rng) for _ in range(3)]
    (said,), _, repeats = suspected(train, holdout, samples)
    assert said.startswith("events of m0, m1, m2 lie nearer" if disguise is smeared else "m0, m1, m2 repeat events")
    assert bool(repeats) is (disguise is not smeared)


def test_a_memory_is_found_where_the_training_sample_is_the_coarser_one():
    rng = np.random.default_rng(2)
    train, holdout = rng.normal(size=(2, N_TRAIN)).round(5)
    sample = (train + rng.uniform(-4e-6, 4e-6, N_TRAIN))[rng.integers(N_TRAIN, size=5000)]
    assert suspected(train, holdout, [sample])[0] == [
        "m0 repeats events of the training sample: it remembers instead of generating"
    ]


@pytest.mark.parametrize("n_train", [1000, 60_000])
@pytest.mark.parametrize("disguise", [as_it_is, single_precision, as_text])
def test_a_memory_is_found_without_any_true_events(disguise, n_train):
    rng = np.random.default_rng(3)
    train = rng.normal(size=n_train)
    samples = [disguise(train[rng.integers(n_train, size=10_000)], rng) for _ in range(10)]
    _, same, (said,) = suspected(None, None, samples)
    assert not same
    assert said.startswith("m0, m1, m2 and 7 more hold the same events again and again")


def test_only_the_member_that_remembers_is_named():
    rng = np.random.default_rng(4)
    memory = rng.normal(size=500)[rng.integers(500, size=10_000)]
    _, _, (said,) = suspected(None, None, [rng.normal(size=10_000), memory, rng.normal(size=10_000)])
    assert said.startswith("m1 holds the same events")


@pytest.mark.parametrize("size", [5000, 300_000])
@pytest.mark.parametrize("disguise", [as_it_is, single_precision, as_text])
def test_shuffled_copies_among_members_are_found(disguise, size):
    rng = np.random.default_rng(5)
    x, y, z = rng.normal(size=(3, size))
    _, same, repeats = suspected(None, None, [x, y, rng.permutation(disguise(x, rng)), z, disguise(y, rng)])
    assert same == [["m0", "m2"], ["m1", "m4"]]
    assert not repeats


def zero_inflated(x):
    return np.where(x > 0.5, x, 0.0)


HONEST = {
    "plain": as_it_is,
    "single precision": single_precision,
    "half precision": lambda x, _: x.astype(np.float16),
    "as text": as_text,
    "three decimals": lambda x, _: x.round(3),
    "tenths": lambda x, _: x.round(1),
    "thirds": lambda x, _: np.round(30 * x) / 3,
    "whole": lambda x, _: np.round(x),
    "logarithmic": lambda x, _: np.exp(9 * x).round(2),
    "a third at zero": lambda x, _: zero_inflated(x),
    "decibel": lambda x, _: 10 ** (np.round(x, 2) / 20),
}


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("form", HONEST)
def test_honest_members_are_not_suspected(form, columns):
    """Numbers that repeat for other reasons. None of 3000 trials with n_gen = 10^6 and less was suspected."""
    rng = np.random.default_rng([6, columns])
    train, holdout = (HONEST[form](rng.normal(size=(N_TRAIN, columns)), rng).astype(float) for _ in range(2))
    fitted = (rng.normal(train.mean(0), train.std(0) + 0.01, size=(12_000, columns)) for _ in range(5))
    if form in ("logarithmic", "a third at zero", "decibel", "thirds"):
        fitted = (rng.normal(size=(12_000, columns)) for _ in range(5))
    assert suspected(train, holdout, [HONEST[form](x, rng) for x in fitted]) == ([], [], [])


def test_a_million_events_of_an_honest_generator_are_not_suspected():
    rng = np.random.default_rng(7)
    train, holdout = rng.normal(size=(2, N_TRAIN))
    samples = [rng.normal(train.mean(), train.std(), 10**6).astype(np.float32) for _ in range(3)]
    assert suspected(train, holdout, samples) == ([], [], [])


def test_kernels_are_near_to_the_training_sample_and_do_not_remember_it():
    rng = np.random.default_rng(8)
    for columns in (1, 2, 4):
        train, holdout = rng.normal(size=(2, N_TRAIN, columns))
        width = N_TRAIN ** (-1 / (columns + 4))
        chosen = train[rng.integers(N_TRAIN, size=10_000)]
        assert suspected(train, holdout, [chosen + width * rng.normal(size=chosen.shape)]) == ([], [], [])


def test_so_many_events_are_kept_from_all_over_the_sample():
    made = kept(np.arange(123_456), batch=1000)
    assert suspects.KEPT <= len(made.rows) <= 2 * suspects.KEPT
    np.testing.assert_array_equal(made.rows[:, 0], np.arange(0, 123_456, 8))
    assert made.moments[0] == pytest.approx(np.arange(123_456).mean())
    whole = np.arange(100.0)
    np.testing.assert_array_equal(kept(whole, batch=7).rows[:, 0], whole)


@pytest.mark.parametrize("form", ["all alike", "rounded", "all different"])
def test_pairs_that_are_compared_grow_with_the_members_not_with_their_square(form, monkeypatch):
    calls, real = [], suspects.repeated
    monkeypatch.setattr(suspects, "repeated", lambda *a, **b: calls.append(1) or real(*a, **b))
    rng = np.random.default_rng(9)
    same = rng.normal(size=50)
    draw = {"all alike": lambda: same, "rounded": lambda: rng.normal(size=50).round(1)}.get(form)
    members = {f"m{k}": kept(draw() if draw else rng.normal(size=50)) for k in range(300)}
    groups = copies(members)
    assert len(calls) <= 300
    assert [len(group) for group in groups] == ([300] if form == "all alike" else [])
