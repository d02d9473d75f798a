"""Events and trained ensembles of the book's pages on LHC generators, by the names of `gampl_book.event_studies`."""

import json
import time
import zlib
from collections.abc import Sequence
from functools import cache, partial
from itertools import takewhile

import numpy as np

from gampl.basics import Floats
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.processes.top_pair import TopPair
from gampl.store.artifacts import Store, key_digest
from gampl.store.atomic import write_bytes
from gampl.training import train
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble, Trained
from gampl.training.settings import LeadingOrder, TopPairJets, Training
from gampl_book import BookError, event_studies
from gampl_book.studies import event_file

FEWEST = 3  # members that an ensemble is shown with before all are trained


def training_events(training: Training, profile: str, member: int = 0) -> Floats:
    """The events that all members of an ensemble are trained on, or one that is independent: (n, *event_shape).

    Of top pairs the first of the training sample, of the leading-order process draws with the training's seed. Raises
    ValueError if the file has fewer.
    """
    process = training.process
    if isinstance(process, LeadingOrder):
        own = [member] if training.posterior == "independent" else []
        rng = np.random.default_rng([training.seed, training.n_train, zlib.crc32(b"leading order"), *own])
        return leading_order_process(process).sample(training.n_events, rng)
    if not isinstance(process, TopPairJets):
        raise TypeError(f"Training.process must be one of LHC events, got {process}")
    return top_pairs(process.extra_jets, training.n_train, profile)


@cache
def top_pairs(extra_jets: int, n_train: int, profile: str) -> Floats:
    """The first true top pairs of the training sample, (n_train, particles, 4); ValueError if the file has fewer."""
    events = TopPair(extra_jets).load("train", _file(extra_jets, profile)).momenta
    if len(events) < n_train:
        raise ValueError(f"n_train is {n_train}, but the file has {len(events)} training events")
    return np.asarray(events[:n_train])


def holdout_events(extra_jets: int, n_train: int, profile: str) -> Floats:
    """True top pairs that no generator has seen: the holdout and the rest of the training sample, (n, particles, 4)."""
    process, path = TopPair(extra_jets), _file(extra_jets, profile)
    return np.concatenate([process.load("holdout", path).momenta, process.load("train", path).momenta[n_train:]])


@cache
def leading_order_process(process: LeadingOrder) -> LeadingOrderTopPair:
    """The process with the exact density."""
    return LeadingOrderTopPair(energy=process.energy, top_mass=process.top_mass, m_max=process.m_max)


def train_members(names: Sequence[str], profile: str, seed: int, parallel: int = 1) -> dict[str, Trained]:
    """Train or load members by name; those of one ensemble side by side, if more than one in parallel is asked for.

    On a CPU that is up to twice as fast for small networks and small batches, and no faster else: see
    benchmarks/test_side_by_side_speed.py. What is trained is the same up to round-off only.
    """
    trained: dict[str, Trained] = {}
    solver, chunk = event_studies.solver(profile), event_studies.chunk(profile)
    for ensemble, training in event_studies.ensembles(profile, seed).items():
        numbers = [k for k in range(training.members) if f"{ensemble}/{k}" in names]
        if not numbers:
            continue
        if training.posterior == "repulsive":  # trained together or not at all
            numbers = list(range(training.members))
        events = partial(training_events, training, profile)
        made = train.train_members(
            training,
            events if training.posterior == "independent" else events(),
            members=numbers,
            parallel=parallel,
            label=ensemble,
            solver=solver,
            chunk=chunk,
        )
        trained |= {f"{ensemble}/{one.number}": one for one in made}
    return {name: trained[name] for name in names}


def generate(name: str, member: Trained, profile: str, seed: int) -> str:
    """Make the events that the pages want of a member, and say so in words."""
    n, start = event_studies.n_gen(profile, name.rpartition("/")[0]), time.monotonic()
    lost = member.lost(n, seed)
    return f"{n} generated events, {lost} of them not finite, {time.monotonic() - start:.0f} s"


def available(profile: str, seed: int) -> dict[str, int]:
    """Ensembles that a page can show, with their numbers of members.

    That is all of a profile; where it is trained elsewhere, the first members of an ensemble that are there, if they
    are `FEWEST` or all.
    """
    plan = event_studies.ensembles(profile, seed)
    if not event_studies.is_trained_elsewhere(profile):
        return {name: training.members for name, training in plan.items()}
    store, there = Store(), dict[str, int]()
    for name, training in plan.items():
        held = takewhile(lambda k: store.holds(artifact(training, k, profile)), range(training.members))  # noqa: B023
        enough = training.members if training.posterior == "repulsive" else min(FEWEST, training.members)
        if (members := len(list(held))) >= enough:
            there[name] = members
    return there


def note_available(profile: str, seed: int) -> None:
    """Writes down what of a profile that is trained elsewhere is there, see `gampl_book.event_studies.trained_list`."""
    plan, there = event_studies.ensembles(profile, seed), available(profile, seed)
    path = event_studies.trained_list(profile)
    artifacts = {name: [artifact(plan[name], k, profile) for k in range(members)] for name, members in there.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (json.dumps(artifacts, indent=1) + "\n").encode())
    complete = sum(plan[name].members == members for name, members in there.items())
    print(f"{profile}: {complete} of {len(plan)} ensembles are complete")
    for name, members in there.items():
        if members < plan[name].members:
            print(f"{profile}: {name} has {members} of {plan[name].members} members")


@cache
def artifact(training: Training, number: int, profile: str) -> str:
    """Digest of the artifact of a member."""
    events = training_events(training, profile, number)
    return key_digest(train.artifact_key(training, number, Data(events).digests))


def ensemble(name: str, profile: str, seed: int) -> Ensemble:
    """The members of an ensemble that are there and did not fail, with their generated events screened for lost ones.

    Raises BookError if the profile is trained elsewhere, and too few members are there.
    """
    if name not in (there := available(profile, seed)):
        raise BookError(f"{name} has too few members: profile {profile} is trained by `python -m gampl_book train`")
    members = [f"{name}/{k}" for k in range(there[name])]
    trained = list(train_members(members, profile, seed).values())
    return Ensemble(trained, screened=event_studies.n_gen(profile, name), seed=seed)


def _file(extra_jets: int, profile: str) -> str | None:
    return event_file(f"top_pair_{extra_jets}j", profile) if profile == "paper" else None
