"""Studies that are made by hand, without files: every kind of finding, and names that are hard to print."""

from pathlib import Path

import numpy as np

from gampl import averaging, differential
from gampl.averaging import Tally
from gampl.kolmogorov import MEAN
from gampl.regions import Placed
from gampl.report.process import Definition, Process, Region, SampleFiles
from gampl.report.study import Finding, Histogram, Study
from gampl.result import Amplification, State

N_TRAIN = 10_000
N_GEN = 1_000_000
REGION = "2000 <= m_tt < 2200"


def counted(G: float, share: float = 0.03, excess: float | None = None, members: int = 10) -> Amplification:
    """An averaging estimate of just this G, or of a spread this many times that of counting."""
    binomial = share * (1 - share)
    n_gen = np.array([10_000, 100_000, N_GEN])
    total = binomial / n_gen + binomial / (G * N_TRAIN) if excess is None else excess * binomial / n_gen
    normal = np.linspace(-1.5, 1.5, members)
    normal /= normal.std(ddof=1)
    counts = np.round(n_gen[:, None] * (share + np.sqrt(total)[:, None] * normal)).astype(int)
    return averaging.from_counts(counts[..., None], n_gen, N_TRAIN)


def weighted() -> Amplification:
    """An averaging estimate from events with weights, which it has notes about."""
    rng = np.random.default_rng(5)
    tallies = []
    for member in range(6):
        tally = Tally(2)
        where = (rng.random(20_000) < 0.3 + 0.02 * member).astype(int)
        tally.update(Placed(where, np.zeros(where.size, dtype=bool)), rng.exponential(size=where.size) ** 3)
        tallies.append(tally)
    return averaging.from_tallies(tallies, N_TRAIN)


def compared(excess: float, n_ref: int = 20_000, n_train: int = N_TRAIN, members: int = 4, **options) -> Amplification:
    """A differential estimate, the last distance this many times what true events would have."""
    n_gen = np.array([1e3, 1e4, 1e5, 1e6])
    unit = MEAN * np.sqrt(1 / n_ref + 1 / n_gen)
    mean = np.hypot(unit, np.sqrt(max(excess**2 - 1, 0)) * unit[-1]) * min(excess, 1)
    spread = 1 + 0.02 * np.linspace(-1, 1, members)
    return differential.from_distances(mean * spread[:, None], n_gen, n_ref, n_train, **options)


def shape(n_true: int = 20_000, members: int = 10, label: str = r"$m_{t\bar t}$ [GeV]") -> Histogram:
    """A falling distribution of ten members, and of true events."""
    rng = np.random.default_rng(3)
    edges = np.linspace(350, 3000, 41)
    centres = (edges[1:] + edges[:-1]) / 2
    true = np.exp(-(centres - 350) / 350)
    true /= true.sum()
    generated = true * np.exp(0.05 * rng.normal(size=(members, 1)) * (centres - 800) / 800)
    seen = rng.multinomial(n_true, true) / n_true
    return Histogram("m_tt", label, edges, generated / generated.sum(axis=1)[:, None], seen, n_true, (2000.0, 2200.0))


REGIONS = {
    region.name: region
    for region in (
        Region(REGION, condition=REGION),
        Region("tail", condition="m_tt >= 3000"),
        Region("bulk", condition="m_tt < 600"),
        Region("fine", observable="m_tt", quantiles=10),
        Region("coarse", observable="pT_t", edges=(0.0, 200.0, 500.0)),
        Region("nothing", condition="m_tt > 99999"),
    )
}


def process(**options) -> Process:
    """Top pairs with a holdout; options replace these settings."""
    files = {
        "members": SampleFiles(tuple(Path(f"samples/member_{k:02d}.h5") for k in range(10))),
        "train": SampleFiles((Path("train.csv"),)),
        "holdout": SampleFiles((Path("holdout.csv"),), weight="w", unweight=True),
    }
    defaults = {
        "n_train": N_TRAIN,
        "observables": {"m_tt": Definition("m(tt)", r"$m_{t\bar t}$", "GeV")},
        "regions": tuple(REGIONS.values()),
        "summaries": ("m_tt", "pT_t"),
        "title": "Top pairs, LLoCa flow",
    }
    return Process(**(defaults | files | options))


def estimate(region: str | None, summary: str, result: Amplification, share: float = 1.0) -> Finding:
    """An estimate in one of `REGIONS` or, if there is none of this name, in another one; None for all events."""
    return Finding(region=named(region), summary=summary, share=share, result=result)


def failure(region: str | None, summary: str, problem: str, share: float = 1.0) -> Finding:
    """As `estimate`, for one that could not be made."""
    return Finding(region=named(region), summary=summary, share=share, problem=problem)


def named(region: str | None) -> Region | None:
    """The region of a name."""
    return None if region is None else REGIONS.get(region, Region(region, condition=region or "x > 0"))


def findings() -> tuple[Finding, ...]:
    """Averaging and differential estimates in all states, and two that could not be made."""
    return (
        estimate(REGION, "", counted(3.1), share=0.03),
        estimate("tail", "", counted(0.21), share=0.03),
        estimate("bulk", "", counted(1, excess=1.3), share=0.4),
        estimate("fine", "", counted(1, excess=0.2), share=1.0),
        estimate("coarse", "", weighted(), share=0.7),
        failure("nothing", "", "region 0 is empty for all members: its integral says nothing about them", 0.0),
        estimate(None, "m_tt", compared(2.5)),
        estimate(None, "pT_t", compared(1.2)),
        estimate(REGION, "m_tt", compared(0.8, n_ref=600, n_train=300, reference_is="training"), share=0.03),
        failure("tail", "m_tt", "the holdout sample has only 3 events here, expected at least 10", 1e-4),
    )


def study(**options) -> Study:
    """All findings, two warnings and a control plot; options replace what is there."""
    defaults = {
        "process": process(),
        "findings": findings(),
        "warnings": (
            "the training sample has 9000 events, but n_train is 10000: G is in units of n_train",
            "regions 'tail' and 'bulk' overlap: 12 % of the events of 'tail' are in both, so that their results go up "
            "and down together and must not be taken for two confirmations of one another",
        ),
        "histograms": (shape(), shape(n_true=100, members=1)),
        "members": tuple(f"member_{k:02d}.h5" for k in range(10)),
        "n_gen": (N_GEN,) * 10,
        "n_holdout": 20_000,
        "reference_is": "holdout",
        "seconds": 12.3,
    }
    return Study(**(defaults | options))


STATES = {State.VALUE, State.UNBOUNDED, State.LOWER_LIMIT}
