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
from collections.abc import Sequence

import torch
from torch import Tensor

from gampl.training.members import Member, Stack, stacked


class Repulsive(Stack):
    """Members with an explicit density that push each other apart; the batch is the same for all."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__(members)
        self.streams = self.streams[:1]
        self.n_train, self.repulsion = len(members[0].split.train), members[0].training.repulsion

    def draw(self) -> tuple[Tensor, ...]:
        """A batch for all, (1, B), (1, B, d), ...: the repulsion compares all of its events."""
        return tuple(part.unsqueeze(0) for part in self.each[0].draw())

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """The loss L_i of each member, see the module's text; weights of events are for the likelihood only: (M,)."""
        weights, *others = (part[0] for part in drawn)
        of_event = self._loss(*stacked([(torch.ones_like(weights), *others)] * self.members))  # (B, M)
        log_density = -self.by_member(of_event)
        squares = torch.stack([p.flatten(1).square().sum(1) for p in self.parameters.values()]).sum(0)
        repelled = self.repulsion * log_kernel_sum(log_density) + squares / 2
        return repelled / self.n_train - (weights * log_density).mean(-1)


def log_kernel_sum(f: Tensor, width: Tensor | None = None) -> Tensor:
    """The repulsion log sum_j k(f_i, bar f_j): (M, B) -> (M,), between 0 (alone) and log M (all alike).

    The width h of the kernel is by default the median of the squared distances over log M.
    """
    distances = (f.unsqueeze(1) - f.detach().unsqueeze(0)).square().sum(-1)  # (M, M)
    if width is None:
        members = len(f)
        i, j = torch.triu_indices(members, members, offset=1, device=f.device)
        width = distances.detach()[i, j].median() / math.log(members) if members > 1 else torch.ones(())
    tiny = torch.finfo(f.dtype).tiny  # members that are all alike have a width of zero
    return torch.logsumexp(-distances / (width + tiny), dim=1)
