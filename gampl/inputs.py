"""What users hand to the estimators: arrays of several libraries, streams of batches, generators."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Weights = Callable[[Floats], ArrayLike] | Iterable[ArrayLike] | None

BATCH = 100_000  # events that are converted, or that a generator is asked for, at once
LONGEST_VECTOR = 16  # numbers of an event, above which an array in a list is taken for a batch
_METHODS = ("sample", "resample", "rvs")


def as_events(values: Any, what: str = "events") -> Floats:
    """Events of NumPy, PyTorch, awkward, pandas and the like as an array, shape (n, ...).

    Args:
        values: Array, tensor, data frame or list of numbers; columns of a frame stay in their order.
        what: How to call it in the error message.

    Raises:
        ValueError: If it is not a regular array of numbers with one entry per event.
    """
    if hasattr(values, "detach"):  # a tensor, perhaps on a GPU and with gradients
        values = values.detach().cpu()
    try:
        array = np.asarray(values)
        if array.dtype.names or array.dtype.kind not in "fiub":
            array = _columns(values, array)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what}: expected a regular array of numbers, got {_name(values)} ({error})") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{what}: expected numbers, got {_name(values)} of type {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{what}: expected one entry per event, shape (n, dim) or (n,), got the single number {array}")
    return np.asarray(array, dtype=np.float64)


def _columns(values: Any, array: NDArray[Any]) -> NDArray[Any]:
    """Records with named numbers, and frames of mixed types, as one column after the other."""
    names = array.dtype.names or tuple(getattr(values, "columns", ()))
    if not names:
        return array
    return np.stack([np.asarray(values[name], dtype=np.float64) for name in names], axis=-1)


def is_generator(member: Any) -> bool:
    """Whether events can be drawn from it; data frames and arrays have methods of that name, too."""
    has_method = any(callable(getattr(member, name, None)) for name in _METHODS)
    return has_method and not hasattr(member, "__array__")


def draw(generator: Any, n: int) -> Floats:
    """Draw events, (n, dim) or (n,).

    Knows how the methods of common libraries are called: ``sample(n)``, scikit-learn's that returns classes, too,
    ``sample((n,))`` of the distributions of PyTorch and zuko, ``resample(n)`` of SciPy's `gaussian_kde` with one column
    per event, ``rvs(n)`` of SciPy's distributions.

    Raises:
        ValueError: If the generator does not return n events.
    """
    if hasattr(generator, "batch_shape"):  # a distribution of PyTorch
        events = generator.sample((n,))
    elif hasattr(generator, "sample"):
        events = generator.sample(n)
    elif hasattr(generator, "resample"):
        events = np.transpose(generator.resample(n))
    else:
        events = generator.rvs(n)
    if isinstance(events, tuple):
        events = events[0]
    drawn = as_events(events, f"events of {type(generator).__name__}")
    if len(drawn) != n:
        raise ValueError(f"{type(generator).__name__} returned {len(drawn)} events, expected {n}")
    return drawn


def batches(member: Any, n_gen: int | None = None, what: str = "member") -> Iterator[Floats]:
    """The events of a member in batches, whatever it is.

    Args:
        member: An array or the like, see `as_events`; an iterable of such; or a generator, see `draw`.
        n_gen: Events wanted; all by default, which a generator does not have.
        what: How to call the member in error messages.

    Raises:
        ValueError: If it is none of these, or has fewer events.
    """
    done = 0
    for batch in _all_batches(member, n_gen, what):
        events = batch if n_gen is None else batch[: n_gen - done]
        done += len(events)
        yield events
        if done == n_gen:
            return
    if n_gen is not None:
        raise ValueError(f"{what}: there are {done} events, expected n_gen = {n_gen}")


def _all_batches(member: Any, n_gen: int | None, what: str) -> Iterator[Floats]:
    if is_generator(member):
        if n_gen is None:
            raise ValueError(f"{what}: {type(member).__name__} can generate any number of events, expected n_gen")
        yield from (draw(member, min(BATCH, n_gen - start)) for start in range(0, n_gen, BATCH))
    elif hasattr(member, "__array__") or hasattr(member, "detach") or hasattr(member, "__dataframe__"):
        yield from _slices(member, what)
    elif isinstance(member, str | bytes | dict) or not isinstance(member, Iterable):
        raise ValueError(f"{what}: expected events, batches of events or a generator, got {_name(member)}")
    else:
        parts = iter(member)
        first = next(parts, None)
        if first is None:
            raise ValueError(f"{what}: holds no events")
        if isinstance(member, Sequence) and (np.isscalar(first) or isinstance(first, Sequence)):
            yield as_events(member, what)  # a list of numbers, or of lists of them
        elif isinstance(member, Sequence) and _are_vectors(member):
            raise ValueError(f"{what}: {len(member)} arrays of {len(first)} numbers look like events; stack them")
        else:
            for batch in chain([first], parts):
                yield as_events(batch, f"{what}, a batch")


def _slices(member: Any, what: str) -> Iterator[Floats]:
    """An array a part at a time: a file that is mapped into memory may be larger than that."""
    try:
        n = len(member)
    except TypeError:
        n = 0
    if n <= BATCH:
        yield as_events(member, what)
        return
    rows = getattr(member, "iloc", member)  # of a frame, whatever its index
    for start in range(0, n, BATCH):
        yield as_events(rows[start : start + BATCH], what)


def weighted_streams(
    members: Any, weights: Weights = None, n_gen: int | None = None
) -> Iterator[Iterator[tuple[Floats, Floats | None]]]:
    """For each member its batches with the weights of their events, None if there are none.

    Raises:
        ValueError: If there are no members, one is no sample, or the weights do not fit.
    """
    _check_members(members)
    if weights is None or callable(weights):
        for k, member in enumerate(members):
            yield _with_weights(batches(member, n_gen, f"member {k}"), weights)
        return
    given = list(weights)
    samples = list(members)
    if len(given) != len(samples):
        raise ValueError(f"weights: expected one array for each of the {len(samples)} members, got {len(given)}")
    for k, (member, own) in enumerate(zip(samples, given, strict=True)):
        if not hasattr(member, "__array__") and not hasattr(member, "detach"):
            raise ValueError(f"member {k}: an array of weights needs an array of events, got {_name(member)}")
        yield iter([_pair(as_events(member, f"member {k}"), as_events(own, f"weights of member {k}"), n_gen, k)])


def _are_vectors(parts: Sequence[Any]) -> bool:
    """Whether a list holds many short arrays of one size: events rather than batches of them."""
    size = len(parts[0]) if np.ndim(parts[0]) == 1 else 0
    return 0 < size <= LONGEST_VECTOR < len(parts) and all(np.shape(part) == (size,) for part in parts)


def _check_members(members: Any) -> None:
    if isinstance(members, str | bytes | dict) or hasattr(members, "columns") or not isinstance(members, Iterable):
        raise ValueError(f"members: expected one sample for each member, got {_name(members)}")
    shape = tuple(getattr(members, "shape", ()))
    if not shape and hasattr(members, "ndim"):  # awkward
        shape = np.shape(as_events(members, "members"))
    if len(shape) == 1 or (len(shape) == 2 and shape[0] > shape[1]):
        raise ValueError(f"members: shape {shape} looks like one sample, expected one per member: put it in a list")


def _pair(events: Floats, weights: Floats, n_gen: int | None, member: int) -> tuple[Floats, Floats]:
    if weights.shape != (len(events),):
        raise ValueError(f"weights of member {member}: expected shape ({len(events)},), got {weights.shape}")
    if n_gen is not None and len(events) < n_gen:
        raise ValueError(f"member {member}: there are {len(events)} events, expected n_gen = {n_gen}")
    return events[:n_gen], weights[:n_gen]


def _with_weights(
    stream: Iterator[Floats], weight: Callable[[Floats], ArrayLike] | None
) -> Iterator[tuple[Floats, Floats | None]]:
    for events in stream:
        yield events, None if weight is None else np.asarray(weight(events), dtype=np.float64)


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__name__}"
