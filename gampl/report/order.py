"""Whether the events of a sample come in random order, so that its beginning is a random part of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl.basics import Floats

FALSE_ALARMS = 1e-4  # of all tests of some samples together
BLOCKS = 32  # of a stream, at most; half as many at least
SHORTEST = 32  # events of a block
ENOUGH = 25  # events in a cell, and outside of it, in each part, for their numbers to be normal
COARSE = 4  # neighbouring blocks that are compared with the next ones
UNLIKE = 1e-3  # probability of larger differences of distant blocks, below which neighbouring ones are more alike


class Disorder(NamedTuple):
    """Samples whose order is not one of chance, and where that is seen best."""

    names: list[str]
    where: str  #: the cell
    shares: tuple[float, float]  #: in it, of the first events and of the others, or the smallest and largest of blocks
    is_cut: bool  #: whether it is the first events, which alone are used, that differ from the others
    is_chain: bool  #: whether distant blocks differ as near ones do, which is so in a Markov chain in equilibrium
    excess: float  #: how many times as much as independent events the parts fluctuate


class Order:
    """Sums of weights in some cells: of consecutive blocks of a stream, which grow with it, and of its first events.

    The cells are those of several divisions of all events, of these sizes.
    """

    def __init__(self, sizes: Sequence[int], first: int | None = None) -> None:
        self.first, self.seen, self.length = first, 0, SHORTEST
        self._starts = np.cumsum([0, *sizes])
        # sums of weights and of their squares
        self._blocks = np.zeros((2, BLOCKS, self._starts[-1]))
        self._beginning = np.zeros((2, self._starts[-1]))

    def update(self, cells: Iterable[NDArray[np.intp]], weights: Floats | None = None) -> None:
        """Add the events of a batch: for each division the cell of each event, (n,), and their weights, (n,)."""
        start, ends = self.seen, list[int]()
        for of_events, (low, high) in zip(cells, pairwise(self._starts), strict=True):
            ends = ends or self._grown(len(of_events))
            for begin, end in pairwise(ends):
                part = slice(begin - start, end - start)
                w = None if weights is None else weights[part]
                sums = np.bincount(of_events[part], w, high - low)
                squares = sums if w is None else np.bincount(of_events[part], w**2, high - low)
                self._blocks[:, begin // self.length, low:high] += sums, squares
                if self.first is None or end <= self.first:
                    self._beginning[:, low:high] += sums, squares

    def _grown(self, n: int) -> list[int]:
        """Makes room for n further events; where the parts of them begin and end that are added up."""
        start = self.seen
        self.seen += n
        while self.seen > BLOCKS * self.length:
            self.length *= 2
            self._blocks[:, : BLOCKS // 2] = self._blocks[:, ::2] + self._blocks[:, 1::2]
            self._blocks[:, BLOCKS // 2 :] = 0
        ends = {start, self.seen, *range(-(-start // self.length) * self.length, self.seen, self.length)}
        ends |= {self.first} if self.first is not None and start < self.first < self.seen else set()
        return sorted(ends)

    @property
    def is_cut(self) -> bool:
        """Whether there are more events than the first ones, which alone are used."""
        return self.first is not None and self.seen > self.first

    def parts(self, *, of_beginning: bool) -> tuple[Floats, Floats]:
        """Sums of weights and of their squares, (2, parts, cells), and numbers of events, (parts,).

        The parts are the blocks, of which a short last one is joined to the one before, or the first events and the
        others.
        """
        if of_beginning:
            first = self.first or 0
            others = self._blocks.sum(axis=1) - self._beginning
            return np.stack([self._beginning, others], axis=1), np.array([first, self.seen - first], dtype=np.float64)
        n = -(-self.seen // self.length)
        lengths = np.clip(self.seen - self.length * np.arange(n), 0, self.length).astype(np.float64)
        starts = np.arange(max(n - (lengths[-1] < self.length / 2), 1))
        return np.add.reduceat(self._blocks[:, :n], starts, axis=1), np.add.reduceat(lengths, starts)

    def shares(self, cell: int, *, of_beginning: bool) -> Floats:
        """Share of one cell in each part, (parts,); NaN without weight."""
        (sums, _), _ = self.parts(of_beginning=of_beginning)
        division = np.searchsorted(self._starts, cell, side="right")
        total = sums[:, self._starts[division - 1] : self._starts[division]].sum(axis=1)
        return np.divide(sums[:, cell], total, out=np.full_like(total, np.nan), where=total > 0)

    def differences(self, *, of_beginning: bool) -> Floats:
        """How much parts differ, (6, cells): see `_differences`."""
        sums, lengths = self.parts(of_beginning=of_beginning)
        return np.concatenate(
            [_differences(some, lengths) for some in np.split(sums, self._starts[1:-1], axis=2)], axis=1
        )


def disorder(orders: Mapping[str, Order], label: Callable[[int], str]) -> Disorder | None:
    """The samples, by name, whose parts differ more than independent events in random order let them; None without.

    Each sample is tested by itself in each cell, and all together: first events against the others where only they are
    used, and blocks. The probability that one of all these tests fails by chance is `FALSE_ALARMS`.
    """
    tests = []
    for of_beginning in (True, False):
        names = [name for name, order in orders.items() if order.seen > 1 and (order.is_cut or not of_beginning)]
        if names:
            found = np.stack([orders[name].differences(of_beginning=of_beginning) for name in names])
            tests.append((of_beginning, names, np.concatenate([found, found.sum(axis=0, keepdims=True)])))
    level = FALSE_ALARMS / max(sum(np.count_nonzero(found[:, 1]) for _, _, found in tests), 1)
    for of_beginning, names, found in tests:
        p = _probability(found[:, 0], found[:, 1])
        if p.min() >= level:
            continue
        row, cell = np.unravel_index(np.argmin(p), p.shape)
        seen = [name for name, own in zip(names, p.min(axis=1), strict=False) if own < level] or names
        shares = orders[names[row] if row < len(names) else seen[0]].shares(int(cell), of_beginning=of_beginning)
        ends = (shares[0], shares[1]) if of_beginning else (np.nanmin(shares), np.nanmax(shares))
        of_blocks = np.sum([orders[name].differences(of_beginning=False)[:, cell] for name in seen], axis=0)
        is_chain = bool(_probability(*of_blocks[:2]) < level) and not _is_drift(*of_blocks[2:])
        excess = float(of_blocks[0] / max(of_blocks[1], 1))
        return Disorder(seen, label(int(cell)), ends, of_beginning, is_chain, excess)
    return None


def _probability(squares: Floats, nu: Floats) -> Floats:
    """That of larger differences, for independent events in random order; 1 where there are too few events."""
    return np.where(nu > 0, stats.chi2.sf(squares, np.maximum(nu, 1)), 1.0)


def _is_drift(distant: float, nu: float, near: float, nu_near: float) -> bool:
    """Whether distant blocks differ more than near ones."""
    return not near > 0 or bool(stats.f.sf(distant / nu / (near / nu_near), nu, nu_near) < UNLIKE)


def _differences(sums: Floats, lengths: Floats) -> Floats:
    """How much parts of a stream differ, in units of what counting explains, (6, cells), for the sums of one division.

    These are squares, of all parts, of groups of `COARSE` neighbours, and of parts within these, each followed by its
    degrees of freedom. Neighbours are taken together until each has `ENOUGH` events in a cell and outside of it; where
    there are too few events all is 0.
    """
    S, Q = sums
    found = np.zeros((6, S.shape[1]))
    of_cells, squares, n = S.sum(axis=0), Q.sum(axis=0), lengths.sum()
    if not (total := of_cells.sum()) > 0:
        return found
    share = of_cells / total
    variance = squares * (1 - 2 * share) + share**2 * squares.sum()
    inside, outside = (
        np.divide(weight**2, square, out=np.zeros_like(share), where=square > 0)
        for weight, square in ((of_cells, squares), (total - of_cells, squares.sum() - squares))
    )
    while len(S) > 1:
        is_new = (found[1] == 0) & (np.minimum(inside, outside) * lengths.min() >= ENOUGH * n)
        off = S - share * S.sum(axis=1, keepdims=True)
        found[:, is_new] = _squares(off[:, is_new] / np.sqrt(lengths[:, None] / n * variance[is_new]))
        pairs = np.arange(0, len(S), 2)
        S, lengths = np.add.reduceat(S, pairs, axis=0), np.add.reduceat(lengths, pairs)
    return found


def _squares(pulls: Floats) -> Floats:
    """The six numbers of `_differences` for the pulls of parts, (parts, cells)."""
    (parts, cells), groups = pulls.shape, len(pulls) // COARSE
    found = np.zeros((6, cells))
    found[0], found[1] = (pulls**2).sum(axis=0), parts - 1
    if groups > 1:
        grouped = pulls[: groups * COARSE].reshape(groups, COARSE, cells)
        means = grouped.mean(axis=1)
        found[2], found[3] = COARSE * ((means - means.mean(axis=0)) ** 2).sum(axis=0), groups - 1
        found[4], found[5] = ((grouped - means[:, None]) ** 2).sum(axis=(0, 1)), groups * (COARSE - 1)
    return found
