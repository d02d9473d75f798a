"""Where flows start: the latent distributions at t = 1 of Eq. (41)."""

import math
from functools import cache

import torch
from torch import Tensor, nn

from gampl.particles.coordinates import UNIT, JetCoordinates, signed_angle

ACCEPTANCE_EVENTS = 1_000_000  # that measure the acceptance of the cuts, to 0.1 % at 50 %
ROWS = 100_000  # of them at a time
SAFE = 7.5  # standard deviations by which trials must not fall short


class Normal(nn.Module):
    """The printed latent distribution of Eq. (41): standard normal; angles are uniform, as nothing else is natural."""

    angles: Tensor

    def __init__(self, angles: Tensor) -> None:
        super().__init__()
        self.register_buffer("angles", angles)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n latent events, (n, d) in float64, on the device of this module."""
        device, shape = self.angles.device, (n, len(self.angles))
        normal = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
        uniform = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
        return torch.where(self.angles, math.pi * (2 * uniform.to(device) - 1), normal.to(device))

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density, (n, d) -> (n,)."""
        normal = -0.5 * x.square() - 0.5 * math.log(2 * math.pi)
        return torch.where(self.angles, -math.log(2 * math.pi), normal).sum(-1)


class CutAwareNormal(nn.Module):
    """Jets with normal momenta that pass the cuts: a start that is close to the events, used by the public code.

    px, py and pz are normal with a standard deviation of 206.6 GeV, and the standardised log(m² + m_0²) is standard
    normal; what has a jet with pT <= pT_min or a pair with Delta R <= delta_r_min is drawn again.
    """

    def __init__(self, coordinates: JetCoordinates, delta_r_min: float) -> None:
        super().__init__()
        self.coordinates, self.delta_r_min = coordinates, delta_r_min

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n latent events, (n, 4 jets) in float64, on the device of the coordinates."""
        if generator.device.type == "cuda":
            return self.sample_without_waiting(n, generator)
        parts, count = [], 0
        while count < n:
            x, passed = self._try(2 * (n - count) + 64, generator)
            parts.append(x[passed])
            count += len(parts[-1])
        return torch.cat(parts)[:n].to(self.coordinates.mean.device)

    def sample_without_waiting(self, n: int, generator: torch.Generator) -> Tensor:
        """The same law as that of `sample`, (n, 4 jets), from a number of trials that is fixed before.

        A GPU need not tell how many have passed. They are too few once in 1e12 calls; then NaN is among the events.
        """
        share = math.exp(self.log_acceptance)
        trials, deviations = n / share, SAFE * math.sqrt((1 - share) / share)
        x, passed = self._try(math.ceil(trials + deviations * math.sqrt(trials) + SAFE**2 / share), generator)
        first = torch.argsort(passed.byte(), descending=True, stable=True)[:n]
        return torch.where(passed[first].unsqueeze(-1), x[first], math.nan)

    def _try(self, trials: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Events before the cuts, (trials, 4 jets), and which of them pass, (trials,), on the generator's device."""
        shape, device = (trials, self.coordinates.particles, 4), generator.device
        normal = torch.randn(shape, generator=generator, device=device, dtype=torch.float64)
        px, py, pz, mass = normal.unbind(-1)
        pt = torch.hypot(px, py)
        phi, eta = torch.atan2(py, px), torch.asinh(pz / pt)
        passed = (UNIT * pt > self.coordinates.pt_min).all(-1) & self._apart(phi, eta)
        mean, std = self.coordinates.mean[:, 0].to(device), self.coordinates.std[:, 0].to(device)
        log_pt = (torch.log(UNIT * pt - self.coordinates.pt_min) - mean) / std  # NaN where the cut has it drawn again
        return torch.stack([log_pt, phi, eta, mass], -1).flatten(1), passed

    def _apart(self, phi: Tensor, eta: Tensor) -> Tensor:
        """Whether no two jets of an event are too close: (n, jets) twice -> (n,)."""
        a, b = torch.triu_indices(phi.shape[1], phi.shape[1], 1, device=phi.device)
        return (torch.hypot(signed_angle(phi[:, a] - phi[:, b]), eta[:, a] - eta[:, b]) > self.delta_r_min).all(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density, (n, 4 jets) -> (n,); -inf outside the cuts."""
        c = self.coordinates
        standard_pt, phi, eta, mass = x.double().reshape(-1, *c.event_shape).unbind(-1)
        log_above = standard_pt * c.std[:, 0] + c.mean[:, 0]  # ln(pT - pT_min)
        pt = (log_above.exp() + c.pt_min) / UNIT
        squares = (pt * eta.cosh()).square() + mass.square()
        # d³p = pT² cosh(eta) dpT dphi deta
        volume = 2 * pt.log() + eta.cosh().log() + log_above - math.log(UNIT) + c.std[:, 0].log()
        log_density = (-0.5 * squares - 2 * math.log(2 * math.pi) + volume).sum(-1)
        return torch.where(self._apart(phi, eta), log_density - self.log_acceptance, -math.inf)

    @property
    def log_acceptance(self) -> float:
        """Logarithm of the share of draws that pass the cuts, measured once with a fixed seed."""
        return _log_acceptance(self.coordinates.particles, self.coordinates.pt_min, self.delta_r_min)


@cache
def _log_acceptance(particles: int, pt_min: float, delta_r_min: float) -> float:
    coordinates = JetCoordinates(torch.zeros(particles, 4), torch.ones(particles, 4), pt_min)
    base, generator = CutAwareNormal(coordinates, delta_r_min), torch.Generator().manual_seed(0)
    passed = sum(int(base._try(ROWS, generator)[1].sum()) for _ in range(ACCEPTANCE_EVENTS // ROWS))
    return math.log(passed / ACCEPTANCE_EVENTS)
