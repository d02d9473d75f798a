r"""Direct diffusion: flow matching that starts from the events of another process, and not from noise.

As in arXiv:2311.17175 only the latent distribution at t = 1 changes. Which latent event an event is paired with is a
choice. Every joint distribution of which the sources and the training events are the two marginals leads to a flow from
the one to the other (Tong et al. 2023, arXiv:2302.00482). Pairs at random have it, and so does the best assignment
within batches, if all events have the same weight. The nearest source of each event has not: where sources are far from
all events they are never seen in training, but generation starts there, too.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from gampl.generators.devices import pick_device
from gampl.generators.settings import Solver
from gampl.particles.coordinates import Coordinates, wrapped
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, array_digest, key_digest
from gampl.training.data import Data, untrained
from gampl.training.ensemble import CHUNK, Trained
from gampl.training.fit import History, fit
from gampl.training.members import Member
from gampl.training.settings import Training
from gampl.training.train import artifact_key, failure

Floats = NDArray[np.float64]
PAIRINGS = ("random", "optimal")
BLOCK = 128  # events that are assigned to each other
_HISTORY = "history."


@dataclass(frozen=True)
class Source:
    """Where events start from.

    The first function draws n events, ``(n, *event_shape)``, the second, if their density is known, gives its logarithm
    for events, ``(n, *event_shape)`` -> (n,). The name says all that decides what is drawn; trainings are kept by it.
    """

    draw: Callable[[int, np.random.Generator], Floats]
    name: Mapping[str, Any]
    log_prob: Callable[[Floats], Floats] | None = None

    @classmethod
    def process(cls, process: LeadingOrderTopPair) -> "Source":
        """The events of a process, which are always new."""
        return cls(process.sample, {"process": type(process).__name__, **asdict(process)}, process.log_prob)

    @classmethod
    def events(cls, events: ArrayLike) -> "Source":
        """Events of a file, drawn with replacement; their density is not known."""
        x = np.asarray(events, dtype=np.float64)
        return cls(lambda n, rng: x[rng.integers(len(x), size=n)], {"events": array_digest(x)})


class Start(nn.Module):
    """A flow's latent distribution: events of a source, in network coordinates."""

    def __init__(self, coordinates: Coordinates, source: Source) -> None:
        super().__init__()
        self.coordinates, self.source = coordinates, source

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n source events, (n, d) in float64, on the device of the coordinates.

        Raises:
            ValueError: If one of them has no place in these coordinates.
        """
        seed = torch.randint(2**62, (1,), generator=generator, device=generator.device)
        events = torch.from_numpy(self.source.draw(n, np.random.default_rng(int(seed))))
        x = self.coordinates.to_network(events.to(self.coordinates.mean.device))
        if not x.isfinite().all():
            raise ValueError("source: an event is outside the phase space of the events that it is to become")
        return x

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density, (n, d) -> (n,), -inf outside the source's phase space; a ValueError if it is not known."""
        if self.source.log_prob is None:
            raise ValueError("source: its density is not known, and so that of the generated events is not")
        events = self.coordinates.to_events(x)
        density = torch.from_numpy(self.source.log_prob(events.numpy(force=True))).to(x.device)
        return density - self.coordinates.log_jacobian(x)


class Paired(Member):
    """A member whose source events are assigned to its events: at random, or in blocks with least squared distance."""

    pairing = "random"

    def _drawn(self, rows: Tensor, weights: Tensor, stream: torch.Generator) -> tuple[Tensor, ...]:
        drawn = super()._drawn(rows, weights, stream)
        if self.pairing == "random":
            return drawn
        *others, x, condition, t, latent = drawn
        return (*others, x, condition, t, latent[assigned(x, latent, self.generator.coordinates.angles)])


def assigned(x: Tensor, latent: Tensor, angles: Tensor, block: int = BLOCK) -> Tensor:
    """Which latent event each event gets, one to one in each block: (n, d) twice -> (n,)."""
    order = []
    for rows in torch.split(torch.arange(len(x)), block):
        difference = wrapped((latent[rows][None] - x[rows][:, None]).flatten(0, 1), angles)
        cost = difference.square().sum(-1).reshape(len(rows), len(rows))
        order.append(rows[torch.from_numpy(linear_sum_assignment(cost.numpy(force=True))[1])])
    return torch.cat(order).to(x.device)


def train_direct(
    training: Training,
    data: ArrayLike | Data | Callable[[int], ArrayLike | Data],
    source: Source,
    store: Store | None = None,
    *,
    pairing: str = "random",
    members: Sequence[int] | None = None,
    solver: Solver | None = None,
    device: str | torch.device | None = None,
    chunk: int = CHUNK,
    label: str = "training",
) -> list[Trained]:
    """Members of flow matching from a source, found in the store or trained, see `gampl.training.train_members`.

    Args:
        training: What to train: a flow, not Bayesian; `Architecture.base` does not count.
        data: As of `train_members`.
        source: Where its events start from.
        store: As of `train_members`, like all that follows but the pairing.
        pairing: How source events are paired with training events, "random" or "optimal".
        members: Numbers of the members; by default all.
        solver: How the flow is solved.
        device: Where to train.
        chunk: Events that are generated together.
        label: What to call the training in messages.

    Raises:
        ValueError: As `train_members`; if the pairing is unknown, or the members' events have weights, which an optimal
            pairing would hand on to the sources; or if the training is of no flow.
    """
    if pairing not in PAIRINGS:
        raise ValueError(f"pairing must be one of {PAIRINGS}, got {pairing!r}")
    if not training.architecture.is_flow or training.posterior == "bayesian":
        raise ValueError(f"{label}: direct diffusion is for flows, and not for Bayesian ones")
    place, direct = store or Store(), {"source events": dict(source.name), "pairing": pairing, "code": _source()}

    @cache
    def data_of(number: int) -> Data:
        own: Any = data(number) if callable(data) else data
        return (own if isinstance(own, Data) else Data(own)).checked(training, label)

    def member(number: int, on: torch.device | None = None) -> Paired:
        plain = untrained(training, data_of(number), number, on, solver)
        flow: Any = plain.generator
        flow.base = Start(flow.coordinates, source)  # in the place of noise
        made = Paired(flow, plain.x, plain.split, training, number, plain.condition, plain.event_weights)
        made.pairing = pairing
        if pairing == "optimal" and not (plain.split.weights == 1).all():
            raise ValueError(f"{label}: events with weights, as of a bootstrap, cannot be paired optimally")
        return made

    def trained(number: int) -> Trained:
        key = artifact_key(training, number, data_of(number).digests) | direct

        def make(checkpoints: Path) -> Artifact:
            one, file = member(number, pick_device(device)), checkpoints / "checkpoint.safetensors"
            try:
                history = fit(one, training.fit, checkpoint=file, label=f"{label}/{number}")
            except FloatingPointError as error:
                return Artifact({}, {"failure": f"stopped: {error}"})
            curves = {k: v for k, v in vars(history).items() if isinstance(v, np.ndarray)}
            arrays = {name: p.numpy(force=True) for name, p in one.generator.state_dict().items()}
            reason = failure(history, math.inf)  # untrained it returns the sources, and need not get better
            about = {"seconds": history.seconds, "device": history.device, "failure": reason}
            return Artifact(arrays | {_HISTORY + k: v for k, v in curves.items()}, about)

        artifact = place.get_or_make(key, make)
        generator, history = member(number).generator, None
        weights = {k: torch.from_numpy(a) for k, a in artifact.arrays.items() if not k.startswith(_HISTORY)}
        if weights:
            generator.load_state_dict(weights)
            curves = {k.removeprefix(_HISTORY): a for k, a in artifact.arrays.items() if k.startswith(_HISTORY)}
            history = History(**curves, seconds=artifact.about["seconds"], device=artifact.about["device"])
        outcome = (training, number, generator.eval(), history, artifact.about["failure"])
        return Trained(*outcome, key["data"], key_digest(key), store=place, chunk=chunk, device=device)

    return [trained(number) for number in (range(training.members) if members is None else members)]


@torch.no_grad()
def carried(one: Trained, events: ArrayLike) -> Floats:
    """What a flow makes of each of these source events, in their order: ``(n, *event_shape)`` both."""
    flow: Any = one.generator
    x = flow.coordinates.to_network(torch.from_numpy(np.array(events, dtype=np.float64)))
    return np.asarray(torch.cat([flow.generate(None, part) for part in x.split(flow.batch_size)]))


@cache
def _source() -> str:
    return provenance.digest(provenance.source_files(Path(__file__)))
