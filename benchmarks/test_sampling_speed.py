"""Sampling with cached keys and values, next to loops without a cache."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from side_by_side import report, seconds
from torch.nn.functional import pad

from gampl.generators.autoregressive import AutoregressiveTransformer, CausalTransformer
from gampl.generators.densities import Density
from gampl.generators.jets import JetGenerator
from gampl.generators.mixture import Mixture
from gampl.generators.settings import Architecture
from gampl.particles.jet_sequences import JetSequences

BATCH_SIZE = Density.batch_size
N_JETS = 1024  # events with jets


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


def without_cache(network: CausalTransformer, tokens: int) -> Callable[..., tuple[torch.Tensor, list[torch.Tensor]]]:
    """In place of `CausalTransformer.predict`: all tokens for each number, which is what a loop without cache does."""
    predict = network.predict

    def anew(inputs: torch.Tensor, past: list[torch.Tensor] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        known = inputs if past is None else torch.cat([past[0], inputs], 1)
        raw, _ = predict(pad(known, (0, 0, 0, tokens - known.shape[1])))
        return raw[:, known.shape[1] - 1 : known.shape[1]], [known]

    return anew


@pytest.mark.parametrize("order", ["particles", "directions"])
def test_cached_sampling_of_jets(benchmark, order):
    """Events with four jets, sequences of 21 numbers."""
    torch.set_num_threads(1)
    events = torch.rand(100, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 30
    coordinates = JetSequences.of(events, 20.0, order)
    options = {"radiates": False, "generator": torch.Generator().manual_seed(0)}
    cached = JetGenerator(coordinates, Architecture("autoregressive"), coordinates.to_network(events), **options)
    anew = deepcopy(cached)
    anew.density.predict = without_cache(anew.density, 1 + coordinates.length)
    latent = cached.latent(N_JETS, torch.Generator().manual_seed(0))
    four = torch.full((N_JETS, 1), 4.0)
    ways = [lambda one=one: one.generate_coordinates(four, *latent) for one in (cached, anew)]
    torch.testing.assert_close(ways[1]().mean(0), ways[0]().mean(0), rtol=0, atol=1e-2)
    times = seconds(*ways, rounds=3)
    report(benchmark, "speed-up", times[1] / times[0], events_per_second=N_JETS / times[0])
    benchmark.pedantic(ways[0], rounds=3, warmup_rounds=1)
    assert times[1] / times[0] >= 8.9  # that of the rings, width 32, in four dimensions
