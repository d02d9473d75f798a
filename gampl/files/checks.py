"""What files of events must fulfil, the same for every kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.files.source import CARTESIAN, UNITS, EventFileError, Layout, Names, floats
from gampl.particles.events import Events
from gampl.particles.kinematics import cylindrical, wrapped

# Jets and leptons of LHC analyses have median transverse momenta of tens to hundreds of GeV. The window is wider than
# a factor of 1000, so that whatever has a median between 3.5 GeV and 1 TeV is refused with the next unit up or down.
TYPICAL_PT = (1.0, 3500.0)
ENOUGH_FOR_A_MEDIAN, ENOUGH_TOGETHER = 20, 5
# No collider, built or planned, has beams of more energy. A generator's tail may well exceed the LHC's 7 TeV.
HIGHEST = 50_000.0
# Of a momentum that is transverse by rounding only: at 7 TeV, |eta| = 30 means 1e-9 GeV.
LARGEST_ETA = 30.0
LARGEST_PHI = 2 * np.pi + 0.01


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some events as a file has them, before any check."""

    values: NDArray[Any]  # shape (n, particles, 4), in the type that the file has
    particles: Names
    coordinates: Names  # what the four numbers are, one of `COORDINATE_SETS` in any order
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # further numbers of each event, shape (n,)
    about: Mapping[str, Any] = field(default_factory=dict)  # what the file says about its events

    def __len__(self) -> int:
        return len(self.values)


@np.errstate(all="ignore")
def check(path: Path, first: int, chunk: Chunk, layout: Layout) -> Events:
    """Events of a chunk in the project's coordinates; `first` is the number of its first event, for errors.

    An EventFileError if an event is not one of physical momenta; names it and the particle. Rows of zeros are refused
    unless the layout has `absent`, and if it has `check_unit` a median pT outside `TYPICAL_PT`.
    """
    values = floats(path, "momenta", chunk.values)

    def refuse(bad: Any, expected: str) -> None:
        """Raises the error of the first particle that `bad` marks, shape (n, particles)."""
        if bad.any():
            event, particle = np.argwhere(bad)[0]
            pairs = zip(chunk.coordinates, values[event, particle], strict=True)
            numbers = ", ".join(f"{name} = {value:g}" for name, value in pairs)
            where = f"event {first + event} (counted from 0), particle {chunk.particles[particle]}"
            raise EventFileError(f"{path}: {where}, {numbers}: {expected}")

    refuse((~np.isfinite(values)).any(axis=-1), "expected finite numbers")
    missing = (values == 0).all(axis=-1)
    if not layout.absent:
        refuse(missing, "expected a momentum, or Layout(absent=True) if events may lack particles")
    file_type = chunk.values.dtype if chunk.values.dtype.kind == "f" else np.dtype(np.float64)
    precision = float(max(np.finfo(np.float32).eps, np.finfo(file_type).eps))
    momenta = _cylindrical(dict(zip(chunk.coordinates, np.moveaxis(values, -1, 0), strict=True)), refuse, precision)
    momenta[missing] = 0.0
    momenta[..., [0, 3]] *= UNITS[layout.unit or "GeV"]
    pt, phi, eta, m = np.moveaxis(momenta, -1, 0)
    if layout.check_unit:
        _check_unit(path, first, pt, chunk.particles, layout.unit or "GeV")
    refuse(
        ~missing & ((pt == 0) | ~(np.abs(eta) <= LARGEST_ETA)),
        f"expected a transverse momentum, and eta within -{LARGEST_ETA:.0f} and {LARGEST_ETA:.0f}",
    )
    refuse((pt > HIGHEST) | (m > HIGHEST), f"expected pT and m below the energy of any beam, {HIGHEST:.0f} GeV")
    # wrapped only where it must be, so that what was written as -pi...pi comes back unchanged
    outside = np.abs(phi) > np.pi * (1 + 4 * precision)
    momenta[..., 1][outside] = wrapped(phi[outside])
    columns = {name: floats(path, f"column {name!r}", of, len(values)) for name, of in chunk.columns.items()}
    for name, numbers in columns.items():
        if not np.isfinite(numbers).all():
            event = int(np.argmin(np.isfinite(numbers)))
            where = f"event {first + event} (counted from 0), column {name!r}"
            raise EventFileError(f"{path}: {where}: {numbers[event]}, expected a finite number")
    return Events(momenta, chunk.particles, columns, chunk.about)


def _cylindrical(by_name: Mapping[str, Floats], refuse: Callable[[Any, str], None], precision: float) -> Floats:
    """(pT, phi, eta, m) of any set of coordinates, which are first seen to be those of a momentum.

    Massless particles come out spacelike by rounding. With numbers rounded to a relative precision epsilon / 2, m² is
    wrong by at most 2 epsilon E², and by (1 + |eta|) times as much if |p| is pT cosh(eta); a few roundings more may
    have come before. A file of float64 may hold what was float32 once, so that no type counts as finer than that.
    """
    if "E" in by_name:
        energy = by_name["E"]
        refuse(energy < 0, "expected an energy E of at least 0")
    if "pT" not in by_name:
        p = np.linalg.norm(np.stack([by_name[name] for name in ("px", "py", "pz")]), axis=0)
        refuse(p > energy * np.sqrt(1 + 8 * precision), "spacelike, expected E of at least |p|")
        return cylindrical(np.stack([by_name[name] for name in CARTESIAN], axis=-1))
    pt, phi, eta = (by_name[name] for name in ("pT", "phi", "eta"))
    refuse(pt < 0, "expected pT of at least 0")
    refuse(np.abs(phi) > LARGEST_PHI, "expected phi in radians, within -2 pi and 2 pi")
    p, slack = pt * np.cosh(eta), 8 * precision * (1 + np.abs(eta))
    if "E" in by_name:
        refuse(p > energy * np.sqrt(1 + slack), "spacelike, expected E of at least |p| = pT cosh(eta)")
        m = np.sqrt(np.maximum((energy - p) * (energy + p), 0.0))
    else:
        # where m² is negative by rounding, programs write m with the sign of m²
        m = by_name["m"]
        refuse(-m > np.sqrt(slack) * p, "expected a mass m of at least 0")
        m = np.maximum(m, 0.0)
    return np.stack([pt, phi, eta, m], axis=-1)


def _check_unit(path: Path, first: int, pt: Floats, particles: Names, unit: str) -> None:
    """Each particle by itself, as a single one may be in another unit; all together in files of a few events."""
    by_particle = {particle: pt[pt[:, k] > 0, k] for k, particle in enumerate(particles)}
    enough = {name: values for name, values in by_particle.items() if len(values) >= ENOUGH_FOR_A_MEDIAN}
    together = pt[pt > 0]
    if not enough and first == 0 and len(together) >= ENOUGH_TOGETHER:
        enough = {", ".join(by_particle): together}
    low, high = TYPICAL_PT
    for particle, values in enough.items():
        median = float(np.median(values))
        if low <= median <= high:
            continue
        fits = [other for other in UNITS if low <= median * UNITS[other] / UNITS[unit] <= high]
        advice = f"unit={' or '.join(map(repr, fits))} would fit" if fits else "no unit fits"
        raise EventFileError(
            f"{path}: events {first} to {first + len(pt) - 1}, {particle}: the median pT is {median:g} GeV if the unit"
            f" is {unit}, expected {low:g} to {high:g} GeV; {advice}"
        )
