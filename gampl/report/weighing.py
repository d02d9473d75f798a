"""Generated events weighed by a classifier that knows true ones: what ``gampl reweight`` does with samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from gampl.basics import Floats, Interval, counted, require
from gampl.files import EventFileError
from gampl.files.arrays import MOMENTA
from gampl.files.tables import is_weight, listed
from gampl.particles.event_classifier import calibrated_trees, event_classifier
from gampl.particles.expressions import Expression
from gampl.particles.observables import observable
from gampl.ratio import LearnedRatio, MakeClassifier, cross_fit, default_classifier
from gampl.regions import is_finite
from gampl.report.process import Process, SampleFiles
from gampl.report.samples import Numbers, batches, composites_of, opened
from gampl.reweighting import LARGEST, Place, Reweighting, WeightStatistics, accepted, places

LEARNERS = {"trees": calibrated_trees, "functions": default_classifier}  # of numbers; of momenta trees or a network
MOST_GENERATED = 20  # for each true event, which a classifier learns from: more would change G by less than 5 %
FEWEST = 50  # events that can be learned from
FOR_PLACES = 400  # events of which every second one makes a tail of ten
PRESENT = 0.9  # of the events, in which an observable is finite whose places are looked for


@dataclass(frozen=True)
class Learning:
    """How the classifiers learn; an `ArgumentError` if a number is out of range."""

    learner: str = "trees"  #: for numbers of events "trees" or "functions", for momenta "trees" or "network"
    share: float = 1.0  #: random part of the true events that is learned from
    folds: int = 5  #: classifiers, each of which learns without one fold of both samples and weighs that
    seed: int = 1
    clip: float = LARGEST  #: the largest weight

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "share", "be above 0 and at most 1", self.share)
        require(self.folds >= 2, "folds", "be at least 2", self.folds)
        require(self.seed >= 0, "seed", "not be negative", self.seed)
        require(self.clip > 1, "clip", "be a weight above 1", self.clip)


class Particles(NamedTuple):
    """What events of momenta are made of."""

    particles: tuple[str, ...]
    composites: dict[str, tuple[str, ...]]


class Weighed(NamedTuple):
    """What became of generated events."""

    weights: Floats  #: (n,), times those that the events had
    lost: int  #: events that are not finite: their weight is 1, times what they had
    numbers: tuple[str, ...]  #: that the classifiers know of each event
    n_true: int  #: events that they have learned from
    statistics: WeightStatistics
    auc: tuple[float, Interval]
    places: list[Place]  #: where small and large weights lie, by rising p-value; none for few events


def weigh(process: Process, generated: SampleFiles, true: SampleFiles, learning: Learning) -> Weighed:
    """Weigh generated events by classifiers that learn the numbers `Process.classifier` of events.

    `MOMENTA` there stands for all: the columns that both samples have, or their momenta. Events that have weights
    already are learned from as often as these say. A ValueError if the samples have nothing in common, or too many true
    events are not finite.
    """
    process, kind = _with_numbers(process, generated, true)
    make = _classifier(learning.learner, kind)
    expressions = [process.number(text) for text in process.classifier] if kind is None else []
    rng = np.random.default_rng([learning.seed, 1])
    made, had = _read(process, generated, expressions)
    known, their = _read(process, true, expressions)
    if (lost := int((~is_finite(known)).sum())) > process.max_lost * len(known):
        problem = f"{lost} of {len(known)} events are not finite, more than the tolerated share"
        raise EventFileError(f"{true.files[0]}: {problem} {process.max_lost:g}")
    reference = _some(true, known, their, learning.share * (len(known) - lost), rng)
    rivals = _some(generated, made, had, MOST_GENERATED * len(known), rng)
    learned = cross_fit(reference, rivals, learning.seed, folds=learning.folds, make_classifier=make)
    ratios = learned(made)
    reweighting = Reweighting(lambda _: ratios, learning.clip)
    weights, about = had * reweighting(made), reweighting.statistics(made)
    n_effective, mean = (float(weights.sum() / x) for x in ((weights**2).sum() / weights.sum(), had.sum()))
    about = about._replace(n_effective=n_effective, mean=mean)
    names = tuple(text.strip("`") for text in process.classifier) if kind is None else kind.particles
    found = _places(learned, rivals, names, kind)
    return Weighed(weights, int(np.isnan(ratios).sum()), names, len(learned.reference), about, learned.auc(), found)


def _classifier(learner: str, kind: Particles | None) -> MakeClassifier:
    """Makes classifiers of numbers, or of the momenta of such events; a ValueError if the learner cannot see them."""
    if kind is None:
        if learner == "network":
            raise ValueError("a network learns from momenta, not from numbers: choose another --learner")
        return LEARNERS[learner]
    if learner == "network":
        from gampl.particles.event_networks import event_network  # which needs PyTorch

        return event_network(kind)
    if learner == "functions":
        raise ValueError(f"{learner} learn from numbers of events, not momenta: name some (--classifier)")
    return event_classifier(kind)


def _with_numbers(process: Process, generated: SampleFiles, true: SampleFiles) -> tuple[Process, Particles | None]:
    """The process with all its numbers named, or what events are made of whose momenta the classifiers see."""
    if process.classifier != (MOMENTA,):
        return process, None
    held, kind = [], None
    for files in (generated, true):
        with opened(files.files[0], files, process.layout) as file:
            held.append(file.held_names())
            if file.holds_particles:
                first = next(file.events(1))
                kind = Particles(first.particles, composites_of(process, first) or {"all": first.particles})
    own = (generated.weight, true.weight)
    common = [name for name in held[0] if name in held[1] and not is_weight(name) and name not in own]
    if not common or (kind is not None and held[0] != held[1]):
        what = [
            f"{files.files[0]} has {listed(dict.fromkeys(own))}"
            for files, own in zip((generated, true), held, strict=True)
        ]
        raise EventFileError(f"{', '.join(what)}: expected the same, or numbers of both to be named (--classifier)")
    return (process, kind) if kind else (replace(process, classifier=tuple(f"`{name}`" for name in common)), None)


def _read(process: Process, files: SampleFiles, expressions: Sequence[Expression]) -> tuple[Floats, Floats]:
    """What classifiers see of each event, (n, ...), and the weights that events have, (n,)."""
    numbers, events, weights = Numbers(process, expressions), list[Floats](), list[Floats]()
    for batch in batches(process, files, numbers.needed or (MOMENTA,)):
        values = numbers(batch.columns)
        seen = np.stack([values[e].values for e in expressions], axis=-1) if expressions else batch.columns[MOMENTA]
        events.append(seen)
        weights.append(np.ones(len(batch)) if batch.weights is None else batch.weights)
    return np.concatenate(events), np.concatenate(weights)


def _some(files: SampleFiles, events: Floats, weights: Floats, most: float, rng: np.random.Generator) -> Floats:
    """At most so many of the finite events, at random, and with probabilities in proportion to their weights."""
    usable = is_finite(events)
    if weights.min() < 0 or not weights.any():
        raise EventFileError(f"{files.files[0]}: negative weights or none above 0, expected some and no negative ones")
    if (weights != weights[0]).any():
        usable &= accepted(weights, rng)
    some = np.sort(rng.permutation(np.flatnonzero(usable))[: round(most)])
    if some.size < FEWEST:
        n = counted(some.size, "event")
        raise EventFileError(f"{files.files[0]}: only {n} to learn from, expected at least {FEWEST}")
    return events[some]


def _places(learned: LearnedRatio, generated: Floats, names: Sequence[str], kind: Particles | None) -> list[Place]:
    """Where small and large weights lie in the numbers, or in simple observables of the particles."""
    samples = ((learned.reference_events, learned.reference), (generated, learned.generated))
    if min(len(ratios) for _, ratios in samples) < FOR_PLACES:
        return []
    if kind is not None:
        of_particles = [f"{function}({name})" for function in ("pT", "eta") for name in kind.particles]
        names = of_particles + [f"{function}({name})" for function in ("m", "pT") for name in kind.composites]
    tables = []
    for events, ratios in samples:
        columns = events.T if kind is None else [observable(name, *kind)(events) for name in names]
        tables.append(np.stack([*columns, ratios], axis=-1))
    usable = np.min([np.isfinite(table).mean(axis=0) for table in tables], axis=0) > PRESENT
    of = {name: itemgetter((slice(None), k)) for k, name in enumerate(names) if usable[k]}
    return places(itemgetter((slice(None), -1)), tables[0], tables[1], of)
