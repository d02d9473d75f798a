"""The plain transformer: one token a particle, no symmetry."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from gampl.generators.settings import Architecture
from gampl.generators.transformer_block import Block, normalised
from gampl.generators.velocity.inputs import VelocityNetwork, begin_small
from gampl.particles.coordinates import Coordinates


class TransformerVelocity(VelocityNetwork):
    """Velocities from a transformer that sees the coordinates of each particle, its slot, the time and conditions."""

    def __init__(self, settings: Architecture, coordinates: Coordinates, conditions: int) -> None:
        super().__init__(coordinates, conditions)
        self.heads = settings.heads
        self.embed = nn.Linear(coordinates.token_features + self.labels.features, settings.width)
        self.blocks = nn.ModuleList(Block(settings.width) for _ in range(settings.blocks))
        self.head = nn.Linear(settings.width, coordinates.token_rates)
        begin_small(self.head)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `VelocityNetwork`."""
        tokens = self.coordinates.tokens(x).to(self.labels.dtype)  # (n, P, F)
        h = self.embed(torch.cat([tokens, self.labels(t, condition)], -1))  # (n, P, width)
        for block in self.blocks:
            h = block(h, self.attention)
        return self.coordinates.velocity_of_tokens(self.head(normalised(h)).to(x.dtype))

    def attention(self, of_tokens: Tensor) -> Tensor:
        """Attention of all particles to all: (n, P, 3 width) -> (n, P, width)."""
        by_head = of_tokens.unflatten(-1, (3 * self.heads, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
        query, key, value = by_head.chunk(3, dim=1)  # (n, heads, P, width / heads)
        return scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
