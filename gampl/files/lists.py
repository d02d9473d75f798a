"""Events with lists of particles: which entries become which particle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import EventFileError
from gampl.files.layout import Layout


def take(
    path: Path,
    first: int,
    entries: NDArray[Any],
    counts: NDArray[np.intp],
    pt: NDArray[Any],
    wanted: int,
    source: str,
    layout: Layout,
) -> NDArray[Any]:
    """The first entries of each event's list, hardest first unless the layout wants the file's order.

    Args:
        path: File, for errors.
        first: Number of the first event, for errors.
        entries: Four numbers for each entry, events one after the other, shape (total, 4).
        counts: Entries of each event, shape (n,).
        pt: Transverse momenta, shape (total,).
        wanted: How many to take.
        source: What the entries are, for errors.
        layout: Says whether there may be fewer (``absent``) or more (``further``).

    Returns:
        Shape (n, wanted, 4), rows of zeros for those that are absent.

    Raises:
        EventFileError: If there are fewer or more entries than the layout allows.
    """
    wrong = (counts < wanted) & (not layout.absent) | (counts > wanted) & (not layout.further)
    for event in np.flatnonzero(wrong):
        cure = "absent" if counts[event] < wanted else "further"
        raise EventFileError(
            f"{path}: event {first + event} (counted from 0) has {counts[event]} entries of {source},"
            f" expected {wanted} (or Layout({cure}=True))"
        )
    events = np.repeat(np.arange(len(counts)), counts)
    if layout.order == "pT":
        # what is not a number comes first, where the checks find it
        entries = entries[np.lexsort((np.where(np.isnan(pt), -np.inf, -pt), events))]
    rank = np.arange(len(events)) - np.repeat(np.cumsum(counts) - counts, counts)
    taken = rank < wanted
    result = np.zeros((len(counts), wanted, 4), dtype=entries.dtype)
    result[events[taken], rank[taken]] = entries[taken]
    return result


def in_order(sources: Sequence[object], taken: dict[Any, NDArray[Any]]) -> NDArray[Any]:
    """Particles in the order of their sources, a source's next entry each time that it occurs.

    Args:
        sources: For each particle.
        taken: For each different source, its entries, shape (n, times that it occurs, 4).

    Returns:
        Shape (n, particles, 4).
    """
    used = dict.fromkeys(taken, 0)
    columns = []
    for source in sources:
        columns.append(taken[source][:, used[source]])
        used[source] += 1
    return np.stack(columns, axis=1)
