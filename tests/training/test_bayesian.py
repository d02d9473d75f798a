import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.settings import Fit
from gampl.training.bayesian import _Variational, bayesian, draw, fit_bayesian


def network(seed=0, width=8):
    return AutoregressiveTransformer(2, width=width, generator=torch.Generator().manual_seed(seed))


def events(n=64):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(1))


class UnknownMean(nn.Module):
    """Events from N(mean, 1): the one network whose posterior is known in closed form."""

    features = 1

    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.mean.weight)

    def log_prob(self, x):
        return Normal(self.mean(torch.ones_like(x)), 1.0).log_prob(x).sum(-1)


@pytest.mark.parametrize("kl_weight", [1.0, 0.2])
def test_a_conjugate_posterior_comes_out_exactly(kl_weight):
    # prior N(0, 1), n events from N(mean, 1), tempered as if there were n / w: N(sum x / (n + w), w / (n + w))
    n = 19
    x = 1.5 + torch.randn(n, 1, generator=torch.Generator().manual_seed(2))
    settings = Fit(steps=500, batch_size=1000, learning_rate=0.02, logvar_learning_rate=0.04, warmup=10)
    model, _ = fit_bayesian(UnknownMean(), x, settings, seed=3, kl_weight=kl_weight, init_logvar=-5.0)
    mean, variance = model.means["mean-weight"].item(), model.logvars["mean-weight"].exp().item()
    assert mean == pytest.approx(x.sum().item() / (n + kl_weight), abs=0.02)
    assert variance == pytest.approx(kl_weight / (n + kl_weight), rel=0.2)


def test_divergence_agrees_with_torch_distributions():
    model = bayesian(network(), seed=0, init_logvar=-2.0)
    total = torch.zeros(())
    for name, mean in model.means.items():
        logvar = model.logvars[name]
        logvar = logvar / (1 + (logvar / 18) ** 2).sqrt()  # zuko's soft bound
        total += kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(model.kl_divergence(), total)


def test_all_weights_are_bayesian_and_all_get_a_finite_gradient():
    # the start token is an input of zero, where the root of a variance of zero would have an infinite slope
    variational = _Variational(bayesian(network(), seed=0), events(), Fit(batch_size=64), seed=0, kl_weight=0.1)
    base = {name.replace(".", "-") for name, _ in network().named_parameters()}
    assert set(variational.parameters) == {f"{kind}.{name}" for kind in ("means", "logvars") for name in base}
    variational.losses(variational.draw()).sum().backward()
    for name, p in variational.parameters.items():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert (p.grad != 0).any(), name


def test_noise_is_fresh_for_each_event_and_step():
    model = bayesian(network(), seed=0, init_logvar=-2.0)
    same = events()[:1].expand(64, -1)
    with model.reparameterize(local_trick=True) as net:
        assert net.log_prob(same).std() > 0.01
    variational = _Variational(model, events(), Fit(batch_size=64), seed=0, kl_weight=0.1)
    assert variational.losses(variational.draw()).item() != variational.losses(variational.draw()).item()


def test_everything_depends_on_the_seed_and_leaves_the_global_stream_alone():
    def train(seed):
        model, _ = fit_bayesian(network(), events(), Fit(steps=3, batch_size=16), seed=seed)
        return torch.cat([p.flatten() for p in model.means.values()]).detach()

    state = torch.get_rng_state()
    one = train(1)
    draw(bayesian(network(), 0), 2, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert torch.equal(train(1), one)
    assert not torch.equal(train(2), one)


def test_draws():
    model = bayesian(network(), seed=0, init_logvar=-4.0)
    few, many, x = draw(model, 2, seed=7), draw(model, 200, seed=7), events()
    for one, other in zip(few, many, strict=False):  # the first ones are the same
        assert torch.equal(one.log_prob(x), other.log_prob(x))
    assert not torch.equal(few.networks[0].log_prob(x), few.networks[1].log_prob(x))
    # false alarm: the 5 sigma of a standard deviation from 200 draws x 72 weights, 3e-7
    weights = torch.stack([member.head.weight.flatten() for member in many])
    spread = (weights - model.means["head-weight"].flatten()).square().mean().sqrt()
    assert spread.item() == pytest.approx(
        math.exp(-4.0 / 2 / math.sqrt(1 + (4 / 18) ** 2)), rel=5 / math.sqrt(2 * weights.numel())
    )


def test_an_interrupted_training_ends_at_the_same_weights(tmp_path, monkeypatch):
    file, settings = tmp_path / "checkpoint.safetensors", Fit(steps=12, batch_size=16, checkpoint_seconds=0)
    through, _ = fit_bayesian(network(), events(), settings, seed=1)
    calls, losses = [], _Variational.losses

    def interrupted(self, drawn):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return losses(self, drawn)

    monkeypatch.setattr(_Variational, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_bayesian(network(), events(), settings, seed=1, checkpoint=file)
    resumed, _ = fit_bayesian(network(), events(), settings, seed=1, checkpoint=file)
    assert len(calls) == 6 + 12 - 5
    for name, p in through.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], p), name
