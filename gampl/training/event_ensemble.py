"""Ensembles of generators of LHC events; what they generate is kept in the artifact store, because a flow is slow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gampl.generators.devices import pick_device
from gampl.generators.events import AnyGenerator
from gampl.generators.flow_matching import FlowMatching
from gampl.generators.memory import AtOnce
from gampl.generators.randomness import torch_generator
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store
from gampl.training.events import TrainedMember

CHUNK = 10_000  # events that are made and stored together, by default
LOG_PROB_BATCH = 1000  # events at a time; a flow remembers all of its evaluations of them
MAX_LOST = 1e-3  # share of events that are not finite above which a member is excluded

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GeneratedEvents:
    """Events of one trained generator, made when they are asked for the first time.

    Args:
        member: The trained generator.
        store: Where the events are kept; by default the project's store.
        chunk: Events that are made and stored together. Another number makes other events.
        device: Where they are made, see `gampl.generators.devices.pick_device`. Round-off apart it makes no difference.
    """

    member: TrainedMember
    store: Store
    chunk: int = CHUNK
    device: str | torch.device | None = None

    def stream(self, n: int, seed: int, batch_size: int = CHUNK) -> Iterator[Floats]:
        """Yields n events in batches of (batch_size, *event_shape), in GeV; the last one may be shorter.

        A longer stream begins with the shorter one. Events that the solver lost are NaN or infinite.

        Raises:
            ValueError: If n or batch_size is not positive.
        """
        if n < 1 or batch_size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        for k in range(-(-n // self.chunk)):
            events = self._chunk(k, seed)[: n - k * self.chunk]
            for start in range(0, len(events), batch_size):
                yield events[start : start + batch_size]

    def lost(self, n: int, seed: int) -> int:
        """How many of the first n events are not finite; counted once and kept."""

        def count(_: Path) -> Artifact:
            rows = (np.isfinite(batch.reshape(len(batch), -1)).all(axis=1) for batch in self.stream(n, seed))
            return Artifact({}, {"lost": sum(int((~finite).sum()) for finite in rows)})

        return int(self.store.get_or_make(self._key(seed) | {"lost of": n}, count).about["lost"])

    def log_prob(self, events: ArrayLike) -> Floats:
        """Log density of events, (n, *event_shape) -> (n,)."""
        x, device = torch.from_numpy(np.asarray(events, dtype=np.float64)), pick_device(self.device)
        at_once = AtOnce(f"density under {self._name}")
        with self._on(device) as generator:
            batches = [batch.to(device) for batch in torch.split(x, LOG_PROB_BATCH)]
            parts = [at_once.map(generator.log_prob, batch).numpy(force=True) for batch in batches]
        return np.concatenate(parts)

    def _chunk(self, k: int, seed: int) -> Floats:
        """Events number k chunk and following, (chunk, *event_shape)."""

        def make(_: Path) -> Artifact:
            device = pick_device(self.device)
            stream = torch_generator(seed, "generated", self.member.training.member, k)
            with self._on(device) as generator:
                batches = generator.stream(self.chunk, stream, at_once=self._at_once)
                made = [batch.cpu().numpy() for batch in batches]
            return Artifact({"events": np.concatenate(made).astype(np.float32)}, {"device": str(device)})

        artifact = self.store.get_or_make(self._key(seed) | {"number": k}, make)
        return np.asarray(artifact.arrays["events"], dtype=np.float64)

    @property
    def _name(self) -> str:
        """For messages."""
        training = self.member.training
        return f"{training.generator.kind} {training.member}, artifact {self.member.artifact[:12]}"

    @cached_property
    def _at_once(self) -> AtOnce:
        """How many events are made at once, the same for all chunks."""
        return AtOnce(f"generating with {self._name}")

    @contextmanager
    def _on(self, device: torch.device) -> Iterator[AnyGenerator]:
        """The generator on a device, and back on the CPU afterwards, whatever happens."""
        try:
            yield self.member.generator.to(device)
        finally:
            self.member.generator.cpu()

    def _key(self, seed: int) -> dict[str, Any]:
        """All that generated events depend on."""
        generator = self.member.generator
        return {
            "generated by": self.member.artifact,
            "solver": asdict(generator.solver) if isinstance(generator, FlowMatching) else None,
            "seed": seed,
            "chunk": self.chunk,
            "source": _source(),
        }


class EventEnsemble:
    """Members that share their training events; those that failed are left out and named.

    Its members are counted from 0 among those that are left; `excluded` has their own numbers. Up to 0.1 % lost events
    stay in the streams, not finite, and the estimators count them.

    Args:
        members: Trained generators.
        store, chunk: See `GeneratedEvents`.
        screened: Events of each member that are searched for lost ones; a member that lost more than 0.1 % is
            left out. None are searched by default.
        seed: Of these events.

    Attributes:
        excluded: Reason of each member that is left out, by its number.

    Raises:
        ValueError: If no member is left.
    """

    def __init__(
        self,
        members: Sequence[TrainedMember],
        store: Store | None = None,
        *,
        chunk: int = CHUNK,
        screened: int = 0,
        seed: int = 0,
    ) -> None:
        self.members: list[GeneratedEvents] = []
        self.excluded: dict[int, str] = {}
        for member in members:
            events = GeneratedEvents(member, store or Store(), chunk)
            reason = member.failure
            if not reason and screened and (lost := events.lost(screened, seed)) > MAX_LOST * screened:
                reason = f"lost events: {lost} of {screened} generated ones are not finite"
            if reason:
                self.excluded[member.training.member] = reason
            else:
                self.members.append(events)
        if not self.members:
            raise ValueError(f"no member is left: {self.excluded}")

    def __len__(self) -> int:
        return len(self.members)

    def stream(self, member: int, n: int, seed: int, batch_size: int = CHUNK) -> Iterator[Floats]:
        """Yields n events of a member, see `GeneratedEvents.stream`."""
        yield from self.members[member].stream(n, seed, batch_size)

    def sample(self, member: int, n: int, seed: int) -> Floats:
        """The first n events of a member: (n, *event_shape)."""
        return np.concatenate(list(self.stream(member, n, seed)))

    def log_prob(self, events: ArrayLike) -> Floats:
        """Log density of each event under each member: (n, *event_shape) -> (members, n)."""
        return np.stack([one.log_prob(events) for one in self.members])


@cache
def _source() -> str:
    return provenance.digest(provenance.source_files(Path(__file__)))
