"""The generators of top pairs and the events they are held against, as the pages of section 5 need them."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from tqdm import TqdmWarning

from gampl import plots
from gampl.processes.top_pair import TopPair
from gampl.regions import Intervals
from gampl.store.artifacts import array_digest
from gampl.training.ensemble import MAX_LOST, Ensemble, Trained
from gampl_book import event_ensembles, event_studies
from gampl_book.event_studies import EXTRA_JETS, TITLES, top_pair
from gampl_book.pages import Page
from gampl_book.profiles import section
from gampl_book.top_pair_members import MemberEvents

with warnings.catch_warnings():  # lloca's libraries import this, and in a notebook it complains about missing widgets
    warnings.simplefilter("ignore", TqdmWarning)
    import tqdm.auto  # noqa: F401

Floats = NDArray[np.float64]

COLOURS = {**plots.GENERATORS, "lgatr": plots.OTHERS[2], "transformer_deep": "0.45"}  # both L-GATr may be there
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


@dataclass(frozen=True)
class TopPairStudy:
    """All ensembles of a profile, by the number of extra jets and the kind of generator."""

    kinds: tuple[str, ...]  # of generators, see `gampl.generators.settings.Architecture`
    names: dict[str, str]  # under which the results of kinds are recorded
    truth: dict[int, Truth]
    ensembles: dict[tuple[int, str], Ensemble]
    n_gen: dict[tuple[int, str], int]  # events that each member generates
    seed: int

    @classmethod
    def of(cls, page: Page) -> "TopPairStudy":
        """Load, train or generate what a page wants; numbers of events and members are recorded on the page.

        Where a profile is trained elsewhere, processes and kinds are left out that were not trained so far.
        """
        profile, seed, settings = page.profile, page.seed, section(page.profile, "event_trainings")
        plan, there = event_studies.ensembles(profile, seed), event_ensembles.available(profile, seed)
        every = tuple(settings["generators"])
        names = {(e, kind): top_pair(e, kind) for e, kind in product(EXTRA_JETS, every) if top_pair(e, kind) in there}
        if not names:
            raise ValueError(f"profile {profile}: no ensemble of top pairs is trained, see `gampl_book train --help`")
        one = {extra: plan[name] for (extra, _), name in reversed(names.items())}
        study = cls(
            tuple(kind for kind in every if any(kind == other for _, other in names)),
            event_studies.recorded(every),
            {extra: Truth(extra, profile, one[extra].n_train) for extra in sorted(one)},
            {key: event_ensembles.ensemble(name, profile, seed) for key, name in names.items()},
            {key: event_studies.n_gen(profile, name) for key, name in names.items()},
            seed,
        )
        for history in (member.history for ensemble in study.ensembles.values() for member in ensemble.members):
            if history is not None:
                page.count_training(history.seconds, history.device)
        events = {f"training {extra}j": array_digest(truth.training) for extra, truth in study.truth.items()}
        events |= {f"holdout {extra}j": array_digest(truth.holdout) for extra, truth in study.truth.items()}
        posterior = next(iter(one.values())).posterior
        page.made_of(event_trainings=settings | {"posterior": posterior}, sha256_of_events=events)
        for extra, truth in study.truth.items():
            page.record(f"n_train_{extra}j", len(truth.training))
            page.record(f"n_gen_{extra}j", max(n for (e, _), n in study.n_gen.items() if e == extra))
            page.record(f"n_holdout_{extra}j", len(truth.holdout))
        for extra in set(EXTRA_JETS) - study.truth.keys():
            for name in ("n_train", "n_gen", "n_holdout"):
                page.record(f"{name}_{extra}j", np.nan)
        page.record("members", settings["members"])
        page.record("fewest_members", min(map(len, study.ensembles.values())))
        page.record("left_out", len(study.left_out()))
        return study

    @property
    def processes(self) -> dict[int, TopPair]:
        """By the number of extra jets."""
        return {extra: truth.process for extra, truth in self.truth.items()}

    def sizes(self, extra: int, kind: str) -> NDArray[np.int64]:
        """Numbers of generated events at which regions are counted."""
        return counted_at(self.n_gen[extra, kind])

    def events(self, extra: int, kind: str) -> list[MemberEvents]:
        """Those of each member of an ensemble, which answer questions."""
        process, n = self.truth[extra].process, self.n_gen[extra, kind]
        return [MemberEvents(process, member, n, self.seed) for member in self.ensembles[extra, kind].members]

    def counts(self, extra: int, kind: str, region: str) -> tuple[NDArray[np.int64], int]:
        """Events in a region, see `Truth.regions`, at all sizes: (sizes, members, regions); and how many were lost."""
        regions, sizes = self.truth[extra].regions[region], self.sizes(extra, kind)
        counts, lost = zip(*(events.counts(regions, sizes) for events in self.events(extra, kind)), strict=True)
        return np.concatenate(counts, axis=1), sum(lost)

    def left_out(self) -> list[tuple[str, str, int, str]]:
        """Process, generator, member and reason of each member that failed."""
        return [
            (process_title(extra), TITLES[kind], member, reason)
            for (extra, kind), ensemble in self.ensembles.items()
            for member, reason in ensemble.excluded.items()
        ]


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


def process_title(extra_jets: int) -> str:
    """How figures and tables call top pairs with extra jets."""
    return rf"$t\bar t$ + {extra_jets} jets"
