"""Network coordinates of events: invertible maps from jets, and from top pairs at leading order, to flat vectors."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

UNIT = 206.6  # GeV, about the spread of a jet's momentum: four-momenta for networks are in this unit
MASS_FLOOR = 1.0  # GeV, keeps the logarithm of massless jets finite


class Coordinates(nn.Module):
    """Invertible map from events to flat vectors x of numbers of order 1, in float64: what generators ask of it.

    Events have shape ``(n, *event_shape)``, x has shape (n, d). `mean` and `std` are those of the coordinates before
    standardisation, of shape event_shape, 0 and 1 for directions; `angles`, (d,) of bool, are those in [-pi, pi].
    """

    mean: Tensor
    std: Tensor
    angles: Tensor
    particles: int  #: particles of an event, P
    token_features: int  #: numbers that describe each particle, F
    token_rates: int  #: rates of change that `velocity_of_tokens` asks for each particle, K
    scalars: int  #: rates of change without a direction that `velocity` asks for each particle, S
    directions: slice  #: coordinates of each row of an event that are not standardised

    def __init__(self, mean: Tensor, std: Tensor, angles: list[bool]) -> None:
        super().__init__()
        self.event_shape, self.d = tuple(mean.shape), mean.numel()
        self.register_buffer("mean", mean.double())
        self.register_buffer("std", std.double())
        self.register_buffer("angles", torch.tensor(angles, device=mean.device))

    def to_network(self, events: Tensor) -> Tensor:
        """Network coordinates of events, ``(n, *event_shape)`` -> (n, d)."""
        return ((self._unbounded(events.double()) - self.mean) / self.std).flatten(1)

    def to_events(self, x: Tensor) -> Tensor:
        """Events of network coordinates, (n, d) -> ``(n, *event_shape)``."""
        raise NotImplementedError

    def log_jacobian(self, x: Tensor) -> Tensor:
        """Logarithm of ``|det dx / devents|`` at x, (n, d) -> (n,)."""
        raise NotImplementedError

    def tokens(self, x: Tensor) -> Tensor:
        """The coordinates particle by particle, for networks without a symmetry: (n, d) -> (n, P, F).

        An angle is its sine and cosine, so that a network has no edge at pi.
        """
        raise NotImplementedError

    def momenta(self, x: Tensor) -> Tensor:
        """Four-momenta (E, px, py, pz) in units of 206.6 GeV, for equivariant networks: (n, d) -> (n, P, 4)."""
        raise NotImplementedError

    def velocity(self, x: Tensor, vectors: Tensor, scalars: Tensor) -> Tensor:
        """dx/dt from the rates of change of the momenta where these have a direction, and from scalars elsewhere.

        Only so much is taken from the vectors as rotates with the event about the beam; networks predict the rest
        more easily as scalars: (n, d), (n, P, 4), (n, P, S) -> (n, d).
        """
        raise NotImplementedError

    def velocity_of_tokens(self, outputs: Tensor) -> Tensor:
        """dx/dt from numbers for each token, for networks without a symmetry: (n, P, K) -> (n, d)."""
        raise NotImplementedError

    def _unbounded(self, events: Tensor) -> Tensor:
        """The coordinates before standardisation: ``(n, *event_shape)`` both."""
        raise NotImplementedError

    def _numbers(self, x: Tensor) -> tuple[Tensor, ...]:
        """The same, from x: one tensor for each number in the last axis of events, in float64."""
        return (x.double().reshape(-1, *self.event_shape) * self.std + self.mean).unbind(-1)

    def _statistics(self, events: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation that standardise these events."""
        x = self._unbounded(events.double())
        mean, std = x.mean(0), x.std(0)
        mean[..., self.directions], std[..., self.directions] = 0.0, 1.0
        return mean, std.clamp_min(1e-6)


class JetCoordinates(Coordinates):
    """x = ((ln(pT - pT_min) - mu) / s, phi, eta, (ln(m² + m_0²) - mu) / s) of each jet, with m_0 of 1 GeV.

    As in arXiv:2411.00446. A jet of one calorimeter cell has no mass, and about one jet in a hundred is one. They sit
    at the lower end of the last coordinate; what a generator puts below that end becomes a massless jet, so that there
    the map is not invertible, and the density in m is zero at m = 0.

    Events are (pT, phi, eta, m) in GeV and radians, (n, jets, 4), x has shape (n, 4 jets). `mean` and `std`, (jets, 4),
    are mu and s, 0 and 1 for phi and eta; `pt_min` is the smallest transverse momentum in GeV.
    """

    token_features, token_rates = 5, 4
    scalars = 2  # of pT and m; the vectors turn phi and eta
    directions = slice(1, 3)

    def __init__(self, mean: Tensor, std: Tensor, pt_min: float) -> None:
        super().__init__(mean, std, [False, True, False, False] * len(mean))
        self.particles, self.pt_min = len(mean), pt_min

    @classmethod
    def of(cls, events: Tensor, pt_min: float) -> "JetCoordinates":
        """Coordinates with the mean and standard deviation of these events, the training sample.

        A ValueError if the shape is wrong, there are fewer than 2 events, a number is not finite, a jet does not have
        pT > pt_min, or a mass is negative.
        """
        _check(events, "n", "jets", "4")
        outside = ((events[..., 0] <= pt_min) | (events[..., 3] < 0)).nonzero()
        if len(outside):
            raise ValueError(f"events: jet {int(outside[0, 1])} has pT <= {pt_min} GeV or m < 0 in some of them")
        plain = cls(torch.zeros(events.shape[1:]), torch.ones(events.shape[1:]), pt_min)
        return cls(*plain._statistics(events), pt_min)

    def to_events(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        log_pt, phi, eta, log_m2 = self._numbers(x)
        return torch.stack([log_pt.exp() + self.pt_min, phi, eta, _mass_squared(log_m2).sqrt()], -1)

    def log_jacobian(self, x: Tensor) -> Tensor:
        """See `Coordinates`; -inf if a jet is massless."""
        log_pt, _, _, log_m2 = self._numbers(x)
        return ((2 * _mass_squared(log_m2).sqrt()).log() - log_m2 - log_pt).sum(-1) - self.std.log().sum()

    def tokens(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        log_pt, phi, eta, log_m2 = x.reshape(-1, *self.event_shape).unbind(-1)
        return torch.stack([log_pt, phi.sin(), phi.cos(), eta, log_m2], -1)

    def momenta(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        log_pt, phi, eta, log_m2 = self._numbers(x)
        pt, m2 = (log_pt.exp() + self.pt_min) / UNIT, _mass_squared(log_m2) / UNIT**2
        px, py, pz = pt * phi.cos(), pt * phi.sin(), pt * eta.sinh()
        return torch.stack([(m2 + px * px + py * py + pz * pz).sqrt(), px, py, pz], -1)

    def velocity(self, x: Tensor, vectors: Tensor, scalars: Tensor) -> Tensor:
        """See `Coordinates`: phi and eta turn with the vectors, pT and m change by the scalars."""
        _, px, py, pz = self.momenta(x).to(vectors.dtype).unbind(-1)
        _, vx, vy, vz = vectors.unbind(-1)
        pt2 = px * px + py * py
        along = (px * vx + py * vy) / pt2  # d ln pT / dt
        phi = (px * vy - py * vx) / pt2
        eta = (vz - pz * along) / (pt2 + pz * pz).sqrt()
        return torch.stack([scalars[..., 0], phi, eta, scalars[..., 1]], -1).flatten(1)

    def velocity_of_tokens(self, outputs: Tensor) -> Tensor:
        """See `Coordinates`."""
        return outputs.flatten(1)

    def _unbounded(self, events: Tensor) -> Tensor:
        pt, phi, eta, m = events.unbind(-1)
        return torch.stack([torch.log(pt - self.pt_min), phi, eta, torch.log(m * m + MASS_FLOOR**2)], -1)


class LeadingOrderCoordinates(Coordinates):
    """Coordinates of top pairs at leading order, whose events are (m, Y, cos theta*, phi).

    The first three are ln((m - 2 m_t) / (m_max - m)), artanh(Y / ln(energy / m)) and artanh(cos theta*), standardised,
    as in `gampl.processes.leading_order_coordinates`, so that each runs from minus to plus infinity; the last is phi.
    Events are back to back by construction. At an edge of the allowed ranges x is infinite, beyond it NaN.

    An event has four numbers and two particles, whose momenta have more. So both tokens are all of x; and of the
    momenta's rates of change only the turn about the beam is used, the mean of those of both tops.

    Events and x have shape (n, 4), with m in GeV and phi in radians; `mean` and `std` have shape (4,). All in GeV,
    `energy` is that of both beams together and `m_max` the largest mass of a pair. A ValueError for other shapes, or if
    not 0 < 2 top_mass < m_max <= energy.
    """

    particles = 2
    token_features, token_rates = 5, 4
    scalars = 3  # rates of the first three coordinates; the vectors turn phi
    directions = slice(3, 4)

    def __init__(self, mean: Tensor, std: Tensor, energy: float, top_mass: float, m_max: float) -> None:
        if not 0 < 2 * top_mass < m_max <= energy:
            raise ValueError(f"need 0 < 2 top_mass < m_max <= energy, got {top_mass=}, {m_max=}, {energy=} in GeV")
        if mean.shape != (4,) or std.shape != (4,):
            raise ValueError(f"mean and std must have shape (4,), got {tuple(mean.shape)} and {tuple(std.shape)}")
        super().__init__(mean, std, [False, False, False, True])
        self.energy, self.top_mass, self.m_max = energy, top_mass, m_max

    @classmethod
    def of(cls, events: Tensor, energy: float, top_mass: float, m_max: float) -> "LeadingOrderCoordinates":
        """Coordinates with the mean and standard deviation of these events, the training sample.

        A ValueError as of the class, or if the shape is wrong, there are fewer than 2 events, a number is not finite,
        or an event is at the edge of the allowed ranges or beyond.
        """
        _check(events, "n", "4")
        plain = cls(torch.zeros(4), torch.ones(4), energy, top_mass, m_max)
        m, Y, c, _ = events.double().unbind(-1)
        for outside, name, allowed in (
            ((m <= 2 * top_mass) | (m >= m_max), "m", f"between {2 * top_mass:g} and {m_max:g} GeV"),
            (Y.abs() >= torch.log(energy / m), "Y", "between -ln(energy / m) and ln(energy / m)"),
            (c.abs() >= 1, "cos theta*", "between -1 and 1"),
        ):
            if len(rows := outside.nonzero()):
                first = int(rows[0])
                raise ValueError(
                    f"events: {name} must be {allowed}, edges left out; {len(rows)} are not, the first is event "
                    f"{first}, {events[first].tolist()}"
                )
        return cls(*plain._statistics(events), energy, top_mass, m_max)

    def to_events(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        a, b, c, phi = self._numbers(x)
        above, below = self._distances(a)
        return torch.stack([2 * self.top_mass + above, self._y_max(below) * b.tanh(), c.tanh(), phi], -1)

    def log_jacobian(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        a, b, c, _ = self._numbers(x)
        of_m = -logsigmoid(a) - logsigmoid(-a) - math.log(self.m_max - 2 * self.top_mass)
        of_y = 2 * _log_cosh(b) - self._y_max(self._distances(a)[1]).log()
        return of_m + of_y + 2 * _log_cosh(c) - self.std.log().sum()

    def tokens(self, x: Tensor) -> Tensor:
        """See `Coordinates`: all of x for the top, and again for the antitop."""
        a, b, c, phi = x.unbind(-1)
        return torch.stack([a, b, c, phi.sin(), phi.cos()], -1)[:, None].expand(-1, self.particles, -1)

    def momenta(self, x: Tensor) -> Tensor:
        """See `Coordinates`: those of top and antitop."""
        a, b, c, phi = self._numbers(x)
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
        """See `Coordinates`: the mean over both tokens."""
        return outputs.mean(1)

    def _unbounded(self, events: Tensor) -> Tensor:
        m, Y, c, phi = events.unbind(-1)
        a = torch.log((m - 2 * self.top_mass) / (self.m_max - m))
        return torch.stack([a, torch.atanh(Y / torch.log(self.energy / m)), torch.atanh(c), phi], -1)

    def _distances(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """GeV of m above 2 m_t and m below m_max, not as differences, which lose digits at the edges."""
        width = self.m_max - 2 * self.top_mass
        return width * torch.sigmoid(a), width * torch.sigmoid(-a)

    def _y_max(self, below: Tensor) -> Tensor:
        """ln(energy / m), the largest rapidity, from m_max - m."""
        return -torch.log1p(-(self.energy - self.m_max + below) / self.energy)


def invariant_square(vectors: Tensor) -> Tensor:
    """E² - p² of (E, px, py, pz): (..., 4) -> (...)."""
    e, px, py, pz = vectors.unbind(-1)
    return e * e - px * px - py * py - pz * pz


def signed_angle(x: Tensor) -> Tensor:
    """The same direction in [-pi, pi]; pi itself by rounding only."""
    return torch.remainder(x + math.pi, 2 * math.pi) - math.pi


def wrapped(x: Tensor, angles: Tensor) -> Tensor:
    """The same with angles brought to [-pi, pi], (n, d), (d,) -> (n, d)."""
    return torch.where(angles, signed_angle(x), x)


def _check(events: Tensor, *shape: str) -> None:
    """Raises ValueError if there are fewer than 2 events, of another shape, or not finite."""
    if events.ndim != len(shape) or events.shape[-1] != 4 or len(events) < 2:
        expected = f"({', '.join(shape)}) with n of at least 2"
        raise ValueError(f"events must have shape {expected}, got {tuple(events.shape)}")
    if n := int((~events.isfinite()).flatten(1).any(-1).sum()):
        raise ValueError(f"events: {n} of them are not finite")


def _mass_squared(log_m2: Tensor) -> Tensor:
    """Squared mass in GeV² of a jet's last coordinate before standardisation."""
    return (log_m2.exp() - MASS_FLOOR**2).clamp_min(0.0)


def _log_cosh(x: Tensor) -> Tensor:
    return x.abs() + softplus(-2 * x.abs()) - math.log(2)
