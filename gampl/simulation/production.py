"""Many shards, on all cores and with progress."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from tqdm import tqdm

from gampl.files.elsewhere import search_path
from gampl.simulation import shards
from gampl.simulation.dilepton import DileptonRecipe
from gampl.simulation.pythia import EventRecord
from gampl.simulation.recipes import Recipe
from gampl.simulation.shards import EVENTS_PER_SHARD, Progress, Shard
from gampl.simulation.top_pair import TopPairRecipe
from gampl.simulation.z_jets import ZJetsRecipe

RECIPES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in (DileptonRecipe, TopPairRecipe, ZJetsRecipe)}


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_shards(
    folder: Path,
    recipe: Recipe,
    seeds: Sequence[int],
    n_events: int = EVENTS_PER_SHARD,
    processes: int = 1,
    show_progress: bool = True,
) -> list[Shard]:
    """Makes the shards of some seeds, those that are missing, and returns all, in the order of the seeds.

    Several processes or machines may share a folder. A ValueError if it has shards of another recipe, or a seed is
    there twice.
    """
    if not seeds or len({*seeds}) < len(seeds):
        raise ValueError("each seed must be named once, and there must be at least one")
    EventRecord(recipe.pythia_settings(), seeds[0])  # what Pythia does not like is said before anything is written
    shards.prepare(folder, recipe, n_events)
    missing = [seed for seed in seeds if shards.find(folder, seed) is None]
    total, there = n_events * len(seeds), n_events * (len(seeds) - len(missing))
    bar = tqdm(total=total, initial=there, unit="events", unit_scale=True, desc=recipe.name, disable=not show_progress)
    with bar:
        # first what nobody else is making, then wait for the others
        for seed in _make_missing(folder, recipe, missing, n_events, processes, bar.update):
            shards.make(folder, recipe, seed, n_events, bar.update)
    return shards.read_all(folder, seeds)


def _make_missing(
    folder: Path, recipe: Recipe, seeds: Sequence[int], n_events: int, processes: int, report: Progress
) -> list[int]:
    """Goes through the seeds once and returns those whose shards are being made elsewhere."""
    if processes == 1 or len(seeds) <= 1:
        return [seed for seed in seeds if not shards.make(folder, recipe, seed, n_events, report, wait=False)]
    context = get_context("spawn")
    with _guarded_interpreters():  # it starts one that looks after what processes share
        counter = context.Value("q", 0)
    # the workers ignore the interrupt key: this process ends them once it has heard it
    with ProcessPoolExecutor(processes, context, initializer=_start_worker, initargs=(counter,)) as pool:
        try:
            with _guarded_interpreters():
                jobs = {pool.submit(_work, folder, recipe, seed, n_events): seed for seed in seeds}
            seen, unfinished = 0, {*jobs}
            while unfinished:
                done, unfinished = wait(jobs, timeout=0.5, return_when=FIRST_EXCEPTION)
                made = {jobs[job] for job in done if job.result()}  # or raises what the worker raised
                seen, before = counter.value, seen
                report(seen - before)
            return [seed for seed in seeds if seed not in made]
        except BaseException:
            for process in list(pool._processes.values()):
                process.terminate()
            raise


@contextmanager
def _guarded_interpreters() -> Iterator[None]:
    """Processes that are spawned meanwhile take no code from the current folder, as `search_path` says."""
    variable, path = os.environ.get("PYTHONSAFEPATH"), sys.path
    os.environ["PYTHONSAFEPATH"], sys.path = "1", search_path()
    try:
        yield
    finally:
        sys.path = path
        if variable is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = variable


_counter: "Synchronized[int]"  # of a worker: the events that all of them have made


def _start_worker(counter: "Synchronized[int]") -> None:
    global _counter
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when the one that has started it is gone, killed perhaps."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _work(folder: Path, recipe: Recipe, seed: int, n_events: int) -> bool:
    def report(size: int) -> None:
        with _counter.get_lock():
            _counter.value += size

    return shards.make(folder, recipe, seed, n_events, report, wait=False)
