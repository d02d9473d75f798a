"""Keeps what the references of the tests are made with: trained networks, and how well a training does.

    python -m gampl_book keep-trainings        # `make reference` begins with this

The numbers of the smoke book are compared with committed ones. So that they do not depend on the processor that trains,
its networks are kept in ``data/trainings``, where the store finds them by their keys. That trainings are
still right is seen from their losses: each kind's must lie in the band that perturbed trainings have filled.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t

import gampl.training.fit
from gampl.store.artifacts import Store, key_digest
from gampl.store.atomic import write_bytes
from gampl.training.data import Data
from gampl.training.ensemble import Trained
from gampl.training.settings import POSTERIORS
from gampl.training.train import artifact_key, train_members
from gampl_book import ROOT, event_ensembles, event_studies, ring_ensembles, studies

FOLDER = ROOT / "data" / "trainings"
BANDS = ROOT / "tests" / "reference" / "losses.json"
PROFILE, SEED = "smoke", 1

RUNS = 8  # perturbed trainings for each band
PERTURBATION = 1e-4  # of each initial weight, relative: a thousand times the round-off of single precision
FALSE_ALARMS = 1e-4  # how often a training that differs by such a perturbation is outside its band
NARROWEST = 1e-4  # half of a band, relative to the loss


def keys() -> dict[str, Mapping[str, Any]]:
    """The keys of all members of the smoke book, by name and number; draws of a Bayesian network have one in common."""
    made: dict[str, Mapping[str, Any]] = {}
    for name, training in studies.trainings(PROFILE, SEED).items():
        events = ring_ensembles.data(training)
        for member in range(1 if training.posterior == "bayesian" else training.members):
            own = events(member) if callable(events) else events
            made[f"{name}/{member}"] = artifact_key(training, member, Data(own).digests)
    for name, training in event_studies.trainings(PROFILE, SEED).items():
        member = int(name.rpartition("/")[2])
        events = event_ensembles.training_events(training, PROFILE, member)
        made[name] = artifact_key(training, member, Data(events).digests)
    return made


def train(names: Sequence[str]) -> None:
    """Trains or loads members of the smoke book."""
    rings, events = studies.trainings(PROFILE, SEED), event_studies.trainings(PROFILE, SEED)
    for name in dict.fromkeys(name.rpartition("/")[0] for name in names if name not in events):
        ring_ensembles.train_or_load(rings[name], device="cpu", label=name)
    event_ensembles.train_members([name for name in names if name in events], PROFILE, SEED)


def keep(
    wanted: Mapping[str, Mapping[str, Any]], store: Store, train: Callable[[Sequence[str]], None], folder: Path
) -> tuple[list[str], int]:
    """Copies artifacts that are not kept yet, after training them, and drops those that nothing uses any more.

    Args:
        wanted: Keys by name.
        store: Where trainings go.
        train: Trains the names that it is given, into that store.
        folder: Of the kept artifacts.

    Returns:
        The names that are new, and the number of artifacts that were dropped.
    """
    kept, digests = Store(folder), {name: key_digest(key) for name, key in wanted.items()}
    new = [name for name, digest in digests.items() if not kept.path(digest).exists()]
    if new:
        train(new)
    for digest in {digests[name] for name in new}:  # two names may have the same key
        shutil.copytree(store.path(digest), kept.path(digest))
    unused = [path for path in folder.glob("*/*") if path.name not in digests.values()]
    for path in unused:
        shutil.rmtree(path)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return new, len(unused)


def representatives() -> list[str]:
    """One training of each kind: the networks and posteriors of the rings, the generators of both kinds of events."""
    rings = [studies.ring(dim, posterior, 1) for dim in studies.RING_DIMENSIONS for posterior in POSTERIORS]
    first = [name for name in event_studies.trainings(PROFILE, SEED) if name.endswith("/0")]
    smallest = next(name.partition("/")[0] for name in first if name.startswith("leading_order"))
    return rings + [name for name in first if name.startswith(("top_pair_0j/", f"{smallest}/"))]


def loss(name: str, perturbation: float = 0.0, seed: int = 0, rate: float = 1.0) -> float:
    """The loss of the weights that a training ends with; it really takes place.

    The mean of the members on held-back events; of Bayesian networks, which hold none back, on the training events.

    Args:
        name: Of the training.
        perturbation: Relative change of each initial weight, times a normal number.
        seed: Of those numbers.
        rate: Factor on the learning rate.
    """
    rings, events = studies.trainings(PROFILE, SEED), event_studies.trainings(PROFILE, SEED)
    training = (rings | events)[name]
    training = replace(training, fit=replace(training.fit, learning_rate=rate * training.fit.learning_rate))
    with tempfile.TemporaryDirectory() as folder, _perturbed(perturbation, seed):
        store = Store(folder)
        store.kept = None
        trained: Sequence[Trained]
        if name in rings:
            trained = ring_ensembles.train_or_load(training, store, device="cpu").trained
        else:
            number = int(name.rpartition("/")[2])
            made = event_ensembles.training_events(training, PROFILE, number)
            trained = train_members(training, made, store, members=[number], device="cpu")
    histories = [one.history for one in trained if one.history is not None]
    if len(histories) < len(trained):
        raise ValueError(f"{name}: the training diverged")
    if training.posterior == "bayesian":
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


@contextmanager
def _perturbed(size: float, seed: int) -> Iterator[None]:
    """Trainings begin with perturbed weights."""
    plain = gampl.training.fit.Run

    class Perturbed(plain):  # type: ignore[misc,valid-type]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            stream = torch.Generator().manual_seed(seed)
            with torch.no_grad():
                for p in self.parameters.values():
                    p.mul_(1 + size * torch.randn(p.shape, generator=stream))

    gampl.training.fit.Run = Perturbed if size else plain  # type: ignore[misc]
    try:
        yield
    finally:
        gampl.training.fit.Run = plain  # type: ignore[misc]


def renew() -> None:
    """Keeps the trainings and the bands of their losses."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    store = Store()
    new, dropped = keep(keys(), store, train, FOLDER)
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{FOLDER.relative_to(ROOT)}: {len(new)} new trainings, {dropped} dropped, {size / 1e6:.2f} MB")
    rule = {"runs": RUNS, "perturbation": PERTURBATION, "false_alarms": FALSE_ALARMS, "narrowest": NARROWEST}
    bands = {name: band(name) for name in representatives()}
    write_bytes(BANDS, (json.dumps({"rule": rule, "bands": bands}, indent=1) + "\n").encode())
    print(f"{BANDS.relative_to(ROOT)}: {len(bands)} bands")
