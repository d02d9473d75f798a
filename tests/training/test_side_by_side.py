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
from test_event_training import COARSE, FIT, QUICK, SMALL, jets, pairs

from gampl.generators.event_settings import Generator, LeadingOrder
from gampl.generators.memory import AtOnce
from gampl.store.artifacts import Store
from gampl.training import events as event_training
from gampl.training import side_by_side
from gampl.training.events import train_or_load, untrained_member
from gampl.training.repulsive import log_kernel_sum
from gampl.training.side_by_side import Repulsive, SideBySide, train_or_load_members

ALL = SMALL | {
    "lgatr": Generator("lgatr", blocks=1, heads=2, width=8, vectors=2),
    "lgatr_slim": Generator("lgatr_slim", blocks=1, heads=2, width=8, vectors=2),
    "lloca": Generator("lloca", blocks=1, heads=2, width=16, vectors=1, frames=4),
}


def members(training=QUICK, count=3):
    return [replace(training, member=k) for k in range(count)]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def together(trainings, store, at_once=3, label="jets"):
    return train_or_load_members(trainings, jets(), store, at_once=at_once, solver=COARSE, label=label)


def same(first, second, atol=1e-5):
    for (name, p), q in zip(first.generator.state_dict().items(), second.generator.state_dict().values(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=atol, msg=name)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("process", ["jets", "leading order"])
def test_losses_and_gradients_are_those_of_the_members(kind, process):
    training, events = replace(QUICK, generator=ALL[kind]), jets()
    if process == "leading order":
        training = replace(training, process=LeadingOrder(), generator=replace(ALL[kind], base="normal"))
        events = pairs()
    each = [untrained_member(one, events, torch.device("cpu")) for one in members(training)]
    stack = SideBySide([untrained_member(one, events, torch.device("cpu")) for one in members(training)])
    expected = torch.cat([member.validation_losses(AtOnce("one")) for member in each])
    torch.testing.assert_close(stack.validation_losses(AtOnce("all")), expected)
    losses = stack.losses(stack.draw())
    losses.sum().backward()
    for k, member in enumerate(each):
        alone = member.losses(member.draw())
        alone.sum().backward()
        torch.testing.assert_close(losses[k], alone[0])
        largest = max(p.grad.abs().max().item() for p in member.parameters.values())
        for name, p in member.parameters.items():
            torch.testing.assert_close(stack.parameters[name].grad[k], p.grad, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("kind", SMALL)
def test_side_by_side_and_one_after_the_other_agree(kind, store, tmp_path):
    trainings = members(replace(QUICK, generator=SMALL[kind]))
    apart = [train_or_load(training, jets(), Store(tmp_path / "apart"), solver=COARSE) for training in trainings]
    for one, other in zip(together(trainings, store), apart, strict=True):
        assert one.failure == ""
        assert one.artifact == other.artifact
        assert one.training == other.training
        same(one, other)
        for name in ("steps", "best_step"):
            np.testing.assert_array_equal(getattr(one.history, name), getattr(other.history, name))
        np.testing.assert_allclose(one.history.validation_loss, other.history.validation_loss, rtol=1e-4)


def test_a_history_ends_where_the_member_has_stopped(store, tmp_path):
    wild = replace(FIT, steps=60, learning_rate=0.3, warmup=0, validate_every=5, patience=2)
    trainings = members(replace(QUICK, fit=wild), 4)
    apart = [train_or_load(training, jets(), Store(tmp_path / "apart"), solver=COARSE) for training in trainings]
    assert len({len(one.history.steps) for one in apart}) > 1, "the test needs members that stop at different steps"
    for one, other in zip(together(trainings, store, 4), apart, strict=True):
        np.testing.assert_array_equal(one.history.steps, other.history.steps)
        np.testing.assert_array_equal(one.history.best_step, other.history.best_step)
        assert one.failure.partition(":")[0] == other.failure.partition(":")[0]


def test_only_missing_members_are_trained(store, monkeypatch):
    trainings, groups = members(count=5), []
    first = train_or_load(trainings[1], jets(), store, solver=COARSE)
    original = side_by_side.train

    def counting(group, *arguments):
        groups.append([training.member for training in group])
        return original(group, *arguments)

    monkeypatch.setattr(side_by_side, "train", counting)
    done = together(trainings, store, at_once=3)
    assert groups == [[0, 2, 3]]  # and the last one alone
    assert [member.training.member for member in done] == [0, 1, 2, 3, 4]
    same(done[1], first, atol=0)
    monkeypatch.setattr(event_training, "train", pytest.fail)
    together(trainings, store)
    assert len(groups) == 1


def test_one_that_diverges_does_not_take_the_others_down(store, tmp_path, monkeypatch, capfd):
    original = event_training.Member.draw

    def poisoned(self):
        drawn = original(self)
        if self.training.member == 1:
            drawn = (drawn[0] * torch.nan, *drawn[1:])
        return drawn

    monkeypatch.setattr(event_training.Member, "draw", poisoned)
    done = together(members(), store)
    assert "jets/0+1+2: member 1: loss nan" in capfd.readouterr().err
    assert [bool(member.failure) for member in done] == [False, True, False]
    assert done[1].failure.startswith("stopped: loss nan")
    same(done[2], train_or_load(members()[2], jets(), Store(tmp_path / "apart"), solver=COARSE), atol=0)


def test_out_of_memory_divides_their_batches(store, tmp_path, monkeypatch, capfd):
    original = SideBySide._loss

    def limited(self, *drawn):
        if len(drawn[0]) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, *drawn)

    apart = [train_or_load(training, jets(), Store(tmp_path / "apart"), solver=COARSE) for training in members()]
    monkeypatch.setattr(SideBySide, "_loss", limited)
    for one, other in zip(together(members(), store), apart, strict=True):
        same(one, other)
    assert "jets/0+1+2: out of memory, number of events at once halved from 32 to 16" in capfd.readouterr().err


def test_bad_input(store):
    with pytest.raises(ValueError, match="at_once must be at least 1, got 0"):
        together(members(), store, at_once=0)
    with pytest.raises(ValueError, match=r"jets: members .* differ in their number only"):
        together([*members(), replace(QUICK, seed=5)], store)
    with pytest.raises(ValueError, match="jets: n_train is 200, but there are 150 events"):
        train_or_load_members(members(), jets(150), store, at_once=2, label="jets")
    assert train_or_load_members([], jets(), store) == []


KILLED = """
    import sys
    sys.path.insert(0, {tests!r})
    from test_side_by_side import FIT, QUICK, Store, members, replace, together
    together(members(replace(QUICK, fit=replace(FIT, steps=60))), Store({root!r}))
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
    monkeypatch.setattr(event_training, "train", pytest.fail)
    monkeypatch.setattr(side_by_side, "train", pytest.fail)
    trainings = members(replace(QUICK, fit=replace(FIT, steps=60)))
    killed, through = (together(trainings, Store(tmp_path / name)) for name in ("killed", "through"))
    for one, other in zip(killed, through, strict=True):
        same(one, other, atol=0)


# ---- repulsive ensembles


REPULSIVE = replace(QUICK, generator=SMALL["spline"], posterior="repulsive", together=3)


def test_a_repulsive_loss_is_that_of_the_members_densities():
    each = [untrained_member(one, jets(), torch.device("cpu")) for one in members(REPULSIVE)]
    with torch.no_grad():  # untrained ones are nearly the same function
        for k, member in enumerate(each):
            for p in member.parameters.values():
                p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(k)))
    stack = Repulsive(each)
    drawn = stack.draw()
    assert all(len(part) == 1 for part in drawn), "a batch must not be divided: all of it is compared"
    _, x, *noise = (part[0] for part in drawn)
    log_density = torch.stack([-member.generator.loss(x, *noise) for member in each]).float()
    prior = torch.stack([sum(p.square().sum() for p in member.parameters.values()) / 2 for member in each])
    expected = (log_kernel_sum(log_density) + prior) / len(each[0].split.train) - log_density.mean(1)
    torch.testing.assert_close(stack.losses(drawn), expected)
    assert (log_kernel_sum(log_density) > 0).any(), "the test needs members that repel each other"


def test_a_repulsive_ensemble_is_trained_together_and_found_one_by_one(store, monkeypatch):
    trained = together(members(REPULSIVE), store, at_once=1)
    assert [one.failure for one in trained] == [""] * 3
    assert len({one.artifact for one in trained}) == 3
    monkeypatch.setattr(side_by_side, "train", pytest.fail)
    for one, again in zip(trained, together(members(REPULSIVE), store, at_once=1), strict=True):
        same(one, again, atol=0)
    same(train_or_load(members(REPULSIVE)[1], jets(), store), trained[1], atol=0)


def test_one_that_is_damaged_is_made_anew_with_all_others(store):
    trained = together(members(REPULSIVE), store, at_once=1)
    shutil.rmtree(store.path(trained[1].artifact))
    for one, again in zip(trained, together(members(REPULSIVE), store, at_once=1), strict=True):
        same(one, again, atol=0)


def test_a_repulsive_ensemble_needs_all_its_members(store):
    with pytest.raises(ValueError, match="all 3 members"):
        together(members(REPULSIVE)[:2], store)
    with pytest.raises(ValueError, match="trained together"):
        train_or_load(members(REPULSIVE)[0], jets(), store)
    with pytest.raises(ValueError, match="together"):
        replace(REPULSIVE, together=1)
    with pytest.raises(ValueError, match="flows"):
        replace(REPULSIVE, generator=SMALL["transformer"])
