"""Velocity networks of conditional flow matching, Eqs. (40)-(42): one interface, one file for each architecture."""

from typing import Protocol

from torch import Tensor, nn

from gampl.generators.randomness import global_stream, torch_generator
from gampl.generators.settings import FLOWS, Architecture
from gampl.particles.coordinates import Coordinates


class Velocity(Protocol):
    """What all of these `nn.Module`s are: dx/dt as the network sees it, Eq. (42)."""

    def __call__(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """dx/dt of events with coordinates x at their times t: (n, d), (n,), (n, c) -> (n, d), in the type of x."""


def make_velocity(
    settings: Architecture,
    coordinates: Coordinates,
    x: Tensor,
    *,
    seed: int,
    member: int,
    conditions: int = 0,
    references: bool = True,
) -> nn.Module:
    """A velocity network with its initial weights, a `Velocity` that is nearly zero everywhere.

    Args:
        settings: Kind and size.
        coordinates: Of the events. They do not become a part of the network and must be moved to its device.
        x: Coordinates of training events, (n, d), of which "lloca" takes the scale of the invariant masses.
        seed: Decides the initial weights together with the member; the global random stream stays as it is.
        member: Number of the network in its ensemble.
        conditions: Numbers of each event that the network is told besides.
        references: Whether an equivariant network is told the beams and the time axis. Without, it is equivariant
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
        if settings.kind == "lgatr":
            from gampl.generators.velocity.lgatr import LGATrVelocity

            return LGATrVelocity(settings, coordinates, references, conditions)
        if settings.kind == "lgatr_slim":
            from gampl.generators.velocity.lgatr_slim import LGATrSlimVelocity

            return LGATrSlimVelocity(settings, coordinates, references, conditions)
        from gampl.generators.velocity.lloca import LLoCaVelocity

        return LLoCaVelocity(settings, coordinates, references, conditions, x)
