"""Out of memory: what is done at once is halved, the outcome is the same, and nothing half done is kept."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import COARSE, QUICK, RING, SMALL, TRAININGS, data_of, jets, state

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.memory import Divider
from gampl.store.artifacts import Store
from gampl.training.members import Member
from gampl.training.train import train_members, train_or_load


def one(training, store, **options):
    return train_members(training, data_of(training), store, members=[0], solver=COARSE, chunk=100, **options)[0]


def full():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7 GiB")


def lines(capfd):
    return [line for line in capfd.readouterr().err.splitlines() if "out of memory" in line]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@contextmanager
def small_memory(owner, name, events, axis=0):
    """Has a function run out of memory where its first tensor has more events than these; yields how many it saw."""
    original, seen = getattr(owner, name), []

    def limited(*arguments, **options):
        tensor = next(a for a in arguments if isinstance(a, torch.Tensor))
        seen.append(tensor.shape[axis])
        if seen[-1] > events:
            raise full()
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, limited)
        yield seen


# ---- the halving


def test_work_is_halved_until_it_fits_and_stays_so(capfd):
    divider, sizes = Divider("ring"), []

    def work(size):
        sizes.append(size)
        if size > 30:
            raise full()
        return size

    assert divider.attempt(101, work) == 26
    assert sizes == [101, 51, 26]
    assert lines(capfd) == [
        "ring: out of memory, number of events at once halved from 101 to 51",
        "ring: out of memory, number of events at once halved from 51 to 26",
    ]
    assert divider.attempt(200, work) == 26
    assert divider.attempt(7, work) == 7
    assert lines(capfd) == []


@pytest.mark.parametrize("n", [1, 2, 5, 64, 101])
def test_the_parts_of_a_map_are_the_whole(n):
    x, y = torch.randn(2, n, 3)
    divider = Divider("ring")
    divider.limit = 7
    sizes = []
    assert torch.equal(divider.map(lambda a, b: sizes.append(len(a)) or a - b, x, y), x - y)
    assert max(sizes) <= 7
    assert sum(sizes) == n


def test_when_nothing_can_be_divided_the_error_says_what_may_help():
    def work(_):
        raise full()

    with pytest.raises(torch.OutOfMemoryError, match=r"^ring: out of memory.*GAMPL_DEVICE=cpu\): CUDA out of memory"):
        Divider("ring").attempt(8, work)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
        "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 B",
    ],
)
def test_other_words_for_it(message):
    def work(size):
        if size > 1:
            raise RuntimeError(message)
        return size

    assert Divider("ring").attempt(2, work) == 1


def test_other_errors_are_not_touched(capfd):
    def work(_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match=r"^mat1 and mat2"):
        Divider("ring").attempt(8, work)
    assert lines(capfd) == []


def test_what_did_not_fit_is_given_back_before_the_next_attempt():
    alive = []

    class Large:
        def __init__(self):
            alive.append(self)

        def __del__(self):
            freed.append(self.__class__)

    freed, seen = [], []

    def work(size):
        seen.append(len(freed))
        large = Large()
        alive.clear()
        if size > 1:
            raise full()
        return large

    Divider("ring").attempt(4, work)
    assert seen == [0, 1, 2]


# ---- trainings


def same_weights(first, second, atol):
    assert first.keys() == second.keys()
    for name, p in first.items():
        torch.testing.assert_close(p, second[name], rtol=0, atol=atol)


KINDS = ["jets-transformer", "jets-autoregressive", "jets-spline", "ring-spline", "table-spline"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_trains_to_the_same_weights(kind, store, tmp_path, capfd):
    training = TRAININGS[kind]
    plain = one(training, Store(tmp_path / "plain"))
    with small_memory(Member, "_loss", 20) as seen:
        halved = one(training, store, label="jets")
    assert halved.failure == ""
    same_weights(state(plain), state(halved), 1e-5)
    np.testing.assert_allclose(halved.history.train_loss, plain.history.train_loss, rtol=1e-4)
    np.testing.assert_allclose(halved.history.validation_loss, plain.history.validation_loss, rtol=1e-4)
    said = lines(capfd)
    assert [line for line in said if "validation" not in line] == [
        "jets/0: out of memory, number of events at once halved from 64 to 32",
        "jets/0: out of memory, number of events at once halved from 32 to 16",
    ]
    assert any(line.startswith("jets/0, validation: out of memory, number of events") for line in said)
    assert seen.count(64) <= 2  # the division is kept; there may be as many held-back events


def test_memory_may_run_out_on_the_way_back(store, tmp_path, monkeypatch, capfd):
    plain = one(QUICK, Store(tmp_path / "plain"))
    original = Member._loss

    def hooked(self, *drawn):
        losses = original(self, *drawn)

        def check(gradient):
            if len(gradient) > 20:
                raise full()

        if losses.requires_grad:
            losses.register_hook(check)
        return losses

    monkeypatch.setattr(Member, "_loss", hooked)
    halved = one(QUICK, store, label="jets")
    same_weights(state(plain), state(halved), 1e-5)
    assert lines(capfd) == [
        f"jets/0: out of memory, number of events at once halved from {a} to {b}" for a, b in ((64, 32), (32, 16))
    ]


@pytest.mark.parametrize("posterior", ["bayesian", "repulsive"])
def test_a_batch_that_cannot_be_divided_is_an_error_and_nothing_is_stored(posterior, store):
    training, stopped = (
        replace(RING, posterior=posterior),
        pytest.raises(torch.OutOfMemoryError, match=r"rings.*: out of"),
    )
    with small_memory(AutoregressiveTransformer, "log_prob", 39, axis=-2), stopped:
        train_or_load(training, data_of(training), store, label="rings")
    assert not list(store.root.glob("*/*/artifact.json"))
    assert len(train_or_load(training, data_of(training), store, label="rings")) == 3  # another time


def test_running_out_of_memory_is_not_a_failure_of_a_member(store):
    with small_memory(Member, "_loss", 0), pytest.raises(torch.OutOfMemoryError, match="jets/0, validation: out"):
        one(QUICK, store, label="jets")
    assert not list(store.root.glob("*/*/artifact.json"))
    assert one(QUICK, store, label="jets").failure == ""


# ---- generating


@pytest.mark.parametrize("kind", SMALL)
def test_the_same_events_are_generated(kind, store, tmp_path, capfd):
    member = one(replace(QUICK, architecture=SMALL[kind]), store)
    expected = replace(member, store=Store(tmp_path / "plain")).sample(200, seed=3)
    density = member.log_prob(jets(50))
    with small_memory(member.generator, "generate", 30) as made, small_memory(member.generator, "log_prob", 30):
        # where round-off crosses a boundary, of a mixture's component or of an angle, an event is another one
        alike = np.isclose(member.sample(200, seed=3), expected, rtol=1e-3, atol=1e-2).all((1, 2))
        assert alike.sum() >= 198
        np.testing.assert_allclose(member.log_prob(jets(50)), density, rtol=1e-3)
    assert made == [100, 50] + 8 * [25]  # the division is kept
    name = f"{kind} 0, artifact {member.artifact[:12]}"
    assert lines(capfd) == [
        f"generating with {name}: out of memory, number of events at once halved from 100 to 50",
        f"generating with {name}: out of memory, number of events at once halved from 50 to 25",
        f"density under {name}: out of memory, number of events at once halved from 50 to 25",
    ]


def test_events_that_do_not_fit_are_not_stored(store):
    member = one(QUICK, store)
    with (
        small_memory(member.generator, "generate", 0),
        pytest.raises(torch.OutOfMemoryError, match="generating with transformer 0"),
    ):
        member.sample(100, seed=3)
    assert len(list(store.root.glob("*/*/artifact.json"))) == 1
    assert len(member.sample(100, seed=3)) == 100
