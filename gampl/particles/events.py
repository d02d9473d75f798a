"""Events of several particles, as files hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats


@dataclass(frozen=True, eq=False)
class Events:
    """Momenta of the particles of n events, and what else is known of each event; a ValueError if shapes do not agree.

    The estimators take plain arrays: hand ``events.momenta`` to them, and observables that take such arrays.

    Momenta are (pT, phi, eta, m) of each particle, pT and m in GeV, phi in radians; zeros stand for a particle that an
    event does not have.
    """

    momenta: Floats  #: shape (n, particles, 4)
    particles: tuple[str, ...]  #: their names, such as ``("b1", "q1", "q2", "b2", "q3", "q4")``
    columns: Mapping[str, Floats] = field(default_factory=dict)  #: further numbers by name, (n,), such as ``weight``
    about: Mapping[str, Any] = field(default_factory=dict)  #: what a file says of them: process, cuts, seeds, versions

    def __post_init__(self) -> None:
        object.__setattr__(self, "momenta", np.asarray(self.momenta, dtype=np.float64))
        n = len(self.particles)
        if self.momenta.ndim != 3 or self.momenta.shape[1:] != (n, 4):
            names = ", ".join(self.particles)
            raise ValueError(f"momenta of {names} must have shape (n, {n}, 4), got {self.momenta.shape}")
        for name, values in self.columns.items():
            if values.shape != (len(self),):
                raise ValueError(f"column {name!r} must have shape ({len(self)},), got {values.shape}")

    def __len__(self) -> int:
        return len(self.momenta)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Events":
        """Some of the events: a slice, a mask or row numbers."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Events(self.momenta[rows], self.particles, columns, self.about)

    @property
    def multiplicity(self) -> NDArray[np.intp]:
        """Number of particles that each event has, shape (n,)."""
        return np.count_nonzero(self.momenta[..., 0] > 0, axis=1)

    @classmethod
    def concatenate(cls, parts: Sequence["Events"]) -> "Events":
        """One set of events after the other, `about` from the first; a ValueError if none, or if they do not match."""
        if not parts:
            raise ValueError("parts must name at least one set of events")
        kinds = [f"of {part.particles} with columns {sorted(part.columns)}" for part in parts]
        if other := [kind for kind in kinds if kind != kinds[0]]:
            raise ValueError(f"cannot join events {kinds[0]} and {other[0]}")
        first = parts[0]
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns}
        return cls(np.concatenate([part.momenta for part in parts]), first.particles, columns, first.about)
