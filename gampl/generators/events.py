"""Generators of LHC events, made from plain settings."""

from torch import Tensor

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.base import CutAwareNormal, Normal
from gampl.generators.densities import AutoregressiveEvents, SplineEvents
from gampl.generators.event_settings import EventTraining, LeadingOrder, Solver
from gampl.generators.flow_matching import FlowMatching
from gampl.generators.randomness import torch_generator
from gampl.generators.velocity import make_velocity
from gampl.particles.coordinates import JetCoordinates, LeadingOrderCoordinates

# each a torch.nn.Module with `coordinates`, `loss`, `stream`, `sample` and `log_prob`
AnyGenerator = FlowMatching | AutoregressiveEvents | SplineEvents


def make_generator(training: EventTraining, events: Tensor, solver: Solver | None = None) -> AnyGenerator:
    """An untrained generator.

    Args:
        training: What it is to be trained on and how large it is; initial weights depend on seed and member.
        events: The training events (n_train, *event_shape), which the network coordinates are standardised with.
        solver: For flows, see `gampl.generators.flow_matching`.

    Raises:
        ValueError: If the events are outside phase space or not finite.
    """
    size, process = training.generator, training.process
    coordinates: JetCoordinates | LeadingOrderCoordinates
    if isinstance(process, LeadingOrder):
        coordinates = LeadingOrderCoordinates.of(events, process.energy, process.top_mass, process.m_max)
    else:
        coordinates = JetCoordinates.of(events, process.pt_min)
    x = coordinates.to_network(events)
    weights = torch_generator(training.seed, "weights", training.member)
    if size.kind == "autoregressive":
        network = AutoregressiveTransformer(
            coordinates.d, size.width, size.blocks, size.heads, size.components, generator=weights
        )
        return AutoregressiveEvents(coordinates, x, network)
    if size.kind == "spline":
        return SplineEvents(
            coordinates, x, blocks=size.blocks, width=size.width, bins=size.components, generator=weights
        )
    velocity = make_velocity(size, coordinates, x, seed=training.seed, member=training.member)
    if isinstance(coordinates, JetCoordinates) and not isinstance(process, LeadingOrder) and size.base == "cut_aware":
        return FlowMatching(coordinates, velocity, CutAwareNormal(coordinates, process.delta_r_min), solver)
    return FlowMatching(coordinates, velocity, Normal(coordinates.angles), solver)
