"""How often the sentences of an averaging result are true, by pseudo-experiments in which the truth is known.

    python benchmarks/coverage.py [experiments [case ...]]

The posterior is right: each member's integrals are I + b + e_i, with b shared by all members. Numbers are percentages
with binomial errors, for members that scatter normally and for others; the seeds are fixed. Three more tables are about
results without an upper end, true events that can have equal values, and a bias that the members share; they are made
alone by the cases ``states``, ``ties`` and ``bias``. What 2000 experiments gave stands in ``benchmarks/README.md``.
"""

# ruff: noqa: T201
import sys
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl import averaging, differential
from gampl.averaging import Tally
from gampl.kolmogorov import KolmogorovSmirnov, Law, worth
from gampl.regions import Placed
from gampl.report.weak_spots import FAR, deviation_probability
from gampl.result import Amplification, NoteCode, State
from gampl.spread import Spread

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]  # numbers of variance 1
Measure = Callable[[np.random.Generator, Floats, int, float], Amplification]  # integrals, n_train, level

G = 2  # of the posterior
MEMBERS, LEVELS = (4, 10, 50), (0.683, 0.95)


class Case(NamedTuple):
    """How members scatter and are measured."""

    share: Floats  # (regions,)
    directions: Floats  # (directions, regions): the covariance of b and of e_i is their sum of squares
    measure: Measure
    n_train: int = 20_000

    @property
    def binomial(self) -> float:
        """Numerator of Eq. (16)."""
        return float((self.share * (1 - self.share)).sum())


def percent(happened: Floats) -> str:
    """Share of experiments with its binomial error."""
    if not len(happened):
        return "-"
    share = float(np.mean(happened))
    return f"{100 * share:5.1f} ± {100 * np.sqrt(share * (1 - share) / len(happened)):.1f}"


def exact(_: np.random.Generator, integrals: Floats, n_train: int, level: float) -> Amplification:
    """No counting noise."""
    return averaging.from_integrals(integrals, n_train, level=level)


def counted(multiple: float) -> Measure:
    """So many times n_equiv events per member, as a stream counts them."""

    def measure(rng: np.random.Generator, integrals: Floats, n_train: int, level: float) -> Amplification:
        n_gen = round(multiple * G * n_train)
        rest = np.maximum(1 - integrals.sum(axis=1, keepdims=True), 0)
        shares = np.concatenate([integrals, rest], axis=1)
        counts = rng.multinomial(n_gen, shares / shares.sum(axis=1, keepdims=True))[:, :-1]
        return averaging.from_counts(counts, n_gen, n_train, level=level)

    return measure


def in_files(multiples: tuple[float, ...], is_weighted: bool) -> Measure:
    """Samples of these sizes in turn, in units of n_equiv, with weights of 1/3 to 3 or none."""

    def measure(rng: np.random.Generator, integrals: Floats, n_train: int, level: float) -> Amplification:
        tallies = []
        for member, row in enumerate(integrals):
            n, ends = round(multiples[member % len(multiples)] * G * n_train), np.cumsum(row)
            region = np.searchsorted(ends, rng.random(n), side="right")
            region[region == ends.size] = -1
            tallies.append(Tally(ends.size))
            weights = 3 ** rng.uniform(-1, 1, n) if is_weighted else None
            tallies[-1].update(Placed(region, np.zeros(n, dtype=bool)), weights)
        return averaging.from_tallies(tallies, n_train, level=level)

    return measure


def _cases() -> dict[str, Case]:
    wave = np.sin(np.arange(10) / 10 * 2 * np.pi + 0.3)
    one, ten = np.array([0.3]), np.full(10, 0.05)
    dominant, independent = np.stack([wave, 0.2 * np.roll(wave, 3)]), np.eye(10)
    cases = {
        "exact integrals": Case(one, np.ones((1, 1)), exact),
        "n_gen = 4 n_equiv": Case(one, np.ones((1, 1)), counted(4)),
        "n_gen = n_equiv": Case(one, np.ones((1, 1)), counted(1)),
        "n_gen = n_equiv / 4": Case(one, np.ones((1, 1)), counted(0.25)),
        "unequal sizes": Case(one, np.ones((1, 1)), in_files((0.5, 4), False), 500),
        "weights": Case(one, np.ones((1, 1)), in_files((2,), True), 500),
        "10 regions, one direction": Case(ten, dominant, exact),
        "10 regions, one direction, n_gen = 4 n_equiv": Case(ten, dominant, counted(4)),
        "10 regions, independent": Case(ten, independent, exact),
        "10 regions, independent, n_gen = 4 n_equiv": Case(ten, independent, counted(4)),
    }
    for name, case in cases.items():
        size = np.sqrt(case.binomial / (G * case.n_train) / (case.directions**2).sum())
        cases[name] = case._replace(directions=size * case.directions)
    return cases


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """What the interval assumes."""
    return rng.normal(size=shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Logarithms scatter by 0.5."""
    square = np.exp(0.25)
    return np.asarray((np.exp(0.5 * rng.normal(size=shape)) - np.sqrt(square)) / np.sqrt((square - 1) * square))


def student(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 5 degrees of freedom."""
    return rng.standard_t(5, size=shape) / np.sqrt(5 / 3)


def wide(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One in ten is five times wider."""
    return rng.normal(size=shape) * np.where(rng.random(shape) < 0.1, 5, 1) / np.sqrt(0.9 + 0.1 * 25)


def pairs(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Every two of the last axis have a correlation of 0.8."""
    shared = np.repeat(rng.normal(size=(*shape[:-1], (shape[-1] + 1) // 2)), 2, axis=-1)[..., : shape[-1]]
    return np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=shape)


CASES = _cases()
TAILS: dict[str, Draw] = {
    "normal": normal,
    "lognormal 0.5": lognormal,
    "Student's t, 5": student,
    "one in ten 5 x wider": wide,
    "pairs correlated 0.8": pairs,
}


def worths(case: Case, members: int, level: float, n: int) -> dict[str, Floats]:
    """Which of the sentences about normal members were true in ``n`` experiments, (n,) each."""
    rng = np.random.default_rng([members, round(1000 * level), len(case.share)])
    found: dict[str, list[bool]] = {"before": [], "G": [], "pooled": [], "single": []}
    for _ in range(n):
        shared = rng.normal(size=(1, len(case.directions)))
        own = rng.normal(size=(members, len(case.directions)))
        off = (shared + own) @ case.directions
        result = case.measure(rng, case.share + off, case.n_train, level)
        low, high = result.n_equiv_interval
        pooled = case.binomial / (off.mean(axis=0) ** 2).sum()
        all_of_them = case.binomial / (off**2).sum(axis=1).mean()  # Eq. (3)
        assert result.pooled is not None
        assert result.single is not None
        found["before"].append(low <= all_of_them <= high)
        found["G"].append(low <= G * case.n_train <= high)
        found["pooled"].append(result.pooled.n_equiv_at_least <= pooled)
        found["single"].append(result.single.n_equiv_at_least <= case.binomial / (off[0] ** 2).sum())
    return {name: np.array(values, dtype=float) for name, values in found.items()}


def tails(draw: Draw, members: int, level: float, n: int) -> dict[str, Floats]:
    """The same for exact integrals over one region and any scatter; ``before`` is the chi-squared interval."""
    rng = np.random.default_rng([members, round(1000 * level)])
    case = CASES["exact integrals"]
    sigma = float(case.directions[0, 0])
    own = draw(rng, (n, members))
    shared = draw(rng, (n, 1))
    found: dict[str, list[bool]] = {"before": [], "G": [], "pooled": [], "seen": [], "noted": []}
    for b, e in zip(sigma * shared, sigma * own, strict=True):
        integrals = case.share + b + e
        low, high = Spread.of(integrals[:, None], np.inf).model_interval(level)
        result = averaging.from_integrals(integrals, case.n_train, level=level)
        found["before"].append(low <= sigma**2 <= high)
        found["G"].append(result.interval.low <= G <= result.interval.high)
        assert result.pooled is not None
        found["pooled"].append(result.pooled.n_equiv_at_least <= case.binomial / (b + e.mean()) ** 2)
        codes = {note.code for note in result.notes}
        found["seen"].append(NoteCode.HEAVY_TAILS in codes)
        found["noted"].append(not codes.isdisjoint({NoteCode.HEAVY_TAILS, NoteCode.TAILS_UNSEEN}))
    return {name: np.array(values, dtype=float) for name, values in found.items()}


STATES = {"n_gen = n_equiv / 4": 0.25, "n_gen = n_equiv / 16": 1 / 16}  # multiples of n_equiv
RATE, N_REF = 5.0, 300  # of Poisson's law, and events of a reference
RATES = {"none": RATE, "D = 0.9 / sqrt(n_ref)": 5.31, "D = 2 / sqrt(n_ref)": 5.69}  # of the generator
BIASES = (0, 1, 3, 9)  # that members share, in units of their scatter
HOLDOUT = 20_000


def states(n: int) -> None:
    """How often intervals hold G and limits the worth, for each state of the result."""
    print("| members scatter normally | N | level | state | how often | G, interval | pooled, at least |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    case = CASES["exact integrals"]
    for (name, multiple), members, level in product(STATES.items(), MEMBERS, LEVELS):
        rng, measure, found = np.random.default_rng([2, members, round(1000 * level)]), counted(multiple), []
        for _ in range(n):
            off = (rng.normal(size=(1, 1)) + rng.normal(size=(members, 1))) @ case.directions
            result = measure(rng, case.share + off, case.n_train, level)
            low, high = result.n_equiv_interval
            assert result.pooled is not None
            is_true = result.pooled.n_equiv_at_least <= case.binomial / (off.mean(axis=0) ** 2).sum()
            found.append((result.state, low <= G * case.n_train <= high, is_true))
        for state in (None, *State):
            some = [(holds, is_true) for its, holds, is_true in found if state in (None, its)]
            shown = [percent(np.array(column, dtype=float)) for column in zip(*some, strict=True)] or ["-", "-"]
            cells = [name, str(members), f"{100 * level:.3g}", state or "all", f"{100 * len(some) / n:.1f}", *shown]
            print("|", " | ".join(cells), "|", flush=True)


def ties(n: int) -> None:
    """How often differential intervals hold the worth of a generator of counts, an unlimited sample of which is made.

    The worth is that of its true distance, by the law of K for the true distribution.
    """
    print("| counts, difference | level | n_equiv, interval | below it | above it |")
    print("| --- | --- | --- | --- | --- |")
    k = np.arange(40)
    mean = Law.of(np.random.default_rng(3).poisson(RATE, 1_000_000)).mean
    for name, rate in RATES.items():
        D = float(np.abs(stats.poisson.cdf(k, rate) - stats.poisson.cdf(k, RATE)).max())
        right, density = worth(D, mean), stats.poisson.pmf(k, rate)
        rng = np.random.default_rng([4, round(100 * rate)])
        found: dict[float, list[tuple[bool, bool]]] = {level: [] for level in LEVELS}
        for _ in range(n):
            tally = KolmogorovSmirnov(rng.poisson(RATE, N_REF), steps=None)
            tally.update(k, density / density.sum())
            law, distance = Law.of(tally.reference), tally.distance
            for level in LEVELS:
                result = differential.from_distances([distance], np.inf, N_REF, N_REF, level=level, law=law)
                low, high = result.n_equiv_interval
                found[level].append((right > high, right < low))
        for level, misses in found.items():
            above, below = np.array(misses, dtype=float).T
            cells = [name, f"{100 * level:.3g}", *map(percent, (1 - above - below, above, below))]
            print("|", " | ".join(cells), "|", flush=True)


def bias(n: int) -> None:
    """How often a shared bias is told, and limits of the worth hold where it is not; exact integrals."""
    print("| bias, in units of the members' scatter | N | told | pooled, at least | the same, where nothing is told |")
    print("| --- | --- | --- | --- | --- |")
    case, unlikely = CASES["exact integrals"], 2 * stats.norm.sf(FAR)
    sigma, level = float(case.directions[0, 0]), LEVELS[0]
    for size, members in product(BIASES, (3, 10, 50)):
        rng = np.random.default_rng([5, size, members])
        off = sigma * (size + rng.normal(size=(n, 1)) + rng.normal(size=(n, members)))
        seen = rng.binomial(HOLDOUT, case.share[0], n) / HOLDOUT
        mean = case.share[0] + off.mean(axis=1)
        known, spread = mean * (1 - mean) / HOLDOUT, off.var(axis=1, ddof=1) * (1 + 1 / members)
        told = deviation_probability(mean - seen, spread, known, members) < unlikely
        results = [averaging.from_integrals(case.share + own, case.n_train, level=level).pooled for own in off]
        limits = np.array([pooled.n_equiv_at_least for pooled in results if pooled is not None])
        is_true = (limits <= case.binomial / off.mean(axis=1) ** 2).astype(float)
        cells = [str(size), str(members), *map(percent, (told.astype(float), is_true, is_true[~told]))]
        print("|", " | ".join(cells), "|", flush=True)


OTHERS: dict[str, Callable[[int], None]] = {"states": states, "ties": ties, "bias": bias}


def main(n: int, names: tuple[str, ...]) -> None:
    """Print both tables, of all cases or those named."""
    print(f"{n} experiments each\n\nbefore: the interval of G read as the worth of these members")
    print("| members scatter normally | N | level | before | G, interval | pooled, at least | single, at least |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (name, case), members, level in product(CASES.items(), MEMBERS, LEVELS):
        if names and name not in names:
            continue
        found = worths(case, members, level, n)
        cells = [percent(found[key]) for key in ("before", "G", "pooled", "single")]
        print("|", " | ".join([name, str(members), f"{100 * level:.3g}", *cells]), "|", flush=True)
    print("\nbefore: the chi-squared interval; tails seen: the interval was made longer")
    print("| scatter | N | level | G, before | G | missed, no note | tails seen | pooled, at least |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (name, draw), members, level in product(TAILS.items(), MEMBERS, LEVELS):
        if names and name not in names:
            continue
        found = tails(draw, members, level, n)
        missed = (1 - found["G"]) * (1 - found["noted"])
        cells = [percent(x) for x in (found["before"], found["G"], missed, found["seen"], found["pooled"])]
        print("|", " | ".join([name, str(members), f"{100 * level:.3g}", *cells]), "|", flush=True)
    for name, table in OTHERS.items():
        if not names or name in names:
            print(f"\n{name}: {(table.__doc__ or '').splitlines()[0]}")
            table(n)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, tuple(sys.argv[2:]))
