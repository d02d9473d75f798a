"""What the pages on top pairs ask about the generated events of one member: found once, kept, and small.

A member's million events are made on a GPU, in minutes, and do not travel; these answers do, and the pages are made of
them wherever they are. See `gampl_book.transport`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl import averaging
from gampl.distances import Comparison, trace
from gampl.particles import delta_r, held_out_events
from gampl.processes.top_pair import TopPair
from gampl.ratio import LearnedRatio
from gampl.regions import Intervals
from gampl.store import provenance
from gampl.store.artifacts import Artifact, array_digest
from gampl.training.ensemble import MAX_LOST, Trained
from gampl_book import PACKAGES, event_ensembles
from gampl_book.profiles import section

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

LOOKED_AT = 100_000  # events that are searched for what the cuts exclude
STEPS = 10  # numbers of generated events at which distances are found
CUTS = ("all", "region")
SUMMARIES = ("m_tt", "class")
FIRST_SIZE, SIZES = 200, 12  # numbers of generated events at which regions are counted
MASS_EDGES = np.concatenate([np.arange(200, 1000, 50), np.arange(1000, 1600, 100), [1600, 1800, 2000, 2200, 2600]])
BAND_EDGES = np.array([400.0, 600.0, 1000.0, np.inf])  # of m_tt, for the spread of the members
CONTROL = {
    "m_W1": np.linspace(30, 150, 41), "m_t1": np.linspace(80, 320, 41), "pT(b1)": np.linspace(22, 322, 41),
    "pT(q2)": np.linspace(22, 172, 41), "deltaR(q1,q2)": np.linspace(0, 5, 41), "deltaR(b1,b2)": np.linspace(0, 6, 41),
}  # fmt: skip
HISTOGRAMS: tuple[Mapping[str, Floats], ...] = ({"m_tt": MASS_EDGES}, {"m_tt": BAND_EDGES}, CONTROL)


@dataclass(frozen=True)
class Truth:
    """True top pairs of a profile with a number of extra jets, and the questions that the pages ask by them."""

    extra_jets: int
    profile: str
    n_train: int

    @property
    def process(self) -> TopPair:
        """Names, observables and cuts of the events."""
        return TopPair(self.extra_jets)

    @cached_property
    def holdout(self) -> Floats:
        """Events that no member has seen, (n, particles, 4)."""
        return event_ensembles.holdout_events(self.extra_jets, self.n_train, self.profile)

    @cached_property
    def training(self) -> Floats:
        """Events that all members were trained on, (n_train, particles, 4)."""
        return event_ensembles.top_pairs(self.extra_jets, self.n_train, self.profile)

    def values(self, observable: str) -> Floats:
        """An observable of the holdout: (n,)."""
        return self.process.observable(observable)(self.holdout)

    @cached_property
    def masses(self) -> Floats:
        """m_tt of the holdout, and without extra jets of more events, of which only observables are bundled: (n,)."""
        bundled = [] if self.extra_jets or self.profile == "paper" else [self.process.load_observables()["m_tt"]]
        return np.concatenate([self.values("m_tt"), *bundled])

    @property
    def region(self) -> tuple[float, float]:
        """Ends of the profile's own region of m_tt in GeV."""
        low, high = section(self.profile, "top_pair_averaging")["region"]
        return low, high

    @cached_property
    def regions(self) -> dict[str, Intervals]:
        """The profile's region, ten of equal probability, that of Eq. (43), and the upper tenth of pT(b1)."""
        mass, hard = self.process.observable("m_tt"), self.process.observable("pT(b1)")
        tenths = np.quantile(self.values("m_tt"), np.arange(1, 10) / 10)
        return {
            "region": self.process.region(*self.region),
            "all": Intervals.between([0, *tenths, np.inf], mass),
            "paper": self.process.region(),
            "hard": Intervals.between([np.quantile(self.values("pT(b1)"), 0.9), np.inf], hard),
        }

    @cached_property
    def references(self) -> dict[str, Floats]:
        """What generated events are compared with, (n, particles, 4) each."""
        n_holdout = section(self.profile, "top_pair_differential")["n_holdout"]
        return {"training": self.training, "holdout": self.holdout[:n_holdout]}


class Distances(NamedTuple):
    """Kolmogorov-Smirnov distances of one member to one reference, for all events and the region, by two summaries."""

    learned: LearnedRatio  #: of the classifier, without its function
    used: int  #: generated events that the classifier has seen, which are not tested
    tests: dict[tuple[str, str], tuple[Floats, NDArray[np.int64], int]]  #: (cut, summary): distances, kept, n_ref


@dataclass(frozen=True)
class MemberEvents:
    """The first n events of a member, about which questions are answered."""

    process: TopPair
    member: Trained
    n: int
    seed: int

    def counts(self, regions: Intervals, sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """Events in each region among the first ones, (sizes, 1, regions), and how many have no finite observable."""

        def count() -> Arrays:
            counts, lost = averaging.count_stream([self.batches()], regions, sizes, max_lost=1.0)
            return {"counts": counts, "lost": np.array([lost])}

        about = {"observable": regions.observable.name, "sizes": sizes.tolist()}  # type: ignore[attr-defined]
        found = self._kept("counts", about | _digests(low=regions.low, high=regions.high), count)
        return found["counts"], int(found["lost"][0])

    def histograms(self, edges: Mapping[str, Floats]) -> dict[str, Floats]:
        """Share of the events in each bin, by observable: (bins,) each."""

        def count() -> Arrays:
            counts = {name: np.zeros(e.size - 1) for name, e in edges.items()}
            for batch in self.batches():
                for name, e in edges.items():
                    counts[name] += np.histogram(self.process.observable(name)(batch), e)[0]
            return counts

        found = self._kept("histograms", _digests(**edges), count)
        return {name: found[name] / self.n for name in edges}

    def outside(self) -> Floats:
        """Share of events with a jet beyond the largest eta, with a pair too close, with a jet without mass: (3,)."""

        def look() -> Arrays:
            events, cuts = self.first(LOOKED_AT), self.process.cuts
            a, b = np.triu_indices(events.shape[1], 1)
            faults = (
                np.abs(events[..., 2]) > cuts.eta_max,
                delta_r(events[:, a], events[:, b]) < cuts.delta_r_min,
                events[..., 3] == 0,
            )
            return {"shares": np.array([np.mean(fault.any(axis=1)) for fault in faults])}

        return np.asarray(self._kept("outside", {}, look)["shares"])

    def learned(self, reference: Floats, seed: int) -> LearnedRatio:
        """The ratio to true events, from as many generated ones; its function is not kept and cannot be called."""

        def learn() -> Arrays:
            found = held_out_events(self.process, reference, self.first(len(reference)), seed)
            return {"reference": found.reference, "generated": found.generated}

        found = self._kept("learned", _digests(events=reference) | {"split": seed}, learn)
        return LearnedRatio(_not_kept, np.empty(0), found["reference"], found["generated"])

    def distances(self, reference: Floats, seed: int, low: float, high: float) -> Distances:
        """Distances to true events, by m_tt and by a classifier, of all events and of those with m_tt in [low, high).

        The classifier learns from half of the reference and as many generated events; the other half, and the
        generated events that follow, are tested.
        """
        mass, used = self.process.observable("m_tt"), min(len(reference), self.n // 2)

        def inside(events: Floats) -> NDArray[np.bool_]:
            m = mass(events)
            return (m >= low) & (m < high)

        def test() -> Arrays:
            ratio = held_out_events(self.process, reference[:used], self.first(used), seed)
            true = ratio.reference_events
            cuts = {"all": (None, np.ones(len(true), bool)), "region": (inside, inside(true))}
            comparisons = [
                Comparison(summary, values[mask], cut)
                for cut, mask in cuts.values()
                for summary, values in ((mass, mass(true)), (ratio, ratio.reference))
            ]
            sizes = np.unique(np.geomspace(100, self.n - used, STEPS).round().astype(int))
            found = trace(self.batches(after=used), comparisons, sizes, member=self.member.number)
            n_ref = np.array([int(mask.sum()) for _, mask in cuts.values() for _ in SUMMARIES])
            kept = {"distances": found.distances, "n_kept": found.n_kept, "n_ref": n_ref}
            return kept | {"reference": ratio.reference, "generated": ratio.generated}

        about = _digests(events=reference[:used]) | {"split": seed, "low": low, "high": high}
        found = self._kept("distances", about, test)
        tests = zip(found["distances"], found["n_kept"], found["n_ref"].tolist(), strict=True)
        learned = LearnedRatio(_not_kept, np.empty(0), found["reference"], found["generated"])
        return Distances(learned, used, dict(zip(product(CUTS, SUMMARIES), tests, strict=True)))

    def first(self, n: int) -> Floats:
        """The first n events, or all."""
        return self.member.sample(min(n, self.n), self.seed)

    def batches(self, after: int = 0) -> Iterator[Floats]:
        """The events after the first ones, in batches."""
        done = 0
        for batch in self.member.stream(self.n, self.seed):
            yield batch[max(after - done, 0) :]
            done += len(batch)

    def _kept(self, question: str, made_of: Mapping[str, Any], answer: Callable[[], Arrays]) -> Arrays:
        key = {"question": question, **made_of, "source": source()}
        return self.member.kept(self.n, self.seed, key, lambda: Artifact(answer(), {})).arrays


def counted_at(n_gen: int) -> NDArray[np.int64]:
    """Numbers of generated events at which regions are counted."""
    return np.unique(np.geomspace(FIRST_SIZE, n_gen, SIZES).round().astype(int))


def ask_everything(truth: Truth, member: Trained, n_gen: int, seed: int) -> None:
    """Finds all that the pages ask of a member, so that they can be made where its events are not."""
    if member.failure or member.lost(n_gen, seed) > MAX_LOST * n_gen:
        return
    events, k = MemberEvents(truth.process, member, n_gen, seed), member.number
    for regions in truth.regions.values():
        events.counts(regions, counted_at(n_gen))
    for edges in HISTOGRAMS:
        events.histograms(edges)
    if k == 0:
        events.outside()
        n = min(section(truth.profile, "top_pair_generators")["n_classified"], len(truth.holdout), n_gen)
        events.learned(truth.holdout[:n], seed)
    if k < section(truth.profile, "top_pair_differential")["classified"]:
        for reference in truth.references.values():
            events.distances(reference, seed + k, *truth.region)


@cache
def source() -> str:
    """Digest of the code that answers depend on, which is in their keys."""
    return provenance.digest(provenance.source_files(Path(__file__), PACKAGES))


def _not_kept(_: ArrayLike) -> Floats:
    raise TypeError("the function of a kept ratio is not kept: learn it again from the events")


def _digests(**arrays: Floats) -> dict[str, Any]:
    return {name: array_digest(np.asarray(values)) for name, values in arrays.items()}
