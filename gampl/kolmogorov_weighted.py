"""The Kolmogorov-Smirnov distance of a small sample to a stream of weighted events."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.kolmogorov import KolmogorovSmirnov

Floats = NDArray[np.float64]


class WeightedKolmogorovSmirnov:
    """Largest difference between the distribution function of a reference and that of weighted events, Eq. (33).

    The stream's distribution function F at a reference point is the share of the weights below it. Its variance is
    ((1 - F)^2 Q(t) + F^2 (Q - Q(t))) / S^2, with the sums of weights S and of squared weights Q, Q(t) up to the point.
    `n_effective` is the number of events of equal weight whose largest variance, 1 / 4n, is that of this stream, and no
    more than S^2 / Q.

    Args:
        reference: Values of the reference sample, shape (n_ref,), of equal weight.

    Raises:
        ValueError: As `gampl.kolmogorov.KolmogorovSmirnov`.
    """

    def __init__(self, reference: ArrayLike) -> None:
        self._unweighted = KolmogorovSmirnov(reference)  # its checks, points and their own distribution function
        self.points, self.n_ref = self._unweighted.points, self._unweighted.n_ref
        self.n_gen = self.n_lost = 0
        # sums of weights and of their squares: of all events, of those up to each point, of those below it
        self._total = np.zeros(2)
        self._up_to, self._below = np.zeros((2, self.points.size)), np.zeros((2, self.points.size))

    def update(self, values: ArrayLike, weights: ArrayLike) -> None:
        """Add values of the stream with their weights, both (n,); what is not finite counts as above all points.

        Raises:
            ValueError: If there is not one finite weight for each value.
        """
        x, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        if x.ndim != 1 or w.shape != x.shape:
            raise ValueError(f"expected one value and one weight per event, got shapes {x.shape} and {w.shape}")
        if bad := int((~np.isfinite(w)).sum()):
            raise ValueError(f"weights: {bad} of {w.size} are not finite")
        lost = ~np.isfinite(x)
        order = np.argsort(np.where(lost, np.inf, x))
        ordered = x[order][: x.size - lost.sum()]
        sums = np.zeros((2, x.size + 1))  # of the weights and their squares of the first k values
        np.cumsum([w[order], w[order] ** 2], axis=1, out=sums[:, 1:])
        self._up_to += sums[:, np.searchsorted(ordered, self.points, side="right")]
        self._below += sums[:, np.searchsorted(ordered, self.points, side="left")]
        self._total += sums[:, -1]
        self.n_gen += x.size
        self.n_lost += int(lost.sum())

    @property
    def has_weight(self) -> bool:
        """Whether there is anything to make a distance of."""
        return bool(self._total[0] > 0)

    def _functions(self) -> tuple[Floats, Floats]:
        """The stream's distribution function at each point and just below it."""
        if not self.has_weight:
            raise ValueError(f"the weights of {self.n_gen} events add up to {self._total[0]:g}, expected more than 0")
        return self._up_to[0] / self._total[0], self._below[0] / self._total[0]

    @property
    def distance(self) -> float:
        """The distance to all values so far.

        Raises:
            ValueError: If the weights do not add up to a positive number.
        """
        own_up_to, own_below = self._unweighted.own_function
        up_to, below = self._functions()
        return float(max(np.abs(up_to - own_up_to).max(), np.abs(below - own_below).max()))

    @property
    def n_effective(self) -> float:
        """Events of equal weight that fluctuate as much."""
        up_to, _ = self._functions()
        squares = (1 - up_to) ** 2 * self._up_to[1] + up_to**2 * (self._total[1] - self._up_to[1])
        return float(self._total[0] ** 2 / max(4 * squares.max(), self._total[1]))
