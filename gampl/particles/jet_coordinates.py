"""Coordinates for events of jets: (log(pT - pT_min), phi, eta, log m²) of each, as in arXiv:2411.00446."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

UNIT = 206.6  # GeV, about the spread of a jet's momentum: four-momenta for networks are in this unit
MASS_FLOOR = 1.0  # GeV, keeps the logarithm of massless jets finite


class JetCoordinates(nn.Module):
    """x = ((ln(pT - pT_min) - mu) / s, phi, eta, (ln(m² + m_0²) - mu) / s) of each jet, with m_0 of 1 GeV.

    A jet of one calorimeter cell has no mass, and about one jet in a hundred is one. They sit at the lower end of the
    last coordinate; what a generator puts below that end becomes a massless jet, so that there the map is not
    invertible, and the density in m is zero at m = 0.

    Shapes:
        events: (n, jets, 4), (pT, phi, eta, m) in GeV and radians
        x: (n, 4 jets)

    Args:
        mean, std: mu and s of each jet and coordinate, (jets, 4); 0 and 1 for the angles.
        pt_min: Smallest transverse momentum in GeV.
    """

    angles: Tensor
    mean: Tensor
    std: Tensor
    token_features, token_rates = 5, 4
    scalars = 2  # of pT and m; the vectors turn phi and eta

    def __init__(self, mean: Tensor, std: Tensor, pt_min: float) -> None:
        super().__init__()
        self.particles, self.pt_min = len(mean), pt_min
        self.event_shape, self.d = (self.particles, 4), 4 * self.particles
        self.register_buffer("mean", mean.double())
        self.register_buffer("std", std.double())
        self.register_buffer(
            "angles", torch.tensor([False, True, False, False], device=mean.device).repeat(self.particles)
        )

    @classmethod
    def of(cls, events: Tensor, pt_min: float) -> "JetCoordinates":
        """Coordinates with the mean and standard deviation of these events, the training sample.

        Raises:
            ValueError: If the shape is wrong, there are fewer than 2 events, a number is not finite, a jet does not
                have pT > pt_min, or a mass is negative.
        """
        if events.ndim != 3 or events.shape[-1] != 4 or len(events) < 2:
            raise ValueError(f"events must be at least 2, of shape (n, jets, 4), got {tuple(events.shape)}")
        if not bool(events.isfinite().all()):
            raise ValueError(f"events: {int((~events.isfinite()).any(-1).any(-1).sum())} of them are not finite")
        if bool((events[..., 0] <= pt_min).any()) or bool((events[..., 3] < 0).any()):
            jet = int(((events[..., 0] <= pt_min) | (events[..., 3] < 0)).nonzero()[0, 1])
            raise ValueError(f"events: jet {jet} has pT <= {pt_min} GeV or m < 0 in some of them")
        raw = cls(torch.zeros(events.shape[1:]), torch.ones(events.shape[1:]), pt_min)._raw(events.double())
        mean, std = raw.mean(0), raw.std(0)
        mean[:, 1:3], std[:, 1:3] = 0.0, 1.0
        return cls(mean, std.clamp_min(1e-6), pt_min)

    def _raw(self, events: Tensor) -> Tensor:
        """The coordinates before standardisation: (n, jets, 4) both."""
        pt, phi, eta, m = events.unbind(-1)
        return torch.stack([torch.log(pt - self.pt_min), phi, eta, torch.log(m * m + MASS_FLOOR**2)], -1)

    def _by_jet(self, x: Tensor) -> Sequence[Tensor]:
        """ln(pT - pT_min), phi, eta and ln(m² + m_0²), each (n, jets), in float64."""
        return (x.double().reshape(-1, *self.event_shape) * self.std + self.mean).unbind(-1)

    def to_network(self, events: Tensor) -> Tensor:
        """See `Coordinates`."""
        return ((self._raw(events.double()) - self.mean) / self.std).flatten(1)

    def to_events(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        log_pt, phi, eta, log_m2 = self._by_jet(x)
        mass = (log_m2.exp() - MASS_FLOOR**2).clamp_min(0.0).sqrt()
        return torch.stack([log_pt.exp() + self.pt_min, phi, eta, mass], -1)

    def log_jacobian(self, x: Tensor) -> Tensor:
        """See `Coordinates`; -inf if a jet is massless."""
        log_pt, _, _, log_m2 = self._by_jet(x)
        mass = (log_m2.exp() - MASS_FLOOR**2).clamp_min(0.0).sqrt()
        return ((2 * mass).log() - log_m2 - log_pt).sum(-1) - self.std.log().sum()

    def tokens(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        log_pt, phi, eta, log_m2 = x.reshape(-1, *self.event_shape).unbind(-1)
        return torch.stack([log_pt, phi.sin(), phi.cos(), eta, log_m2], -1)

    def momenta(self, x: Tensor) -> Tensor:
        """See `Coordinates`; in units of 206.6 GeV."""
        log_pt, phi, eta, log_m2 = self._by_jet(x)
        pt = (log_pt.exp() + self.pt_min) / UNIT
        m2 = (log_m2.exp() - MASS_FLOOR**2).clamp_min(0.0) / UNIT**2
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
