r"""An upper limit of n_equiv without the bias of a supremum: choose the place on some events, count on the others.

The Kolmogorov-Smirnov distance is the largest of many differences, and therefore larger than that of the densities even
for a perfect generator: its law has to take that off, for the least favourable of all shapes. Here one part of the true
and of the generated events, a half, says only *where* their distribution functions differ most, and in which sense. The
other part counts events on one side of this place. Whatever was chosen, these are two independent binomial numbers; the
difference of their probabilities is no larger than the distance D of the densities; and so a lower limit of the one is
a lower limit of the other, for samples of any size, any shape of the difference and any ties. By
n_equiv = (<K> / D)^2 it is an upper limit of n_equiv.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from gampl.basics import Floats, plain, require, training_events, unmasked
from gampl.distances import summarise
from gampl.kolmogorov import Law, worth
from gampl.regions import Observable, coordinate
from gampl.result import in_digits, percent
from gampl.samples import Accumulator, accumulate, as_events, gather
from gampl.ties import distinct

SPENT = 0.01  # of the probability of error, on the interval of the share that is not asked for
POINTS = 33  # of that interval, at which the least favourable one is looked for
NEVER = 1e-13  # a probability that is left out of sums


class Share(NamedTuple):
    """Events on one side of a place, and on both."""

    inside: int
    total: int

    @property
    def value(self) -> float:
        """Their ratio."""
        return self.inside / self.total


def difference_at_least(first: Share, second: Share, level: float) -> float:
    """Lower limit of the difference p - q of two binomial probabilities, at a one-sided ``level``; 0 if there is none.

    The test of p - q = d that it inverts is unconditional: with T the difference of the shares, d is excluded if
    P(T >= t) is small for whatever q (Santner and Snell, J. Am. Stat. Assoc. 75 (1980) 386). Of q only the values in
    its interval of Clopper and Pearson are considered, and the probability that this is wrong is added to the other
    (Berger and Boos, J. Am. Stat. Assoc. 89 (1994) 1012): that removes most of the conservatism, and the level holds
    for any numbers. The largest of P over the interval, of the share that is known better, is taken at 33 points. A
    ValueError if a share has no events, or more inside than in all, or the level is not between 0.5 and 1.
    """
    for name, share in (("first", first), ("second", second)):
        require(0 <= share.inside <= share.total and share.total > 0, name, "be events out of at least one", share)
    require(0.5 < level < 1, "level", "lie between 0.5 and 1", level)
    (k, n), (i, m) = first, second
    if n > m:  # p - q = (1 - q) - (1 - p)
        k, n, i, m = m - i, m, n - k, n
    if k * m <= i * n:
        return 0.0
    spent = SPENT * (1 - level)
    ends = stats.beta.ppf(spent / 2, i, m - i + 1) if i else 0.0, stats.beta.isf(spent / 2, i + 1, m - i)
    q = np.linspace(*ends, POINTS)[:, None]
    # T >= t for j in place of k, if there are no more than i + m (j - k) / n in place of i
    fewest, most = int(stats.binom.ppf(NEVER, m, ends[0])), int(stats.binom.isf(NEVER, m, ends[1]))
    j = np.arange(max(k + (fewest - i) * n // m, 0), min(k - (i - most) * n // m + 1, n) + 1)
    is_few = stats.binom.cdf(i + m * (j - k) // n, m, q)
    ways = special.gammaln(n + 1) - special.gammaln(j + 1) - special.gammaln(n - j + 1)

    def too_small(d: float) -> float:
        p = np.minimum(q + d, 1.0)
        probabilities = np.exp(ways + special.xlogy(j, p) + special.xlog1py(n - j, -p))  # of j
        P = (probabilities * is_few).sum(axis=1) + special.bdtrc(j[-1], n, p[:, 0])
        return float(P.max()) + spent - (1 - level)

    if too_small(0.0) >= 0:
        return 0.0
    high = k / n - i / m
    return float(optimize.brentq(too_small, 0.0, high if too_small(high) > 0 else 1.0, xtol=1e-9))


@dataclass(frozen=True)
class SplitLimit:
    """An upper limit of n_equiv, and what was counted for it."""

    n_train: int  #: training events that G refers to
    level: float  #: one-sided confidence level
    n_equiv_at_most: float  #: upper limit of the number of equivalent true events; ``inf`` if there is none
    distance_at_least: float  #: lower limit of the distance D between the densities
    place: str  #: what was counted, such as ``<= 1.5``: the side of the place on which generated events are missing
    true: Share  #: true events there
    generated: Share  #: generated events there, of all members

    @property
    def G_at_most(self) -> float:  # noqa: N802 - the paper's symbol
        """Upper limit of the amplification factor."""
        return self.n_equiv_at_most / self.n_train

    @property
    def words(self) -> str:
        """The limit in a sentence."""
        if not np.isfinite(self.n_equiv_at_most):
            return f"no upper limit of n_equiv at {percent(self.level)} confidence"
        true, generated = (f"{in_digits(100 * share.value, 3)} %" for share in (self.true, self.generated))
        limit = f"n_equiv is at most {in_digits(self.n_equiv_at_most, 3)}, and G at most {in_digits(self.G_at_most, 3)}"
        where = f"the side {self.place} holds {true} of {self.true.total} true and {generated} of"
        return f"{limit}, at {percent(self.level)} confidence: {where} {self.generated.total} generated events"

    def __str__(self) -> str:
        return self.words

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and texts, for strict JSON; an infinite number is "inf"."""
        return dict(plain(asdict(self) | {"G_at_most": self.G_at_most, "words": self.words}))


class Halves(Accumulator):
    """True events and those of a stream on either side of all places, each event by lot in one of two parts.

    The first part, a ``share`` of both samples, is to choose the place, and the other one to count. Places are at and
    just below each value of the first part of the reference, shape (n_ref,), between which the largest difference
    cannot be; memory does not grow with the stream. Numbers of different precision can be equal, see
    `gampl.ties.distinct`, and values that are not finite lie above all places. With ``cut`` there is one place, and all
    events count: true ones have the larger values, as likelihood ratios have. A ValueError if the reference has fewer
    than 2 values, or one that is not finite, the share is not between 0 and 1, or the stream has weights.
    """

    def __init__(
        self, reference: ArrayLike, *, cut: float | None = None, share: float = 0.5, seed: int = 1, name: str = ""
    ) -> None:
        super().__init__((), name)
        self.reference = values = np.asarray(unmasked(reference, "reference"))
        is_list = values.ndim == 1 and values.size > 1 and bool(np.isfinite(values).all())
        expected = "hold finite numbers of at least 2 events, one for each part, shape (n_ref,)"
        require(is_list, "reference", expected, f"shape {values.shape}")
        require(cut is None or np.isfinite(cut), "cut", "be finite", cut)
        require(0 < share < 1, "share", "lie between 0 and 1", share)
        self.cut, self.share, self.seed = cut, share, seed
        lots = np.ones(values.size, dtype=np.intp)
        if cut is None:
            n_first = min(max(round(share * values.size), 1), values.size - 1)
            lots[np.random.default_rng([seed, 1]).permutation(values.size)[:n_first]] = 0
        points = values[lots == 0] if cut is None else np.array([cut])
        self._ends = np.stack(distinct(points)[:2])
        self.true = self._cells(values, lots)  #: events between the places, by part, (2, places + 1)
        self.clear()

    def clear(self) -> None:
        """Forget the stream so far."""
        self.generated = np.zeros_like(self.true)  #: as ``true``
        self._rng = np.random.default_rng([self.seed, 2])

    def _cells(self, values: NDArray[Any], lots: NDArray[np.intp]) -> NDArray[np.int64]:
        low, high = self._ends
        cells = np.where(
            np.isfinite(values), np.searchsorted(low, values, "right") + np.searchsorted(high, values), 2 * low.size
        )
        n = 2 * low.size + 1
        return np.bincount(lots * n + cells, minlength=2 * n).reshape(2, n)

    def update(self, values: ArrayLike, weights: ArrayLike | None = None) -> None:
        """Add values, shape (n,)."""
        if weights is not None:
            raise ValueError("events with weights cannot be counted: a limit by counting needs events of equal weight")
        x = np.asarray(unmasked(values, "values"))
        require(x.ndim == 1, "values", "hold one number per event, shape (n,)", x.shape)
        for part, _ in self.parts(~np.isfinite(x), None):
            is_second = self._rng.random(x[part].size) >= (self.share if self.cut is None else 0.0)
            self.generated += self._cells(x[part], is_second.astype(np.intp))

    def place(self, of_cell: int, is_below: bool) -> str:
        """The values up to and with a cell, or those above it, in words."""
        high, point = of_cell % 2, float(self._ends[:, of_cell // 2].mean())
        return f"{('>=', '>', '<', '<=')[2 * is_below + high]} {in_digits(point, 6)}"


def from_samples(
    members: Iterable[Any],
    reference: Any,
    n_train: int,
    *,
    summary: Observable = coordinate,
    cut: float | None = None,
    share: float = 0.5,
    n_gen: int | None = None,
    level: float = 0.683,
    max_lost: float = 1e-3,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SplitLimit:
    """Upper limit of n_equiv of the pooled sample of all members.

    A ``share`` of the true and of the generated events chooses the place, and the others are counted. With ``cut`` no
    place is chosen, and no events are spent on it: all are counted, above the cut or not. It must have been known
    before. For a likelihood ratio it is 0, since the difference is largest where the densities are equal, and the
    classifier has used its half of the events already::

        ratio = held_out(holdout, generated, seed=1)
        split.from_samples([stream], ratio.reference_events, n_train, summary=ratio, cut=0.0)

    The mean of the members' distances, which `gampl.differential` measures, is no smaller than the pool's, so that the
    limit holds for its n_equiv as well. ``seed`` is that of the lots. The other arguments and errors are those of
    `gampl.differential.from_samples`, but for weights: there are none.
    """
    start = Halves(summarise(summary, as_events(reference, "reference")), cut=cut, share=share, seed=seed)
    streams = accumulate(members, None, n_gen, lambda _: start.another(), partial(summarise, summary), progress)
    return from_halves(streams, n_train, level=level, max_lost=max_lost)


def from_halves(halves: Iterable[Halves], n_train: int, *, level: float = 0.683, max_lost: float = 1e-3) -> SplitLimit:
    """Upper limit of n_equiv from what was counted of each member, with the same reference; see `from_samples`.

    Members may differ, which makes the pooled number of events less variable than a binomial one (Hoeffding, Ann. Math.
    Stat. 27 (1956) 713).
    """
    n_train = training_events(n_train)
    members, _ = gather(halves, "summary", max_lost)
    place, true, generated = counted_at(members)
    distance = difference_at_least(true, generated, level) if true.total and generated.total else 0.0
    limit = worth(distance, Law.of(members[0].reference).mean) if distance else np.inf
    return SplitLimit(n_train, level, limit, distance, place, true, generated)


def counted_at(members: Sequence[Halves]) -> tuple[str, Share, Share]:
    """The place that the first part of all events chooses, and true and generated events of the second one there."""
    one = members[0]
    true, generated = one.true, np.sum([member.generated for member in members], axis=0)
    cell, is_below = (1, False) if one.cut is not None else _largest(true[0], generated[0])
    first, second = (_inside(counts[1], cell, is_below) for counts in (true, generated))
    return one.place(cell, is_below), first, second


def _largest(true: NDArray[np.int64], generated: NDArray[np.int64]) -> tuple[int, bool]:
    """After which cell the distribution functions differ most, and whether more true events lie below that."""
    differences: Floats = np.subtract(*(np.cumsum(counts)[:-1] / max(counts.sum(), 1) for counts in (true, generated)))
    cell = int(np.abs(differences).argmax())
    return cell, bool(differences[cell] >= 0)


def _inside(counts: NDArray[np.int64], cell: int, is_below: bool) -> Share:
    below, total = int(counts[: cell + 1].sum()), int(counts.sum())
    return Share(below if is_below else total - below, total)
