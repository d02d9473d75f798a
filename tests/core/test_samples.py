"""What users may hand to the estimators, and where prefixes end."""

import awkward as ak
import numpy as np
import pandas as pd
import pytest
import torch
import zuko
from hypothesis import given, settings, strategies as st
from scipy import stats

from gampl import averaging, differential
from gampl.regions import Intervals, Selections
from gampl.result import NoteCode
from gampl.samples import Accumulator, as_events, batches, draw, is_generator, prefix_sizes, weighted_streams

EVENTS = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize(
    "values",
    [
        EVENTS,
        EVENTS.astype(np.float32),
        EVENTS.tolist(),
        torch.tensor(EVENTS, requires_grad=True),
        pd.DataFrame(EVENTS, columns=["x", "y"]),
        pd.DataFrame({"x": EVENTS[:, 0].astype(int), "y": EVENTS[:, 1].astype(np.float32)}),
        ak.Array(EVENTS),
        ak.Array([{"x": x, "y": y} for x, y in EVENTS]),
        np.array([tuple(row) for row in EVENTS], dtype=[("x", float), ("y", float)]),
    ],
    ids=["numpy", "float32", "list", "torch", "pandas", "pandas mixed", "awkward", "awkward records", "structured"],
)
def test_arrays_of_any_library(values):
    got = as_events(values)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, EVENTS)


def test_one_number_per_event():
    for values in (EVENTS[:, 0], pd.Series(EVENTS[:, 0]), ak.Array(EVENTS[:, 0]), torch.tensor(EVENTS[:, 0])):
        np.testing.assert_array_equal(as_events(values), EVENTS[:, 0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("text", "expected"),
        (["a", "b"], "expected numbers"),
        (3.0, "the single number 3.0"),
        (ak.Array([[1.0], [1.0, 2.0]]), "regular array of numbers, got awkward"),
        ([[1.0], [1.0, 2.0]], "regular array of numbers"),
        (pd.DataFrame({"x": [1.0], "name": ["b"]}), "regular array of numbers"),
        (np.array([1 + 2j]), "expected numbers"),
        (None, "expected"),
    ],
)
def test_what_is_no_array_of_numbers(values, message):
    with pytest.raises(ValueError, match=message):
        as_events(values, "member 3")


class Own:
    def sample(self, n):
        return np.zeros((n, 2))


class WithLabels:
    def sample(self, n):
        return np.zeros((n, 2)), np.ones(n)


@pytest.mark.parametrize(
    ("generator", "shape"),
    [
        (Own(), (7, 2)),
        (WithLabels(), (7, 2)),
        (stats.gaussian_kde(np.random.default_rng(1).normal(size=(3, 50))), (7, 3)),
        (stats.gaussian_kde(np.random.default_rng(1).normal(size=50)), (7, 1)),
        (stats.norm(), (7,)),
        (torch.distributions.Normal(torch.zeros(2), 1.0), (7, 2)),
        (zuko.flows.NSF(2, transforms=1, hidden_features=(8,))(), (7, 2)),
    ],
    ids=["own", "scikit-learn", "kde", "kde1d", "scipy", "torch", "zuko"],
)
def test_generators_of_any_library(generator, shape):
    assert is_generator(generator)
    assert draw(generator, 7).shape == shape
    assert sum(map(len, batches(generator, 7))) == 7
    with pytest.raises(ValueError, match="expected n_gen"):
        next(batches(generator))


def test_what_a_mixture_returns_in_the_order_of_its_components_is_shuffled():
    """All events of the first component come first: 500 +- 16 of the first 1000 are expected, of 10 000."""

    class Mixture:
        def sample(self, n):
            labels = np.repeat([0, 1], [n // 2, n - n // 2])
            return labels[:, None].astype(float), labels

    events = draw(Mixture(), 10_000)
    assert abs(events[:1000].sum() - 500) < 4 * 16
    assert events.sum() == 5000
    np.testing.assert_array_equal(events, draw(Mixture(), 10_000))


@pytest.mark.parametrize("kind", ["array", "rows", "tensor", "frame", "one array of all"])
def test_a_beginning_that_is_unlike_the_rest_is_noted(kind):
    """Chance makes a note for 1 of 100 000 members; the members are normal, sorted or not."""
    rng = np.random.default_rng(5)
    make = {
        "array": list,
        "rows": lambda samples: [np.stack([x, rng.random(x.size)], axis=-1) for x in samples],
        "tensor": lambda samples: [torch.from_numpy(x) for x in samples],
        "frame": lambda samples: [pd.DataFrame({"x": x}) for x in samples],
        "one array of all": lambda samples: samples,
    }[kind]
    region = Intervals(0.0, 0.5, lambda events: np.reshape(events, (len(events), -1))[:, 0])
    random = rng.normal(0.02 * rng.normal(size=(4, 1)), 1, (4, 20_000))
    for samples, n_gen, notes in ((random, 4000, 0), (np.sort(random), 4000, 1), (np.sort(random), 20_000, 0)):
        options = {"n_gen": n_gen if notes == 0 else [2000, n_gen]}
        result = averaging.from_samples(make(samples + 2 * notes), region, 1000, **options)
        assert sum(note.code is NoteCode.UNLIKE_PART for note in result.notes) == notes
        compared = differential.from_samples(
            make(samples), make(rng.normal(size=(1, 500)))[0], 1000, summary=region.observable, n_gen=n_gen
        )
        assert sum(note.code is NoteCode.UNLIKE_PART for note in compared.notes) == notes


def test_a_frame_is_no_generator():
    frame = pd.DataFrame(EVENTS)
    assert hasattr(frame, "sample")
    assert not is_generator(frame)
    np.testing.assert_array_equal(np.concatenate(list(batches(frame))), EVENTS)


def test_streams_are_cut_and_must_be_long_enough():
    for member in ([EVENTS[:4], EVENTS[4:]], iter([EVENTS[:4], torch.tensor(EVENTS[4:])]), EVENTS, EVENTS.tolist()):
        np.testing.assert_array_equal(np.concatenate(list(batches(member, 5))), EVENTS[:5])
    with pytest.raises(ValueError, match="member 2: has 6 events, expected n_gen = 7"):
        list(batches(EVENTS, 7, "member 2"))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (np.zeros((1000, 2)), "looks like one sample"),
        (np.zeros(1000), "looks like one sample"),
        (pd.DataFrame(EVENTS), "expected one sample for each member"),
        ("samples.csv", "expected one sample for each member"),
        ({"a": EVENTS}, "expected one sample for each member"),
        (["samples.csv"], "member 0: expected events"),
        ([[]], "member 0: holds no events"),
        ([5], "member 0: expected events"),
        ([iter(np.zeros(5))], "member 0, a batch: expected one entry per event"),
    ],
)
def test_what_is_no_list_of_samples(members, message):
    with pytest.raises(ValueError, match=message):
        [list(stream) for stream in weighted_streams(members)]


def test_weights_by_function_and_by_array():
    by_function = [list(s) for s in weighted_streams([EVENTS, EVENTS], lambda e: e[:, 1])]
    by_array = [list(s) for s in weighted_streams([EVENTS, EVENTS], [EVENTS[:, 1], EVENTS[:, 1]], n_gen=6)]
    for a, b in zip(by_function, by_array, strict=True):
        np.testing.assert_array_equal(a[0][1], b[0][1])
    for weights, message in (
        ([EVENTS[:, 1]], "one array for each member, 2 in all, got 1"),
        ([EVENTS[:, 1], EVENTS[:3, 1]], r"weights of member 1: expected shape \(6,\), got \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            [list(s) for s in weighted_streams([EVENTS, EVENTS], weights)]
    with pytest.raises(ValueError, match="needs an array of events"):
        [list(s) for s in weighted_streams([iter([EVENTS])], [EVENTS[:, 1]])]


def test_three_lines_with_generators():
    # members that scatter by as much as fits to 100 events do
    members = [stats.norm(shift) for shift in np.random.default_rng(2).normal(0, 0.1, 8)]
    result = averaging.from_samples(members, Intervals.between([0.0, 0.5]), 100, n_gen=100_000)
    assert result.interval.low < result.G < result.interval.high
    holdout = np.random.default_rng(3).normal(size=500)
    assert differential.from_samples(members[:2], holdout, 100, n_gen=5000).n_members == 2


def first_masked(events):
    return np.ma.array(np.ones(len(events)), mask=np.arange(len(events)) == 0)


def test_masked_numbers_are_no_numbers():
    masked = np.ma.masked_less(EVENTS, np.median(EVENTS))
    n = int(masked.mask.sum())
    records = np.ma.array(np.zeros(3, dtype=[("x", float), ("y", float)]), mask=[(True, False), (True, True), (0, 0)])
    for values, number in ((masked, n), (records, 3)):
        with pytest.raises(ValueError, match=rf"has {number} masked numbers?,"):
            as_events(values)
    with pytest.raises(ValueError, match=rf"member, a batch: has {n} masked numbers?,"):
        list(batches(iter([masked])))
    for refuses in (
        lambda: averaging.from_counts(np.ma.array([10, 11, 90], mask=[0, 0, 1]), 100, 10),
        lambda: averaging.from_integrals(np.ma.array([0.1, 0.2, 0.9], mask=[0, 0, 1]), 10),
        lambda: Intervals.between(np.ma.array([0, 0.5, 1], mask=[0, 1, 0])),
        lambda: Intervals.quantiles(np.ma.array([0, 0.5, 1], mask=[0, 1, 0]), 2),
        lambda: differential.from_samples([EVENTS[:, 1]], np.ma.array([0, 0.5, 1], mask=[0, 1, 0]), 10),
        # what users' functions make of events
        lambda: averaging.from_samples([EVENTS], Intervals.between([0, 1], first_masked), 10),
        lambda: averaging.from_samples([EVENTS], Selections([lambda x: first_masked(x) > 0]), 10),
        lambda: averaging.from_samples([EVENTS], Intervals.between([0, 1]), 10, weights=first_masked),
        lambda: differential.from_samples([EVENTS], EVENTS[:, 0], 10, summary=first_masked),
    ):
        with pytest.raises(ValueError, match=r"^[\w ]+: has 1 masked number, expected none"):
            refuses()
    np.testing.assert_array_equal(as_events(np.ma.array(EVENTS)), EVENTS)


def test_tensors_with_lazy_bits_are_resolved():
    z = torch.tensor(EVENTS[:, 0] + 1j * EVENTS[:, 1])
    np.testing.assert_array_equal(as_events(z.conj().imag), -EVENTS[:, 1])  # has the negative bit
    with pytest.raises(ValueError, match=r"expected numbers, got .*complex128"):
        as_events(z.conj())


def test_tensors_of_types_that_numpy_does_not_know():
    tensor = torch.tensor(EVENTS).to(torch.bfloat16)
    np.testing.assert_array_equal(as_events(tensor), tensor.double().numpy())
    with pytest.raises(ValueError, match=r"^events: expected a regular array of numbers, got torch.Tensor"):
        as_events(tensor.to("meta"))


def test_one_sample_is_not_taken_for_many():
    for one in (np.zeros((3000, 2)), torch.zeros(3000, 2), ak.Array(np.zeros((3000, 2)))):
        with pytest.raises(ValueError, match="looks like one sample"):
            list(weighted_streams(one))
    with pytest.raises(ValueError, match="2000 arrays of 2 numbers look like events; stack them"):
        list(batches([v for v in np.zeros((2000, 2))]))  # noqa: C416 - what a user writes
    assert next(batches([np.float64(1), np.float64(2)])).shape == (2,)


def test_large_arrays_pass_in_parts(monkeypatch):
    monkeypatch.setattr("gampl.samples.BATCH", 4)
    frame = pd.DataFrame(EVENTS, index=[5, 4, 3, 2, 1, 0])
    for member in (EVENTS, torch.tensor(EVENTS), ak.Array(EVENTS), frame):
        parts = list(batches(member))
        assert [len(part) for part in parts] == [4, 2]
        np.testing.assert_array_equal(np.concatenate(parts), EVENTS)


@settings(max_examples=200)
@given(
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    surplus=st.integers(0, 20),
)
def test_steps_cut_where_prefixes_end(steps, cuts, surplus):
    sizes = np.cumsum(steps)
    n = sizes[-1] + surplus
    lengths = np.diff([0, *sorted(min(c, n) for c in cuts), n])
    cutter, done, ends = Accumulator(sizes), 0, []
    for length in lengths:
        parts = list(cutter.parts(np.zeros(length, dtype=bool), None))
        assert [part.start for part, _ in parts[1:]] == [part.stop for part, _ in parts[:-1]]
        for part, is_complete in parts:
            assert part.stop > part.start
            done += part.stop - part.start
            ends += [done] if is_complete else []
    assert ends == sizes.tolist()
    assert done == cutter.n_gen == n


def test_a_stream_is_not_read_further_than_needed():
    read = []

    def endless():
        while True:
            read.append(1)
            yield np.zeros(10)

    list(batches(endless(), 20))
    assert len(read) == 2


@pytest.mark.parametrize(("n_gen", "sizes"), [(5, [5]), ([5], [5]), ([1, 10, 1e7], [1, 10, 10_000_000])])
def test_prefix_sizes_are_whole_numbers(n_gen, sizes):
    found = prefix_sizes(n_gen)
    assert found.dtype == np.int64
    assert found.tolist() == sizes


@pytest.mark.parametrize("n_gen", [[], 0, -3, 2.5, np.nan, np.inf, [2, 2], [3, 2], [0, 1], [[1, 2]], [1, np.nan]])
def test_bad_prefixes_are_named(n_gen):
    with pytest.raises(ValueError, match="n_gen must be whole numbers, positive and increasing"):
        prefix_sizes(n_gen)


@pytest.mark.parametrize("scale", [1e150, 1e300, 1e-150, 1e-320])
def test_weights_whose_squares_are_no_numbers_are_refused(scale):
    rng = np.random.default_rng(4)
    events, weights = rng.normal(size=(3, 500)), rng.random((3, 500))
    members = [Intervals([0], [1]), 100]
    with pytest.raises(ValueError, match=r"weights: up to .*expected 1e-140 to 1e\+140: divide all"):
        averaging.from_samples(events, *members, weights=scale * weights)
    powers = [averaging.from_samples(events, *members, weights=2.0**k * weights) for k in (-400, 0, 400)]
    assert powers[0].n_equiv == powers[1].n_equiv == powers[2].n_equiv
