"""What the velocity networks share: what they are told besides the momenta, and how their weights begin."""

import math

import torch
from torch import Tensor, nn

from gampl.particles.coordinates import Coordinates, invariant_square

TIME_FEATURES = 8
# Spread of the frequencies with which t enters. The public code has 30, turns that a velocity does not make: with 1 a
# plain transformer's loss was lower after 600 steps than with 30 after 3000, and 20 evaluations solve its flow to 5e-4.
TIME_SCALE = 1.0
REFERENCES = ((1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, -1.0), (1.0, 0.0, 0.0, 0.0))  # the beams and the time axis
MASS2_FLOOR = 1e-5  # in the unit of the coordinates' momenta; keeps the logarithm of massless particles finite
SMALL = 0.01


class TimeEmbedding(nn.Module):
    """Sines and cosines of t with fixed random frequencies, mixed by a linear layer, as in arXiv:2411.00446."""

    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * TIME_SCALE * torch.randn(TIME_FEATURES // 2))
        self.mix = nn.Linear(TIME_FEATURES, TIME_FEATURES)

    def forward(self, t: Tensor) -> Tensor:
        """The embedding, (n,) -> (n, 8)."""
        phases = t.to(self.frequencies.dtype).unsqueeze(-1) * self.frequencies  # (n, 4)
        return self.mix(torch.cat([phases.sin(), phases.cos()], -1))


class Labels(nn.Module):
    """What is known of particles whose momenta may be anything: slots in the event, one-hot, the time and conditions.

    The slot tells a b-jet from a light one, so no network here is symmetric under permutations.
    """

    def __init__(self, particles: int, conditions: int = 0) -> None:
        super().__init__()
        self.particles, self.features = particles, particles + TIME_FEATURES + conditions
        self.time = TimeEmbedding()

    @property
    def dtype(self) -> torch.dtype:
        """Of the network's arithmetic."""
        return self.time.mix.weight.dtype

    def forward(self, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """The labels of each particle, (n,), (n, c) -> (n, P, P + 8 + c)."""
        time = self.time(t)  # (n, 8)
        if condition is not None:
            time = torch.cat([time, condition.to(time.dtype)], -1)  # (n, 8 + c)
        slots = torch.eye(self.particles, dtype=time.dtype, device=time.device)
        shape = (len(t), self.particles, -1)
        return torch.cat([slots.expand(shape), time.unsqueeze(1).expand(shape)], -1)


class VelocityNetwork(nn.Module):
    """A network that knows what its events' coordinates mean.

    They are not a part of it: they must stay in double precision when its weights are cast, and they move between
    devices with the generator that they belong to.
    """

    compiles = True  # whether inductor can compile it as a whole
    coordinates: Coordinates

    def __init__(self, coordinates: Coordinates, conditions: int = 0) -> None:
        super().__init__()
        object.__setattr__(self, "coordinates", coordinates)  # past `nn.Module`, which would make it a part
        self.labels = Labels(coordinates.particles, conditions)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """dx/dt of events at x and t, Eq. (42), in the type of x: (n, d), (n,), (n, c) -> (n, d)."""
        raise NotImplementedError


class EquivariantVelocity(VelocityNetwork):
    """Velocities from a core that turns and boosts its output with its input.

    The beams and the time axis are references among the core's vectors, so that it can break the symmetry down to
    rotations about the beam, which is that of the events.
    """

    references: Tensor

    def __init__(self, coordinates: Coordinates, conditions: int, references: bool) -> None:
        super().__init__(coordinates, conditions)
        vectors = torch.tensor(REFERENCES if references else [], dtype=torch.float64).view(-1, 4)
        self.register_buffer("references", vectors, persistent=False)
        self.scalar_features = self.labels.features + 1  # how many scalars the core is told of each particle

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `VelocityNetwork`."""
        vectors, scalars = self.core(self.coordinates.momenta(x), self.labels(t, condition))
        return self.coordinates.velocity(x, vectors.to(x.dtype), scalars.to(x.dtype))

    def core(self, momenta: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Rates of change of momenta in float64, and scalars: (n, P, 4), (n, P, P + 8 + c) -> (n, P, 4), (n, P, S)."""
        raise NotImplementedError

    def scalars(self, momenta: Tensor, labels: Tensor) -> Tensor:
        """Labels and masses, invariant all of them: (n, P, 4), (n, P, P + 8 + c) -> (n, P, P + 9 + c).

        In the single precision of a network E² - p² of a jet is mostly round-off, so it must be told the mass: half of
        ln m², shifted to be of order 1 for jets.
        """
        m2 = invariant_square(momenta.double()).clamp_min(0.0)
        log_mass = (0.5 * (m2 + MASS2_FLOOR).log() + 4.0).unsqueeze(-1)
        return torch.cat([labels, log_mass.to(self.labels.dtype)], -1)


@torch.no_grad()
def begin_small(layer: nn.Module) -> None:
    """Makes a last layer's weights so small that the first velocities are nearly zero, but every weight matters."""
    for parameter in layer.parameters():
        parameter.mul_(SMALL)
