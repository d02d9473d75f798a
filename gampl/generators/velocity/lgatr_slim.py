"""L-GATr-slim: a transformer whose tokens are scalars and four-vectors, without the rest of the multivectors."""

import torch
from lgatr import LGATrSlim
from torch import Tensor

from gampl.generators.settings import Architecture
from gampl.generators.velocity.inputs import EquivariantVelocity, begin_small
from gampl.particles.coordinates import Coordinates

# What attention adds to the mean square by which it divides queries, keys and values. With the library's 0.01 nearly
# light-like ones become long: round-off grew a hundred times more in 60 steps, and losses were no lower in the end.
NORM_EPSILON = 1.0


class LGATrSlimVelocity(EquivariantVelocity):
    """Velocities from L-GATr-slim: the references are vectors of every particle beside its momentum.

    Shapes:
        x, t, condition: (n, d), (n,), (n, c) -> (n, d)
    """

    def __init__(self, settings: Architecture, coordinates: Coordinates, references: bool, conditions: int) -> None:
        super().__init__(coordinates, references, conditions)
        self.net = LGATrSlim(
            num_blocks=settings.blocks,
            in_v_channels=1 + len(self.references),
            out_v_channels=1,
            hidden_v_channels=settings.vectors,
            in_s_channels=self.scalar_features,
            out_s_channels=coordinates.scalars,
            hidden_s_channels=settings.width,
            num_heads=settings.heads,
            mlp_ratio=2,
            norm_elementwise_affine=False,  # a linear layer follows each norm and can do the same
        )
        for block in self.net.blocks:
            block.attention.norm.epsilon = NORM_EPSILON
        begin_small(self.net.linear_out)

    def core(self, momenta: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """See `EquivariantVelocity`."""
        references = self.references.expand(*momenta.shape[:2], -1, -1)
        vectors = torch.cat([momenta.unsqueeze(-2), references.to(momenta)], -2)  # (n, P, 1 + R, 4)
        vectors, scalars = self.net(vectors.to(self.labels.dtype), self.scalars(momenta, labels))
        return vectors.squeeze(-2), scalars
