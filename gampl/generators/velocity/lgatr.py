"""L-GATr, arXiv:2411.00446: a transformer whose tokens are multivectors of the geometric algebra of space-time."""

from typing import Any, Self

import torch
from lgatr import LGATr, MLPConfig, PrimitivesConfig, SelfAttentionConfig, embed_vector, extract_vector
from torch import Tensor

from gampl.generators.settings import Architecture
from gampl.generators.velocity.inputs import EquivariantVelocity, begin_small
from gampl.particles.coordinates import Coordinates


class LGATrVelocity(EquivariantVelocity):
    """Velocities from L-GATr: the references are multivectors of every particle beside its momentum.

    Shapes:
        x, t, condition: (n, d), (n,), (n, c) -> (n, d)
    """

    compiles = False  # the library keeps its constants in caches that torch.compile does not see

    def __init__(self, settings: Architecture, coordinates: Coordinates, references: bool, conditions: int) -> None:
        super().__init__(coordinates, references, conditions)
        self.net = LGATr(
            num_blocks=settings.blocks,
            in_mv_channels=1 + len(self.references),
            out_mv_channels=1,
            hidden_mv_channels=settings.vectors,
            in_s_channels=self.scalar_features,
            out_s_channels=coordinates.scalars,
            hidden_s_channels=settings.width,
            # the ratios of the published network; lgatr's defaults have changed since and would make another size
            attention=SelfAttentionConfig(num_heads=settings.heads, attn_ratio=2),
            mlp=MLPConfig(mlp_ratio=2),
            primitives=PrimitivesConfig(sparse_gp=False),
            norm_elementwise_affine=False,  # a linear layer follows each norm and can do the same
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
        references = self.references.expand(*momenta.shape[:2], -1, -1)
        vectors = torch.cat([momenta.unsqueeze(-2), references.to(momenta)], -2)  # (n, P, 1 + R, 4)
        multivectors, scalars = self.net(embed_vector(vectors.to(self.labels.dtype)), self.scalars(momenta, labels))
        return extract_vector(multivectors).squeeze(-2), scalars
