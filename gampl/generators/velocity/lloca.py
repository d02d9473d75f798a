"""LLoCa, arXiv:2505.20280: a transformer that sees each particle in a frame of its own, which moves with the event."""

import math
import warnings

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize, pad

from gampl.generators.settings import Architecture
from gampl.generators.velocity.inputs import EquivariantVelocity, begin_small
from gampl.particles.coordinates import Coordinates, invariant_square

with warnings.catch_warnings():  # torch-geometric, which lloca imports, still compiles with torch.jit.script
    warnings.simplefilter("ignore", DeprecationWarning)
    from lloca.backbone.transformer import Transformer
    from lloca.framesnet import Frames, InverseFrames
    from lloca.reps import TensorReps, TensorRepsTransform
    from lloca.utils.autocast import minimum_autocast_precision
    from lloca.utils.orthogonalize_3d import orthogonalize_gramschmidt_3d
    from lloca.utils.polar_decomposition import restframe_boost


STANDARDISED = 10_000  # events that give the scale of the invariant masses
TURN = 0.5  # longest vector that turns an axis of length 1
SHORTEST = 1e-3  # transverse momentum, 0.2 GeV for jets and tops, below which its direction fades out


class LLoCaVelocity(EquivariantVelocity):
    """Velocities from a LLoCa transformer: the references are particles too, but only for the net that finds frames."""

    def __init__(
        self, settings: Architecture, coordinates: Coordinates, conditions: int, references: bool, x: Tensor
    ) -> None:
        super().__init__(coordinates, conditions, references)
        self.pairs = PairVectors(self.scalar_features, settings.frames)
        self.pairs.standardise(coordinates.momenta(x[:STANDARDISED]), self.references)
        scalars_of_head = settings.width // settings.heads - 4 * settings.vectors
        self.net = Transformer(
            in_channels=4 + self.scalar_features,
            attn_reps=f"{scalars_of_head}x0n+{settings.vectors}x1n",
            out_channels=4 + coordinates.scalars,
            num_blocks=settings.blocks,
            num_heads=settings.heads,
            mlp_factor=2,
            preserve_variance=False,
        )
        for block in self.net.blocks:  # softmax does not see a key's bias, so that round-off alone would train it
            block.attention.qkv_linear.linear.register_parameter("bias", None)
        begin_small(self.net.linear_out)
        self.transform = VectorTransform(TensorReps("1x1n"))
        self.net.attention.transform = VectorTransform(self.net.attention.transform.reps)

    def core(self, momenta: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """See `EquivariantVelocity`."""
        momenta = momenta.double()
        scalars = self.scalars(momenta, labels)  # (n, P, P + 9 + c)
        with torch.autocast(momenta.device.type, enabled=False):
            coarse = momenta.to(self.dtype_of_frames(momenta))
            standing = standing_frames(coarse, *self.axes(coarse))
            vectors = product(self.pairs(momenta, self.references, scalars).to(coarse), standing.mT)  # invariants
            frames = proper(product(polar_frames(vectors), standing))
        # Seen from its frame a particle may be fast; asinh is linear for slow and a logarithm for fast ones.
        local = self.transform(momenta, frames).asinh().to(scalars.dtype)  # (n, P, 4)
        out = self.net(torch.cat([local, scalars], -1), proper(frames.matrices.to(scalars.dtype)))
        attention = self.net.attention  # else it keeps the frames of these events, and the graph of their gradients
        attention.frames = attention.frames_qkv = attention.frames_out = None
        return self.transform(out[..., :4].double(), InverseFrames(frames)), out[..., 4:]

    def dtype_of_frames(self, momenta: Tensor) -> torch.dtype:
        """On a GPU that of the network: a trained network's velocities then differ by 4e-7 of their size, 6e-6 at most.

        The masses of pairs need digits: in single precision they make differences of up to 9e-5.
        """
        return self.labels.dtype if momenta.is_cuda else momenta.dtype

    def axes(self, momenta: Tensor) -> tuple[Tensor, Tensor]:
        """A time-like vector and another one of each event, from which frames begin: (n, P, 4) -> (n, 1, 4) twice.

        The time axis and a beam, or without references two sums of the event's momenta.
        """
        if len(self.references):
            references = self.references.to(momenta).expand(len(momenta), -1, -1)  # beam, beam, time axis
            return references[:, 2:], references[:, :1]
        slots = torch.arange(momenta.shape[1], dtype=momenta.dtype, device=momenta.device)
        return momenta.sum(1, keepdim=True), slots.expand(1, 1, -1) @ momenta


class VectorTransform(TensorRepsTransform):  # type: ignore[misc]
    """The library's transform of scalars and vectors by frames, as one product of matrices.

    The library sums element by element, for tensors of any order; on a CPU a training step with that takes a quarter
    longer.
    """

    @minimum_autocast_precision(torch.float32)  # type: ignore[untyped-decorator]
    def forward(self, tensor: Tensor, frames: Frames) -> Tensor:
        """The transformed numbers, (..., s + 4 v), (..., 4, 4) -> (..., s + 4 v)."""
        scalars, vectors = tensor[..., : self.dim_scalars], tensor[..., self.dim_scalars :]
        rows = vectors.reshape(*frames.shape[:-2], -1, 4)  # (..., v, 4)
        turned = product(rows, frames.matrices.to(tensor.dtype).mT)
        return torch.cat([scalars, turned.reshape(vectors.shape)], -1)


class PairVectors(nn.Module):
    """Three time-like vectors for each particle: means of its pairs' momenta with weights that a perceptron finds.

    The same as `lloca.equivectors.MLPVectors`, but for events with one number of particles: without the lists of
    pairs, without frames for the references, and the first layer is applied to particles rather than to pairs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, scalars: int, hidden: int) -> None:
        super().__init__()
        self.of_particle = nn.Linear(scalars, hidden)
        self.of_other = nn.Linear(scalars, hidden, bias=False)
        self.of_mass = nn.Linear(1, hidden, bias=False)
        self.middle = nn.Linear(hidden, hidden)
        self.weigh = nn.Linear(hidden, 3, bias=False)  # the same for all pairs would not change their shares
        self.register_buffer("mean", torch.zeros(1, dtype=torch.float64))
        self.register_buffer("std", torch.ones(1, dtype=torch.float64))

    def standardise(self, momenta: Tensor, references: Tensor) -> None:
        """Takes mean and spread of the pairs' log m² from training events: (n, P, 4), (R, 4)."""
        _, log_mass2 = _pairs(momenta, references)
        values = log_mass2[:, ~_with_itself(log_mass2)]
        self.mean.fill_(values.mean())
        self.std.fill_(values.std().clamp_min(1e-5))

    def forward(self, momenta: Tensor, references: Tensor, scalars: Tensor) -> Tensor:
        """The vectors, in float64 as the momenta: (n, P, 4), (R, 4), (n, P, S) -> (n, P, 3, 4)."""
        pairs, log_mass2 = _pairs(momenta, references)  # (n, P, P + R, 4), (n, P, P + R)
        # References have no scalars, what the layer makes of them is zero: (n, P + R, hidden).
        other = pad(self.of_other(scalars), (0, 0, 0, len(references)))
        mass = self.of_mass(((log_mass2 - self.mean) / self.std).unsqueeze(-1).to(scalars.dtype))
        hidden = gelu(self.of_particle(scalars).unsqueeze(2) + other.unsqueeze(1) + mass)  # (n, P, P + R, hidden)
        weights = self.weigh(gelu(self.middle(hidden))).double()  # (n, P, P + R, 3)
        itself = _with_itself(log_mass2)
        weights = weights.masked_fill(itself.unsqueeze(-1), -math.inf).softmax(2)
        vectors = product(weights.mT, pairs / (0.5 * log_mass2).exp().unsqueeze(-1))  # (n, P, 3, 4)
        return vectors / invariant_square(vectors).sum(-1).clamp_min(1e-10).sqrt()[..., None, None]


def product(a: Tensor, b: Tensor) -> Tensor:
    """Products of many small matrices, (..., i, j), (..., j, k) -> (..., i, k): on a GPU as sums, which can be fused.

    A GPU's library launches a kernel for each.
    """
    return (a.unsqueeze(-1) * b.unsqueeze(-3)).sum(-2) if a.is_cuda else a @ b


def _pairs(momenta: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Momenta of each particle and another particle or reference, and their log m²: (n, P, P + R, 4), (n, P, P + R)."""
    others = torch.cat([momenta, references.to(momenta).expand(len(momenta), -1, -1)], 1)
    pairs = momenta.unsqueeze(2) + others.unsqueeze(1)
    return pairs, invariant_square(pairs).clamp_min(1e-10).log()


def _with_itself(of_pairs: Tensor) -> Tensor:
    """Which pairs are a particle and itself: (n, P, P + R) -> (P, P + R)."""
    return torch.eye(*of_pairs.shape[1:], dtype=torch.bool, device=of_pairs.device)


def standing_frames(momenta: Tensor, time: Tensor, beam: Tensor) -> Tensor:
    """Lorentz transformations to the rest frame of `time`, there turned to the beam and to each particle's momentum.

    Momenta, time and beam are (n, P, 4), (n, 1, 4), (n, 1, 4), the transformations (n, P, 4, 4). The axes are the beam,
    the momentum's direction across the beam, and the vector normal to both. In the laboratory no jet is along the beam,
    and nothing here is nearly singular. Where a particle is, no equivariant axes exist that change smoothly: then the
    last two axes become shorter, in proportion to the transverse momentum below `SHORTEST`. The matrix is not a Lorentz
    transformation there, but all that it makes of an event is as invariant as before.
    """
    boost = restframe_boost(time)  # (n, 1, 4, 4)
    z = normalize(product(boost, beam.unsqueeze(-1)).squeeze(-1)[..., 1:], dim=-1, eps=SHORTEST)
    p = product(boost, momenta.unsqueeze(-1)).squeeze(-1)[..., 1:]  # (n, P, 3)
    z = z.expand_as(p)
    x = normalize(p - (p * z).sum(-1, keepdim=True) * z, dim=-1, eps=SHORTEST)
    axes = torch.stack([z, x, torch.linalg.cross(z, x)], -2)
    return torch.cat([boost[..., :1, :].expand(*p.shape[:-1], 1, 4), product(axes, boost[..., 1:, :])], -2)


def polar_frames(vectors: Tensor) -> Tensor:
    """Lorentz transformations to the rest frame of the first vector, turned by two: (..., 3, 4) -> (..., 4, 4).

    The first two axes of the rest frame, of length 1, are turned by the vectors' space parts l as TURN l /
    sqrt(1 + l²), and then made orthonormal. `lloca.framesnet.LearnedPDFrames` has l itself for the axes: nearly equal
    vectors, as untrained networks find them, then turn round-off into other frames. Here no vector can turn an axis by
    more than arcsin(TURN), and the sine of the angle between both is at least cos(2 arcsin(TURN)) = 1 - 2 TURN² = 0.5.
    """
    boost = restframe_boost(vectors[..., 0, :])
    turns = product(vectors[..., 1:, :], boost.mT)[..., 1:]  # (..., 2, 3)
    axes = orthogonalize_gramschmidt_3d(turned_axes(turns), eps_norm=1e-15)
    return torch.cat([boost[..., :1, :], product(axes, boost[..., 1:, :])], -2)


def turned_axes(turns: Tensor) -> Tensor:
    """The first two axes and what turns them, see `polar_frames`: (..., 2, 3) -> (..., 2, 3)."""
    unit = torch.eye(2, 3, dtype=turns.dtype, device=turns.device)
    return unit + TURN * turns / (1 + turns.square().sum(-1, keepdim=True)).sqrt()


def proper(matrices: Tensor) -> Frames:
    """The library's frames, for matrices that mirror nothing: (..., 4, 4)."""
    one = matrices.new_ones(matrices.shape[:-2])
    return Frames(matrices=matrices, det=one, parity=one)
