"""Pythia 8, event after event in batches of flat arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

from gampl.simulation.seeds import LARGEST_SEED

COMMON = ("Print:quiet = on", "Next:numberCount = 0", "Beams:idA = 2212", "Beams:idB = 2212")


class Particles(NamedTuple):
    """All entries of the event records of a batch, shape (entries,) each; energies and momenta in GeV."""

    n_events: int
    event: NDArray[np.int64]  # row number of the event that an entry belongs to
    pdg: NDArray[np.int32]
    status: NDArray[np.int32]  # positive for particles of the final state
    energy: NDArray[np.float64]
    px: NDArray[np.float64]
    py: NDArray[np.float64]
    pz: NDArray[np.float64]
    m_hat: NDArray[np.float64]  # invariant mass of the hard process, shape (n_events,)

    def where(self, mask: NDArray[np.bool_]) -> "Particles":
        """Some of the entries, of the same events."""
        chosen = {name: getattr(self, name)[mask] for name in self._fields if name not in ("n_events", "m_hat")}
        return self._replace(**chosen)

    def rows(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The entry of each event that a mask marks, -1 where there is none, shape (n_events,)."""
        entries = np.flatnonzero(mask)
        rows = np.full(self.n_events, -1, dtype=np.int64)
        rows[self.event[entries]] = entries
        return rows

    @property
    def momenta(self) -> NDArray[np.float64]:
        """(E, px, py, pz), shape (entries, 4)."""
        return np.stack([self.energy, self.px, self.py, self.pz], axis=-1)


class EventRecord:
    """A Pythia run with settings such as ``"Top:gg2ttbar = on"``, all of whose random numbers come from the seed.

    A ValueError if the seed is not from 1 to 900 000 000 or a setting unknown; a RuntimeError if Pythia cannot start.
    """

    def __init__(self, settings: Sequence[str], seed: int) -> None:
        if not 1 <= seed <= LARGEST_SEED:
            raise ValueError(f"seed must be from 1 to {LARGEST_SEED}, got {seed}")
        self._pythia = pythia8mc.Pythia("", False)
        for line in (*COMMON, "Random:setSeed = on", f"Random:seed = {seed}", *settings):
            if not self._pythia.readString(line):
                raise ValueError(f"Pythia does not accept the setting {line!r}")
        if not self._pythia.init():
            raise RuntimeError(f"Pythia does not start with the settings {', '.join(settings)}")

    def batch(self, n_events: int) -> Particles:
        """The next events; fewer than asked for where Pythia gave up on some, which is rare."""
        records = self._pythia.nextBatch(n_events)
        entries, p = records.prt, records.prt.p
        columns = {"pdg": entries.id, "status": entries.status, "energy": p.e, "px": p.px, "py": p.py, "pz": p.pz}
        return Particles(
            n_events=len(records),
            event=np.repeat(np.arange(len(records)), ak.to_numpy(ak.num(entries.id))),
            m_hat=ak.to_numpy(records.info.mHat),
            **{name: ak.to_numpy(ak.flatten(values)) for name, values in columns.items()},
        )

    @property
    def cross_section(self) -> tuple[float, float]:
        """Cross section so far and its Monte Carlo error, in pb."""
        info, millibarn = self._pythia.infoPython(), 1e9  # in pb
        return info.sigmaGen() * millibarn, info.sigmaErr() * millibarn
