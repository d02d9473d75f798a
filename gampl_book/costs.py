"""What a profile costs: numbers of jobs from the plans, times what one of each takes, as it was measured on a device.

Measurements lie in ``data/costs``, one file for each device, written by ``make costs``. Of a training some steps are
timed, of a generator and of a recipe some events. This module only counts and multiplies, and leaves out what was not
measured; it needs no torch.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gampl.simulation.seeds import seeds
from gampl.training.settings import RESAMPLINGS
from gampl_book import COSTS, event_plans as plans, event_studies, studies

EVENTS_PER_SHARD = 20_000
BYTES_PER_EVENT = {"top_pair_0j": 6 * 4 * 4, "top_pair_4j": 10 * 4 * 4, "leading_order": 4 * 4}  # single precision


@dataclass(frozen=True)
class Work:
    """Jobs of one kind.

    Attributes:
        kind: Such as ``training top_pair_0j/lloca``.
        jobs: How many.
        hours: Of all together, on one core or one GPU; None where nothing was measured.
    """

    kind: str
    jobs: int
    hours: float | None


def files(project: Path) -> list[Path]:
    """The measurements that there are in a folder of the project."""
    return sorted((project / COSTS).glob("*.json"))


def read(path: Path | str) -> dict[str, Any]:
    """A file of measurements; raises ValueError, which names the file, if it is not one."""
    try:
        measured: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        measured["device"], measured["profile"], measured["rings"], measured["events"], measured["shards"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a file of measured costs, see make costs: {error!r}") from error
    return measured


def plan(profile: str, seed: int, measured: Mapping[str, Any]) -> list[Work]:
    """The work behind a profile's book but for its notebooks, by kind.

    Args:
        profile: Whose jobs are counted.
        seed: Of the trainings.
        measured: What `read` returns, for the same profile.

    Raises:
        ValueError: If the measurements are of another profile.
    """
    if measured["profile"] != profile:
        raise ValueError(f"the costs were measured for profile {measured['profile']}, not for {profile}")
    making = _shards(measured["shards"]) if profile == "paper" else ()  # the others use bundled events
    return [*making, *_rings(profile, seed, measured["rings"]), *_events(profile, seed, measured["events"])]


def _work(kind: str, jobs: int, seconds: float | None) -> Work:
    return Work(kind, jobs, None if seconds is None else seconds / 3600)


def _shards(measured: Mapping[str, float]) -> Iterator[Work]:
    for folder, shards in plans.shards("paper").items():
        jobs, each = len(seeds(shards.seeds)), measured.get(folder)
        events = jobs * (shards.events or EVENTS_PER_SHARD)
        yield _work(f"events {folder}", jobs, None if each is None else events * each)


def _rings(profile: str, seed: int, measured: Mapping[str, Mapping[str, float]]) -> Iterator[Work]:
    """Trainings of the rings by dimension and posterior."""
    trainings = studies.trainings(profile, seed)
    kinds: dict[str, list[str]] = {}
    for name in trainings:
        kinds.setdefault("/".join(name.split("/")[:2]), []).append(name)
    for kind, names in kinds.items():
        first = trainings[names[0]]
        # how the members of an ensemble use the events does not change what they cost
        like = "deep" if first.posterior in RESAMPLINGS else first.posterior
        each = measured.get(f"{kind.partition('/')[0]}/{like}")
        seconds = None if each is None else len(names) * first.fit.steps * each["seconds_per_step"]
        yield _work(f"training {kind}", len(names), seconds)


def _events(profile: str, seed: int, measured: Mapping[str, Mapping[str, float]]) -> Iterator[Work]:
    """Trainings of generators of LHC events, each followed by making events, by ensemble."""
    trainings = event_studies.trainings(profile, seed)
    for ensemble in event_studies.ensembles(profile):
        members, fit = event_studies.members(profile, ensemble), trainings[f"{ensemble}/0"].fit
        each, seconds = measured.get(unit(ensemble)), None
        if each is not None:
            step = each["seconds_per_step"] * fit.batch_size / each["batch_size"]
            generating = event_studies.n_gen(profile, ensemble) * each["seconds_per_generated_event"]
            seconds = members * (fit.steps * step + generating)
        yield _work(f"training {ensemble}", members, seconds)


def gigabytes_generated(profile: str) -> float:
    """Size of the events that the members of all ensembles generate, as the store keeps them, in 10^9 bytes."""
    sizes = (
        event_studies.members(profile, ensemble)
        * event_studies.n_gen(profile, ensemble)
        * BYTES_PER_EVENT[unit(ensemble).partition("/")[0]]
        for ensemble in event_studies.ensembles(profile)
    )
    return sum(sizes) / 1e9


def gigabytes_simulated(project: Path) -> float:
    """Size of the paper's top pairs, in shards and merged, at the bundled files' size per shard, in 10^9 bytes."""
    bundled = sum((project / f"data/top_pair_{jets}j.h5").stat().st_size for jets in (0, 4))
    shards = {size: len(seeds(plans.shards(size)["top_pair"].seeds)) for size in ("bundled", "paper")}
    return 2 * bundled / shards["bundled"] * shards["paper"] / 1e9


def unit(ensemble: str) -> str:
    """What times of an ensemble's members are listed under; for the leading-order process n_train does not count."""
    process, kind = ensemble.split("/")[:2]
    return ensemble if process.startswith("top_pair") else f"leading_order/{kind}"


def total_hours(works: list[Work]) -> float:
    """Sum over what was measured."""
    return math.fsum(work.hours for work in works if work.hours is not None)
