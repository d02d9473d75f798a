"""L-GATr, arXiv:2411.00446: a transformer whose tokens are multivectors of the geometric algebra of space-time.

L-GATr-slim has scalars and four-vectors only. The references are further vectors of every particle.
"""

from typing import Any, Self

import torch
from lgatr import LGATr, LGATrSlim, MLPConfig, PrimitivesConfig, SelfAttentionConfig, embed_vector, extract_vector
from torch import Tensor

from gampl.generators.settings import Architecture
from gampl.generators.velocity.inputs import EquivariantVelocity, begin_small
from gampl.particles.coordinates import Coordinates

# What attention adds to the mean square by which it divides queries, keys and values. With the library's 0.01 nearly
# light-like ones become long: round-off grew a hundred times more in 60 steps, and losses were no lower in the end.
SLIM_NORM_EPSILON = 1.0


class LGATrVelocity(EquivariantVelocity):
    """Velocities from L-GATr."""

    compiles = False  # the library keeps its constants in caches that torch.compile does not see

    def __init__(self, settings: Architecture, coordinates: Coordinates, conditions: int, references: bool) -> None:
        super().__init__(coordinates, conditions, references)
        self.net = LGATr(
            **sizes(settings, "mv", self),
            # the ratios of the published network; lgatr's defaults have changed since and would make another size
            attention=SelfAttentionConfig(num_heads=settings.heads, attn_ratio=2),
            mlp=MLPConfig(mlp_ratio=2),
            primitives=PrimitivesConfig(sparse_gp=False),
        )
        begin_small(self.net.linear_out)
        # It makes the scalar part of the last multivector from scalars, and of that only the vector is used.
        self.net.linear_out.s2mvs.requires_grad_(False)
        # Vectors have no scalar part that the first layer could take.
        self.net.linear_in.mvs2s.weight.requires_grad_(False)

    def _apply(self, *args: Any, **kwargs: Any) -> Self:
        """Takes the way to the geometric product that suits the device: on a CPU the dense one is faster by half."""
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.net.primitives.sparse_gp = self.references.is_cuda
        return self

    def core(self, momenta: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """See `EquivariantVelocity`."""
        vectors = embed_vector(with_references(momenta, self.references).to(self.labels.dtype))
        multivectors, scalars = self.net(vectors, self.scalars(momenta, labels))
        return extract_vector(multivectors).squeeze(-2), scalars


class LGATrSlimVelocity(EquivariantVelocity):
    """Velocities from L-GATr-slim."""

    def __init__(self, settings: Architecture, coordinates: Coordinates, conditions: int, references: bool) -> None:
        super().__init__(coordinates, conditions, references)
        self.net = LGATrSlim(**sizes(settings, "v", self), num_heads=settings.heads, mlp_ratio=2)
        for block in self.net.blocks:
            block.attention.norm.epsilon = SLIM_NORM_EPSILON
        begin_small(self.net.linear_out)

    def core(self, momenta: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """See `EquivariantVelocity`."""
        vectors = with_references(momenta, self.references).to(self.labels.dtype)
        vectors, scalars = self.net(vectors, self.scalars(momenta, labels))
        return vectors.squeeze(-2), scalars


def sizes(settings: Architecture, vectors: str, velocity: EquivariantVelocity) -> dict[str, Any]:
    """What both libraries' networks ask for, where vectors are called "mv" or "v"."""
    return {
        "num_blocks": settings.blocks,
        f"in_{vectors}_channels": 1 + len(velocity.references),
        f"out_{vectors}_channels": 1,
        f"hidden_{vectors}_channels": settings.vectors,
        "in_s_channels": velocity.scalar_features,
        "out_s_channels": velocity.coordinates.scalars,
        "hidden_s_channels": settings.width,
        "norm_elementwise_affine": False,  # a linear layer follows each norm and can do the same
    }


def with_references(momenta: Tensor, references: Tensor) -> Tensor:
    """The momentum of each particle and the references: (n, P, 4), (R, 4) -> (n, P, 1 + R, 4)."""
    return torch.cat([momenta.unsqueeze(-2), references.expand(*momenta.shape[:2], -1, -1).to(momenta)], -2)
