"""Members that are trained here, on the training sample of a process file."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gampl.generators.settings import Architecture
from gampl.report.events import Batch
from gampl.report.process import Process
from gampl.report.process_file import GeneratorSettings
from gampl.report.study import Study, analyse_streams
from gampl.report.truth import Progress, Truth
from gampl.training.ensemble import Ensemble
from gampl.training.settings import Fit, Table, Training
from gampl.training.train import train_or_load

Floats = NDArray[np.float64]


def training_events(process: Process, generator: GeneratorSettings) -> Floats:
    """The columns that a generator learns, of the first n_train events of the training sample, (n_train, columns).

    Raises:
        ValueError: If there is no training sample, or it has fewer events that are finite.
    """
    if process.train is None:
        raise ValueError("train: expected a training sample for the generator")
    expressions = [process.number(name) for name in generator.columns]
    everything = replace(process, holdout=None, n_train=sys.maxsize)  # those that are not finite are left out below
    sample = Truth.of(everything, expressions).train
    assert sample is not None  # noqa: S101 - it was asked for
    events = np.stack([sample.values[e].values for e in expressions], axis=-1)
    events = events[np.isfinite(events).all(axis=1)]
    if len(events) < process.n_train:
        raise ValueError(f"train: n_train is {process.n_train}, but there are {len(events)} events")
    return events[: process.n_train]


def train(process: Process, generator: GeneratorSettings, label: str = "generator") -> Ensemble:
    """Trains the ensemble of a process file, or finds it in the store."""
    events = training_events(process, generator)
    steps = generator.steps
    fit = Fit(
        steps=steps,
        batch_size=min(generator.batch_size, len(events)),
        learning_rate=generator.learning_rate,
        warmup=min(Fit.warmup, steps // 5),
        ema=0.99,
    )
    architecture = Architecture(
        generator.kind,
        blocks=generator.transforms,
        width=generator.width,
        components=generator.bins,
        couplings=False,
    )
    table, members = Table(tuple(generator.columns)), generator.members
    training = Training(table, len(events), architecture, members=members, seed=process.seed, fit=fit)
    return train_or_load(training, events, label=label)


def analyse_generated(
    process: Process, generator: GeneratorSettings, ensemble: Ensemble, progress: Progress | None = None
) -> Study:
    """Analyse what an ensemble generates, as `gampl.report.study.analyse` does samples in files.

    Raises:
        ValueError: If a region or summary needs a column that the generator does not make.
    """

    def streams(wanted: Sequence[str]) -> Iterator[tuple[str, Iterable[Batch]]]:
        for name in wanted:
            if name not in generator.columns:
                made = ", ".join(generator.columns)
                raise ValueError(f"{name!r} is not among the columns that the generator makes: {made}")
        for member in range(len(ensemble)):
            yield f"member {member}", _batches(ensemble, member, generator, process.seed, wanted)

    return analyse_streams(process, streams, progress, given=generator.columns)


def _batches(
    ensemble: Ensemble, member: int, generator: GeneratorSettings, seed: int, wanted: Sequence[str]
) -> Iterator[Batch]:
    place = {name: generator.columns.index(name) for name in wanted}
    for events in ensemble.stream(member, generator.n_gen, seed):
        yield Batch({name: events[:, k] for name, k in place.items()}, None, None)
