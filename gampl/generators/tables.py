"""Generators of rows of a table: any explicit density of the standardised columns, or a sum of Gaussians."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import gaussian_kde
from torch import Tensor, nn

from gampl.generators.densities import Density
from gampl.generators.table_columns import Floats


class Kernels(nn.Module):
    """A Gaussian around each training event, with a width by Scott's rule for n_train events, times the bandwidth.

    Of the standardised training events z, (n_train, d), a member has some rows with their weights, (k,) both.
    """

    dtype = torch.float64

    def __init__(self, z: Floats, rows: NDArray[np.int64], weights: NDArray[np.float32], bandwidth: float) -> None:
        super().__init__()
        scott = len(z) ** (-1 / (z.shape[1] + 4))  # not of the fewer events that are left after resampling
        self.kde = gaussian_kde(z[rows].T, bw_method=bandwidth * scott, weights=weights)

    def log_prob(self, x: Tensor, _: Tensor | None = None) -> Tensor:
        """Log density, (n, d) -> (n,)."""
        return torch.from_numpy(np.asarray(self.kde.logpdf(x.numpy(force=True).T)))

    def transform(self, x: Tensor, _: Tensor | None = None) -> Tensor:
        """Drawn events as they are, (n, d)."""
        return x


class RowGenerator(Density):
    """A generator of rows of a table, from a density of the standardised columns."""

    coordinates: Any  # `Columns`, which are not a module
    batch_size = 10_000
    log_prob_batch = 10_000

    def latent(self, n: int, generator: np.random.Generator) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Draws what the density makes events of, (n, d) each, from numpy's random streams."""
        if isinstance(self.density, Kernels):
            return (torch.from_numpy(np.asarray(self.density.kde.resample(n, seed=generator).T)),)
        draws: dict[str, Any] = {"uniform": generator.random, "normal": generator.standard_normal}
        shape, like = (n, self.density.features), next(self.density.parameters())
        return tuple(torch.from_numpy(draws[kind](shape)).to(like) for kind in self.density.numbers)

    @torch.no_grad()
    def generate(self, condition: Tensor | None, *latent: Tensor) -> Tensor:
        """Makes rows: (n, c), (n, d) each -> (n, d)."""
        z = self.density.transform(*latent, self.standardised_condition(condition))
        return torch.from_numpy(self.coordinates.to_values(z.double().numpy(force=True)))

    @torch.no_grad()
    def log_prob(self, events: Tensor, condition: Tensor | None = None) -> Tensor:
        """Log density of rows, (n, d), (n, c) -> (n,); in columns on a grid per step, see `Columns.log_prob`."""
        device = None if isinstance(self.density, Kernels) else next(self.density.parameters()).device

        def log_density(z: Floats, inside: NDArray[np.bool_]) -> Floats:
            told = None if condition is None else condition[torch.from_numpy(inside)].to(device)
            return -self(torch.from_numpy(z).to(device), told).double().numpy(force=True)

        return torch.from_numpy(self.coordinates.log_prob(events.numpy(force=True), log_density))
