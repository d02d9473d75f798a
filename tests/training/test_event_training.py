"""Training of event generators: what decides the outcome, what is redone after an interruption, who is excluded."""

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

from gampl.generators.event_settings import EventTraining, Generator, LeadingOrder, Solver, TopPairJets
from gampl.generators.events import make_generator
from gampl.generators.settings import Fit
from gampl.store.artifacts import Store
from gampl.training import events as event_training
from gampl.training.ensemble import Split
from gampl.training.event_ensemble import EventEnsemble, GeneratedEvents
from gampl.training.events import Member, artifact_key, train_or_load

FIT = Fit(steps=30, batch_size=64, learning_rate=5e-3, warmup=5, validate_every=10, patience=3, checkpoint_seconds=0)
SMALL = {
    "transformer": Generator("transformer", blocks=1, heads=2, width=8),
    "autoregressive": Generator("autoregressive", blocks=1, heads=2, width=8, components=3),
    "spline": Generator("spline", blocks=2, heads=1, width=8, components=3),
}
QUICK = EventTraining(TopPairJets(), 200, SMALL["transformer"], fit=FIT)
COARSE = Solver("midpoint", 2)


def jets(n=200, seed=0):
    """Events of six jets that need not make tops, (n, 6, 4)."""
    rng = np.random.default_rng(seed)
    shape = (n, 6)
    columns = [22 + rng.exponential(60, shape), rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.2, shape)]
    return np.stack([*columns, rng.gamma(4, 2, shape)], -1)


def pairs(n=200, seed=0):
    """Events (m, Y, cos theta*, phi), (n, 4)."""
    rng = np.random.default_rng(seed)
    columns = [350 + rng.exponential(100, n), rng.normal(0, 0.8, n), rng.uniform(-0.9, 0.9, n)]
    return np.stack([*columns, rng.uniform(-np.pi, np.pi, n)], -1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.mark.parametrize("kind", SMALL)
def test_what_is_loaded_is_what_was_trained(kind, store, monkeypatch):
    training = replace(QUICK, generator=SMALL[kind])
    trained = train_or_load(training, jets(), store, solver=COARSE)
    monkeypatch.setattr(event_training, "train", pytest.fail)
    loaded = train_or_load(training, jets(), store, solver=COARSE)
    assert trained.failure == ""
    for first, second in zip(
        trained.generator.state_dict().values(), loaded.generator.state_dict().values(), strict=True
    ):
        assert torch.equal(first, second)
    untrained = make_generator(training, torch.from_numpy(jets()))
    assert any(
        not torch.equal(p, q) for p, q in zip(untrained.parameters(), loaded.generator.parameters(), strict=True)
    )
    events = loaded.generator.sample(20, torch.Generator().manual_seed(1))
    assert events.shape == (20, 6, 4)
    assert loaded.history.validation_loss[-1] < loaded.history.validation_loss[0]
    assert f"best step {loaded.history.best_step[0]} of 30" in loaded.summary()


def test_members_differ_and_do_not_depend_on_each_other(store):
    members = [train_or_load(replace(QUICK, member=k), jets(), store) for k in (1, 0)]
    assert members[0].artifact != members[1].artifact
    p, q = (next(iter(m.generator.velocity.parameters())) for m in members)
    assert not torch.equal(p, q)


def digest(training, events=None):
    return json.dumps(artifact_key(training, jets() if events is None else events), sort_keys=True)


def test_the_key_sees_all_that_matters_and_nothing_else():
    assert digest(QUICK, jets() + 1e-9) != digest(QUICK)
    changes = [{"n_train": 201}, {"member": 1}, {"seed": 1}, {"precision": "bfloat16"}, {"compile": True}]
    changes += [{"process": TopPairJets(extra_jets=1)}, {"process": TopPairJets(pt_min=23.0)}]
    changes += [
        {"generator": replace(QUICK.generator, width=16)},
        {"generator": replace(QUICK.generator, base="normal")},
    ]
    for name, value in vars(FIT).items():
        changes.append({"fit": replace(FIT, **{name: value + (0.5 if name == "ema" else 1)})})
    for change in changes:
        changed = replace(QUICK, **change)
        unseen = change.get("fit") == replace(FIT, checkpoint_seconds=1)
        assert (digest(changed) == digest(QUICK)) == unseen, change
    lo = replace(QUICK, process=LeadingOrder(), generator=replace(QUICK.generator, base="normal"))
    assert "LeadingOrder" in digest(lo)
    assert asdict(lo.process).items() <= artifact_key(lo, jets())["training"]["process"].items()


@pytest.mark.parametrize("kind", SMALL)
def test_the_leading_order_process_is_trained_alike(kind, store):
    training = replace(QUICK, process=LeadingOrder(), generator=replace(SMALL[kind], base="normal"))
    trained = train_or_load(training, pairs(), store, solver=COARSE)
    events = trained.generator.sample(50, torch.Generator().manual_seed(2))
    assert events.shape == (50, 4)
    assert bool((events[:, 0] > 346).all())
    assert trained.generator.log_prob(torch.from_numpy(pairs(5))).isfinite().all()


# ---- bad input


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r'Generator\.kind.*"gan"'):
        Generator("gan")
    with pytest.raises(ValueError, match=r"Generator\.width 32 must exceed"):
        Generator("lloca", heads=4, width=32, vectors=2)
    with pytest.raises(ValueError, match=r"width 30 must be a multiple of Generator\.heads 4"):
        Generator("transformer", heads=4, width=30)
    with pytest.raises(ValueError, match=r'base must be "normal" for LeadingOrder'):
        replace(QUICK, process=LeadingOrder())
    with pytest.raises(ValueError, match="are for flows"):
        replace(QUICK, generator=SMALL["spline"], compile=True)
    with pytest.raises(ValueError, match=r'EventTraining\.precision.*"float16"'):
        replace(QUICK, precision="float16")


def test_events_are_checked(store):
    with pytest.raises(ValueError, match="n_train is 200, but there are 150 events"):
        train_or_load(QUICK, jets(150), store)
    with pytest.raises(ValueError, match=r"events must have shape \(n, 10, 4\), got \(200, 6, 4\)"):
        train_or_load(replace(QUICK, process=TopPairJets(extra_jets=4)), jets(), store)
    low = jets()
    low[3, 2, 0] = 21.0
    with pytest.raises(ValueError, match="jet 2 has pT <= 22"):
        train_or_load(QUICK, low, store)


# ---- members that fail


def test_a_member_that_diverges_is_kept_with_its_reason_and_excluded(store, monkeypatch):
    wild = replace(QUICK, member=1, fit=replace(FIT, learning_rate=1e18, clip=1e30, warmup=0))
    members = [train_or_load(training, jets(), store) for training in (QUICK, wild)]
    assert members[0].failure == ""
    assert members[1].failure.startswith(("stopped: loss", "learned nothing"))
    assert members[1].summary().startswith("EXCLUDED")
    monkeypatch.setattr(event_training, "train", pytest.fail)  # its failure is an outcome: it is not tried again
    assert train_or_load(wild, jets(), store).failure == members[1].failure

    ensemble = EventEnsemble(members, store)
    assert len(ensemble) == 1
    assert ensemble.excluded == {1: members[1].failure}
    with pytest.raises(ValueError, match="no member is left"):
        EventEnsemble(members[1:], store)


def test_a_loss_that_is_not_finite_is_a_failure(store, monkeypatch):
    losses = Member.losses
    monkeypatch.setattr(Member, "losses", lambda self, drawn: losses(self, drawn) * float("nan"))
    member = train_or_load(QUICK, jets(), store)
    assert member.failure.startswith("stopped: loss nan")
    assert member.history is None
    assert "EXCLUDED: stopped" in member.summary()


def test_a_member_that_learned_nothing_is_named(store):
    member = train_or_load(replace(QUICK, fit=replace(FIT, learning_rate=1e4, warmup=0)), jets(), store)
    assert member.failure.startswith("learned nothing: the best loss on held-back events is")


def test_a_member_that_loses_events_is_excluded(store):
    members = [train_or_load(replace(QUICK, member=k), jets(), store, solver=COARSE) for k in (0, 1)]
    forward = members[1].generator.velocity.forward

    def losing(x, t):
        return torch.where(x[:, :1] > 1.5, torch.nan, forward(x, t))

    members[1].generator.velocity.forward = losing
    ensemble = EventEnsemble(members, store, chunk=500, screened=1000, seed=3)
    assert list(ensemble.excluded) == [1]
    assert ensemble.excluded[1].startswith("lost events")
    lost = GeneratedEvents(members[1], store, chunk=500)
    finite = np.isfinite(np.concatenate(list(lost.stream(1000, 3)))).all((1, 2))
    assert lost.lost(1000, 3) == 1000 - finite.sum() > 1


# ---- generated events


def test_generated_events_are_kept_and_streams_are_nested(store, monkeypatch):
    member = train_or_load(QUICK, jets(), store, solver=COARSE)
    generated = GeneratedEvents(member, store, chunk=40)
    long = np.concatenate(list(generated.stream(100, seed=5)))
    assert long.shape == (100, 6, 4)
    assert len(list(store.root.glob("*/*/arrays.safetensors"))) == 1 + 3
    monkeypatch.setattr(member.generator, "stream", pytest.fail)
    batches = list(generated.stream(90, seed=5, batch_size=30))
    assert [len(b) for b in batches] == [30, 10, 30, 10, 10]
    np.testing.assert_array_equal(np.concatenate(batches), long[:90])
    with pytest.raises(ValueError, match="at least 1"):
        next(generated.stream(0, seed=5))


def test_generated_events_depend_on_seed_solver_and_member(store):
    members = [train_or_load(replace(QUICK, member=k), jets(), store, solver=COARSE) for k in (0, 1)]
    first = next(GeneratedEvents(members[0], store, chunk=50).stream(50, seed=1))
    finer = train_or_load(QUICK, jets(), store, solver=Solver("midpoint", 3))
    for other in (
        GeneratedEvents(members[0], store, chunk=50).stream(50, seed=2),
        GeneratedEvents(members[1], store, chunk=50).stream(50, seed=1),
        GeneratedEvents(finer, store, chunk=50).stream(50, seed=1),
    ):
        assert not np.allclose(next(other), first)


def test_an_ensemble_is_a_posterior(store):
    training = replace(QUICK, process=LeadingOrder(), generator=replace(SMALL["spline"], base="normal"))
    members = [train_or_load(replace(training, member=k), pairs(), store) for k in (0, 1)]
    ensemble = EventEnsemble(members, store, chunk=50)
    assert len(ensemble) == 2
    assert ensemble.sample(1, 120, seed=4).shape == (120, 4)
    log_density = ensemble.log_prob(pairs(30))
    assert log_density.shape == (2, 30)
    expected = members[1].generator.log_prob(torch.from_numpy(pairs(30)))
    np.testing.assert_allclose(log_density[1], expected.numpy(), atol=1e-6)


# ---- interruptions

KILLED = """
    import sys
    from dataclasses import replace
    sys.path.insert(0, {tests!r})
    from test_event_training import QUICK, FIT, Store, jets, train_or_load
    for member in range(3):
        training = replace(QUICK, member=member, fit=replace(FIT, steps=60))
        train_or_load(training, jets(), Store({root!r}), label=f"member {{member}}")
        print(member, flush=True)
"""


def test_after_kill_9_only_the_missing_members_train(tmp_path, monkeypatch):
    tests = os.path.dirname(__file__)
    script = textwrap.dedent(KILLED.format(tests=tests, root=str(tmp_path)))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "0\n"
        while not any((tmp_path / "unfinished").glob("*/checkpoint.safetensors")):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    trained = []
    original = event_training.train

    def counting(training, *arguments):
        trained.append(training.member)
        return original(training, *arguments)

    monkeypatch.setattr(event_training, "train", counting)
    longer = [replace(QUICK, member=k, fit=replace(FIT, steps=60)) for k in range(3)]
    resumed = [train_or_load(training, jets(), Store(tmp_path)) for training in longer]
    assert trained == [1, 2]
    undisturbed = train_or_load(longer[1], jets(), Store(tmp_path / "other"))
    for p, q in zip(resumed[1].generator.parameters(), undisturbed.generator.parameters(), strict=True):
        assert torch.equal(p, q)


# ---- GPUs


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_trains_and_generates_the_same(store, tmp_path, precision):
    training = replace(QUICK, precision=precision)
    on_gpu = train_or_load(training, jets(), store, device="cuda", solver=COARSE)
    on_cpu = train_or_load(training, jets(), Store(tmp_path / "cpu"), device="cpu", solver=COARSE)
    tolerance = 1e-3 if precision == "float32" else 0.05
    np.testing.assert_allclose(on_gpu.history.validation_loss, on_cpu.history.validation_loss, rtol=tolerance)
    events = [next(GeneratedEvents(on_gpu, Store(tmp_path / d), 200, d).stream(200, 1)) for d in ("cuda", "cpu")]
    np.testing.assert_allclose(events[0], events[1], rtol=0.02)


def test_lower_precision_and_compilation_are_for_gpus():
    generator = make_generator(QUICK, torch.from_numpy(jets()))
    x = generator.coordinates.to_network(torch.from_numpy(jets()))
    split = Split(torch.arange(100), torch.arange(100, 200), torch.ones(100))
    plain, wished = (
        Member(generator, x, split, t) for t in (QUICK, replace(QUICK, precision="bfloat16", compile=True))
    )
    losses = [member.losses(member.draw()) for member in (plain, wished)]
    torch.testing.assert_close(*losses, rtol=0, atol=0)
