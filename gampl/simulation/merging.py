"""Shards joined, in the order of their seeds, into one file of a training sample and a holdout."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gampl import files
from gampl.files import hdf5
from gampl.particles.events import Events
from gampl.particles.observables import observable
from gampl.processes.dilepton import DileptonTopPair
from gampl.processes.top_pair import TopPair
from gampl.processes.z_jets import ZJets
from gampl.simulation import shards
from gampl.simulation.shards import Shard

DIVIDING = {"min_jets", "max_jets", "kept"}  # fields of recipes that divide a process into disjoint pieces

PROCESSES = {"dilepton": DileptonTopPair, "top_pair": TopPair, "z_jets": ZJets}  # of recipes, by name


class Source(NamedTuple):
    """Shards of one folder, split by seed into those of the training sample and of the holdout."""

    folder: Path
    train: Sequence[int]
    holdout: Sequence[int]


def merge(sources: Sequence[Source], sample: str, output: Path, observables: Sequence[str] = ()) -> dict[str, int]:
    """Writes the events of one sample of some shards to a file, the checksum of each shard verified.

    Where events have weights, those become cross sections: in each part an event has that of its source over the number
    of events generated for it, over the fraction that was kept of its kind. Folders of the same recipe count as one
    source; several recipes go together if events have weights and the recipes share no number of jets.

    The sample is one of the shards', such as ``extra_jets_0`` or ``events``. Returns the number of events of each part,
    ``train`` and ``holdout``. With names of observables, such as ``m_tt``, these are written instead of the momenta,
    besides weights. A ValueError if a shard is missing or damaged, a seed is used twice, versions differ, recipes do
    not go together or there is no such observable.
    """
    used = Counter(seed for source in sources for seed in (*source.train, *source.holdout))
    if not used:
        raise ValueError("sources must name at least one seed")
    if repeated := [seed for seed, times in used.items() if times > 1]:
        raise ValueError(f"seed {min(repeated)} is named more than once: its events would not be independent")
    recipes = [shards.read_recipe(source.folder) for source in sources]
    kinds = [recipe for k, recipe in enumerate(recipes) if recipe not in recipes[:k]]
    _check_recipes(kinds)
    contents: list[dict[str, Any]] = [{"recipe": recipe} for recipe in kinds]
    samples, origin = {}, {}
    versions: list[dict[str, str]] = []
    for part in ("train", "holdout"):
        rows, events = [], []
        for about in contents:
            members = [
                (source.folder, shard)
                for source, recipe in zip(sources, recipes, strict=True)
                if recipe == about["recipe"]
                for shard in shards.read_all(source.folder, sorted(getattr(source, part)))
            ]
            if not members:
                continue
            generated = [shard.generated for _, shard in members]
            cross_section = float(np.average([shard.cross_section for _, shard in members], weights=generated))
            passed = {step: sum(shard.passed[step] for _, shard in members) for step in members[0][1].passed}
            about[part] = {"cross_section_pb": cross_section, "passed": passed}
            for folder, shard in members:
                made = _read(folder, shard, about["recipe"], sample, cross_section / sum(generated))
                rows.append((shard.seed, shard.generated, len(made)))
                events.append(made)
                versions.append(shard.versions)
        if events:
            samples[part], origin[part] = Events.concatenate(events), np.array(rows, dtype=np.int64)
    if differing := {name for one in versions for name, _ in one.items() ^ versions[0].items()}:
        raise ValueError(f"the shards were made with different versions of {', '.join(sorted(differing))}")
    if len(kinds) > 1 and any("weight" not in events.columns for events in samples.values()):
        raise ValueError("events without weights can be merged from one recipe only")
    about_file = {"sources": contents, "sample": sample, "versions": versions[0]}
    process = str(kinds[0]["recipe"])
    if observables:
        particles, of = next(iter(samples.values())).particles, PROCESSES[process]
        jets = [particle for particle in particles if particle not in of.others]
        named = [observable(name, particles, of.composites, jets) for name in observables]
        tables = {part: {one.name: one(events.momenta) for one in named} for part, events in samples.items()}
        for part, table in tables.items():
            if (weight := samples[part].columns.get("weight")) is not None:
                table["weight"] = weight
        about_file |= {"particles": particles, "units": {one.name: one.unit for one in named}}
    hdf5.write(output, tables if observables else samples, process, about_file, origin)
    return {part: len(events) for part, events in samples.items()}


def _check_recipes(kinds: Sequence[dict[str, Any]]) -> None:
    """Refuses recipes of which both could make the same event, or which are not of the same process and cuts."""
    for a, b in combinations(kinds, 2):
        if differing := {name for name in a.keys() | b.keys() if a.get(name) != b.get(name)} - DIVIDING:
            names = ", ".join(sorted(differing))
            raise ValueError(f"recipes that differ in {names} cannot be merged: their events do not go together")
        if a["min_jets"] <= b["max_jets"] and b["min_jets"] <= a["max_jets"]:
            raise ValueError(
                "recipes whose events overlap cannot be merged, their cross sections would count twice: jets"
                f" {a['min_jets']} to {a['max_jets']} and {b['min_jets']} to {b['max_jets']}"
            )


def _read(folder: Path, shard: Shard, recipe: dict[str, Any], sample: str, unit: float) -> Events:
    """The events of a shard; `unit` is the cross section of an event of weight one, in pb."""
    shards.verify(folder, shard)
    path = shards.events_path(folder, shard.seed)
    events = files.read(path, sample=sample)
    size = {"events_per_shard": recipe["events_per_shard"]}
    if events.about["seed"] != shard.seed or events.about["recipe"] | size != recipe:
        raise ValueError(f"{path} was made from another seed or by another recipe than its folder says")
    if "weight" not in events.columns:
        return events
    return replace(events, columns={**events.columns, "weight": events.columns["weight"] * unit})
