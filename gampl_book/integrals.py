"""Integrals of the members' densities over radial shells, without sampling noise to subtract.

The probability of |x| < r is an expectation over all coordinates but the last, which is integrated analytically:

    P(|x| < r) = < F(a|x_1 ... x_{d-1}) - F(-a|x_1 ... x_{d-1}) >,    a = sqrt(r^2 - x_1^2 - ... - x_{d-1}^2)

with the distribution function F of the last Gaussian mixture, Eq. (7). The first d - 1 coordinates come from scrambled
Sobol points (Owen 1998, doi:10.1006/jcom.1998.0487), the same for all members: what differs between members then is
their densities, which is what the averaging amplification looks at.
"""

import copy
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.quasirandom import SobolEngine

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.mixture import Mixture


class ShellIntegrals(NamedTuple):
    """Probabilities of shells under each member, of sum 1, and their numerical error: both (members, shells)."""

    values: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def shell_integrals(
    posterior: Iterable[AutoregressiveTransformer], edges: ArrayLike, n: int = 4096, replicates: int = 8, seed: int = 0
) -> ShellIntegrals:
    """Integrates each member's density over the shells between adjacent radii, in double precision.

    Members are for events in d >= 2 dimensions; edges are increasing radii (shells + 1,), from 0 to infinity. Each of
    the independent scrambles, whose mean and scatter are returned, has n points, a power of two. Raises ValueError for
    other arguments.
    """
    radii = np.asarray(edges, dtype=np.float64)
    if radii.ndim != 1 or len(radii) < 2 or radii[0] != 0 or radii[-1] != np.inf or not (np.diff(radii) > 0).all():
        raise ValueError(f"edges must be increasing radii from 0 to infinity, got {radii}")
    if n < 1 or n & (n - 1) or replicates < 2:
        raise ValueError(f"n must be a power of two and replicates at least 2, got {n} and {replicates}")
    inner = torch.from_numpy(radii[1:-1])
    members = [copy.deepcopy(member).cpu().double() for member in posterior]
    dimensions = {member.features for member in members}
    if len(dimensions) != 1 or min(dimensions) < 2:
        raise ValueError(f"expected members for events of one dimension d >= 2, got d in {dimensions or 'no member'}")
    scrambles = np.empty((replicates, len(members), len(radii) - 1))
    for replicate in range(replicates):
        numbers = sobol_numbers(n, members[0].features - 1, seed, replicate)
        for i, member in enumerate(members):
            below = _probability_below(member, inner, *numbers).numpy()
            scrambles[replicate, i] = np.diff(below, prepend=0.0, append=1.0)
    return ShellIntegrals(scrambles.mean(0), scrambles.std(0, ddof=1) / math.sqrt(replicates))


def sobol_numbers(n: int, columns: int, seed: int, replicate: int = 0) -> tuple[Tensor, Tensor]:
    """Scrambled Sobol points as uniform and as standard normal numbers, (n, columns) each, in double precision."""
    scramble = int(np.random.SeedSequence([seed, replicate]).generate_state(1)[0])
    engine = SobolEngine(2 * columns, scramble=True, seed=scramble)  # type: ignore[no-untyped-call]
    points = engine.draw(n, dtype=torch.float64)
    points += 2.0**-31  # from the lower ends of cells of width 2^-30, 0 among them, to their centres
    return points[:, 0::2], torch.special.ndtri(points[:, 1::2])


@torch.no_grad()
def _probability_below(member: AutoregressiveTransformer, radii: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
    """P(|x| < r) for each radius: (V,), (n, d - 1), (n, d - 1) -> (V,)."""
    x, last = member.conditional(uniform, normal)  # (n, d - 1), mixture (n, K)
    last = Mixture(*(part.unsqueeze(-2) for part in last))  # (n, 1, K)
    half_length = (radii.square() - x.square().sum(-1, keepdim=True)).clamp_min(0.0).sqrt()  # (n, V)
    return (last.cdf(half_length) - last.cdf(-half_length)).mean(0)
