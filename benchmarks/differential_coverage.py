"""How often differential intervals hold D, and how long they are, for shapes made to break them.

    python benchmarks/differential_coverage.py [--n-ref 1000] [--experiments 4000] [--seed 5]

Each row compares the interval before ("crossing", the rule until the difference's shape was taken into account) with
`gampl.kolmogorov.distance_interval` on the same pseudo-experiments: one reference of n_ref true events, unlimited
generated events, a difference D = d / sqrt(n_ref) between the densities. Takes a few seconds.
"""

# ruff: noqa: T201 - it prints its tables

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl import kolmogorov
from gampl.kolmogorov import DifferentialCurve, distance_interval

Floats = NDArray[np.floating]
Ends = Callable[[Floats, float, int], tuple[Floats, Floats]]  # of the distances sqrt(n_ref) M, level and n_ref

SIZES = (0.3, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.8, 2.5)
LEVELS = (0.683, 0.75, 0.8, 0.85, 0.9, 0.95)


def crossing(M: Floats, level: float, _: int) -> tuple[Floats, Floats]:
    """The interval before: triangle inequality, lower quantile of K, and the binomial fluctuation at one place."""
    tail = (1 - level) / 2
    raised = np.maximum(M, kolmogorov.MEAN)
    band = kolmogorov.MEAN * np.sqrt((raised / kolmogorov.quantile(tail)) ** 2 - 1)
    return np.maximum(M - kolmogorov.quantile(level), 0), np.minimum(band, raised + stats.norm.isf(tail) / 2)


@cache
def tabulated(level: float, n_ref: int) -> tuple[Floats, Floats, Floats]:
    """Distances and the ends of the package's interval, in units of 1 / sqrt(n_ref)."""
    grid = np.linspace(0, 8, 3201)
    curves = (DifferentialCurve(np.array([np.inf]), np.array([[m / np.sqrt(n_ref)]]), n_ref) for m in grid)
    low, high = np.sqrt(n_ref) * np.array([distance_interval(curve, level) for curve in curves]).T
    return grid, low, high


def present(M: Floats, level: float, n_ref: int) -> tuple[Floats, Floats]:
    """The package's interval, interpolated: it takes one distance at a time."""
    grid, low, high = tabulated(level, n_ref)
    return np.interp(M, grid, low), np.interp(M, grid, high)


def peak(u: Floats, at: float, half_width: float) -> Floats:
    """A triangle of height 1."""
    return np.clip(1 - np.abs(u - at) / half_width, 0, None)


def spike_on_hill(u: Floats, D: float, share: float) -> Floats:
    """A difference D, a share of it from a tent as wide as can be, the rest as narrow as a density allows."""
    slope = 2 * share * D
    start = 0.5 - (1 - share) * D / (1 - slope)  # no generated events between it and 1/2, and very many there
    return np.where((u > start) & (u < 0.5), u - (1 - slope) * start, slope * np.minimum(u, 1 - u))


def narrow_shapes(D: float) -> Iterator[tuple[str, Callable[[Floats], Floats]]]:
    """The shapes of the first study: bumps of several places and widths, two of them, many of both signs."""
    for at in (0.5, 0.3, 0.15):
        for half_width in (D, 2 * D, 0.1, 0.2):
            if D <= half_width <= at:
                yield f"bump {half_width:.2g} at {at}", lambda u, a=at, w=half_width: D * peak(u, a, w)
    w = max(D, 0.05)
    yield "bumps of both signs", lambda u: D * (peak(u, 0.3, w) - peak(u, 0.7, w))
    yield "two bumps", lambda u: D * (peak(u, 0.3, w) + peak(u, 0.7, w))
    waves = int(0.45 / max(D, 0.03))
    yield "waves", lambda u: D * np.sin(np.pi * waves * u)


def broad_shapes(D: float) -> Iterator[tuple[str, Callable[[Floats], Floats]]]:
    """Smooth ones, plateaus, and spikes on hills: the least favourable for the upper end."""
    yield "tent", lambda u: D * 2 * np.minimum(u, 1 - u)
    yield "parabola", lambda u: D * 4 * u * (1 - u)
    yield "sine", lambda u: D * np.sin(2 * np.pi * u)
    yield "plateau", lambda u: D * np.clip(10 * np.minimum(u, 1 - u), 0, 1)
    yield (
        "plateaus of both signs",
        lambda u: D * np.clip(10 * np.minimum(u, 1 - u), 0, 1) * np.clip((0.5 - u) / max(D, 0.02), -1, 1),
    )
    for share in (0.2, 0.4, 0.5, 0.6, 0.8):
        yield f"spike on a hill of {share} D", lambda u, s=share: spike_on_hill(u, D, s)
    yield (
        "peak of a tenth of the events on a hill of D / 2",
        lambda u: D / 2 * (2 * np.minimum(u, 1 - u) + peak(u, 0.5, max(D, 0.05))),
    )


class Row(NamedTuple):
    """What one interval does for one difference."""

    size: float
    shape: str
    first_study: bool
    level: float
    interval: str
    above: float  # share of intervals that lie above D
    below: float
    length: float  # mean, in units of 1 / sqrt(n_ref)

    @property
    def coverage(self) -> float:
        """Share of intervals that hold D."""
        return 1 - self.above - self.below


def study(n_ref: int, experiments: int, seed: int) -> list[Row]:
    references = np.random.default_rng(seed).random((experiments, n_ref), dtype=np.float32)
    references.sort(axis=1)
    up_to = np.arange(1, n_ref + 1, dtype=np.float32) / n_ref
    intervals: dict[str, Ends] = {"before": crossing, "after": present}
    rows = []
    for d in SIZES:
        D = d / np.sqrt(n_ref)
        shapes = [(True, *s) for s in narrow_shapes(D)] + [(False, *s) for s in broad_shapes(D)]
        for first_study, name, difference in shapes:
            F = references - difference(references).astype(np.float32)
            M = np.sqrt(n_ref) * np.maximum((up_to - F).max(axis=1), (F - up_to).max(axis=1) + 1 / n_ref)
            for level in LEVELS:
                for which, ends in intervals.items():
                    low, high = ends(M, level, n_ref)
                    misses = float((low > d).mean()), float((high < d).mean())
                    rows.append(Row(d, name, first_study, level, which, *misses, float((high - low).mean())))
    return rows


def coverages(rows: list[Row]) -> str:
    shares = np.array([row.coverage for row in rows])
    return f"{100 * shares.mean():10.1f} {100 * shares.min():6.1f} {100 * shares.max():6.1f}"


def report(rows: list[Row]) -> None:
    groups: dict[str, Callable[[Row], bool]] = {
        "shapes of the first study": lambda row: row.first_study,
        "  of these, d < 1": lambda row: row.first_study and row.size < 1,
        "  of these, 1 <= d < 1.8": lambda row: row.first_study and 1 <= row.size < 1.8,
        "  of these, d >= 1.8": lambda row: row.first_study and row.size >= 1.8,
        "all shapes": lambda _: True,
    }
    print("coverage in %:                         before, mean  min    max    after, mean  min    max   length ratio")
    for level in (0.683, 0.95):
        for label, belongs in groups.items():
            before, after = ([r for r in rows if r.interval == w and r.level == level and belongs(r)] for w in TURNS)
            ratio = np.mean([a.length / b.length for a, b in zip(after, before, strict=True)])
            print(f"{100 * level:5.1f} %  {label:28s} {coverages(before)}     {coverages(after)}   {ratio:9.3f}")
    print("\nworst coverage at each level:")
    for level in LEVELS:
        for which in TURNS:
            worst = min((r for r in rows if r.interval == which and r.level == level), key=lambda row: row.coverage)
            print(
                f"{100 * level:5.1f} %  {which:6s} {100 * (worst.coverage - level):+6.1f}  "
                f"(d = {worst.size}, {worst.shape}; above D {100 * worst.above:.1f} %, below {100 * worst.below:.1f} %)"
            )


TURNS = ("before", "after")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-ref", type=int, default=1000)
    parser.add_argument("--experiments", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    report(study(given.n_ref, given.experiments, given.seed))
