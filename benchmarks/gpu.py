"""What a GPU makes of the generators of section 5: ``python benchmarks/gpu.py``, on a CPU with ``--quick``.

For each network of the paper's size: milliseconds of a training step as one graph of a compiled loss, and as single
kernels; the largest difference of their losses; generated events a second. Beside them stand floors: the time that the
step's products of matrices take at the rate of one large product, and that its tensors take to be written and read once
at the rate of a copy. Results are printed as JSON, a line for each network, as soon as they are there.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from gampl.generators.devices import pick_device
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Solver
from gampl.processes.top_pair import TopPair
from gampl.training.data import Data, untrained
from gampl.training.step import Step
from gampl_book import event_studies

SOLVER = Solver("midpoint", 10)  # 20 evaluations


class Traffic(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See the class; views make nothing."""
        out = function(*args, **(kwargs or {}))
        if not function.is_view:
            made = out if isinstance(out, tuple | list) else (out,)
            self.bytes += sum(x.numel() * x.element_size() for x in made if isinstance(x, torch.Tensor))
        return out


def seconds(work: Callable[[], Any], calls: int, device: torch.device) -> float:
    """Seconds of one call, after three that do not count."""
    for _ in range(3):
        work()
    wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    wait(device)
    return (time.perf_counter() - start) / calls


def wait(device: torch.device) -> None:
    """Waits until all that was asked of a GPU is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def rates(device: torch.device, size: int) -> tuple[float, float]:
    """Floating-point operations a second of one large product, and bytes a second of a copy."""
    a = torch.randn(size, size, device=device)
    flops = 2 * size**3 / seconds(lambda: a @ a, 10, device)
    return flops, 2 * 4 * size**2 / seconds(a.clone, 10, device)


def step_of(kind: str, jets: int, batch: int, device: torch.device, *, plain: bool = False) -> Step:
    """A training of the paper's size on the bundled events, as single kernels if it is to be plain."""
    training = event_studies.trainings("paper", 0)[f"top_pair_{jets}j/{kind}/0"]
    events = np.asarray(TopPair(jets).load("train").momenta)
    training = replace(training, n_train=len(events), fit=replace(training.fit, batch_size=batch))
    member: Any = untrained(training, Data(events).checked(training, kind), 0, device, SOLVER)
    member.graphable = not plain
    member.generator.compiles &= not plain
    return Step(member, training.fit, kind)


def measure(
    kind: str, jets: int, device: torch.device, quick: bool, calls: int, floors: tuple[float, float]
) -> dict[str, Any]:
    """All numbers of one network, see the module's text."""
    batch, calls = (32, 3) if quick else (2048, calls)
    start = time.perf_counter()
    step, plain = (step_of(kind, jets, batch, device, plain=plain) for plain in (False, True))
    for _ in range(calls):
        step()
        plain()
    apart = ((step.loss_sum - plain.loss_sum) / plain.loss_sum).abs().max().item()
    made_ready = time.perf_counter() - start
    drawn, generator = plain.trainable.draw(), step.trainable.generator  # type: ignore[attr-defined]
    with FlopCounterMode(display=False) as flops, Traffic() as traffic:
        plain._gradients(drawn, batch)
    stream = torch_generator(1, "generated", device=device)
    size = 64 if quick else generator.gpu_batch_size
    generate = seconds(lambda: generator.generate(None, *generator.latent(size, stream)), 1 if quick else 5, device)
    return {
        "network": kind,
        "jets": jets,
        "how": step.how,
        "step_ms": 1e3 * seconds(step, calls, device),
        "single_kernels_ms": 1e3 * seconds(plain, max(3, calls // 10), device),
        "draw_ms": 1e3 * seconds(step.trainable.draw, calls, device),
        "products_ms": 1e3 * flops.get_total_flops() / floors[0],
        "traffic_ms": 1e3 * 2 * traffic.bytes / floors[1],
        "losses_apart": apart,
        "steps_compared": calls,
        "events_per_second": size / generate,
        "ready_s": made_ready,
    }


def say(**numbers: Any) -> None:
    """Prints a line of JSON."""
    sys.stdout.write(json.dumps(numbers) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures what the arguments name."""
    networks = ("transformer", "lgatr_slim", "lloca", "lgatr", "autoregressive", "spline")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=networks)
    parser.add_argument("--jets", nargs="+", type=int, default=[0, 4], help="extra jets of the top pairs")
    parser.add_argument("--seconds", type=float, default=420.0, help="no network is begun after so long")
    parser.add_argument("--calls", type=int, default=200, help="steps that are compared and timed")
    parser.add_argument("--quick", action="store_true", help="tiny batches and few steps, to see that it works")
    arguments = parser.parse_args()
    device, start = pick_device(), time.monotonic()
    floors = rates(device, 256 if arguments.quick else 8192)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    say(device=name, torch=torch.__version__, flops=floors[0], bytes_per_second=floors[1])
    for jets in arguments.jets:
        for kind in arguments.networks:
            if time.monotonic() - start > arguments.seconds:
                sys.exit("out of time")
            say(**measure(kind, jets, device, arguments.quick, arguments.calls, floors))


if __name__ == "__main__":
    main()
