"""Top pairs that decay to jets, as a detector reconstructs them: the paper's section 5."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from gampl.processes.samples import Cuts, FileProcess, numbered_jets
from gampl.regions import Intervals

DECAY_JETS = ("b1", "q1", "q2", "b2", "q3", "q4")
MAX_EXTRA_JETS = 4

M_TT_REGION = (2000.0, 2200.0)  # GeV, Eq. (43)


@dataclass(frozen=True)
class TopPair(FileProcess):
    """pp -> t tbar -> jets with a fixed number of additional jets, known by files of events.

    An event is (pT, phi, eta, m) of ``b1 q1 q2 b2 q3 q4 j1 ...``: b1, q1 and q2 make the top t1, q1 and q2 its W boson
    W1, likewise t2 and W2; b1 is the b-jet with the larger pT, and jets of one kind come by falling pT. The sum tt
    leaves out the additional jets. All events have passed the cuts of Eq. (38). In many events with a large m_tt a
    forward jet, radiated off the initial state, was taken for one of a decay: ``select(events, Cuts(eta_max=2.5))``
    removes them, and so does ``events[events.columns["chi2"] < 100]``, chi² of the assignment of jets to tops.

    A ValueError if ``extra_jets`` is not 0 to 4.
    """

    composites: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"t1": DECAY_JETS[:3], "t2": DECAY_JETS[3:], "W1": DECAY_JETS[1:3], "W2": DECAY_JETS[4:], "tt": DECAY_JETS}
    )
    cuts: ClassVar[Cuts] = Cuts(pt_min=22.0, eta_max=5.0, delta_r_min=0.5)  # Eq. (38), which asks for two b-jets, too

    extra_jets: int = 0  #: jets besides the six of the decays, 0 to 4; files for 0 and 4 are bundled, as in Eq. (39)

    def __post_init__(self) -> None:
        if self.extra_jets not in range(MAX_EXTRA_JETS + 1):
            raise ValueError(f"extra_jets must be 0 to {MAX_EXTRA_JETS}, got {self.extra_jets}")

    @property
    def jets(self) -> tuple[str, ...]:
        """Names of the jets, which are all of the particles."""
        return DECAY_JETS + numbered_jets(self.extra_jets)

    @property
    def bundled(self) -> str:
        """``top_pair_0j.h5`` for no additional jets."""
        return f"top_pair_{self.extra_jets}j.h5"

    def region(self, low: float = M_TT_REGION[0], high: float = M_TT_REGION[1], observable: str = "m_tt") -> Intervals:
        """The events with an observable in [low, high); without arguments the region of Eq. (43)."""
        return super().region(low, high, observable)
