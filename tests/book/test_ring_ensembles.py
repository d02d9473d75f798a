"""Which events of a ring a training sees."""

from dataclasses import replace

import numpy as np
import pytest

from gampl.generators.settings import Architecture
from gampl.store.artifacts import Store
from gampl.training.settings import Fit, Ring, Table, Training
from gampl_book import ring_ensembles
from gampl_book.ring_ensembles import left_out_events, train_or_load, training_events

QUICK = Training(
    Ring(2),
    200,
    Architecture("autoregressive", blocks=1, heads=2, width=8, components=3),
    "deep",
    members=3,
    fit=Fit(steps=20, batch_size=50, warmup=5, validate_every=10),
)


def folded(folds, leave_out):
    return replace(QUICK, process=Ring(2, folds=folds, leave_out=leave_out))


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_partition_the_events(folds):
    """200 events do not divide evenly; together the folds are the events that a training without folds sees."""
    trainings = [folded(folds, k) for k in range(folds)]
    every = training_events(QUICK)
    np.testing.assert_array_equal(np.concatenate([left_out_events(t) for t in trainings]), every)
    for training in trainings:
        seen, unseen = (set(map(tuple, part)) for part in (training_events(training), left_out_events(training)))
        assert seen.isdisjoint(unseen)
        assert seen | unseen == set(map(tuple, every))
        assert len(seen) == training.n_events


def test_without_folds_nothing_is_left_out():
    with pytest.raises(ValueError, match=r"Ring\.folds is 1: the training sees all events"):
        left_out_events(QUICK)


def test_independent_members_have_events_of_their_own():
    training = replace(QUICK, posterior="independent")
    parts = [ring_ensembles.data(training)(k) for k in range(3)]
    assert [part.shape for part in parts] == [(240, 2)] * 3
    assert len(np.unique(np.concatenate(parts), axis=0)) == 720


@pytest.mark.parametrize("training", [QUICK, folded(4, 1), replace(QUICK, posterior="independent")])
def test_a_posterior_is_trained_and_found_again(training, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_DEVICE", "cpu")
    trained, again = (train_or_load(training, Store(tmp_path)) for _ in range(2))
    assert len(trained) == 3
    x = training_events(training)[:20]
    np.testing.assert_array_equal(trained.log_prob(x), again.log_prob(x))
    assert trained.history.train_loss[-1].max() < trained.history.train_loss[0].min()


def test_other_processes_are_not_rings():
    with pytest.raises(TypeError, match="must be a Ring"):
        training_events(replace(QUICK, process=Table(("a", "b"))))
