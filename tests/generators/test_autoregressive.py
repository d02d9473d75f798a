import math

import pytest
import torch
from safetensors.torch import load, save
from scipy import stats
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.nn.functional import scaled_dot_product_attention

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.densities import Density, Plain
from gampl.generators.mixture import LOG_SIGMA_RANGE
from gampl.generators.settings import Architecture


def network(features: int, seed: int = 0, **size: int) -> AutoregressiveTransformer:
    architecture = Architecture("autoregressive", **{"width": 16, "blocks": 1} | size)
    return AutoregressiveTransformer(features, architecture, generator=torch.Generator().manual_seed(seed))


def events(n: int, features: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed))


# ---- the density


def test_density_integrates_to_one():
    step = 0.08
    axis = torch.arange(-10, 10, step, dtype=torch.float64)
    with torch.no_grad():
        density = network(2).double().log_prob(torch.cartesian_prod(axis, axis)).exp()
    assert math.isclose(density.sum().item() * step**2, 1, rel_tol=1e-6)


def oracle_mixture(model: AutoregressiveTransformer, prefix: torch.Tensor) -> MixtureSameFamily:
    """p(x_k | prefix), computed with other means: one event, the whole prefix anew, torch's own attention."""
    tokens = torch.cat([prefix.new_zeros(1), prefix])
    normalise = nn.LayerNorm(model.head.in_features, elementwise_affine=False, dtype=prefix.dtype)
    h = torch.stack([x * model.embed.weight[:, 0] + model.embed.weight[:, 1 + k] for k, x in enumerate(tokens)])
    for block in model.blocks:
        parts = (normalise(h) @ block.attend.weight.T).split(h.shape[1], dim=1)
        query, key, value = (part.unflatten(1, (model.heads, -1)).transpose(0, 1) for part in parts)
        attended = scaled_dot_product_attention(query, key, value, is_causal=True).transpose(0, 1).flatten(1)
        h = h + block.mix(attended)
        h = h + nn.Sequential(normalise, block.expand, nn.GELU(), block.contract)(h)
    logits, means, log_sigmas = model.head(normalise(h[-1])).unflatten(0, (3, -1))
    return MixtureSameFamily(Categorical(logits=logits), Normal(means, log_sigmas.clamp(*LOG_SIGMA_RANGE).exp()))


@pytest.mark.parametrize("features", [1, 2, 4, 10])  # attention is another for many tokens
@pytest.mark.parametrize("size", [{}, {"width": 12, "blocks": 2, "heads": 3, "components": 2}])
def test_log_prob_equals_a_slow_independent_oracle(features, size):
    model, x = network(features, **size).double(), events(5, features).double()
    expected = [sum(oracle_mixture(model, event[:k]).log_prob(event[k]) for k in range(features)) for event in x]
    torch.testing.assert_close(model.log_prob(x), torch.stack(expected))


def test_log_prob_takes_any_number_of_leading_dimensions():
    model, x = network(3), events(24, 3)
    torch.testing.assert_close(model.log_prob(x.view(2, 3, 4, 3)), model.log_prob(x).view(2, 3, 4))
    torch.testing.assert_close(model.log_prob(x[0]), model.log_prob(x)[0])


@pytest.mark.parametrize("k", range(4))
def test_a_coordinate_changes_the_predictions_after_it_and_no_others(k):
    model, x = network(4, blocks=2), events(20, 4)
    changed = x.clone()
    changed[:, k] += 1.0
    (before, _), (after, _) = (model._predict(events, first=0) for events in (x, changed))
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one[:, :k], other[:, :k], rtol=0, atol=0)
        assert not torch.isclose(one[:, k:], other[:, k:]).all(-1).any()  # token k predicts coordinate k + 1


# ---- the parameters


def test_every_parameter_gets_a_gradient_and_sits_in_a_plain_linear_layer():
    model = network(3, blocks=2)
    model.log_prob(events(50, 3)).sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert (p.grad.abs().amax(-1) > 1e-4).all(), name  # each row, not only some number in it
        assert type(model.get_submodule(name.rpartition(".")[0])) is nn.Linear, name


def test_weights_come_from_the_generator_and_leave_the_global_stream_alone():
    state = torch.get_rng_state()
    one, same, other = network(2, seed=5), network(2, seed=5), network(2, seed=6)
    assert torch.equal(torch.get_rng_state(), state)
    for p, q in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(one.embed.weight, other.embed.weight)


def test_saved_weights_give_the_same_density():
    model, fresh, x = network(2, seed=1), network(2, seed=2), events(10, 2)
    assert not torch.allclose(fresh.log_prob(x), model.log_prob(x))
    fresh.load_state_dict(load(save(model.state_dict())))
    assert torch.equal(fresh.log_prob(x), model.log_prob(x))


# ---- sampling


@pytest.mark.parametrize("features", [1, 2, 4, 10])  # attention is another for many tokens
def test_cached_sampling_equals_a_loop_that_computes_the_prefix_anew(features):
    model = network(features, blocks=2).double()
    stream = torch.Generator().manual_seed(3)
    uniform = torch.rand(100, features, generator=stream, dtype=torch.float64)
    normal = torch.randn(100, features, generator=stream, dtype=torch.float64)
    x = torch.empty(100, 0, dtype=torch.float64)
    for k in range(features):
        mixtures, _ = model._predict(nn.functional.pad(x, (1, 0)), first=0)
        last = type(mixtures)(*(part[:, -1] for part in mixtures))
        x = torch.cat([x, last.pick(uniform[:, k], normal[:, k]).unsqueeze(1)], dim=1)
    torch.testing.assert_close(model.transform(uniform, normal), x)


def uniformity(model: AutoregressiveTransformer, x: torch.Tensor) -> list[float]:
    """Kolmogorov-Smirnov p-values of F(x_k | x_1 ... x_{k-1}), which is uniform if x comes from the density."""
    mixtures, _ = model._predict(nn.functional.pad(x[:, :-1], (1, 0)), first=0)
    return [stats.kstest(u.numpy(force=True), "uniform").pvalue for u in mixtures.cdf(x).T]


def test_samples_follow_the_density():
    # false alarm: three p-values, each below 1e-4 once in 10^4 seeds
    model = network(3)
    x = Density(Plain(3), model).sample(20_000, torch.Generator().manual_seed(4))
    assert min(uniformity(model, x)) > 1e-4
    assert max(uniformity(network(3, seed=1), x)) < 1e-9  # another density is told apart in every coordinate


def test_conditional_without_a_prefix_is_the_first_mixture():
    model, x = network(2), events(50, 2)
    prefix, mixture = model.conditional(torch.empty(50, 0), torch.empty(50, 0))
    assert prefix.shape == (50, 0)
    torch.testing.assert_close(mixture.log_prob(x[:, 0]), log_prob_of_first(model, x), rtol=1e-4, atol=1e-5)


def log_prob_of_first(model: AutoregressiveTransformer, x: torch.Tensor) -> torch.Tensor:
    """log p(x_1) from log p(x_1, x_2) by numerical integration over x_2."""
    axis = torch.arange(-12, 12, 0.02)
    grid = torch.stack([x[:, :1].expand(-1, len(axis)), axis.expand(len(x), -1)], -1)  # (n, grid, 2)
    return (model.log_prob(grid).double().exp().sum(1) * 0.02).log().float()
