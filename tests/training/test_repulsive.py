import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import FIT, RING, TRAININGS, events_of
from torch import nn

from gampl.generators.densities import Density, Plain
from gampl.training.data import Data, untrained
from gampl.training.fit import fit
from gampl.training.members import Member
from gampl.training.repulsive import Repulsive, log_kernel_sum


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def repulsion_gradient(f, width):
    f = f.clone().requires_grad_()
    log_kernel_sum(f, torch.tensor(width)).sum().backward()
    return f.grad


def test_two_members_are_pushed_apart_as_the_formula_says():
    # d/df_i log(1 + k) = k / (1 + k) * (-2 / h) (f_i - f_j)
    f, h = torch.tensor([[0.0, 0.0], [0.3, -0.1]]), 0.5
    k = math.exp(-(0.3**2 + 0.1**2) / h)
    expected = -2 / h * k / (1 + k) * (f[1] - f[0])
    torch.testing.assert_close(repulsion_gradient(f, h), torch.stack([-expected, expected]))
    # going down the gradient increases the distance
    step = f - 0.1 * repulsion_gradient(f, h)
    assert (step[1] - step[0]).norm() > (f[1] - f[0]).norm()


def test_far_members_do_not_see_each_other():
    far = torch.tensor([[0.0, 0.0], [30.0, 0.0]])
    assert repulsion_gradient(far, 1.0).abs().max() < 1e-12
    assert repulsion_gradient(far / 100, 1.0).abs().max() > 0.1


def test_bounds():
    assert log_kernel_sum(torch.randn(1, 5, generator=stream())).item() == 0  # alone
    alike = log_kernel_sum(torch.ones(6, 5))
    torch.testing.assert_close(alike, torch.full((6,), math.log(6)))
    assert repulsion_gradient(torch.ones(6, 5), 1.0).abs().max() == 0  # no direction to go, but no NaN either


def test_the_gradient_is_that_of_the_ratio_of_kernel_sums():
    f = torch.randn(4, 3, generator=stream(1), dtype=torch.float64).requires_grad_()
    log_kernel_sum(f).sum().backward()
    with_log, f.grad = f.grad, None
    pairs = torch.pdist(f.detach()).square()
    h = pairs.sort().values[2] / math.log(4)  # torch's median of six is the third
    kernel = torch.exp(-(f.unsqueeze(1) - f.detach()).square().sum(-1) / h)
    (kernel.sum(1) / kernel.detach().sum(1)).sum().backward()
    torch.testing.assert_close(with_log, f.grad)


def test_the_median_width_makes_the_repulsion_independent_of_scale():
    f = torch.randn(5, 3, generator=stream(1))
    torch.testing.assert_close(log_kernel_sum(f), log_kernel_sum(1000 * f))


def members(training, count=4, weights=None):
    training = replace(training, posterior="repulsive", members=count)
    data = Data(events_of(training), weights).checked(training, "")
    return [untrained(training, data, k) for k in range(count)]


@pytest.mark.parametrize("kind", ["jets-spline", "ring-autoregressive", "table-spline"])
@pytest.mark.parametrize("weights", [None, np.arange(200) % 3])
def test_the_loss_is_the_three_terms(kind, weights):
    each = members(replace(TRAININGS[kind], repulsion=2.0), weights=weights)
    with torch.no_grad():  # untrained ones may be nearly the same function
        for k, member in enumerate(each):
            for p in member.parameters.values():
                p.add_(0.1 * torch.randn(p.shape, generator=stream(k)))
    stack = Repulsive(each)
    drawn = stack.draw()
    assert all(len(part) == 1 for part in drawn), "a batch must not be divided: all of it is compared"
    w, x, *others = (part[0] for part in drawn)
    log_density = torch.stack([-member.generator(x, *others) for member in each]).float()
    prior = torch.stack([sum(p.square().sum() for p in member.parameters.values()) / 2 for member in each])
    expected = (2.0 * log_kernel_sum(log_density) + prior) / len(each[0].split.train) - (w * log_density).mean(1)
    torch.testing.assert_close(stack.losses(drawn), expected)
    assert (log_kernel_sum(log_density) > 0).any(), "the test needs members that repel each other"


def test_members_end_further_apart_with_more_repulsion():
    def spread(repulsion):
        stack = Repulsive(members(replace(RING, repulsion=repulsion)))
        fit(stack, replace(FIT, steps=100, validate_every=100))
        stack.unstack()
        return torch.stack([member.generator(member.x) for member in stack.each]).std(0).mean().item()

    assert spread(30.0) > 1.5 * spread(0.0)


def test_members_share_events_and_batches():
    alike = members(RING)[:1] * 3
    history = fit(Repulsive(alike), replace(FIT, steps=5, validate_every=5))
    # alike at the start, with the same events: nothing can tell them apart
    assert history.train_loss[0] == pytest.approx(history.train_loss[0, 0], rel=1e-5)


# ---- the fit of a Gaussian's mean, where it is known how they scatter: the page "How members have to differ"


class Mean(nn.Module):
    """A Gaussian of unit width."""

    dtype = torch.float32

    def __init__(self, at):
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([at]))

    def log_prob(self, x, _=None):
        return -((x[..., 0] - self.mean[0]) ** 2) / 2


def at_rest(count):
    """Where repelling members of a unit Gaussian posterior come to rest, by the formula."""
    c, pairs = np.linspace(-1.3, 1.3, count), np.triu_indices(count, 1)
    for _ in range(3000):
        apart = c[:, None] - c
        h = np.quantile((apart**2)[pairs], 0.5, method="lower") / np.log(count)
        kernel = np.exp(-(apart**2) / h)
        c = c + 0.03 * ((2 / h * apart * kernel).sum(1) / kernel.sum(1) - c)
    return c


def test_repulsive_members_are_nearly_as_wide_as_the_posterior_of_the_events_that_are_left():
    """The kernel makes them narrower, for ten members by a quarter."""
    first = members(RING, 2)[0]
    x, training = torch.randn(200, 1, generator=stream(1)), replace(first.training, members=10)
    means = [Density(Plain(1), Mean(0.1 * k)) for k in range(10)]
    stack = Repulsive([Member(generator, x, first.split, training, k) for k, generator in enumerate(means)])
    train = first.split.train
    drawn = (torch.ones(1, len(train)), x[train][None], torch.empty(1, len(train), 0))
    for _ in range(400):
        (gradient,) = torch.autograd.grad(stack.losses(drawn).sum(), stack.parameters["density.mean"])
        stack.parameters["density.mean"].data -= 0.1 * gradient
    found, n = stack.parameters["density.mean"].detach(), len(train)
    assert found.mean().item() == pytest.approx(x[train].mean().item() * n / (n + 1), abs=1e-3)  # the prior
    assert n * found.var().item() == pytest.approx(at_rest(10).var(ddof=1), rel=0.05)
    assert 0.65 < at_rest(10).var(ddof=1) < 0.85
