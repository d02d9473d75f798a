"""Processes that are known by files of events: finding, loading, drawing and cutting them."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl import files
from gampl.basics import Floats, counted
from gampl.particles.events import Events
from gampl.particles.kinematics import delta_r
from gampl.particles.observables import NamedObservable, observable
from gampl.regions import Intervals
from gampl.reweighting import accepted
from gampl.store.provenance import checkout


@dataclass(frozen=True)
class Cuts:
    """Cuts on jets, generated ones too: ``Cuts(eta_max=2.5)`` can be a ``keep`` of `gampl.distances.Comparison`."""

    pt_min: float = 0.0  #: transverse momenta must be above this, in GeV
    eta_max: float = np.inf  #: the absolute value of eta must be below this
    delta_r_min: float = 0.0  #: the distance of any two jets must be above this, if it is not 0

    def __call__(self, jets: ArrayLike) -> NDArray[np.bool_]:
        """Which events, shape (n, jets, 4) to (n,), have only jets that pass; absent jets do, NaN does not."""
        momenta = np.asarray(jets, dtype=np.float64)
        absent = momenta[..., 0] == 0
        passed = (absent | (momenta[..., 0] > self.pt_min) & (np.abs(momenta[..., 2]) < self.eta_max)).all(axis=1)
        if self.delta_r_min > 0:
            for a, b in combinations(range(momenta.shape[1]), 2):
                passed &= absent[:, a] | absent[:, b] | (delta_r(momenta[:, a], momenta[:, b]) > self.delta_r_min)
        return np.asarray(passed)


class FileProcess(ABC):
    """What is the same for all processes that are known by files of events."""

    others: ClassVar[tuple[str, ...]] = ()  #: names of the particles that are not jets; they come first
    composites: ClassVar[Mapping[str, tuple[str, ...]]]  #: sums of particles that have names
    cuts: ClassVar[Cuts]  #: the cuts on jets that all events have passed

    @property
    @abstractmethod
    def jets(self) -> tuple[str, ...]:
        """Names of the jets, in the order of the rows of an event."""

    @property
    @abstractmethod
    def bundled(self) -> str:
        """Name of the file that comes with the project."""

    @property
    def particles(self) -> tuple[str, ...]:
        """Names of the particles, in the order of the rows of an event."""
        return self.others + self.jets

    def observable(self, name: str) -> NamedObservable:
        """One number of each event, by name: ``m(b1+q1)``, ``pT(j1)``, ``HT``; see `gampl.particles.observable`."""
        return observable(name, self.particles, self.composites, self.jets)

    def region(self, low: float, high: float, observable: str) -> Intervals:
        """The events with an observable in [low, high)."""
        return Intervals(np.array([low]), np.array([high]), self.observable(observable))

    def batches(
        self, sample: str | None = "train", path: Path | str | None = None, batch: int = 100_000
    ) -> Iterator[Events]:
        """Events of a file, a batch at a time; arguments and errors are those of `load`."""
        file = _existing(self.bundled, path)  # which is said immediately, not when the first batch is asked for
        return _checked(file, sample, self.particles, batch)

    def load(self, sample: str | None = "train", path: Path | str | None = None) -> Events:
        """All events of one sample of a file, with their weights if they have some.

        Samples are ``train``, ``holdout`` or what else a file has: ``ttbar+0jet`` of the public one, None if it has one
        only. The file is of any kind that `gampl.files` reads, the `bundled` one if left out. If there is none, a
        FileNotFoundError says how to make it; an EventFileError if it is damaged, lacks the sample, holds other
        particles or no events.
        """
        return Events.concatenate(list(self.batches(sample, path)))

    def load_observables(self, sample: str | None = "holdout", path: Path | str | None = None) -> dict[str, Floats]:
        """Observables of further events, whose momenta were not kept: by name, such as ``m_tt``, shape (n,).

        The file is one that ``gampl events merge --observables`` wrote. Left out, it is the bundled one, which
        ``TopPair(extra_jets=0)`` has; none of its events is in the files that `load` reads. Errors are those of `load`.
        """
        file = _existing(self.bundled.replace(".h5", "_observables.h5"), path)
        observables = files.read_observables(file, sample)
        if (got := tuple(files.read_about(file).get("particles", ()))) != self.particles:
            raise files.EventFileError(
                f"{file}: expected observables of the particles {', '.join(self.particles)}, got {', '.join(got)}"
            )
        if not next(iter(observables.values())).size:
            raise files.EventFileError(f"{file}: holds no events" + (f" in the sample {sample!r}" if sample else ""))
        return observables

    def sample(
        self, n: int, rng: np.random.Generator, path: Path | str | None = None, sample: str | None = "train"
    ) -> Floats:
        """Draw ``n`` different events of equal weight, shape (n, particles, 4): `draw` from what `load` loads."""
        return draw(self.load(sample, path), n, rng)

    def select(self, events: Events, cuts: Cuts) -> Events:
        """Events that pass tighter cuts than those of the process; a ValueError if their particles are others."""
        if events.particles != self.particles:
            raise ValueError(f"expected events of {', '.join(self.particles)}, got {', '.join(events.particles)}")
        return events[cuts(events.momenta[:, len(self.others) :])]


def numbered_jets(n: int) -> tuple[str, ...]:
    """j1, j2 and so on."""
    return tuple(f"j{k}" for k in range(1, n + 1))


def default_folder() -> Path:
    """Where the bundled files are: GAMPL_DATA, else `data` in the checkout; a FileNotFoundError if there is neither."""
    if chosen := os.environ.get("GAMPL_DATA"):
        return Path(chosen)
    if project := checkout():
        return project / "data"
    raise FileNotFoundError(
        "the bundled events come with the project's checkout, not with the installed package: name their folder in the "
        "environment variable GAMPL_DATA, or a file in path="
    )


def _existing(bundled: str, path: Path | str | None) -> Path:
    """The file of that path, or a bundled one."""
    file = default_folder() / bundled if path is None else Path(path)
    if not file.exists():
        raise FileNotFoundError(
            f"there is no {file}: make it with `gampl events make` and `gampl events merge`, or name another"
            " in path=, or the folder of the bundled ones in the environment variable GAMPL_DATA"
        )
    return file


def _checked(file: Path, sample: str | None, particles: tuple[str, ...], batch: int) -> Iterator[Events]:
    is_empty = True
    for events in files.batches(file, sample=sample, batch=batch):
        is_empty = is_empty and len(events) == 0
        if events.particles != particles:
            got = ", ".join(events.particles)
            raise files.EventFileError(f"{file}: expected the particles {', '.join(particles)}, got {got}")
        yield events
    if is_empty:
        raise files.EventFileError(f"{file}: holds no events" + (f" in the sample {sample!r}" if sample else ""))


def draw(events: Events, n: int, rng: np.random.Generator) -> Floats:
    """Draws different events in random order, all with the same weight: momenta of shape (n, particles, 4).

    Where the column ``weight`` differs from event to event, an event is first kept with a probability of its weight
    over the largest one; this leaves fewer events. A ValueError if they are fewer than `n`, or a weight is negative or
    not finite.
    """
    rows = np.arange(len(events))
    weights = events.columns.get("weight")
    if weights is not None and weights.size and weights.min() != weights.max():
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError("events can only be drawn if their weights are finite and not negative")
        rows = rows[accepted(weights, rng)]
    if not 0 <= n <= rows.size:
        of_equal = " of equal weight" if rows.size < len(events) else ""
        raise ValueError(
            f"n must be between 0 and the {counted(rows.size, 'different event')}{of_equal} of the sample, got {n}; "
            "`gampl events make` makes more"
        )
    return np.asarray(events.momenta[rng.choice(rows, n, replace=False)])
