"""Kolmogorov-Smirnov distances of many summaries of one stream at nested prefixes, in one pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats, require, unmasked
from gampl.kolmogorov import KolmogorovSmirnov
from gampl.regions import Observable, mask
from gampl.samples import Accumulator, batches, prefix_sizes

Cut = Callable[[Floats], ArrayLike]  # which events of a batch take part, (n, dim) -> (n,) of bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """One Kolmogorov-Smirnov test of a stream: which number of each event, against which reference."""

    summary: Observable
    reference: ArrayLike  #: the same number for the reference events, shape (n_ref,)
    keep: Cut | None = None  #: which events take part; the reference has been cut alike


class Trace(NamedTuple):
    """Distances at nested prefixes of a stream."""

    distances: Floats  #: (comparisons, steps); NaN as long as no event was kept
    n_kept: NDArray[np.int64]  #: events that took part, (comparisons, steps)
    n_lost: NDArray[np.int64]  #: events whose summary is NaN or infinite, (comparisons,)


def trace(
    sample: Any,
    comparisons: Sequence[Comparison],
    n_gen: ArrayLike,
    *,
    max_lost: float = 1e-3,
    member: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Distances of one stream to any number of references at all prefixes, in one pass.

    Memory does not depend on the number of events, prefixes cost nothing, and a shared cut or summary is computed once.

    The sample is batches of events, shape (n, dim) or (n,), or any other one, see `gampl.samples.batches`; in messages
    it is member number ``member``. ``n_gen`` are increasing numbers of events, before any cut, shape (steps,), or a
    single one. ``max_lost`` is the largest tolerated share of events that are kept, but whose summary is not finite;
    they count as above all others. ``progress`` is called with the events done after each batch. A ValueError if the
    stream ends early or loses too many events, a summary is not one number per event, or a reference is unusable.
    """
    sizes = prefix_sizes(n_gen)
    tests = [KolmogorovSmirnov(c.reference) for c in comparisons]
    cuts = {id(c.keep): c.keep for c in comparisons}
    summaries = {(id(c.summary), id(c.keep)): c.summary for c in comparisons}
    distances, n_kept, stream = [], [], Accumulator(sizes)
    for batch in batches(sample, int(sizes[-1]), f"member {member}"):
        for part, is_complete in stream.parts(np.zeros(len(batch), dtype=bool), None):
            events = batch[part]
            kept = {cut: events if keep is None else events[mask(keep, events, "keep")] for cut, keep in cuts.items()}
            values = {(key, cut): summarise(summary, kept[cut]) for (key, cut), summary in summaries.items()}
            for c, test in zip(comparisons, tests, strict=True):
                test.update(values[id(c.summary), id(c.keep)])
            if is_complete:
                n_kept.append([test.n_gen for test in tests])
                distances.append([test.distance if test.n_gen else np.nan for test in tests])
        if progress is not None:
            progress(stream.n_gen)
    for test in tests:
        test.check_lost(member, "summary", max_lost)
    return Trace(np.array(distances).T, np.array(n_kept).T, np.array([test.n_lost for test in tests]))


def summarise(summary: Observable, events: ArrayLike) -> NDArray[np.floating]:
    """The summary of events, shape (n, dim) or (n,); a ValueError if it is not one number for each."""
    batch = np.asarray(events)
    values = np.asarray(unmasked(summary(batch), "summary"))
    is_right, got = values.shape == (len(batch),) and values.dtype.kind in "iuf", f"{values.dtype} {values.shape}"
    require(is_right, "summary", f"give one number per event, shape ({len(batch)},)", got)
    return values if values.dtype.kind == "f" else values.astype(np.float64)
