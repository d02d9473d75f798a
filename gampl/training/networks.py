"""A posterior whose members are networks: draws of a Bayesian one, or an ensemble."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gampl.generators.autoregressive import BATCH_SIZE, AutoregressiveTransformer
from gampl.generators.randomness import torch_generator


@dataclass(frozen=True)
class NetworkPosterior:
    """Networks that share a training set; iterating over it yields them. Events go in and out as numpy arrays.

    Args:
        networks: The members, all for events of the same dimension.
    """

    networks: tuple[AutoregressiveTransformer, ...]

    def __post_init__(self) -> None:
        if len({network.features for network in self.networks}) != 1:
            raise ValueError("a posterior needs at least one network, and the same number of features in all of them")

    def __len__(self) -> int:
        return len(self.networks)

    def __iter__(self) -> Iterator[AutoregressiveTransformer]:
        return iter(self.networks)

    def stream(self, member: int, n: int, seed: int, batch_size: int = BATCH_SIZE) -> Iterator[NDArray[np.float32]]:
        """Yields n events of a member in batches of (batch_size, d); the last one may be shorter.

        The events depend on seed, member and batch size only: a longer stream begins with the shorter one.
        """
        generator = torch_generator(seed, "events", member)
        for batch in self.networks[member].stream(n, generator, batch_size):
            yield batch.cpu().numpy()

    def sample(self, member: int, n: int, seed: int) -> NDArray[np.float32]:
        """Draws n events of a member: (n, d)."""
        return np.concatenate(list(self.stream(member, n, seed)))

    @torch.no_grad()
    def log_prob(self, events: ArrayLike, member: int | None = None) -> NDArray[np.float64]:
        """Log density of each event under each member, or only one: (n, d) -> (members, n) or (n,)."""
        x = np.asarray(events, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != self.networks[0].features:
            raise ValueError(f"events must have shape (n, {self.networks[0].features}), got {x.shape}")
        networks = self.networks if member is None else (self.networks[member],)
        log_density = np.empty((len(networks), len(x)))
        for start in range(0, len(x), BATCH_SIZE):
            for network, row in zip(networks, log_density, strict=True):
                batch = torch.from_numpy(x[start : start + BATCH_SIZE]).to(network.embed.weight.device)
                row[start : start + BATCH_SIZE] = network.log_prob(batch).cpu().numpy()
        return log_density if member is None else log_density[0]
