"""What events the book needs, read from ``event_plans.toml``; quick, for it is read whenever work is planned."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from gampl.simulation.seeds import seeds_of_sample

SIZES = ("bundled", "paper")


@dataclass(frozen=True)
class Shards:
    """A folder of shards of a recipe."""

    recipe: str
    seeds: str  # first and last, such as "1-74"
    settings: Mapping[str, Any] = field(default_factory=dict)  # fields of the recipe that differ from its defaults
    events: int | None = None  # before cuts in each shard; None for the default

    @property
    def options(self) -> list[str]:
        """The options of ``gampl events make`` that say what is made."""
        changed = [f"--set={name}={json.dumps(value)}" for name, value in self.settings.items()]
        return [*changed, *([] if self.events is None else [f"--events={self.events}"])]


class File(msgspec.Struct, frozen=True, rename={"sources": "from"}):
    """A file that shards are merged to."""

    sample: str  # which of the shards' samples
    sources: tuple[tuple[str, str, str], ...]  # folder, seeds of the training sample and of the holdout, "-" for none
    observables: tuple[str, ...] = ()  # what is written of each event instead of its momenta


class Plan(msgspec.Struct, frozen=True):
    """All folders of shards and all files of a size, by name."""

    shards: dict[str, Shards] = {}
    files: dict[str, File] = {}


@cache
def _plans() -> dict[str, Plan]:
    return msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=dict[str, Plan])


def plan(size: str) -> Plan:
    """The plan of a size; raises ValueError if there is no such size."""
    if size not in SIZES:
        raise ValueError(f"unknown size {size!r}: expected one of {', '.join(SIZES)}")
    return _plans().get(size, Plan())


def needed_shards(size: str, name: str) -> Iterator[tuple[str, int]]:
    """Folder and seed of all shards that a file is made of."""
    for folder, train, holdout in plan(size).files[name].sources:
        for seed in (*seeds_of_sample(train), *seeds_of_sample(holdout)):
            yield folder, seed


def merge_options(size: str, name: str, folder: str) -> list[str]:
    """The options of ``gampl events merge`` that say what a file is made of, with shards below a folder."""
    file = plan(size).files[name]
    sources = [f"--from {folder}/{source} {train} {holdout}" for source, train, holdout in file.sources]
    observables = ["--observables", *map(shlex.quote, file.observables)] if file.observables else []
    return [f"--sample {file.sample}", *sources, *observables]
