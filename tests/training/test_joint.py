"""Generator and classifier in turn: where the weighted loss has its minimum, and what is found again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import FIT, RING, ROWS, TRAININGS, data_of, events_of, interrupted, state

from gampl.generators.settings import Architecture
from gampl.processes.gaussians import GaussianLine
from gampl.store.artifacts import Store
from gampl.training import joint as joint_module, train as train_module
from gampl.training.data import Data, untrained
from gampl.training.joint import Joint, joint_rounds, log_ratios
from gampl.training.members import Stack
from gampl.training.settings import Fit, Ring, Training
from gampl.training.train import train_members

SPLINE = replace(RING, architecture=Architecture("spline", blocks=2, width=8, components=4), members=2, fit=FIT)
QUICK = Joint(rounds=2, folds=2, n_gen=400, fit=Fit(steps=10, warmup=2, batch_size=64))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_the_corrected_loss_aims_at_the_truth_and_the_frozen_one_beyond_it(store):
    """From a Gaussian of width 1.4 to one of 1: p_true^2 / p_start has the inverse variance 2 - 1 / 1.4^2."""
    n, rng = 20_000, np.random.default_rng(1)
    wide, true = GaussianLine(width=1.4), GaussianLine()
    size = Architecture("autoregressive", blocks=1, heads=1, width=8, components=3)
    fit = Fit(steps=300, validate_every=300, batch_size=500, learning_rate=1e-2, warmup=30)
    training = Training(Ring(1), n, size, "same_split", 1, fit=fit)
    (start,) = train_members(training, wide.sample(n, rng), store)
    events = true.sample(n, rng)
    log_ratio = true.log_prob(events) - start.log_prob(events)
    common = {"events": events, "start": start.generator.state_dict()}
    again = {
        "corrected": (replace(training, alpha=1.0, clamp=1.0), Data(**common, log_ratio=log_ratio)),
        "frozen": (training, Data(**common, weights=np.exp(log_ratio))),
    }
    widths = {"start": start.sample(n, 1).std()}
    for name, (settings, data) in again.items():
        (one,) = train_members(settings, data, store)
        widths[name] = one.sample(n, 1).std()
    assert widths["start"] == pytest.approx(1.4, rel=0.03)
    assert widths["corrected"] == pytest.approx(1.0, rel=0.03)
    assert widths["frozen"] == pytest.approx((2 - 1 / 1.4**2) ** -0.5, rel=0.03)  # 0.82


def aimed(alpha, clamp=1.0, number=0):
    training = replace(SPLINE, alpha=alpha, clamp=clamp)
    events = events_of(training)
    log_ratio = np.random.default_rng(number).normal(size=len(events))
    return untrained(training, Data(events, log_ratio=log_ratio).checked(training, ""), number), log_ratio


def test_at_the_start_the_weights_are_those_of_the_classifier():
    member, log_ratio = aimed(alpha=0.7, clamp=0.9)
    rows = torch.arange(len(member.x))
    drawn = member._drawn(rows, torch.ones(len(rows)), member.streams[0])
    of_event = member.generator(member.x).detach()
    largest = np.quantile(log_ratio[member.split.train], 0.9)
    w = np.exp(0.7 * np.minimum(log_ratio, largest))
    expected = np.mean(w * of_event.numpy())
    assert member.losses(drawn).item() == pytest.approx(expected, rel=1e-4)


def test_members_side_by_side_have_the_losses_of_each_alone():
    members = [aimed(alpha=1.0, clamp=0.95, number=k)[0] for k in range(2)]
    alone = [aimed(alpha=1.0, clamp=0.95, number=k)[0] for k in range(2)]
    stack = Stack(members)
    together = stack.losses(stack.draw())
    separate = torch.cat([member.losses(member.draw()) for member in alone])
    torch.testing.assert_close(together, separate, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_corrected", [True, False])
@pytest.mark.parametrize("is_shared", [True, False])
def test_rounds_are_found_again(store, monkeypatch, is_corrected, is_shared):
    joint, events = replace(QUICK, is_corrected=is_corrected, is_shared=is_shared), events_of(SPLINE)
    made = list(joint_rounds(SPLINE, events, joint, store))
    assert [len(ensemble) for ensemble in made] == [2, 2, 2]
    monkeypatch.setattr(train_module, "train", pytest.fail)
    monkeypatch.setattr(joint_module, "cross_fit", pytest.fail)
    again = list(joint_rounds(SPLINE, events, joint, store))
    for before, after in zip(made, again, strict=True):
        for one, other in zip(before.members, after.members, strict=True):
            assert all(torch.equal(p, state(other)[name]) for name, p in state(one).items())
    first, *later = made
    for ensemble in later:  # each round changes the members
        assert any(not torch.equal(p, state(ensemble.members[0])[name]) for name, p in state(first.members[0]).items())


def test_an_interrupted_round_goes_on_where_it_was(store, tmp_path, monkeypatch):
    whole = list(joint_rounds(SPLINE, events_of(SPLINE), QUICK, Store(tmp_path / "other")))
    calls = interrupted(monkeypatch, 4)  # the second member of the first round
    with pytest.raises(KeyboardInterrupt):
        list(joint_rounds(SPLINE, events_of(SPLINE), QUICK, store))
    resumed = list(joint_rounds(SPLINE, events_of(SPLINE), QUICK, store))
    assert len(calls) == 7  # six members, one of them twice
    assert [e.members[1].artifact for e in resumed] == [e.members[1].artifact for e in whole]
    assert all(torch.equal(p, state(resumed[-1].members[1])[n]) for n, p in state(whole[-1].members[1]).items())


def test_without_a_power_members_are_trained_on(store):
    plain, same = (
        list(joint_rounds(SPLINE, events_of(SPLINE), replace(QUICK, rounds=1, alpha=0.0, folds=folds), store))[-1]
        for folds in (1, 2)
    )
    assert all(torch.equal(p, state(same.members[0])[name]) for name, p in state(plain.members[0]).items())


@pytest.mark.parametrize("name", ["ring", "leading-order-autoregressive", "rows"])
def test_every_generator_with_a_density_can_be_trained_jointly(store, name):
    training = {"ring": SPLINE, "rows": replace(ROWS, members=1), **TRAININGS}[name]
    training = replace(training, posterior="bootstrap", members=1)
    joint = replace(QUICK, rounds=1)
    *_, last = joint_rounds(training, data_of(training), joint, store)
    assert len(last) == 1
    assert last.members[0].failure == ""


def test_jets_are_told_apart_by_their_own_classifier(store):
    training = replace(TRAININGS["jets-autoregressive"], posterior="bootstrap", members=1)
    events = data_of(training)
    (member,) = train_members(training, events, store)
    values = log_ratios([member], events, replace(QUICK, n_gen=200), store)
    assert values.shape == (len(events),)
    assert np.isfinite(values).all()


def test_a_classifier_recognises_the_events_that_it_has_seen(store):
    """Nothing distinguishes the samples, but in-sample ratios of true events are above those of a cross-fit."""
    events = events_of(SPLINE)
    (member, _) = train_members(SPLINE, events, store)
    seen, unseen = (log_ratios([member], events, replace(QUICK, folds=folds), store).mean() for folds in (1, 3))
    assert seen > unseen


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"posterior": "independent"}, "independent members have no events in common"),
        ({"posterior": "bayesian"}, "Training.alpha must be 0"),
    ],
)
def test_what_cannot_be_trained_jointly_is_refused(store, changes, message):
    with pytest.raises(ValueError, match=message):
        list(joint_rounds(replace(SPLINE, **changes), events_of(SPLINE), replace(QUICK, is_shared=True), store))
    with pytest.raises(ValueError, match="weights have to depend on a condition"):
        list(joint_rounds(SPLINE, Data(events_of(SPLINE), weights=np.ones(SPLINE.n_events)), QUICK, store))


@pytest.mark.parametrize("changes", [{"rounds": -1}, {"alpha": -0.5}, {"clamp": 1.5}, {"folds": 0}, {"n_gen": 0}])
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=f"Joint.{next(iter(changes))} must be"):
        Joint(**changes)


def test_a_ratio_is_wanted_exactly_where_it_is_used():
    events = events_of(SPLINE)
    for training, ratio in ((SPLINE, np.zeros(len(events))), (replace(SPLINE, alpha=1.0), None)):
        with pytest.raises(ValueError, match="events have a log_ratio if alpha is not 0"):
            Data(events, log_ratio=ratio).checked(training, "here")
