"""Generators of events with an explicit density: the autoregressive transformer of the rings, and a spline flow.

They know nothing of particles: an event is its network coordinates, standardised, one after the other. Angles are
numbers like all others; what is generated outside [-pi, pi) is turned back into it.
"""

import math

import torch
import zuko
from torch import Tensor

from gampl.generators.autoregressive import BATCH_SIZE, AutoregressiveTransformer
from gampl.generators.event_generator import EventGenerator
from gampl.generators.randomness import global_stream
from gampl.particles.coordinates import Coordinates, wrapped

SPLINE_HIDDEN_LAYERS = 2


class _Density(EventGenerator):
    """What both have in common: standardised coordinates around a density.

    Args:
        coordinates: Map from events to network coordinates and back.
        x: Network coordinates of the training events, (n, d), which give mean and standard deviation.
    """

    mean: Tensor
    std: Tensor
    batch_size = BATCH_SIZE

    def __init__(self, coordinates: Coordinates, x: Tensor) -> None:
        super().__init__(coordinates)
        self.register_buffer("mean", x.mean(0).double())
        self.register_buffer("std", x.std(0).double())

    def _log_density(self, z: Tensor) -> Tensor:
        """Log density of standardised coordinates, (n, d) -> (n,)."""
        raise NotImplementedError

    def _standardised(self, *latent: Tensor) -> Tensor:
        """Makes standardised coordinates of latent numbers: (n, ...) -> (n, d)."""
        raise NotImplementedError

    def noise(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:  # noqa: ARG002 - a flow has some
        """Nothing is random."""
        return ()

    def loss(self, x: Tensor, *_: Tensor) -> Tensor:
        """Negative log density of standardised coordinates, Eq. (8): (n, d) -> (n,)."""
        return -self._log_density(((x - self.mean) / self.std).float())

    @torch.no_grad()
    def generate(self, *latent: Tensor) -> Tensor:
        """Makes events: (n, ...) -> (n, *event_shape)."""
        x = self._standardised(*latent).to(self.mean) * self.std + self.mean
        return self.coordinates.to_events(wrapped(x, self.coordinates.angles))

    @torch.no_grad()
    def log_prob(self, events: Tensor) -> Tensor:
        """Log density of events, (n, *event_shape) -> (n,); angles also count where they are a turn away."""
        x = self.coordinates.to_network(events)
        places = [x]
        for k in self.coordinates.angles.nonzero()[:, 0].tolist():
            turn = torch.zeros_like(x[0]).index_fill(0, torch.tensor([k], device=x.device), 2 * math.pi)
            places += [x - turn, x + turn]
        values = torch.stack([self._log_density(((place - self.mean) / self.std).float()) for place in places])
        return values.double().logsumexp(0) - self.std.log().sum() + self.coordinates.log_jacobian(x)


class AutoregressiveEvents(_Density):
    """The autoregressive transformer of the rings, Eqs. (6)-(8), on the coordinates of events.

    Args:
        coordinates, x: See `_Density`.
        network: The transformer, for d features.
    """

    def __init__(self, coordinates: Coordinates, x: Tensor, network: AutoregressiveTransformer) -> None:
        super().__init__(coordinates, x)
        self.network = network

    def _log_density(self, z: Tensor) -> Tensor:
        return self.network.log_prob(z)

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws uniform and normal numbers: (n, d) each."""
        return self.network.latent(n, generator)

    def _standardised(self, *latent: Tensor) -> Tensor:
        return self.network.transform(*latent)


class SplineEvents(_Density):
    """A neural spline flow (Durkan et al. 2019, arXiv:1906.04032) of zuko's, with couplings, on those coordinates.

    Args:
        coordinates, x: See `_Density`.
        blocks, width, bins: Couplings, hidden nodes of each, and bins of the splines.
        generator: Random stream of the initial weights.
    """

    def __init__(
        self, coordinates: Coordinates, x: Tensor, *, blocks: int, width: int, bins: int, generator: torch.Generator
    ) -> None:
        super().__init__(coordinates, x)
        with global_stream(generator):
            hidden = (width,) * SPLINE_HIDDEN_LAYERS
            self.flow = zuko.flows.NSF(
                coordinates.d, bins=bins, transforms=blocks, passes=2, randperm=True, hidden_features=hidden
            )

    def _log_density(self, z: Tensor) -> Tensor:
        log_density: Tensor = self.flow().log_prob(z)
        return log_density

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor]:
        """Draws normal numbers, (n, d), on the CPU: a GPU draws the same events."""
        return (torch.randn(n, self.coordinates.d, generator=generator).to(self.mean.device).float(),)

    def _standardised(self, *latent: Tensor) -> Tensor:
        z: Tensor = self.flow().transform.inv(*latent)
        return z
