r"""Bayesian networks: a normal distribution for each weight, fitted by variational inference, Eq. (13).

The loss is the negative log-likelihood per event plus the Kullback-Leibler divergence to the prior N(0, 1), whose
full weight would be 1 / n_train:

    L = < -log p(x|theta) >_{x, theta ~ q} + kl_weight KL[q(theta) | N(0, 1)] / n_train

`zuko.bayesian` provides q, its divergence and the local reparameterization trick (Kingma, Salimans and Welling 2015,
arXiv:1506.02557), which draws fresh noise for every event instead of one set of weights for the whole batch.

Warning:
    How wide q comes out depends on `kl_weight` and on the log-variances at the start, and so does the amplification
    that is read off it. Check it with pulls where the truth is known.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from zuko.bayesian import BayesianModel

from gampl.generators.generator import Generator
from gampl.generators.memory import Divider
from gampl.generators.randomness import torch_generator
from gampl.training.members import Member


def bayesian(generator: Generator, seed: int, init_logvar: float = -9.0) -> BayesianModel:
    """Makes a generator Bayesian: its trained weights become means, with log-variances close to `init_logvar`.

    Layers other than `nn.Linear` and zuko's have one set of weights for all events of a batch.
    """
    fixed = [name for name, p in generator.named_parameters() if not p.requires_grad]
    with _global_seed(_seed(torch_generator(seed, "log-variances")), generator):
        return BayesianModel(generator, init_logvar=init_logvar, exclude_params=fixed)


def draw(model: BayesianModel, member: int, seed: int) -> Generator:
    """Draws a generator from a variational posterior."""
    with _global_seed(_seed(torch_generator(seed, "draws", member)), model):
        drawn: Generator = model.sample_model()
        return drawn


class Variational(Member):
    """A generator whose variational posterior is trained; all events are trained on, none held back."""

    graphable = False  # each step has a seed for zuko's noise

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        training = self.training
        self.generator.compiles = False  # zuko changes the layers' methods in each step
        # on the CPU, so that a GPU begins with the same numbers
        model = bayesian(self.generator.cpu(), training.seed, training.init_logvar)
        self.model: BayesianModel = model.to(self.x.device)
        self.kl_weight = training.kl_weight / len(self.x)
        # the base network keeps its weights of the start: what is trained are means and log-variances
        self.parameters = {name: p for name, p in self.model.named_parameters() if not name.startswith("base.")}
        rate = training.fit.logvar_learning_rate
        self.learning_rates = {name: rate for name in self.parameters if name.startswith("logvars.")}

    def draw(self) -> tuple[Tensor, ...]:
        """A batch, (1, B), (1, B, d), ..., and the seed of its noise, (1,), which makes the batch indivisible."""
        return *(part.unsqueeze(0) for part in super().draw()), _seed(self.streams[0]).unsqueeze(0)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The loss L of the module's text: (1,)."""
        *batch, seed = drawn
        with _global_seed(seed, self.model), self.model.reparameterize(local_trick=True):
            loss = self._loss(*(part[0] for part in batch)).mean()
        return (self.kl_weight * self.model.kl_divergence(prior_var=1.0) + loss).unsqueeze(0)

    def validation_losses(self, _: Divider) -> None:
        """Nothing is held back."""


def _seed(stream: torch.Generator) -> Tensor:
    """A fresh seed, ()."""
    return torch.randint(2**62, (), generator=stream)


@contextmanager
def _global_seed(seed: Tensor, model: nn.Module) -> Iterator[None]:
    """Lets code that draws from the global random stream of a model's device, as zuko does, depend on a seed only."""
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(seed))
        yield
