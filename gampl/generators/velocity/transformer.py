"""The plain transformer: one token a particle, no symmetry."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from gampl.generators.settings import Architecture
from gampl.generators.velocity.inputs import VelocityNetwork, begin_small
from gampl.particles.coordinates import Coordinates


class Block(nn.Module):
    """Transformer block: attention, then a two-layer perceptron, each added to its input.

    Shapes:
        h: (n, P, width) -> (n, P, width)
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # No bias: softmax does not see a key's, and `mix` has one that can do what the value's would.
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)

    def forward(self, h: Tensor) -> Tensor:
        """See the class."""
        by_head = self.attend(_normalise(h)).unflatten(-1, (3 * self.heads, -1)).transpose(1, 2)
        query, key, value = by_head.chunk(3, dim=1)  # (n, heads, P, width / heads)
        mixed = scaled_dot_product_attention(query, key, value)
        h = h + self.mix(mixed.transpose(1, 2).flatten(2))
        return h + self.contract(gelu(self.expand(_normalise(h))))


class TransformerVelocity(VelocityNetwork):
    """Velocities from a transformer that sees the coordinates of each particle, its slot, the time and the conditions.

    Shapes:
        x, t, condition: (n, d), (n,), (n, c) -> (n, d)
    """

    def __init__(self, settings: Architecture, coordinates: Coordinates, conditions: int) -> None:
        super().__init__(coordinates, conditions)
        self.embed = nn.Linear(coordinates.token_features + self.labels.features, settings.width)
        self.blocks = nn.ModuleList(Block(settings.width, settings.heads) for _ in range(settings.blocks))
        self.head = nn.Linear(settings.width, coordinates.token_rates)
        begin_small(self.head)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """dx/dt, Eq. (42)."""
        tokens = self.coordinates.tokens(x).to(self.labels.dtype)  # (n, P, F)
        h = self.embed(torch.cat([tokens, self.labels(t, condition)], -1))  # (n, P, width)
        for block in self.blocks:
            h = block(h)
        return self.coordinates.velocity_of_tokens(self.head(_normalise(h)).to(x.dtype))


def _normalise(h: Tensor) -> Tensor:
    return layer_norm(h, h.shape[-1:])
