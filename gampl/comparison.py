"""Kolmogorov-Smirnov tests of a stream of events: any number of summaries and references in one pass."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.kolmogorov import KolmogorovSmirnov
from gampl.streams import check_lost, pieces, prefix_sizes

Summary = Callable[[NDArray[np.float64]], ArrayLike]
Cut = Callable[[NDArray[np.float64]], ArrayLike]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One Kolmogorov-Smirnov test of a stream: which number of each event, against which reference.

    Args:
        summary: Makes one number of each event of a batch, (n, dim) -> (n,).
        reference: The same number for the reference events, shape (n_ref,).
        keep: Which events of a batch take part, (n, dim) -> (n,) of bool; the reference has been cut alike.
    """

    summary: Summary
    reference: ArrayLike
    keep: Cut | None = None


class Trace(NamedTuple):
    """Distances at nested prefixes of a stream."""

    distances: NDArray[np.float64]  # (comparisons, steps); NaN as long as no event was kept
    n_kept: NDArray[np.int64]  # events that took part, (comparisons, steps)
    n_lost: NDArray[np.int64]  # events whose summary is NaN or infinite, (comparisons,)


def trace(
    batches: Iterable[ArrayLike],
    comparisons: Sequence[Comparison],
    n_gen: ArrayLike,
    *,
    max_lost: float = 1e-3,
    member: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Distances of one stream to any number of references at all prefixes, in one pass.

    Memory does not depend on the number of events, and prefixes cost nothing. A cut or summary that several comparisons
    share is computed once.

    Args:
        batches: Batches of events, shape (n, dim) or (n,).
        comparisons: What to test.
        n_gen: Increasing numbers of generated events, before any cut, shape (steps,), or a single one.
        max_lost: Largest tolerated share, of the events that are kept, whose summary is not finite. They count as
            above all others.
        member: How to call the stream in messages.
        progress: Called with the events done after each batch, and at the end of each prefix.

    Raises:
        ValueError: If the stream ends early or loses too many events, a summary does not return one number per event,
            or a reference is unusable.
    """
    sizes = prefix_sizes(n_gen)
    tests = [KolmogorovSmirnov(c.reference) for c in comparisons]
    distances = np.full((len(tests), sizes.size), np.nan)
    n_kept = np.zeros((len(tests), sizes.size), dtype=np.int64)
    done = 0
    for step, events, is_complete in pieces(batches, sizes, member):
        # what several comparisons share is computed once
        kept = {id(keep): _kept(keep, events) for keep in {id(c.keep): c.keep for c in comparisons}.values()}
        values: dict[tuple[int, int], NDArray[np.floating]] = {}
        for c, test in zip(comparisons, tests, strict=True):
            key = id(c.summary), id(c.keep)
            if key not in values:
                values[key] = summarise(c.summary, kept[id(c.keep)])
            test.update(values[key])
        done += len(events)
        if is_complete:
            n_kept[:, step] = [test.n_gen for test in tests]
            distances[:, step] = [test.distance if test.n_gen else np.nan for test in tests]
        if progress is not None:
            progress(done)
    for test in tests:
        check_lost(f"member {member}", "summary", test.n_lost, test.n_gen, max_lost)
    return Trace(distances, n_kept, np.array([test.n_lost for test in tests]))


def summarise(summary: Summary, events: ArrayLike) -> NDArray[np.floating]:
    """The summary of events, shape (n, dim) or (n,), checked to be one number for each.

    Raises:
        ValueError: If it is not.
    """
    batch = np.asarray(events)
    values = np.asarray(summary(batch))
    if values.shape != (len(batch),) or values.dtype.kind not in "iuf":
        raise ValueError(
            f"summary must give one number per event, shape ({len(batch)},), got {values.dtype} {values.shape}"
        )
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _kept(keep: Cut | None, events: NDArray[np.float64]) -> NDArray[np.float64]:
    if keep is None:
        return events
    mask = np.asarray(keep(events))
    if mask.dtype != np.bool_ or mask.shape != (len(events),):
        raise ValueError(f"keep must give one bool per event, shape ({len(events)},), got {mask.dtype} {mask.shape}")
    return np.asarray(events[mask])
