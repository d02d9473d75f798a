"""Any generator of vectors of numbers, rows of tables or LHC events, made from plain settings."""

from torch import Tensor

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.base import CutAwareNormal, Normal
from gampl.generators.densities import Density, Plain, Spline
from gampl.generators.generator import Generator
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Architecture, Solver
from gampl.generators.table_columns import Columns
from gampl.generators.tables import RowGenerator
from gampl.particles.coordinates import Coordinates, JetCoordinates


def make_generator(
    size: Architecture,
    coordinates: Coordinates | Columns,
    x: Tensor,
    condition: Tensor | None = None,
    *,
    seed: int,
    member: int = 0,
    delta_r_min: float | None = None,
    solver: Solver | None = None,
) -> Generator:
    """An untrained generator of events with coordinates; initial weights depend on the seed and the member's number.

    It learns its standardisation from network coordinates x of the training events, (n_train, d), and from what is
    known of each of them and not to be generated, the condition, (n_train, c), or several, (n_train, K, c). Only a flow
    uses the smallest distance of two jets, if it starts from jets that pass the cuts, and the solver, when it generates
    and for its density.
    """
    conditions = 0 if condition is None else condition.shape[-1]
    if not size.is_flow:
        kind = Spline if size.kind == "spline" else AutoregressiveTransformer
        stream = torch_generator(seed, "weights", member)
        density = kind(coordinates.d, size, conditions=conditions, generator=stream)
        if isinstance(coordinates, Columns):
            return RowGenerator(coordinates, density, condition=condition)
        return Density(coordinates, density, None if isinstance(coordinates, Plain) else x, condition)

    from gampl.generators.flow_matching import FlowMatching  # its libraries are for flows only
    from gampl.generators.velocity import make_velocity

    if isinstance(coordinates, Columns):
        raise TypeError("a flow is for events of particles, not for rows of a table")
    velocity = make_velocity(size, coordinates, x, seed=seed, member=member, conditions=conditions)
    base: CutAwareNormal | Normal = Normal(coordinates.angles)
    if size.base == "cut_aware" and isinstance(coordinates, JetCoordinates) and delta_r_min is not None:
        base = CutAwareNormal(coordinates, delta_r_min)
    return FlowMatching(coordinates, velocity, base, solver, condition)
