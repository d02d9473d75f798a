"""Members trained side by side: the same as one after the other, whatever happens to one of them."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import COARSE, EQUIVARIANT, FIT, QUICK, RING, SMALL, TRAININGS, data_of, events_of, jets, state

from gampl.generators.memory import Divider
from gampl.store.artifacts import Store
from gampl.training import train as train_module
from gampl.training.data import Data, untrained
from gampl.training.fit import join
from gampl.training.members import Member, Stack
from gampl.training.train import train_members

EACH = TRAININGS | {f"jets-{kind}": replace(QUICK, architecture=size) for kind, size in EQUIVARIANT.items()}
REPULSIVE = replace(QUICK, architecture=SMALL["spline"], posterior="repulsive")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def apart(tmp_path):
    return Store(tmp_path / "apart")


def together(training, store, parallel=3, label="jets", **options):
    return train_members(training, data_of(training), store, parallel=parallel, solver=COARSE, label=label, **options)


def same(first, second, atol=1e-5):
    for name, weights in state(first).items():
        torch.testing.assert_close(weights, state(second)[name], rtol=0, atol=atol, msg=name)


@pytest.mark.parametrize("training", EACH.values(), ids=EACH)
@pytest.mark.parametrize("weights", [None, np.arange(200) % 3 + 0.5])
def test_losses_and_gradients_are_those_of_the_members(training, weights):
    data = Data(events_of(training), weights).checked(training, "")
    each = [untrained(training, data, k) for k in range(3)]
    stack = Stack([untrained(training, data, k) for k in range(3)])
    expected = torch.cat([member.validation_losses(Divider("one")) for member in each])
    torch.testing.assert_close(stack.validation_losses(Divider("all")), expected)
    losses = stack.losses(stack.draw())
    losses.sum().backward()
    for k, member in enumerate(each):
        alone = member.losses(member.draw())
        alone.sum().backward()
        torch.testing.assert_close(losses[k], alone[0])
        largest = max(p.grad.abs().max().item() for p in member.parameters.values())
        for name, p in member.parameters.items():
            torch.testing.assert_close(stack.parameters[name].grad[k], p.grad, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("kind", [*(f"jets-{kind}" for kind in SMALL), "ring-autoregressive", "table-spline"])
@pytest.mark.parametrize("parallel", [2, 3])
def test_side_by_side_and_one_after_the_other_agree(kind, parallel, store, apart):
    one_by_one = together(TRAININGS[kind], apart, parallel=1)
    for one, other in zip(together(TRAININGS[kind], store, parallel), one_by_one, strict=True):
        assert (one.failure, one.artifact) == (other.failure, other.artifact)
        same(one, other)
        for name in ("steps", "best_step"):
            np.testing.assert_array_equal(getattr(one.history, name), getattr(other.history, name))
        np.testing.assert_allclose(one.history.validation_loss, other.history.validation_loss, rtol=1e-4)


def test_the_kept_weights_are_those_of_the_lowest_validation_loss(store):
    training = replace(RING, posterior="bootstrap")  # held-back parts of different lengths
    data = Data(events_of(training)).checked(training, "")
    members = [untrained(training, data, k) for k in range(3)]
    assert len({len(member.split.held_back) for member in members}) > 1
    for member, one in zip(members, together(training, store), strict=True):
        member.generator.load_state_dict(one.generator.state_dict())
        lowest = one.history.validation_loss.min()
        assert member.validation_losses(Divider("")).item() == pytest.approx(lowest, rel=1e-5)


def test_a_history_ends_where_the_member_has_stopped(store, apart):
    wild = replace(FIT, steps=60, learning_rate=0.3, warmup=0, validate_every=5, patience=2)
    training = replace(QUICK, fit=wild, members=4)
    alone = together(training, apart, parallel=1)
    assert len({len(one.history.steps) for one in alone}) > 1, "the test needs members that stop at different steps"
    for one, other in zip(together(training, store, 4), alone, strict=True):
        np.testing.assert_array_equal(one.history.steps, other.history.steps)
        np.testing.assert_array_equal(one.history.best_step, other.history.best_step)
        assert one.failure.partition(":")[0] == other.failure.partition(":")[0]
    joined = join([one.history for one in alone])
    assert len(joined.steps) == max(len(one.history.steps) for one in alone)
    assert np.isfinite(joined.validation_loss).sum(0).tolist() == [len(one.history.steps) for one in alone]


def test_only_missing_members_are_trained(store, monkeypatch):
    training, groups = replace(QUICK, members=5), []
    (first,) = together(training, store, members=[1])
    original = train_module.train

    def counting(group, *arguments):
        groups.append(list(group))
        return original(group, *arguments)

    monkeypatch.setattr(train_module, "train", counting)
    done = together(training, store, parallel=3)
    assert groups == [[0, 2, 3], [4]]
    assert [member.number for member in done] == [0, 1, 2, 3, 4]
    same(done[1], first, atol=0)
    together(training, store)
    assert len(groups) == 2


def test_one_that_diverges_does_not_take_the_others_down(store, apart, monkeypatch, capfd):
    original = Member.draw

    def poisoned(self):
        weights, *others = original(self)
        return weights * (torch.nan if self.number == 1 else 1), *others

    monkeypatch.setattr(Member, "draw", poisoned)
    done = together(QUICK, store)
    assert "jets/0+1+2: member 1: loss nan" in capfd.readouterr().err
    assert [bool(member.failure) for member in done] == [False, True, False]
    assert done[1].failure.startswith("stopped: loss nan")
    same(done[2], *together(QUICK, apart, members=[2]), atol=0)


@pytest.mark.parametrize("kind", ["jets-spline", "ring-autoregressive"])
def test_out_of_memory_divides_their_batches(kind, store, apart, monkeypatch, capfd):
    original, training = Stack._loss, TRAININGS[kind]

    def limited(self, *drawn):
        if len(drawn[0]) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, *drawn)

    plain = together(training, apart)
    monkeypatch.setattr(Stack, "_loss", limited)
    for one, other in zip(together(training, store), plain, strict=True):
        same(one, other)
    lines = capfd.readouterr().err
    assert "jets/0+1+2: out of memory, number of events at once halved from 32 to 16" in lines
    assert "jets/0+1+2, validation: out of memory, number of events at once halved" in lines


def test_bad_input(store):
    with pytest.raises(ValueError, match="parallel must be at least 1, got 0"):
        together(QUICK, store, parallel=0)
    with pytest.raises(ValueError, match=r"jets: there are members 0 to 2, not \[1, 3\]"):
        together(QUICK, store, members=[1, 3])
    with pytest.raises(ValueError, match=r"jets: events must have shape \(200, 6, 4\), got \(150, 6, 4\)"):
        train_members(QUICK, jets(150), store, parallel=2, label="jets")
    assert together(QUICK, store, members=[]) == []


KILLED = """
    import sys
    sys.path.insert(0, {tests!r})
    from test_side_by_side import FIT, QUICK, Store, replace, together
    together(replace(QUICK, fit=replace(FIT, steps=60)), Store({root!r}))
"""


def test_after_kill_9_a_group_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    script = textwrap.dedent(KILLED.format(tests=os.path.dirname(__file__), root=str(tmp_path / "killed")))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GAMPL_DEVICE": "cpu"}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as process:
        while not any((tmp_path / "killed" / "unfinished").glob("*/checkpoint-0+1+2.safetensors")):
            assert process.poll() is None
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
    assert not list((tmp_path / "killed").glob("*/*/artifact.json"))
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    subprocess.run([sys.executable, "-c", script.replace("/killed'", "/through'")], env=environment, check=True)
    monkeypatch.setattr(train_module, "train", pytest.fail)
    training = replace(QUICK, fit=replace(FIT, steps=60))
    killed, through = (together(training, Store(tmp_path / name)) for name in ("killed", "through"))
    for one, other in zip(killed, through, strict=True):
        same(one, other, atol=0)


# ---- repulsive ensembles


@pytest.mark.parametrize("training", [REPULSIVE, replace(RING, posterior="repulsive")], ids=["jets", "ring"])
def test_a_repulsive_ensemble_is_trained_together_and_found_again(training, store, monkeypatch):
    trained = together(training, store, parallel=1)
    assert [one.failure for one in trained] == [""] * 3
    assert len({one.artifact for one in trained}) == 3
    monkeypatch.setattr(train_module, "train", pytest.fail)
    for one, again in zip(trained, together(training, store, parallel=1), strict=True):
        same(one, again, atol=0)


def test_one_that_is_damaged_is_made_anew_with_all_others(store):
    trained = together(REPULSIVE, store, parallel=1)
    shutil.rmtree(store.path(trained[1].artifact))
    for one, again in zip(trained, together(REPULSIVE, store, parallel=1), strict=True):
        same(one, again, atol=0)


def test_a_repulsive_ensemble_needs_all_its_members(store):
    with pytest.raises(ValueError, match="all 3 members"):
        together(REPULSIVE, store, members=[0, 1])
