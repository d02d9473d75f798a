"""A random part of a stream of events, for what costs too much with all of them."""

import numpy as np

from gampl.basics import Floats

MOST = 10_000  # events


class Lot:
    """A random part of a stream of events, (n, dim), of bounded size; events that are not finite are counted only."""

    def __init__(self, most: int = MOST, seed: int = 1) -> None:
        self.most, self.n_gen, self.n_lost = most, 0, 0
        self._rng, self._lots, self._events = np.random.default_rng(seed), np.empty(0), list[Floats]()

    def update(self, events: Floats) -> None:
        """Add events."""
        finite = np.isfinite(events).all(axis=1)
        self.n_gen, self.n_lost = self.n_gen + len(events), self.n_lost + int((~finite).sum())
        self._lots = np.concatenate([self._lots, self._rng.random(int(finite.sum()))])
        self._events.append(events[finite])
        if self._lots.size > 4 * self.most:
            self._draw()

    def _draw(self, most: int | None = None) -> None:
        kept = np.sort(np.argsort(self._lots)[: most or self.most])
        self._lots, self._events = self._lots[kept], [np.concatenate(self._events)[kept]]

    def events(self, most: int = MOST) -> Floats:
        """At most ``most`` events of the part, (n, dim), in the order of the stream; all of a shorter stream."""
        self._draw(min(most, self.most))
        return self._events[0]

    @property
    def n_left_out(self) -> int:
        """Finite events that are not in the part."""
        return self.n_gen - self.n_lost - self._lots.size
