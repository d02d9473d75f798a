"""Streams cut at nested prefixes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gampl.streams import one_two_five, pieces, prefix_sizes


def test_one_two_five():
    steps = one_two_five(10)
    assert [next(steps) for _ in range(7)] == [10, 20, 50, 100, 200, 500, 1000]


@settings(max_examples=200)
@given(
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    surplus=st.integers(0, 20),
)
def test_pieces_put_the_prefixes_together_again(steps, cuts, surplus):
    sizes = np.cumsum(steps)
    events = np.arange(sizes[-1] + surplus)
    found = list(pieces(np.split(events, sorted(min(c, events.size) for c in cuts)), sizes))
    np.testing.assert_array_equal(np.concatenate([piece for _, piece, _ in found]), events[: sizes[-1]])
    assert all(piece.size for _, piece, _ in found)
    for step, size in enumerate(sizes):
        assert sum(piece.size for k, piece, _ in found if k <= step) == size
        assert [is_complete for k, _, is_complete in found if k == step][-1]
    assert sum(is_complete for _, _, is_complete in found) == len(steps)


def test_events_keep_their_shape_and_type():
    events = np.zeros((7, 3), dtype=np.float32)
    found = [piece for _, piece, _ in pieces([events], np.array([2, 6]))]
    assert [piece.shape for piece in found] == [(2, 3), (4, 3)]
    assert {piece.dtype for piece in found} == {np.dtype(np.float32)}


def test_a_stream_is_not_read_further_than_needed():
    read = []

    def endless():
        while True:
            read.append(1)
            yield np.zeros(10)

    list(pieces(endless(), np.array([5, 20])))
    assert len(read) == 2


@pytest.mark.parametrize("batches", [[], [np.zeros(3)], [np.zeros(3), np.zeros(0), np.zeros(6)]])
def test_a_short_stream_is_an_error(batches):
    with pytest.raises(ValueError, match=rf"member 4: the stream ended after {sum(map(len, batches))} of 10 events"):
        list(pieces(batches, np.array([5, 10]), member=4))


def test_events_in_place_of_batches_are_an_error():
    with pytest.raises(ValueError, match=r"member 2: expected batches of events, .* got a single number"):
        list(pieces(np.zeros(5), np.array([5]), member=2))


@pytest.mark.parametrize(("n_gen", "sizes"), [(5, [5]), ([5], [5]), ([1, 10, 1e7], [1, 10, 10_000_000])])
def test_prefix_sizes_are_whole_numbers(n_gen, sizes):
    found = prefix_sizes(n_gen)
    assert found.dtype == np.int64
    assert found.tolist() == sizes


@pytest.mark.parametrize("n_gen", [[], 0, -3, 2.5, np.nan, np.inf, [2, 2], [3, 2], [0, 1], [[1, 2]], [1, np.nan]])
def test_bad_prefixes_are_named(n_gen):
    with pytest.raises(ValueError, match="n_gen must be whole numbers, positive and increasing"):
        prefix_sizes(n_gen)
