"""Velocity networks of conditional flow matching, Eqs. (40)-(42): one interface, one file for each kind of network."""

from torch import Tensor

from gampl.generators.randomness import global_stream, torch_generator
from gampl.generators.settings import FLOWS, Architecture
from gampl.generators.velocity.inputs import VelocityNetwork
from gampl.particles.coordinates import Coordinates


def make_velocity(
    settings: Architecture,
    coordinates: Coordinates,
    x: Tensor,
    *,
    seed: int,
    member: int,
    conditions: int = 0,
    references: bool = True,
) -> VelocityNetwork:
    """A velocity network with its initial weights, with which it is nearly zero everywhere.

    Seed and number of the member decide these; the global random stream stays as it is. The coordinates do not become a
    part of the network and must be moved to its device; of those of training events, x, (n, d), "lloca" takes the scale
    of the invariant masses. Without references to the beams and the time axis an equivariant network is equivariant
    under all Lorentz transformations, as no generator of events at a collider should be; for tests.

    Raises:
        ValueError: If the kind is not one of a velocity network.
    """
    if settings.kind not in FLOWS:
        raise ValueError(f'settings.kind must be one of {FLOWS} for a velocity network, got "{settings.kind}"')
    with global_stream(torch_generator(seed, "velocity", member)):
        # each library is imported only where it is needed: lloca's takes seconds
        if settings.kind == "transformer":
            from gampl.generators.velocity.transformer import TransformerVelocity

            return TransformerVelocity(settings, coordinates, conditions)
        if settings.kind == "lloca":
            from gampl.generators.velocity.lloca import LLoCaVelocity

            return LLoCaVelocity(settings, coordinates, conditions, references, x)
        from gampl.generators.velocity.lgatr import LGATrSlimVelocity, LGATrVelocity

        kind = LGATrVelocity if settings.kind == "lgatr" else LGATrSlimVelocity
        return kind(settings, coordinates, conditions, references)
