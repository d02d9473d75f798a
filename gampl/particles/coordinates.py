"""Network coordinates of events: what every generator of LHC events asks of the map from events and back."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Coordinates(Protocol):
    """Invertible map from events to flat vectors x of numbers of order 1, in float64.

    Shapes:
        events: (n, *event_shape)
        x: (n, d)
    """

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""

    @property
    def d(self) -> int:
        """Coordinates of an event."""

    @property
    def particles(self) -> int:
        """Particles of an event, P."""

    @property
    def token_features(self) -> int:
        """Numbers that describe each particle, F."""

    @property
    def token_rates(self) -> int:
        """Rates of change that `velocity_of_tokens` asks for each particle, K."""

    @property
    def scalars(self) -> int:
        """Rates of change without a direction that `velocity` asks for each particle, S."""

    @property
    def angles(self) -> Tensor:
        """Which coordinates are angles in [-pi, pi], shape (d,) of bool."""

    def to_network(self, events: Tensor) -> Tensor:
        """Network coordinates of events, (n, *event_shape) -> (n, d)."""

    def to_events(self, x: Tensor) -> Tensor:
        """Events of network coordinates, (n, d) -> (n, *event_shape)."""

    def log_jacobian(self, x: Tensor) -> Tensor:
        """Logarithm of |det dx / devents| at x, (n, d) -> (n,)."""

    def tokens(self, x: Tensor) -> Tensor:
        """The coordinates particle by particle, for networks without a symmetry: (n, d) -> (n, P, F).

        An angle is its sine and cosine, so that a network has no edge at pi.
        """

    def momenta(self, x: Tensor) -> Tensor:
        """Four-momenta (E, px, py, pz) of the particles, of order 1, for equivariant networks: (n, d) -> (n, P, 4)."""

    def velocity(self, x: Tensor, vectors: Tensor, scalars: Tensor) -> Tensor:
        """dx/dt from the rates of change of the momenta where these have a direction, and from scalars elsewhere.

        Only so much is taken from the vectors as rotates with the event about the beam; networks predict the rest
        more easily as scalars.

        Shapes:
            (n, d), (n, P, 4), (n, P, S) -> (n, d)
        """

    def velocity_of_tokens(self, outputs: Tensor) -> Tensor:
        """dx/dt from numbers for each token, for networks without a symmetry: (n, P, K) -> (n, d)."""


def wrapped(x: Tensor, angles: Tensor) -> Tensor:
    """The same with angles brought to [-pi, pi], (n, d), (d,) -> (n, d); pi itself by rounding only."""
    turned = torch.remainder(x + math.pi, 2 * math.pi) - math.pi
    return torch.where(angles, turned, x)
