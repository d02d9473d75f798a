"""What members are trained on, and how they are before their first step."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from gampl.generators.densities import Plain, make_density
from gampl.generators.generator import Generator
from gampl.generators.make import make_generator
from gampl.generators.settings import Solver
from gampl.generators.table_columns import learn_columns
from gampl.generators.tables import Kernels, RowGenerator
from gampl.particles.coordinates import JetCoordinates, LeadingOrderCoordinates
from gampl.store.artifacts import array_digest
from gampl.training.bayesian import Variational
from gampl.training.members import Member, own
from gampl.training.settings import LeadingOrder, Ring, Table, Training
from gampl.training.splits import split_of, weighed


@dataclass(frozen=True)
class Data:
    """What a generator is trained on."""

    events: ArrayLike  #: In ``(n, *event_shape)``; see `Training.n_events`.
    weights: ArrayLike | None = None  #: Of the events in the loss, (n,), not negative.
    condition: ArrayLike | None = None  #: What the generator is told of each event, (n, c).

    def checked(self, training: Training, label: str) -> "Data":
        """The same as arrays of float64.

        Raises:
            ValueError: If a shape is wrong, or there are weights or conditions that are not possible.
        """
        n, shape = training.n_events, training.process.event_shape
        events = np.array(self.events, dtype=np.float64)
        if len(events) != n:
            raise ValueError(f"{label}: the training takes {n} events, but there are {len(events)}")
        if events.shape[1:] != shape:
            raise ValueError(f"{label}: events must have shape (n, {', '.join(map(str, shape))}), got {events.shape}")
        weights = condition = None
        if self.weights is not None:
            weights = np.array(self.weights, dtype=np.float64)
            if weights.shape != (n,) or not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
                raise ValueError(f"{label}: weights must be {n} finite numbers, not negative and not all zero")
        if self.condition is not None or training.conditions:
            condition = np.array([] if self.condition is None else self.condition, dtype=np.float64)
            if condition.shape != (n, training.conditions) or not np.isfinite(condition).all():
                shapes = f"{n, training.conditions}, got {condition.shape}"
                raise ValueError(f"{label}: condition must be finite numbers of shape {shapes}")
        return Data(events, weights, condition)

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the arrays."""
        arrays = {"data": self.events, "weights": self.weights, "condition": self.condition}
        return {name: array_digest(np.asarray(array)) for name, array in arrays.items() if array is not None}


def untrained(
    training: Training, data: Data, number: int, device: torch.device | None = None, solver: Solver | None = None
) -> Member:
    """A member before its first step, on a device, by default the CPU.

    Args:
        training: What it is to be trained on and how large it is.
        data: Its training events, see `Data.checked`.
        number: Of the member; initial weights, split and batches depend on it and the seed.
        device: Where it is to be trained.
        solver: For flows, see `gampl.generators.flow_matching`.
    """
    process, size, seed = training.process, training.architecture, training.seed
    events = torch.from_numpy(np.asarray(data.events))
    condition, weights = (
        None if a is None else torch.from_numpy(np.asarray(a)) for a in (data.condition, data.weights)
    )
    split = split_of(training.posterior, training.n_seen, seed, *own(training, number))
    if weights is not None:
        weights = weights.float()
        split = weighed(split, weights)
    if min(len(split.train), len(split.held_back)) == 0 and training.posterior != "bayesian":
        raise ValueError(f"{len(events)} events are too few: none of them is left to train on, or to hold back")
    generator: Generator
    if isinstance(process, Table):
        columns, z = learn_columns(events.numpy(), seed, process.columns)
        x = torch.from_numpy(z).float().to(device)
        if size.kind == "kde":
            density: Any = Kernels(z, split.train.numpy(), split.weights.numpy(), size.bandwidth)
        else:
            density = make_density(size, z.shape[1], training.conditions, seed, number)
        generator = RowGenerator(columns, density, condition).to(device)
    else:
        coordinates: Any
        if isinstance(process, Ring):
            coordinates = Plain(process.dim)
        elif isinstance(process, LeadingOrder):
            coordinates = LeadingOrderCoordinates.of(events, process.energy, process.top_mass, process.m_max)
        else:
            coordinates = JetCoordinates.of(events, process.pt_min)
        options: dict[str, Any] = {"delta_r_min": getattr(process, "delta_r_min", None), "solver": solver}
        x = coordinates.to_network(events)
        generator = make_generator(size, coordinates, x, condition, seed=seed, member=number, **options).to(device)
        x = generator.coordinates.to_network(events.to(device))
    kind = Variational if training.posterior == "bayesian" else Member
    return kind(generator, x, split, training, number, None if condition is None else condition.to(device), weights)
