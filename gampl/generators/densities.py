"""Generators of events with an explicit density: the autoregressive transformer of the rings, and a spline flow.

They know nothing of particles: an event is its network coordinates, standardised, one after the other. Angles are
numbers like all others; what is generated outside [-pi, pi) is turned back into it.
"""

import math
from collections.abc import Iterator

import torch
import zuko
from torch import Tensor, nn

from gampl.generators.autoregressive import BATCH_SIZE, AutoregressiveTransformer
from gampl.generators.coordinates import Coordinates, wrapped
from gampl.generators.randomness import global_stream

SPLINE_HIDDEN_LAYERS = 2


class _Density(nn.Module):
    """What both have in common: standardised coordinates around a density.

    Args:
        coordinates: Map from events to network coordinates and back.
        x: Network coordinates of the training events, (n, d), which give mean and standard deviation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, coordinates: Coordinates, x: Tensor) -> None:
        super().__init__()
        self.coordinates = coordinates
        self.register_buffer("mean", x.mean(0).double())
        self.register_buffer("std", x.std(0).double())

    def _log_density(self, z: Tensor) -> Tensor:
        """Log density of standardised coordinates, (n, d) -> (n,)."""
        raise NotImplementedError

    def _draw(self, n: int, generator: torch.Generator, batch_size: int) -> Tensor:
        """The first n of a batch of standardised coordinates, (n, d)."""
        raise NotImplementedError

    def loss(self, x: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002 - that of a flow needs one
        """Negative log density of standardised coordinates, Eq. (8): (n, d) -> (n,)."""
        return -self._log_density(((x - self.mean) / self.std).float())

    def stream(self, n: int, generator: torch.Generator, batch_size: int = BATCH_SIZE) -> Iterator[Tensor]:
        """Yields n events in batches of (batch_size, *event_shape), the last one may be shorter."""
        if n < 1 or batch_size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        for start in range(0, n, batch_size):
            with torch.no_grad():
                z = self._draw(min(batch_size, n - start), generator, batch_size)
                x = z.to(self.mean) * self.std + self.mean
                yield self.coordinates.to_events(wrapped(x, self.coordinates.angles))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n events: (n, *event_shape)."""
        return torch.cat(list(self.stream(n, generator)))

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

    def _draw(self, n: int, generator: torch.Generator, batch_size: int) -> Tensor:
        return next(self.network.stream(n, generator, batch_size))


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

    def _draw(self, n: int, generator: torch.Generator, batch_size: int) -> Tensor:
        # on the CPU: a GPU draws the same events
        normal = torch.randn(batch_size, self.coordinates.d, generator=generator)[:n]
        z: Tensor = self.flow().transform.inv(normal.to(self.mean.device).float())
        return z
