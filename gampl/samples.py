"""What users hand to the estimators, and what is accumulated of each member's events at nested prefixes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import chain, count
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gampl.basics import Floats, counted, require, unmasked

Weights = Callable[[Floats], ArrayLike] | Iterable[ArrayLike] | None
A = TypeVar("A", bound="Accumulator")

BATCH = 100_000  # events that are converted, or drawn from a generator, in one step
UNLIKE = 1e-5  # probability of events less like the others, below which the first ones are not a random part of them
COMPARED = 10_000  # of either, about
SMALLEST_WEIGHT = 1e-140  # whose square, and that of its inverse times a number of events, is a number as well
LONGEST_VECTOR = 16  # numbers of an event, above which an array in a list is taken for a batch


def as_events(values: Any, what: str = "events") -> Floats:
    """Events of NumPy, PyTorch, awkward, pandas and the like as an array, shape (n, ...).

    They may be an array, a tensor, a data frame, whose columns stay in their order, or a list of numbers. A ValueError
    that calls them ``what`` if they are not a regular array of numbers with one entry per event.
    """
    unmasked(values, what)
    try:
        array = np.asarray(_numbers(values) if hasattr(values, "detach") else values)
        names = array.dtype.names or (() if array.dtype.kind in "fiub" else tuple(getattr(values, "columns", ())))
        if names:  # records of numbers, or a frame of mixed types
            array = np.stack([np.asarray(values[name], dtype=np.float64) for name in names], axis=-1)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{what}: expected a regular array of numbers, got {_name(values)} ({error})") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{what}: expected numbers, got {_name(values)} of type {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{what}: expected one entry per event, shape (n, dim) or (n,), got the single number {array}")
    return np.asarray(array, dtype=np.float64)


def _numbers(tensor: Any) -> Any:
    """Those of a tensor, which may lie on a GPU, have gradients or a type that NumPy lacks, such as bfloat16."""
    values = tensor.detach().resolve_conj().resolve_neg().cpu()
    return values.double() if values.is_floating_point() else values


def is_generator(member: Any) -> bool:
    """Whether events can be drawn from it; data frames and arrays have methods of that name, too."""
    can_draw = any(callable(getattr(member, name, None)) for name in ("sample", "resample", "rvs"))
    return can_draw and not hasattr(member, "__array__")


def draw(generator: Any, n: int) -> Floats:
    """Draw events, (n, dim) or (n,).

    Knows how the methods of common libraries are called: ``sample(n)``, scikit-learn's that returns classes, too, and
    events in their order, which are shuffled, ``sample((n,))`` of the distributions of PyTorch and zuko,
    ``resample(n)`` of SciPy's ``gaussian_kde`` with one column per event, ``rvs(n)`` of SciPy's distributions. A
    ValueError if it does not return n events.
    """
    if hasattr(generator, "sample"):
        events = generator.sample((n,) if hasattr(generator, "batch_shape") else n)
    elif hasattr(generator, "resample"):
        events = np.transpose(generator.resample(n))
    else:
        events = generator.rvs(n)
    name = type(generator).__name__
    drawn = as_events(events[0] if isinstance(events, tuple) else events, f"events of {name}")
    if len(drawn) != n:
        raise ValueError(f"{name} returned {counted(len(drawn), 'event')}, expected {n}")
    return np.random.default_rng(n).permutation(drawn) if isinstance(events, tuple) else drawn


def batches(member: Any, n_gen: int | None = None, what: str = "member") -> Iterator[Floats]:
    """The events of a member in batches: of an array, see `as_events`, an iterable of such, or a generator, see `draw`.

    The first ``n_gen`` events, and no further batch is read; all by default, which a generator does not have. A
    ValueError that calls the member ``what`` if it is none of these, or has fewer events.
    """
    done = 0
    for batch in _all_batches(member, n_gen, what):
        events = batch if n_gen is None else batch[: n_gen - done]
        done += len(events)
        yield events
        if done == n_gen:
            return
    if n_gen is not None:
        raise ValueError(f"{what}: has {counted(done, 'event')}, expected n_gen = {n_gen}")


def _all_batches(member: Any, n_gen: int | None, what: str) -> Iterator[Floats]:
    if is_generator(member):
        if n_gen is None:
            raise ValueError(f"{what}: {type(member).__name__} can generate any number of events, expected n_gen")
        yield from (draw(member, min(BATCH, n_gen - start)) for start in range(0, n_gen, BATCH))
    elif any(hasattr(member, name) for name in ("__array__", "detach", "__dataframe__")):
        n = len(member) if np.ndim(member) else 0
        rows = getattr(member, "iloc", member)  # of a frame, whatever its index
        # a part at a time: a file that is mapped into memory may be larger than that
        pieces = (rows[start : start + BATCH] for start in range(0, n, BATCH)) if n > BATCH else (member,)
        yield from (as_events(part, what) for part in pieces)
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
            yield from (as_events(batch, f"{what}, a batch") for batch in chain([first], parts))


def _are_vectors(parts: Sequence[Any]) -> bool:
    """Whether a list holds many short arrays of one size: events rather than batches of them."""
    size = len(parts[0]) if np.ndim(parts[0]) == 1 else 0
    return 0 < size <= LONGEST_VECTOR < len(parts) and all(np.shape(part) == (size,) for part in parts)


def weighted_streams(
    members: Any, weights: Weights = None, n_gen: int | None = None
) -> Iterator[Iterator[tuple[Floats, Floats | None]]]:
    """The batches of each member with the weights of their events, None if there are none.

    A ValueError if ``members`` is not a list of samples, or the weights do not fit.
    """
    _check_members(members)
    if weights is None or callable(weights):
        for k, member in enumerate(members):
            stream = batches(member, n_gen, f"member {k}")
            yield ((e, None if weights is None else as_events(weights(e), "weights")) for e in stream)
        return
    samples, arrays = list(members), list(weights)
    if len(arrays) != len(samples):
        raise ValueError(f"weights: expected one array for each member, {len(samples)} in all, got {len(arrays)}")
    for k, (member, own) in enumerate(zip(samples, arrays, strict=True)):
        if not hasattr(member, "__array__") and not hasattr(member, "detach"):
            raise ValueError(f"member {k}: an array of weights needs an array of events, got {_name(member)}")
        events, numbers = as_events(member, f"member {k}"), as_events(own, f"weights of member {k}")
        if numbers.shape != (len(events),):
            raise ValueError(f"weights of member {k}: expected shape ({len(events)},), got {numbers.shape}")
        if n_gen is not None and len(events) < n_gen:
            raise ValueError(f"member {k}: has {counted(len(events), 'event')}, expected n_gen = {n_gen}")
        yield iter([(events[:n_gen], numbers[:n_gen])])


def _check_members(members: Any) -> None:
    if isinstance(members, str | bytes | dict) or hasattr(members, "columns") or not isinstance(members, Iterable):
        raise ValueError(f"members: expected one sample for each member, got {_name(members)}")
    shape = tuple(getattr(members, "shape", ()))
    if not shape and hasattr(members, "ndim"):  # awkward
        shape = np.shape(as_events(members, "members"))
    if len(shape) == 1 or (len(shape) == 2 and shape[0] > shape[1]):
        raise ValueError(f"members: shape {shape} looks like one sample, expected one per member: put it in a list")


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__name__}"


def prefix_sizes(n_gen: ArrayLike) -> NDArray[np.int64]:
    """One number of events or several as a list, shape (steps,); a ValueError if not whole, positive and increasing."""
    sizes = np.atleast_1d(np.asarray(n_gen, dtype=np.float64))
    is_whole = sizes.ndim == 1 and sizes.size > 0 and (np.isfinite(sizes) & (sizes == np.floor(sizes))).all()
    is_right = is_whole and (np.diff(sizes, prepend=0) > 0).all()
    require(is_right, "n_gen", "be whole numbers, positive and increasing", sizes)
    return sizes.astype(np.int64)


def mean_size(sizes: Sequence[float]) -> float:
    """Number of events whose variance is the mean of those of samples of these sizes: their harmonic mean.

    Equal sizes have exactly this mean, which 1 / (1 / n) need not be.
    """
    return float(sizes[0]) if len(set(sizes)) == 1 else float(stats.hmean(sizes))


class Accumulator:
    """What is common to all that is accumulated of a member's events, weighted or not, at nested prefixes.

    The prefixes consist of increasing numbers of events, the ``steps``: 100, 200, 500, 1000 and so on by default. In
    messages the member is called by its ``name``, or by its number if it has none.
    """

    def __init__(self, steps: Iterable[int] | None = None, name: str = "") -> None:
        one_two_five = (digit * 10**power for power in count(2) for digit in (1, 2, 5))
        self.name = name
        self.prefixes: list[Any] = []  #: what is known at the steps so far
        self.n_gen = self.n_lost = 0  #: events so far, and those of them whose numbers are not finite
        self.is_weighted = False  #: whether the events have weights
        self.is_of_unlike_part = False  #: whether they are the first ones of a sample, and unlike its others
        self._steps = iter(one_two_five if steps is None else steps)
        self._next = next(self._steps, np.inf)
        self._weight = self._weight_lost = 0.0  # sums of |w|

    def parts(self, lost: NDArray[np.bool_], weights: Floats | None) -> Iterator[tuple[slice, bool]]:
        """Parts of a batch, which are counted as they are taken, and whether each completes a prefix.

        Both arrays are of shape (n,): which events are lost, and the weights, None if they have none. A ValueError if a
        weight is not finite, there is not one for each event, or only some batches have weights.
        """
        if weights is not None:
            require(weights.shape == lost.shape, "weights", f"hold one number per event, {lost.shape}", weights.shape)
            if bad := int((~np.isfinite(weights)).sum()):
                raise ValueError(f"weights: {bad} of {weights.size} are not finite")
        if self.is_weighted if weights is None else self.n_gen and not self.is_weighted:
            raise ValueError("weights must be given for all batches of a member or for none")
        self.n_lost += int(lost.sum())
        if weights is not None:
            self.is_weighted = True
            sizes = np.abs(weights)
            self._weight += float(sizes.sum())
            largest = float(sizes.max(initial=0.0))
            if largest > 1 / SMALLEST_WEIGHT or 0 < self._weight < SMALLEST_WEIGHT:
                span = f"{SMALLEST_WEIGHT:g} to {1 / SMALLEST_WEIGHT:g}"
                raise ValueError(f"weights: up to {largest:g}, expected {span}: divide all of them by the same number")
            self._weight_lost += float(np.abs(weights[lost]).sum())
        start = 0
        while start < lost.size:
            stop = int(min(lost.size, start + self._next - self.n_gen))
            self.n_gen += stop - start
            is_complete = bool(self.n_gen == self._next)
            if is_complete:
                self._next = next(self._steps, np.inf)
            yield slice(start, stop), is_complete
            start = stop

    def update(self, batch: Any, weights: Floats | None = None) -> None:
        """Add the events of a batch, in the form that the accumulator takes, with weights (n,) if they have any."""
        raise NotImplementedError

    @property
    def n_effective(self) -> float:
        """Number of events of equal weight that fluctuate as much."""
        raise NotImplementedError

    def another(self, name: str = "") -> Self:
        """One for another stream, which shares what was made of a reference, with prefixes at the default steps."""
        made = copy(self)
        Accumulator.__init__(made, None, name)
        made.clear()
        return made

    def clear(self) -> None:
        """Forget the events so far."""
        raise NotImplementedError

    def check_lost(self, member: int, what: str, max_lost: float) -> None:
        """Refuse a member with too many events, or too large a share of the weight, whose ``what`` is not finite."""
        weight = self._weight_lost / self._weight if self._weight else 0.0
        if max(self.n_lost, weight * self.n_gen) > max_lost * self.n_gen:
            name = self.name or f"member {member}"
            share = "" if self.n_lost > max_lost * self.n_gen else f", but {weight:.3g} of the weight,"
            have = "has" if self.n_lost == 1 and not share else "have"
            raise ValueError(
                f"{name}: {self.n_lost} of {self.n_gen} events{share} {have} a non-finite {what}, more than the "
                f"tolerated share max_lost = {max_lost:g}; dropping them would bias the tails"
            )


def accumulate(
    members: Any,
    weights: Weights,
    n_gen: ArrayLike | None,
    start: Callable[[Iterable[int] | None], A],
    prepare: Callable[[Floats], Any],
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[A]:
    """Let the events of each member pass, and yield its accumulator.

    ``start`` makes one with the steps that are asked for, and ``prepare`` makes of a batch of events what it takes. For
    the other arguments see `gampl.averaging.from_samples`.
    """
    sizes = None if n_gen is None else prefix_sizes(n_gen)
    steps = sizes if np.ndim(n_gen) else None  # type: ignore[arg-type]  # None has no dimension
    most = None if sizes is None else int(sizes[-1])
    for member, stream in enumerate(weighted_streams(members, weights, most)):
        accumulator = start(steps)
        if most is not None and hasattr(members, "__getitem__"):
            accumulator.is_of_unlike_part = _begins_unlike(members[member], most)
        for events, of_batch in stream:
            accumulator.update(prepare(events), of_batch)
            if progress is not None:
                progress(member, accumulator.n_gen)
        yield accumulator


def _begins_unlike(member: Any, n_gen: int) -> bool:
    """Whether some number of the first events of an array is distributed unlike that of the others (Smirnov's test)."""
    n = len(member) if hasattr(member, "__array__") or hasattr(member, "detach") else 0
    if n <= n_gen:
        return False
    rows = getattr(member, "iloc", member)
    first, others = (
        as_events(rows[part]).reshape(-(-(part.stop - part.start) // part.step), -1)
        for part in (slice(a, b, -(-(b - a) // COMPARED)) for a, b in ((0, n_gen), (n_gen, n)))
    )
    least = min(
        (stats.ks_2samp(x, y, method="asymp").pvalue for x, y in zip(first.T, others.T, strict=True)), default=1
    )
    return bool(least * first.shape[1] < UNLIKE)


def gather(accumulators: Iterable[A], what: str, max_lost: float) -> tuple[list[A], list[tuple[Any, ...]]]:
    """Members, checked for lost events as they come, and prefixes shorter than each of them; a ValueError if none."""
    members = []
    for k, accumulator in enumerate(accumulators):
        accumulator.check_lost(k, what, max_lost)
        members.append(accumulator)
    if not members:
        raise ValueError("members is empty: expected at least one sample")
    fewest = min(member.n_gen for member in members)
    return members, list(zip(*([p for p in m.prefixes if p.n_gen < fewest] for m in members), strict=True))
