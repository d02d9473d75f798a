"""Events: parts of them, several of them, and what is refused."""

import numpy as np
import pytest

from gampl.particles.events import Events


def some_events(n: int = 4, first: float = 1.0) -> Events:
    momenta = first + np.arange(n * 8.0).reshape(n, 2, 4)
    return Events(momenta, ("a", "b"), {"weight": first + np.arange(float(n))}, {"process": "test"})


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([False, True, True, False]), np.array([1, 2])], ids=str)
def test_rows_are_chosen_alike_in_momenta_and_columns(rows):
    events = some_events()
    part = events[rows]
    assert len(part) == 2
    assert np.array_equal(part.momenta, events.momenta[1:3])
    assert part.columns["weight"].tolist() == [2, 3]
    assert (part.particles, part.about) == (events.particles, events.about)


def test_parts_can_be_joined_again():
    events = some_events(5)
    joined = Events.concatenate([events[:2], events[2:2], events[2:]])
    assert np.array_equal(joined.momenta, events.momenta)
    assert np.array_equal(joined.columns["weight"], events.columns["weight"])
    assert (joined.particles, joined.about) == (events.particles, events.about)


def test_the_multiplicity_counts_the_particles_that_are_there():
    momenta = np.zeros((3, 3, 4))
    momenta[1, :2, 0] = momenta[2, :, 0] = 25.0
    assert Events(momenta, ("a", "b", "c")).multiplicity.tolist() == [0, 2, 3]


def test_momenta_are_in_double_precision():
    single = np.full((2, 1, 4), 0.1, dtype=np.float32)
    assert Events(single, ("a",)).momenta.dtype == np.float64
    double = single.astype(np.float64)
    assert Events(double, ("a",)).momenta is double


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Events(np.zeros((5, 3, 4)), ("a", "b")), r"a, b must have shape \(n, 2, 4\), got \(5, 3, 4\)"),
        (lambda: Events(np.zeros((5, 2, 3)), ("a", "b")), r"\(n, 2, 4\), got \(5, 2, 3\)"),
        (lambda: Events(np.zeros((5, 8)), ("a", "b")), r"\(n, 2, 4\), got \(5, 8\)"),
        (lambda: Events(np.zeros((5, 1, 4)), ("a",), {"w": np.zeros(4)}), r"column 'w' must have shape \(5,\)"),
        (lambda: Events(np.zeros((5, 1, 4)), ("a",), {"w": np.zeros((5, 1))}), r"got \(5, 1\)"),
        (lambda: Events.concatenate([]), "at least one"),
        (lambda: Events.concatenate([some_events(), Events(np.zeros((1, 1, 4)), ("a",))]), "cannot join"),
        (lambda: Events.concatenate([some_events(), Events(np.zeros((1, 2, 4)), ("a", "b"))]), r"\['weight'\].*\[\]"),
    ],
)
def test_bad_events_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
