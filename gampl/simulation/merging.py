"""Shards joined, in the order of their seeds, into one file of a training sample and a holdout."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.event_files import hdf5
from gampl.events import Events
from gampl.simulation import shards
from gampl.simulation.shards import Shard

PARTS = ("train", "holdout")


@dataclass(frozen=True)
class Source:
    """Shards of one folder, split by seed.

    Args:
        folder: Where they are.
        train: Seeds of the training sample.
        holdout: Seeds of the holdout.
    """

    folder: Path
    train: Sequence[int]
    holdout: Sequence[int]

    def seeds(self, part: str) -> list[int]:
        """Seeds of ``train`` or ``holdout``, in order."""
        return sorted(self.train if part == "train" else self.holdout)


def merge(sources: Sequence[Source], sample: str, output: Path) -> dict[str, int]:
    """Writes the events of one sample of some shards to a file, the checksum of each shard verified.

    Where events have weights, those become cross sections: the weights of each part add up to the cross section of its
    sources, in pb.

    Args:
        sources: Folders of shards; several if a process was made in slices that exclude each other.
        sample: Which of the shards' samples, such as ``extra_jets_0`` or ``events``.
        output: The file.

    Returns:
        Number of events of each part.

    Raises:
        ValueError: If a shard is missing or damaged, a seed is used twice or versions differ.
    """
    _check_seeds(sources)
    said: list[dict[str, Any]] = [{"recipe": shards.recipe(source.folder)} for source in sources]
    samples: dict[str, Events] = {}
    origin: dict[str, NDArray[np.int64]] = {}
    versions: list[dict[str, str]] = []
    for part in PARTS:
        rows, events = [], []
        for source, about in zip(sources, said, strict=True):
            found = shards.read_all(source.folder, source.seeds(part))
            if not found:
                continue
            cross_section = _cross_section(found)
            generated = sum(shard.generated for shard in found)
            about[part] = {"cross_section_pb": cross_section, "passed": _total([shard.passed for shard in found])}
            for shard in found:
                made = _read(source.folder, shard, sample, cross_section / generated)
                rows.append((shard.seed, shard.generated, len(made)))
                events.append(made)
                versions.append(shard.versions)
        if events:
            samples[part], origin[part] = Events.concatenate(events), np.array(rows, dtype=np.int64)
    if any(version != versions[0] for version in versions):
        raise ValueError(f"the shards were made with different versions of {', '.join(_differing(versions))}")
    process = str(said[0]["recipe"]["recipe"])
    hdf5.write(output, samples, process, {"sources": said, "sample": sample, "versions": versions[0]}, origin)
    return {part: len(events) for part, events in samples.items()}


def _check_seeds(sources: Sequence[Source]) -> None:
    used = [seed for source in sources for part in PARTS for seed in source.seeds(part)]
    if not used:
        raise ValueError("sources must name at least one seed")
    repeated = sorted({seed for seed in used if used.count(seed) > 1})
    if repeated:
        raise ValueError(f"seed {repeated[0]} is named more than once: its events would not be independent")


def _cross_section(found: Sequence[Shard]) -> float:
    """Mean over the shards, weighted by their numbers of events, in pb."""
    weights = [shard.generated for shard in found]
    return float(np.average([shard.cross_section for shard in found], weights=weights))


def _read(folder: Path, shard: Shard, sample: str, unit: float) -> Events:
    """The events of a shard; `unit` is the cross section of an event of weight one, in pb."""
    shards.verify(folder, shard)
    events = Events.concatenate(list(hdf5.batches(shards.events_path(folder, shard.seed), sample)))
    if "weight" not in events.columns:
        return events
    columns = dict(events.columns) | {"weight": events.columns["weight"] * unit}
    return Events(events.momenta, events.particles, columns, events.about)


def _total(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def _differing(versions: Sequence[dict[str, str]]) -> list[str]:
    return sorted({name for version in versions for name in version if version[name] != versions[0].get(name)})
