"""What trainings end with: generators whose scatter stands for the posterior.

Generated LHC events are kept in the artifact store, because a flow is slow.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from gampl.generators.devices import pick_device, torch_as_it_starts
from gampl.generators.generator import Generator
from gampl.generators.memory import Divider, split
from gampl.generators.randomness import torch_generator
from gampl.store.artifacts import Artifact, Store, array_digest
from gampl.training.fit import History, join
from gampl.training.settings import Ring, Table, Training

CHUNK = 10_000  # events that share a random stream, by default
MAX_LOST = 1e-3  # share of events that are not finite above which a member is excluded

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A generator: the outcome of the training of one member."""

    training: Training  #: What was asked for.
    number: int  #: Of the member.
    generator: Generator  #: On the CPU; untrained where the training failed.
    history: History | None  #: How it went; None for a "kde", and for a training that stopped on a non-finite loss.
    failure: str  #: Why this member must not be used; empty for a good one.
    data_digest: str  #: SHA-256 of the training events.
    artifact: str  #: Digest of all that the weights depend on: the name of the artifact in the store.
    store: Store = field(default_factory=Store)  #: Where generated events are kept, if they are of LHC processes.
    chunk: int = CHUNK  #: Events that are made together. Another number makes other events.
    #: Where LHC events are made, see `gampl.generators.devices.pick_device`. A GPU makes others of the same density.
    device: str | torch.device | None = None

    def stream(
        self, n: int, seed: int, batch_size: int | None = None, condition: ArrayLike | None = None
    ) -> Iterator[NDArray[Any]]:
        """Yields n events in batches of at most ``(batch_size, *event_shape)``; LHC events are in GeV.

        The events depend on seed, member, condition, chunk and whether a GPU makes them, of rings on the batch size: a
        longer stream begins with the shorter one. Events that a flow's solver lost are NaN or infinite. A batch has by
        default as many as are made together. The condition is what the generator is told, (c,) for all or (n, c).

        Raises:
            ValueError: If n or batch_size is not positive, or the condition has another shape.
        """
        if n < 1 or (batch_size is not None and batch_size < 1):
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        conditions = self._conditions(condition, n)
        if isinstance(self.training.process, Ring):  # one random stream for all, in batches
            stream = torch_generator(seed, "events", self.number)
            for batch in self.generator.stream(n, stream, batch_size, condition=conditions):
                yield batch.numpy(force=True)
            return
        for k in range(-(-n // self.chunk)):
            events = self._chunk(k, seed, conditions)[: n - k * self.chunk]
            size = len(events) if batch_size is None else batch_size
            for start in range(0, len(events), size):
                yield events[start : start + size]

    def sample(self, n: int, seed: int, condition: ArrayLike | None = None) -> NDArray[Any]:
        """The first n events: ``(n, *event_shape)``."""
        return np.concatenate(list(self.stream(n, seed, condition=condition)))

    def lost(self, n: int, seed: int) -> int:
        """How many of the first n events are not finite; counted once and kept."""

        def count() -> Artifact:
            rows = (np.isfinite(batch.reshape(len(batch), -1)).all(axis=1) for batch in self.stream(n, seed))
            return Artifact({}, {"lost": sum(int((~finite).sum()) for finite in rows)})

        return int(self.kept(n, seed, {"question": "lost"}, count).about["lost"])

    def kept(self, n: int, seed: int, question: Mapping[str, Any], answer: Callable[[], Artifact]) -> Artifact:
        """What was found about the first n events, or else is found now: the events themselves need not be kept.

        Args:
            n: How many.
            seed: Of the latent events, see `stream`.
            question: All else that the answer depends on, its code included, as JSON.
            answer: Finds it.
        """
        return self.store.get_or_make(self._key(seed) | {"of events": n, **question}, lambda _: answer())

    @torch_as_it_starts()
    def log_prob(self, events: ArrayLike, condition: ArrayLike | None = None) -> Floats:
        """Log density of events, ``(n, *event_shape)``, and (c,) or (n, c) -> (n,).

        Raises:
            ValueError: If the events or the condition have another shape.
        """
        x, shape = torch.from_numpy(np.array(events, dtype=np.float64)), self.training.process.event_shape
        if x.shape[1:] != shape:
            raise ValueError(f"events must have shape (n, {', '.join(map(str, shape))}), got {tuple(x.shape)}")
        conditions, divider = self._conditions(condition, len(x)), Divider(f"density under {self._name}")
        with self._on_device() as (generator, device), torch.no_grad():
            batches = split((x, conditions), generator.log_prob_batch)
            parts = [divider.map(generator.log_prob, *(part.to(device) for part in batch)) for batch in batches]
        return torch.cat(parts).numpy(force=True)

    def summary(self) -> str:
        """One line for people."""
        name = f"artifact {self.artifact[:12]}"
        if self.history is None:
            return f"EXCLUDED: {self.failure}, {name}" if self.failure else f"{self.training.n_train} events, {name}"
        history, excluded = self.history, f"EXCLUDED: {self.failure}; " if self.failure else ""
        steps = f"best step {history.best_step[0]} of {history.steps[-1]}"
        return f"{excluded}{steps}, {history.seconds:.0f} s on {history.device}, {name}"

    @torch_as_it_starts()
    def _chunk(self, k: int, seed: int, conditions: Tensor) -> Floats:
        """Events number k chunk and following, ``(chunk, *event_shape)``; conditions are those of all events."""
        rows = torch.arange(k * self.chunk, (k + 1) * self.chunk)
        rows = conditions[rows.clamp_max(len(conditions) - 1)]  # the last events are made and not asked for
        if isinstance(self.training.process, Table):  # quick, and numpy's random numbers are the same on all devices
            rng: Any = np.random.default_rng([seed, zlib.crc32(b"generated"), self.number, k])
            return torch.cat(list(self.generator.stream(self.chunk, rng, condition=rows))).numpy()

        def make(_: Path) -> Artifact:
            with self._on_device() as (generator, device):
                stream = torch_generator(seed, "generated", self.number, k, device=device)
                size = -(-self.chunk // -(-self.chunk // generator.gpu_batch_size)) if device.type == "cuda" else None
                batches = generator.stream(self.chunk, stream, size, self._divider, rows.to(device))
                made = np.concatenate([batch.cpu().numpy() for batch in batches])
            return Artifact({"events": made.astype(np.float32)}, {"device": str(device)})

        key = self._key(seed) | {"number": k}
        if self.training.conditions:
            key["condition"] = array_digest(rows.numpy())
        return np.asarray(self.store.get_or_make(key, make).arrays["events"], dtype=np.float64)

    def _conditions(self, condition: ArrayLike | None, n: int) -> Tensor:
        """The condition of each of n events, (n, c), from one for all or one for each."""
        c = self.training.conditions
        conditions = np.array([] if condition is None else condition, dtype=np.float64)
        if conditions.shape not in ((c,), (n, c)):
            raise ValueError(f"condition must have shape ({c},) or ({n}, {c}), got {conditions.shape}")
        return torch.from_numpy(conditions).expand(n, c)

    @property
    def _name(self) -> str:
        """What messages call it."""
        return f"{self.training.architecture.kind} {self.number}, artifact {self.artifact[:12]}"

    @cached_property
    def _divider(self) -> Divider:
        """How many events are made together, the same for all chunks."""
        return Divider(f"generating with {self._name}")

    @contextmanager
    def _on_device(self) -> Iterator[tuple[Generator, torch.device]]:
        """The generator where it works, and back on the CPU afterwards, whatever happens; small ones stay there."""
        small = isinstance(self.training.process, Ring | Table)
        device = torch.device("cpu") if small else pick_device(self.device)
        try:
            yield self.generator.to(device), device
        finally:
            self.generator.cpu()

    def _key(self, seed: int) -> dict[str, Any]:
        """All that generated events depend on; the artifact's key has the source of this module, too."""
        solver = getattr(self.generator, "solver", None)
        numbers = {"member": self.number, "seed": seed, "chunk": self.chunk}
        return {"generated by": self.artifact, "solver": solver and asdict(solver), **numbers}


class Ensemble:
    """Members that share what they were asked for; those that failed are left out and named.

    Its members are those that are left, counted from 0; `excluded` has the reason of each that is left out, by its own
    number. If events of each member, `screened` many with this seed, are searched for lost ones, one that lost more
    than 0.1 % is left out. Other lost events stay in the streams, not finite, and the estimators count them.

    Raises:
        ValueError: If no member is left, or they have not seen the same events and are not independent.
    """

    def __init__(self, trained: Sequence[Trained], screened: int = 0, seed: int = 0) -> None:
        self.trained, self.members, self.excluded = list(trained), list[Trained](), dict[int, str]()
        shared = {one.data_digest for one in trained if one.training.posterior != "independent"}
        if len(shared) > 1:
            raise ValueError("members must share their training events, but these were trained on different ones")
        for one in trained:
            reason = one.failure
            if not reason and screened and (lost := one.lost(screened, seed)) > MAX_LOST * screened:
                reason = f"lost events: {lost} of {screened} generated ones are not finite"
            if reason:
                self.excluded[one.number] = reason
            else:
                self.members.append(one)
        if not self.members:
            raise ValueError(f"no member is left: {self.excluded}")

    def __len__(self) -> int:
        return len(self.members)

    @property
    def training(self) -> Training:
        """What was asked for."""
        return self.members[0].training

    @property
    def densities(self) -> list[nn.Module]:
        """The networks of explicit densities, on network coordinates, see `gampl.generators.densities`."""
        return [member.generator.get_submodule("density") for member in self.members]

    @cached_property
    def history(self) -> History:
        """How all trainings went, side by side; the draws of a Bayesian network have one in common."""
        return join(list({one.artifact: one.history for one in self.trained if one.history}.values()))

    def stream(
        self, member: int, n: int, seed: int, batch_size: int | None = None, condition: ArrayLike | None = None
    ) -> Iterator[NDArray[Any]]:
        """Yields n events of a member, see `Trained.stream`."""
        yield from self.members[member].stream(n, seed, batch_size, condition)

    def sample(self, member: int, n: int, seed: int, condition: ArrayLike | None = None) -> NDArray[Any]:
        """The first n events of a member: ``(n, *event_shape)``."""
        return self.members[member].sample(n, seed, condition)

    def log_prob(self, events: ArrayLike, member: int | None = None, condition: ArrayLike | None = None) -> Floats:
        """Log density of events under each member, or only one: ``(n, *event_shape)`` -> (members, n) or (n,)."""
        if member is not None:
            return self.members[member].log_prob(events, condition)
        return np.stack([one.log_prob(events, condition) for one in self.members])

    def summary(self) -> str:
        """One line for people."""
        if len(self.trained) == 1 or not any(one.history for one in self.trained):
            return self.trained[0].summary()
        history = self.history
        artifacts = dict.fromkeys(one.artifact[:12] for one in self.trained)
        names = next(iter(artifacts)) + f" and {len(artifacts) - 1} more" * (len(artifacts) > 1)
        excluded = f"EXCLUDED: {self.excluded}; " if self.excluded else ""
        return (
            f"{excluded}{len(self)} members, best steps {history.best_step.min()} to {history.best_step.max()}, "
            f"{history.seconds:.0f} s on {history.device}, artifact {names}"
        )
