"""What a profile costs: numbers of jobs from the plans, times what one of each takes, as it was measured on a device.

Measurements lie in ``data/costs``, one file for each device, written by ``make costs``. Of a training some steps are
timed, of a generator and of a recipe some events. This module only counts and multiplies, and leaves out what was not
measured; it needs no torch.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gampl.simulation.seeds import seeds
from gampl.training.settings import RESAMPLINGS
from gampl_book import event_plans as plans
from gampl_book import event_studies, studies

EVENTS_PER_SHARD = 20_000
BYTES_PER_EVENT = {"top_pair_0j": 6 * 4 * 4, "top_pair_4j": 10 * 4 * 4, "leading_order": 4 * 4}  # single precision


@dataclass(frozen=True)
class Work:
    """Jobs of one kind.

    Args:
        kind: Such as ``training top_pair_0j/lloca``.
        jobs: How many.
        hours: Of all together, on one core or one GPU; None where nothing was measured.
    """

    kind: str
    jobs: int
    hours: float | None


def files(project: Path) -> list[Path]:
    """The measurements that there are in a folder of the project."""
    return sorted((project / studies.COSTS).glob("*.json"))


def read(path: Path | str) -> dict[str, Any]:
    """A file of measurements.

    Raises:
        ValueError: If it is not one; names the file.
    """
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
    return [
        *_shards(profile, measured["shards"]),
        *_rings(profile, seed, measured["rings"]),
        *_events(profile, measured),
    ]


def _shards(profile: str, measured: Mapping[str, float]) -> list[Work]:
    """Making events, where the profile does not use the bundled ones."""
    if profile != "paper":
        return []
    found = []
    for folder, shards in plans.shards("paper").items():
        jobs = len(seeds(shards.seeds))
        each = measured.get(folder)
        events = shards.events or EVENTS_PER_SHARD
        found.append(Work(f"events {folder}", jobs, None if each is None else jobs * events * each / 3600))
    return found


def _rings(profile: str, seed: int, measured: Mapping[str, Mapping[str, float]]) -> list[Work]:
    """Trainings of the rings by dimension and posterior."""
    counts: dict[str, list[str]] = {}
    for name in studies.trainings(profile, seed):
        counts.setdefault("/".join(name.split("/")[:2]), []).append(name)
    all_trainings = studies.trainings(profile, seed)
    found = []
    for kind, names in counts.items():
        first = all_trainings[names[0]]
        # how the members of an ensemble use the events does not change what they cost
        like = "deep" if first.posterior in RESAMPLINGS else first.posterior
        each = measured.get(f"{kind.partition('/')[0]}/{like}")
        seconds = None if each is None else len(names) * first.fit.steps * each["seconds_per_step"]
        found.append(Work(f"training {kind}", len(names), None if seconds is None else seconds / 3600))
    return found


def _events(profile: str, measured: Mapping[str, Any]) -> list[Work]:
    """Trainings of generators of LHC events, each followed by making events, by ensemble."""
    trainings = event_studies.trainings(profile, 1)
    found = []
    for ensemble in event_studies.ensembles(profile):
        members = event_studies.members(profile, ensemble)
        training = trainings[f"{ensemble}/0"]
        each = measured["events"].get(unit(ensemble))
        hours = None
        if each is not None:
            step = each["seconds_per_step"] * training.fit.batch_size / each["batch_size"]
            n_gen = event_studies.n_gen(profile, ensemble)
            seconds = training.fit.steps * step + n_gen * each["seconds_per_generated_event"]
            hours = members * seconds / 3600
        found.append(Work(f"training {ensemble}", members, hours))
    return found


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
