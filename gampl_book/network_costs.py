"""What the kept networks of a profile cost: numbers of parameters, seconds of training, seconds of generation.

Parameters and seconds are read from the artifacts in ``data/trainings``; no network is loaded. Generation is timed by
``make costs`` (`gampl_book.measure_costs`) and kept in ``data/costs``. Networks that are not kept are timed by the page
that trains them (`gampl_book.trained_costs`).
"""

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from gampl_book import ROOT, costs

LEARNED = re.compile(
    r"(?!base\.|history\.).*(weight|bias|weight_v)"
)  # of a Bayesian network "base" are its drawn weights
EVENTS = 10_000  # that the generation is given for
HELD_BACK = 1.3  # a training that holds back events for validation is listed with fewer


class Network(NamedTuple):
    """One artifact: settings of its training by dotted name, such as ``architecture.kind``."""

    settings: Mapping[str, str]
    parameters: int
    seconds: float


class Cost(NamedTuple):
    """What networks of one kind cost; None where it was not measured."""

    parameters: tuple[int, int] | None  # fewest and most
    training: float | None  # median of the seconds of one network
    generation: float | None  # seconds for 10 000 events


@cache
def kept(profile: str) -> tuple[Network, ...]:
    """All trained networks that the project keeps for a profile."""
    found = []
    for path in sorted((ROOT / "data" / "trainings" / profile).glob("*/*/artifact.json")):
        artifact = json.loads(path.read_bytes())
        if isinstance(training := artifact["key"].get("training"), dict):
            parameters = sum(math.prod(shape) for name, shape in _shapes(path) if LEARNED.fullmatch(name))
            found.append(Network(dict(_flat(training)), parameters, artifact["about"]["seconds"]))
    return tuple(found)


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", str(value)


def _shapes(artifact: Path) -> Iterator[tuple[str, Sequence[int]]]:
    """Names and shapes of an artifact's arrays, from the header of its safetensors file."""
    with artifact.with_name("arrays.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return ((name, array["shape"]) for name, array in header.items() if name != "__metadata__")


def cost(wanted: Mapping[str, str], n_train: float | None, profile: str) -> Cost:
    """What networks cost whose settings match patterns, and which were trained on about so many events."""
    found = [
        network
        for network in kept(profile)
        if all(fnmatchcase(network.settings.get(name, ""), pattern) for name, pattern in wanted.items())
        and (n_train is None or 1 / HELD_BACK < float(network.settings["n_train"]) / n_train < HELD_BACK)
    ]
    if not wanted or not found:
        return Cost(None, None, None)
    numbers = [network.parameters for network in found]
    times = [time for network in found if (time := generation(profile).get(_unit(network.settings)))]
    generated = EVENTS * median(times) if times else None
    return Cost((min(numbers), max(numbers)), median(n.seconds for n in found), generated)


def _unit(settings: Mapping[str, str]) -> str:
    """What the generated events of a network are timed under, see `costs.unit`."""
    process, kind = settings["process.name"], settings["architecture.kind"]
    names = {"LeadingOrder": "leading_order", "TopPairJets": f"top_pair_{settings.get('process.extra_jets')}j"}
    return f"{names.get(process, process)}/{kind}"


@cache
def generation(profile: str) -> Mapping[str, float]:
    """Seconds for a generated event on one core by unit, of the profile's networks."""
    measured = [one for one in map(costs.read, costs.files(ROOT)) if (one["profile"], one["kind"]) == (profile, "cpu")]
    return {unit: each["seconds_per_generated_event"] for one in measured for unit, each in one["events"].items()}
