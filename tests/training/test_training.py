import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from gampl.generators.settings import POSTERIORS, Fit, Network, Training
from gampl.store.artifacts import Store
from gampl.training import rings as training_module
from gampl.training.rings import artifact_key, left_out_events, train_or_load, training_events

QUICK = Training(
    dim=2,
    n_train=200,
    posterior="deep",
    members=3,
    network=Network(width=8, heads=2, components=3),
    fit=Fit(steps=20, batch_size=50, warmup=5, validate_every=10),
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_DEVICE", "cpu")
    return Store(tmp_path)


def no_training(*_):
    raise AssertionError("this should have been found in the store")


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_what_is_loaded_is_what_was_trained(store, monkeypatch, posterior):
    training = replace(QUICK, posterior=posterior)
    trained = train_or_load(training, store)
    monkeypatch.setattr(training_module, "train", no_training)
    loaded = train_or_load(training, store)
    x = training_events(training)
    log_density = trained.posterior.log_prob(x)
    np.testing.assert_array_equal(loaded.posterior.log_prob(x), log_density)
    assert log_density.shape == (3, 200)
    assert log_density.std(0).min() > 0  # members differ
    assert (loaded.artifact, loaded.data_digest) == (trained.artifact, trained.data_digest)
    assert loaded.history.seconds == trained.history.seconds
    np.testing.assert_array_equal(loaded.history.train_loss, trained.history.train_loss)
    assert loaded.history.train_loss[-1].max() < loaded.history.train_loss[0].min()


def test_more_draws_of_a_bayesian_network_need_no_new_training(store, monkeypatch):
    training = replace(QUICK, posterior="bayesian")
    few = train_or_load(training, store)
    monkeypatch.setattr(training_module, "train", no_training)
    many = train_or_load(replace(training, members=7), store)
    assert len(many.posterior) == 7
    x = training_events(training)
    np.testing.assert_array_equal(many.posterior.log_prob(x)[:3], few.posterior.log_prob(x))


def digest(training):
    return json.dumps(artifact_key(training, training_events(training)), sort_keys=True)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_the_key_sees_all_that_matters_and_nothing_else(posterior):
    base = replace(QUICK, posterior=posterior)
    changes = [
        {"dim": 3},
        {"n_train": 201},
        {"data_seed": 1},
        {"seed": 1},
        {"members": 4},
        {"kl_weight": 0.5},
        {"init_logvar": -8.0},
        {"repulsion": 2.0},
        {"network": replace(base.network, width=10)},
        {"folds": 4},
    ]
    changes += [
        {"fit": replace(base.fit, **{f: value + (0.5 if f == "ema" else 1)})} for f, value in vars(base.fit).items()
    ]
    unseen = {"checkpoint_seconds"} | {
        "bayesian": {"members", "repulsion"},
        "repulsive": {"kl_weight", "init_logvar", "logvar_learning_rate"},
    }.get(posterior, {"kl_weight", "init_logvar", "logvar_learning_rate", "repulsion"})
    for change in changes:
        changed = replace(base, **change)
        ((name, value),) = change.items()
        if name == "fit":
            name = next(f for f, v in asdict(value).items() if v != getattr(base.fit, f))
        assert (digest(changed) == digest(base)) == (name in unseen), name


def test_the_key_sees_the_events_themselves():
    events = training_events(QUICK)
    assert artifact_key(QUICK, events) != artifact_key(QUICK, events + 1e-9)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_partition_the_events(folds):
    """200 events do not divide evenly; together the folds are the events that a training without folds sees."""
    trainings = [replace(QUICK, folds=folds, leave_out=k) for k in range(folds)]
    every = training_events(QUICK)
    np.testing.assert_array_equal(np.concatenate([left_out_events(t) for t in trainings]), every)
    sizes = [len(left_out_events(t)) for t in trainings]
    assert max(sizes) - min(sizes) <= 1
    for training in trainings:
        seen, unseen = (set(map(tuple, part)) for part in (training_events(training), left_out_events(training)))
        assert seen.isdisjoint(unseen)
        assert seen | unseen == set(map(tuple, every))
    assert len({digest(t) for t in trainings}) == folds


def test_a_training_sees_all_but_its_fold(store, monkeypatch):
    seen = []
    original = training_module.train

    def spy(training, x, *arguments):
        seen.append(np.asarray(x))
        return original(training, x, *arguments)

    monkeypatch.setattr(training_module, "train", spy)
    training = replace(QUICK, folds=4, leave_out=1)
    train_or_load(training, store)
    unseen = left_out_events(training)
    assert len(seen[0]) == 150
    assert not (seen[0][:, None, 0] == unseen[None, :, 0].astype(seen[0].dtype)).any()


def test_without_folds_nothing_is_left_out():
    with pytest.raises(ValueError, match=r"Training\.folds is 1: the training sees all events"):
        left_out_events(QUICK)


@pytest.mark.parametrize("change", [{"folds": 3, "leave_out": 3}, {"leave_out": 1}, {"folds": 101}])
def test_impossible_folds_are_named(change):
    with pytest.raises(ValueError, match=r"Training\.leave_out must be below Training\.folds, and these at most half"):
        replace(QUICK, **change)


@pytest.mark.parametrize("change", [{"folds": 0}, {"folds": 3, "leave_out": -1}])
def test_negative_folds_are_named(change):
    with pytest.raises(ValueError, match=r"Training\.(folds|leave_out)"):
        replace(QUICK, **change)


def test_an_interrupted_training_goes_on(store, monkeypatch):
    training = replace(QUICK, fit=replace(QUICK.fit, checkpoint_seconds=0))
    expected = train_or_load(training, Store(store.root / "through"))
    from gampl.training.ensemble import Stack

    calls, losses = [], Stack.losses

    def interrupted(self, drawn):
        calls.append(1)
        if len(calls) == 13:
            raise KeyboardInterrupt
        return losses(self, drawn)

    monkeypatch.setattr(Stack, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_or_load(training, store)
    trained = train_or_load(training, store)
    assert len(calls) == 13 + 20 - 12
    x = training_events(training)
    np.testing.assert_array_equal(trained.posterior.log_prob(x), expected.posterior.log_prob(x))
    assert not list(store.root.glob("unfinished/*"))


def test_summary(store):
    trained = train_or_load(QUICK, store)
    assert "3 members" in trained.summary()
    assert trained.artifact[:12] in trained.summary()
