"""Posteriors: several generators that share a training set, as far as the estimators need to know them.

Nothing here imports torch: whoever has samples of generators of their own can offer them in this shape.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Events = NDArray[np.floating[Any]]


class Posterior(Protocol):
    """Members, each of them a generator."""

    def __len__(self) -> int:
        """The number of members."""

    def stream(self, member: int, n: int, seed: int, batch_size: int = ...) -> Iterator[Events]:
        """Yields n events of a member in batches of (batch_size, d); the last one may be shorter."""

    def log_prob(self, events: ArrayLike) -> NDArray[np.float64]:
        """Log density of each event under each member: (n, d) -> (members, n)."""
