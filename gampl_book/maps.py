"""Maps of G over cells of two observables, with intervals that hold for all of their cells together.

Each cell is a question, and of many intervals of 95 % some are wrong: what a map marks must hold for all of its cells
at once. Bonferroni's intervals have the level 1 - 0.05 / C for C cells, whatever these have in common; the level that
the members' correlations allow is a little lower (minimal p-values: Westfall and Young 1993, chapter 2).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from gampl import averaging
from gampl.basics import Floats, require
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.regions import Intervals, Placed, Regions
from gampl.spread import Spread

NODES = 24  # of each of three Gauss-Legendre rules


@dataclass(frozen=True)
class Grid(Regions):
    """Cells of two observables, row by row."""

    rows: Intervals
    columns: Intervals

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def place(self, events: Floats) -> Placed:
        """The cell of each event; errors are those of the intervals."""
        row, column = self.rows.place(events), self.columns.place(events)
        inside = (row.region >= 0) & (column.region >= 0)
        return Placed(np.where(inside, row.region * len(self.columns) + column.region, -1), row.lost | column.lost)

    def integrals(self, process: LeadingOrderTopPair) -> Floats:
        """Exact probabilities of cells whose rows are of m_tt and whose columns are of |cos theta*|: (cells,)."""
        (u, w), L = _gauss(), np.log(process.energy / (2 * process.top_mass))
        found = []
        for row in zip(self.rows.low, self.rows.high, strict=True):
            # m = 2 m_t exp(L s²): the density begins like a root there, which the square makes smooth
            m_ends = np.clip(row, 2 * process.top_mass, process.energy)
            low, high = np.sqrt(np.log(m_ends / (2 * process.top_mass)) / L)
            s = low + (high - low) * u[:, None, None]
            m, m_weight = 2 * process.top_mass * np.exp(L * s**2), (high - low) * w[:, None, None]
            Y_max = np.log(process.energy / m)
            for column in zip(self.columns.low, self.columns.high, strict=True):
                low_c, high_c = np.clip(column, 0.0, 1.0)
                c, c_weight = low_c + (high_c - low_c) * u, (high_c - low_c) * w
                x = np.stack(np.broadcast_arrays(m, Y_max * u[:, None], c, 0.0), axis=-1)
                weight = m_weight * 2 * L * s * m * Y_max * w[:, None] * c_weight
                # even in Y and in the cosine, flat in phi
                found.append(float((np.exp(process.log_prob(x)) * weight).sum() * 4 * 2 * np.pi))
        return np.array(found)


class Map(NamedTuple):
    """G in each cell, (cells,) each."""

    G: Floats
    low: Floats  #: lower ends of the intervals
    high: Floats
    at_least: Floats  #: lower limits of what the pooled members are worth, trained on this one training set

    @property
    def side(self) -> Floats:
        """1 in cells whose interval is above one, -1 where it is below, else 0."""
        return np.asarray((self.low > 1) * 1.0 - (self.high < 1) * 1.0)


def estimated(counts: ArrayLike, n_gen: int, n_train: int, level: float) -> Map:
    """The averaging estimate in each cell, from events of members in cells, (members, cells).

    Intervals and limits are at this level for each cell, see `bonferroni` and `familywise_level`. Errors are those of
    `gampl.averaging.from_counts`.
    """
    table = np.asarray(counts)
    found = [averaging.from_counts(table[:, k], n_gen, n_train, level=level) for k in range(table.shape[1])]
    columns = zip(*((r.G, *r.interval, r.pooled.at_least) for r in found if r.pooled is not None), strict=True)
    return Map(*map(np.array, columns))


def true(counts: ArrayLike, n_gen: int, n_train: int, exact: ArrayLike, level: float) -> Map:
    """True G in each cell, from events of generators with training sets of their own, (sets, cells).

    Squared deviations from the truth are averaged over training sets and have as many degrees of freedom; the limits
    `at_least` are the intervals' lower ends. If all generators are off in the same direction, they scatter less than
    that, and the intervals are too long.
    """
    table, G, ends = np.asarray(counts) / n_gen, [], []
    for k, p in enumerate(np.asarray(exact, dtype=np.float64)):
        one = Spread.of(table[:, [k]], n_gen)
        off = Spread(one.integrals, n_gen, one.deviation(np.array([p])), p * (1 - p), len(table))
        G.append(p * (1 - p) / off.model / n_train if off.model > 0 else np.inf)
        ends.append(off.n_equiv_interval(level))
    low, high = np.transpose(ends) / n_train
    return Map(np.array(G), low, high, low)


def bonferroni(cells: int, level: float = 0.95) -> float:
    """Level of each of so many intervals, of which all hold with at least this probability."""
    return 1 - (1 - level) / cells


def familywise_level(
    integrals: ArrayLike, rng: np.random.Generator, level: float = 0.95, experiments: int = 4_000
) -> float:
    """Level of each cell's interval that makes all hold with this probability, for members that scatter as these do.

    Normal members with the correlations of the integrals, (members, cells), are drawn again and again. Each time the
    cell whose variance is least likely says which level would have been needed for all; the result is the quantile of
    that, and never above Bonferroni's. A ValueError for a table of another shape.
    """
    table = np.asarray(integrals, dtype=np.float64)
    require(table.ndim == 2 and min(table.shape) >= 2, "integrals", "have shape (members, cells)", table.shape)
    nu, cells = len(table) - 1, table.shape[1]
    correlation = np.corrcoef(table, rowvar=False)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(values.clip(0))
    least = np.empty(experiments)
    for i in range(experiments):
        squares = ((rng.standard_normal((nu, cells)) @ root.T) ** 2).sum(axis=0)
        below = stats.chi2.cdf(squares, nu)
        least[i] = 2 * np.minimum(below, 1 - below).min()
    return float(min(1 - np.quantile(least, 1 - level), bonferroni(cells, level)))


def _gauss() -> tuple[Floats, Floats]:
    """Nodes and weights from 0 to 1."""
    u, w = np.polynomial.legendre.leggauss(NODES)
    return 0.5 * (u + 1), 0.5 * w
