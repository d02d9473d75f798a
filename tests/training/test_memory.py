"""Out of memory: what is done at once is halved, the outcome is the same, and nothing half done is kept."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_event_training import COARSE, QUICK, SMALL, jets
from zuko.distributions import NormalizingFlow

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.memory import AtOnce
from gampl.generators.settings import Fit, Network, Training
from gampl.generators.table_settings import TableTraining
from gampl.store.artifacts import Store
from gampl.training import ensemble
from gampl.training import events as event_training
from gampl.training import rings as training
from gampl.training import tables as table_training
from gampl.training.event_ensemble import GeneratedEvents
from gampl.training.events import Member

RINGS = Training(
    dim=2,
    n_train=100,
    posterior="deep",
    members=3,
    network=Network(width=8, heads=2),
    fit=Fit(steps=20, batch_size=40, warmup=5, validate_every=10, checkpoint_seconds=0),
)
TABLE = TableTraining("spline", n_train=100, dim=2, transforms=2, width=8, bins=4, fit=RINGS.fit)


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
    at_once, sizes = AtOnce("ring"), []

    def work(size):
        sizes.append(size)
        if size > 30:
            raise full()
        return size

    assert at_once.attempt(101, work) == 26
    assert sizes == [101, 51, 26]
    assert lines(capfd) == [
        "ring: out of memory, number of events at once halved from 101 to 51",
        "ring: out of memory, number of events at once halved from 51 to 26",
    ]
    assert at_once.attempt(200, work) == 26
    assert at_once.attempt(7, work) == 7
    assert lines(capfd) == []


@pytest.mark.parametrize("n", [1, 2, 5, 64, 101])
def test_the_parts_of_a_map_are_the_whole(n):
    x, y = torch.randn(2, n, 3)
    at_once = AtOnce("ring")
    at_once.limit = 7
    sizes = []
    assert torch.equal(at_once.map(lambda a, b: sizes.append(len(a)) or a - b, x, y), x - y)
    assert max(sizes) <= 7
    assert sum(sizes) == n


def test_when_nothing_can_be_divided_the_error_says_what_may_help():
    def work(_):
        raise full()

    with pytest.raises(torch.OutOfMemoryError, match=r"^ring: out of memory.*GAMPL_DEVICE=cpu\): CUDA out of memory"):
        AtOnce("ring").attempt(8, work)


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

    assert AtOnce("ring").attempt(2, work) == 1


def test_other_errors_are_not_touched(capfd):
    def work(_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match=r"^mat1 and mat2"):
        AtOnce("ring").attempt(8, work)
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

    AtOnce("ring").attempt(4, work)
    assert seen == [0, 1, 2]


# ---- trainings


def same_weights(first, second, atol):
    assert first.keys() == second.keys()
    for name, p in first.items():
        torch.testing.assert_close(p, second[name], rtol=0, atol=atol)


@pytest.mark.parametrize("kind", SMALL)
def test_a_generator_of_events_trains_to_the_same_weights(kind, store, tmp_path, capfd):
    setting = replace(QUICK, generator=SMALL[kind])
    plain = event_training.train_or_load(setting, jets(), Store(tmp_path / "plain"), solver=COARSE)
    with small_memory(Member, "_loss", 20) as seen:
        halved = event_training.train_or_load(setting, jets(), store, solver=COARSE, label="jets")
    assert halved.failure == ""
    same_weights(dict(plain.generator.named_parameters()), dict(halved.generator.named_parameters()), 1e-5)
    np.testing.assert_allclose(halved.history.train_loss, plain.history.train_loss, rtol=1e-4)
    np.testing.assert_allclose(halved.history.validation_loss, plain.history.validation_loss, rtol=1e-4)
    said = lines(capfd)
    assert [line for line in said if "validation" not in line] == [
        "jets: out of memory, number of events at once halved from 64 to 32",
        "jets: out of memory, number of events at once halved from 32 to 16",
    ]
    assert any(line.startswith("jets, validation: out of memory, number of events") for line in said)
    assert seen.count(64) == 1  # the division is kept


def test_memory_may_run_out_on_the_way_back(store, tmp_path, monkeypatch, capfd):
    plain = event_training.train_or_load(QUICK, jets(), Store(tmp_path / "plain"), solver=COARSE)
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
    halved = event_training.train_or_load(QUICK, jets(), store, solver=COARSE, label="jets")
    same_weights(dict(plain.generator.named_parameters()), dict(halved.generator.named_parameters()), 1e-5)
    assert lines(capfd) == [
        f"jets: out of memory, number of events at once halved from {a} to {b}" for a, b in ((64, 32), (32, 16))
    ]


def test_an_ensemble_trains_to_the_same_weights(capfd):
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    splits = [ensemble.poisson_bootstrap(100, torch.Generator().manual_seed(i)) for i in range(3)]

    def train():
        streams = (torch.Generator().manual_seed(i) for i in range(3))
        networks = [AutoregressiveTransformer(2, width=8, generator=stream) for stream in streams]
        history = ensemble.fit_ensemble(networks, x, splits, RINGS.fit, seed=1, label="rings")
        return {f"{i} {k}": p for i, n in enumerate(networks) for k, p in n.named_parameters()}, history

    plain, expected = train()
    with small_memory(ensemble.Stack, "log_prob", 12, axis=1):
        halved, history = train()
    same_weights(plain, halved, 1e-5)
    np.testing.assert_allclose(history.validation_loss, expected.validation_loss, rtol=1e-4)
    assert lines(capfd) == [
        f"{who}: out of memory, number of events at once halved from {b} to {a}"
        for who in ("rings", "rings, validation")
        for b, a in ((40, 20), (20, 10))
    ]


def test_a_table_trains_to_the_same_weights(store, tmp_path, capfd):
    x = np.random.default_rng(0).normal(size=(100, 2))
    plain = table_training.train_or_load(TABLE, x, Store(tmp_path / "plain"))
    with small_memory(NormalizingFlow, "log_prob", 15):
        halved = table_training.train_or_load(TABLE, x, store, label="table")
    same_weights(plain.generator.flow.state_dict(), halved.generator.flow.state_dict(), 1e-5)
    assert "table: out of memory, number of events at once halved from 20 to 10" in lines(capfd)


@pytest.mark.parametrize("posterior", ["bayesian", "repulsive"])
def test_a_batch_that_cannot_be_divided_is_an_error_and_nothing_is_stored(posterior, store):
    setting, stopped = replace(RINGS, posterior=posterior), pytest.raises(torch.OutOfMemoryError, match="rings: out of")
    with small_memory(AutoregressiveTransformer, "log_prob", 39, axis=-2), stopped:
        training.train_or_load(setting, store, label="rings")
    assert not list(store.root.glob("*/*/artifact.json"))
    assert len(training.train_or_load(setting, store, label="rings").posterior) == 3  # another time


def test_running_out_of_memory_is_no_failure_of_a_member(store):
    with small_memory(Member, "_loss", 0), pytest.raises(torch.OutOfMemoryError, match="jets, validation: out"):
        event_training.train_or_load(QUICK, jets(), store, label="jets")
    assert not list(store.root.glob("*/*/artifact.json"))
    assert event_training.train_or_load(QUICK, jets(), store, label="jets").failure == ""


# ---- generating


@pytest.mark.parametrize("kind", SMALL)
def test_the_same_events_are_generated(kind, store, tmp_path, capfd):
    member = event_training.train_or_load(replace(QUICK, generator=SMALL[kind]), jets(), store, solver=COARSE)
    expected = np.concatenate(list(GeneratedEvents(member, Store(tmp_path / "plain"), 100).stream(200, seed=3)))
    density = GeneratedEvents(member, store).log_prob(jets(50))

    generated = GeneratedEvents(member, store, 100)
    with small_memory(member.generator, "generate", 30) as made, small_memory(member.generator, "log_prob", 30):
        np.testing.assert_allclose(np.concatenate(list(generated.stream(200, seed=3))), expected, rtol=1e-4)
        np.testing.assert_allclose(generated.log_prob(jets(50)), density, rtol=1e-4)
    assert made == [100, 50] + 8 * [25]  # the division is kept
    name = f"{kind} 0, artifact {member.artifact[:12]}"
    assert lines(capfd) == [
        f"generating with {name}: out of memory, number of events at once halved from 100 to 50",
        f"generating with {name}: out of memory, number of events at once halved from 50 to 25",
        f"density under {name}: out of memory, number of events at once halved from 50 to 25",
    ]


def test_events_that_do_not_fit_are_not_stored(store):
    member = event_training.train_or_load(QUICK, jets(), store, solver=COARSE)
    generated = GeneratedEvents(member, store, 100)
    with (
        small_memory(member.generator, "generate", 0),
        pytest.raises(torch.OutOfMemoryError, match="generating with transformer 0"),
    ):
        next(generated.stream(100, seed=3))
    assert len(list(store.root.glob("*/*/artifact.json"))) == 1
    assert len(next(generated.stream(100, seed=3))) == 100
