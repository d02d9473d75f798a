"""One-dimensional Gaussian mixtures, Eq. (7): the conditional densities of the autoregressive generator."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gampl.generators.gpu import running_sum

# Bounds of log sigma. Below, a component could sit on one training event and make its density arbitrarily
# high (e^-5 is far narrower than anything in standardised events); above, exp could overflow.
LOG_SIGMA_RANGE = (-5.0, 3.0)


class Mixture(NamedTuple):
    """Mixtures of K Gaussians: tensors of shape (..., K)."""

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

    def _standardise(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(-1) - self.means) * torch.exp(-self.log_sigmas)  # (..., K)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density at x: (...) -> (...)."""
        z = self._standardise(x)
        log_terms = self.log_weights - self.log_sigmas - 0.5 * z * z
        return log_terms.logsumexp(-1) - 0.5 * math.log(2 * math.pi)

    def cdf(self, x: Tensor) -> Tensor:
        """Probability of a value below x: (...) -> (...)."""
        return (self.log_weights.exp() * torch.special.ndtr(self._standardise(x))).sum(-1)

    def pick(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Turns uniform and standard normal numbers (n,) into samples (n,).

        The uniform number chooses the component, the normal one the place in it. The mixtures are (n, K), or
        (1, K) for one mixture that all samples share.
        """
        below = running_sum(self.log_weights.exp())  # (n or 1, K)
        component = (uniform.unsqueeze(-1) > below).sum(-1, keepdim=True)  # (n, 1)
        component = component.clamp_max(below.shape[-1] - 1)  # a cumulated weight may round to below 1
        mean, log_sigma = (
            part.expand(len(component), -1).gather(-1, component).squeeze(-1)  # (n,)
            for part in (self.means, self.log_sigmas)
        )
        return mean + log_sigma.exp() * normal
