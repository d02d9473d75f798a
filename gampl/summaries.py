"""Summaries turn an event into one number."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def radius(events: ArrayLike) -> NDArray[np.float64]:
    """Euclidean norm R of events of shape (..., dim), shape (...); below Eq. (5)."""
    return np.asarray(np.linalg.norm(np.asarray(events, dtype=np.float64), axis=-1))


def coordinate(events: ArrayLike) -> NDArray[np.float64]:
    """The single coordinate of one-dimensional events: shape (..., 1) or (n,) to (...).

    Raises:
        ValueError: If the events have more than one coordinate.
    """
    x = np.asarray(events, dtype=np.float64)
    if x.ndim >= 2 and x.shape[-1] != 1:
        raise ValueError(f"events have {x.shape[-1]} coordinates: name an observable that makes one number of them")
    return x[..., 0] if x.ndim >= 2 else x
