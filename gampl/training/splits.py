"""What makes the members of an ensemble differ, which decides what their scatter means.

With Poisson weights of their own on the training events (bootstrap; Efron 1979, Ann. Statist. 7, 1) the members of an
efficient fit scatter as fits to other training samples would. Those of a deep ensemble (Lakshminarayanan, Pritzel and
Blundell 2017, arXiv:1612.01474) each hold back a share f of the same events and scatter with only f / (1 - f) of that
variance, so that G comes out four times too large for a fifth; networks have scatter of their own on top, from initial
weights and batches, which can hide it. With the same split for all, that is all that is left. The members of a
repulsive ensemble see the same events and push each other apart, see `gampl.training.repulsive`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gampl.generators.randomness import torch_generator
from gampl.training.settings import held_back


class Split(NamedTuple):
    """Row numbers of the events that a member is trained on and of those held back, and the weights of the former.

    The weights are those of the loss; their mean is one.
    """

    train: Tensor
    held_back: Tensor
    weights: Tensor


def split_of(posterior: str, n: int, seed: int, *member: int) -> Split:
    """How a member of an ensemble divides and weighs n training events, see `gampl.training.settings.RESAMPLINGS`.

    The bootstrap holds back the events that it does not take, about 37 %. The members of a repulsive ensemble have the
    same split. A Bayesian network holds nothing back.
    """
    if posterior in ("bayesian", "independent"):  # further events follow those that an independent one is trained on
        further = held_back(n) if posterior == "independent" else 0
        return Split(torch.arange(n), torch.arange(n, n + further), torch.ones(n))
    if posterior in ("same_split", "repulsive"):
        member = (0,) * len(member)
    stream = torch_generator(seed, "split", *member)
    if posterior == "bootstrap":
        counts = torch.poisson(torch.ones(n), generator=stream)
        (rows,), (others,) = counts.nonzero(as_tuple=True), (counts == 0).nonzero(as_tuple=True)
        return Split(rows, others, counts[rows] / counts[rows].mean())
    count, order = held_back(n), torch.randperm(n, generator=stream)
    return Split(order[count:], order[:count], torch.ones(n - count))


def weighed(split: Split, weights: Tensor) -> Split:
    """The same split of events that have weights of their own, (n,), or (n, K) for each of K conditions."""
    own = weights[split.train]
    product = split.weights.reshape(-1, *[1] * (own.ndim - 1)) * own
    return split._replace(weights=product / product.mean())
