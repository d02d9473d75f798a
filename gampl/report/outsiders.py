"""Members unlike the others or the true events: in other units, shifted, wider or narrower, or far smaller."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl.basics import Floats, counted
from gampl.report.suspects import Kept, listed
from gampl.ties import nearness

SMALL = 0.1  # of the other members' events
POINTS = 200  # quantiles at which distributions are compared
ALIEN = 0.5  # largest difference of distribution functions, of samples that have little in common
# of all comparisons of members' means and widths together: where members scatter in all columns alike, in units of what
# training samples do, and else
FALSE_ALARMS, MOST_FALSE_ALARMS = 5e-4, 1e-2
FEWEST = 4  # members of which one can be unlike the others by their scatter
TINY = 1e-9  # of variances that are none but for rounding
UNITS = 2.5  # decades of a typical size, from which on two samples seem to be in other units


class _Column(NamedTuple):
    """One column of the members that are compared."""

    name: str
    samples: Mapping[str, Floats]  # by member
    true: Floats | None
    points: Floats  # where distribution functions are compared
    shares: Floats  # these functions, (members, points)


def outsiders(members: Mapping[str, Kept], true: Mapping[str, Floats] | None, n_train: int) -> Iterator[str]:
    """Members that are far smaller or lie far from the others, by name, or far from the true events."""
    yield from _small({name: kept.moments[2] for name, kept in members.items()})
    columns, far = list[_Column](), np.zeros(len(members), dtype=bool)
    for j, name in enumerate(next(iter(members.values())).columns if members else ()):
        samples = {member: _finite(kept.rows[:, j]) for member, kept in members.items()}
        of_truth = None if true is None or name not in true else _finite(true[name])
        if all(len(x) for x in samples.values()) and (of_truth is None or len(of_truth)):
            columns.append(_column(name, samples, of_truth))
            is_far = _far(columns[-1], n_train)
            far |= is_far
            yield from _told(columns[-1], is_far)
    honest = np.flatnonzero(~far)
    if len(honest) >= FEWEST and columns:
        for j, k in zip(*np.nonzero(_unlike(columns, honest, n_train)), strict=True):
            column, member = columns[j], [*members][honest[k]]
            others = np.concatenate([column.samples[[*members][other]] for other in honest if other != honest[k]])
            yield (
                f"{member} is unlike the other members in {column.name}, by more than these scatter"
                f"{_beside([column.samples[member]], others)}"
            )


def _small(sizes: Mapping[str, int]) -> Iterator[str]:
    typical = np.median([*sizes.values()]) if len(sizes) > 2 else max(sizes.values(), default=0)
    if few := [name for name, n in sizes.items() if n < SMALL * typical]:
        least = counted(min(sizes[name] for name in few), "event")
        yield (
            f"{listed(few)}: only {least}, while members have {typical:.0f}: true "
            "events, or a part of a sample, are not a member"
        )


def _column(name: str, samples: Mapping[str, Floats], true: Floats | None) -> _Column:
    pooled = np.concatenate([*samples.values()] if true is None else [*samples.values(), true])
    at = np.unique(np.quantile(pooled, np.linspace(0, 1, POINTS), method="nearest"))
    at += nearness(at)  # so that values that many events share are counted in any precision
    return _Column(name, samples, true, at, np.stack([_shares(x, at) for x in samples.values()]))


def _shares(x: Floats, points: Floats) -> Floats:
    return np.searchsorted(np.sort(x), points, side="right") / len(x)


def _far(column: _Column, n_train: int) -> NDArray[np.bool_]:
    """Members whose distribution is unlike the middle one of all, or has little in common with the truth, (members,).

    The middle one is the median of the distribution functions, which fewer than half of the members cannot move. Honest
    members of a training sample differ from it by about 0.5 / sqrt(n_train), and none by five times as much as half of
    them; that has to be six times as much, and more than the counting of the events that are compared. In three columns
    it happens in less than 1 of 10 000 reports where members scatter up to twice as much, and in 1 of 200 at three
    times.
    """
    shares = column.shares
    far = np.zeros(len(shares), dtype=bool)
    if column.true is not None:
        far |= np.abs(shares - _shares(column.true, column.points)).max(axis=1) > ALIEN
    if len(shares) > 2 and not far.all():
        distances = np.abs(shares - np.median(shares, axis=0)).max(axis=1)
        noise = 3 / np.sqrt(n_train) + 3 / np.sqrt(min(map(len, column.samples.values())))
        far |= distances > max(5 * float(np.median(distances)), noise)
    return far


def _told(column: _Column, far: NDArray[np.bool_]) -> Iterator[str]:
    """What is said of members that lie far from the others, or of two that have little in common."""
    names, samples = np.array([*column.samples]), [*column.samples.values()]
    if far.all():
        who = "all members lie" if len(names) > 1 else f"{names[0]} lies"
        yield f"{who} far from the true events in {column.name}{_beside(samples, column.true)}"
    elif far.any():
        others = np.concatenate([samples[k] for k in np.flatnonzero(~far)])
        lie = "lies" if far.sum() == 1 else "lie"
        yield (
            f"{listed(names[far].tolist())} {lie} far from the other members in {column.name}"
            f"{_beside([samples[k] for k in np.flatnonzero(far)], others)}"
        )
    elif len(names) == 2 and column.true is None and np.abs(np.subtract(*column.shares)).max() > ALIEN:
        yield f"{names[0]} and {names[1]} have little in common in {column.name}{_beside(samples[:1], samples[1])}"


def _unlike(columns: Sequence[_Column], which: NDArray[np.intp], n_train: int) -> NDArray[np.bool_]:
    """In which columns some members have a mean or a width that the scatter of the others lets them not have.

    The result has shape (columns, members). Means and widths are those of normal scores, so that no tail spoils them.
    Each is compared with those of the others by Student's t, once with the scatter of all means and widths together and
    once with their own, but with no less scatter than training samples of n_train events have. The first makes false
    alarms as rare as `FALSE_ALARMS` says, and the second as `MOST_FALSE_ALARMS` says, where members scatter normally.
    """
    n = len(which)
    sizes = np.array([[len(x) for x in column.samples.values()] for column in columns])[:, None, which]
    per_event = 1 / n_train + 1 / sizes
    typical = per_event.mean(axis=2, keepdims=True)
    further = np.maximum(per_event / typical - 1, 0)  # variance of smaller members
    x = np.stack([_mean_and_width(column.shares[which]) for column in columns]) / np.sqrt(typical)
    x -= x.mean(axis=2, keepdims=True)
    of_others = -x / (n - 1)  # mean and variance of all but one
    own = ((x**2).sum(axis=2, keepdims=True) - x**2 - (n - 1) * of_others**2) / (n - 2)
    together = own.sum(axis=(0, 1)) / max(np.count_nonzero(own.any(axis=2)), 1)  # a constant has no scatter
    off = np.abs(x - of_others)
    found = np.ones(x.shape, dtype=bool)
    for scatter, df, false_alarms in (
        (own, n - 2, MOST_FALSE_ALARMS),
        (together, 2 * (n - 2), FALSE_ALARMS),
    ):
        t = off / np.sqrt(np.maximum(scatter, 1) * n / (n - 1) + further)
        found &= 2 * stats.t.sf(t, df) < false_alarms / x.size
    return np.asarray(found.any(axis=1))


def _mean_and_width(shares: Floats) -> Floats:
    """Mean and width of members' normal scores, (2, members), in units of what they are uncertain with one event.

    For the width stands the cube root of the variance, which is nearly normal for samples of any size (Wilson and
    Hilferty 1931). 0 where all events are alike.
    """
    p = np.diff(shares, axis=1, prepend=0)
    of_all = p.mean(axis=0)
    z = np.where(of_all > 0, stats.norm.ppf(np.cumsum(of_all) - of_all / 2), 0.0)
    variance = float(of_all @ z**2)
    kurtosis = float(of_all @ z**4) / max(variance, TINY) ** 2
    error = np.array([[np.sqrt(variance)], [np.cbrt(variance) / 3 * np.sqrt(max(kurtosis - 1, 0.0))]])
    mean = p @ z
    width = np.cbrt(np.maximum(p @ z**2 - mean**2, 0.0))
    return np.divide([mean, width], error, out=np.zeros((2, len(p))), where=error > TINY)


def _beside(samples: Sequence[Floats], others: Floats | None) -> str:
    """Where a sample lies, and where others do, in words."""
    mine, theirs = np.concatenate(samples), np.zeros(1) if others is None else others
    sizes = [float(np.median(np.abs(x))) for x in (mine, theirs)]
    text = f": its median is {np.median(mine):.3g}, there it is {np.median(theirs):.3g}"
    if min(sizes) > 0 and abs(np.log10(sizes[0] / sizes[1])) > UNITS:
        return f"{text}, and numbers are about {sizes[0] / sizes[1]:.2g} times as large, as in other units"
    width, of_others = (float(np.subtract(*np.quantile(x, [0.84, 0.16]))) for x in (mine, theirs))
    if of_others > 0 and not 0.9 < width / of_others < 1.1:
        text += f", and the middle two thirds are {width / of_others:.3g} times as wide"
    return text


def _finite(x: Floats) -> Floats:
    return x[np.isfinite(x)]
