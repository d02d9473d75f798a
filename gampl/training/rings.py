"""Train or load: one call from the plain numbers of a training to its posterior."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.devices import pick_device
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import RESAMPLINGS, Training, held_back
from gampl.processes import GaussianRing
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, array_digest, key_digest
from gampl.training.bayesian import bayesian, draw, fit_bayesian
from gampl.training.ensemble import Split, fit_ensemble, hold_out, split_of
from gampl.training.fit import History
from gampl.training.networks import NetworkPosterior
from gampl.training.repulsive import fit_repulsive

# A training's fields that its kind of posterior does not look at. The draws of a Bayesian network are not stored.
_BAYESIAN_ONLY = {"kl_weight", "init_logvar"}
_NOT_USED = {
    "bayesian": {"members", "repulsion"},
    "repulsive": _BAYESIAN_ONLY,
    **{resampling: _BAYESIAN_ONLY | {"repulsion"} for resampling in RESAMPLINGS},
}

_HISTORY = "history."  # what the names of its curves begin with, next to the weights


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
        training: What was asked for.
        posterior: The members, on the CPU.
        history: How it went.
        data_digest: SHA-256 of the training events.
        artifact: Name of the artifact in the store.
    """

    training: Training
    posterior: NetworkPosterior
    history: History
    data_digest: str
    artifact: str

    def summary(self) -> str:
        """One line for people."""
        history = self.history
        return (
            f"{len(self.posterior)} members, best steps {history.best_step.min()} to {history.best_step.max()}, "
            f"{history.seconds:.0f} s on {history.device}, artifact {self.artifact[:12]}"
        )


def training_events(training: Training) -> NDArray[np.float64]:
    """The events that a training sees: (n_train, d), fewer if a fold is left out.

    Those of independent members follow each other, for each n_train events and a fifth more that it holds back.
    """
    if training.posterior == "independent":
        n = training.members * (training.n_train + held_back(training.n_train))
        return GaussianRing(training.dim).sample(n, np.random.default_rng([training.data_seed, 1]))
    parts = _folds(training)
    return np.concatenate([part for k, part in enumerate(parts) if training.folds == 1 or k != training.leave_out])


def left_out_events(training: Training) -> NDArray[np.float64]:
    """The fold that a training does not see: (n, d).

    Raises:
        ValueError: If the training sees all events.
    """
    if training.folds == 1:
        raise ValueError("Training.folds is 1: the training sees all events")
    return _folds(training)[training.leave_out]


def _folds(training: Training) -> list[NDArray[np.float64]]:
    """All events in the parts of which one is left out. They are independent, so neighbours are as good as any."""
    rng = np.random.default_rng(training.data_seed)
    return np.array_split(GaussianRing(training.dim).sample(training.n_train, rng), training.folds)


def train_or_load(
    training: Training,
    store: Store | None = None,
    *,
    device: str | torch.device | None = None,
    label: str = "training",
) -> Trained:
    """Finds a training's outcome in the store or trains; an interrupted training goes on where it was.

    Args:
        training: What to train.
        store: Where to look and to keep it; by default the project's store, see `gampl.store.artifacts.default_root`.
        device: Where to train, see `gampl.generators.devices.pick_device`. The device does not count as a difference.
        label: What to call this training in messages.
    """
    store = store or Store()
    events = training_events(training)
    key = artifact_key(training, events)

    def make(checkpoints: Path) -> Artifact:
        x = torch.from_numpy(events).float().to(pick_device(device))
        return train(training, x, checkpoints / "checkpoint.safetensors", label)

    artifact = store.get_or_make(key, make)
    history = History(
        steps=artifact.arrays[_HISTORY + "steps"],
        train_loss=artifact.arrays[_HISTORY + "train_loss"],
        validation_loss=artifact.arrays[_HISTORY + "validation_loss"],
        best_step=artifact.arrays[_HISTORY + "best_step"],
        **artifact.about,
    )
    return Trained(training, _posterior(training, artifact), history, key["data"], key_digest(key))


def artifact_key(training: Training, events: NDArray[np.float64]) -> dict[str, Any]:
    """All that the trained weights depend on: settings, events, the source of this module and below, versions."""
    settings = {name: value for name, value in asdict(training).items() if name not in _NOT_USED[training.posterior]}
    settings["fit"].pop("checkpoint_seconds")
    if training.posterior != "bayesian":
        settings["fit"].pop("logvar_learning_rate")
    return {
        "training": settings,
        "data": array_digest(events),
        "source": provenance.digest(provenance.source_files(Path(__file__))),
        # without local labels such as "+cpu": a GPU machine finds what was trained without one
        "versions": {name: version(name).split("+")[0] for name in ("numpy", "torch", "zuko")},
    }


def train(training: Training, x: torch.Tensor, checkpoint: Path, label: str) -> Artifact:
    """Trains on the events x (n_train, d) and returns what is to be stored."""
    seed, fit, n = training.seed, training.fit, len(x)
    networks = _networks(training)
    if training.posterior == "bayesian":
        model, history = fit_bayesian(
            networks[0],
            x,
            fit,
            seed=seed,
            kl_weight=training.kl_weight,
            init_logvar=training.init_logvar,
            checkpoint=checkpoint,
            label=label,
        )
        weights: Mapping[str, torch.Tensor] = model.state_dict()
    elif training.posterior == "repulsive":
        split = hold_out(n, torch_generator(seed, "split"))
        history = fit_repulsive(
            networks, x, split, fit, seed=seed, repulsion=training.repulsion, checkpoint=checkpoint, label=label
        )
        weights = _numbered(networks)
    else:
        own_events = training.posterior == "independent"
        splits = [
            split_of(training.posterior, training.n_train if own_events else n, seed, i)
            for i in range(training.members)
        ]
        if own_events:
            splits = [_further(split, i * (n // training.members)) for i, split in enumerate(splits)]
        history = fit_ensemble(networks, x, splits, fit, seed=seed, checkpoint=checkpoint, label=label)
        weights = _numbered(networks)
    arrays = {name: p.detach().cpu().numpy() for name, p in weights.items()}
    curves = {_HISTORY + name: value for name, value in vars(history).items() if isinstance(value, np.ndarray)}
    return Artifact(arrays | curves, {"seconds": history.seconds, "device": history.device})


def _networks(training: Training) -> list[AutoregressiveTransformer]:
    """Networks with their initial weights: one for a Bayesian posterior, else one for each member."""
    count = 1 if training.posterior == "bayesian" else training.members
    size = asdict(training.network)
    return [
        AutoregressiveTransformer(training.dim, **size, generator=torch_generator(training.seed, "weights", i))
        for i in range(count)
    ]


def _further(split: Split, rows: int) -> Split:
    """The same split of events that begin some rows further on."""
    return split._replace(train=split.train + rows, held_back=split.held_back + rows)


def _numbered(networks: list[AutoregressiveTransformer]) -> dict[str, torch.Tensor]:
    return {f"{i}.{name}": p for i, network in enumerate(networks) for name, p in network.state_dict().items()}


def _posterior(training: Training, artifact: Artifact) -> NetworkPosterior:
    """Members from stored weights."""
    weights = {name: torch.from_numpy(a) for name, a in artifact.arrays.items() if not name.startswith(_HISTORY)}
    networks = _networks(training)
    if training.posterior == "bayesian":
        model = bayesian(networks[0], training.seed)
        model.load_state_dict(weights)
        return draw(model, training.members, training.seed)
    for i, network in enumerate(networks):
        prefix = f"{i}."
        network.load_state_dict({n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)})
    return NetworkPosterior(tuple(networks))
