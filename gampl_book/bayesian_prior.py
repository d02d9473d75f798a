"""Bayesian networks whose weights have a normal prior of another variance than one, for scans of it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gampl.generators.devices import torch_as_it_starts
from gampl.generators.memory import Divider
from gampl.store.artifacts import Artifact, Store, key_digest
from gampl.training.bayesian import Variational, draw
from gampl.training.data import Data, untrained
from gampl.training.ensemble import CHUNK, Ensemble, Trained
from gampl.training.fit import History, fit
from gampl.training.settings import Training
from gampl.training.step import Trainable
from gampl.training.train import artifact_key

HISTORY = "history."  # what the names of its curves begin with, next to the weights


class Prior(Trainable):
    """A variational posterior that is trained with the prior N(0, variance) in the place of N(0, 1)."""

    members = 1
    graphable = False

    def __init__(self, member: Variational, variance: float) -> None:
        self.member, self.variance = member, variance
        self.parameters, self.learning_rates, self.streams = member.parameters, member.learning_rates, member.streams

    def draw(self) -> tuple[Tensor, ...]:
        """The member's batch."""
        return self.member.draw()

    def validation_losses(self, _: Divider) -> None:
        """Nothing is held back."""

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The member's loss with the other divergence: (1,)."""
        model, C = self.member.model, self.member.kl_weight
        return self.member.losses(drawn) + C * (model.kl_divergence(self.variance) - model.kl_divergence(1.0))


@torch_as_it_starts()
def train_with_prior(
    training: Training, data: Data, variance: float, chunk: int = CHUNK, label: str = "training"
) -> Ensemble:
    """Draws of a Bayesian network with another prior, trained or found in the project's store.

    With a variance of one they are those of `gampl.training.train_or_load`. A ValueError if the training is not
    Bayesian, the variance not positive, or the data are not those of the training.
    """
    if training.posterior != "bayesian" or not variance > 0:
        raise ValueError(f"a prior needs a Bayesian training and a positive variance, got {variance}")
    checked = data.checked(training, label)
    member = untrained(training, checked, 0)
    if not isinstance(member, Variational):
        raise TypeError(f"{label}: expected a variational posterior, got {type(member).__name__}")
    key = artifact_key(training, 0, checked.digests) | {"prior variance": variance}

    def make(checkpoints: Path) -> Artifact:
        history = fit(Prior(member, variance), training.fit, checkpoint=checkpoints / "checkpoint", label=label)
        arrays = {name: p.numpy(force=True) for name, p in member.model.state_dict().items()}
        curves = {f"{HISTORY}{name}": curve for name, curve in vars(history).items() if isinstance(curve, np.ndarray)}
        return Artifact(arrays | curves, {"seconds": history.seconds, "device": history.device})

    made = Store().get_or_make(key, make)
    curves = {name.removeprefix(HISTORY): a for name, a in made.arrays.items() if name.startswith(HISTORY)}
    history = History(**curves, seconds=made.about["seconds"], device=made.about["device"])
    weights = {name: torch.from_numpy(a) for name, a in made.arrays.items() if not name.startswith(HISTORY)}
    member.model.load_state_dict(weights)
    drawn = [draw(member.model, number, training.seed).eval() for number in range(training.members)]
    about = history, "", key["data"], key_digest(key)
    return Ensemble([Trained(training, k, one, *about, chunk=chunk) for k, one in enumerate(drawn)])
