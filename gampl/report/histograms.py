"""Distributions of a number of each event, for members and for true events, as control plots show them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gampl.basics import Floats
from gampl.particles.expressions import Expression
from gampl.report.members import Job, Member, counts

BINS = 40
TAIL = 0.002  # share of the events that may lie outside of the bins on either side


@dataclass(frozen=True, eq=False)
class Histogram:
    """Shares of events by bin."""

    name: str  #: observable or expression
    label: str  #: for the axis, with its unit
    edges: Floats  #: (bins + 1,)
    members: Floats  #: share of each member's events in each bin, (members, bins)
    true: Floats | None = None  #: the same of the true events, (bins,); None if there are none
    n_true: int = 0  #: true events behind it
    marks: tuple[float, ...] = ()  #: ends of regions that are intervals of this number

    @property
    def band(self) -> tuple[Floats, Floats]:
        """Mean share over the members and its spread, both (bins,); a single member has no spread."""
        spread = self.members.std(axis=0, ddof=1) if len(self.members) > 1 else np.zeros(self.edges.size - 1)
        return self.members.mean(axis=0), spread


def edges_of(values: Floats) -> Floats:
    """Bins that hold almost all of some values, (bins + 1,); whole numbers of a small range have one each."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [TAIL, 1 - TAIL]) if finite.size else (0.0, 1.0)
    if high - low < BINS and (finite == np.round(finite)).all():
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def histogram(job: Job, members: Sequence[Member], e: Expression) -> Histogram:
    """One of the numbers that a job has bins for, events outside of the bins included in the shares."""
    process, reference, edges = job.process, job.truth.reference, job.histograms[e]
    names = {process.number(text): text for text in (*process.observables, *process.summaries, *process.classifier)}
    marks: list[float] = []
    for placement in job.regions:
        interval = placement.expression.interval() if placement.region.condition else None
        if interval is not None and interval.inner == e:
            marks += interval[1:]
        elif placement.intervals is not None and placement.expression == e:
            marks += [*placement.intervals.low, *placement.intervals.high]
    name = names.get(e, e.text)
    return Histogram(
        name=name,
        label=process.label(name),
        edges=edges,
        members=np.stack([member.counts[e] / (member.weight or 1.0) for member in members]),
        true=None if reference is None else counts(reference.values[e].values, edges) / len(reference),
        n_true=0 if reference is None else len(reference),
        marks=tuple(sorted({mark for mark in marks if np.isfinite(mark)})),
    )
