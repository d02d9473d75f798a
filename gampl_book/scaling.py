"""How the worth of generators changes with their training, over training sets; for the page where amplification starts.

A training set's number is its own n_equiv. Logarithms of these are averaged, and fitted by powers, set by set, so that
the intervals are those of independent numbers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats, require
from gampl.kolmogorov import worth
from gampl.regions import Intervals, Observable
from gampl_book.coverage import over_sets


class Mean(NamedTuple):
    """A mean over training sets."""

    value: float
    interval: list[float]  #: at 95 %

    @property
    def side(self) -> int:
        """1 if all of the interval is above one, -1 if all is below, else 0."""
        return int(self.interval[0] > 1) - int(self.interval[1] < 1)


def tail(events: Floats, observable: Observable) -> Intervals:
    """The tenth of the events in which an observable is largest, in five regions of as many; the last has no end."""
    edges = np.quantile(np.asarray(observable(events)), [0.9, 0.92, 0.94, 0.96, 0.98])
    return Intervals.between([*edges, np.inf], observable)


def worth_in_regions(counts: ArrayLike, n_gen: int, exact: ArrayLike) -> Floats:
    """True events that generators are worth in regions together, Eqs. (3), (12) and (19): (..., regions) -> (...).

    From the numbers of n_gen generated events in each region, whose own counting error is taken off, and from the exact
    probabilities, (regions,). No more than n_gen, which is all that so many events can tell. A ValueError if a number
    is not between 0 and n_gen.
    """
    shares, truth = np.asarray(counts, dtype=np.float64) / n_gen, np.asarray(exact, dtype=np.float64)
    require(bool(((shares >= 0) & (shares <= 1)).all()), "counts", f"lie between 0 and n_gen {n_gen}", counts)
    off = ((shares - truth) ** 2 - shares * (1 - shares) / (n_gen - 1)).sum(axis=-1)
    binomial = (truth * (1 - truth)).sum()
    return np.asarray(binomial / np.maximum(off, binomial / n_gen))


def geometric_mean(values: ArrayLike, most: float = np.inf) -> Mean:
    """Of one positive number for each training set, (sets,); the interval takes their logarithms to be normal.

    It ends at `most` where no larger number can be.
    """
    value, ends = over_sets(np.log(values))
    return Mean(float(np.exp(value)), np.minimum(np.exp(ends), most).tolist())


def power(sizes: ArrayLike, values: ArrayLike) -> Mean:
    """The exponent b of values ~ sizes^b, (sizes, sets) for (sizes,): fitted for each training set by least squares.

    No two columns may have a training set in common. A ValueError for fewer than two sizes, or another shape.
    """
    x, y = np.log(np.asarray(sizes, dtype=np.float64)), np.log(np.asarray(values, dtype=np.float64))
    require(y.ndim == 2 and len(x) == len(y) >= 2, "values", f"have shape ({len(x)} >= 2, sets)", y.shape)
    return Mean(*over_sets(((x - x.mean()) @ y) / ((x - x.mean()) ** 2).sum()))


def memorised(n_train: int) -> tuple[float, float]:
    """n_equiv of a generator that repeats its training events: in regions on average, and in the likelihood ratio.

    Its integrals are those of the training sample, its density vanishes at all other events: D = 1.
    """
    return float(n_train), worth(1.0)
