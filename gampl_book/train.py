"""Trains networks of the book, or finds them in the store: ``python -m gampl_book train ring2d/deep/1``."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gampl.store.atomic import write_bytes
from gampl_book import BookError

if TYPE_CHECKING:
    from gampl.training.ensemble import Trained
    from gampl.training.settings import Training


def train(names: Sequence[str], profile: str, seed: int, parallel: int, receipt: Path | None) -> None:
    """Trains networks, or finds them in the store; generators of LHC events generate, too.

    Args:
        names: Such as ``ring2d/deep/1`` or ``top_pair_0j/lloca/3``.
        profile: Of the book.
        seed: Of the trainings.
        parallel: Members of an ensemble of generators of LHC events that are trained side by side.
        receipt: JSON file for what was trained, and where it lies.
    """
    from gampl_book import event_studies, studies

    if profile == "smoke":  # its numbers are compared with references; it never pays to use a GPU
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    rings, events = studies.trainings(profile, seed), event_studies.trainings(profile, seed)
    if unknown := [name for name in names if name not in rings | events]:
        known = ", ".join(rings | events)
        raise BookError(f"no training {unknown[0]!r} in profile {profile}; there are {known}")
    if parallel < 1:
        raise BookError(f"--parallel must be at least 1, got {parallel}")
    receipts: dict[str, dict[str, object]] = {}
    for name in names:
        if name in rings:
            receipts |= _train_ring(rings[name], name)
    receipts |= _train_events([name for name in names if name in events], profile, seed, parallel)
    if receipt is not None:
        write_bytes(receipt, (json.dumps(receipts, indent=1) + "\n").encode())


def _train_ring(training: "Training", name: str) -> dict[str, dict[str, object]]:
    from gampl_book.ring_ensembles import train_or_load

    ensemble = train_or_load(training, label=name)
    print(f"{name}: {ensemble.summary()}", flush=True)
    return {f"{name}/{one.number}": _receipt(one) for one in ensemble.trained}


def _train_events(names: Sequence[str], profile: str, seed: int, parallel: int) -> dict[str, dict[str, object]]:
    if not names:
        return {}
    from gampl_book.event_ensembles import generate, train_members

    receipt: dict[str, dict[str, object]] = {}
    for name, done in train_members(names, profile, seed, parallel).items():
        print(f"{name}: {done.summary()}", flush=True)
        if not done.failure:
            print(f"{name}: {generate(name, done, profile, seed)}", flush=True)
        receipt[name] = _receipt(done)
    return receipt


def _receipt(done: "Trained") -> dict[str, object]:
    return {
        "training": asdict(done.training),
        "data": done.data_digest,
        "artifact": done.artifact,
        "failure": done.failure,
        "device": done.history.device if done.history else "–",
    }
