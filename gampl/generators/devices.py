"""Where networks are trained and evaluated, and whether that is to be the same on each run of a GPU."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

DETERMINISTIC = "GAMPL_DETERMINISTIC"
_WORKSPACES = (":4096:8", ":16:8")  # of cuBLAS, with which it always adds in the same order


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, else the environment variable GAMPL_DEVICE, else a GPU if there is one.

    GPUs are counted among those that CUDA_VISIBLE_DEVICES leaves. With GAMPL_DETERMINISTIC=1 in the environment, torch
    is told to use deterministic algorithms only, for the rest of the process: the same GPU, driver and versions then
    give the same bits on each run, more slowly; an operation without such an algorithm is an error. On a CPU that makes
    no difference: there the bits are the same on each run in any case.

    Raises:
        ValueError: If the device cannot be used, or GAMPL_DETERMINISTIC is neither 0 nor 1.
    """
    deterministic = os.environ.get(DETERMINISTIC, "")
    if deterministic not in ("", "0", "1"):
        raise ValueError(f'{DETERMINISTIC} must be 0 or 1, got "{deterministic}"')
    if deterministic == "1":
        use_deterministic_algorithms()
    name = device or os.environ.get("GAMPL_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = f'device "{name}" (argument device or GAMPL_DEVICE) cannot be used: {error}'
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is not None and str(name).startswith("cuda"):
            left = f"leaves {torch.cuda.device_count()} GPUs, counted from cuda:0"
            reason += f'; CUDA_VISIBLE_DEVICES="{visible}" {left}'
        raise ValueError(reason) from error
    picked = torch.device(name)
    if picked.type == "cuda" and deterministic != "1":
        torch.set_float32_matmul_precision("high")  # products in TF32
    return picked


def use_deterministic_algorithms() -> None:
    """Sets all that torch needs for the same bits on each run; must come before the first product of matrices."""
    if os.environ.get("CUBLAS_WORKSPACE_CONFIG") not in _WORKSPACES:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = _WORKSPACES[0]
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")  # no TF32


@contextmanager
def torch_as_it_starts() -> Iterator[None]:
    """Torch as in a new process, whatever the caller has set: on it depends what is computed.

    That is: single precision by default, on the CPU, with gradients, without autocast and inference mode; and a CPU's
    products of matrices in single precision, not in fewer bits (for those of a GPU, see `pick_device`).
    """
    dtype, cpu, products = torch.get_default_dtype(), torch.device("cpu"), torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    with ExitStack() as stack:
        for mode in (torch.inference_mode(False), torch.enable_grad()):
            stack.enter_context(mode)
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device() != cpu:  # else it would only cost time: each call of torch looks at it
            stack.enter_context(cpu)
        stack.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
        stack.callback(setattr, products, "fp32_precision", products.fp32_precision)
        products.fp32_precision = "ieee"
        yield
