import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest
import torch
from small import COARSE, FIT, TRAININGS, data_of

from gampl.generators import devices
from gampl.generators.devices import pick_device
from gampl.store.artifacts import Store
from gampl.training.train import train_members

# trains and generates, prints a digest of the outcome and how torch is set
TRAINED = """
    import sys, tempfile, hashlib
    sys.path.insert(0, {tests!r})
    import torch
    from small import TRAININGS, COARSE, data_of
    from gampl.store.artifacts import Store
    from gampl.training.train import train_members
    digest = hashlib.sha256()
    for kind in ("jets-transformer", "jets-autoregressive", "jets-spline"):
        with tempfile.TemporaryDirectory() as folder:
            training = TRAININGS[kind]
            options = {{"members": [0], "solver": COARSE, "chunk": 50}}
            (member,) = train_members(training, data_of(training), Store(folder), **options)
            for weights in member.generator.state_dict().values():
                digest.update(weights.numpy().tobytes())
            digest.update(member.sample(50, 1).tobytes())
    print(digest.hexdigest(), torch.are_deterministic_algorithms_enabled())
"""


def test_an_unknown_device_is_named(monkeypatch):
    monkeypatch.setenv("GAMPL_DEVICE", "abacus")
    with pytest.raises(ValueError, match=r"abacus.*GAMPL_DEVICE"):
        pick_device()
    assert pick_device("cpu") == torch.device("cpu")  # the argument goes before


def test_a_gpu_that_is_hidden_is_explained(monkeypatch):
    def absent(*_, **__):
        raise RuntimeError("CUDA error: invalid device ordinal")

    monkeypatch.setenv("GAMPL_DEVICE", "cuda:3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    monkeypatch.setattr(torch, "empty", absent)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r'"cuda:3" .*GAMPL_DEVICE.*; CUDA_VISIBLE_DEVICES="5" leaves 1 GPUs'):
        pick_device()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(ValueError, match=r"invalid device ordinal$"):
        pick_device()


@pytest.mark.parametrize("value", ["yes", "2", "true "])
def test_a_bad_wish_for_determinism_is_named(monkeypatch, value):
    monkeypatch.setenv("GAMPL_DETERMINISTIC", value)
    with pytest.raises(ValueError, match=rf'GAMPL_DETERMINISTIC must be 0 or 1, got "{value}"'):
        pick_device("cpu")


def trained(value):
    script = "\n".join(line[4:] for line in TRAINED.format(tests=os.path.dirname(__file__)).splitlines())
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GAMPL_DEVICE": "cpu", "GAMPL_DETERMINISTIC": value}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_determinism_makes_no_difference_on_a_cpu():
    plain, deterministic = trained("0"), trained("1")
    assert plain[1:] == ["False"]
    assert deterministic[1:] == ["True"]
    assert plain[0] == deterministic[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
def test_a_gpu_gives_the_same_bits_twice_where_asked(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled()
    try:
        devices.use_deterministic_algorithms()
        x = torch.randn(500, 500, generator=torch.Generator().manual_seed(0)).cuda()
        sums = [torch.zeros(7, 500, device="cuda").index_add(0, torch.arange(500).cuda() % 7, x @ x) for _ in range(2)]
        assert torch.equal(*sums)
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def short_products():
    """Products of single precision in bfloat16, on processors that have it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


CALLERS = {
    "as it starts": nullcontext,
    "double precision": lambda: default_dtype(torch.float64),
    "half precision": lambda: default_dtype(torch.bfloat16),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "short products": short_products,
    "another device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("kind", ["jets-transformer", "ring-autoregressive", "table-spline"])
def test_what_the_caller_has_set_makes_no_difference(kind, tmp_path):
    training, seen = replace(TRAININGS[kind], fit=replace(FIT, steps=4)), {}
    events = data_of(training)
    for name, caller in CALLERS.items():
        options = {"members": [0], "solver": COARSE, "chunk": 20}
        with caller():
            (member,) = train_members(training, events, Store(tmp_path / name), **options)
            made, density = member.sample(20, 1), member.log_prob(events[:5])
            assert torch.is_grad_enabled() == (name not in ("no gradients", "inference"))  # it is the caller's again
            assert torch.is_autocast_enabled("cpu") == (name == "autocast")
            assert torch.get_float32_matmul_precision() == ("medium" if name == "short products" else "highest")
            assert (torch.backends.mkldnn.matmul.fp32_precision == "bf16") == (name == "short products")
            weights = [tensor.numpy(force=True) for tensor in member.generator.state_dict().values()]
        seen[name] = [array.tobytes() for array in (made, density, *weights)]
    assert [name for name, arrays in seen.items() if arrays != seen["as it starts"]] == []
