"""What a profile costs: numbers of jobs from the plans, times what one of each took on a device; needs no torch."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gampl.simulation.seeds import seeds
from gampl.simulation.shards import EVENTS_PER_SHARD
from gampl.training.settings import RESAMPLINGS, Training
from gampl_book import COSTS, event_plans, event_studies, studies

FIELDS = {"device", "kind", "profile", "rings", "events", "shards"}  # of a file of measurements
Measured = Mapping[str, Any]


class Work(NamedTuple):
    """Jobs of a kind, and how long all take together."""

    kind: str  # such as "training top_pair_0j/lloca"
    jobs: int
    hours: float | None  # of one core or GPU; None where nothing was measured


def files(project: Path) -> list[Path]:
    """The measurements of `make costs` that a project keeps, one file for each device."""
    return sorted((project / COSTS).glob("*.json"))


def read(path: Path | str) -> Measured:
    """A file of measurements; raises ValueError, which names the file, if it is not one."""
    try:
        measured = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a file of measured costs, see make costs: {error}") from error
    if missing := FIELDS - measured.keys():
        raise ValueError(f"{path} is not a file of measured costs, see make costs: it has no {min(missing)}")
    return measured


def plan(profile: str, seed: int, measured: Measured) -> list[Work]:
    """The work behind a profile's book but for its notebooks, by kind, with costs that were measured for it."""
    if measured["profile"] != profile:
        raise ValueError(f"the costs were measured for profile {measured['profile']}, not for {profile}")
    works = []
    for folder, shards in event_plans.plan("paper").shards.items() if profile == "paper" else ():
        jobs, each = len(seeds(shards.seeds)), measured["shards"].get(folder)
        events = jobs * (shards.events or EVENTS_PER_SHARD)
        works.append(Work(f"events {folder}", jobs, None if each is None else events * each / 3600))
    rings: dict[str, list[Training]] = {}
    for name, one in studies.trainings(profile, seed).items():
        rings.setdefault("/".join(name.split("/")[:2]), []).append(one)
    for kind, (one, *others) in rings.items():
        # how the members of an ensemble use the events does not change what they cost
        like = "deep" if one.posterior in RESAMPLINGS else one.posterior
        jobs, each = 1 + len(others), measured["rings"].get(f"{kind.partition('/')[0]}/{like}")
        hours = None if each is None else jobs * one.fit.steps * each["seconds_per_step"] / 3600
        works.append(Work(f"training {kind}", jobs, hours))
    for name, one in event_studies.ensembles(profile, seed).items():  # each member then generates events
        each, hours = measured["events"].get(unit(name)), None
        if each is not None:
            step = each["seconds_per_step"] * one.fit.batch_size / each["batch_size"]
            generating = event_studies.n_gen(profile, name) * each["seconds_per_generated_event"]
            hours = one.members * (one.fit.steps * step + generating) / 3600
        works.append(Work(f"training {name}", one.members, hours))
    return works


def gigabytes_generated(profile: str) -> float:
    """Size of the events that the members of all ensembles generate, in single precision, in 10^9 bytes."""
    plan = event_studies.ensembles(profile).items()
    numbers = (t.members * event_studies.n_gen(profile, name) * math.prod(t.process.event_shape) for name, t in plan)
    return 4 * sum(numbers) / 1e9


def gigabytes_simulated(project: Path) -> float:
    """Size of the paper's top pairs, in shards and merged, at the bundled files' size per shard, in 10^9 bytes."""
    per_shard = sum(
        (project / f"data/{name}.h5").stat().st_size / len([*event_plans.needed_shards("bundled", name)])
        for name in ("top_pair_0j", "top_pair_4j")
    )
    return 2 * per_shard * len(seeds(event_plans.plan("paper").shards["top_pair"].seeds)) / 1e9


def unit(ensemble: str) -> str:
    """What times of an ensemble's members are listed under; for the leading-order process n_train does not count."""
    process, kind = ensemble.split("/")[:2]
    return ensemble if process.startswith("top_pair") else f"leading_order/{kind}"


def total_hours(works: list[Work]) -> float:
    """Sum over what was measured."""
    return math.fsum(work.hours or 0 for work in works)
