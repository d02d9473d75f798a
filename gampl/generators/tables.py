"""Generators of the standardised columns of a table: spline flow and sum of Gaussians."""

import numpy as np
import torch
import zuko
from numpy.typing import NDArray
from scipy.stats import gaussian_kde
from torch import Tensor

from gampl.generators.randomness import global_stream, torch_generator
from gampl.generators.table_settings import TableTraining
from gampl.training.ensemble import Split

HIDDEN_LAYERS = 2
BATCH_SIZE = 10_000  # events whose density is worked out together

Floats = NDArray[np.float64]


class Spline:
    """A neural spline flow (Durkan et al. 2019, arXiv:1906.04032) of zuko's on standardised columns, (n, d).

    Args:
        training: Its size, and the seed of its initial weights.
    """

    def __init__(self, training: TableTraining) -> None:
        self.dim = training.dim
        with global_stream(torch_generator(training.seed, "weights", training.member)):
            self.flow = zuko.flows.NSF(
                training.dim,
                bins=training.bins,
                transforms=training.transforms,
                hidden_features=(training.width,) * HIDDEN_LAYERS,
            )

    @torch.no_grad()
    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draws n events, (n, d)."""
        # numpy's numbers rather than torch's: a GPU draws the same events
        normal = self._tensor(rng.standard_normal((n, self.dim)))
        z: Tensor = self.flow().transform.inv(normal)
        return z.double().numpy(force=True)

    @torch.no_grad()
    def log_density(self, z: Floats) -> Floats:
        """Log density of events, (n, d) -> (n,)."""
        parts = [self.flow().log_prob(part) for part in torch.split(self._tensor(z), BATCH_SIZE)]
        return torch.cat(parts).double().numpy(force=True)

    def _tensor(self, z: Floats) -> Tensor:
        return torch.from_numpy(z).to(next(self.flow.parameters()))


class Kernels:
    """A Gaussian around each training event, with a width by Scott's rule for n_train events.

    Args:
        z: Standardised training events, (n_train, d).
        split: Which of them this member has, and their weights.
        bandwidth: Factor on the width.
    """

    def __init__(self, z: Floats, split: Split, bandwidth: float = 1.0) -> None:
        scott = len(z) ** (-1 / (z.shape[1] + 4))  # not of the fewer events that are left after resampling
        rows, weights = split.train.numpy(), split.weights.numpy()
        self.kde = gaussian_kde(z[rows].T, bw_method=bandwidth * scott, weights=weights)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draws n events, (n, d)."""
        return np.asarray(self.kde.resample(n, seed=rng).T)

    def log_density(self, z: Floats) -> Floats:
        """Log density of events, (n, d) -> (n,)."""
        return np.asarray(self.kde.logpdf(z.T))
