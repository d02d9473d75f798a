"""Members in other units, shifted, wider, narrower or far smaller are named, and honest ones are not."""

import tracemalloc

import numpy as np
import pytest
from test_suspects import kept

from gampl.report.outsiders import outsiders

N_TRAIN = 1000


def members(number, rng, *, n=5000, n_train=N_TRAIN):
    """Samples of fits to one training sample, by name."""
    return {f"m{k}": rng.normal(91, 2.5, n) + 2.5 * rng.normal() / np.sqrt(n_train) for k in range(number)}


def said(samples, true=None, n_train=N_TRAIN):
    """What is said of samples of one column."""
    reference = None if true is None else {"x0": true}
    return [*outsiders({name: kept(x) for name, x in samples.items()}, reference, n_train)]


@pytest.mark.parametrize("number", [3, 4, 10])
def test_a_member_in_other_units_is_named(number):
    samples = members(number, np.random.default_rng(1))
    samples["m1"] = 1000 * samples["m1"]
    (text,) = said(samples)
    assert text.startswith("m1 lies far from the other members in x0")
    assert "1e+03 times as large, as in other units" in text


def test_two_of_six_in_other_units_are_named():
    samples = members(6, np.random.default_rng(2))
    samples |= {name: 1000 * samples[name] for name in ("m2", "m5")}
    (text,) = said(samples)
    assert text.startswith("m2, m5 lie far from the other members")


@pytest.mark.parametrize("true", [False, True])
def test_of_two_members_the_truth_knows_which_is_wrong(true):
    rng = np.random.default_rng(3)
    samples = members(2, rng)
    samples["m1"] /= 1000
    (text,) = said(samples, rng.normal(91, 2.5, 500) if true else None)
    assert text.startswith("m1 lies far" if true else "m0 and m1 have little in common")


def test_all_members_in_other_units_than_the_truth_are_told():
    rng = np.random.default_rng(4)
    for number in (1, 5):
        samples = {name: 1000 * x for name, x in members(number, rng).items()}
        (text,) = said(samples, rng.normal(91, 2.5, 500))
        assert text.startswith("all members lie far" if number > 1 else "m0 lies far")
        assert "true events" in text


@pytest.mark.parametrize("number", [5, 10])
def test_a_shifted_member_is_named(number):
    samples = members(number, np.random.default_rng(5))
    samples["m3"] += 0.5 * 2.5
    (text,) = said(samples)
    assert text.startswith("m3 lies far from the other members in x0: its median is")
    assert "units" not in text


def members_of_columns(number, rng, *, scatter=1.0, n=2000, columns=1, form=lambda x: x):
    """What is kept of fits whose means and widths scatter as those of training samples, or more."""
    mean, width = rng.normal(size=(2, number, 1, columns)) * scatter / np.sqrt(N_TRAIN)
    events = form(rng.normal(mean, np.exp(width / np.sqrt(2)), (number, n, columns)))
    return events, lambda: {f"m{k}": kept(x) for k, x in enumerate(events)}


@pytest.mark.parametrize(("number", "columns"), [(8, 1), (10, 1), (10, 3), (20, 5)])
@pytest.mark.parametrize("factor", [1.3, 1 / 1.3])
@pytest.mark.parametrize("form", [lambda x: x, np.exp, lambda x: np.exp(x).round(1)])
def test_a_wider_or_narrower_member_is_named(number, columns, factor, form):
    """By 30 %, in one of several columns: of ten members of a thousand training events, 19 of 20 are found."""
    events, found = members_of_columns(number, np.random.default_rng([10, number, columns]), columns=columns)
    events[3, :, -1] *= factor
    events[:] = form(events)
    (text,) = outsiders(found(), None, N_TRAIN)
    assert text.startswith(f"m3 is unlike the other members in x{columns - 1}, by more than these scatter: its median")
    times = float(text.partition("the middle two thirds are ")[2].partition(" times as wide")[0])
    assert 1.1 < (times if factor > 1 else 1 / times) < 1.7


def test_the_words_of_a_wider_member_that_lies_far():
    events, found = members_of_columns(10, np.random.default_rng(11), n=10_000)
    events[3] *= 2
    (text,) = outsiders(found(), None, N_TRAIN)
    assert text.startswith("m3 lies far from the other members in x0: its median is")
    assert " times as wide" in text


@pytest.mark.parametrize("scatter", [1, 5])
@pytest.mark.parametrize("number", [4, 5, 10])
def test_means_and_widths_name_honest_members_as_rarely_as_is_stated(number, scatter):
    """In at most 1 of 2000 reports, on three columns and two constants: 0.15 of these 300.

    Members scatter as training samples do, or more. Three alarms are seen by chance in 1 of 2000 runs of a test.
    """
    rng = np.random.default_rng([12, number, scatter])
    alarms = 0
    for _ in range(300):
        events, found = members_of_columns(number, rng, scatter=scatter, n=400, columns=5)
        events[..., 3:] = 1, 2  # constants say nothing about the scatter
        alarms += any("is unlike" in text for text in outsiders(found(), None, N_TRAIN))
    assert alarms < 3


@pytest.mark.parametrize("form", [np.array, np.exp, lambda x: (x > 1.5).astype(float)])
def test_thousands_of_small_members_are_not_named_nor_compared_by_pairs(form):
    rng = np.random.default_rng(14)
    found = {f"m{k}": kept(form(rng.normal(size=40))) for k in range(4000)}
    tracemalloc.start()
    assert [*outsiders(found, None, N_TRAIN)] == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 4000**2 / 2  # of one number for each pair


def test_a_member_of_fewer_events_scatters_more():
    rng = np.random.default_rng(13)
    for _ in range(50):
        samples = members(9, rng) | {"few": rng.normal(91, 2.5, 600)}
        assert said(samples) == []


def test_a_far_smaller_member_is_named():
    samples = members(4, np.random.default_rng(6)) | members(1, np.random.default_rng(7), n=400)
    (text,) = said(samples)
    assert text.startswith("m0: only 400 events, while members have 5000")


@pytest.mark.parametrize("n_train", [100, 1000, 100_000])
@pytest.mark.parametrize("number", [2, 3, 5, 10])
def test_honest_members_are_not_named(number, n_train):
    """50 trials for each; a difference of six deviations, five times that of half of the members, is needed."""
    rng = np.random.default_rng([8, number, n_train])
    for _ in range(50):
        samples = members(number, rng, n=2000, n_train=n_train)
        assert said(samples, rng.normal(91, 2.5, 500), n_train) == []
        assert said({name: x.round() for name, x in samples.items()}, None, n_train) == []
    assert said({name: rng.integers(0, 2, 2000) for name in samples}, None, n_train) == []


@pytest.mark.parametrize("is_grid", [False, True])
@pytest.mark.parametrize("form", [lambda x: x.astype(np.float32), lambda x: np.char.mod("%.8g", x).astype(float)])
def test_members_in_another_precision_are_not_named(form, is_grid):
    """Many of the events have one value, or all have one of few; one member, or the truth, has them rounded."""
    rng = np.random.default_rng(9)

    def draw(n):
        values = rng.normal(0.2, 1, n)
        return np.round(3 * values) / 3 if is_grid else np.where(rng.random(n) < 0.6, 1 / 3, values)

    samples = {f"m{k}": draw(5000) for k in range(5)}
    assert said(samples, form(draw(1000))) == []
    samples["m2"] = form(samples["m2"])
    assert said(samples, draw(1000)) == said(samples) == []
