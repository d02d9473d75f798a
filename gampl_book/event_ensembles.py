"""Events and trained ensembles of the book's pages on LHC generators, by the names of `gampl_book.event_studies`."""

import time
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gampl.generators.event_settings import EventTraining, LeadingOrder
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.processes.top_pair import TopPair
from gampl.store.artifacts import Store
from gampl.training.event_ensemble import EventEnsemble, GeneratedEvents
from gampl.training.events import TrainedMember
from gampl.training.side_by_side import train_or_load_members
from gampl_book import event_studies
from gampl_book.studies import event_file

Floats = NDArray[np.float64]


def training_events(training: EventTraining, profile: str) -> Floats:
    """The events that all members of an ensemble are trained on, or a member that is independent: (n, *event_shape).

    Of top pairs the first of the training sample, of the leading-order process draws with the training's seed.

    Raises:
        ValueError: If the file has fewer.
    """
    process = training.process
    if isinstance(process, LeadingOrder):
        own = [training.member] if training.posterior == "independent" else []
        rng = np.random.default_rng([training.seed, training.n_train, zlib.crc32(b"leading order"), *own])
        return leading_order_process(process).sample(training.n_events, rng)
    events = TopPair(process.extra_jets).load("train", _file(process.extra_jets, profile)).momenta
    if len(events) < training.n_train:
        raise ValueError(f"n_train is {training.n_train}, but the file has {len(events)} training events")
    return np.asarray(events[: training.n_train])


def holdout_events(extra_jets: int, n_train: int, profile: str) -> Floats:
    """True top pairs that no generator has seen: the holdout and the rest of the training sample, (n, particles, 4)."""
    process, path = TopPair(extra_jets), _file(extra_jets, profile)
    return np.concatenate([process.load("holdout", path).momenta, process.load("train", path).momenta[n_train:]])


@cache
def leading_order_process(process: LeadingOrder) -> LeadingOrderTopPair:
    """The process with the exact density."""
    return LeadingOrderTopPair(energy=process.energy, top_mass=process.top_mass, m_max=process.m_max)


def train_members(names: Sequence[str], profile: str, seed: int, at_once: int = 1) -> dict[str, TrainedMember]:
    """Train or load members by name; those of one ensemble side by side, if more than one `at_once` is asked for.

    On a CPU that is up to twice as fast for small networks and small batches, and no faster else: see
    benchmarks/test_side_by_side_speed.py. What is trained is the same up to round-off only.
    """
    plan, solver = event_studies.trainings(profile, seed), event_studies.solver(profile)
    families: dict[str, list[str]] = {}
    complete = {name.rpartition("/")[0] for name in names if plan[name].together > 1}  # trained together or not at all
    wanted = dict.fromkeys([*names, *(name for name in plan if name.rpartition("/")[0] in complete)])
    for name in sorted(wanted, key=list(plan).index):
        has_own_events = plan[name].posterior == "independent"
        families.setdefault(name if has_own_events else name.rpartition("/")[0], []).append(name)
    found: dict[str, TrainedMember] = {}
    for members in families.values():
        family = members[0].rpartition("/")[0]
        events = training_events(plan[members[0]], profile)
        trainings = [plan[name] for name in members]
        trained = train_or_load_members(trainings, events, at_once=at_once, solver=solver, label=family)
        found |= dict(zip(members, trained, strict=True))
    return {name: found[name] for name in names}


def generate(name: str, member: TrainedMember, profile: str, seed: int) -> str:
    """Make the events that the pages want of a member, and say so in words."""
    ensemble = name.rpartition("/")[0]
    n, chunk = event_studies.n_gen(profile, ensemble), event_studies.chunk(profile)
    start = time.monotonic()
    lost = GeneratedEvents(member, Store(), chunk).lost(n, seed)
    return f"{n} generated events, {lost} of them not finite, {time.monotonic() - start:.0f} s"


def ensemble(name: str, profile: str, seed: int) -> EventEnsemble:
    """All members of an ensemble that did not fail, with their generated events screened for lost ones."""
    plan = event_studies.trainings(profile, seed)
    members = [member for member in plan if member.rpartition("/")[0] == name]
    trained = list(train_members(members, profile, seed).values())
    n, chunk = event_studies.n_gen(profile, name), event_studies.chunk(profile)
    return EventEnsemble(trained, chunk=chunk, screened=n, seed=seed)


def _file(extra_jets: int, profile: str) -> str | None:
    file = event_file(f"top_pair_{extra_jets}j", profile)
    return None if file.startswith("data/") else file
