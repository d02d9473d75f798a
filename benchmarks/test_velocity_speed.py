"""The velocity networks of flow matching, next to torch's own transformer encoder of the same size."""

import math
import os

import pytest
import torch
from side_by_side import report, seconds
from torch import Tensor, nn

from gampl.generators.settings import Architecture
from gampl.generators.velocity import make_velocity
from gampl.generators.velocity.inputs import Labels
from gampl.particles.coordinates import JetCoordinates

JETS, BATCH = 6, 256
REFERENCE = {"blocks": 6, "heads": 8}

# how many times as long as torch's encoder a training step may take
SMALL = (
    (Architecture("transformer"), 1.15),
    (Architecture("lgatr_slim"), 5),
    (Architecture("lloca", width=52, vectors=2), 5),
    (Architecture("lgatr"), 60),
)
PUBLISHED = (
    (Architecture("transformer", width=104, **REFERENCE), 1.15),
    (Architecture("lgatr_slim", width=96, vectors=32, **REFERENCE), 5),
    (Architecture("lloca", width=104, vectors=2, frames=128, **REFERENCE), 5),
    (Architecture("lgatr", width=32, vectors=16, **REFERENCE), 100),
)


class Encoder(nn.Module):
    """What one would write with torch's own layers, on the same inputs."""

    def __init__(self, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.labels = Labels(JETS)
        self.embed = nn.Linear(4 + self.labels.features, width)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, blocks, enable_nested_tensor=False)
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(n, d), (n,) -> (n, d)."""
        tokens = torch.cat([x.unflatten(-1, (JETS, 4)).float(), self.labels(t)], -1)
        return self.head(self.blocks(self.embed(tokens))).flatten(1).to(x.dtype)


def jets(n: int) -> Tensor:
    """Jets like those of top pairs: (n, JETS, 4)."""
    generator = torch.Generator().manual_seed(0)
    pt, phi, m = torch.rand(n, JETS, 3, generator=generator, dtype=torch.float64).unbind(-1)
    eta = 1.3 * torch.randn(n, JETS, generator=generator, dtype=torch.float64)
    return torch.stack([22 - 60 * pt.log(), math.pi * (2 * phi - 1), eta, 5 + 5 * m], -1)


def cases(*sizes: tuple[Architecture, float]):
    return pytest.mark.parametrize(("settings", "limit"), [pytest.param(*case, id=case[0].kind) for case in sizes])


def compare(benchmark, settings: Architecture, limit: float, rounds: int) -> None:
    torch.set_num_threads(1)
    events = jets(BATCH)
    coordinates = JetCoordinates.of(events, 22.0)
    x, t = coordinates.to_network(events), torch.rand(BATCH)
    network = make_velocity(settings, coordinates, x, seed=0, member=0)
    encoder = Encoder(settings.width, settings.blocks, settings.heads)

    def training(net: nn.Module):
        optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], fused=True)

        def step() -> None:
            optimiser.zero_grad()
            (net(x, t) - x).square().mean().backward()
            optimiser.step()

        return step

    def evaluation(net: nn.Module):
        net.eval()  # lets torch's encoder take its fast path
        return torch.no_grad()(lambda: net(x, t))

    step, torchs_step = seconds(training(network), training(encoder), rounds=rounds)
    forward, torchs_forward = seconds(evaluation(network), evaluation(encoder), rounds=rounds)
    report(
        benchmark,
        "training step against torch's encoder",
        step / torchs_step,
        forward_pass=forward / torchs_forward,
        step_ms=1e3 * step,
        forward_ms=1e3 * forward,
        parameters=sum(p.numel() for p in network.parameters() if p.requires_grad),
    )
    benchmark.pedantic(evaluation(network), rounds=3, warmup_rounds=1)
    assert step < limit * torchs_step


@cases(*SMALL)
def test_velocity(benchmark, settings, limit):
    compare(benchmark, settings, limit, rounds=15)


@pytest.mark.skipif("GAMPL_REFERENCE_SIZES" not in os.environ, reason="steps take seconds; set GAMPL_REFERENCE_SIZES=1")
@cases(*PUBLISHED)
def test_velocity_at_published_size(benchmark, settings, limit):
    compare(benchmark, settings, limit, rounds=3)
