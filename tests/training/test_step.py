"""What a GPU does in a step, as far as a CPU can show it: warm-up without a trace, checks that come later."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import EQUIVARIANT, FIT, QUICK, RING, SMALL, TRAININGS, data_of, events_of

from gampl.generators.devices import pick_device
from gampl.generators.gpu import Graph, warm_up
from gampl.training.data import Data, untrained
from gampl.training.fit import Run
from gampl.training.members import Stack, weighted_loss
from gampl.training.step import Step

MEAN = replace(QUICK, fit=replace(FIT, ema=0.9))


def step_of(training, members=1, device=None):
    data = Data(events_of(training)).checked(training, "")
    each = [untrained(training, data, k, device) for k in range(members)]
    return Step(Stack(each) if members > 1 else each[0], training.fit, "test")


def tensors(step):
    return {name: tensor.clone() for name, tensor in step.tensors().items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize("before", [0, 4])
@pytest.mark.parametrize(
    ("training", "members"), [(QUICK, 1), (MEAN, 1), (RING, 3)], ids=["alone", "running mean", "side by side"]
)
def test_warming_up_leaves_no_trace(training, members, before):
    plain, warmed = step_of(training, members), step_of(training, members)
    for step in (plain, warmed):
        for _ in range(before):
            step()
    # what is drawn for it is drawn by both: only a graph's first batch is seen twice
    drawn = [step.trainable.draw() for step in (plain, warmed)]
    warm_up(warmed._update, drawn[1], [*warmed.tensors().values(), warmed._bad])
    for step in (plain, warmed):
        for _ in range(3):
            step()
    assert_equal(tensors(plain), tensors(warmed))


def test_a_graph_that_only_replays_what_it_was_made_of_would_be_seen():
    """The test above can fail: without the state put back, the weights differ."""
    plain, warmed = step_of(QUICK), step_of(QUICK)
    drawn = [step.trainable.draw() for step in (plain, warmed)]
    warmed._update(drawn[1])
    plain(), warmed()
    assert not torch.equal(*(step.tensors()["weights velocity.head.weight"] for step in (plain, warmed)))


@pytest.mark.parametrize("members", [1, 3])
def test_a_check_that_comes_late_names_the_first_bad_step(members, monkeypatch):
    step = step_of(RING, members)
    check = step.check
    monkeypatch.setattr(step, "check", lambda: None)
    for number in range(8):
        if number == 5:  # of the last member
            of_members = step.parameters["density.head.bias"].data.view(members, -1)
            of_members[-1] = np.nan
        step()
    named = "" if members == 1 else "member 2: "
    with pytest.raises(FloatingPointError, match=rf"^{named}loss nan with gradient norm nan in step 5; "):
        check()


def test_a_gpu_clips_as_a_cpu_does():
    """In few kernels, which a CPU can call as well."""
    each = [step_of(replace(QUICK, fit=replace(FIT, clip=0.01))) for _ in range(2)]
    each[1].on_gpu = True
    for step in each:
        step._gradients(step.trainable.draw(), 64)
    norms = [step._clip_gradients() for step in each]
    torch.testing.assert_close(*norms)
    assert norms[0] > each[0].settings.clip, "something is clipped"
    for name, p in each[0].parameters.items():
        torch.testing.assert_close(each[1].parameters[name].grad, p.grad, msg=name)


@pytest.mark.parametrize("kind", ["transformer", "autoregressive", "lgatr_slim", "lloca"])
def test_a_loss_is_compiled_once_for_all_members(kind):
    training = replace(QUICK, architecture=(SMALL | EQUIVARIANT)[kind])
    data = Data(events_of(training)).checked(training, "")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(weighted_loss, dynamic=False, backend="eager", fullgraph=True)
    for number in range(2):
        member = untrained(training, data, number)
        drawn = member.draw()
        torch.testing.assert_close(compiled(member.generator, *drawn), weighted_loss(member.generator, *drawn))
        assert member.generator.compiles
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


# ---- on a GPU

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
ON_GPU = {name: (training, 1) for name, training in TRAININGS.items() if name.startswith(("jets", "ring"))}
ON_GPU |= {kind: (replace(QUICK, architecture=size), 1) for kind, size in EQUIVARIANT.items()}
ON_GPU |= {"running mean": (MEAN, 1), "side by side": (RING, 3)}


@gpu
@pytest.mark.parametrize(("training", "members"), ON_GPU.values(), ids=ON_GPU)
def test_a_graph_and_single_kernels_train_alike(training, members):
    training = replace(training, fit=replace(training.fit, steps=200))
    graphed, plain = (step_of(training, members, pick_device("cuda")) for _ in range(2))
    plain.trainable.graphable = False
    for _ in range(200):
        graphed()
        plain()
    assert isinstance(graphed.graph, Graph)
    assert plain.graph is None
    assert graphed.trainable.compiled() == (members == 1 and graphed.trainable.generator.compiles)
    torch.testing.assert_close(graphed.loss_sum, plain.loss_sum, rtol=1e-4, atol=0)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=gpu)])
def test_a_training_goes_on_from_a_checkpoint(device, tmp_path):
    whole, first, second = (Run(step_of(MEAN, device=pick_device(device)).trainable, MEAN.fit) for _ in range(3))
    for _ in range(20):
        whole.step()
    for _ in range(11):
        first.step()
    first.save(tmp_path / "checkpoint")
    second.restore(tmp_path / "checkpoint")
    for _ in range(9):
        second.step()
    for name, tensor in whole.step.tensors().items():
        torch.testing.assert_close(second.step.tensors()[name], tensor, msg=name)


@gpu
def test_a_bad_step_is_named_on_a_gpu():
    step = step_of(RING, device=pick_device("cuda"))
    for number in range(8):
        if number == 5:
            step.parameters["density.head.bias"].data.fill_(np.nan)
        step()
    with pytest.raises(FloatingPointError, match="in step 5; "):
        step.check()


@gpu
@pytest.mark.parametrize("training", [training for training, _ in ON_GPU.values()], ids=ON_GPU)
def test_a_gpu_trains_as_well_as_a_cpu(training, tmp_path):
    from gampl.store.artifacts import Store
    from gampl.training.train import train_members

    training = replace(training, fit=replace(training.fit, steps=200, patience=20))
    losses = []
    for device in ("cpu", "cuda"):
        options = {"members": [0], "device": device}
        (member,) = train_members(training, data_of(training), Store(tmp_path / device), **options)
        losses.append(member.history.validation_loss)
        assert np.isfinite(member.sample(200, 1)).mean() > 0.99
    assert abs(losses[0].min() - losses[1].min()) < 0.1 * abs(losses[0][0, 0] - losses[0].min()) + 0.02
