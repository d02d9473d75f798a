"""What all generators of events have in common: they turn latent random numbers into events, batch after batch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gampl.generators.memory import AtOnce
from gampl.particles.coordinates import Coordinates


class EventGenerator(nn.Module):
    """A generator of events; what is random is drawn apart from what is computed, so that this can be divided.

    Args:
        coordinates: Map from events to network coordinates and back.
    """

    batch_size: int  # of `stream` by default

    def __init__(self, coordinates: Coordinates) -> None:
        super().__init__()
        self.coordinates = coordinates

    def noise(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws what is random in the loss of n events: (n, ...) each."""
        raise NotImplementedError

    def loss(self, x: Tensor, *noise: Tensor) -> Tensor:
        """What is minimised in training, for events with network coordinates x: (n, d), (n, ...) -> (n,)."""
        raise NotImplementedError

    def forward(self, x: Tensor, *noise: Tensor) -> Tensor:
        """The same as `loss`, for `torch.func.functional_call`."""
        return self.loss(x, *noise)

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws what n events are made of: (n, ...) each."""
        raise NotImplementedError

    def generate(self, *latent: Tensor) -> Tensor:
        """Makes events, without gradients: (n, ...) -> (n, *event_shape)."""
        raise NotImplementedError

    def stream(
        self,
        n: int,
        generator: torch.Generator,
        batch_size: int | None = None,
        at_once: AtOnce | None = None,
    ) -> Iterator[Tensor]:
        """Yields n events in batches of (batch_size, *event_shape), the last one may be shorter.

        The first events do not depend on n. Events that a flow's solver lost are not finite; whoever counts events
        counts them.

        Args:
            n: How many.
            generator: Source of the latent events.
            batch_size: Events of a batch; another number makes other events.
            at_once: How many of them are computed together, which makes no difference beyond round-off.

        Raises:
            ValueError: If n or batch_size is not positive.
        """
        size = self.batch_size if batch_size is None else batch_size
        if n < 1 or size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {size}")
        at_once = at_once or AtOnce("generating")
        for start in range(0, n, size):
            latent = [part[: n - start] for part in self.latent(size, generator)]
            yield at_once.map(self.generate, *latent)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n events: (n, *event_shape)."""
        return torch.cat(list(self.stream(n, generator)))
