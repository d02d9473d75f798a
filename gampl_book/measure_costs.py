"""Times the units of work of a profile on this machine: `make costs`, a few minutes.

Steps of each kind of training at the profile's sizes, generated events of each generator, events of each recipe. The
file that it writes is what the page *Run it at paper scale* multiplies with the numbers of jobs.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tqdm import tqdm

from gampl.generators.devices import pick_device
from gampl.processes.top_pair import TopPair
from gampl.store.atomic import write_bytes
from gampl.training.data import Data, untrained
from gampl.training.settings import LeadingOrder, TopPairJets, Training
from gampl.training.train import train
from gampl_book import COSTS, ROOT, costs, event_plans as plans, event_studies, ring_ensembles, studies
from gampl_book.event_ensembles import leading_order_process
from gampl_book.pages import processor
from gampl_book.profiles import PROFILES

N_TRAIN = 512  # a step's time does not depend on it; what is held back is validated in no time
CPU_BATCH = 128  # a CPU's time is proportional to the batch, and the paper's is 2048
EVENTS_OF_A_RECIPE = 1000


def seconds_per_step(train: Callable[[int], object], device: torch.device) -> float:
    """Time of a step, free of that of the start: the difference between a longer and a shorter training."""
    few, many = (2, 6) if device.type == "cpu" else (20, 120)
    times = []
    for steps in (few, few, many):  # the first one warms up
        start = time.perf_counter()
        train(steps)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return max(times[2] - times[1], 0.0) / (many - few)


def of_a_ring(one: Training, device: torch.device) -> dict[str, float]:
    """A training of the rings: all members of an ensemble side by side, or one Bayesian network."""
    events = ring_ensembles.data(one)
    numbers = [0] if one.posterior == "bayesian" else list(range(one.members))

    def data_of(member: int) -> Data:
        return Data(events(member) if callable(events) else events)

    def steps_of(steps: int) -> None:
        fit = replace(one.fit, steps=steps, validate_every=steps, warmup=1)
        with TemporaryDirectory() as folder:
            train(numbers, replace(one, fit=fit), data_of, Path(folder, "checkpoint"), "timing", device)

    return {"seconds_per_step": seconds_per_step(steps_of, device)}


def of_events(one: Training, profile: str, device: torch.device) -> dict[str, float]:
    """A member of an ensemble of generators of LHC events, and the events that it generates."""
    process = one.process
    if isinstance(process, LeadingOrder):
        events = np.asarray(leading_order_process(process).sample(N_TRAIN, np.random.default_rng(1)))
    elif isinstance(process, TopPairJets):
        events = np.asarray(TopPair(process.extra_jets).load("train").momenta[:N_TRAIN])
    else:
        raise TypeError(f"Training.process must be one of LHC events, got {process}")
    batch = one.fit.batch_size if device.type != "cpu" else min(CPU_BATCH, one.fit.batch_size)

    data = Data(events)

    def steps_of(steps: int) -> None:
        fit = replace(one.fit, steps=steps, validate_every=steps, warmup=1, batch_size=batch)
        with TemporaryDirectory() as folder:
            short = replace(one, n_train=N_TRAIN, fit=fit)
            train([0], short, lambda _: data, Path(folder, "checkpoint"), "timing", device)

    step = seconds_per_step(steps_of, device)
    solver = event_studies.solver(profile)
    generator = untrained(replace(one, n_train=N_TRAIN), data, 0, device, solver).generator
    n = 64 if device.type == "cpu" else 4096
    stream = torch.Generator().manual_seed(1)
    times = []
    for count in (n, n, 4 * n):
        start = time.perf_counter()
        generator.sample(count, stream)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return {"seconds_per_step": step, "batch_size": batch, "seconds_per_generated_event": times[2] / (4 * n)}


def of_a_shard(folder: str) -> float:
    """Seconds per event before cuts of a folder of shards, its start included as in a whole shard."""
    shards = plans.shards("paper")[folder]
    with TemporaryDirectory() as made:
        command = [
            sys.executable,
            "-m",
            "gampl",
            "events",
            "make",
            shards.recipe,
            *replace(shards, events=None).options,
        ]
        command += ["--folder", made, "--cores", "1", "--quiet"]
        times = []
        for seed, n in ((1, EVENTS_OF_A_RECIPE), (2, 3 * EVENTS_OF_A_RECIPE)):
            start = time.perf_counter()
            here = ["--seeds", str(seed), "--events", str(n), "--folder", f"{made}/{n}"]
            subprocess.run([*command, *here], cwd=ROOT, check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    each = (times[1] - times[0]) / (2 * EVENTS_OF_A_RECIPE)
    start_up = times[0] - EVENTS_OF_A_RECIPE * each
    return each + start_up / (shards.events or costs.EVENTS_PER_SHARD)


def measure(profile: str, seed: int) -> dict[str, object]:
    """All units of work of a profile on the device that `gampl.generators.devices.pick_device` picks."""
    device = pick_device()
    torch.set_num_threads(1)
    rings = {f"{name.partition('/')[0]}/{t.posterior}": t for name, t in studies.trainings(profile, seed).items()}
    events = {
        costs.unit(name.rpartition("/")[0]): t for name, t in reversed(event_studies.trainings(profile, seed).items())
    }
    folders = list(plans.shards("paper")) if profile == "paper" and device.type == "cpu" else []  # Pythia uses no GPU
    with tqdm(total=len(rings) + len(events) + len(folders), desc="units of work", file=sys.stderr) as bar:

        def told(result: object) -> object:
            bar.update()
            return result

        return {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
            "kind": device.type,
            "profile": profile,
            "torch": torch.__version__.split("+")[0],
            "threads": torch.get_num_threads(),
            "rings": {name: told(of_a_ring(one, device)) for name, one in rings.items()},
            "events": {name: told(of_events(one, profile, device)) for name, one in events.items()},
            "shards": {name: told(of_a_shard(name)) for name in folders},
        }


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Time the units of work of a profile on this machine.")
    parser.add_argument("--profile", choices=PROFILES, default="paper")
    parser.add_argument("-o", "--output", type=Path, help="file to write; by default below data/costs, by the device")
    args = parser.parse_args(arguments)
    measured = measure(args.profile, seed=1)
    device = "".join(c if c.isalnum() else "_" for c in str(measured["device"])).strip("_").lower()
    name = device if args.profile == "paper" else f"{device}_{args.profile}"
    output = args.output or ROOT / COSTS / f"{name}.json"
    write_bytes(output, (json.dumps(measured, indent=1) + "\n").encode())
    print(f"{output}: {costs.total_hours(costs.plan(args.profile, 1, measured)):.0f} hours in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
