"""Generators with an explicit density: the autoregressive transformer and a spline flow on network coordinates.

They know nothing of particles: an event is its network coordinates, standardised, one after the other. Angles are
numbers like all others; what is generated outside [-pi, pi) is turned back into it.
"""

import math
from typing import Any

import torch
import zuko
from torch import Tensor, nn

from gampl.generators.generator import Generator
from gampl.generators.gpu import sums_in_order
from gampl.generators.randomness import global_stream
from gampl.generators.settings import Architecture
from gampl.particles.coordinates import Coordinates, wrapped

HIDDEN_LAYERS = 2  # of each transformation of a spline flow


class Spline(nn.Module):
    """A neural spline flow (Durkan et al. 2019, arXiv:1906.04032) of zuko's; see `AutoregressiveTransformer`."""

    compiles = False  # zuko makes a distribution's objects in each call
    dtype = torch.float32
    numbers = ("normal",)  # that an event is made of, d of them

    def __init__(self, features: int, size: Architecture, *, conditions: int = 0, generator: torch.Generator) -> None:
        super().__init__()
        self.features = features
        couplings = {"passes": 2, "randperm": True} if size.couplings else {}
        with global_stream(generator):
            self.flow = zuko.flows.NSF(
                features,
                conditions,
                bins=size.components,
                transforms=size.blocks,
                hidden_features=(size.width,) * HIDDEN_LAYERS,
                **couplings,
            )

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Exact log density, Eq. (8): (n, d), (n, c) -> (n,)."""
        with sums_in_order(x):
            log_density: Tensor = self.flow(condition).log_prob(x)
        return log_density

    @torch.no_grad()
    def transform(self, normal: Tensor, condition: Tensor | None = None) -> Tensor:
        """Turns standard normal numbers into events: (n, d), (n, c) -> (n, d)."""
        with sums_in_order(normal):
            x: Tensor = self.flow(condition).transform.inv(normal)
        return x


class Plain(Coordinates):
    """Coordinates of events that are vectors of numbers of order 1: the vectors themselves, in single precision."""

    def __init__(self, features: int) -> None:
        nn.Module.__init__(self)  # nothing is standardised, and nothing stored
        self.d, self.event_shape = features, (features,)
        self.register_buffer("angles", torch.zeros(features, dtype=torch.bool), persistent=False)

    def to_network(self, events: Tensor) -> Tensor:
        """The same numbers, (n, d)."""
        return events.float()

    def to_events(self, x: Tensor) -> Tensor:
        """The same numbers, (n, d)."""
        return x

    def log_jacobian(self, x: Tensor) -> Tensor:
        """Zeros, (n, d) -> (n,)."""
        return x.new_zeros(len(x), dtype=torch.float64)


class Density(Generator):
    """A generator with an explicit density of network coordinates, `AutoregressiveTransformer` or `Spline`.

    The coordinates are standardised if those of the training events are handed over: x, (n, d).
    """

    density: Any
    mean: Tensor
    std: Tensor
    # Smaller ones are slower on a CPU, where each operation costs its call; larger ones no faster.
    batch_size = 16384
    log_prob_batch = 16384

    def __init__(
        self, coordinates: Any, density: nn.Module, x: Tensor | None = None, condition: Tensor | None = None
    ) -> None:
        super().__init__(coordinates, condition)
        self.density, self.standardises = density, x is not None
        self.compiles = getattr(density, "compiles", True)
        if x is not None:
            self.register_buffer("mean", x.mean(0).double())
            self.register_buffer("std", x.std(0).double())
            self.log_prob_batch = 1000

    def forward(self, x: Tensor, condition: Tensor | None = None, *_: Tensor) -> Tensor:
        """Negative log density of the standardised coordinates, Eq. (8): (n, d), (n, c) -> (n,)."""
        z = (x - self.mean) / self.std if self.standardises else x
        log_density: Tensor = self.density.log_prob(z.to(self.density.dtype), self.standardised_condition(condition))
        return -log_density

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws the `numbers` that the density makes events of: (n, d) each."""
        draws: dict[str, Any] = {"uniform": torch.rand, "normal": torch.randn}
        # on the generator's device, so that a GPU draws the same events as the CPU
        shape, like = (n, self.density.features), next(self.density.parameters())
        options = {"generator": generator, "device": generator.device, "dtype": like.dtype}
        return tuple(draws[kind](shape, **options).to(like.device) for kind in self.density.numbers)

    @torch.no_grad()
    def generate(self, condition: Tensor | None, *latent: Tensor) -> Tensor:
        """Makes events: (n, c), (n, d) each -> ``(n, *event_shape)``."""
        z: Tensor = self.density.transform(*latent, self.standardised_condition(condition))
        if self.standardises:
            z = wrapped(z.to(self.mean) * self.std + self.mean, self.coordinates.angles)
        return self.coordinates.to_events(z)

    @torch.no_grad()
    def log_prob(self, events: Tensor, condition: Tensor | None = None) -> Tensor:
        """Log density of events, ``(n, *event_shape)``, (n, c) -> (n,); an angle counts a turn away, too."""
        x = self.coordinates.to_network(events)
        places = [x]
        for k in self.coordinates.angles.nonzero()[:, 0].tolist():
            turn = torch.zeros_like(x[0]).index_fill(0, torch.tensor([k], device=x.device), 2 * math.pi)
            places += [x - turn, x + turn]
        values = torch.stack([-self(place, condition) for place in places]).double().logsumexp(0)
        if self.standardises:
            values = values - self.std.log().sum()
        return values + self.coordinates.log_jacobian(x)
