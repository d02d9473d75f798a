"""The generators of top pairs and the events they are held against, as the pages of section 5 need them."""

import warnings
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray
from tqdm import TqdmWarning

from gampl import plots
from gampl.processes.top_pair import TopPair
from gampl.store.artifacts import array_digest
from gampl.training.ensemble import MAX_LOST, Ensemble
from gampl_book import event_ensembles, event_studies
from gampl_book.event_studies import EXTRA_JETS, TITLES, top_pair
from gampl_book.pages import Page
from gampl_book.profiles import section
from gampl_book.top_pair_members import MemberEvents, Truth, counted_at

with warnings.catch_warnings():  # lloca's libraries import this, and in a notebook it complains about missing widgets
    warnings.simplefilter("ignore", TqdmWarning)
    import tqdm.auto  # noqa: F401


COLOURS = {**plots.GENERATORS, "lgatr": plots.OTHERS[2], "transformer_deep": "0.45"}  # both L-GATr may be there


@dataclass(frozen=True)
class TopPairStudy:
    """All ensembles of a profile, by the number of extra jets and the kind of generator."""

    kinds: tuple[str, ...]  # of generators, see `gampl.generators.settings.Architecture`
    names: dict[str, str]  # under which the results of kinds are recorded
    truth: dict[int, Truth]
    ensembles: dict[tuple[int, str], Ensemble]
    n_gen: dict[tuple[int, str], int]  # events that each member generates
    seed: int
    problems: dict[tuple[str, str, int], str] = field(default_factory=dict)  # why a member's events cannot be counted

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
        events |= {f"m_tt {extra}j": array_digest(truth.masses) for extra, truth in study.truth.items()}
        posterior, members = next(iter(one.values())).posterior, max(there[name] for name in names.values())
        page.made_of(event_trainings=settings | {"posterior": posterior, "members": members}, sha256_of_events=events)
        for extra, truth in study.truth.items():
            page.record(f"n_train_{extra}j", len(truth.training))
            page.record(f"n_gen_{extra}j", max(n for (e, _), n in study.n_gen.items() if e == extra))
            page.record(f"n_holdout_{extra}j", len(truth.holdout))
        for extra in set(EXTRA_JETS) - study.truth.keys():
            for name in ("n_train", "n_gen", "n_holdout"):
                page.record(f"{name}_{extra}j", np.nan)
        page.record("members", members)
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
        """Events in a region, see `Truth.regions`, at all sizes: (sizes, members, regions); and how many were lost.

        A member is left out, and named among the `problems`, where more than 0.1 % of its events have no finite number.
        """
        regions, sizes, lost = self.truth[extra].regions[region], self.sizes(extra, kind), 0
        found = [np.empty((len(sizes), 0, len(regions)), dtype=np.int64)]
        for events in self.events(extra, kind):
            counts, of_member = events.counts(regions, sizes)
            if of_member > MAX_LOST * events.n:
                why = f"{of_member} of {events.n} events have no finite {regions.observable.name}"  # type: ignore[attr-defined]
                self.problems[process_title(extra), TITLES[kind], events.member.number] = why
            else:
                found.append(counts)
                lost += of_member
        return np.concatenate(found, axis=1), lost

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
