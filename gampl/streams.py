"""Events that pass by in batches, cut at nested prefixes."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray


def prefix_sizes(n_gen: ArrayLike) -> NDArray[np.int64]:
    """Numbers of events as an increasing list, shape (steps,), from a single one or several.

    Raises:
        ValueError: If they are not whole, positive and increasing.
    """
    given = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    is_whole = given.ndim == 1 and given.size > 0 and bool((np.isfinite(given) & (given == np.floor(given))).all())
    if not (is_whole and (np.diff(given, prepend=0) > 0).all()):
        raise ValueError(f"n_gen must be whole numbers, positive and increasing, got {given}")
    return given.astype(np.int64)


def pieces(
    batches: Iterable[ArrayLike], sizes: NDArray[np.int64], member: int = 0
) -> Iterator[tuple[int, NDArray[np.float64], bool]]:
    """Cut a stream so that each prefix ends with a piece; yields (step, events, whether the prefix is complete).

    Args:
        batches: Batches of events, shape (n, dim) or (n,).
        sizes: Increasing lengths of the prefixes, shape (steps,); what follows the last is not read.
        member: How to call the stream in the error message.

    Raises:
        ValueError: If the stream ends before the last prefix does, or does not consist of batches.
    """
    done = step = 0
    for batch in batches:
        events = np.asarray(batch)
        if events.ndim == 0:
            raise ValueError(
                f"member {member}: expected batches of events, shape (n, dim) or (n,), got a single number"
            )
        while len(events):
            head, events = events[: sizes[step] - done], events[sizes[step] - done :]
            done += len(head)
            is_complete = bool(done == sizes[step])
            yield step, head, is_complete
            step += is_complete
            if step == sizes.size:
                return
    raise ValueError(f"member {member}: the stream ended after {done} of {sizes[-1]} events")
