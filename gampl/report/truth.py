"""True events of an analysis: what regions, summaries and checks take from the training sample and the holdout."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gampl.particles.expressions import Evaluated, Expression
from gampl.regions import Intervals, Placed
from gampl.report.events import Batch, Numbers, batches
from gampl.report.process import Process, Region, SampleFiles

Floats = NDArray[np.float64]
Values = Mapping[Expression, Evaluated]
Progress = Callable[[str, int], None]


@dataclass(frozen=True, eq=False)
class TrueSample:
    """Numbers of true events.

    Attributes:
        values: Of each expression the values and which of them are lost, both (n,).
        raw: Columns as the files have them, (n, columns), to recognise events that are in two samples.
        names: Of these columns.
    """

    values: Values
    raw: Floats
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.raw)

    def first(self, n: int) -> "TrueSample":
        """The first n events, or all if there are fewer."""
        values = {e: Evaluated(found.values[:n], found.lost[:n]) for e, found in self.values.items()}
        return TrueSample(values, self.raw[:n], self.names)


@dataclass(frozen=True, eq=False)
class Truth:
    """The training sample and the holdout, as far as they are given.

    Attributes:
        train: Events that the generator was trained on.
        holdout: Events that it has not seen.
    """

    train: TrueSample | None
    holdout: TrueSample | None

    @classmethod
    def of(cls, process: Process, expressions: Iterable[Expression], progress: Progress | None = None) -> "Truth":
        """Read both samples.

        Raises:
            ValueError: If a file cannot be used, or the numbers of too many events are not finite.
        """
        numbers = Numbers(process, expressions)
        samples: dict[str, TrueSample | None] = {}
        for stream, name in enumerate(("train", "holdout")):
            files: SampleFiles | None = getattr(process, name)
            rng = np.random.default_rng([process.seed, stream])
            samples[name] = None if files is None else _read(process, files, numbers, name, rng, progress)
        train = samples["train"]
        if process.members is None and train is not None:  # trained here, on the first events
            samples["train"] = train.first(process.n_train)
        return cls(**samples)

    @property
    def reference(self) -> TrueSample | None:
        """What generated events are compared with: the holdout, else the training sample."""
        return self.holdout or self.train

    @property
    def reference_is(self) -> Literal["holdout", "training"]:
        """Which of the two it is."""
        return "training" if self.holdout is None and self.train is not None else "holdout"

    @property
    def n_holdout(self) -> int:
        """Events that the generator has not seen."""
        return 0 if self.holdout is None else len(self.holdout)


def _read(
    process: Process,
    files: SampleFiles,
    numbers: Numbers,
    name: str,
    rng: np.random.Generator,
    progress: Progress | None,
) -> TrueSample:
    parts: list[Batch] = []
    n = 0
    for batch in batches(process, files, numbers.needed):
        parts.append(batch)
        n += len(batch)
        if progress is not None:
            progress(name, n)
    raw = {column: np.concatenate([part.columns[column] for part in parts]) for column in numbers.needed}
    if files.unweight:
        kept = unweighted(np.concatenate([np.asarray(part.weights) for part in parts]), rng, name)
        raw = {column: values[kept] for column, values in raw.items()}
    values = numbers(raw)
    for e, (_, lost) in values.items():
        if lost.sum() > process.max_lost * lost.size:
            raise ValueError(
                f"{name}: {e.text!r} is not finite for {lost.sum()} of {lost.size} events, tolerated are "
                f"max_lost = {process.max_lost:g}"
            )
    return TrueSample(values, np.stack(list(raw.values()), axis=-1), numbers.needed)


def unweighted(weights: Floats, rng: np.random.Generator, name: str) -> NDArray[np.bool_]:
    """Which events are kept if each is with a probability of its weight over the largest one, (n,).

    Raises:
        ValueError: If a weight is negative, or all are zero.
    """
    if not ((weights >= 0).all() and weights.max(initial=0) > 0):
        raise ValueError(f"{name}: events can be unweighted if no weight is negative and not all are zero")
    return np.asarray(rng.random(weights.size) * weights.max() < weights)


class Placement:
    """One region, or several that are added up, with the edges of quantiles found.

    Args:
        region: What the user said.
        process: Names of observables.
        truth: Where quantiles are taken from.

    Raises:
        ValueError: If quantiles cannot be taken.
    """

    def __init__(self, region: Region, process: Process, truth: Truth) -> None:
        self.region = region
        self.expression = process.expression_of(region)
        self.intervals: Intervals | None = None
        if region.edges:
            self.intervals = Intervals.between(region.edges)
        elif region.quantiles:
            reference = truth.train or truth.reference
            values, lost = reference.values[self.expression]  # type: ignore[union-attr]  # Process has seen to it
            try:
                self.intervals = Intervals.quantiles(values[~lost], region.quantiles)
            except ValueError as error:
                raise ValueError(f"region {region.name!r}: {error}") from None

    def __len__(self) -> int:
        return 1 if self.intervals is None else len(self.intervals)

    def place(self, values: Values) -> Placed:
        """The region of each event."""
        number, lost = values[self.expression]
        if self.intervals is None:
            return Placed(np.where(number, 0, -1), lost)
        return Placed(np.where(lost, -1, self.intervals.place(number).region), lost)

    def shares(self, sample: TrueSample) -> Floats:
        """Share of true events in each region, (regions,)."""
        return self.place(sample.values).counts(len(self)).inside / len(sample)
