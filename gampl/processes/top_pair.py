"""Top pairs that decay to jets, as a detector reconstructs them: the paper's section 5."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gampl.particles.events import Events
from gampl.particles.observables import Observable, observable
from gampl.processes import samples
from gampl.processes.samples import Cuts
from gampl.regions import Intervals

DECAY_JETS = ("b1", "q1", "q2", "b2", "q3", "q4")
MAX_EXTRA_JETS = 4

COMPOSITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"t1": DECAY_JETS[:3], "t2": DECAY_JETS[3:], "W1": DECAY_JETS[1:3], "W2": DECAY_JETS[4:], "tt": DECAY_JETS}
)

CUTS = Cuts(pt_min=22.0, eta_max=5.0, delta_r_min=0.5, n_b=2)  # Eq. (38)

M_TT_REGION = (2000.0, 2200.0)  # GeV, Eq. (43)


@dataclass(frozen=True)
class TopPair:
    """pp -> t tbar -> jets with a fixed number of additional jets, known by files of events.

    An event is (pT, phi, eta, m) of ``b1 q1 q2 b2 q3 q4 j1 ...``: b1, q1 and q2 make the top t1, q1 and q2 its W boson
    W1, likewise t2 and W2; b1 is the b-jet with the larger pT, and jets of one kind come by falling pT.

    Args:
        extra_jets: Jets besides the six of the decays, 0 to 4. Files for 0 and 4 are bundled, as in Eq. (39).

    Raises:
        ValueError: If ``extra_jets`` is outside its range.
    """

    extra_jets: int = 0

    def __post_init__(self) -> None:
        if self.extra_jets not in range(MAX_EXTRA_JETS + 1):
            raise ValueError(f"extra_jets must be 0 to {MAX_EXTRA_JETS}, got {self.extra_jets}")

    @property
    def particles(self) -> tuple[str, ...]:
        """Names of the jets, in the order of the rows of an event."""
        return DECAY_JETS + tuple(f"j{k}" for k in range(1, self.extra_jets + 1))

    @property
    def composites(self) -> Mapping[str, tuple[str, ...]]:
        """Sums of jets that have names: t1, t2, W1, W2, and tt, which leaves out the additional jets."""
        return COMPOSITES

    @property
    def cuts(self) -> Cuts:
        """The cuts that all events have passed, Eq. (38)."""
        return CUTS

    def observable(self, name: str) -> Observable:
        """One number of each event, by name: ``m_tt``, ``pT(b1)``, ``deltaR(q1,q2)``, ``HT``.

        Raises:
            ValueError: If there is none of that name; says where, and what there is.
        """
        return observable(name, self.particles, self.composites)

    def region(self, low: float = M_TT_REGION[0], high: float = M_TT_REGION[1], observable: str = "m_tt") -> Intervals:
        """The events with an observable in [low, high); without arguments the region of Eq. (43)."""
        return Intervals(np.array([low]), np.array([high]), self.observable(observable))

    def batches(
        self, sample: str | None = "train", path: Path | str | None = None, batch: int = 100_000
    ) -> Iterator[Events]:
        """Events of a file, a batch at a time; arguments and errors are those of `load`."""
        return samples.batches(path, f"top_pair_{self.extra_jets}j.h5", sample, self.particles, batch)

    def load(self, sample: str | None = "train", path: Path | str | None = None) -> Events:
        """All events of one sample of a file.

        Args:
            sample: ``train`` or ``holdout``, or what else the file has: ``ttbar+0jet`` of the public file, None of a
                file with one sample.
            path: The file, of any kind that `gampl.files` reads; the bundled one if left out, ``top_pair_0j.h5``
                for no additional jets.

        Raises:
            FileNotFoundError: If there is no such file; says how to make it.
            EventFileError: If it is damaged, lacks the sample or holds other particles.
        """
        return Events.concatenate(list(self.batches(sample, path)))

    def sample(
        self, n: int, rng: np.random.Generator, path: Path | str | None = None, sample: str | None = "train"
    ) -> NDArray[np.float64]:
        """Draw ``n`` different events of a sample of a file in random order, shape (n, 6 + extra_jets, 4).

        `path` and `sample` are those of `load`.

        Raises:
            ValueError: If the file has fewer.
            FileNotFoundError: As for `load`.
        """
        return samples.draw(self.load(sample, path), n, rng)

    def select(
        self,
        events: Events,
        *,
        pt_min: float | None = None,
        eta_max: float | None = None,
        delta_r_min: float | None = None,
        chi2_max: float | None = None,
    ) -> Events:
        """Events that pass tighter cuts than those of Eq. (38); the first three are explained at `samples.passes`.

        In many events with a large m_tt a forward jet, radiated off the initial state, was taken for one of a decay:
        `eta_max` and `chi2_max` remove them.

        Args:
            events: What to choose from.
            pt_min: In GeV.
            eta_max: For all jets.
            delta_r_min: For all pairs of jets.
            chi2_max: Largest chi² of the assignment of jets to tops, the column ``chi2``.

        Raises:
            ValueError: If the particles are not those of this process, or ``chi2`` is needed and missing.
        """
        samples.require(events, self.particles)
        passed = samples.passes(events.momenta, pt_min=pt_min, eta_max=eta_max, delta_r_min=delta_r_min)
        if chi2_max is not None:
            if "chi2" not in events.columns:
                columns = ", ".join(events.columns) or "none"
                raise ValueError(f"chi2_max needs the column 'chi2' of the events, whose columns are: {columns}")
            passed &= events.columns["chi2"] < chi2_max
        return events[passed]
