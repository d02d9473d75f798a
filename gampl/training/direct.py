r"""Direct diffusion: flow matching that starts from the events of another process, and not from noise.

As in arXiv:2311.17175 only the latent distribution at t = 1 changes. Which latent event an event is paired with is a
choice. Every joint distribution of which the sources and the training events are the two marginals leads to a flow from
the one to the other (Tong et al. 2023, arXiv:2302.00482). Pairs at random have it, and so does the best assignment
within batches, if all events have the same weight. The nearest source of each event has not: where sources are far from
all events they are never seen in training, but generation starts there, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from gampl.generators.generator import Generator
from gampl.particles.coordinates import Coordinates, wrapped
from gampl.store.artifacts import array_digest
from gampl.training.members import Member

Floats = NDArray[np.float64]
PAIRINGS = ("random", "optimal")
BLOCK = 128  # events that are assigned to each other


@dataclass(frozen=True)
class Source:
    """Where events start from.

    The first function draws n events, ``(n, *event_shape)``, the second, if their density is known, gives its logarithm
    for events, ``(n, *event_shape)`` -> (n,). The name says all that decides what is drawn; trainings are kept by it.
    """

    draw: Callable[[int, np.random.Generator], Floats]
    name: Mapping[str, Any]
    log_prob: Callable[[Floats], Floats] | None = None

    @classmethod
    def process(cls, process: Any) -> "Source":
        """The events of a process with a density, such as `gampl.processes.LeadingOrderTopPair`: always new ones."""
        return cls(process.sample, {"process": type(process).__name__, **asdict(process)}, process.log_prob)

    @classmethod
    def events(cls, events: ArrayLike) -> "Source":
        """Events of a file, drawn with replacement; their density is not known."""
        x = np.asarray(events, dtype=np.float64)
        return cls(lambda n, rng: x[rng.integers(len(x), size=n)], {"events": array_digest(x)})


class Start(nn.Module):
    """A flow's latent distribution: events of a source, in network coordinates."""

    def __init__(self, coordinates: Coordinates, source: Source) -> None:
        super().__init__()
        self.coordinates, self.source = coordinates, source

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n source events, (n, d) in float64, on the device of the coordinates.

        Raises:
            ValueError: If one of them has no place in these coordinates.
        """
        seed = torch.randint(2**62, (1,), generator=generator, device=generator.device)
        events = torch.from_numpy(self.source.draw(n, np.random.default_rng(int(seed))))
        x = self.coordinates.to_network(events.to(self.coordinates.mean.device))
        if not x.isfinite().all():
            raise ValueError("source: an event is outside the phase space of the events that it is to become")
        return x

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density, (n, d) -> (n,), -inf outside the source's phase space; a ValueError if it is not known."""
        if self.source.log_prob is None:
            raise ValueError("source: its density is not known, and so that of the generated events is not")
        events = self.coordinates.to_events(x)
        density = torch.from_numpy(self.source.log_prob(events.numpy(force=True))).to(x.device)
        return density - self.coordinates.log_jacobian(x)


class Paired(Member):
    """A member to whose events source events are assigned with least squared distance, in blocks."""

    def _drawn(self, rows: Tensor, weights: Tensor, stream: torch.Generator) -> tuple[Tensor, ...]:
        *others, x, condition, t, latent = super()._drawn(rows, weights, stream)
        return (*others, x, condition, t, latent[assigned(x, latent, self.generator.coordinates.angles)])


def assigned(x: Tensor, latent: Tensor, angles: Tensor, block: int = BLOCK) -> Tensor:
    """Which latent event each event gets, one to one in each block: (n, d) twice -> (n,)."""
    order = []
    for rows in torch.split(torch.arange(len(x)), block):
        difference = wrapped((latent[rows][None] - x[rows][:, None]).flatten(0, 1), angles)
        cost = difference.square().sum(-1).reshape(len(rows), len(rows))
        order.append(rows[torch.from_numpy(linear_sum_assignment(cost.numpy(force=True))[1])])
    return torch.cat(order).to(x.device)


@torch.no_grad()
def carried(generator: Generator, events: ArrayLike) -> Floats:
    """What a flow makes of each of these source events, in their order: ``(n, *event_shape)`` both."""
    flow: Any = generator
    x = flow.coordinates.to_network(torch.from_numpy(np.array(events, dtype=np.float64)))
    return np.asarray(torch.cat([flow.generate(None, part) for part in x.split(flow.batch_size)]))
