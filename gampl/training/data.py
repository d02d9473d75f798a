"""What members are trained on, and how they are before their first step."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gampl.generators.densities import Plain
from gampl.generators.generator import Generator
from gampl.generators.jets import JetGenerator
from gampl.generators.make import make_generator
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Solver
from gampl.generators.table_columns import Columns, learn_columns
from gampl.generators.tables import Kernels, RowGenerator
from gampl.particles.coordinates import Coordinates, JetCoordinates, LeadingOrderCoordinates
from gampl.particles.jet_sequences import JetSequences
from gampl.store.artifacts import array_digest, key_digest
from gampl.training.bayesian import Variational
from gampl.training.direct import PAIRINGS, Paired, Source, Start
from gampl.training.members import Member, own
from gampl.training.settings import LeadingOrder, Ring, Table, Training, ZWithJets
from gampl.training.splits import split_of, weighed


@dataclass(frozen=True)
class Data:
    """What a generator is trained on."""

    events: ArrayLike  #: In ``(n, *event_shape)``; see `Training.n_events`.
    #: Of the events in the loss, not negative: (n,); or (n, K) for each of K conditions.
    weights: ArrayLike | None = None
    #: What the generator is told of each event, (n, c). Or K possible conditions of each event, (n, K, c), of which
    #: each batch draws one at random: then an event is worth what its weight is under that condition.
    condition: ArrayLike | None = None
    #: log p_true / p_gen of the events, (n,), for the generator at the start: wanted if `Training.alpha` is not 0.
    log_ratio: ArrayLike | None = None
    #: Weights that the generator starts with, as its ``state_dict`` has them.
    start: Mapping[str, Tensor] | None = None
    source: Source | None = None  #: Whose events a flow makes these events of, instead of noise.
    pairing: str = "random"  #: How events of the source are paired with these in training: "random" or "optimal".

    def checked(self, training: Training, label: str) -> "Data":
        """The same as arrays of float64.

        Raises:
            ValueError: If a shape is wrong, there are weights or conditions that are not possible, or a source is given
                for a generator that is not a flow.
        """
        if self.source and (not training.architecture.is_flow or training.posterior == "bayesian"):
            raise ValueError(f"{label}: direct diffusion is for flows, and not for Bayesian ones")
        if self.pairing not in PAIRINGS:
            raise ValueError(f"{label}: pairing must be one of {PAIRINGS}, got {self.pairing!r}")
        n = training.n_events
        shapes = {"events": (n, *training.process.event_shape), "weights": (n,), "condition": (n, training.conditions)}
        shapes["log_ratio"] = (n,)
        arrays = {name: np.array(a, dtype=np.float64) for name in shapes if (a := getattr(self, name)) is not None}
        if training.conditions:
            condition = arrays.setdefault("condition", np.empty(0))
            if condition.ndim == 3 and not training.alpha:
                several = (n, condition.shape[1])
                shapes |= {"condition": (*several, training.conditions), "weights": several}
                arrays.setdefault("weights", np.ones(several))
        for name, array in arrays.items():
            if array.shape != shapes[name]:
                raise ValueError(f"{label}: {name} must have shape {shapes[name]}, got {array.shape}")
            if name != "events" and not np.isfinite(array).all():
                raise ValueError(f"{label}: {name} must be finite numbers")
        weights = arrays.get("weights", np.ones(1))
        if (weights < 0).any() or not weights.any():
            raise ValueError(f"{label}: weights must not be negative, nor all zero")
        if bool(training.alpha) != ("log_ratio" in arrays):
            raise ValueError(f"{label}: events have a log_ratio if alpha is not 0, and only then")
        return Data(**arrays, start=self.start, source=self.source, pairing=self.pairing)

    @cached_property
    def digests(self) -> dict[str, Any]:
        """SHA-256 of the arrays, and what the source is called."""
        arrays = {
            "data": self.events,
            "weights": self.weights,
            "condition": self.condition,
            "log_ratio": self.log_ratio,
        }
        digests: dict[str, Any] = {
            name: array_digest(np.asarray(array)) for name, array in arrays.items() if array is not None
        }
        if self.start is not None:
            start = {name: array_digest(p.numpy(force=True)) for name, p in self.start.items()}
            digests["start"] = key_digest(start)
        if self.source is not None:
            digests |= {"source events": dict(self.source.name), "pairing": self.pairing}
        return digests


def untrained(
    training: Training, data: Data, number: int, device: torch.device | None = None, solver: Solver | None = None
) -> Member:
    """A member before its first step, on a device, by default the CPU.

    Initial weights, split and batches depend on its number and the seed only, besides the training's sizes and its
    events, see `Data.checked`. The solver is that of a flow, see `gampl.generators.flow_matching`.

    Raises:
        ValueError: If there are too few events, or they and their weights or conditions do not fit what is trained.
    """
    events = torch.from_numpy(np.asarray(data.events))
    condition, weights = (
        None if a is None else torch.from_numpy(np.asarray(a)) for a in (data.condition, data.weights)
    )
    split = split_of(training.posterior, training.n_seen, training.seed, *own(training, number))
    if weights is not None:
        weights = weights.float()
        split = weighed(split, weights)
    if min(len(split.train), len(split.held_back)) == 0 and training.posterior != "bayesian":
        raise ValueError(f"{len(events)} events are too few: none of them is left to train on, or to hold back")
    coordinates, z = _in_coordinates(training, events)
    x = z.float() if isinstance(coordinates, Columns) else z
    if isinstance(coordinates, Columns) and training.architecture.kind == "kde":
        kernels = Kernels(z.numpy(), split.train.numpy(), split.weights.numpy(), training.architecture.bandwidth)
        generator: Generator = RowGenerator(coordinates, kernels)
    else:
        generator = _network(training, coordinates, x, condition, weights, number, solver)
    if data.start is not None:
        generator.load_state_dict(data.start)
        if not isinstance(coordinates, Columns):  # its coordinates may have been learned from other events
            x = generator.coordinates.to_network(events)
    condition = None if condition is None else condition.to(device)
    kind = Variational if training.posterior == "bayesian" else Member
    generator = generator.to(device)
    if data.source is not None:
        flow: Any = generator
        flow.base = Start(flow.coordinates, data.source)  # in the place of noise
        if data.pairing == "optimal":
            kind = Paired
            if not (split.weights == 1).all():
                raise ValueError("weighted events, as those of a bootstrap, cannot be paired optimally")
    member = kind(generator, x.to(device), split, training, number, condition, weights)
    if data.log_ratio is not None:
        member.aim_at(torch.from_numpy(np.asarray(data.log_ratio)))
    return member


def _in_coordinates(training: Training, events: Tensor) -> tuple[Coordinates | Columns, Tensor]:
    """The coordinates of networks, as far as they are learned from these events, and the events in them, (n, d)."""
    process = training.process
    if isinstance(process, Table):
        columns, z = learn_columns(events.numpy(), training.seed, process.columns)
        return columns, torch.from_numpy(z)
    coordinates: Coordinates
    if isinstance(process, Ring):
        coordinates = Plain(process.dim)
    elif isinstance(process, LeadingOrder):
        coordinates = LeadingOrderCoordinates.of(events, process.energy, process.top_mass, process.m_max)
    elif isinstance(process, ZWithJets):
        coordinates = JetSequences.of(events, process.pt_min, process.order, sorts=process.sorts)
    else:
        coordinates = JetCoordinates.of(events, process.pt_min)
    return coordinates, coordinates.to_network(events)


def _network(
    training: Training,
    coordinates: Coordinates | Columns,
    x: Tensor,
    condition: Tensor | None,
    weights: Tensor | None,
    number: int,
    solver: Solver | None,
) -> Generator:
    """A generator with a network, before its first step."""
    process, size, seed = training.process, training.architecture, training.seed
    if isinstance(process, ZWithJets) and isinstance(coordinates, JetSequences):
        if condition is not None and not torch.equal(condition[:, 0], x[:, 0]):
            raise ValueError("condition must be the number of jets of each event")
        return JetGenerator(
            coordinates,
            size,
            x,
            weights,
            truncated=process.truncated,
            sees_nearest=process.sees_nearest,
            radiates=process.multiplicity == "radiated",
            generator=torch_generator(seed, "weights", number),
        )
    delta_r_min = getattr(process, "delta_r_min", None)
    return make_generator(
        size, coordinates, x, condition, seed=seed, member=number, delta_r_min=delta_r_min, solver=solver
    )
