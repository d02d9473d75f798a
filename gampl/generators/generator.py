"""What all generators have in common: they turn latent random numbers into events, batch after batch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gampl.generators.devices import torch_as_it_starts
from gampl.generators.memory import Divider
from gampl.particles.coordinates import Coordinates


class Generator(nn.Module):
    """A generator of events; what is random is drawn apart from what is computed, so that this can be divided.

    The coordinates map events to network coordinates and back. Conditions are numbers of each event that it is told and
    does not generate, (n, c). They are standardised with those of the training events, (n_train, c). Without any
    (c = 0, or None) they are left out of all that is computed.
    """

    batch_size: int  # of `stream` by default
    gpu_batch_size = 65536  # which keeps a GPU busy
    compiles = True  # whether inductor can compile its loss as a whole
    log_prob_batch: int  # events whose density is worked out together
    condition_mean: Tensor
    condition_std: Tensor

    def __init__(self, coordinates: Coordinates, condition: Tensor | None = None) -> None:
        super().__init__()
        self.coordinates = coordinates
        self.conditions = 0 if condition is None else condition.shape[-1]
        if condition is not None and self.conditions:
            condition = condition.flatten(0, -2)  # there may be several for each event
            std = condition.std(0).double()
            self.register_buffer("condition_mean", condition.mean(0).double())
            self.register_buffer("condition_std", torch.where(std > 0, std, 1.0))

    def standardised_condition(self, condition: Tensor | None) -> Tensor | None:
        """What the networks are told, in single precision, (n, c) -> (n, c); None without conditions.

        Raises:
            ValueError: If there is not one number for each condition.
        """
        count = 0 if condition is None else condition.shape[-1]
        if count != self.conditions:
            raise ValueError(f"condition must have {self.conditions} numbers for each event, got {count}")
        if condition is None or count == 0:
            return None
        return ((condition - self.condition_mean) / self.condition_std).float()

    def noise(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Draws what is random in the loss of n events: (n, ...) each."""
        return ()

    def forward(self, x: Tensor, condition: Tensor | None = None, *noise: Tensor) -> Tensor:
        """The loss of events with network coordinates x: (n, d), (n, c), (n, ...) -> (n,)."""
        raise NotImplementedError

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws what n events are made of: (n, ...) each."""
        raise NotImplementedError

    def generate(self, condition: Tensor | None, *latent: Tensor) -> Tensor:
        """Makes events, without gradients: (n, c), (n, ...) -> ``(n, *event_shape)``."""
        raise NotImplementedError

    def log_prob(self, events: Tensor, condition: Tensor | None = None) -> Tensor:
        """Log density of events, ``(n, *event_shape)``, (n, c) -> (n,)."""
        raise NotImplementedError

    def stream(
        self,
        n: int,
        generator: torch.Generator,
        batch_size: int | None = None,
        divider: Divider | None = None,
        condition: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yields n events in batches of ``(batch_size, *event_shape)``, the last one may be shorter.

        The first events do not depend on n, but on the batch size. Events that a flow's solver lost are not finite;
        whoever counts events counts them. The divider says how many are computed together, which makes no difference
        beyond round-off.

        Raises:
            ValueError: If n or batch_size is not positive, or the conditions are not those of n events.
        """
        size = self.batch_size if batch_size is None else batch_size
        if n < 1 or size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {size}")
        condition = torch.empty(n, 0, device="cpu") if condition is None else condition
        if len(condition) != n:
            raise ValueError(f"condition must have a row for each of {n} events, got {len(condition)}")
        divider = divider or Divider("generating")
        for start in range(0, n, size):
            with torch_as_it_starts():
                latent, rows = self.latent(size, generator), condition[start : start + size]
                if latent[0].is_cuda:  # whole batches, as what is compiled is for one number of events
                    rows = pad(rows, (0, 0, 0, size - len(rows)))
                events = divider.map(self.generate, rows, *(part[: len(rows)] for part in latent))
            yield events[: n - start]

    def sample(self, n: int, generator: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Draws n events: ``(n, *event_shape)``."""
        return torch.cat(list(self.stream(n, generator, condition=condition)))
