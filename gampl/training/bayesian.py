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
from pathlib import Path

import torch
from torch import Tensor, nn
from zuko.bayesian import BayesianModel

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.memory import AtOnce
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Fit
from gampl.training.fit import History, fit
from gampl.training.networks import NetworkPosterior


def fit_bayesian(
    network: AutoregressiveTransformer,
    x: Tensor,
    settings: Fit,
    *,
    seed: int,
    kl_weight: float = 0.03,
    init_logvar: float = -9.0,
    checkpoint: Path | None = None,
    label: str = "bayesian",
) -> tuple[BayesianModel, History]:
    """Fits the variational posterior of a network's weights.

    Args:
        network: Its weights are the means at the start.
        x: Training events (n_train, d) on the device to train on; all are used, none held back.
        settings: See `gampl.generators.settings.Fit`.
        seed: Seed of the batches and the noise.
        kl_weight: Factor on the divergence; 1 is the untempered posterior.
        init_logvar: Log-variance of all weights at the start.
        checkpoint: See `gampl.training.fit.fit`.
        label: What to call this training in messages.
    """
    trainable = _Variational(bayesian(network, seed, init_logvar).to(x.device), x, settings, seed, kl_weight)
    rates = {name: settings.logvar_learning_rate for name in trainable.parameters if name.startswith("logvars.")}
    history = fit(trainable, settings, learning_rates=rates, checkpoint=checkpoint, label=label)
    return trainable.model, history


def bayesian(network: AutoregressiveTransformer, seed: int, init_logvar: float = -9.0) -> BayesianModel:
    """Makes a network Bayesian: its weights become means, with log-variances close to `init_logvar`."""
    with _global_seed(_seed(torch_generator(seed, "log-variances")), network):
        return BayesianModel(network, init_logvar=init_logvar)


def draw(model: BayesianModel, members: int, seed: int) -> NetworkPosterior:
    """Draws networks from a variational posterior; the first ones do not depend on how many are drawn."""
    drawn = []
    for member in range(members):
        with _global_seed(_seed(torch_generator(seed, "draws", member)), model):
            drawn.append(model.sample_model())
    return NetworkPosterior(tuple(drawn))


class _Variational:
    """The variational loss, as something that `fit` can train: one model, so M = 1."""

    members = 1

    def __init__(self, model: BayesianModel, x: Tensor, settings: Fit, seed: int, kl_weight: float) -> None:
        self.model, self.x, self.batch_size = model, x, settings.batch_size
        self.kl_weight = kl_weight / len(x)
        # the base network keeps its weights of the start: what is trained are means and log-variances
        self.parameters = {name: p for name, p in model.named_parameters() if not name.startswith("base.")}
        self.streams = [torch_generator(seed, "batches")]

    def draw(self) -> tuple[Tensor, ...]:
        """Row numbers of a batch, (1, B), and the seed of its noise, (1,), which makes the batch indivisible."""
        rows = torch.randint(len(self.x), (1, self.batch_size), generator=self.streams[0])
        return rows, _seed(self.streams[0]).unsqueeze(0)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        rows, seed = drawn
        with _global_seed(seed, self.model), self.model.reparameterize(local_trick=True) as network:
            log_likelihood = network.log_prob(self.x[rows[0].to(self.x.device)]).mean()
        loss: Tensor = self.kl_weight * self.model.kl_divergence(prior_var=1.0) - log_likelihood
        return loss.unsqueeze(0)

    def validation_losses(self, _: AtOnce) -> None:
        return None


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
