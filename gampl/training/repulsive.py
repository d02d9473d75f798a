r"""Repulsive ensembles: members that push each other apart as functions.

Particles theta_i follow a gradient flow towards the posterior (D'Angelo and Fortuin 2021, arXiv:2106.11642): each is
drawn up the posterior and pushed down the density of the particles, which a kernel estimates. The repulsion acts on
what the networks compute, f_i = (log p(x_b|theta_i))_b on a batch shared by all, because different weights may well
describe the same density. With the bar for "no gradient flows through", the loss of member i is

    L_i = - < log p(x_b|theta_i) >_b  +  beta / n_train  log sum_j k(f_i, bar f_j)  +  |theta_i|^2 / (2 n_train)

    k(f, g) = exp( - |f - g|^2 / h ),    h = median_{i<j} |f_i - f_j|^2 / log M

The gradient of the logarithm is that of sum_j k(f_i, bar f_j) / sum_j k(bar f_i, bar f_j), the form used for LHC
amplitudes by Bahl et al. 2024 (arXiv:2412.12069). The last term is the prior N(0, 1), as for the Bayesian networks,
and the width h is that of Liu and Wang 2016 (arXiv:1608.04471).

A finite number of members is narrower than the posterior of the events that they are trained on: it is their density
smeared with the kernel that is as wide. For a Gaussian's mean their variance is 0.73 of it with 10 members, and 0.86
with 50.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Fit
from gampl.training.ensemble import Split, Stack
from gampl.training.fit import History, fit


def fit_repulsive(
    networks: Sequence[AutoregressiveTransformer],
    x: Tensor,
    split: Split,
    settings: Fit,
    *,
    seed: int,
    repulsion: float = 1.0,
    checkpoint: Path | None = None,
    label: str = "repulsive",
) -> History:
    """Trains networks that repel each other, always side by side; changes their weights in place.

    Args:
        networks: The members, alike but for their weights.
        x: Training events (n_train, d) on the device to train on.
        split: Which events are trained on and which held back, the same for all members.
        settings: See `gampl.generators.settings.Fit`.
        seed: Seed of the batches.
        repulsion: The factor beta; 1 is the posterior's own strength.
        checkpoint: See `gampl.training.fit.fit`.
        label: What to call this training in messages.
    """
    stack = RepulsiveStack(networks, x, split, settings.batch_size, torch_generator(seed, "batches"), repulsion)
    history = fit(stack, settings, checkpoint=checkpoint, label=label)
    stack.unstack()
    return history


class RepulsiveStack(Stack):
    """Stacked networks whose losses couple them; the batch is the same for all."""

    def __init__(
        self,
        networks: Sequence[AutoregressiveTransformer],
        x: Tensor,
        split: Split,
        batch_size: int,
        stream: torch.Generator,
        repulsion: float,
    ) -> None:
        super().__init__(networks, x, [split] * len(networks), batch_size, [stream])
        self.repulsion, self.n_train = repulsion, len(split.train)

    def draw(self) -> tuple[Tensor, ...]:
        """Row numbers of a batch, (1, B): the repulsion compares all of its events, which have equal weights."""
        train = self.train_rows[0]
        return (train[torch.randint(len(train), (1, self.batch_size), generator=self.streams[0])],)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The loss L_i of each member, see the module's text: (1, B) -> (M,)."""
        (rows,) = drawn
        batch = self.x[rows.to(self.x.device)].expand(self.members, -1, -1)  # (M, B, d)
        return repulsive_losses(self.log_prob(batch), self.parameters.values(), self.n_train, self.repulsion)


def repulsive_losses(log_density: Tensor, parameters: Iterable[Tensor], n_train: int, repulsion: float = 1.0) -> Tensor:
    """The loss L_i of each member, see the module's text.

    Args:
        log_density: Of each event of a batch under each member, (M, B).
        parameters: Of all members, stacked, (M, ...) each.
        n_train: Events that they are trained on.
        repulsion: The factor beta.

    Returns:
        (M,).
    """
    squares = torch.stack([p.flatten(1).square().sum(1) for p in parameters]).sum(0)
    repelled = repulsion * log_kernel_sum(log_density) + squares / 2
    return repelled / n_train - log_density.mean(-1)


def log_kernel_sum(f: Tensor, width: Tensor | None = None) -> Tensor:
    """The repulsion log sum_j k(f_i, bar f_j): (M, B) -> (M,), between 0 (alone) and log M (all alike).

    Args:
        f: What member i computes for event b.
        width: The width h of the kernel; by default the median of the squared distances over log M.
    """
    distances = (f.unsqueeze(1) - f.detach().unsqueeze(0)).square().sum(-1)  # (M, M)
    if width is None:
        members = len(f)
        upper = torch.triu_indices(members, members, offset=1, device=f.device)
        pairs = distances.detach()[upper[0], upper[1]]
        width = pairs.median() / math.log(members) if members > 1 else torch.ones(())
    tiny = torch.finfo(f.dtype).tiny  # members that are all alike have a width of zero
    return torch.logsumexp(-distances / (width + tiny), dim=1)
