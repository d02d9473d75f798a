"""Differential tests of a trained ring posterior, as several pages of the book need them."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl import differential
from gampl.distances import Comparison, Cut, summarise, trace
from gampl.processes import GaussianRing
from gampl.ratio import exact_log_ratio
from gampl.regions import Observable, radius
from gampl.result import Amplification
from gampl.training.ensemble import Ensemble
from gampl_book.ring_ensembles import ring, training_events

Events = NDArray[np.float64]
Summaries = Mapping[str, Observable]
Tested = dict[tuple[str, str], Amplification]

BULK = GaussianRing(2).shells(20)[1:19]  # the same radii in every dimension


def in_bulk(events: ArrayLike) -> NDArray[np.bool_]:
    """Which events lie in regions 2 to 19 of the radius, the ones that take part in section 4.2 of the paper."""
    R = radius(events)
    return np.asarray((BULK.low[0] <= R) & (BULK.high[-1] > R))


def true_log_ratio(outcome: Ensemble, member: int) -> Observable:
    """LR_truth of a member: log p_true - log p_gen of events, (n, dim) -> (n,)."""
    process = GaussianRing(ring(outcome.training).dim)
    return exact_log_ratio(process.log_prob, lambda events: outcome.log_prob(events, member))


def compare_members(
    outcome: Ensemble,
    references: Mapping[str, Events],
    n_gen: ArrayLike,
    summaries: Callable[[int], Summaries],
    *,
    members: int,
    seed: int,
    cut: Callable[[int], Cut] | None = None,
) -> Tested:
    """Test each member's events against several references with several summaries, in one pass over its stream.

    Args:
        outcome: The trained posterior.
        references: True events by name, each (n, dim). The one called "training" is labelled as used in the training.
        n_gen: Increasing numbers of generated events, before the cut.
        summaries: For a member the summaries by name.
        members: How many members to test, from the first on.
        seed: Of the generated events.
        cut: For a member the events that take part; regions 2 to 19 by default.

    Returns:
        By (summary, reference) the result for all members. n_train, n_gen and n_ref are those after the cut, averaged
        over the members where the cut depends on them. Steps in which the cut leaves fewer than 10 events of a member
        are left out.

    Raises:
        ValueError: If the cut leaves fewer than 10 generated events of a member, or no reference event.
    """
    names, distances, n_kept, n_ref, n_train = [], [], [], [], []
    for member in range(members):
        keep = in_bulk if cut is None else cut(member)
        kept = {name: events[np.asarray(keep(events))] for name, events in references.items()}
        tests = {
            (what, name): Comparison(summary, summarise(summary, kept[name]), keep)
            for what, summary in summaries(member).items()
            for name in references
        }
        stream = outcome.stream(member, int(np.max(n_gen)), seed)
        one = trace(stream, list(tests.values()), n_gen, member=member)
        names = list(tests)
        distances.append(one.distances)
        n_kept.append(one.n_kept[0])
        n_ref.append([len(kept[name]) for _, name in names])
        n_train.append(np.count_nonzero(keep(training_events(outcome.training))))
    enough = np.min(n_kept, axis=0) >= 10  # (steps,)
    if not enough[-1]:
        raise ValueError(f"the cut leaves only {np.min(n_kept, axis=0)[-1]} generated events of a member: raise n_gen")
    by_test = np.stack(distances, axis=1)[..., enough]  # (tests, members, steps)
    return {
        (what, name): differential.from_distances(
            by_test[i],
            np.mean(n_kept, axis=0)[enough],
            float(np.mean(n_ref, axis=0)[i]),
            round(float(np.mean(n_train))),
            reference_is="training" if name == "training" else "holdout",
        )
        for i, (what, name) in enumerate(names)
    }
