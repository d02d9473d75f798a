"""Top pairs that decay to leptons, as partons, whose tops and W bosons are on or off their mass shells."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from gampl.processes.samples import Cuts, FileProcess


@dataclass(frozen=True)
class DileptonTopPair(FileProcess):
    """pp -> t tbar -> b mu+ nu, bbar mu- nubar at 13 TeV without radiation, known by files of events.

    An event is (pT, phi, eta, m) of ``l1 v1 l2 v2 b1 b2``: b1, the muon l1 and the neutrino v1 make the top t1, l1 and
    v1 its W boson W1; likewise the antitop t2. On shell these have the masses 173 and 80.385 GeV in all events. Off
    shell is not a full calculation of the final state: all events have two tops and two W bosons, with Pythia's
    Breit-Wigner masses, and no other diagrams.
    """

    others: ClassVar[tuple[str, ...]] = ("l1", "v1", "l2", "v2")
    jets: ClassVar[tuple[str, ...]] = ("b1", "b2")
    composites: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "t1": ("b1", "l1", "v1"),
            "t2": ("b2", "l2", "v2"),
            "W1": ("l1", "v1"),
            "W2": ("l2", "v2"),
            "bl1": ("b1", "l1"),
            "bl2": ("b2", "l2"),
            "tt": ("b1", "l1", "v1", "b2", "l2", "v2"),
        }
    )
    cuts: ClassVar[Cuts] = Cuts()

    off_shell: bool = True  #: whether tops and W bosons have Breit-Wigner masses

    @property
    def bundled(self) -> str:
        """``dilepton_off.h5`` or ``dilepton_on.h5``."""
        return f"dilepton_{'off' if self.off_shell else 'on'}.h5"
