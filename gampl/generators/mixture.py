"""The conditional densities of the autoregressive generators: Gaussian mixtures, Eq. (7), or bins.

Both are densities of one coordinate whose parameters a network predicts. A coordinate is a number of order 1 or an
angle in [-pi, pi), which ``periodic`` says, a bool for each x.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gampl.generators.gpu import running_sum
from gampl.particles.coordinates import signed_angle

# Bounds of log sigma. Below, a component could sit on one training event and make its density arbitrarily
# high (e^-5 is far narrower than anything in standardised events); above, exp could overflow.
LOG_SIGMA_RANGE = (-5.0, 3.0)
LOG_SIGMA_OF_ANGLES = math.log(2.0)  # up to which three images of a Gaussian add up to one within 1e-5
LOG_2_PI = math.log(2 * math.pi)


class Mixture(NamedTuple):
    """Mixtures of K Gaussians: tensors of shape (..., K). Those of an angle are wrapped normal distributions.

    Von Mises distributions are more usual for angles, but are drawn by rejection: then the latent numbers that an event
    is made of would not be as many for all.
    """

    log_weights: Tensor
    means: Tensor
    log_sigmas: Tensor

    @classmethod
    def from_raw(cls, raw: Tensor) -> "Mixture":
        """Turns unconstrained numbers (..., 3 K) into normalised weights, means and bounded widths."""
        logits, means, log_sigmas = raw.chunk(3, dim=-1)
        # log_softmax by hand: torch's takes twice as long for a handful of numbers
        logits = logits - logits.detach().amax(-1, keepdim=True)
        log_weights = logits - logits.logsumexp(-1, keepdim=True)
        return cls(log_weights, means, log_sigmas.clamp(*LOG_SIGMA_RANGE))

    @staticmethod
    def numbers(components: int) -> int:
        """How many numbers a network predicts for so many components."""
        return 3 * components

    @staticmethod
    @torch.no_grad()
    def initialise(bias: Tensor, generator: torch.Generator) -> None:
        """Sets the part of a network's bias that predicts mixtures, (3 K,): they cover standardised coordinates."""
        _, means, log_sigmas = bias.chunk(3)
        means.uniform_(-1.2, 1.2, generator=generator)
        log_sigmas.fill_(-1.2)

    def _standardise(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(-1) - self.means) * torch.exp(-self.log_sigmas)  # (..., K)

    def log_prob(self, x: Tensor, periodic: Tensor | None = None) -> Tensor:
        """Log density at x: (...) -> (...)."""
        z = self._standardise(x)
        log_terms = self.log_weights - self.log_sigmas - 0.5 * z * z
        log_density = log_terms.logsumexp(-1) - 0.5 * LOG_2_PI
        return log_density if periodic is None else torch.where(periodic, self._of_angles(x), log_density)

    def _of_angles(self, x: Tensor) -> Tensor:
        """The log density of angles: (...) -> (...)."""
        log_sigmas = self.log_sigmas.clamp_max(LOG_SIGMA_OF_ANGLES)
        turns = 2 * math.pi * torch.arange(-1, 2, dtype=x.dtype, device=x.device).unsqueeze(-1)
        z = (signed_angle(x.unsqueeze(-1) - self.means).unsqueeze(-2) + turns) * torch.exp(-log_sigmas).unsqueeze(-2)
        log_terms = (self.log_weights - log_sigmas).unsqueeze(-2) - 0.5 * z * z  # (..., 3, K)
        return log_terms.logsumexp((-2, -1)) - 0.5 * LOG_2_PI

    def cdf(self, x: Tensor) -> Tensor:
        """Probability of a value below x: (...) -> (...)."""
        return (self.log_weights.exp() * torch.special.ndtr(self._standardise(x))).sum(-1)

    def pick(self, uniform: Tensor, normal: Tensor, *, is_angle: bool = False) -> Tensor:
        """Turns uniform and standard normal numbers (n,) into samples (n,).

        The uniform number chooses the component, the normal one the place in it. The mixtures are (n, K), or
        (1, K) for one mixture that all samples share.
        """
        component = chosen(self.log_weights, uniform)
        mean, log_sigma = (
            part.expand(len(component), -1).gather(-1, component).squeeze(-1)  # (n,)
            for part in (self.means, self.log_sigmas)
        )
        if is_angle:
            return signed_angle(mean + log_sigma.clamp_max(LOG_SIGMA_OF_ANGLES).exp() * normal)
        return mean + log_sigma.exp() * normal


class Bins(NamedTuple):
    """Densities that are constant in each of K bins: a tensor of shape (..., K).

    Constant for an angle; for another coordinate in the bins that a standard normal distribution fills equally, where
    they are proportional to it, so that the outermost bins have tails.
    """

    log_weights: Tensor

    @classmethod
    def from_raw(cls, raw: Tensor) -> "Bins":
        """Turns unconstrained numbers (..., K) into normalised weights."""
        return cls(raw.log_softmax(-1))

    @staticmethod
    def numbers(components: int) -> int:
        """How many numbers a network predicts for so many bins."""
        return components

    @staticmethod
    def initialise(bias: Tensor, generator: torch.Generator) -> None:
        """Leaves the part of a network's bias that predicts bins: all are alike."""

    def log_prob(self, x: Tensor, periodic: Tensor) -> Tensor:
        """Log density at x: (...) -> (...)."""
        bins = self.log_weights.shape[-1]
        share = torch.where(periodic, x / (2 * math.pi) + 0.5, torch.special.ndtr(x))  # of the range below x
        place = (share * bins).long().clamp(0, bins - 1).unsqueeze(-1)
        base = torch.where(periodic, -LOG_2_PI, -0.5 * (x * x + LOG_2_PI))
        return self.log_weights.gather(-1, place).squeeze(-1) + math.log(bins) + base

    def pick(self, uniform: Tensor, normal: Tensor, *, is_angle: bool = False) -> Tensor:
        """Turns uniform and standard normal numbers (n,) into samples (n,), see `Mixture.pick`."""
        place = chosen(self.log_weights, uniform).squeeze(-1) + torch.special.ndtr(normal.double())
        share = place / self.log_weights.shape[-1]
        x = 2 * math.pi * (share - 0.5) if is_angle else torch.special.ndtri(share)
        return x.to(normal.dtype)


def chosen(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """Components that uniform numbers choose: (n or 1, K), (n,) -> (n, 1)."""
    below = running_sum(log_weights.exp())  # (n or 1, K)
    component = (uniform.unsqueeze(-1) > below).sum(-1, keepdim=True)  # (n, 1)
    return component.clamp_max(below.shape[-1] - 1)  # a cumulated weight may round to below 1


HEADS: dict[str, type[Mixture] | type[Bins]] = {"mixture": Mixture, "bins": Bins}
