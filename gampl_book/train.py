"""Trains networks of the book, or finds them in the store: ``python -m gampl_book train ring2d/deep/1``."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gampl.store.atomic import write_bytes
from gampl.training.ensemble import Trained
from gampl_book import BookError, event_ensembles, event_studies, ring_ensembles, studies


def train(names: Sequence[str], profile: str, seed: int, parallel: int = 1, receipt: Path | None = None) -> None:
    """Trains networks by name, such as ``top_pair_0j/lloca/3``; generators of LHC events generate, too.

    As many members of an ensemble of these as `parallel` says are trained side by side. What was trained, and where it
    lies, is written to the receipt, a JSON file.
    """
    if profile == "smoke":  # its numbers are compared with references; it never pays to use a GPU
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    rings, events = studies.trainings(profile, seed), event_studies.trainings(profile, seed)
    if unknown := [name for name in names if name not in rings | events]:
        known = ", ".join(rings | events)
        raise BookError(f"no training {unknown[0]!r} in profile {profile}; there are {known}")
    if parallel < 1:
        raise BookError(f"--parallel must be at least 1, got {parallel}")
    trained: dict[str, Trained] = {}
    for name in [name for name in names if name in rings]:
        ensemble = ring_ensembles.train_or_load(rings[name], label=name)
        print(f"{name}: {ensemble.summary()}", flush=True)
        trained |= {f"{name}/{one.number}": one for one in ensemble.trained}
    members = event_ensembles.train_members([name for name in names if name in events], profile, seed, parallel)
    for name, member in members.items():
        print(f"{name}: {member.summary()}", flush=True)
        if not member.failure:
            print(f"{name}: {event_ensembles.generate(name, member, profile, seed)}", flush=True)
    if receipt is not None:
        receipts = {name: _receipt(one) for name, one in (trained | members).items()}
        write_bytes(receipt, (json.dumps(receipts, indent=1) + "\n").encode())


def _receipt(one: Trained) -> dict[str, object]:
    return {
        "training": asdict(one.training),
        "data": one.data_digest,
        "artifact": one.artifact,
        "failure": one.failure,
        "device": one.history.device if one.history else "–",
    }
