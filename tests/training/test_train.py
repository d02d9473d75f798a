"""Training of all kinds of generators: what decides the outcome, what is redone after an interruption, who fails."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from small import COARSE, FIT, QUICK, RING, ROWS, SMALL, TRAININGS, data_of, events_of, jets, state, table

from gampl.generators.memory import Divider
from gampl.generators.settings import Architecture
from gampl.store.artifacts import Store
from gampl.training import train as train_module
from gampl.training.data import Data, untrained
from gampl.training.ensemble import Ensemble
from gampl.training.members import Member
from gampl.training.settings import RESAMPLINGS, LeadingOrder, Ring, TopPairJets
from gampl.training.step import Step
from gampl.training.train import artifact_key, train_members, train_or_load

KDE = replace(ROWS, architecture=Architecture("kde"))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def one(training, store, number=0, events=None, **options):
    events = data_of(training) if events is None else events
    return train_members(training, events, store, members=[number], solver=COARSE, chunk=100, **options)[0]


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_what_is_loaded_is_what_was_trained(training, store, monkeypatch):
    trained = one(training, store)
    monkeypatch.setattr(train_module, "train", pytest.fail)
    loaded = one(training, store)
    assert loaded.failure == trained.failure
    assert (loaded.artifact, loaded.data_digest) == (trained.artifact, trained.data_digest)
    start = dict(untrained(training, Data(events_of(training)).checked(training, ""), 0).generator.named_parameters())
    for name, weights in state(loaded).items():
        assert torch.equal(weights, state(trained)[name])
    assert any(not torch.equal(weights, start[name]) for name, weights in state(loaded).items())
    shape = training.process.event_shape
    assert loaded.sample(20, 1).shape == (20, *shape)
    np.testing.assert_array_equal(loaded.sample(20, 1), trained.sample(20, 1))
    assert np.isfinite(loaded.log_prob(events_of(training, 5))).all()
    if training != TRAININGS["leading-order-transformer"]:  # which needs more steps
        assert loaded.failure == ""
        assert loaded.history.validation_loss[-1] < loaded.history.validation_loss[0]
    assert f"best step {loaded.history.best_step[0]} of 30" in loaded.summary()


@pytest.mark.parametrize("posterior", [*RESAMPLINGS, "bayesian", "repulsive"])
@pytest.mark.parametrize("kind", ["jets-transformer", "leading-order-autoregressive", "ring-spline", "table-spline"])
def test_every_generator_has_every_posterior(kind, posterior, store, monkeypatch):
    if (kind, posterior) == ("jets-transformer", "repulsive"):
        pytest.skip("a flow has no explicit density")
    training = replace(TRAININGS[kind], posterior=posterior)
    ensemble = train_or_load(training, data_of(training), store, solver=COARSE, chunk=100)
    assert len(ensemble) == 3
    assert ensemble.excluded == {}
    log_density = ensemble.log_prob(events_of(training, 20))
    assert log_density.shape == (3, 20)
    assert log_density.std(0).min() > 0  # members differ
    monkeypatch.setattr(train_module, "train", pytest.fail)
    again = train_or_load(training, data_of(training), store, solver=COARSE, chunk=100)
    np.testing.assert_array_equal(again.log_prob(events_of(training, 20)), log_density)
    assert "3 members" in ensemble.summary()
    assert ensemble.trained[0].artifact[:12] in ensemble.summary()


def test_members_do_not_depend_on_each_other(store, tmp_path):
    alone, together = one(QUICK, store, 1), train_or_load(QUICK, jets(), Store(tmp_path / "all"), solver=COARSE)
    for name, weights in state(together.members[1]).items():
        assert torch.equal(weights, state(alone)[name])
    assert len({member.artifact for member in together.members}) == 3


def test_more_draws_of_a_bayesian_network_need_no_new_training(store, monkeypatch):
    training = replace(RING, posterior="bayesian")
    few, x = train_or_load(training, events_of(RING), store), events_of(RING, 30)
    monkeypatch.setattr(train_module, "train", pytest.fail)
    many = train_or_load(replace(training, members=7), events_of(RING), store)
    np.testing.assert_array_equal(many.log_prob(x)[:3], few.log_prob(x))
    assert len(many) == 7
    assert many.history.seconds == few.members[0].history.seconds  # of one training


# ---- the key


def digest(training, number=0, data=None):
    return json.dumps(artifact_key(training, number, (data or Data(events_of(training))).digests), sort_keys=True)


@pytest.mark.parametrize("posterior", ["bootstrap", "bayesian", "repulsive"])
def test_the_key_sees_all_that_matters_and_nothing_else(posterior):
    base, data = replace(RING, posterior=posterior), Data(events_of(RING))
    changes = [
        {"process": Ring(2, data_seed=1)},
        {"process": Ring(2, folds=4)},
        {"n_train": 201},
        {"seed": 1},
        {"members": 4},
        {"kl_weight": 0.5},
        {"init_logvar": -8.0},
        {"repulsion": 2.0},
        {"conditions": 1},
        {"architecture": replace(base.architecture, width=10)},
        {"posterior": "deep"},
    ]
    changes += [{"fit": replace(FIT, **{f: value + (0.5 if f == "ema" else 1)})} for f, value in vars(FIT).items()]
    unseen = {"checkpoint_seconds"} | {
        "bayesian": {"members", "repulsion"},
        "repulsive": {"kl_weight", "init_logvar", "logvar_learning_rate"},
    }.get(posterior, {"members", "kl_weight", "init_logvar", "logvar_learning_rate", "repulsion"})
    for change in changes:
        ((name, value),) = change.items()
        if name == "fit":
            name = next(f for f, v in asdict(value).items() if v != getattr(FIT, f))
        assert (digest(replace(base, **change), data=data) == digest(base, data=data)) == (name in unseen), name
    assert (digest(base, 1) == digest(base)) == (posterior == "bayesian")


def test_the_key_sees_the_process():
    data = Data(jets())
    for change in (
        {"process": TopPairJets(extra_jets=1)},
        {"process": TopPairJets(pt_min=23.0)},
        {"process": LeadingOrder(), "architecture": replace(SMALL["transformer"], base="normal")},
        {"conditions": 1},
    ):
        assert digest(replace(QUICK, **change), data=data) != digest(QUICK, data=data), change
    assert "LeadingOrder" in digest(TRAININGS["leading-order-spline"])


def test_the_key_sees_events_weights_and_conditions():
    events, column = jets(), np.linspace(0, 1, 200)
    every = [Data(events), Data(events + 1e-9), Data(events, column), Data(events, column**2)]
    every += [Data(events, None, column[:, None]), Data(events, column, column[:, None])]
    assert len({digest(QUICK, data=data) for data in every}) == len(every)


# ---- weights of events


@pytest.mark.parametrize("kind", ["jets-transformer", "jets-spline", "ring-autoregressive", "table-spline"])
@pytest.mark.parametrize("posterior", ["deep", "bayesian"])
def test_weights_do_what_copies_of_events_would(kind, posterior):
    """In the loss of all events on which a member is trained, and of those it holds back."""
    training = replace(TRAININGS[kind], posterior=posterior)
    events, counts = events_of(training), np.arange(200) % 3
    member = untrained(training, Data(events, 2.5 * counts).checked(training, ""), 0)
    plain = untrained(training, Data(events).checked(training, ""), 0)
    with torch.no_grad():
        noise = member.generator.noise(200, torch.Generator().manual_seed(1))
        of_event = plain.generator(plain.x, None, *noise)
    rows = member.split.train
    expected = np.average(of_event[rows], weights=counts[rows])
    drawn = (member.split.weights, member.x[rows], member.condition[rows], *(part[rows] for part in noise))
    assert Member.losses(member, drawn).item() == pytest.approx(expected, rel=1e-5)
    if posterior == "deep" and not noise:
        rows = member.split.held_back
        expected = np.average(of_event[rows], weights=counts[rows])
        assert member.validation_losses(Divider("")).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("posterior", "parallel"), [("bootstrap", 1), ("bootstrap", 2), ("bayesian", 1), ("repulsive", 1)]
)
def test_events_of_weight_zero_are_not_learned(posterior, parallel, store):
    """Half of the events are far away, and weigh nothing."""
    training = replace(RING, posterior=posterior, members=2, fit=replace(FIT, steps=100, checkpoint_seconds=9))
    x = np.random.default_rng(1).normal(size=(200, 2)) + np.repeat([[0.0], [6.0]], 100, axis=0)
    weights = np.repeat([1.0, 0.0], 100)
    ensemble = train_or_load(training, Data(x, weights), store, parallel=parallel)
    assert (ensemble.sample(0, 1000, 1).max(axis=1) < 4).mean() > 0.95
    both = train_or_load(training, x, store, parallel=parallel)
    assert (both.sample(0, 1000, 1).max(axis=1) < 4).mean() < 0.8


# ---- bad input


def test_data_is_checked(store):
    with pytest.raises(ValueError, match=r"training: events must have shape \(200, 6, 4\), got \(150, 6, 4\)"):
        one(QUICK, store, events=jets(150))
    with pytest.raises(ValueError, match=r"events must have shape \(200, 10, 4\), got \(200, 6, 4\)"):
        one(replace(QUICK, process=TopPairJets(extra_jets=4)), store)
    low = jets()
    low[3, 2, 0] = 21.0
    with pytest.raises(ValueError, match="jet 2 has pT <= 22"):
        one(QUICK, store, events=low)
    for weights in (np.ones(199), np.full(200, np.nan), -np.ones(200), np.zeros(200)):
        with pytest.raises(ValueError, match="training: weights must"):
            one(QUICK, store, events=Data(jets(), weights))
    for conditions, condition in (
        (1, None),
        (1, np.ones((200, 2))),
        (0, np.ones((200, 1))),
        (1, np.full((200, 1), np.nan)),
    ):
        with pytest.raises(ValueError, match=rf"condition must (have shape \(200, {conditions}\)|be finite)"):
            one(replace(QUICK, conditions=conditions), store, events=Data(jets(), None, condition))
    with pytest.raises(ValueError, match="take a function that returns their events"):
        train_or_load(replace(QUICK, posterior="independent"), jets(), store)


def test_columns_are_named_in_messages(store):
    constant, holes = table(), table()
    constant[:, 1], holes[0, 0] = 4, np.nan
    with pytest.raises(ValueError, match='column "b" is constant, 4 in all training events'):
        one(ROWS, store, events=constant)
    with pytest.raises(ValueError, match='column "a" has 1 training events that are not finite'):
        one(ROWS, store, events=holes)


# ---- members that fail


@pytest.mark.parametrize("kind", ["jets-transformer", "ring-autoregressive", "table-spline"])
def test_a_member_that_diverges_is_kept_with_its_reason_and_excluded(kind, store, monkeypatch):
    training = TRAININGS[kind]
    wild = replace(training, fit=replace(FIT, learning_rate=1e18, clip=1e30, warmup=0))
    members = [one(training, store, 0), one(wild, store, 1)]
    assert members[0].failure == ""
    assert members[1].failure.startswith(("stopped: loss", "learned nothing"))
    assert members[1].summary().startswith("EXCLUDED")
    monkeypatch.setattr(train_module, "train", pytest.fail)  # its failure is an outcome: it is not tried again
    assert one(wild, store, 1).failure == members[1].failure
    ensemble = Ensemble(members)
    assert len(ensemble) == 1
    assert ensemble.excluded == {1: members[1].failure}
    with pytest.raises(ValueError, match="no member is left"):
        Ensemble(members[1:])


def test_a_loss_that_is_not_finite_is_a_failure(store, monkeypatch):
    losses = Member.losses
    monkeypatch.setattr(Member, "losses", lambda self, drawn: losses(self, drawn) * float("nan"))
    member = one(QUICK, store)
    assert member.failure.startswith("stopped: loss nan")
    assert member.history is None
    assert "EXCLUDED: stopped" in member.summary()


def test_a_member_that_learned_nothing_is_named(store):
    member = one(replace(QUICK, fit=replace(FIT, learning_rate=1e4, warmup=0)), store)
    assert member.failure.startswith("learned nothing: the best loss on held-back events is")


# ---- interruptions


@pytest.mark.parametrize(
    "training", [RING, ROWS, replace(RING, posterior="bayesian")], ids=["ring", "table", "bayesian"]
)
def test_an_interrupted_training_goes_on(training, store, tmp_path, monkeypatch):
    undisturbed = one(training, Store(tmp_path / "other"))
    step, calls = Step.__call__, []

    def interrupted(run):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        step(run)

    monkeypatch.setattr(Step, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one(training, store)
    resumed = one(training, store)
    assert len(calls) == 20 + 30 - 19  # the checkpoint was of the last step before
    for name, weights in state(resumed).items():
        assert torch.equal(weights, state(undisturbed)[name])
    assert not list(store.root.glob("unfinished/*"))


KILLED = """
    import sys
    from dataclasses import replace
    sys.path.insert(0, {tests!r})
    from small import FIT, QUICK, jets
    from gampl.store.artifacts import Store
    from gampl.training.train import train_members
    longer = replace(QUICK, fit=replace(FIT, steps=60))
    train_members(longer, jets(), Store({root!r}), report=lambda one: print(one.number, flush=True))
"""


def test_after_kill_9_only_the_missing_members_train(tmp_path, monkeypatch):
    script = textwrap.dedent(KILLED.format(tests=os.path.dirname(__file__), root=str(tmp_path)))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "0\n"
        while not any((tmp_path / "unfinished").glob("*/checkpoint.safetensors")):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    trained = []
    original = train_module.train

    def counting(group, *arguments):
        trained.extend(group)
        return original(group, *arguments)

    monkeypatch.setattr(train_module, "train", counting)
    longer = replace(QUICK, fit=replace(FIT, steps=60))
    resumed = train_members(longer, jets(), Store(tmp_path))
    assert trained == [1, 2]
    undisturbed = one(longer, Store(tmp_path / "other"), 1)
    for name, weights in state(resumed[1]).items():
        assert torch.equal(weights, state(undisturbed)[name])
