"""Train or load: one way from settings and events to a posterior, for vectors of numbers, tables and LHC events."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from gampl.generators.devices import pick_device, torch_as_it_starts
from gampl.generators.memory import Divider
from gampl.generators.settings import Solver
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, key_digest
from gampl.training.bayesian import bayesian, draw
from gampl.training.data import Data, untrained
from gampl.training.ensemble import CHUNK, Ensemble, Trained
from gampl.training.fit import History, fit
from gampl.training.members import Stack
from gampl.training.repulsive import Repulsive
from gampl.training.settings import Training, ZWithJets

_PACKAGES = ("numpy", "scipy", "torch", "zuko")
_PACKAGES_OF = {  # by kind, besides those
    "transformer": ("torchdiffeq",),
    "lgatr": ("torchdiffeq", "lgatr"),
    "lgatr_slim": ("torchdiffeq", "lgatr"),
    "lloca": ("torchdiffeq", "lloca"),
}
# a training's fields that the kinds of posterior do not look at; the draws of a Bayesian network are not stored
_BAYESIAN_ONLY = ("kl_weight", "init_logvar")
_NOT_USED = {"bayesian": ("members", "repulsion"), "repulsive": _BAYESIAN_ONLY}
_HISTORY = "history."  # what the names of its curves begin with, next to the weights


def train_or_load(
    training: Training,
    data: ArrayLike | Data | Callable[[int], ArrayLike | Data],
    store: Store | None = None,
    **options: Any,
) -> Ensemble:
    """The posterior of a training: all of its members, those that failed left out. See `train_members`."""
    return Ensemble(train_members(training, data, store, **options))


@torch_as_it_starts()
def train_members(
    training: Training,
    data: ArrayLike | Data | Callable[[int], ArrayLike | Data],
    store: Store | None = None,
    *,
    members: Sequence[int] | None = None,
    parallel: int = 1,
    solver: Solver | None = None,
    device: str | torch.device | None = None,
    chunk: int = CHUNK,
    label: str = "training",
    report: Callable[[Trained], None] | None = None,
) -> list[Trained]:
    """Finds members in the store or trains those that are missing; an interrupted training goes on where it was.

    A training that diverges is an outcome like any other: it is stored with its reason, and not tried again. If a loss
    of one of several members that are trained side by side is not finite, those of its group are trained one after the
    other, from the beginning. A group that was interrupted goes on where it was, if the same members are still missing.
    On a GPU losses are compiled only where one member is trained alone and is not Bayesian. The members of a repulsive
    ensemble are always trained together, the draws of a Bayesian network are of one training.

    Args:
        training: What to train.
        data: The training events, ``(n_events, *event_shape)``, or these with weights and conditions; or a function
            that returns those of a member from its number, which independent members need.
        store: Where to look and to keep it; by default the project's store, see `gampl.store.artifacts.default_root`.
            A "kde" is made anew and not stored.
        members: Numbers of the members; by default all.
        parallel: How many of them to train side by side.
        solver: How a flow is to be solved when it generates. It does not count as a difference of the training.
        device: Where to train, see `gampl.generators.devices.pick_device`. The device does not count as a difference.
        chunk: Events that are generated together, see `Trained`.
        label: What to call the training in messages; a member is called by its number after a slash.
        report: Called with each member when it is there.

    Raises:
        ValueError: If the events, weights or conditions have the wrong shape, are not possible, outside phase space, or
            no density can describe them; if parallel is below 1; or a repulsive ensemble is not complete.
    """
    numbers = list(range(training.members)) if members is None else list(members)
    together = training.posterior == "repulsive"
    if parallel < 1:
        raise ValueError(f"parallel must be at least 1, got {parallel}")
    if training.posterior == "independent" and not callable(data):
        raise ValueError(f"{label}: independent members take a function that returns their events")
    if training.posterior in ("bayesian", "repulsive") and callable(data):
        raise ValueError(f"{label}: the members of a {training.posterior} posterior share their events: no function")
    if any(not 0 <= number < training.members for number in numbers):
        raise ValueError(f"{label}: there are members 0 to {training.members - 1}, not {numbers}")
    if together and set(numbers) != set(range(training.members)):
        raise ValueError(
            f"{label}: all {training.members} members of a repulsive ensemble are needed, not some of them"
        )

    @cache
    def data_of(number: int) -> Data:
        own: Any = data(number) if callable(data) else data
        return (own if isinstance(own, Data) else Data(own)).checked(training, label)

    shared = data_of if callable(data) else lambda _: data_of(0)
    job = _Job(training, shared, store or Store(), label, device)
    if together or (parallel > 1 and training.posterior != "bayesian"):
        # in the order of their numbers, as everybody takes their locks: two groups cannot wait for each other
        missing = [number for number in sorted(numbers) if job.store.get(job.key(number)) is None]
        if together and missing:
            job.train_group(sorted(numbers))
        else:
            for first in range(0, len(missing), parallel):
                job.train_group(missing[first : first + parallel])
    trained = []
    for number in numbers:
        trained.append(job.train_or_load(number, solver, chunk))
        if report:
            report(trained[-1])
    return trained


def artifact_key(training: Training, number: int, digests: Mapping[str, Any]) -> dict[str, Any]:
    """All that the weights of a member depend on: settings, events, the source of this module and below, versions.

    The digests are those of its events, see `Data.digests`.
    """
    settings = asdict(replace(training, fit=replace(training.fit, checkpoint_seconds=0.0)))
    for name in _NOT_USED.get(training.posterior, (*_BAYESIAN_ONLY, "members", "repulsion")):
        del settings[name]
    if training.posterior != "bayesian":
        del settings["fit"]["logvar_learning_rate"]
    if not isinstance(training.process, ZWithJets):
        del settings["architecture"]["head"]
    if not training.alpha:
        del settings["alpha"], settings["clamp"]
    packages = (*_PACKAGES, *_PACKAGES_OF.get(training.architecture.kind, ()))
    return {
        "training": settings | {"process": {"name": type(training.process).__name__, **settings["process"]}},
        "member": 0 if training.posterior == "bayesian" else number,
        **digests,
        "source": _source(),
        # without local labels such as "+cpu": a GPU machine finds what was trained without one
        "versions": {name: version(name).split("+")[0] for name in packages},
    }


@dataclass(frozen=True)
class _Job:
    """Members of a training, what they are trained on, and where they are kept."""

    training: Training
    data_of: Callable[[int], Data]
    store: Store
    label: str
    device: str | torch.device | None

    def key(self, number: int) -> dict[str, Any]:
        return artifact_key(self.training, number, self.data_of(number).digests)

    def train_or_load(self, number: int, solver: Solver | None, chunk: int) -> Trained:
        """One member, trained alone if it is not in the store."""
        training, key, data = self.training, self.key(number), self.data_of(number)
        outcome = partial(Trained, data_digest=key["data"], artifact=key_digest(key), store=self.store, chunk=chunk)
        if training.architecture.kind == "kde":
            return outcome(training, number, untrained(training, data, number).generator, None, "")
        is_bayesian = training.posterior == "bayesian"
        first = 0 if is_bayesian else number  # of the network whose draws the members are

        def make(checkpoints: Path) -> Artifact:
            file, name = checkpoints / "checkpoint.safetensors", self.label if is_bayesian else f"{self.label}/{number}"
            return train([first], training, self.data_of, file, name, pick_device(self.device))[0]

        artifact = self.store.get_or_make(key, make)
        generator, about, history = untrained(training, data, first, solver=solver).generator, artifact.about, None
        curves = {name.removeprefix(_HISTORY): a for name, a in artifact.arrays.items() if name.startswith(_HISTORY)}
        weights = {name: torch.from_numpy(a) for name, a in artifact.arrays.items() if not name.startswith(_HISTORY)}
        if curves:
            history = History(**curves, seconds=about["seconds"], device=about["device"])
        if weights and is_bayesian:
            model = bayesian(generator, training.seed)
            model.load_state_dict(weights)
            generator = draw(model, number, training.seed)
        elif weights:
            generator.load_state_dict(weights)
        return outcome(training, number, generator.eval(), history, about["failure"], device=self.device)

    def train_group(self, group: Sequence[int]) -> None:
        """Trains several members side by side and stores those that are missing, unless one of them diverges."""
        if len(group) < 2:
            return
        numbers = "+".join(map(str, group))
        name = f"{self.label}/{numbers}"
        keys = {number: self.key(number) for number in group}
        first = next(number for number in group if self.store.get(keys[number]) is None)

        def make(checkpoints: Path) -> Artifact:
            file = checkpoints / f"checkpoint-{numbers}.safetensors"  # others would not fit another group
            made = train(group, self.training, self.data_of, file, name, pick_device(self.device))
            for number, artifact in zip(group, made, strict=True):
                if number != first:
                    self.store.put(keys[number], artifact)
            return made[group.index(first)]

        try:
            self.store.get_or_make(keys[first], make)
        except FloatingPointError as error:
            print(f"{name}: {error}; training one after the other", file=sys.stderr, flush=True)  # noqa: T201


def train(
    group: Sequence[int],
    training: Training,
    data_of: Callable[[int], Data],
    checkpoint: Path,
    label: str,
    device: torch.device,
) -> list[Artifact]:
    """Trains members, several of them side by side, and returns what is to be stored of each.

    Raises:
        FloatingPointError: If a loss or gradient of one of several is not finite, and the others can do without it.
    """
    members = [untrained(training, data_of(number), number, device) for number in group]
    side_by_side = Repulsive if training.posterior == "repulsive" else Stack
    trainable = members[0] if len(group) == 1 else side_by_side(members)
    before = trainable.validation_losses(Divider(f"{label}, validation"))
    # before its first step it may have learned, or return the events of a source: then it need not get better
    has_learned = (data := data_of(group[0])).start is not None or data.source is not None
    try:
        history = fit(trainable, training.fit, checkpoint=checkpoint, label=label)
    except FloatingPointError as error:
        if len(group) > 1 and training.posterior != "repulsive":
            raise
        return [Artifact({}, {"failure": f"stopped: {error}", "device": str(device)})] * len(group)
    if isinstance(trainable, Stack):
        trainable.unstack()
    outcomes = []
    for k, member in enumerate(members):
        alone = _of_member(history, k, training.fit.patience)
        arrays = {name: p.detach().cpu().numpy() for name, p in member.model.state_dict().items()}
        arrays |= {_HISTORY + name: value for name, value in vars(alone).items() if isinstance(value, np.ndarray)}
        reason = "" if before is None else failure(alone, math.inf if has_learned else float(before[k]))
        outcomes.append(Artifact(arrays, {"seconds": alone.seconds, "device": alone.device, "failure": reason}))
    return outcomes


def failure(history: History, untrained: float) -> str:
    """Why a member must not be used; empty for a good one.

    The rule looks at each member alone: a comparison with the others would cut into the spread that is measured. It
    must have a lower loss on the held-back events than before its first step, `untrained`.
    """
    losses = history.validation_loss[:, 0]
    best = float(np.min(losses[np.isfinite(losses)], initial=np.inf))
    if best < untrained:
        return ""
    return f"learned nothing: the best loss on held-back events is {best:.3g}, before training it was {untrained:.3g}"


def _of_member(history: History, k: int, patience: int) -> History:
    """The history of one of the members until it ran out of patience, as if it had been trained alone."""
    best = int(np.searchsorted(history.steps, history.best_step[k]))  # 0 also where there is none
    records = best + patience + (1 if history.best_step[k] else 0)
    return History(
        history.steps[:records],
        history.train_loss[:records, [k]],
        history.validation_loss[:records, [k]],
        history.best_step[[k]],
        history.seconds / history.train_loss.shape[1],
        history.device,
    )


@cache
def _source() -> str:
    return provenance.digest(provenance.source_files(Path(__file__)))
