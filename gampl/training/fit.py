"""One training loop for everything: a single network, a Bayesian one, or M networks side by side."""

import hashlib
import json
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gampl.generators.memory import Divider
from gampl.store.atomic import write_bytes
from gampl.store.progress import Progress
from gampl.training.settings import Fit
from gampl.training.step import Step, Trainable, for_each_member
from gampl.training.stopping import DeferredSignals


@dataclass(frozen=True)
class History:
    """How a training went."""

    steps: NDArray[np.int64]  #: at which the losses were recorded, (records,)
    train_loss: NDArray[np.float64]  #: mean over the steps since the last record, (records, M)
    validation_loss: NDArray[np.float64]  #: (records, M); NaN where nothing is held back
    best_step: NDArray[np.int64]  #: step whose weights were kept, (M,)
    seconds: float  #: wall time, over all interruptions
    device: str  #: where it ran


def join(histories: Sequence[History]) -> History:
    """Histories of members as one; NaN where a member had stopped before another."""
    steps = max((history.steps for history in histories), key=len)

    def columns(name: str) -> NDArray[np.float64]:
        curves = [getattr(history, name) for history in histories]
        return np.hstack([np.pad(c, [(0, len(steps) - len(c)), (0, 0)], constant_values=np.nan) for c in curves])

    return History(
        steps,
        columns("train_loss"),
        columns("validation_loss"),
        np.concatenate([history.best_step for history in histories]),
        sum(history.seconds for history in histories),
        "; ".join(sorted({history.device for history in histories})),
    )


def fit(trainable: Trainable, settings: Fit, *, checkpoint: Path | None = None, label: str = "training") -> History:
    """Trains all members in place and leaves each with its best weights.

    Where events are held back, a member's best weights are those of its lowest validation loss, and it stops
    after `patience` validations without a new one; else they are the last. On the same machine's CPU the result
    is the same to the last bit whether or not the training was interrupted. On Ctrl-C or SIGTERM the step is finished
    and a checkpoint written before the signal does what it would; a second Ctrl-C does so immediately.

    Where the memory does not suffice, the gradient of a step is the sum of those of parts of its batch, which is the
    same up to round-off.

    The checkpoint is the file that an interrupted training goes on from; it is the caller's to delete. The label is
    what messages call this training.

    Raises:
        FloatingPointError: If a loss or gradient is not finite; names the step, and the member if there are several.
        torch.OutOfMemoryError: If there is not memory enough for a single row of a batch.
        ValueError: If the checkpoint belongs to another training.
    """
    run = Run(trainable, settings, label)
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
    step, saved = run.step, time.monotonic()
    with Progress("steps", total=settings.steps, start=step.done) as progress, DeferredSignals() as signals:
        while not run.finished:
            step()
            if step.done % settings.validate_every == 0 or step.done == settings.steps:
                step.check()
                run.record()
            due = signals.waiting or time.monotonic() - saved >= settings.checkpoint_seconds
            if checkpoint is not None and due:
                step.check()
                run.save(checkpoint)
                saved = time.monotonic()
            progress(label, step.done)
            signals.let_through()
    return run.finish()


def checksum(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """SHA-256 of a checkpoint: of its tensors, and of what else it says but this sum."""
    words = json.dumps({name: text for name, text in about.items() if name != "sha256"}, sort_keys=True)
    return hashlib.sha256(words.encode() + save(dict(tensors))).hexdigest()


class Run:
    """A training on its way: its steps, and what the validations make of them."""

    def __init__(self, trainable: Trainable, settings: Fit, label: str = "training") -> None:
        self.trainable, self.settings, self.step = trainable, settings, Step(trainable, settings, label)
        self.members, self.parameters = trainable.members, self.step.parameters
        self.validation_divider = Divider(f"{label}, validation")
        self.begun, self.seconds_before = time.monotonic(), 0.0
        self.records = torch.empty(0, 1 + 2 * self.members, dtype=torch.float64)  # steps, train and validation losses
        self.best = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.best_loss = torch.full((self.members,), math.inf)
        self.best_step = torch.zeros(self.members, dtype=torch.int64)
        self.stale = torch.zeros(self.members, dtype=torch.int64)  # validations since the best one

    @property
    def stopped(self) -> Tensor:
        """Which members have run out of patience: (M,) bool. They go along, but their best weights stand."""
        return self.stale >= self.settings.patience

    @property
    def finished(self) -> bool:
        """Whether all steps are done or all members have stopped."""
        return self.step.done >= self.settings.steps or bool(self.stopped.all())

    @torch.no_grad()
    def record(self) -> None:
        """Writes the losses down and keeps the weights of members that are better than before."""
        steps_before = int(self.records[-1, 0]) if len(self.records) else 0
        done = self.step.done
        train = self.step.loss_sum.cpu() / (done - steps_before)
        self._swap_running_mean()
        held_back = self.trainable.validation_losses(self.validation_divider)
        validation = torch.full((self.members,), math.nan) if held_back is None else held_back.cpu()
        row = torch.cat([torch.tensor([float(done)]), train, validation]).double()
        self.records = torch.cat([self.records, row.unsqueeze(0)])
        self.step.loss_sum.zero_()
        if held_back is None:  # the last weights are the best
            better = torch.ones(self.members, dtype=torch.bool)
        else:
            better = (validation < self.best_loss) & ~self.stopped
            self.best_loss = torch.where(better, validation.float(), self.best_loss)
            self.stale = torch.where(better, 0, self.stale + 1)
        self.best_step[better] = done
        for name, p in self.parameters.items():
            where = for_each_member(better.to(p.device), p)
            self.best[name] = torch.where(where, p.detach(), self.best[name])
        self._swap_running_mean()

    def _swap_running_mean(self) -> None:
        """Exchanges the weights and their running mean, if there is one."""
        for name, mean in self.step.running_mean.items():
            p, last = self.parameters[name], mean.clone()
            mean.copy_(p)
            p.copy_(last)

    @torch.no_grad()
    def finish(self) -> History:
        """Puts the best weights in place."""
        for name, p in self.parameters.items():
            p.copy_(self.best[name])
        steps, losses = self.records[:, 0].numpy().astype(np.int64), self.records[:, 1:].numpy()
        train, validation = np.split(losses, 2, axis=1)
        return History(steps, train, validation, self.best_step.numpy(), self._seconds(), self.step.how)

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.begun

    def _fingerprint(self) -> str:
        """What a checkpoint must agree on with the training that goes on from it."""
        settings = {key: value for key, value in asdict(self.settings).items() if key != "checkpoint_seconds"}
        shapes = {name: list(p.shape) for name, p in self.parameters.items()}
        return json.dumps([settings, self.step.peak_rates, self.members, shapes], sort_keys=True)

    def _tensors(self) -> dict[str, Tensor]:
        """All tensors that change, by name."""
        tensors = {name: getattr(self, name) for name in ("records", "best_loss", "best_step", "stale")}
        return tensors | {f"best {name}": best for name, best in self.best.items()} | self.step.tensors()

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        tensors = {f"stream {i}": stream.get_state() for i, stream in enumerate(self.trainable.streams)}
        tensors |= {name: tensor.cpu().contiguous() for name, tensor in self._tensors().items()}
        about = {"fingerprint": self._fingerprint(), "done": str(self.step.done), "seconds": repr(self._seconds())}
        write_bytes(path, save(tensors, about | {"sha256": checksum(tensors, about)}))

    @torch.no_grad()
    def restore(self, path: Path) -> None:
        """Goes on from a checkpoint; a damaged one is left alone with a warning."""
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if about.get("sha256") != checksum(tensors, about):
                raise SafetensorError("it does not agree with its checksum")
            if about.get("fingerprint") != self._fingerprint():
                raise ValueError(
                    f"checkpoint {path} belongs to a training with other settings; delete it or use another"
                )
            streams = {f"stream {i}": stream for i, stream in enumerate(self.trainable.streams)}
            if tensors.keys() != {*streams, *self._tensors()}:
                raise SafetensorError("it has other tensors than this training")
            if not 0 <= int(about.get("done", -1)) <= self.settings.steps:
                raise SafetensorError("it does not say how many of the steps are done")
        except SafetensorError as error:
            warnings.warn(f"checkpoint {path} is damaged ({error}): training from the beginning", stacklevel=3)
            return
        if any(stream.get_state().shape != tensors[name].shape for name, stream in streams.items()):
            warnings.warn(f"checkpoint {path} was written on another device: training from the beginning", stacklevel=3)
            return
        self.step.done, self.seconds_before = int(about["done"]), float(about["seconds"])
        self.records = tensors["records"]  # which has as many rows as there were validations
        for name, tensor in self._tensors().items():
            tensor.copy_(tensors[name])
        for name, stream in streams.items():
            stream.set_state(tensors[name])
