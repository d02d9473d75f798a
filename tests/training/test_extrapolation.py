"""Generators that are trained on with events of their own, which have more jets than the training events."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from small import RING, interrupted, state
from test_trainings_of_jets import FIT, SIZE, N, events

from gampl.store.artifacts import Store
from gampl.training import train as train_module
from gampl.training.data import Data
from gampl.training.extrapolation import Bootstrap, bootstrap_rounds, with_more_jets
from gampl.training.settings import Fit, Training, ZWithJets

START = Training(ZWithJets(3, "radiated", truncated=False), N, SIZE, "deep", 2, fit=FIT)
QUICK = Bootstrap(rounds=2, share=0.1, n_gen=4000, buffer=50, fit=Fit(steps=20, warmup=2, batch_size=64))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def rounds(store, training=START, bootstrap=QUICK, data=None):
    return list(bootstrap_rounds(training, events() if data is None else data, bootstrap, store))


def test_rounds_are_found_again(store, monkeypatch):
    made = rounds(store)
    assert [len(ensemble) for ensemble in made] == [2, 2, 2]
    monkeypatch.setattr(train_module, "train", pytest.fail)
    again = rounds(store)
    for before, after in zip(made, again, strict=True):
        assert before.training == START
        for one, other in zip(before.members, after.members, strict=True):
            assert all(torch.equal(p, state(other)[name]) for name, p in state(one).items())
    for before, after in pairwise(made):
        assert any(not torch.equal(p, state(before.members[0])[n]) for n, p in state(after.members[0]).items())


def test_an_interrupted_round_goes_on_where_it_was(store, tmp_path, monkeypatch):
    whole = rounds(Store(tmp_path / "other"))
    calls = interrupted(monkeypatch, 4)  # the second member of the first round
    with pytest.raises(KeyboardInterrupt):
        rounds(store)
    resumed = rounds(store)
    assert len(calls) == 7  # six trainings, one of them twice
    assert [e.members[1].artifact for e in resumed] == [e.members[1].artifact for e in whole]


def test_members_take_their_own_events_with_more_jets(store):
    first = rounds(store, bootstrap=replace(QUICK, rounds=0))[0]
    found = [with_more_jets(one, 2, QUICK, store) for one in first.members]
    for some in found:
        assert 0 < len(some) <= QUICK.buffer
        assert ((some[:, 2:, 0] > 0).sum(1) == 3).all()
    assert not np.array_equal(*(some[:1] for some in found))


def test_the_share_of_events_with_more_jets_is_what_is_put_in(store):
    """After a long last round: a share of 0.3 / 1.3; at the start it is about 0.09."""
    fit = Fit(steps=150, batch_size=128, learning_rate=1e-2, warmup=20)
    one, bootstrap = replace(START, members=1), replace(QUICK, rounds=1, share=0.3, buffer=200, fit=fit)
    *_, last = rounds(store, one, bootstrap, Data(events(), weights=np.full(N, 3.0)))
    number = (last.sample(0, 10_000, 1)[:, 2:, 0] > 0).sum(1)
    assert (number == 3).mean() == pytest.approx(0.3 / 1.3, abs=0.06)


def test_without_events_with_more_jets_members_are_trained_on_without(store):
    made = rounds(store, bootstrap=replace(QUICK, rounds=1, n_gen=1))
    assert [len(ensemble) for ensemble in made] == [2, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"process": ZWithJets(3, "radiated")}, "not truncated"),
        ({"process": ZWithJets(3, "given"), "conditions": 1}, 'multiplicity "radiated"'),
        ({"process": RING.process}, "a bootstrap is for ZWithJets"),
        ({"posterior": "bayesian"}, "not bayesian"),
        ({"posterior": "independent"}, "not independent"),
    ],
)
def test_what_cannot_be_bootstrapped_is_refused(store, changes, words):
    with pytest.raises(ValueError, match=words):
        rounds(store, replace(START, **changes))


def test_events_need_room_for_more_jets(store):
    with pytest.raises(ValueError, match="must be above the 2 jets"):
        rounds(store, replace(START, process=replace(START.process, max_jets=2)), data=events()[:, :4])


@pytest.mark.parametrize("changes", [{"rounds": -1}, {"share": 0.0}, {"more": 0}, {"n_gen": 0}, {"buffer": 0}])
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=f"Bootstrap.{next(iter(changes))} must be"):
        Bootstrap(**changes)
