"""What events the book needs, read from ``event_plans.toml``; needs no other packages, to be quick."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from gampl.simulation.seeds import seeds

SIZES = ("bundled", "paper")


@dataclass(frozen=True)
class Shards:
    """A folder of shards.

    Args:
        recipe: Name of the recipe.
        seeds: First and last seed, such as ``1-74``.
        settings: Fields of the recipe that differ from its defaults.
        events: Events before cuts in each shard; None for the default.
    """

    recipe: str
    seeds: str
    settings: Mapping[str, Any]
    events: int | None

    @property
    def options(self) -> list[str]:
        """The options of ``gampl events make`` that say what is made."""
        changed = [f"--set={name}={json.dumps(value)}" for name, value in self.settings.items()]
        return [*changed, *([] if self.events is None else [f"--events={self.events}"])]


@dataclass(frozen=True)
class File:
    """A file that shards are merged to.

    Args:
        sample: Which of the shards' samples.
        sources: Folder, seeds of the training sample, seeds of the holdout.
    """

    sample: str
    sources: tuple[tuple[str, str, str], ...]


def shards(size: str) -> dict[str, Shards]:
    """All folders of shards of a size by name.

    Raises:
        ValueError: If there is no such size.
    """
    return {
        name: Shards(entry["recipe"], entry["seeds"], entry.get("settings", {}), entry.get("events"))
        for name, entry in _plan(size).get("shards", {}).items()
    }


def files(size: str) -> dict[str, File]:
    """All files of a size by name.

    Raises:
        ValueError: If there is no such size.
    """
    return {
        name: File(entry["sample"], tuple(map(tuple, entry["from"])))
        for name, entry in _plan(size).get("files", {}).items()
    }


def needed_shards(size: str, name: str) -> Iterator[tuple[str, int]]:
    """Folder and seed of all shards that a file is made of."""
    for folder, train, holdout in files(size)[name].sources:
        for seed in (*seeds(train), *seeds(holdout)):
            yield folder, seed


def merge_options(size: str, name: str, folder: str) -> list[str]:
    """The options of ``gampl events merge`` that say what a file is made of, with shards below a folder."""
    file = files(size)[name]
    sources = [f"--from {folder}/{source} {train} {holdout}" for source, train, holdout in file.sources]
    return [f"--sample {file.sample}", *sources]


def _plan(size: str) -> dict[str, Any]:
    if size not in SIZES:
        raise ValueError(f"unknown size {size!r}: expected one of {', '.join(SIZES)}")
    return _table().get(size, {})


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files("gampl_book").joinpath("event_plans.toml").read_text(encoding="utf-8"))
