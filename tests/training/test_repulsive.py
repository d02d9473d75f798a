import math

import pytest
import torch

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.settings import Fit
from gampl.training.ensemble import hold_out
from gampl.training.repulsive import RepulsiveStack, fit_repulsive, log_kernel_sum


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def networks(members=4):
    return [AutoregressiveTransformer(2, width=8, generator=stream(i)) for i in range(members)]


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


def test_the_loss_is_the_three_terms():
    x = torch.randn(50, 2, generator=stream(2))
    stack = RepulsiveStack(networks(), x, hold_out(50, stream()), 16, stream(3), repulsion=2.0)
    losses = stack.losses(stack.draw())
    split = hold_out(50, stream())
    batch = x[split.train[torch.randint(40, (16,), generator=stream(3))]]
    log_density = torch.stack([network.log_prob(batch) for network in networks()])
    prior = torch.stack([sum(p.square().sum() for p in network.parameters()) / 2 for network in networks()])
    torch.testing.assert_close(losses, -log_density.mean(1) + (2.0 * log_kernel_sum(log_density) + prior) / 40)


def spread_of_members(repulsion):
    members, x = networks(), torch.randn(100, 2, generator=stream(4))
    settings = Fit(steps=100, batch_size=50, validate_every=100)
    fit_repulsive(members, x, hold_out(100, stream(5)), settings, seed=6, repulsion=repulsion)
    return torch.stack([member.log_prob(x) for member in members]).std(0).mean().item()


def test_members_end_further_apart_with_more_repulsion():
    without, strong = spread_of_members(0.0), spread_of_members(30.0)
    assert strong > 1.5 * without


def test_members_share_events_and_batches():
    x = torch.randn(50, 2, generator=stream(2))
    same = [networks(1)[0] for _ in range(3)]
    history = fit_repulsive(same, x, hold_out(50, stream()), Fit(steps=5, batch_size=16, validate_every=5), seed=0)
    # alike at the start, with the same events: nothing can tell them apart
    assert history.train_loss[0] == pytest.approx(history.train_loss[0, 0], rel=1e-5)
