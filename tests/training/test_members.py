"""How members scatter, for the fit of a Gaussian's mean, where it is known: the page "How members have to differ"."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gampl.generators.settings import RESAMPLINGS
from gampl.training.ensemble import hold_out, split_of
from gampl.training.repulsive import RepulsiveStack

N_TRAIN, MEMBERS, SAMPLES = 500, 10, 200

# variance of a member around the others, and around the truth, in units of the sampling variance 1 / n_train
SPREAD = {"bootstrap": 1.0, "deep": 0.2 / 0.8, "same_split": 0.0, "independent": 1.0}
FROM_TRUTH = {"bootstrap": 2.0, "deep": 1 / 0.8, "same_split": 1 / 0.8, "independent": 1.0}


def fitted(resampling, events, sample):
    """Weighted means of the events of each member, (members,); further events follow the n_train common ones."""
    own = len(events) // MEMBERS
    means = []
    for member in range(MEMBERS):
        split = split_of(resampling, N_TRAIN, seed=sample, member=member)
        rows = split.train + (own * member if resampling == "independent" else 0)
        means.append((split.weights * events[rows]).sum() / split.weights.sum())
    return torch.stack(means)


@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_members_scatter_as_the_closed_form_says(resampling):
    """Within 4 standard errors of 200 training samples; a factor of two would be 10 to 40 of them."""
    stream = torch.Generator().manual_seed(1)
    events = [torch.randn(MEMBERS * N_TRAIN * 6 // 5, generator=stream, dtype=torch.float64) for _ in range(SAMPLES)]
    means = torch.stack([fitted(resampling, x, k) for k, x in enumerate(events)])
    spread = N_TRAIN * means.var(1)
    assert spread.mean().item() == pytest.approx(SPREAD[resampling], abs=4 * SPREAD[resampling] / 30)
    squares = N_TRAIN * means.square().mean(1)
    assert squares.mean().item() == pytest.approx(
        FROM_TRUTH[resampling], abs=4 * squares.std().item() / math.sqrt(SAMPLES)
    )


class Mean(nn.Module):
    """A Gaussian of unit width."""

    def __init__(self, at):
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([at]))

    def forward(self, x):
        return -((x[..., 0] - self.mean[0]) ** 2) / 2


def at_rest():
    """Where repelling members of a unit Gaussian posterior come to rest, by the formula."""
    c, pairs = np.linspace(-1.3, 1.3, MEMBERS), np.triu_indices(MEMBERS, 1)
    for _ in range(3000):
        apart = c[:, None] - c
        h = np.quantile((apart**2)[pairs], 0.5, method="lower") / np.log(MEMBERS)
        kernel = np.exp(-(apart**2) / h)
        c = c + 0.03 * ((2 / h * apart * kernel).sum(1) / kernel.sum(1) - c)
    return c


def test_repulsive_members_are_nearly_as_wide_as_the_posterior_of_the_events_that_are_left():
    """The kernel makes them narrower, for ten members by a quarter."""
    stream = torch.Generator().manual_seed(1)
    x, split = torch.randn(100, 1, generator=stream), hold_out(100, stream)
    stack = RepulsiveStack([Mean(0.1 * k) for k in range(MEMBERS)], x, split, 80, stream, 1.0)
    for _ in range(400):
        (gradient,) = torch.autograd.grad(stack.losses((split.train[None],)).sum(), stack.parameters["mean"])
        stack.parameters["mean"].data -= 0.1 * gradient
    means = stack.parameters["mean"].detach()
    assert means.mean().item() == pytest.approx(x[split.train].mean().item() * 80 / 81, abs=1e-3)  # the prior
    assert 80 * means.var().item() == pytest.approx(at_rest().var(ddof=1), rel=0.05)
    assert 0.65 < at_rest().var(ddof=1) < 0.85
