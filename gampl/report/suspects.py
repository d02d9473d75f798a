"""Members that are not what they should be: copies, memories of the training sample, and those unlike the others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gampl.basics import Floats

KEPT = 10_000  # events of a sample that are compared, at least; up to twice as many
CHANCE = 3  # equal events that two samples may have without any repeats within one of them
SHARED = 0.005  # of two members' events, above which they are said to be copies
ROUND_OFF = 1e-14  # of a number, within which two differ by rounding only
MOST_DIGITS = 12  # a number with more is taken as it is
BLOCK = 256  # neighbouring values of a column, whose smallest distance is the column's resolution there
FEW = 20  # different events that may come again by chance
NEAR = {"deviations": 4.0, "odds": 1.5}  # beyond which events are too near to the training sample

Keys = NDArray[np.uint64]


class Kept:
    """Every 2^k-th event of a stream, up to twice `KEPT`, with its weight, and mean and variance of each column."""

    def __init__(self) -> None:
        self._parts: list[Floats] = []
        self._seen, self._every = 0, 1
        self._sums: dict[str, tuple[float, float, float]] = {}  # start, sums of the distances to it and of squares

    def update(self, columns: Mapping[str, Floats], weights: Floats | None = None) -> None:
        """Add the events of a batch, columns and weights of shape (n,)."""
        columns = {name: np.asarray(x, dtype=np.float64) for name, x in columns.items()}
        with np.errstate(over="ignore", invalid="ignore"):
            for name, x in columns.items():
                start, *sums = self._sums.get(name, (x[0] if len(x) and np.isfinite(x[0]) else 0.0, 0.0, 0.0))
                self._sums[name] = (start, sums[0] + (x - start).sum(), sums[1] + (x - start) @ (x - start))
        first, n = -self._seen % self._every, len(next(iter(columns.values())))
        kept = [*columns.values(), np.ones(n) if weights is None else weights]
        self._parts.append(np.stack([x[first :: self._every] for x in kept], axis=-1))
        self._seen += n
        while self._seen > 2 * KEPT * self._every:
            self._parts, self._every = [self._joined[::2].copy()], 2 * self._every

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._sums)

    @property
    def rows(self) -> Floats:
        """The events that are kept, (n, columns)."""
        return self._joined[:, :-1]

    @property
    def weights(self) -> Floats:
        """Their weights, (n,)."""
        return self._joined[:, -1]

    @property
    def _joined(self) -> Floats:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    @property
    def moments(self) -> tuple[Floats, Floats, int]:
        """Mean and variance of each column, (columns,) both, and the number of events behind them."""
        start, total, squares = np.array([*self._sums.values()]).T
        mean = total / self._seen
        return start + mean, squares / self._seen - mean**2, self._seen


def rows_of(columns: Mapping[str, Floats], most: int | None = None) -> Floats:
    """Events of columns as rows, (n, columns); with ``most`` only some, from all over the sample."""
    n = len(next(iter(columns.values())))
    every = 1 if most is None else max(n // most, 1)
    return np.stack([x[::every] for x in columns.values()], axis=-1)


def memories(train: Floats, holdout: Floats | None, members: Mapping[str, Kept]) -> Iterator[str]:
    """Members that repeat events of the training sample, at the coarser one's precision, or stay too near to them."""
    copied = [name for name, kept in members.items() if repeated(train, kept.rows)]
    if copied:
        repeat, remember = ("repeats", "it remembers") if len(copied) == 1 else ("repeat", "they remember")
        yield f"{listed(copied)} {repeat} events of the training sample: {remember} instead of generating"
    if holdout is None:
        return
    near = [name for name, kept in members.items() if name not in copied and _is_near(train, holdout, kept.rows)]
    if near:
        yield (
            f"events of {listed(near)} lie nearer to the training sample's events than to the holdout's, by far more "
            "than is learned from a sample: a memory of it with a little noise, instead of a generator"
        )


def copies(members: Mapping[str, Kept]) -> list[list[str]]:
    """Groups of members that are copies of each other: exact, rounded or in another order.

    The members are compared with those that most of their events are shared with, and that have the same mean: the cost
    grows with their number, not with its square.
    """
    names, rows = [*members], [kept.rows for kept in members.values()]
    same = [(a, b) for a, b in _partners(rows) if repeated(rows[a], rows[b], is_truth=False) > SHARED]
    same += _same_moments([*members.values()])
    n = len(names)
    links = coo_array((np.ones(len(same)), tuple(np.array(same, dtype=int).reshape(-1, 2).T)), shape=(n, n))
    groups: dict[int, list[str]] = {}
    for name, group in zip(names, connected_components(links, directed=False)[1].tolist(), strict=True):
        groups.setdefault(group, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def repeating(members: Mapping[str, Kept]) -> Iterator[str]:
    """Members whose events come again and again, which those of a density do not, whatever they are rounded to.

    At the resolution of the numbers an event that comes again has others beside it, one step away in some column, about
    twice as often as it is there itself; the events of a memory have not.
    """
    which = [name for name, kept in members.items() if _again(kept.rows).any()]
    rows = [kept.rows for name, kept in members.items() if name in which or not which]
    again = _again(np.concatenate(rows))
    if not which and again.any():  # in one they are too rare to be seen
        shares = [part.mean() for part in np.split(again, np.cumsum([len(part) for part in rows])[:-1])]
        which = [name for name, share in zip(members, shares, strict=True) if share > max(shares) / 4]
    if which:
        hold, remember = ("holds", "it remembers") if len(which) == 1 else ("hold", "they remember")
        yield (
            f"{listed(which)} {hold} the same events again and again ({again.sum()} of {again.size} that were compared "
            f"are there more than once): {remember} a sample instead of generating"
        )


def _again(rows: Floats) -> NDArray[np.bool_]:
    """Which of some events are there more than once, (n,); none if that is due to the resolution, see `repeating`."""
    levels, odd, is_near = _levels(rows)
    keys = (levels * odd).sum(axis=1, dtype=np.uint64)
    different, at, counts = np.unique(keys, return_index=True, return_counts=True)
    beside = np.zeros(different.size, dtype=bool)
    for j, near in enumerate(is_near):
        moved = different + odd[j]
        found = different[np.searchsorted(different, moved).clip(max=different.size - 1)] == moved
        beside |= found & near[levels[at, j]]
    if np.count_nonzero(counts > 1) <= 4 * np.count_nonzero(beside) + FEW:
        return np.zeros(keys.size, dtype=bool)
    return np.asarray(counts[np.searchsorted(different, keys)] > 1)


def repeated(known: Floats, others: Floats, *, is_truth: bool = True) -> float:
    """Share of other events that are among the known ones, both rounded as the coarser; 0 if it may be by chance.

    By chance are those that rounded numbers have in common: as many as known ones come twice, if these are true events,
    else as many as in the sample that has more of them. Both are of shape (n, columns).
    """
    if not (len(known) and len(others)):
        return 0.0
    digits = _digits(known), _digits(others)
    a, b = (np.sort(_hashes(_rounded(_rounded(rows, digits[0]), digits[1]))) for rows in (known, others))
    share = float((a[np.searchsorted(a, b).clip(max=a.size - 1)] == b).mean())
    # two events are equal with a probability c: about n c / 2 of n repeat, and of others n c are among them
    twice = np.count_nonzero(a[1:] == a[:-1])
    most = twice + 5 * np.sqrt(twice) + CHANCE if is_truth else twice
    expected = 2 * most / a.size * b.size
    if not is_truth:
        expected = max(expected, 2 * np.count_nonzero(b[1:] == b[:-1]) / b.size * a.size)
    return share if share * b.size > expected + 5 * np.sqrt(expected) + CHANCE else 0.0


def _digits(rows: Floats) -> list[tuple[bool, int, int]]:
    """Of each column: whether it is in single precision, its significant digits, and those after the point."""
    some = rows[:: max(len(rows) // 1000, 1)]
    found = []
    for x in some.T:
        values = x[np.isfinite(x)]
        with np.errstate(over="ignore"):
            is_single = bool((values.astype(np.float32) == values).all())
        least = [
            next((d for d in range(MOST_DIGITS + 1) if np.allclose(cut(values, d), values, rtol=ROUND_OFF, atol=0)), -1)
            for cut in (_significant, np.round)
        ]
        found.append((is_single, least[0], least[1]))
    return found


def _significant(x: Floats, digits: int) -> Floats:
    """Numbers with one significant digit more than so many, (n,) -> (n,)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = 10.0 ** (digits - np.floor(np.log10(np.abs(x))))
        return np.where(np.isfinite(scale) & (scale > 0), np.round(x * scale) / scale, x)


def _rounded(rows: Floats, digits: Sequence[tuple[bool, int, int]]) -> Floats:
    """Events with columns of these digits, (n, columns) -> (n, columns)."""
    columns = []
    for x, (is_single, significant, decimals) in zip(rows.T, digits, strict=True):
        with np.errstate(over="ignore"):
            column = x.astype(np.float32).astype(np.float64) if is_single else x
        column = _significant(column, significant) if significant >= 0 else column
        columns.append(np.round(column, decimals) if decimals >= 0 else column)
    return np.stack(columns, axis=-1)


def _odd(columns: int) -> Keys:
    return np.random.default_rng(1).integers(0, 2**63, columns, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _hashes(rows: Floats) -> Keys:
    """Events as one number each, the same for equal ones, (n,): a random linear hash of their bits."""
    bits = np.ascontiguousarray(rows + 0.0).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(32))) * _odd(rows.shape[1])
    return np.asarray((mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64))


def _levels(rows: Floats) -> tuple[Keys, Keys, list[NDArray[np.bool_]]]:
    """Columns by the ranks of their values, (n, columns), what makes keys of them, and which have a next one near.

    Values that differ by rounding have one rank. The next one is near at the smallest distance of 256 around.
    """
    levels, near = [], []
    for x in rows.T:
        values, which = np.unique(x, return_inverse=True)
        gaps = np.diff(values)
        is_new = gaps > ROUND_OFF * np.abs(values[1:])
        rank = np.concatenate([[0], np.cumsum(is_new)])
        gaps = gaps[is_new]
        is_near = np.zeros(gaps.size + 1, dtype=bool)
        if gaps.size:
            least = np.minimum.reduceat(gaps, np.arange(0, gaps.size, BLOCK))
            is_near[:-1] = gaps <= 1.5 * np.repeat(least, BLOCK)[: gaps.size]
        levels.append(rank[which].astype(np.uint64))
        near.append(is_near)
    return np.stack(levels, axis=-1), _odd(rows.shape[1]), near


def _partners(rows: Sequence[Floats]) -> Iterator[tuple[int, int]]:
    """The member that each one has the most events in common with, rounded as the coarsest of all."""
    digits = [_digits(part) for part in rows]
    coarsest = []
    for column in zip(*digits, strict=True):
        is_single, *further = zip(*column, strict=True)
        significant, decimals = (min((d for d in least if d >= 0), default=-1) for least in further)
        coarsest.append((any(is_single), significant, decimals))
    keys = np.concatenate([_hashes(_rounded(part, coarsest)) for part in rows])
    owner = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    order = np.lexsort((owner, keys))
    keys, owner = keys[order], owner[order]
    is_pair = (keys[1:] == keys[:-1]) & (owner[1:] != owner[:-1])
    common = Counter(zip(owner[:-1][is_pair].tolist(), owner[1:][is_pair].tolist(), strict=True))
    met: set[int] = set()
    for (a, b), _ in common.most_common():
        if not {a, b} <= met:
            met |= {a, b}
            yield a, b


def _same_moments(members: Sequence[Kept]) -> Iterator[tuple[int, int]]:
    """Neighbours by their mean that have the same means and widths, as no two samples have, whatever the order.

    Some of N members agree within 0.005 / N of their errors by chance in less than 1 of 100 000 cases. Columns of few
    different values show nothing.
    """
    moments = [kept.moments for kept in members]
    order = sorted(range(len(members)), key=lambda k: tuple(moments[k][0]))
    for a, b in pairwise(order):
        (mean, variance, n), (other, other_variance, m) = moments[a], moments[b]
        rows = members[a].rows
        spread = np.stack([rows.std(axis=0), ((rows - mean) ** 2).std(axis=0)]) / np.sqrt(n)
        gap = np.abs(np.stack([mean - other, variance - other_variance]))
        if n == m and (gap <= 0.005 / len(members) * spread).all() and 2 * len(np.unique(rows, axis=0)) > len(rows):
            yield a, b


def _is_near(train: Floats, holdout: Floats, rows: Floats) -> bool:
    """Whether the nearest true event is one of the training sample too often.

    For a generator that is independent of both samples, which true events are whose does not matter: so many of its
    events go to each true one, and their sum over the training sample has the variance of a random choice (as Meehan et
    al., arXiv:2004.05675, compare the distances). One that has learned from the sample is a little nearer to it:
    kernels in four columns have odds of 1.3.
    """
    points = np.concatenate([train, holdout])
    is_train = np.arange(len(points)) < len(train)
    finite = np.isfinite(points).all(axis=1)
    points, is_train, rows = points[finite], is_train[finite], rows[np.isfinite(rows).all(axis=1)]
    n, n_train = len(points), int(is_train.sum())
    if min(n_train, n - n_train) < FEW or not len(rows):
        return False
    scale = points.std(axis=0)
    scale[scale == 0] = 1.0
    order = np.random.default_rng(1).permutation(n)  # equal events have no order
    nearest = order[cKDTree(points[order] / scale).query(rows / scale)[1]]
    counts = np.bincount(nearest, minlength=n)
    inside = float(counts[is_train].sum())
    expected = n_train * counts.mean()
    deviation = np.sqrt(counts.var(ddof=1) * n_train * (n - n_train) / n)
    odds = inside * (n - n_train) / max((len(rows) - inside) * n_train, 1)
    return inside - expected > NEAR["deviations"] * deviation and odds > NEAR["odds"]


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names as a list, the first ones only if there are many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
