"""Sampling with cached keys and values, next to loops without a cache."""

import pytest
import torch
from side_by_side import report, seconds
from torch.nn.functional import pad

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.densities import Density
from gampl.generators.mixture import Mixture
from gampl.generators.settings import Architecture

BATCH_SIZE = Density.batch_size


@torch.no_grad()
def anew(network: AutoregressiveTransformer, uniform: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """What one would write with the forward pass of the training: all d tokens for each coordinate."""
    x = torch.zeros_like(uniform)
    for k in range(network.features):
        mixtures, _ = network._predict(pad(x[:, :-1], (1, 0)), first=0)
        x[:, k] = Mixture(*(part[:, k] for part in mixtures)).pick(uniform[:, k], normal[:, k])
    return x


@torch.no_grad()
def growing(network: AutoregressiveTransformer, uniform: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """A little better: only the tokens known so far."""
    x = uniform[:, :0]
    for k in range(network.features):
        mixtures, _ = network._predict(pad(x, (1, 0)), first=0)
        column = Mixture(*(part[:, -1] for part in mixtures)).pick(uniform[:, k], normal[:, k])
        x = torch.cat([x, column.unsqueeze(1)], dim=1)
    return x


@pytest.mark.parametrize("size", [{"width": 16, "blocks": 1}, {"width": 32, "blocks": 2}], ids=["small", "large"])
@pytest.mark.parametrize("features", [2, 4])
def test_cached_sampling(benchmark, features, size):
    torch.set_num_threads(1)
    architecture = Architecture("autoregressive", **size)
    network = AutoregressiveTransformer(features, architecture, generator=torch.Generator().manual_seed(0))
    uniform, normal = torch.rand(BATCH_SIZE, features), torch.randn(BATCH_SIZE, features)
    ways = [lambda way=way: way(network, uniform, normal) for way in (type(network).transform, anew, growing)]
    for way in ways[1:]:  # the same events, but for round-off that carries a uniform number over an edge
        torch.testing.assert_close(way().mean(0), ways[0]().mean(0), rtol=0, atol=1e-2)
    cached, *others = seconds(*ways, rounds=11)
    report(
        benchmark,
        "speed-up",
        others[0] / cached,
        against_growing_prefix=others[1] / cached,
        events_per_second=BATCH_SIZE / cached,
    )
    benchmark.pedantic(ways[0], rounds=5, warmup_rounds=1)
    assert others[0] / cached >= 3
