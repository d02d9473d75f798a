"""Members that are trained here, on the training sample of a process file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gampl.basics import Floats, counted
from gampl.generators.settings import Architecture
from gampl.particles.grammar import quoted
from gampl.report.process import Process, check_different
from gampl.report.samples import Batch, Numbers, Progress, TrueSample
from gampl.report.study import Study, analyse_streams
from gampl.training.settings import Fit, Table, Training

if TYPE_CHECKING:
    from gampl.training.ensemble import Ensemble

GENERATORS = ("spline", "kde")
SPLINE_ONLY = ("steps", "batch_size", "learning_rate", "width", "transforms", "bins")
LEAST = {"members": 2, "n_gen": 2, "steps": 1, "batch_size": 1, "width": 1, "transforms": 1, "bins": 2}


@dataclass(frozen=True)
class GeneratorSettings:
    """An ensemble of generators that is trained on the training sample, see `gampl.training.settings.Training`.

    A ValueError if the kind is unknown or a number out of range.
    """

    kind: str  #: "spline" or "kde"
    members: int  #: how many
    columns: tuple[str, ...]  #: columns or observables that it learns; all regions and summaries must be made of these
    n_gen: int = 100_000  #: events to generate with each member
    # how a spline is fitted, and its size
    steps: int = Fit.steps
    batch_size: int = Fit.batch_size
    learning_rate: float = Fit.learning_rate
    width: int = 32
    transforms: int = 3
    bins: int = 8

    def __post_init__(self) -> None:
        if self.kind not in GENERATORS:
            raise ValueError(f"kind must be one of {', '.join(GENERATORS)}, got {quoted(self.kind)}")
        if not self.columns:
            raise ValueError("columns must name at least one column or observable")
        check_different("columns", self.columns)
        if small := [name for name, least in LEAST.items() if not getattr(self, name) >= least]:
            name = small[0]
            raise ValueError(f"{name} must be at least {LEAST[name]}, got {getattr(self, name)}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate must be a number between 0 and 1, got {self.learning_rate}")


def training_events(process: Process, generator: GeneratorSettings) -> Floats:
    """The columns that a generator learns, of the first n_train events of the training sample, (n_train, columns).

    A ValueError if there is no training sample, or it has fewer events that are finite.
    """
    expressions = [process.number(name) for name in generator.columns]
    sample = TrueSample.read(process, "train", Numbers(process, expressions))
    if sample is None:
        raise ValueError("train: expected a training sample for the generator")
    events = np.stack([sample.values[e].values for e in expressions], axis=-1)
    events = events[np.isfinite(events).all(axis=1)]
    if len(events) < process.n_train:
        raise ValueError(f"train: n_train is {process.n_train}, but it has {counted(len(events), 'event')}")
    return events[: process.n_train]


def train(process: Process, generator: GeneratorSettings, label: str = "generator") -> "Ensemble":
    """Trains the ensemble of a process file, or finds it in the store."""
    from gampl.training.train import train_or_load  # needs torch, which most reports do not

    events = training_events(process, generator)
    steps, batch_size = generator.steps, min(generator.batch_size, len(events))
    warmup = min(Fit.warmup, steps // 5)
    fit = Fit(steps=steps, batch_size=batch_size, learning_rate=generator.learning_rate, warmup=warmup, ema=0.99)
    architecture = Architecture(
        generator.kind, blocks=generator.transforms, width=generator.width, components=generator.bins, couplings=False
    )
    table = Table(tuple(generator.columns))
    training = Training(table, len(events), architecture, members=generator.members, seed=process.seed, fit=fit)
    return train_or_load(training, events, label=label)


def analyse_generated(
    process: Process, generator: GeneratorSettings, ensemble: "Ensemble", progress: Progress | None = None
) -> Study:
    """Analyse what an ensemble generates, as `gampl.report.study.analyse` does with samples in files.

    A ValueError if a region or summary needs a column that the generator does not make.
    """

    def streams(names: Sequence[str]) -> Iterator[tuple[str, Iterable[Batch]]]:
        if unknown := [name for name in names if name not in generator.columns]:
            made = ", ".join(generator.columns)
            raise ValueError(f"{unknown[0]!r} is not among the columns that the generator makes: {made}")
        columns = {name: generator.columns.index(name) for name in names}
        for member in range(len(ensemble)):
            events = _until(process.n_gen, ensemble.stream(member, generator.n_gen, process.seed))
            yield f"member {member}", (Batch({name: rows[:, k] for name, k in columns.items()}) for rows in events)

    study = analyse_streams(process, streams, progress, learned=generator.columns)
    excluded = [f"one trained member is left out: {why}" for why in ensemble.excluded.values()]
    return replace(study, warnings=(*excluded, *study.warnings))


def _until(n: int | None, batches: Iterable[Floats]) -> Iterator[Floats]:
    """Batches up to so many events, all of them with None: no more are generated."""
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        if n is not None and done >= n:
            return
