"""Train or load: an ensemble of generators of events that are rows of a user's own table of numbers.

The generators know nothing of what the columns mean. They see them standardised, by `gampl.generators.table_columns`.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gampl.generators.devices import pick_device
from gampl.generators.memory import AtOnce
from gampl.generators.randomness import torch_generator
from gampl.generators.table_columns import Columns, learn_columns
from gampl.generators.table_settings import TableTraining
from gampl.generators.tables import Kernels, Spline
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, array_digest, key_digest
from gampl.training.ensemble import Split, split_of
from gampl.training.fit import History, fit

CHUNK = 10_000  # events that share a random stream; another number makes other events
PACKAGES = ("numpy", "scipy", "torch", "zuko")

# a training's fields that its generator does not look at
_NOT_USED = {"spline": ("bandwidth",), "kde": ("fit", "transforms", "width", "bins")}
_HISTORY = "history."

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainedTable:
    """The outcome of a training: a generator of rows.

    Attributes:
        training: What was asked for.
        columns: Map from rows to standardised columns.
        generator: Of standardised columns; untrained where the training failed.
        history: How it went; None for a "kde", and for a training that stopped on a loss that was not finite.
        failure: Why this member must not be used; empty for a good one.
        data_digest: SHA-256 of the training events.
        artifact: Digest of all that the generator depends on; the name of a "spline" in the store.
    """

    training: TableTraining
    columns: Columns
    generator: Spline | Kernels
    history: History | None
    failure: str
    data_digest: str
    artifact: str

    def sample(self, n: int, rng: np.random.Generator | int) -> Floats:
        """Draws n events, (n, d); a number instead of a random stream is its seed."""
        return self.columns.to_values(self.generator.draw(n, np.random.default_rng(rng)))

    def stream(self, n: int, seed: int, batch_size: int = CHUNK) -> Iterator[Floats]:
        """Yields n events in batches of (batch_size, d); the last one may be shorter.

        The events depend on seed and member only: a longer stream begins with the shorter one.

        Raises:
            ValueError: If n or batch_size is not positive.
        """
        if n < 1 or batch_size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        waiting = np.empty((0, self.training.dim))
        for k in range(-(-n // CHUNK)):
            rng = np.random.default_rng([seed, zlib.crc32(b"generated"), self.training.member, k])
            waiting = np.concatenate([waiting, self.sample(CHUNK, rng)[: n - k * CHUNK]])
            while len(waiting) >= batch_size:
                yield waiting[:batch_size]
                waiting = waiting[batch_size:]
        if len(waiting):
            yield waiting

    def log_prob(self, events: ArrayLike) -> Floats:
        """Log density of events, (n, d) -> (n,); in columns on a grid per step, see `Columns.log_prob`."""
        return self.columns.log_prob(events, self.generator.log_density)

    def summary(self) -> str:
        """One line for people."""
        name = f"artifact {self.artifact[:12]}"
        if self.failure:
            return f"EXCLUDED: {self.failure}; {name}"
        if self.history is None:
            return f"{self.training.n_train} training events, {name}"
        history = self.history
        return (
            f"best step {history.best_step[0]} of {history.steps[-1]}, {history.seconds:.0f} s on {history.device}, "
            f"{name}"
        )


class TableEnsemble:
    """Members that share their training events, as a `gampl.training.Posterior`; those that failed are left out.

    Its members are counted from 0 among those that are left; `excluded` has their own numbers.

    Args:
        members: Trained generators.

    Attributes:
        excluded: Reason of each member that is left out, by its number.

    Raises:
        ValueError: If no member is left, or they have not seen the same events.
    """

    def __init__(self, members: Sequence[TrainedTable]) -> None:
        if len({member.data_digest for member in members}) > 1:
            raise ValueError("members must share their training events, but these were trained on different ones")
        self.members = [member for member in members if not member.failure]
        self.excluded = {member.training.member: member.failure for member in members if member.failure}
        if not self.members:
            raise ValueError(f"no member is left: {self.excluded}")

    def __len__(self) -> int:
        return len(self.members)

    def stream(self, member: int, n: int, seed: int, batch_size: int = CHUNK) -> Iterator[Floats]:
        """Yields n events of a member, see `TrainedTable.stream`."""
        yield from self.members[member].stream(n, seed, batch_size)

    def sample(self, member: int, n: int, seed: int) -> Floats:
        """The first n events of a member: (n, d)."""
        return np.concatenate(list(self.stream(member, n, seed)))

    def log_prob(self, events: ArrayLike) -> Floats:
        """Log density of each event under each member: (n, d) -> (members, n)."""
        return np.stack([member.log_prob(events) for member in self.members])


def train_ensemble(
    training: TableTraining,
    events: ArrayLike,
    members: int,
    store: Store | None = None,
    *,
    names: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    label: str = "training",
    report: Callable[[TrainedTable], None] | None = None,
) -> TableEnsemble:
    """Trains or loads members number 0, 1, ... that differ in nothing but their number.

    Args:
        training: What to train; its own `member` is not looked at.
        events: The training events, (n_train, d).
        members: How many.
        store: Where to look and to keep them, see `train_or_load`.
        names: What to call the columns in messages.
        device: Where to train, see `gampl.generators.devices.pick_device`.
        label: What to call this ensemble in messages.
        report: Called with each member when it is there.

    Raises:
        ValueError: See `train_or_load` and `TableEnsemble`.
    """
    trained = []
    for k in range(members):
        name = f"{label} {k + 1}/{members}"
        member = train_or_load(replace(training, member=k), events, store, names=names, device=device, label=name)
        if report:
            report(member)
        trained.append(member)
    return TableEnsemble(trained)


def train_or_load(
    training: TableTraining,
    events: ArrayLike,
    store: Store | None = None,
    *,
    names: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    label: str = "training",
) -> TrainedTable:
    """Finds a training's outcome in the store or trains; an interrupted training goes on where it was.

    A training that diverges is an outcome as any other: it is stored with its reason, and not tried again.

    Args:
        training: What to train. A "kde" is made at once and not stored.
        events: The training events, (n_train, d).
        store: Where to look and to keep it; by default the project's store, see `gampl.store.artifacts.default_root`.
        names: What to call the columns in messages.
        device: Where to train, see `gampl.generators.devices.pick_device`. The device does not count as a difference.
        label: What to call this training in messages.

    Raises:
        ValueError: If there are not n_train events of dim columns, or no density can describe them, see
            `gampl.generators.table_columns.learn_columns`.
    """
    x = np.array(events, dtype=np.float64)
    if x.shape != (training.n_train, training.dim):
        raise ValueError(
            f"{label}: events must have shape (n_train, dim) = {training.n_train, training.dim}, got {x.shape}"
        )
    columns, z = learn_columns(x, training.seed, names)
    key = artifact_key(training, x)
    if training.generator == "kde":
        kernels = Kernels(z, _split_of(training), training.bandwidth)
        return TrainedTable(training, columns, kernels, None, "", key["data"], key_digest(key))

    def make(checkpoints: Path) -> Artifact:
        return train(training, z, checkpoints / "checkpoint.safetensors", label, pick_device(device))

    artifact, generator = (store or Store()).get_or_make(key, make), Spline(training)
    weights = {name: torch.from_numpy(a) for name, a in artifact.arrays.items() if not name.startswith(_HISTORY)}
    if weights:
        generator.flow.load_state_dict(weights)
    failure = artifact.about["failure"]
    return TrainedTable(training, columns, generator, _history(artifact), failure, key["data"], key_digest(key))


def artifact_key(training: TableTraining, events: Floats) -> dict[str, Any]:
    """All that a generator depends on: settings, events, the source of this module and below, versions."""
    settings = asdict(replace(training, fit=replace(training.fit, checkpoint_seconds=0.0)))
    settings = {name: value for name, value in settings.items() if name not in _NOT_USED[training.generator]}
    return {
        "table training": settings,
        "data": array_digest(events),
        "source": _source(),
        # without local labels such as "+cpu": a GPU machine finds what was trained without one
        "versions": {name: version(name).split("+")[0] for name in PACKAGES},
    }


def train(training: TableTraining, z: Floats, checkpoint: Path, label: str, device: torch.device) -> Artifact:
    """Trains a spline flow on standardised events, (n_train, d), and returns what is to be stored."""
    flow = Spline(training).flow.to(device)
    member = _Member(flow, torch.from_numpy(z).float().to(device), _split_of(training), training)
    untrained = float(member.validation_losses(AtOnce(f"{label}, validation")))
    try:
        history = fit(member, training.fit, checkpoint=checkpoint, label=label)
    except FloatingPointError as error:
        return Artifact({}, {"failure": f"stopped: {error}", "device": str(device)})
    losses = history.validation_loss[:, 0]
    best = float(np.min(losses[np.isfinite(losses)], initial=np.inf))
    failure = "" if best < untrained else f"learned nothing: best validation loss {best:.3g}, untrained {untrained:.3g}"
    curves = {_HISTORY + name: value for name, value in vars(history).items() if isinstance(value, np.ndarray)}
    weights = {name: p.detach().cpu().numpy() for name, p in flow.state_dict().items()}
    return Artifact(weights | curves, {"seconds": history.seconds, "device": history.device, "failure": failure})


class _Member:
    """A flow as something that `gampl.training.fit.fit` can train."""

    members = 1

    def __init__(self, flow: torch.nn.Module, z: Tensor, split: Split, training: TableTraining) -> None:
        self.flow, self.z, self.split, self.batch_size = flow, z, split, training.fit.batch_size
        self.parameters = dict(flow.named_parameters())
        self.streams = [torch_generator(training.seed, "batches", training.member)]

    def draw(self) -> tuple[Tensor, ...]:
        """The events of a batch and their weights: (B, d), (B,)."""
        split, device = self.split, self.z.device
        chosen = torch.randint(len(split.train), (self.batch_size,), generator=self.streams[0])
        return self.z[split.train[chosen].to(device)], split.weights[chosen].to(device)

    def losses(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """Mean of weight times negative log-likelihood of events, Eq. (8): (b, d), (b,) -> (1,)."""
        z, weights = drawn
        return -(weights * self.flow().log_prob(z)).mean().unsqueeze(0)

    @torch.no_grad()
    def validation_losses(self, at_once: AtOnce) -> Tensor:
        """The same of the events held back: (1,)."""
        parts = torch.split(self.z[self.split.held_back.to(self.z.device)], CHUNK)
        log_prob = torch.cat([at_once.map(lambda z: self.flow().log_prob(z), part) for part in parts])
        return -log_prob.mean().unsqueeze(0).cpu()


def _split_of(training: TableTraining) -> Split:
    return split_of(training.posterior, training.n_train, training.seed, training.member)


def _history(artifact: Artifact) -> History | None:
    if _HISTORY + "steps" not in artifact.arrays:
        return None
    names = ("steps", "train_loss", "validation_loss", "best_step")
    curves = {name: artifact.arrays[_HISTORY + name] for name in names}
    return History(**curves, seconds=artifact.about["seconds"], device=artifact.about["device"])


@cache
def _source() -> str:
    return provenance.digest(provenance.source_files(Path(__file__)))
