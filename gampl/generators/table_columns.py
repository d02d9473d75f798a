"""Columns of numbers that are made Gaussian-like, and back: what the generators of `gampl.generators.tables` see.

Each column goes through one of four simple monotone maps and is standardised. The maps have two to four numbers each
and no more on purpose: all members of an ensemble share them, so whatever they learn is not in the members' spread.

Columns on a grid, such as whole minutes or yes and no, have no density. Their values are spread evenly over their
cells before training, and generated values are rounded back to the grid: to the very numbers of the training events, so
that equal values are equal numbers.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr, ndtri
from scipy.stats import qmc

FEW_VALUES = 16  # a grid with at most so many cells is complete: nothing is generated beyond its ends
MAX_SHARE = 0.1  # of the events that may have the same value in a column that lies on no grid
GRID_TOLERANCE = 1e-3  # of a step, by which values may miss their grid: single precision does
DEPENDENT = 1e-8  # smallest eigenvalue of the correlations, below which columns determine each other
INVOLVED = 0.1  # weight in its eigenvector above which a column counts as one of them
SAME = 1e-9  # of a column's range, below which two values differ by rounding only
MOST_DECIMALS = 12  # of numbers that are decimal ones
LARGEST_WHOLE = 2.0**53  # beyond it not all whole numbers are numbers of double precision
GAIN = 0.01  # in log likelihood per event, for which another form is taken than the simpler one
CELL_POINTS = 16  # at which the density is averaged over the cells of columns with few values

Floats = NDArray[np.float64]


class _Form(NamedTuple):
    """A monotone function, its inverse, and the logarithm of its slope."""

    forward: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]
    log_slope: Callable[[Floats], Floats]


_FORMS = {
    "linear": _Form(np.asarray, np.asarray, np.zeros_like),
    "log": _Form(np.log, np.exp, lambda u: -np.log(u)),
    "asinh": _Form(np.arcsinh, np.sinh, lambda u: -0.5 * np.log1p(u * u)),
    "probit": _Form(ndtri, ndtr, lambda u: 0.5 * ndtri(u) ** 2 + 0.5 * np.log(2 * np.pi)),
}


@dataclass(frozen=True)
class Column:
    """The map z = (f((x - shift) / scale) - mean) / std of one column."""

    #: Name of f: "linear", "log" of columns above zero, "asinh", which is logarithmic in both tails, or "probit", the
    #: inverse of the normal distribution function, for columns with few values.
    form: str
    shift: float
    scale: float
    mean: float
    std: float
    step: float  #: Distance of neighbouring grid points; 0 for a column that lies on no grid.
    lowest: float  #: Of the training events.
    highest: float  #: Of the training events.
    points: Floats = field(compare=False)  #: Values of the training events on the grid, see `_points`.

    @property
    def is_complete(self) -> bool:
        """Whether all values that there are occur in training, so that nothing is generated beyond them."""
        return self.form == "probit"

    def to_normal(self, x: Floats) -> Floats:
        """Standardised values, (n,) -> (n,); not finite where the generator has no density."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (_FORMS[self.form].forward((x - self.shift) / self.scale) - self.mean) / self.std

    def log_slope(self, x: Floats) -> Floats:
        """Logarithm of dz/dx, (n,) -> (n,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return _FORMS[self.form].log_slope((x - self.shift) / self.scale) - np.log(self.scale * self.std)

    def to_values(self, z: Floats) -> Floats:
        """Values of the column, on its grid if it has one, (n,) -> (n,)."""
        x = self.shift + self.scale * _FORMS[self.form].back(self.mean + self.std * z)
        if self.step:
            x = self._on_grid(x)
        return np.clip(x, self.lowest, self.highest) if self.is_complete else x

    def _on_grid(self, x: Floats) -> Floats:
        """The nearest grid points, (n,) -> (n,): training events' own numbers, elsewhere such as they are."""
        offset = self.lowest - self.step * round(self.lowest / self.step)
        if abs(offset) < GRID_TOLERANCE * self.step:
            offset = 0.0  # so that a zero is exactly zero
        number, seen = (np.round((values - offset) / self.step) for values in (x, self.points))
        at = np.searchsorted(seen, number).clip(max=seen.size - 1)
        return np.where(seen[at] == number, self.points[at], self._rounded(offset + self.step * number))

    def _rounded(self, x: Floats) -> Floats:
        """Values as decimal numbers if the training events' are, and in single precision if these are, (n,) -> (n,)."""
        x = x if self._decimals is None else np.round(x, self._decimals)
        return x.astype(np.float32).astype(np.float64) if self._is_single else x

    @cached_property
    def _is_single(self) -> bool:
        with np.errstate(over="ignore"):
            return bool((self.points.astype(np.float32) == self.points).all())

    @cached_property
    def _decimals(self) -> int | None:
        """The decimals of the training events' numbers; None if they have many."""
        kind = np.float32 if self._is_single else np.float64
        are = (d for d in range(MOST_DECIMALS + 1) if (np.round(self.points, d).astype(kind) == self.points).all())
        return next(are, None)


@dataclass(frozen=True)
class Columns:
    """The maps of all columns. See `learn_columns`."""

    columns: tuple[Column, ...]

    @property
    def d(self) -> int:
        """How many there are."""
        return len(self.columns)

    def to_normal(self, x: Floats) -> Floats:
        """Standardised columns, (n, d) -> (n, d)."""
        return np.stack([column.to_normal(of_x) for column, of_x in zip(self.columns, x.T, strict=True)], axis=1)

    def to_values(self, z: Floats) -> Floats:
        """Events of standardised columns, (n, d) -> (n, d)."""
        return np.stack([column.to_values(of_z) for column, of_z in zip(self.columns, z.T, strict=True)], axis=1)

    def log_prob(self, events: ArrayLike, log_density: Callable[[Floats, NDArray[np.bool_]], Floats]) -> Floats:
        """Log density of events, (n, d) -> (n,), minus infinity where nothing can be generated.

        In a column on a grid it is a probability per step. Where the column has few values, this is the mean over the
        cell, else the density in its middle. `log_density` is that of standardised columns, and is also told which of
        the events these belong to, because some have none: (m, d), (n,) -> (m,).
        """
        x = np.asarray(events, dtype=np.float64)
        cells = self._cell_points()
        values = np.full((len(cells), len(x)), -np.inf)
        for k, offset in enumerate(cells):
            at = x + offset
            z = self.to_normal(at)
            inside = np.asarray(np.isfinite(z).all(axis=1))
            if inside.any():
                slopes = [column.log_slope(of_x) for column, of_x in zip(self.columns, at.T, strict=True)]
                values[k, inside] = log_density(z[inside], inside) + np.sum(slopes, axis=0)[inside]
        return np.asarray(logsumexp(values, axis=0) - np.log(len(cells)))

    def _cell_points(self) -> Floats:
        """Offsets from the middle of a cell, (points, d): evenly spread ones in columns with few values, else 0."""
        steps = np.array([column.step if column.is_complete else 0.0 for column in self.columns])
        if not steps.any():
            return np.zeros((1, len(steps)))
        # half a spacing away from the edges of the cells, which no event is spread to
        points = qmc.Sobol(len(steps), scramble=False).random(CELL_POINTS) + 0.5 / CELL_POINTS
        return (points - 0.5) * steps


def learn_columns(events: ArrayLike, seed: int, names: Sequence[str] | None = None) -> tuple[Columns, Floats]:
    """Learns the maps from training events.

    A column lies on a grid if the distances of its values are multiples of the smallest one; of whole numbers, of their
    greatest common divisor. With at most 16 cells its form is "probit"; else the form is the one under which the
    column is closest to a Gaussian, that is, under which a normal density has the greatest likelihood.

    Returns the maps and the standardised training events, (n, d) as the events, spread over the cells of a grid as the
    seed says. Messages call the columns by their names, or else their numbers.

    Raises:
        ValueError: If a column has numbers that are not finite, is constant, has many events at one value without
            lying on a grid, or follows from the other columns.
    """
    x = np.asarray(events, dtype=np.float64)
    titles = [f"column {k}" for k in range(x.shape[1])] if names is None else [f'column "{name}"' for name in names]
    steps = np.array([_step(values, title) for values, title in zip(x.T, titles, strict=True)])
    rng = np.random.default_rng([seed, zlib.crc32(b"dequantise")])
    spread = x + (rng.random(x.shape) - 0.5) * steps
    columns = Columns(tuple(map(_learn, x.T, spread.T, steps.tolist())))
    z = columns.to_normal(spread)
    _check_independence(z, titles)
    return columns, z


def _step(values: Floats, title: str) -> float:
    """The step of the grid on which a column lies, or 0."""
    if lost := int((~np.isfinite(values)).sum()):
        raise ValueError(f"{title} has {lost} training events that are not finite numbers; use complete rows only")
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) == 1:
        raise ValueError(f"{title} is constant, {levels[0]:g} in all training events; leave it out")
    if np.array_equal(levels, np.round(levels)) and np.abs(levels).max() < LARGEST_WHOLE:
        return float(np.gcd.reduce(np.diff(levels).astype(np.int64)))
    gaps = np.diff(levels)
    gaps = gaps[gaps > SAME * (levels[-1] - levels[0])]
    multiples = np.round(gaps / gaps.min())
    step = float(gaps.sum() / multiples.sum())  # the smallest gap itself has the largest rounding error
    if np.abs(gaps / step - multiples).max() < GRID_TOLERANCE:
        return step
    if counts.max() > max(MAX_SHARE * len(values), 1):
        raise ValueError(
            f"{title} has {counts.max()} of {len(values)} training events at the value {levels[counts.argmax()]:g} and "
            "lies on no grid, which no density describes; leave these events or the column out"
        )
    return 0.0


def _points(values: Floats, step: float) -> Floats:
    """The values of training events, (n,), one for each of their grid points, (points,).

    Numbers that were computed in several ways differ by rounding; the most frequent one stands for all.
    """
    levels, counts = np.unique(values, return_counts=True)
    number = np.cumsum(np.diff(levels, prepend=levels[0]) > step / 2)
    order = np.lexsort((-counts, number))
    return np.asarray(levels[order[np.unique(number[order], return_index=True)[1]]])


def _learn(values: Floats, spread: Floats, step: float) -> Column:
    """The map of one column: of its values, and of these spread over their cells, (n,) and (n,)."""
    lowest, highest = float(values.min()), float(values.max())
    points = _points(values, step) if step else np.empty(0)

    def column(form: str, shift: float = 0.0, scale: float = 1.0) -> Column:
        z = _FORMS[form].forward((spread - shift) / scale)
        return Column(form, shift, scale, float(z.mean()), float(z.std()), step, lowest, highest, points)

    if step and round((highest - lowest) / step) < FEW_VALUES:
        return column("probit", lowest - step / 2, highest - lowest + step)
    lower, middle, upper = np.quantile(spread, [0.16, 0.5, 0.84])
    others = [column("asinh", float(middle), float(upper - lower) / 2)]
    if lowest - step / 2 > 0:
        others.append(column("log"))
    best = column("linear")
    for other in others:
        # up to a constant the mean slope is the mean log likelihood of a normal density
        if (other.log_slope(spread) - best.log_slope(spread)).mean() > GAIN:
            best = other
    return best


def _check_independence(z: Floats, titles: Sequence[str]) -> None:
    """Raises ValueError if a standardised column is a linear combination of others, which leaves no density."""
    if len(z) <= z.shape[1]:
        raise ValueError(f"{len(z)} training events are too few for {z.shape[1]} columns")
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    if values[0] < DEPENDENT:
        involved = [title for title, weight in zip(titles, vectors[:, 0], strict=True) if abs(weight) > INVOLVED]
        raise ValueError(f"{' and '.join(involved)} determine each other in the training events; leave one of them out")
