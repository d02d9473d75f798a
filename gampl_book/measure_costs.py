"""Times steps of each training, generated events and events of each recipe on this machine: `make costs`, minutes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tqdm import tqdm

from gampl.generators.devices import pick_device
from gampl.generators.randomness import torch_generator
from gampl.simulation.shards import EVENTS_PER_SHARD
from gampl.store.atomic import write_bytes
from gampl.training.data import Data, untrained
from gampl.training.settings import Training
from gampl.training.train import train
from gampl_book import COSTS, ROOT, costs, event_plans, event_studies, ring_ensembles, studies
from gampl_book.event_ensembles import training_events
from gampl_book.pages import processor

N_TRAIN = 512  # a step's time does not depend on it; what is held back is validated in no time
CPU_BATCH = 128  # a CPU's time is proportional to the batch, and the paper's is 2048
EVENTS_OF_A_RECIPE = 1000


def seconds(work: Callable[[int], object], sizes: Sequence[int], device: torch.device) -> list[float]:
    """Times of amounts of work, one after the other."""
    times = []
    for size in sizes:
        start = time.perf_counter()
        work(size)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return times


def seconds_per_step(one: Training, data: dict[int, Data], device: torch.device) -> float:
    """Time of a step of members side by side, free of that of the start, from a longer and a shorter training."""

    def train_for(steps: int) -> None:
        short = replace(one, fit=replace(one.fit, steps=steps, validate_every=steps, warmup=1))
        with TemporaryDirectory() as folder:
            train(list(data), short, data.__getitem__, Path(folder, "checkpoint"), "timing", device)

    few, many = (2, 6) if device.type == "cpu" else (100, 1100)
    _, short, long = seconds(train_for, (few, few, many), device)  # the first warms up
    return max(long - short, 0.0) / (many - few)


def of_a_ring(one: Training, device: torch.device) -> dict[str, float]:
    """A training of the rings: all members of an ensemble side by side, or one Bayesian network."""
    events, numbers = ring_ensembles.data(one), range(1 if one.posterior == "bayesian" else one.members)
    data = {number: Data(events(number) if callable(events) else events) for number in numbers}
    return {"seconds_per_step": seconds_per_step(one, data, device)}


def of_events(one: Training, profile: str, device: torch.device) -> dict[str, float]:
    """A member of an ensemble of generators of LHC events, and the events that it generates."""
    on_cpu = device.type == "cpu"
    batch = min(CPU_BATCH, one.fit.batch_size) if on_cpu else one.fit.batch_size
    short = replace(one, n_train=N_TRAIN, fit=replace(one.fit, batch_size=batch))
    data = Data(training_events(short, "smoke"))  # bundled ones
    step = seconds_per_step(short, {0: data}, device)
    generator = untrained(short, data, 0, device, event_studies.solver(profile)).generator
    n = 64 if on_cpu else generator.gpu_batch_size
    size, stream = None if on_cpu else n, torch_generator(1, "generated", device=device)
    *_, long = seconds(lambda count: list(generator.stream(count, stream, size)), (n, n, 4 * n), device)
    return {"seconds_per_step": step, "batch_size": batch, "seconds_per_generated_event": long / (4 * n)}


def of_a_shard(folder: str) -> float:
    """Seconds per event before cuts of a folder of shards, its start included as in a whole shard."""
    shards = event_plans.plan("paper").shards[folder]
    command = [sys.executable, "-m", "gampl", "events", "make", shards.recipe, "--seeds", "1", "--cores", "1"]
    command += [*replace(shards, events=None).options, "--quiet"]

    def make(n: int) -> None:
        with TemporaryDirectory() as made:
            here = ["--events", str(n), "--folder", made]
            subprocess.run([*command, *here], cwd=ROOT, check=True, capture_output=True)

    short, long = seconds(make, (EVENTS_OF_A_RECIPE, 3 * EVENTS_OF_A_RECIPE), torch.device("cpu"))
    each = (long - short) / (2 * EVENTS_OF_A_RECIPE)
    return each + (short - EVENTS_OF_A_RECIPE * each) / (shards.events or EVENTS_PER_SHARD)


def write(profile: str, output: Path | None = None) -> None:
    """Measures on `gampl.generators.devices.pick_device`, and writes a file, by default below ``data/costs``."""
    device = pick_device()
    torch.set_num_threads(1)
    rings = {f"{name.partition('/')[0]}/{one.posterior}": one for name, one in studies.trainings(profile, 1).items()}
    events = {costs.unit(name): one for name, one in reversed(event_studies.ensembles(profile, 1).items())}
    simulates = profile == "paper" and device.type == "cpu"  # Pythia uses no GPU
    timed = partial(tqdm, unit="unit of work", file=sys.stderr)
    folders = event_plans.plan("paper").shards if simulates else ()
    measured: costs.Measured = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "kind": device.type,
        "profile": profile,
        "torch": torch.__version__.split("+")[0],
        "threads": torch.get_num_threads(),
        "rings": {name: of_a_ring(one, device) for name, one in timed(rings.items(), "rings")},
        "events": {name: of_events(one, profile, device) for name, one in timed(events.items(), "LHC events")},
        "shards": {name: of_a_shard(name) for name in timed(folders, "shards")},
    }
    name = "".join(c if c.isalnum() else "_" for c in measured["device"]).strip("_").lower()
    output = output or ROOT / COSTS / f"{name if profile == 'paper' else f'{name}_{profile}'}.json"
    write_bytes(output, (json.dumps(measured, indent=1) + "\n").encode())
    print(f"{output}: {costs.total_hours(costs.plan(profile, 1, measured)):.0f} hours in all")
