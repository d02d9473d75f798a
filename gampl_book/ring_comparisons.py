"""Differential tests of a trained ring posterior, as several pages of the book need them."""

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl import differential
from gampl.basics import Floats
from gampl.distances import Comparison, Cut, summarise, trace
from gampl.processes import GaussianRing
from gampl.ratio import exact_log_ratio
from gampl.regions import Observable, radius
from gampl.result import Amplification
from gampl.training.ensemble import Ensemble
from gampl_book.ring_ensembles import ring, training_events

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
    references: Mapping[str, Floats],
    n_gen: ArrayLike,
    summaries: Callable[[int], Mapping[str, Observable]],
    *,
    members: int,
    seed: int,
    cut: Callable[[int], Cut] | None = None,
) -> dict[tuple[str, str], Amplification]:
    """Test the first members' events against several references with several summaries, in one pass over each stream.

    References are true events by name, each (n, dim), of which "training" is labelled as used in the training; n_gen
    are increasing numbers of generated events, before the cut. Summaries by name, and the cut to the events that take
    part, by default regions 2 to 19, may depend on the member.

    Returns by (summary, reference) the result for all members. n_train, n_gen and n_ref are those after the cut,
    averaged over the members where the cut depends on them. Steps in which the cut leaves fewer than 10 events of a
    member are left out; ValueError is raised if that is the last one, or if no reference event is left.
    """
    names, distances, n_kept, n_ref, n_train = [], [], [], [], []
    for member in range(members):
        keep = in_bulk if cut is None else cut(member)
        kept = {name: events[np.asarray(keep(events))] for name, events in references.items()}
        own = summaries(member)
        names = list(product(own, references))
        tests = [Comparison(own[what], summarise(own[what], kept[name]), keep) for what, name in names]
        one = trace(outcome.stream(member, int(np.max(n_gen)), seed), tests, n_gen, member=member)
        distances.append(one.distances)
        n_kept.append(one.n_kept[0])
        n_ref.append([len(kept[name]) for _, name in names])
        n_train.append(np.count_nonzero(keep(training_events(outcome.training))))
    enough = np.min(n_kept, axis=0) >= 10  # (steps,)
    if not enough[-1]:
        raise ValueError(f"the cut leaves only {np.min(n_kept, axis=0)[-1]} generated events of a member: raise n_gen")
    by_test = np.stack(distances, axis=1)[..., enough]  # (tests, members, steps)
    steps, n, result = np.mean(n_kept, axis=0)[enough], round(float(np.mean(n_train))), {}
    for test, of_test, size in zip(names, by_test, np.mean(n_ref, axis=0), strict=True):
        role: differential.ReferenceIs = "training" if test[1] == "training" else "holdout"
        result[test] = differential.from_distances(of_test, steps, float(size), n, reference_is=role)
    return result
