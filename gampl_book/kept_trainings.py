"""Keeps what the references of the tests are made with: trained networks, and how well a training does.

The numbers of the smoke book are compared with committed ones. So that they do not depend on the processor that trains,
its networks are kept in ``data/trainings/smoke``, where the store finds them by their keys. That trainings are
still right is seen from their losses: each kind's must lie in the band that perturbed trainings have filled.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from scipy.stats import t

from gampl.store.artifacts import Store, key_digest
from gampl.store.atomic import write_bytes
from gampl.training.data import Data
from gampl.training.ensemble import Trained
from gampl.training.fit import History, fit
from gampl.training.settings import POSTERIORS, Fit, Ring, Training
from gampl.training.step import Trainable
from gampl.training.train import artifact_key, train_members
from gampl_book import (
    ROOT,
    event_ensembles,
    event_studies,
    jet_ensembles,
    jet_studies,
    plan,
    ring_ensembles,
    studies,
    train,
)

FOLDER = ROOT / "data" / "trainings"
BANDS = ROOT / "tests" / "reference" / "losses.json"
PROFILE, SEED = "smoke", 1

RUNS = 8  # perturbed trainings for each band
PERTURBATION = 1e-4  # of each initial weight, relative: a thousand times the round-off of single precision
FALSE_ALARMS = 1e-4  # how often a training that differs by such a perturbation is outside its band
NARROWEST = 1e-4  # half of a band, relative to the loss


def digests(profile: str = PROFILE, seed: int = SEED) -> dict[str, list[str]]:
    """Digests of the artifacts of all trainings of a book, by default the smoke book, by name; see `keys`."""
    trainings = plan.trainings(profile, seed)
    return {name: [key_digest(key) for key in keys(name, one, profile)] for name, one in trainings.items()}


def keys(name: str, training: Training, profile: str) -> list[dict[str, Any]]:
    """Keys of the artifacts of a training, which this installation finds them by; draws of a Bayesian network have one.

    Raises ModuleNotFoundError or FileNotFoundError if a package that it needs, or its file of events, is not here.
    """
    if isinstance(training.process, Ring):
        events = ring_ensembles.data(training)
        members = range(1 if training.posterior == "bayesian" else training.members)
        return [artifact_key(training, k, Data(events(k) if callable(events) else events).digests) for k in members]
    member = int(name.rpartition("/")[2])
    if name.startswith(jet_studies.PAGE):
        return [
            artifact_key(training, member, jet_ensembles.training_data(name, profile, training.seed, member).digests)
        ]
    digests_of_events = _of_events(training, profile, member if training.posterior == "independent" else 0)
    return [artifact_key(training, member, digests_of_events)]


@cache  # the members of an ensemble see the same events
def _of_events(training: Training, profile: str, member: int) -> dict[str, str]:
    return Data(event_ensembles.training_events(training, profile, member)).digests


def keep(
    needed: Mapping[str, Sequence[str]], store: Store, train: Callable[[Sequence[str]], None], folder: Path
) -> tuple[list[str], int]:
    """Copies artifacts that are not kept yet, after training them, and drops those that nothing uses any more.

    Needed are digests of artifacts by the name of a training; `train` trains the names that it is given, into the
    store. Returns the names that are new, and the number of artifacts that were dropped.
    """
    kept, every = Store(folder), {digest for digests in needed.values() for digest in digests}
    new = [name for name, digests in needed.items() if not all(kept.path(digest).exists() for digest in digests)]
    if new:
        train(new)
    for digest in every:
        if not kept.path(digest).exists():
            shutil.copytree(store.path(digest), kept.path(digest))
    unused = [path for path in folder.glob("*/*") if path.name not in every]
    for path in unused:
        shutil.rmtree(path)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return new, len(unused)


def representatives() -> list[str]:
    """One training of each kind: the networks and posteriors of the rings, the generators of both kinds of events."""
    rings = [studies.ring(dim, posterior, 1) for dim in studies.RING_DIMENSIONS for posterior in POSTERIORS]
    ensembles = list(event_studies.ensembles(PROFILE))
    smallest = next(name.partition("/")[0] for name in ensembles if name.startswith("leading_order"))
    return rings + [f"{name}/0" for name in ensembles if name.startswith(("top_pair_0j/", f"{smallest}/"))]


def loss(name: str, perturbation: float = 0.0, seed: int = 0, rate: float = 1.0, profile: str = PROFILE) -> float:
    """The loss of the weights that a training ends with; it really takes place.

    The mean of the members on held-back events; of Bayesian networks, which hold none back, on the training events.
    Each initial weight is changed by a perturbation times a normal number, relatively, and the learning rate is
    multiplied by `rate`.
    """
    training = plan.trainings(profile, SEED)[name]
    training = replace(training, fit=replace(training.fit, learning_rate=rate * training.fit.learning_rate))

    def perturbed_fit(trainable: Trainable, settings: Fit, **options: Any) -> History:
        stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in dict(trainable.parameters).values():
                p.mul_(1 + perturbation * torch.randn(p.shape, generator=stream))
        return fit(trainable, settings, **options)

    with tempfile.TemporaryDirectory() as folder, patch("gampl.training.train.fit", perturbed_fit):
        store = Store(folder)
        store.kept = ()
        if name.startswith("ring"):
            trained = ring_ensembles.train_or_load(training, store, device="cpu").trained
        else:
            number = int(name.rpartition("/")[2])
            events = event_ensembles.training_events(training, profile, number)
            trained = train_members(training, events, store, members=[number], device="cpu")
    return end(name, trained)


def end(name: str, trained: Sequence[Trained]) -> float:
    """The loss of the weights that a training has ended with, see `loss`."""
    histories = [one.history for one in trained if one.history is not None]
    if len(histories) < len(trained):
        raise ValueError(f"{name}: the training diverged")
    if trained[0].training.posterior == "bayesian":
        return float(histories[0].train_loss[-1].mean())
    return float(np.mean([np.nanmin(history.validation_loss) for history in histories]))


def band(name: str) -> dict[str, float]:
    """Where the loss of a training ends, from perturbed ones, and where it ends with half the learning rate.

    The interval that holds one more normal number with probability 1 - FALSE_ALARMS: mean +- t sd sqrt(1 + 1 / RUNS).
    """
    ends = np.array([loss(name, PERTURBATION, seed) for seed in range(1, RUNS + 1)])
    mean, sd = float(ends.mean()), float(ends.std(ddof=1))
    half_width = float(t.ppf(1 - FALSE_ALARMS / 2, RUNS - 1)) * sd * float(np.sqrt(1 + 1 / RUNS))
    numbers = {"mean": mean, "half_width": max(half_width, NARROWEST * abs(mean)), "at_half_rate": loss(name, rate=0.5)}
    return {name: float(f"{number:.6g}") for name, number in numbers.items()}


def renew() -> None:
    """Keeps the trainings and the bands of their losses."""
    folder = FOLDER / PROFILE
    folder.mkdir(parents=True, exist_ok=True)
    new, dropped = keep(digests(), Store(), partial(train.train, profile=PROFILE, seed=SEED), folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder.relative_to(ROOT)}: {len(new)} new trainings, {dropped} dropped, {size / 1e6:.2f} MB")
    rule = {"runs": RUNS, "perturbation": PERTURBATION, "false_alarms": FALSE_ALARMS, "narrowest": NARROWEST}
    bands = {name: band(name) for name in representatives()}
    write_bytes(BANDS, (json.dumps({"rule": rule, "bands": bands}, indent=1) + "\n").encode())
    print(f"{BANDS.relative_to(ROOT)}: {len(bands)} bands")
