"""Z bosons that decay to muons, with 0 to 8 jets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats, counted
from gampl.particles.events import Events
from gampl.processes.samples import Cuts, FileProcess, numbered_jets

MUONS = ("mu-", "mu+")
MAX_JETS = 8


@dataclass(frozen=True)
class ZJets(FileProcess):
    """pp -> Z -> mu- mu+ with jets, known by files of events.

    An event is (pT, phi, eta, m) of ``mu- mu+ j1 ... j8``, jets by falling pT; the rows of jets that an event does not
    have are zeros. Events with many jets are rare. The files have more of them than nature does, and the column
    ``weight`` undoes it: it is the cross section in pb that an event stands for. Only `sample` gives events of equal
    weight.
    """

    others: ClassVar[tuple[str, ...]] = MUONS
    composites: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({"mumu": MUONS})
    cuts: ClassVar[Cuts] = Cuts(pt_min=20.0, eta_max=5.0)
    bundled: ClassVar[str] = "z_jets.h5"

    n_jets: int | None = None  #: only events with exactly so many jets, 0 to 8, and only their rows; all if left out

    def __post_init__(self) -> None:
        if self.n_jets is not None and self.n_jets not in range(MAX_JETS + 1):
            raise ValueError(f"n_jets must be 0 to {MAX_JETS} or None, got {self.n_jets}")

    @property
    def jets(self) -> tuple[str, ...]:
        """Names of the jets."""
        return numbered_jets(MAX_JETS if self.n_jets is None else self.n_jets)

    def batches(
        self, sample: str | None = "train", path: Path | str | None = None, batch: int = 100_000
    ) -> Iterator[Events]:
        """Events of a file, a batch at a time; arguments and errors are those of `load`."""
        if self.n_jets is None:
            return super().batches(sample, path, batch)
        size = len(self.particles)
        chosen = (events[events.multiplicity == size] for events in ZJets().batches(sample, path, batch))
        return (replace(events, momenta=events.momenta[:, :size], particles=self.particles) for events in chosen)


@dataclass(frozen=True, eq=False)
class Staircase:
    """How often there are how many jets, and statistical uncertainties."""

    n_jets: NDArray[np.int64]  #: 0 to the largest number of jets that there is, shape (k,)
    probability: Floats  #: P(n), the share of events with n jets, shape (k,)
    error: Floats  #: of P(n)
    ratio: Floats  #: R(n+1/n) = P(n+1) / P(n), shape (k - 1,); NaN where there are no events with n or n + 1 jets
    ratio_error: Floats  #: of R(n+1/n)


def staircase(events: Events) -> Staircase:
    """Exclusive jet rates and their ratios, with the weights of the events.

    In Z + jets R(n+1/n) = sigma_{n+1} / sigma_n hardly depends on n, "staircase scaling" (Ellis, Kleiss and Stirling,
    Phys. Lett. B 154 (1985) 435; Gerwick, Plehn, Schumann and Schichtel, arXiv:1208.3676). Sums of weights S_n are
    independent of each other with variance sum of w² (Poisson), which is propagated to P(n) = S_n / S and R(n+1/n).
    Events of `ZJets` without a column ``weight`` all weigh the same. A ValueError if there are none, the first two
    particles are not the muons, or no weight is positive.
    """
    if events.particles[: len(MUONS)] != MUONS:
        raise ValueError(f"expected events of {', '.join(MUONS)} and jets, got events of {', '.join(events.particles)}")
    n_jets = events.multiplicity - len(MUONS)
    weights = events.columns.get("weight", np.ones(len(events)))
    if not len(events) or not weights.sum() > 0 or n_jets.min() < 0:
        got = counted(len(events), "event")
        raise ValueError(f"expected events with two muons each and positive weights, got {got}")
    rates, variances = np.bincount(n_jets, weights), np.bincount(n_jets, weights**2)
    share = rates / rates.sum()
    # d P(n) = ((1 - P(n)) dS_n - P(n) d(all the others)) / S
    error = np.sqrt((1 - share) ** 2 * variances + share**2 * (variances.sum() - variances)) / rates.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = variances / rates**2  # NaN where there are no events
        ratio = np.where((rates[1:] > 0) & (rates[:-1] > 0), rates[1:] / rates[:-1], np.nan)
        ratio_error = ratio * np.sqrt(relative[1:] + relative[:-1])
    return Staircase(np.arange(rates.size), share, error, ratio, ratio_error)
