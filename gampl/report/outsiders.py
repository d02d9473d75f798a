"""Members unlike the others or the true events: in other units, shifted, or far smaller."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gampl.basics import Floats, counted
from gampl.report.suspects import Kept, listed
from gampl.ties import nearness

SMALL = 0.1  # of the other members' events
POINTS = 200  # quantiles at which distributions are compared
ALIEN = 0.5  # largest difference of distribution functions, of samples that have little in common
UNITS = 2.5  # decades of a typical size, from which on two samples seem to be in other units


def outsiders(members: Mapping[str, Kept], true: Mapping[str, Floats] | None, n_train: int) -> Iterator[str]:
    """Members that are far smaller or lie far from the others, by name, or far from the true events."""
    yield from _small({name: kept.moments[2] for name, kept in members.items()})
    for j, column in enumerate(next(iter(members.values())).columns if members else ()):
        samples = {name: _finite(kept.rows[:, j]) for name, kept in members.items()}
        of_truth = None if true is None or column not in true else _finite(true[column])
        if all(len(x) for x in samples.values()) and (of_truth is None or len(of_truth)):
            yield from _far(column, samples, of_truth, n_train)


def _small(sizes: Mapping[str, int]) -> Iterator[str]:
    typical = np.median([*sizes.values()]) if len(sizes) > 2 else max(sizes.values(), default=0)
    if few := [name for name, n in sizes.items() if n < SMALL * typical]:
        least = counted(min(sizes[name] for name in few), "event")
        yield (
            f"{listed(few)}: only {least}, while members have {typical:.0f}: true "
            "events, or a part of a sample, are not a member"
        )


def _far(column: str, samples: Mapping[str, Floats], true: Floats | None, n_train: int) -> Iterator[str]:
    """Members whose distribution of a column is unlike the middle one of all, or has little in common with the truth.

    The middle one is the median of the distribution functions, which fewer than half of the members cannot move. Honest
    members of a training sample differ from it by about 0.5 / sqrt(n_train), and none by five times as much as half of
    them; that has to be six times as much, and more than the counting of the events that are compared.
    """
    pooled = np.concatenate([*samples.values()] if true is None else [*samples.values(), true])
    at = np.unique(np.quantile(pooled, np.linspace(0, 1, POINTS), method="nearest"))
    at += nearness(at)  # so that values that many events share are counted in any precision
    shares = np.stack([np.searchsorted(np.sort(x), at, side="right") / len(x) for x in samples.values()])
    names = np.array([*samples])
    distances = np.abs(shares - np.median(shares, axis=0)).max(axis=1)
    noise = 3 / np.sqrt(n_train) + 3 / np.sqrt(min(map(len, samples.values())))
    alien = np.zeros(len(names), dtype=bool)
    if true is not None:
        alien = np.abs(shares - np.searchsorted(np.sort(true), at, side="right") / len(true)).max(axis=1) > ALIEN
    if alien.all():
        who = "all members lie" if len(names) > 1 else f"{names[0]} lies"
        yield f"{who} far from the true events in {column}{_beside([*samples.values()], true)}"
        return
    far = alien | ((distances > max(5 * float(np.median(distances)), noise)) if len(names) > 2 else False)
    if len(names) == 2 and true is None and 2 * distances[0] > ALIEN:
        yield (
            f"{names[0]} and {names[1]} have little in common in {column}"
            f"{_beside([samples[names[0]]], samples[names[1]])}"
        )
    elif far.any():
        others = np.concatenate([samples[name] for name in names[~far]])
        lie = "lies" if far.sum() == 1 else "lie"
        yield (
            f"{listed(names[far].tolist())} {lie} far from the other members in {column}"
            f"{_beside([samples[name] for name in names[far]], others)}"
        )


def _beside(samples: Sequence[Floats], others: Floats | None) -> str:
    """Where a sample lies, and where others do, in words."""
    mine, theirs = np.concatenate(samples), np.zeros(1) if others is None else others
    sizes = [float(np.median(np.abs(x))) for x in (mine, theirs)]
    text = f": its median is {np.median(mine):.3g}, there it is {np.median(theirs):.3g}"
    if min(sizes) > 0 and abs(np.log10(sizes[0] / sizes[1])) > UNITS:
        text += f", and numbers are about {sizes[0] / sizes[1]:.2g} times as large, as in other units"
    return text


def _finite(x: Floats) -> Floats:
    return x[np.isfinite(x)]
