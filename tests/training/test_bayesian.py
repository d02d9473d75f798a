import math
from dataclasses import replace

import pytest
import torch
from small import EQUIVARIANT, FIT, QUICK, RING, TRAININGS, events_of
from torch import nn
from torch.distributions import Normal, kl_divergence

from gampl.generators.densities import Density, Plain
from gampl.training.bayesian import Variational, bayesian, draw
from gampl.training.data import Data, untrained
from gampl.training.fit import fit
from gampl.training.splits import split_of

BAYESIAN = replace(RING, posterior="bayesian")


def variational(training=BAYESIAN, **changes):
    training = replace(training, posterior="bayesian", **changes)
    return untrained(training, Data(events_of(training)).checked(training, ""), 0)


def trained(**changes):
    member = variational(**changes)
    fit(member, member.training.fit)
    return member.model


class UnknownMean(nn.Module):
    """Events from N(mean, 1): the one network whose posterior is known in closed form."""

    dtype = torch.float32

    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.mean.weight)

    def log_prob(self, x, _=None):
        return Normal(self.mean(torch.ones_like(x)), 1.0).log_prob(x).sum(-1)


@pytest.mark.parametrize("kl_weight", [1.0, 0.2])
def test_a_conjugate_posterior_comes_out_exactly(kl_weight):
    # prior N(0, 1), n events from N(mean, 1), tempered as if there were n / w: N(sum x / (n + w), w / (n + w))
    n = 19
    x = 1.5 + torch.randn(n, 1, generator=torch.Generator().manual_seed(2))
    settings = replace(FIT, steps=500, batch_size=1000, learning_rate=0.02, logvar_learning_rate=0.04, warmup=10)
    training = replace(BAYESIAN, n_train=n, fit=settings, seed=3, kl_weight=kl_weight, init_logvar=-5.0)
    member = Variational(Density(Plain(1), UnknownMean()), x, split_of("bayesian", n, 3), training)
    fit(member, settings)
    name = "density-mean-weight"
    mean, variance = member.model.means[name].item(), member.model.logvars[name].exp().item()
    assert mean == pytest.approx(x.sum().item() / (n + kl_weight), abs=0.02)
    assert variance == pytest.approx(kl_weight / (n + kl_weight), rel=0.2)


def test_divergence_agrees_with_torch_distributions():
    model = variational(init_logvar=-2.0).model
    total = torch.zeros(())
    for name, mean in model.means.items():
        logvar = model.logvars[name]
        logvar = logvar / (1 + (logvar / 18) ** 2).sqrt()  # zuko's soft bound
        total += kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(model.kl_divergence(), total)


@pytest.mark.parametrize(
    "training", [*TRAININGS.values(), *(replace(QUICK, architecture=a) for a in EQUIVARIANT.values())]
)
def test_all_weights_are_bayesian_and_all_get_a_finite_gradient(training):
    # the start token is an input of zero, where the root of a variance of zero would have an infinite slope
    member = variational(training)
    base = {name.replace(".", "-") for name, p in member.generator.named_parameters() if p.requires_grad}
    assert set(member.parameters) == {f"{kind}.{name}" for kind in ("means", "logvars") for name in base}
    member.losses(member.draw()).sum().backward()
    for name, p in member.parameters.items():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert (p.grad != 0).any(), name


def test_noise_is_fresh_for_each_event_and_step():
    member = variational(init_logvar=-2.0)
    same = member.x[:1].expand(64, -1)
    with member.model.reparameterize(local_trick=True) as generator:
        assert generator(same).std() > 0.01
    assert member.losses(member.draw()).item() != member.losses(member.draw()).item()


def test_everything_depends_on_the_seed_and_leaves_the_global_stream_alone():
    def means(seed):
        model = trained(seed=seed, fit=replace(FIT, steps=3))
        return torch.cat([p.flatten() for p in model.means.values()]).detach()

    state = torch.get_rng_state()
    one = means(1)
    draw(variational().model, 2, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert torch.equal(means(1), one)
    assert not torch.equal(means(2), one)


def test_draws():
    model = bayesian(variational().generator, seed=0, init_logvar=-4.0)
    drawn = [draw(model, k, seed=7) for k in range(200)]
    x = torch.from_numpy(events_of(RING)).float()
    assert torch.equal(draw(model, 5, seed=7)(x), drawn[5](x))  # whoever else is drawn
    assert not torch.equal(drawn[0](x), drawn[1](x))
    # false alarm: the 5 sigma of a standard deviation from 200 draws x 72 weights, 3e-7
    weights = torch.stack([member.density.head.weight.flatten() for member in drawn])
    spread = (weights - model.means["density-head-weight"].flatten()).square().mean().sqrt()
    assert spread.item() == pytest.approx(
        math.exp(-4.0 / 2 / math.sqrt(1 + (4 / 18) ** 2)), rel=5 / math.sqrt(2 * weights.numel())
    )
