"""Trains networks of the book, or finds them in the store: ``python -m gampl_book train ring2d/deep/1``."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from gampl.store.atomic import write_bytes
from gampl.training.ensemble import Trained
from gampl.training.settings import TopPairJets
from gampl_book import BookError, event_ensembles, event_studies, jet_ensembles, jet_studies, ring_ensembles, studies
from gampl_book.top_pair_members import Truth, ask_everything


def train(
    names: Sequence[str],
    profile: str,
    seed: int,
    parallel: int = 1,
    receipt: Path | None = None,
    seconds: float | None = None,
) -> None:
    """Trains networks by name, such as ``top_pair_0j/lloca/3``; generators of LHC events generate, too.

    As many members of an ensemble of these as `parallel` says are trained side by side. What was trained, and where it
    lies, is written to the receipt, a JSON file. Without names all generators of LHC events are trained, in the
    profile's order. After some seconds the work stops at a checkpoint; the same command goes on from there.
    """
    if profile == "smoke":  # its numbers are compared with references; it never pays to use a GPU
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    rings, events = studies.trainings(profile, seed), event_studies.trainings(profile, seed)
    jets = jet_studies.trainings(profile, seed)
    if unknown := [name for name in names if name not in rings | events | jets]:
        known = ", ".join(rings | events | jets)
        raise BookError(f"no training {unknown[0]!r} in profile {profile}; there are {known}")
    if parallel < 1:
        raise BookError(f"--parallel must be at least 1, got {parallel}")
    if receipt is not None:  # that it cannot be written is said before the work
        if receipt.is_dir():
            raise BookError(f"--receipt {receipt}: expected the name of a file, that is a folder")
        write_bytes(probe := receipt.with_name(f".{receipt.name}.probe"), b"")
        probe.unlink()
    names = names or event_studies.in_order(profile, seed)
    trained: dict[str, Trained] = {}
    with stopped_after(seconds):
        for name in (name for name in names if name in rings):
            ensemble = ring_ensembles.train_or_load(rings[name], label=name)
            print(f"{name}: {ensemble.summary()}", flush=True)
            trained |= {f"{name}/{one.number}": one for one in ensemble.trained}
        if with_jets := [name for name in names if name in jets]:
            trained |= (made := jet_ensembles.train_members(with_jets, profile, seed))
            for name, member in made.items():
                print(f"{name}: {member.summary()}", flush=True)
        for _, group in groupby((name for name in names if name in events), lambda name: name.rpartition("/")[0]):
            members = list(group)
            size = len(members) if events[members[0]].posterior == "repulsive" else parallel
            for some in (members[k : k + size] for k in range(0, len(members), size)):
                trained |= _with_events(some, profile, seed, parallel)
    if event_studies.is_trained_elsewhere(profile):
        event_ensembles.note_available(profile, seed)
    if receipt is not None:
        receipts = {name: _receipt(one) for name, one in trained.items()}
        write_bytes(receipt, (json.dumps(receipts, indent=1) + "\n").encode())


def _with_events(names: Sequence[str], profile: str, seed: int, parallel: int) -> dict[str, Trained]:
    """Trains members of an ensemble, and has them generate what the pages need."""
    members = event_ensembles.train_members(names, profile, seed, parallel)
    for name, member in members.items():
        print(f"{name}: {member.summary()}", flush=True)
        if member.failure:
            continue
        print(f"{name}: {event_ensembles.generate(name, member, profile, seed)}", flush=True)
        process = member.training.process
        if event_studies.is_trained_elsewhere(profile) and isinstance(process, TopPairJets):
            truth = _truth(process.extra_jets, profile, member.training.n_train)
            ask_everything(truth, member, event_studies.n_gen(profile, name.rpartition("/")[0]), seed)
    return members


_truth = cache(Truth)  # its events are read once


class _OutOfTimeError(Exception):
    """The seconds that a command was given are over."""


@contextmanager
def stopped_after(seconds: float | None) -> Iterator[None]:
    """Ends what is done in it after some seconds, as a batch system's SIGTERM does: a training at a checkpoint."""

    def stop(*_: object) -> NoReturn:
        raise _OutOfTimeError

    if seconds is None:
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        yield
    except _OutOfTimeError:
        print(f"Stopped after {seconds:g} s. The same command goes on from here.", file=sys.stderr)
    finally:
        timer.cancel()
        signal.signal(signal.SIGTERM, before)


def _receipt(one: Trained) -> dict[str, object]:
    return {
        "training": asdict(one.training),
        "data": one.data_digest,
        "artifact": one.artifact,
        "failure": one.failure,
        "device": one.history.device if one.history else "–",
    }
