"""The generators of top pairs and the events they are held against, as the pages of section 5 need them."""

import warnings
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from tqdm import TqdmWarning

from gampl.processes.top_pair import TopPair
from gampl.store.artifacts import array_digest
from gampl.training.ensemble import Ensemble
from gampl_book import event_studies
from gampl_book.event_ensembles import ensemble as trained, holdout_events, training_events
from gampl_book.event_studies import EXTRA_JETS, TITLES, top_pair
from gampl_book.pages import Page
from gampl_book.profiles import section

with warnings.catch_warnings():  # lloca's libraries import this, and in a notebook it complains about missing widgets
    warnings.simplefilter("ignore", TqdmWarning)
    import tqdm.auto  # noqa: F401

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TopPairStudy:
    """All ensembles of a profile, by the number of extra jets and the kind of generator."""

    kinds: tuple[str, ...]  # of generators, see `gampl.generators.settings.Architecture`
    names: dict[str, str]  # under which the results of kinds are recorded
    processes: dict[int, TopPair]
    ensembles: dict[tuple[int, str], Ensemble]
    training: dict[int, Floats]  # events that all members were trained on, (n_train, particles, 4)
    holdout: dict[int, Floats]  # true events that no member has seen, (n, particles, 4)
    n_gen: dict[int, int]  # events that each member generates

    @classmethod
    def of(cls, page: Page) -> "TopPairStudy":
        """Load, train or generate what a page wants; numbers of events and members are recorded on the page."""
        profile, seed, settings = page.profile, page.seed, section(page.profile, "event_trainings")
        plan, kinds = event_studies.ensembles(profile, seed), tuple(settings["generators"])
        one = {extra: plan[top_pair(extra, kinds[0])] for extra in EXTRA_JETS}
        study = cls(
            kinds,
            event_studies.recorded(kinds),
            {extra: TopPair(extra) for extra in EXTRA_JETS},
            {(extra, k): trained(top_pair(extra, k), profile, seed) for extra, k in product(EXTRA_JETS, kinds)},
            {extra: training_events(one[extra], profile) for extra in EXTRA_JETS},
            {extra: holdout_events(extra, one[extra].n_train, profile) for extra in EXTRA_JETS},
            {extra: event_studies.n_gen(profile, top_pair(extra, kinds[0])) for extra in EXTRA_JETS},
        )
        for history in (member.history for ensemble in study.ensembles.values() for member in ensemble.members):
            if history is not None:
                page.count_training(history.seconds, history.device)
        events = {f"training {extra}j": array_digest(e) for extra, e in study.training.items()}
        events |= {f"holdout {extra}j": array_digest(e) for extra, e in study.holdout.items()}
        page.made_of(event_trainings=settings | {"posterior": one[0].posterior}, sha256_of_events=events)
        for extra in EXTRA_JETS:
            page.record(f"n_train_{extra}j", len(study.training[extra]))
            page.record(f"n_gen_{extra}j", study.n_gen[extra])
            page.record(f"n_holdout_{extra}j", len(study.holdout[extra]))
        page.record("members", settings["members"])
        page.record("fewest_members", min(map(len, study.ensembles.values())))
        page.record("left_out", len(study.left_out()))
        return study

    def left_out(self) -> list[tuple[str, str, int, str]]:
        """Process, generator, member and reason of each member that failed."""
        return [
            (process_title(extra), TITLES[kind], member, reason)
            for (extra, kind), ensemble in self.ensembles.items()
            for member, reason in ensemble.excluded.items()
        ]


def process_title(extra_jets: int) -> str:
    """How figures and tables call top pairs with extra jets."""
    return rf"$t\bar t$ + {extra_jets} jets"
