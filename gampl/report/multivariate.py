r"""How many true events a sample is worth by distances of whole events: energy, MMD, sliced Kolmogorov-Smirnov.

Distances in many dimensions have no asymptotic law that holds for all densities. n_equiv needs none: it is the n at
which n true events are expected to lie as far from the truth as an unlimited generated sample does.

*Kernels.* The squared distance of two densities is D^2 = E k(X, X') + E k(Y, Y') - 2 E k(X, Y), with
k(x, y) = -\|x - y\| for the energy distance (Szekely and Rizzo, J. Stat. Plan. Inference 143 (2013) 1249) and a
Gaussian one for the MMD (Gretton et al., JMLR 13 (2012) 723). It is the squared norm of a difference of means of
independent events, so that n true events have, for any n and any density,

    E D^2(n events, truth) = c / n,    c = E k(X, X) - E k(X, X'),

E\|X - X'\| for the energy distance, 1 - E k(X, X') for the MMD. Both c and the generator's D^2 have estimates without
bias (U-statistics), and n_equiv = c / D^2. *Slices.* The mean over fixed random directions of the Kolmogorov-Smirnov
distance of the projections has <K> / sqrt(n), as one of them has: Eq. (35).

Intervals invert a test with pseudo-experiments that resample the true events. A kernel's squared distance fluctuates by
2 <d, e> + \|e\|^2, where d is the difference of the densities and e that of the samples from them: e is resampled, and
of d only the direction is taken from the data, so that the interval is right near D = 0, where no normal law is, too.
That of the slices is right for any differences of the projections, and conservative for most.

Coordinates are standardised by the true events. The Gaussian's width is the median distance of true events, which is
fixed before a generated event is seen. Costs grow as the square of the number of events; blocks bound the memory, and
of more than 10 000 true or generated events a random part is used.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, stats
from scipy.spatial.distance import cdist, pdist

from gampl.basics import Floats, Interval, counted, require, training_events
from gampl.kolmogorov import DifferentialCurve, KolmogorovSmirnov, Law
from gampl.report.lot import MOST, Lot
from gampl.result import Amplification, Note, NoteCode, State
from gampl.samples import as_events

KINDS = {"energy": "energy distance", "mmd": "MMD", "sliced": "sliced Kolmogorov-Smirnov distance"}
FEWEST = 1000  # generated events of each member, if there are that many
SLICES = 50
PSEUDO = 500  # experiments behind a law
RESAMPLED = 1000  # true events of each, at most
BLOCK = 2**22  # distances in memory at a time
POINTS = 121  # of D, at which the law is known


@dataclass(frozen=True)
class DistanceCurve(DifferentialCurve):
    """Distances of another kind than Kolmogorov-Smirnov; squares are (U-statistic) + c (1/n_ref + 1/n_gen)."""

    name: str = ""  #: of the distance


class RootMeanSquare(Law):
    """The law of a kernel's distance, in units of sqrt(1/n_ref + 1/n_gen): ``mean`` is sqrt(c)."""

    def __init__(self, values: Floats, c: float) -> None:
        super().__init__(values)
        self.mean = float(np.sqrt(c))


class Kernel(NamedTuple):
    """A kernel as a function of the distance of two events."""

    of: Callable[[Floats], Floats]
    at_zero: float

    @classmethod
    def make(cls, kind: str, true: Floats) -> "Kernel":
        """That of the energy distance, or a Gaussian as wide as the median distance of (at most 1000) true events."""
        if kind == "energy":
            return cls(np.negative, 0.0)
        width = float(np.median(pdist(true[:RESAMPLED])))
        return cls(lambda r: np.exp(-0.5 * (r / width) ** 2), 1.0)

    def means(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Mean over the events y for each event of x, (n,), and over x for each of y, without the event itself."""
        rows, of_x, of_y = max(BLOCK // len(y), 1), list[Floats](), np.zeros(len(y))
        for i in range(0, len(x), rows):
            block = self.of(cdist(x[i : i + rows], y))
            of_x.append(block.sum(axis=1))
            of_y += block.sum(axis=0)
        itself = 1 if x is y else 0
        own = itself * self.at_zero
        return (np.concatenate(of_x) - own) / (len(y) - itself), (of_y - own) / (len(x) - itself)


@dataclass(frozen=True)
class Squared:
    """A kernel's squared distance, with all that is needed for its interval."""

    values: Floats  #: of each member, without bias, (members,); they can be negative
    c: float  #: n times the expected squared distance of n true events
    noise: float  #: of a member: 1 / n_ref + 1 / n_gen
    slope: float  #: standard deviation of 2 <d, e> over D
    along: Floats  #: pseudo-experiments: 2 <d, e>, in units of slope * D
    of_c: Floats  #: ... the error of c, over c
    around: Floats  #: ... and \|e\|^2 less its expectation

    @classmethod
    def measure(cls, kernel: Kernel, true: Floats, generated: Sequence[Floats], rng: np.random.Generator) -> "Squared":
        """From standardised events, (n, dim) each."""
        n, m, members = len(true), float(np.mean([len(y) for y in generated])), len(generated)
        within, own = kernel.means(true, true)[0], [kernel.means(y, y)[0] for y in generated]
        across, there = zip(*(kernel.means(true, y) for y in generated), strict=True)
        values = np.array([within.mean() + b.mean() - 2 * a.mean() for a, b in zip(across, own, strict=True)])
        c, noise = kernel.at_zero - float(within.mean()), 1 / n + 1 / m
        # the witness <d, k(x)>, whose scatter over events is that of the squared distance
        witness = within - np.mean(across, axis=0)
        elsewhere = np.mean([(a - b).var() for a, b in zip(there, own, strict=True)])
        variance = 4 * (witness.var() / n + elsewhere / (m * members))
        k = min(n, RESAMPLED)
        x, h, w = true[:k], witness[:k] - witness[:k].mean(), within[:k] - within[:k].mean()
        lots = rng.multinomial(k, np.full(k, 1 / k), size=PSEUDO) - 1.0
        gram = kernel.of(cdist(x, x))
        around = np.einsum("ij,ij->i", lots @ gram, lots) / k
        # what is noise in the direction of d counts as if it were where events scatter most
        squared = max(values.mean() + c * noise, np.finfo(float).tiny)
        is_noise, most = min(c * noise / squared, 1.0), 4 * noise * _largest(gram)
        variance = variance / squared + is_noise * max(most - variance / squared, 0.0)
        return cls(
            values,
            c,
            noise,
            float(np.sqrt(variance)),
            lots @ h / np.sqrt(k * h.var()),
            -2 * lots @ w / (c * np.sqrt(k * n)),
            # members share the true events
            (around - around.mean()) * np.sqrt(1 / n**2 + 2 / (n * m * members) + 1 / (m**2 * members)),
        )

    @property
    def distances(self) -> Floats:
        """As measured, with what the samples' fluctuations add to their squares on average, (members,)."""
        return np.sqrt(np.maximum(self.values + self.c * self.noise, 0.0))

    @property
    def law(self) -> Law:
        """Of the distance of true events, in units of sqrt(noise)."""
        return RootMeanSquare(np.sqrt(np.maximum(self.around / self.noise + self.c, 0.0)), self.c)

    @property
    def p_value(self) -> float:
        """Probability of a squared distance as large as the mean of these, for a perfect generator."""
        return float((1 + (self.around >= self.values.mean()).sum()) / (1 + self.around.size))

    def interval(self, level: float) -> Interval:
        """Confidence interval, with equal tails, of the mean of the members' squared distances, see `_with_members`."""
        value = float(self.values.mean())
        D = np.linspace(0, 1.5 * (4 * self.slope + np.sqrt(abs(value) + np.abs(self.around).max())), POINTS)
        law = D**2 * (1 - self.of_c[:, None]) + self.slope * self.along[:, None] * D + self.around[:, None]
        lower, upper = np.quantile(law, [(1 - level) / 2, (1 + level) / 2], axis=0)
        raised = max(value, float(np.median(self.around)))
        first, last = int(np.argmax(upper >= value)), POINTS - 2 - int(np.argmax(lower[-2::-1] <= raised))
        low = np.interp(value, upper[first - 1 : first + 1], D[first - 1 : first + 1]) if first else 0.0
        high = np.interp(raised, lower[last : last + 2], D[last : last + 2])
        return _with_members(self.values, Interval(float(low) ** 2, float(high) ** 2), level)


@dataclass(frozen=True)
class Sliced:
    """The mean over slices of the Kolmogorov-Smirnov distance, as `Squared` of kernels."""

    distances: Floats  #: of each member, (members,)
    K: Floats  #: the distance of true events, in units of sqrt(noise), (pseudo-experiments,)
    noise: float  #: of a member: 1 / n_ref + 1 / n_gen

    @classmethod
    def measure(
        cls, true: Floats, generated: Sequence[Floats], rng: np.random.Generator, slices: Floats | None = None
    ) -> "Sliced":
        """From standardised events, (n, dim) each, and directions, (slices, dim), by default the next of `directions`.

        With the axes as directions it is the mean over the coordinates.
        """
        slices, k = directions(true.shape[1], rng) if slices is None else slices, min(len(true), RESAMPLED)
        lots = rng.multinomial(k, np.full(k, 1 / k), size=PSEUDO) - 1.0
        distances, values, mean = np.zeros(len(generated)), np.zeros(PSEUDO), 0.0
        for direction in slices:
            projected = true @ direction
            test = KolmogorovSmirnov(projected)
            for i, events in enumerate(generated):
                one = test.another()
                one.update(events @ direction)
                distances[i] += one.now.distance / len(slices)
            order = np.argsort(projected[:k])
            ends = np.append(np.diff(projected[:k][order]) > 0, True)  # equal values step together
            values += np.abs(np.cumsum(lots[:, order], axis=1)[:, ends]).max(axis=1)
            mean += Law.of(projected).mean / len(slices)  # resampling has too small a mean, but tells the scatter
        noise = 1 / len(true) + 1 / float(np.mean([len(y) for y in generated]))
        return cls(distances, values * mean / values.mean(), noise)

    @property
    def law(self) -> Law:
        """Of the distance of true events, in units of sqrt(noise)."""
        return Law(self.K)

    @property
    def c(self) -> float:
        """N times the squared mean distance of n true events: <K>^2 if no values are equal."""
        return self.law.mean**2

    @property
    def values(self) -> Floats:
        """Squared distances D^2 by Eq. (36), (members,)."""
        return self.distances**2 - self.c * self.noise

    @property
    def p_value(self) -> float:
        """Probability of a distance as large as the mean of these, for a perfect generator."""
        return float((1 + (self.K * np.sqrt(self.noise) >= self.distances.mean()).sum()) / (1 + PSEUDO))

    def interval(self, level: float) -> Interval:
        """Confidence interval of the mean over members of D^2, right for any differences, see `_with_members`.

        The mean distance exceeds D by no more than the true events fluctuate, and falls below it by no more than they
        do at the places of the largest differences: normally, with a standard deviation of at most 1/2.
        """
        unit, distance = np.sqrt(self.noise), float(self.distances.mean())
        raised = max(distance, self.law.quantile(0.5) * unit)
        low = max(distance - self.law.quantile((1 + level) / 2) * unit, 0.0)
        high = raised + 0.5 * float(stats.norm.isf((1 - level) / 2)) * unit
        return _with_members(self.values, Interval(low**2, high**2), level)


def directions(dim: int, rng: np.random.Generator) -> Floats:
    """Those of all slices, (slices, dim), of length 1."""
    drawn = rng.normal(size=(SLICES, dim))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _with_members(values: Floats, ends: Interval, level: float) -> Interval:
    """An interval of the members' mean D^2 with their own scatter, which is added in quadrature.

    A value below the median of a perfect generator has been raised to it for the upper end: a fluctuation must not
    claim more than the sensitivity.
    """
    value, n = float(values.mean()), values.size
    spread = float(stats.t.isf((1 - level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    low = max(value - float(np.hypot(value - ends.low, spread)), 0.0) if ends.low > 0 else 0.0
    return Interval(low, value + float(np.hypot(ends.high - value, spread)))


def from_samples(
    members: Iterable[ArrayLike], reference: ArrayLike, n_train: int, *, seed: int = 1, **options: Any
) -> Amplification:
    """Estimate G from a distance of whole events, (n, dim) or (n, ...), of members' samples to one of true events.

    ``seed`` is that of the parts, the slices and the pseudo-experiments; the other options are those of `from_lots`.
    """
    lots: list[Lot] = []
    for sample in (reference, *members):
        events = as_events(sample)
        lots.append(Lot(seed=seed + len(lots)))
        lots[-1].update(events.reshape(len(events), -1))
    return from_lots(lots[1:], lots[0], n_train, seed=seed, **options)


def from_lots(
    members: Sequence[Lot],
    reference: Lot,
    n_train: int,
    *,
    kind: str = "energy",
    level: float = 0.683,
    reference_is: str = "holdout",
    max_lost: float = 1e-3,
    seed: int = 1,
) -> Amplification:
    """Estimate G from parts of the samples, by one of `KINDS` of distances.

    The other arguments and errors are those of `gampl.differential.from_samples`; events have no weights. A ValueError
    if samples differ in the number of coordinates, one is constant, or a sample has fewer than 10 events.
    """
    require(kind in KINDS, "kind", f"be one of {', '.join(KINDS)}", repr(kind))
    require(0.57 < level < 1, "level", "lie between 0.57 and 1", level)
    require(len(members) > 0, "members", "hold at least one sample", 0)
    n_train = training_events(n_train)
    true, *generated = _standardised(reference, members, max_lost)
    rng, n_gen = np.random.default_rng(seed), np.array([np.mean([len(y) for y in generated])])
    found: Squared | Sliced
    if kind == "sliced":
        found = Sliced.measure(true, generated, rng)
    else:
        found = Squared.measure(Kernel.make(kind, true), true, generated, rng)
    value, ends = float(found.values.mean()), found.interval(level)
    state = State.VALUE if ends.low > 0 else State.UNBOUNDED if value > 0 else State.LOWER_LIMIT
    curve = DistanceCurve(n_gen, found.distances[:, None], float(len(true)), 1, found.law, KINDS[kind])
    reused = [NoteCode.REUSED()] if reference_is == "training" else []
    return Amplification(
        n_train,
        found.c / value if value > 0 else np.inf,
        Interval(found.c / ends.high, found.c / ends.low if ends.low > 0 else np.inf),
        level,
        method="differential",
        state=state,
        curve=curve,
        n_members=len(generated),
        notes=(*reused, *_notes((reference, *members), found, state, curve)),
    )


def _largest(gram: Floats) -> float:
    """Largest variance of a function of norm 1: first eigenvalue of the centred kernel over the number of events."""
    centred = gram - gram.mean(axis=0) - gram.mean(axis=1, keepdims=True) + gram.mean()
    first = linalg.eigh(centred, eigvals_only=True, subset_by_index=[len(gram) - 1] * 2)
    return float(first[0] / len(gram))


def _standardised(reference: Lot, members: Sequence[Lot], max_lost: float) -> list[Floats]:
    """The events of the reference and of each member in units of the reference's standard deviations."""
    most, tables = max(MOST // len(members), FEWEST), list[Floats]()
    for lot, name in ((reference, "reference"), *((member, "members") for member in members)):
        events = lot.events(MOST if lot is reference else most)
        if lot.n_lost > max_lost * lot.n_gen:
            n = f"{counted(lot.n_lost, 'event')} of {lot.n_gen}"
            raise ValueError(f"{name}: {n} with a coordinate that is not finite")
        if len(events) < 10:
            raise ValueError(f"{name}: {counted(len(events), 'event')}, expected at least 10")
        tables.append(events)
        dim = tables[0].shape[1]
        require(events.shape[1] == dim, name, f"have {dim} coordinates", events.shape[1])
    mean, width = tables[0].mean(axis=0), tables[0].std(axis=0)
    if not (width > 0).all():
        raise ValueError("reference: a coordinate is the same for all events; it tells nothing apart")
    return [(table - mean) / width for table in tables]


def _notes(lots: Sequence[Lot], found: Squared | Sliced, state: State, curve: DifferentialCurve) -> Iterator[Note]:
    if lost := sum(lot.n_lost for lot in lots):
        yield NoteCode.LOST_EVENTS(lost=counted(lost, "event"), number="coordinate", taken_as="left out")
    if any(lot.n_left_out for lot in lots):
        used = f"{curve.n_ref:.0f} true events and {curve.n_gen[-1]:.0f} generated ones of each member"
        yield NoteCode.OTHER(text=f"compared is a random part, {used}: the cost grows as the square")
    if state is State.LOWER_LIMIT:
        yield NoteCode.LOWER_LIMIT()
    elif state is State.UNBOUNDED:
        yield NoteCode.BELOW_RESOLUTION(n_ref=curve.n_ref)
    if curve.n_gen[-1] * found.distances.size < 10 * curve.n_ref:
        yield NoteCode.FEW_GENERATED(n_gen=curve.n_gen[-1], n_ref=curve.n_ref)
    if found.distances.mean() < found.law.quantile(1e-3) * np.sqrt(found.noise):
        yield NoteCode.TOO_CLOSE()
