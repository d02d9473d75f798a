"""Events made in shards, each by one seed alone: at any size, on any number of machines, and again to the same bytes.

A folder of shards holds one recipe::

    <folder>/recipe.json               what all of its shards are made by
    <folder>/seed_000000017.h5         the events of one seed
    <folder>/seed_000000017.json       its checksum, cut flow, cross section, versions and time

A shard counts as made when its JSON file is there; the events are written first.
"""

import hashlib
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

import gampl
from gampl.files import hdf5
from gampl.particles.events import Events
from gampl.simulation.pythia import EventRecord
from gampl.simulation.recipes import Recipe
from gampl.store.atomic import write_bytes
from gampl.store.locking import locked

EVENTS_PER_SHARD = 20_000
RECIPE = "recipe.json"
DETECTOR_STREAM = 38  # sets the detector's random numbers apart from others of the same seed
PACKAGES = ("pythia8mc", "fastjet", "awkward", "numpy", "h5py")

Progress = Callable[[int], object]  # called with the number of events that have been made since the last call
T = TypeVar("T")


class Shard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a shard besides its events."""

    seed: int  #: of Pythia and of the detector
    sha256: str  #: of the file of events
    passed: dict[str, int]  #: numbers of events after each step of the selection, the first being ``generated``
    cross_section: float  #: in pb
    cross_section_error: float  #: of the Monte Carlo integration, in pb
    versions: dict[str, str]  #: of the packages it was made with
    seconds: float  #: of one core that it took
    machine: str  #: which processor and Python

    def __post_init__(self) -> None:
        if "generated" not in self.passed:
            raise ValueError("passed must say how many events were generated")

    @property
    def generated(self) -> int:
        """Events before any cut."""
        return self.passed["generated"]


def events_path(folder: Path, seed: int) -> Path:
    """The file of a seed's events."""
    return folder / f"seed_{seed:09d}.h5"


def prepare(folder: Path, recipe: Recipe, n_events: int) -> None:
    """Makes a folder for shards of one recipe and size; a ValueError if it has those of another."""
    new = recipe.describe() | {"events_per_shard": n_events}
    with locked(folder / ".recipe.lock"):
        if not (folder / RECIPE).exists():
            _write(folder / RECIPE, new)
    old = read_recipe(folder)
    if name := next((name for name in (*new, *old) if old.get(name) != new.get(name)), None):
        raise ValueError(
            f"{folder} holds shards with {name} = {old.get(name)!r}, not {new.get(name)!r}:"
            " choose another folder, or the same recipe"
        )


def read_recipe(folder: Path) -> dict[str, Any]:
    """What the shards of a folder are made by; a ValueError if it is not a folder of shards."""
    path = folder / RECIPE
    if not path.exists():
        raise ValueError(f"{folder} is not a folder of shards: it has no {RECIPE}")
    return _read(path, dict[str, Any], "a recipe")


def seeds(folder: Path) -> list[int]:
    """The seeds whose shards are in a folder, in order; a ValueError if there are none."""
    read_recipe(folder)
    numbers = sorted(int(path.stem.removeprefix("seed_")) for path in folder.glob(f"seed_{'[0-9]' * 9}.json"))
    if not numbers:
        raise ValueError(f"{folder} has no shards yet: make them with gampl events make")
    return numbers


def make(folder: Path, recipe: Recipe, seed: int, n_events: int, progress: Progress, wait: bool = True) -> bool:
    """Makes the shard of a seed, of so many events before any cut, in a folder that `prepare` has made, or finds it.

    Returns whether it is there: False only without `wait`, if another process is making it.
    """
    with locked(folder / "locks" / f"{seed}.lock", wait) as is_mine:
        if not is_mine:
            return False
        if find(folder, seed):
            progress(n_events)
            return True
        for leftover in folder.glob(f".seed_{seed:09d}.*.part"):  # of a process that was killed
            leftover.unlink()
        started = time.process_time()
        samples, passed, (cross_section, error) = generate(recipe, seed, n_events, progress)
        versions = {"gampl": gampl.__version__} | {name: metadata.version(name) for name in PACKAGES}
        known: dict[str, Any] = {"seed": seed, "passed": passed, "versions": versions}
        sigma = {"cross_section_pb": cross_section, "cross_section_error_pb": error}
        path = events_path(folder, seed)
        hdf5.write(path, samples, recipe.name, {"recipe": recipe.describe(), **known, **sigma})
        shard = Shard(
            **known,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            cross_section=cross_section,
            cross_section_error=error,
            seconds=round(time.process_time() - started, 2),
            machine=f"{platform.machine()}, Python {platform.python_version()}",
        )
        _write(path.with_suffix(".json"), shard)
        return True


def generate(
    recipe: Recipe, seed: int, n_events: int, progress: Progress = lambda _: None
) -> tuple[dict[str, Events], dict[str, int], tuple[float, float]]:
    """Events of a seed: samples by name, cut flow, cross section and its error in pb."""
    record = EventRecord(recipe.pythia_settings(), seed)
    rng = np.random.default_rng([seed, DETECTOR_STREAM])
    parts: dict[str, list[Events]] = defaultdict(list)
    passed: Counter[str] = Counter()
    for start in range(0, n_events, recipe.batch):
        size = min(recipe.batch, n_events - start)
        particles = record.batch(size)
        samples, steps = recipe.make(particles, rng)
        for name, events in samples.items():
            parts[name].append(events)
        passed.update({"generated": particles.n_events} | {step: int(left.sum()) for step, left in steps.items()})
        progress(size)
    return {name: Events.concatenate(batches) for name, batches in parts.items()}, dict(passed), record.cross_section


def find(folder: Path, seed: int) -> Shard | None:
    """A shard that has been made, or None; a ValueError if its description cannot be read or its events are missing."""
    events = events_path(folder, seed)
    path = events.with_suffix(".json")
    if not path.exists():
        return None
    shard = _read(path, Shard, "a shard")
    if shard.seed != seed:
        raise ValueError(f"{path} describes the shard of seed {shard.seed}, not of {seed}: it was copied or renamed")
    if not events.exists():
        raise ValueError(f"{events} is missing; delete {path} to make it anew")
    return shard


def read_all(folder: Path, seeds: Sequence[int]) -> list[Shard]:
    """The shards of some seeds; a ValueError if some have not been made."""
    made = [shard for seed in seeds if (shard := find(folder, seed))]
    if missing := {*seeds} - {shard.seed for shard in made}:
        raise ValueError(
            f"{folder} lacks {len(missing)} of {len(seeds)} shards, the first of seed {min(missing)}:"
            " make them with gampl events make"
        )
    return made


def verify(folder: Path, shard: Shard) -> None:
    """Compares the events of a shard with its checksum; a ValueError if they differ."""
    path = events_path(folder, shard.seed)
    if hashlib.sha256(path.read_bytes()).hexdigest() != shard.sha256:
        raise ValueError(f"{path} does not agree with its checksum; delete it and its .json file to make it anew")


def _write(path: Path, content: object) -> None:
    write_bytes(path, msgspec.json.format(msgspec.json.encode(content), indent=1))


def _read(path: Path, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} does not describe {what} ({error}); delete it to make it anew") from None
