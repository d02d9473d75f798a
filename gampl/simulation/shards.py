"""Events made in shards, each by one seed alone: at any size, on any number of machines, and again to the same bytes.

A folder of shards holds one recipe::

    <folder>/recipe.json               what all of its shards are made by
    <folder>/seed_000000017.h5         the events of one seed
    <folder>/seed_000000017.json       its checksum, cut flow, cross section, versions and time

A shard counts as made when its JSON file is there; the events are written first.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, get_origin

import numpy as np

import gampl
from gampl.files import hdf5
from gampl.particles.events import Events
from gampl.simulation.pythia import EventRecord
from gampl.simulation.recipes import Recipe, describe
from gampl.store.atomic import write_bytes
from gampl.store.locking import locked

EVENTS_PER_SHARD = 20_000
DETECTOR_STREAM = 38  # sets the detector's random numbers apart from others of the same seed
PACKAGES = ("pythia8mc", "fastjet", "awkward", "numpy", "h5py")


@dataclass(frozen=True)
class Shard:
    """What is known of a shard besides its events.

    Args:
        seed: Of Pythia and of the detector.
        sha256: Checksum of the file of events.
        passed: Numbers of events after each step of the selection.
        cross_section: In pb.
        cross_section_error: Of the Monte Carlo integration, in pb.
        versions: Of the packages it was made with.
        seconds: Of one core that it took.
        machine: Which processor and Python.
    """

    seed: int
    sha256: str
    passed: dict[str, int]
    cross_section: float
    cross_section_error: float
    versions: dict[str, str]
    seconds: float
    machine: str

    @property
    def generated(self) -> int:
        """Events before any cut."""
        return self.passed["generated"]


def events_path(folder: Path, seed: int) -> Path:
    """The file of a seed's events."""
    return folder / f"seed_{seed:09d}.h5"


def prepare(folder: Path, recipe: Recipe, n_events: int = EVENTS_PER_SHARD) -> None:
    """Makes a folder for shards of one recipe.

    Raises:
        ValueError: If the folder has shards of another recipe, or of another number of events.
    """
    new = describe(recipe) | {"events_per_shard": n_events}
    path = folder / "recipe.json"
    with locked(folder / ".recipe.lock"):
        if not path.exists():
            write_bytes(path, json.dumps(new, indent=1).encode())
            return
    old = _read_json(path)
    differing = [name for name in (*new, *old) if old.get(name) != new.get(name)]
    if differing:
        name = differing[0]
        raise ValueError(
            f"{folder} holds shards with {name} = {old.get(name)!r}, not {new.get(name)!r}:"
            " choose another folder, or the same recipe"
        )


def read_recipe(folder: Path) -> dict[str, Any]:
    """What the shards of a folder are made by, as `prepare` has written it.

    Raises:
        ValueError: If the folder is not one of shards.
    """
    path = folder / "recipe.json"
    if not path.exists():
        raise ValueError(f"{folder} is not a folder of shards: it has no {path.name}")
    return _read_json(path)


def seeds(folder: Path) -> list[int]:
    """The seeds whose shards are in a folder, in order.

    Raises:
        ValueError: If the folder is not one of shards, or has none.
    """
    read_recipe(folder)
    numbers = sorted(int(path.stem.removeprefix("seed_")) for path in folder.glob(f"seed_{'[0-9]' * 9}.json"))
    if not numbers:
        raise ValueError(f"{folder} has no shards yet: make them with gampl events make")
    return numbers


def make(
    folder: Path,
    recipe: Recipe,
    seed: int,
    n_events: int = EVENTS_PER_SHARD,
    progress: Callable[[int], object] = lambda _: None,
    wait: bool = True,
) -> Shard | None:
    """Makes the shard of one seed, or finds it.

    Args:
        folder: Where the shards are; see `prepare`.
        recipe: What to make.
        seed: Of Pythia and of the detector.
        n_events: Events before any cut.
        progress: Called with the number of events that have been made since its last call.
        wait: Whether to wait for another process that is making the same shard.

    Returns:
        The shard, or None if another process is making it and `wait` is false.
    """
    with locked(folder / "locks" / f"{seed}.lock", wait) as is_mine:
        if not is_mine:
            return None
        shard = find(folder, seed)
        if shard is not None:
            progress(n_events)
            return shard
        for leftover in folder.glob(f".seed_{seed:09d}.*.part"):  # of a process that was killed
            leftover.unlink()
        return _make(folder, recipe, seed, n_events, progress)


def find(folder: Path, seed: int) -> Shard | None:
    """A shard that has been made, or None.

    Raises:
        ValueError: If its description cannot be read, or its events are not there.
    """
    path = events_path(folder, seed).with_suffix(".json")
    if not path.exists():
        return None
    content = _read_json(path)
    # the annotations are types or, for dictionaries, have one as their origin
    kinds = {field.name: get_origin(field.type) or field.type for field in fields(Shard)}
    is_shard = {name: type(value) for name, value in content.items()} == kinds and "generated" in content["passed"]
    if not is_shard:
        raise ValueError(f"{path} does not describe a shard; delete it to make the shard anew")
    shard = Shard(**content)
    if shard.seed != seed:
        raise ValueError(f"{path} describes the shard of seed {shard.seed}, not of {seed}: it was copied or renamed")
    if not events_path(folder, seed).exists():
        raise ValueError(f"{events_path(folder, seed)} is missing; delete {path} to make it anew")
    return shard


def verify(folder: Path, shard: Shard) -> None:
    """Compares the events of a shard with its checksum.

    Raises:
        ValueError: If they differ.
    """
    path = events_path(folder, shard.seed)
    if hashlib.sha256(path.read_bytes()).hexdigest() != shard.sha256:
        raise ValueError(f"{path} does not agree with its checksum; delete it and its .json file to make it anew")


def generate(
    recipe: Recipe, seed: int, n_events: int, progress: Callable[[int], object] = lambda _: None
) -> tuple[dict[str, Events], dict[str, int], tuple[float, float]]:
    """Events of a seed: samples by name, cut flow, cross section and its error in pb."""
    record = EventRecord(recipe.pythia_settings(), seed)
    rng = np.random.default_rng([seed, DETECTOR_STREAM])
    parts: dict[str, list[Events]] = {}
    passed: dict[str, int] = {}
    for start in range(0, n_events, recipe.batch):
        size = min(recipe.batch, n_events - start)
        made = recipe.make(record.batch(size), rng)
        for name, events in made.samples.items():
            parts.setdefault(name, []).append(events)
        for name, number in made.passed.items():
            passed[name] = passed.get(name, 0) + number
        progress(size)
    return {name: Events.concatenate(batches) for name, batches in parts.items()}, passed, record.cross_section


def _make(folder: Path, recipe: Recipe, seed: int, n_events: int, progress: Callable[[int], object]) -> Shard:
    started = time.process_time()
    samples, passed, (cross_section, error) = generate(recipe, seed, n_events, progress)
    versions = {"gampl": gampl.__version__} | {name: metadata.version(name) for name in PACKAGES}
    about: dict[str, Any] = {
        "recipe": describe(recipe),
        "seed": seed,
        "passed": passed,
        "cross_section_pb": cross_section,
        "cross_section_error_pb": error,
        "versions": versions,
    }
    path = events_path(folder, seed)
    hdf5.write(path, samples, recipe.name, about)
    shard = Shard(
        seed=seed,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        passed=passed,
        cross_section=cross_section,
        cross_section_error=error,
        versions=versions,
        seconds=round(time.process_time() - started, 2),
        machine=f"{platform.machine()}, Python {platform.python_version()}",
    )
    write_bytes(path.with_suffix(".json"), json.dumps(asdict(shard), indent=1).encode())
    return shard


def read_all(folder: Path, seeds: Sequence[int]) -> list[Shard]:
    """The shards of some seeds, all of which must have been made.

    Raises:
        ValueError: If some are missing.
    """
    made = {seed: find(folder, seed) for seed in seeds}
    missing = [seed for seed, shard in made.items() if shard is None]
    if missing:
        raise ValueError(
            f"{folder} lacks {len(missing)} of {len(seeds)} shards, the first of seed {missing[0]}:"
            " make them with gampl events make"
        )
    return [shard for shard in made.values() if shard is not None]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not readable as JSON ({error}); delete it to start over") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object; delete it to start over")
    return content
