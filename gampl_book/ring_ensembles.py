"""Events and trained posteriors of the book's pages on rings, by the trainings of `gampl_book.studies`."""

from collections.abc import Callable

import numpy as np
import torch

from gampl.basics import Floats
from gampl.processes import GaussianRing
from gampl.store.artifacts import Store
from gampl.training import train
from gampl.training.ensemble import Ensemble
from gampl.training.settings import Ring, Training

# Members train side by side as long as one layer's output (members x batch x features x width) has no more numbers
# than this, so that training needs about 1 GB. That is never slower: benchmarks/test_ensemble_speed.py.
NUMBERS_TOGETHER = 4_000_000


def training_events(training: Training) -> Floats:
    """The events that a training sees: (n_train, d), fewer if a fold is left out.

    Those of independent members follow each other, for each n_train events and a fifth more that it holds back.
    """
    process = ring(training)
    if training.posterior == "independent":
        n = training.members * training.n_events
        return GaussianRing(process.dim).sample(n, np.random.default_rng([process.data_seed, 1]))
    parts = enumerate(_folds(training))
    return np.concatenate([part for k, part in parts if process.folds == 1 or k != process.leave_out])


def left_out_events(training: Training) -> Floats:
    """The fold that a training does not see: (n, d); raises ValueError if it sees all events."""
    if ring(training).folds == 1:
        raise ValueError("Ring.folds is 1: the training sees all events")
    return _folds(training)[ring(training).leave_out]


def ring(training: Training) -> Ring:
    """The process of a training; raises TypeError if it is not a ring."""
    if not isinstance(training.process, Ring):
        raise TypeError(f"Training.process must be a Ring, got {training.process}")
    return training.process


def _folds(training: Training) -> list[Floats]:
    """All events in the parts of which one is left out. They are independent, so neighbours are as good as any."""
    process, rng = ring(training), np.random.default_rng(ring(training).data_seed)
    return np.array_split(GaussianRing(process.dim).sample(training.n_train, rng), process.folds)


def data(training: Training) -> Floats | Callable[[int], Floats]:
    """The events that a training takes; for independent members a function that returns those of a member."""
    events = training_events(training)
    if training.posterior != "independent":
        return events
    parts = np.split(events, training.members)
    return lambda member: parts[member]


def train_or_load(
    training: Training, store: Store | None = None, *, device: str | torch.device | None = None, label: str = "training"
) -> Ensemble:
    """The posterior of a training on its ring, see `gampl.training.train.train_members`."""
    numbers = training.fit.batch_size * ring(training).dim * training.architecture.width
    parallel = max(1, NUMBERS_TOGETHER // numbers)
    return train.train_or_load(training, data(training), store, parallel=parallel, device=device, label=label)
