"""Train or load: one call from the plain numbers of a training to a generator of LHC events."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gampl.generators.devices import pick_device
from gampl.generators.event_settings import EventTraining, LeadingOrder, Solver
from gampl.generators.events import AnyGenerator, make_generator
from gampl.generators.flow_matching import FlowMatching
from gampl.generators.memory import AtOnce
from gampl.generators.randomness import torch_generator
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, array_digest, key_digest
from gampl.training.ensemble import Split, split_of
from gampl.training.fit import History, fit

PACKAGES = ("lgatr", "lloca", "numpy", "torch", "torchdiffeq", "zuko")
VALIDATION_REPEATS = 4  # times at which each held-back event is looked at, for flows
VALIDATION_BATCH = 2048

_HISTORY = "history."


@dataclass(frozen=True)
class TrainedMember:
    """The outcome of a training.

    Attributes:
        training: What was asked for.
        generator: On the CPU; untrained where the training failed.
        history: How it went; None if it stopped on a loss that was not finite.
        failure: Why this member must not be used, by the rule of `failure`; empty for a good one.
        data_digest: SHA-256 of the training events.
        artifact: Name of the artifact in the store.
    """

    training: EventTraining
    generator: AnyGenerator
    history: History | None
    failure: str
    data_digest: str
    artifact: str

    def summary(self) -> str:
        """One line for people."""
        if self.history is None:
            return f"EXCLUDED: {self.failure}, artifact {self.artifact[:12]}"
        history, excluded = self.history, f"EXCLUDED: {self.failure}; " if self.failure else ""
        return (
            f"{excluded}best step {history.best_step[0]} of {history.steps[-1]}, {history.seconds:.0f} s on "
            f"{history.device}, artifact {self.artifact[:12]}"
        )


def train_or_load(
    training: EventTraining,
    events: NDArray[np.float64],
    store: Store | None = None,
    *,
    solver: Solver | None = None,
    device: str | torch.device | None = None,
    label: str = "training",
) -> TrainedMember:
    """Finds a training's outcome in the store or trains; an interrupted training goes on where it was.

    A training that diverges is an outcome as any other: it is stored with its reason, and not tried again.

    Args:
        training: What to train.
        events: The training events, (n_train, *event_shape), see `EventTraining.n_events`.
        store: Where to look and to keep it; by default the project's store, see `gampl.store.artifacts.default_root`.
        solver: How a flow is to be solved when it generates. It does not count as a difference of the training.
        device: Where to train, see `gampl.generators.devices.pick_device`. The device does not count as a difference.
        label: What to call this training in messages.

    Raises:
        ValueError: If there are not n_train events, or they have the wrong shape or are outside phase space; or a
            repulsive member is not there yet, see `gampl.training.side_by_side.train_or_load_members`.
    """
    check_events(training, events, label)
    store = store or Store()
    key = artifact_key(training, events)

    def make(checkpoints: Path) -> Artifact:
        if training.together > 1:
            raise ValueError(f"{label}: the members of a repulsive ensemble are trained together, not one by one")
        return train(training, events, checkpoints / "checkpoint.safetensors", label, pick_device(device))

    artifact = store.get_or_make(key, make)
    generator = make_generator(training, torch.from_numpy(events), solver)
    weights = {name: torch.from_numpy(a) for name, a in artifact.arrays.items() if not name.startswith(_HISTORY)}
    if weights:
        generator.load_state_dict(weights)
    return TrainedMember(
        training, generator.eval(), _history(artifact), artifact.about["failure"], key["data"], key_digest(key)
    )


def check_events(training: EventTraining, events: NDArray[np.float64], label: str) -> None:
    """Raises ValueError if there are not n_events events of the process's shape."""
    if len(events) != training.n_events:
        more = "" if training.n_events == training.n_train else f", which takes {training.n_events} events"
        raise ValueError(f"{label}: n_train is {training.n_train}{more}, but there are {len(events)} events")
    expected = (4,) if isinstance(training.process, LeadingOrder) else (6 + training.process.extra_jets, 4)
    if events.shape[1:] != expected:
        raise ValueError(f"{label}: events must have shape (n, {', '.join(map(str, expected))}), got {events.shape}")


def artifact_key(training: EventTraining, events: NDArray[np.float64]) -> dict[str, Any]:
    """All that the trained weights depend on: settings, events, the source of this module and below, versions."""
    settings = asdict(replace(training, fit=replace(training.fit, checkpoint_seconds=0.0)))
    return {
        "training": settings | {"process": {"name": type(training.process).__name__, **asdict(training.process)}},
        "data": array_digest(events),
        "source": _source(),
        # without local labels such as "+cpu": a GPU machine finds what was trained without one
        "versions": {name: version(name).split("+")[0] for name in PACKAGES},
    }


@cache
def _source() -> str:
    return provenance.digest(provenance.source_files(Path(__file__)))


def train(
    training: EventTraining, events: NDArray[np.float64], checkpoint: Path, label: str, device: torch.device
) -> Artifact:
    """Trains on events (n_train, *event_shape) and returns what is to be stored."""
    member = untrained_member(training, events, device)
    untrained = float(member.validation_losses(AtOnce(f"{label}, validation")))
    try:
        history = fit(member, training.fit, checkpoint=checkpoint, label=label)
    except FloatingPointError as error:
        return Artifact({}, {"failure": f"stopped: {error}", "device": str(device)})
    return outcome(member.generator, history, untrained)


def untrained_member(training: EventTraining, events: NDArray[np.float64], device: torch.device) -> "Member":
    """A member before its first step, from training events (n_train, *event_shape)."""
    generator = make_generator(training, torch.from_numpy(events)).to(device)
    x = generator.coordinates.to_network(torch.from_numpy(events).to(device))
    split = split_of(training.posterior, training.n_train, training.seed, training.member)
    return Member(generator, x, split, training)


def outcome(generator: AnyGenerator, history: History, untrained: float) -> Artifact:
    """What is stored of a trained member; `untrained` is its loss on the held-back events before the first step."""
    curves = {_HISTORY + name: value for name, value in vars(history).items() if isinstance(value, np.ndarray)}
    weights = {name: p.detach().cpu().numpy() for name, p in generator.state_dict().items()}
    about = {"seconds": history.seconds, "device": history.device, "failure": failure(history, untrained)}
    return Artifact(weights | curves, about)


def failure(history: History, untrained: float) -> str:
    """Why a member must not be used; empty for a good one.

    The rule looks at each member alone: a comparison with the others would cut into the spread that is measured.

    Args:
        history: Of its training.
        untrained: Its loss on the held-back events before the first step.
    """
    losses = history.validation_loss[:, 0]
    best = float(np.min(losses[np.isfinite(losses)], initial=np.inf))
    if best < untrained:
        return ""
    return f"learned nothing: the best loss on held-back events is {best:.3g}, before training it was {untrained:.3g}"


class Member:
    """One generator as something that `gampl.training.fit.fit` can train.

    Args:
        generator: On the device to train on.
        x: Network coordinates of the training events, (n_train, d), on that device.
        split: Which of them it is trained on, with which weights, and which it holds back.
        training: Batch size, seed, precision and whether to compile.
    """

    members = 1

    def __init__(self, generator: AnyGenerator, x: Tensor, split: Split, training: EventTraining) -> None:
        self.generator, self.x, self.split, self.training = generator, x, split, training
        self.parameters = {name: p for name, p in generator.named_parameters() if p.requires_grad}
        self.streams: Sequence[torch.Generator] = [torch_generator(training.seed, "batches", training.member)]
        on_gpu = x.device.type == "cuda"
        self.lower_precision = on_gpu and training.precision == "bfloat16"
        if on_gpu and training.compile and isinstance(generator, FlowMatching):
            generator.velocity.compile()

    def _drawn(self, rows: Tensor, weights: Tensor, stream: torch.Generator) -> tuple[Tensor, ...]:
        """Weights and events of these row numbers, and what is random in their loss: (n,), (n,) -> (n,), (n, d), ..."""
        device = self.x.device
        return weights.to(device), self.x[rows.to(device)], *self.generator.noise(len(rows), stream)

    def autocast(self) -> torch.autocast:
        """The context of the precision of its arithmetic."""
        return torch.autocast(self.x.device.type, torch.bfloat16, enabled=self.lower_precision)

    def _loss(self, weights: Tensor, *drawn: Tensor) -> Tensor:
        """The weighted loss of each event, (n,)."""
        with self.autocast():
            return weights * self.generator.loss(*drawn).float()

    def draw(self) -> tuple[Tensor, ...]:
        """Weights and events of a batch, (B,) and (B, d), and what is random in their loss."""
        split, stream = self.split, self.streams[0]
        chosen = torch.randint(len(split.train), (self.training.fit.batch_size,), generator=stream)
        return self._drawn(split.train[chosen], split.weights[chosen], stream)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """Mean loss of what was drawn, or of some rows of it: (1,)."""
        return self._loss(*drawn).mean().unsqueeze(0)

    @torch.no_grad()
    def validation_losses(self, at_once: AtOnce) -> Tensor:
        """Mean loss of the held-back events, (1,), always at the same times and latent events."""
        losses = torch.cat([at_once.map(self._loss, *drawn) for drawn in self.validation_batches()])
        return losses.mean().unsqueeze(0).cpu()

    def validation_batches(self) -> Iterator[tuple[Tensor, ...]]:
        """The held-back events in batches with what is random in their loss, see `draw`."""
        stream = torch_generator(self.training.seed, "validation", self.training.member)
        rows = self.split.held_back.repeat(VALIDATION_REPEATS if self.training.generator.is_flow else 1)
        for part in torch.split(rows, VALIDATION_BATCH):
            yield self._drawn(part, torch.ones(len(part)), stream)


def _history(artifact: Artifact) -> History | None:
    if _HISTORY + "steps" not in artifact.arrays:
        return None
    names = ("steps", "train_loss", "validation_loss", "best_step")
    curves = {name: artifact.arrays[_HISTORY + name] for name in names}
    return History(**curves, seconds=artifact.about["seconds"], device=artifact.about["device"])
