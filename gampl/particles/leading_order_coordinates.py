"""Coordinates for pairs of tops at leading order, whose events are (m, Y, cos theta*, phi)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from gampl.particles.jet_coordinates import UNIT


class LeadingOrderCoordinates(nn.Module):
    """x = (artanh-like coordinates of m, Y and cos theta*, less their mean and over their spread; phi).

    The first three are ln((m - 2 m_t) / (m_max - m)), artanh(Y / ln(energy / m)) and artanh(cos theta*), as in
    `gampl.processes.leading_order_coordinates`, so that each runs from minus to plus infinity. Events are back to back
    by construction. At an edge of the allowed ranges x is infinite, beyond it NaN.

    An event has four numbers and two particles, whose momenta have more. So both tokens are all of x; and of the
    momenta's rates of change only the turn about the beam is used, the mean of those of both tops.

    Shapes:
        events: (n, 4), m in GeV and phi in radians
        x: (n, 4)

    Args:
        mean, std: Of the coordinates before standardisation, (4,); 0 and 1 for phi.
        energy: Of both beams together in GeV.
        top_mass: In GeV.
        m_max: Largest mass of a pair in GeV, at most the energy.

    Raises:
        ValueError: If not 0 < 2 top_mass < m_max <= energy, or mean and std do not have shape (4,).
    """

    mean: Tensor
    std: Tensor
    angles: Tensor
    event_shape: tuple[int, ...] = (4,)
    d = 4
    particles = 2
    token_features, token_rates = 5, 4
    scalars = 3  # rates of the first three coordinates; the vectors turn phi

    def __init__(self, mean: Tensor, std: Tensor, energy: float, top_mass: float, m_max: float) -> None:
        super().__init__()
        if not 0 < 2 * top_mass < m_max <= energy:
            raise ValueError(f"need 0 < 2 top_mass < m_max <= energy, got {top_mass=}, {m_max=}, {energy=} in GeV")
        if mean.shape != (4,) or std.shape != (4,):
            raise ValueError(f"mean and std must have shape (4,), got {tuple(mean.shape)} and {tuple(std.shape)}")
        self.energy, self.top_mass, self.m_max = energy, top_mass, m_max
        self.register_buffer("mean", mean.double())
        self.register_buffer("std", std.double())
        self.register_buffer("angles", torch.tensor([False, False, False, True], device=mean.device))

    @classmethod
    def of(cls, events: Tensor, energy: float, top_mass: float, m_max: float) -> "LeadingOrderCoordinates":
        """Coordinates with the mean and standard deviation of these events, the training sample.

        Raises:
            ValueError: If the numbers do not fit together, the shape is wrong, there are fewer than 2 events, a number
                is not finite, or an event is at the edge of the allowed ranges or beyond.
        """
        if events.ndim != 2 or events.shape[-1] != 4 or len(events) < 2:
            raise ValueError(f"events must be at least 2, of shape (n, 4), got {tuple(events.shape)}")
        if not bool(events.isfinite().all()):
            raise ValueError(f"events: {int((~events.isfinite()).any(-1).sum())} of them are not finite")
        x = events.double()
        plain = cls(torch.zeros(4, device=x.device), torch.ones(4, device=x.device), energy, top_mass, m_max)
        m, Y, c, _ = x.unbind(-1)
        for outside, name, allowed in (
            ((m <= 2 * top_mass) | (m >= m_max), "m", f"between {2 * top_mass:g} and {m_max:g} GeV"),
            (Y.abs() >= torch.log(energy / m), "Y", "between -ln(energy / m) and ln(energy / m)"),
            (c.abs() >= 1, "cos theta*", "between -1 and 1"),
        ):
            if bool(outside.any()):
                row = int(outside.nonzero()[0])
                raise ValueError(
                    f"events: {name} must be {allowed}, edges left out; {int(outside.sum())} are not, the first is "
                    f"event {row}, {x[row].tolist()}"
                )
        raw = plain.to_network(x)
        mean, std = raw.mean(0), raw.std(0)
        mean[3], std[3] = 0.0, 1.0
        return cls(mean, std.clamp_min(1e-6), energy, top_mass, m_max)

    def to_network(self, events: Tensor) -> Tensor:
        """See `Coordinates`."""
        m, Y, c, phi = events.double().unbind(-1)
        a = torch.log((m - 2 * self.top_mass) / (self.m_max - m))
        b = torch.atanh(Y / torch.log(self.energy / m))
        return (torch.stack([a, b, torch.atanh(c), phi], -1) - self.mean) / self.std

    def to_events(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        a, b, c, phi = self._unbounded(x)
        above, below = self._distances(a)
        return torch.stack([2 * self.top_mass + above, self._y_max(below) * b.tanh(), c.tanh(), phi], -1)

    def log_jacobian(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        a, b, c, _ = self._unbounded(x)
        of_m = -logsigmoid(a) - logsigmoid(-a) - math.log(self.m_max - 2 * self.top_mass)
        of_y = 2 * _log_cosh(b) - self._y_max(self._distances(a)[1]).log()
        return of_m + of_y + 2 * _log_cosh(c) - self.std.log().sum()

    def tokens(self, x: Tensor) -> Tensor:
        """See `Coordinates`: all of x for the top, and again for the antitop."""
        a, b, c, phi = x.unbind(-1)
        return torch.stack([a, b, c, phi.sin(), phi.cos()], -1)[:, None].expand(-1, self.particles, -1)

    def momenta(self, x: Tensor) -> Tensor:
        """See `Coordinates`; of top and antitop, in units of 206.6 GeV."""
        a, b, c, phi = self._unbounded(x)
        above, below = self._distances(a)
        m = 2 * self.top_mass + above
        beta = (above * (above + 4 * self.top_mass)).sqrt() / m
        # 1 / cosh instead of sqrt(1 - tanh²), which is zero where tops are nearly along the beam
        pt = 0.5 * m * beta * torch.exp(-_log_cosh(c))
        m_t = (pt * pt + self.top_mass**2).sqrt()
        Y, half_gap = self._y_max(below) * b.tanh(), torch.atanh(beta * c.tanh())
        px, py = pt * phi.cos(), pt * phi.sin()
        top, antitop = (
            torch.stack([m_t * y.cosh(), sign * px, sign * py, m_t * y.sinh()], -1)
            for sign, y in ((1.0, Y + half_gap), (-1.0, Y - half_gap))
        )
        return torch.stack([top, antitop], -2) / UNIT

    def velocity(self, x: Tensor, vectors: Tensor, scalars: Tensor) -> Tensor:
        """See `Coordinates`: phi turns with the vectors, the rest changes by the mean scalars of both tops."""
        _, px, py, _ = self.momenta(x).to(vectors.dtype).unbind(-1)
        _, vx, vy, _ = vectors.unbind(-1)
        phi = (px * vy - py * vx) / (px * px + py * py)
        return torch.cat([scalars.mean(1), phi.mean(1, keepdim=True)], -1)

    def velocity_of_tokens(self, outputs: Tensor) -> Tensor:
        """See `Coordinates`: the mean of what both tokens say."""
        return outputs.mean(1)

    def _unbounded(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The coordinates before standardisation, each (n,), in float64."""
        a, b, c, phi = (x.double() * self.std + self.mean).unbind(-1)
        return a, b, c, phi

    def _distances(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """GeV of m above 2 m_t and m below m_max, not as differences, which lose digits at the edges."""
        width = self.m_max - 2 * self.top_mass
        return width * torch.sigmoid(a), width * torch.sigmoid(-a)

    def _y_max(self, below: Tensor) -> Tensor:
        """ln(energy / m), the largest rapidity, from m_max - m."""
        return -torch.log1p(-(self.energy - self.m_max + below) / self.energy)


def _log_cosh(x: Tensor) -> Tensor:
    return x.abs() + softplus(-2 * x.abs()) - math.log(2)
