import math

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gampl.store import progress
from gampl.training.fit import checksum, fit
from gampl.training.settings import Fit
from gampl.training.step import LAST_RATE, Step, learning_rate_factor

QUICK = Fit(steps=120, batch_size=1, learning_rate=0.1, warmup=5, validate_every=10, patience=100)


class Parabolas:
    """M members, member i with a minimum at `targets[i]`, seen through noise; validation losses are given."""

    graphable = True

    def __init__(self, targets, validation=None, noise=0.1, interrupt_at=None, bad_at=None):
        self.targets = torch.tensor(targets)  # (M, k)
        self.members = len(self.targets)
        self.parameters = {"p": torch.zeros_like(self.targets).requires_grad_()}
        self.streams = [torch.Generator().manual_seed(i) for i in range(self.members)]
        self.validation, self.noise = iter(validation or ()), noise
        self.none_held_back, self.interrupt_at, self.bad_at = validation is None, interrupt_at, bad_at
        self.calls, self.learning_rates = 0, {}

    def draw(self):
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        return (torch.stack([torch.randn(1, self.targets.shape[1], generator=stream) for stream in self.streams], 1),)

    def losses(self, drawn):
        (noise,) = drawn
        losses = (self.parameters["p"] - self.targets - self.noise * noise).square().sum(-1).mean(0)
        if self.calls == self.bad_at:
            losses = losses * torch.tensor([1.0] * (self.members - 1) + [math.nan])
        self.calls += 1
        return losses

    def validation_losses(self, _):
        return None if self.none_held_back else torch.tensor(next(self.validation))


def test_members_find_their_minima():
    parabolas = Parabolas([[1.0, -2.0], [0.0, 3.0]], noise=0.01)
    history = fit(parabolas, Fit(steps=400, learning_rate=0.1, warmup=5))
    torch.testing.assert_close(parabolas.parameters["p"].detach(), parabolas.targets, rtol=0, atol=0.02)
    assert history.steps.tolist() == list(range(50, 401, 50))
    assert history.train_loss.shape == history.validation_loss.shape == (8, 2)
    assert np.isnan(history.validation_loss).all()
    assert history.best_step.tolist() == [400, 400]


def test_the_recorded_loss_is_the_mean_since_the_last_record():
    parabolas = Parabolas([[1.0]], noise=0.0)
    seen = []
    original = parabolas.losses
    parabolas.losses = lambda drawn: seen.append(original(drawn)) or seen[-1]
    history = fit(parabolas, Fit(steps=25, learning_rate=0.1, validate_every=10))
    losses = torch.cat(seen).detach().double()
    expected = [losses[:10].mean(), losses[10:20].mean(), losses[20:].mean()]
    np.testing.assert_allclose(history.train_loss[:, 0], expected, rtol=1e-6)


def test_members_do_not_see_each_other():
    # an absurd gradient of one member is clipped without touching the other
    alone, pair = Parabolas([[1.0, 2.0]]), Parabolas([[1.0, 2.0], [1e6, -1e6]])
    fit(alone, QUICK)
    fit(pair, QUICK)
    assert torch.equal(alone.parameters["p"][0], pair.parameters["p"][0])


def test_the_running_mean_is_what_is_validated_and_kept():
    parabolas, plain = Parabolas([[1.0, -2.0], [0.0, 3.0]]), Parabolas([[1.0, -2.0], [0.0, 3.0]])
    validated = []
    parabolas.validation_losses = lambda _: validated.append(parabolas.parameters["p"].detach().clone())
    fit(parabolas, Fit(steps=30, learning_rate=0.1, warmup=5, validate_every=10, ema=0.9))

    mean, expected = plain.parameters["p"].detach().clone(), []
    step = Step(plain, Fit(steps=30, learning_rate=0.1, warmup=5), "")
    for number in range(30):
        step()
        decay = min(0.9, (1 + number) / (10 + number))
        mean = decay * mean + (1 - decay) * plain.parameters["p"].detach()
        expected.append(mean)
    torch.testing.assert_close(torch.stack(validated), torch.stack(expected[9::10]))
    torch.testing.assert_close(parabolas.parameters["p"].detach(), expected[-1])


def test_gradients_are_clipped_for_each_member():
    parabolas = Parabolas([[30.0, 40.0], [0.03, 0.04]], noise=0.0)
    step = Step(parabolas, Fit(clip=5.0), "")
    parabolas.losses(parabolas.draw()).sum().backward()
    norms = step._clip_gradients()
    torch.testing.assert_close(norms, torch.tensor([100.0, 0.1]))
    torch.testing.assert_close(parabolas.parameters["p"].grad, torch.tensor([[-3.0, -4.0], [-0.06, -0.08]]))


def test_learning_rate_warms_up_and_comes_down():
    settings = Fit(steps=1000, warmup=100)
    factors = [learning_rate_factor(step, settings) for step in range(1000)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[99] == max(factors) == pytest.approx(1, abs=0.03)
    assert factors[:100] == sorted(factors[:100])
    assert factors[99:] == sorted(factors[99:], reverse=True)
    assert factors[-1] == pytest.approx(LAST_RATE, abs=1e-4)


def test_parameters_can_have_a_learning_rate_of_their_own():
    class Two(Parabolas):
        def __init__(self, **learning_rates):
            super().__init__([[1.0]], noise=0.0)
            self.learning_rates = learning_rates
            self.parameters["slow"] = torch.zeros(1, 1, requires_grad=True)

        def losses(self, drawn):
            return super().losses(drawn) + (self.parameters["slow"] - 1).square().sum(1)

    two = Two(slow=0.001)
    fit(two, Fit(steps=3, learning_rate=0.1, warmup=0))
    assert two.parameters["p"].item() == pytest.approx(100 * two.parameters["slow"].item(), rel=0.01)
    with pytest.raises(ValueError, match="typo"):
        fit(Two(typo=1.0), QUICK)


# ---- early stopping


def test_each_member_keeps_the_weights_of_its_best_validation():
    curves = [[3.0, 5.0], [2.0, 4.0], [2.5, 3.0], [2.6, 3.5]]
    settings = Fit(steps=40, learning_rate=0.1, validate_every=10, patience=10)
    parabolas = Parabolas([[1.0], [-1.0]], curves)
    seen = []
    original = parabolas.validation_losses
    parabolas.validation_losses = lambda _: seen.append(parabolas.parameters["p"].detach().clone()) or original(_)
    history = fit(parabolas, settings)
    assert history.best_step.tolist() == [20, 30]
    assert torch.equal(parabolas.parameters["p"].detach(), torch.stack([seen[1][0], seen[2][1]]))
    np.testing.assert_allclose(history.validation_loss, curves)


def test_a_member_that_has_run_out_of_patience_stays_stopped():
    # member 0 is best at 10 and out of patience at 30, so the low loss at 40 comes too late for it
    curves = [[1.0, 5.0], [2.0, 4.0], [2.0, 3.0], [0.5, 2.0], [0.4, 2.5], [0.3, 2.5], [0.2, 0.0]]
    history = fit(Parabolas([[1.0], [1.0]], curves), Fit(steps=70, validate_every=10, patience=2))
    assert history.best_step.tolist() == [10, 40]
    assert history.steps[-1] == 60  # and then nobody is left


# ---- faults


def test_a_loss_that_is_not_finite_names_member_and_step():
    with pytest.raises(FloatingPointError, match=r"member 1.*step 7"):
        fit(Parabolas([[1.0], [1.0]], bad_at=7), QUICK)


def test_a_parameter_without_the_member_axis_is_named():
    parabolas = Parabolas([[1.0], [1.0]])
    parabolas.parameters["q"] = torch.zeros(3, requires_grad=True)
    with pytest.raises(ValueError, match='"q"'):
        fit(parabolas, QUICK)


# ---- checkpoints


@pytest.mark.parametrize(("step", "ema"), [(0, 0.0), (1, 0.0), (10, 0.0), (57, 0.0), (119, 0.0), (57, 0.9)])
def test_an_interrupted_training_ends_at_the_same_weights(step, ema, tmp_path):
    quick = Fit(**{**vars(QUICK), "ema": ema})
    file = tmp_path / "checkpoint.safetensors"
    targets, curves = [[1.0, 2.0], [3.0, -1.0]], [[float(v), float(v**2)] for v in (5, 3, 2, 4, 6, 1, 7, 8, 9, 1, 2, 3)]
    through = Parabolas(targets, curves)
    expected = fit(through, quick)

    settings = Fit(**{**vars(quick), "checkpoint_seconds": 0})
    with pytest.raises(KeyboardInterrupt):
        fit(Parabolas(targets, curves, interrupt_at=step), settings, checkpoint=file)
    resumed = Parabolas(targets, curves[step // 10 :])
    history = fit(resumed, settings, checkpoint=file)
    assert torch.equal(resumed.parameters["p"], through.parameters["p"])
    assert resumed.calls == 120 - step
    for name in ("steps", "train_loss", "validation_loss", "best_step"):
        np.testing.assert_array_equal(getattr(history, name), getattr(expected, name))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    fit(Parabolas([[1.0]]), Fit(steps=5, checkpoint_seconds=0), checkpoint=file)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors belongs to"):
        fit(Parabolas([[1.0]]), Fit(steps=6), checkpoint=file)


def test_a_damaged_checkpoint_is_named_and_not_used(tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    fit(Parabolas([[1.0]]), Fit(steps=5, checkpoint_seconds=0), checkpoint=file)
    file.write_bytes(file.read_bytes()[:-100])
    parabolas = Parabolas([[1.0]])
    with pytest.warns(UserWarning, match=r"checkpoint\.safetensors is damaged"):
        fit(parabolas, Fit(steps=5), checkpoint=file)
    assert parabolas.calls == 5


def rewritten(file, change):
    """Writes a checkpoint anew with another content, whose checksum is right."""
    with safe_open(file, framework="pt") as written:
        tensors, about = {name: written.get_tensor(name) for name in written.keys()}, written.metadata()  # noqa: SIM118
    change(tensors, about)
    save_file(tensors, file, about | {"sha256": checksum(tensors, about)})


@pytest.mark.parametrize("place", ["first tensor", "last byte", "metadata"])
def test_one_flipped_bit_of_a_checkpoint_is_noticed(place, tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    fit(Parabolas([[1.0]]), Fit(steps=5, checkpoint_seconds=0), checkpoint=file)
    content = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[{"first tensor": start, "last byte": -1, "metadata": content.index(b"done") + 7}[place]] ^= 1
    file.write_bytes(content)
    parabolas, untouched = Parabolas([[1.0]]), Parabolas([[1.0]])
    with pytest.warns(UserWarning, match=r"checkpoint\.safetensors is damaged"):
        fit(parabolas, Fit(steps=5), checkpoint=file)
    fit(untouched, Fit(steps=5))
    assert torch.equal(parabolas.parameters["p"], untouched.parameters["p"])


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, _: tensors.pop("stream 0"),
        lambda tensors, _: tensors.pop("best p"),
        lambda _, about: about.update(done="6"),
        lambda _, about: about.pop("done"),
    ],
)
def test_a_checkpoint_that_lacks_something_is_not_used(change, tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    fit(Parabolas([[1.0]]), Fit(steps=5, checkpoint_seconds=0), checkpoint=file)
    rewritten(file, change)
    parabolas = Parabolas([[1.0]])
    with pytest.warns(UserWarning, match=r"checkpoint\.safetensors is damaged"):
        fit(parabolas, Fit(steps=5), checkpoint=file)
    assert parabolas.calls == 5


def test_a_checkpoint_of_another_device_is_named_and_not_used(tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    fit(Parabolas([[1.0]]), Fit(steps=5, checkpoint_seconds=0), checkpoint=file)
    as_of_a_gpu = torch.zeros(16, dtype=torch.uint8)  # as long as the state of its streams
    rewritten(file, lambda tensors, _: tensors.update({"stream 0": as_of_a_gpu}))
    parabolas = Parabolas([[1.0]])
    with pytest.warns(UserWarning, match=r"checkpoint\.safetensors was written on another device"):
        fit(parabolas, Fit(steps=5), checkpoint=file)
    assert parabolas.calls == 5


# ---- progress


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch, capfd):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(Parabolas([[1.0]]), Fit(steps=3), label="ring")
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == [f"ring: {k} of 3 steps" for k in (1, 2, 3)]
    monkeypatch.setenv("TQDM_DISABLE", "1")
    fit(Parabolas([[1.0]]), Fit(steps=3), label="ring")
    assert capfd.readouterr().err == ""
