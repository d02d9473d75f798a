"""What must be said about a file: how it names its particles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gampl.particles.kinematics import COORDINATES

CARTESIAN = ("E", "px", "py", "pz")
WITH_ENERGY = ("pT", "phi", "eta", "E")
COORDINATE_SETS: tuple[tuple[str, ...], ...] = (COORDINATES, CARTESIAN, WITH_ENERGY)
UNITS = {"MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}
_SPELLINGS = {"pt": "pT", "phi": "phi", "eta": "eta", "m": "m", "mass": "m", "e": "E", "energy": "E"} | {
    name: name for name in ("px", "py", "pz")
}


@dataclass(frozen=True)
class Layout:
    """What a file of events does not say itself; every field may be left out.

    Args:
        particles: Names of the particles, in the order wanted. Left out, they come from the file: names of columns,
            of PDG ids, or ``p1``, ``p2`` and so on.
        sources: Where each of them is found, if not under its name: the name that the columns have, or the collection
            (a branch or column with a list for each event) of which the particle is the next entry, or the PDG id,
            or the ids, in LHE and HepMC files. ``particles=("mu-", "mu+", "j1", "j2"), sources=(13, -13, JET, JET)``.
        coordinates: ``"pT,phi,eta,m"``, ``"E,px,py,pz"`` or ``"pT,phi,eta,E"``, in the order that an array has them.
            Left out, the names of columns decide; arrays without names count as the first.
        unit: Of energies, momenta and masses: ``"GeV"``, ``"MeV"`` or ``"TeV"``. Left out: GeV, or what the file says.
        column: How the columns of a table are called. Upper and lower case of the coordinate make no difference, and
            ``mass`` and ``energy`` stand for ``m`` and ``E``.
        weight: Name of the column with the event weights; left out, ``weight`` where there is one. In LHE and HepMC
            files the event's own weight is taken, or the one of this name.
        keep: Names of further columns to read, in LHE and HepMC files of further weights.
        order: In which order the entries of a collection, or the particles with the same PDG id, are taken.
        absent: Whether events may lack particles, the last of a collection or rows of zeros in an array.
        further: Whether events may have more entries in a collection, or particles of an id, than are taken.
        check_unit: Whether typical transverse momenta outside `checks.TYPICAL_PT` are refused as a wrong unit.

    Raises:
        ValueError: If a field is not one of its choices, or particles and sources differ in number.
    """

    particles: Sequence[str] = ()
    sources: Sequence[str | int | Sequence[int]] = ()
    coordinates: str | None = None
    unit: Literal["GeV", "MeV", "TeV"] | None = None
    column: str = "{particle}_{coordinate}"
    weight: str | None = None
    keep: Sequence[str] = ()
    order: Literal["pT", "file"] = "pT"
    absent: bool = False
    further: bool = False
    check_unit: bool = True

    def __post_init__(self) -> None:
        for name in ("particles", "sources", "keep"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a list of names, got the text {getattr(self, name)!r}")
        if len(set(self.particles)) < len(self.particles):
            raise ValueError(f"particles must have different names, got {', '.join(self.particles)}")
        if self.particles and self.sources and len(self.particles) != len(self.sources):
            n, n_sources = len(self.particles), len(self.sources)
            raise ValueError(f"sources must say where each of the {n} particles is found, got {n_sources}")
        if self.unit is not None and self.unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}")
        if self.order not in ("pT", "file"):
            raise ValueError(f"order must be 'pT' or 'file', got {self.order!r}")
        if any(part not in self.column for part in ("{particle}", "{coordinate}")):
            raise ValueError(f"column must contain {{particle}} and {{coordinate}}, got {self.column!r}")
        _ = self.coordinate_names

    @property
    def coordinate_names(self) -> tuple[str, ...] | None:
        """Coordinates in the project's spelling, in the order given; None if they were left out."""
        if self.coordinates is None:
            return None
        names = tuple(coordinate(text.strip()) or text for text in self.coordinates.split(","))
        if sorted(names) not in [sorted(choice) for choice in COORDINATE_SETS]:
            choices = " or ".join(",".join(choice) for choice in COORDINATE_SETS)
            raise ValueError(f"coordinates must be {choices}, in any order, got {self.coordinates!r}")
        return names


def coordinate(text: str) -> str | None:
    """The project's spelling of a coordinate, or None if it is not one."""
    return _SPELLINGS.get(text.lower())


# the ids that most analyses call a jet at parton level: light quarks, b quarks and gluons
JET = (1, 2, 3, 4, 5, -1, -2, -3, -4, -5, 21)
_PDG_NAMES = dict(enumerate(("d", "u", "s", "c", "b", "t"), start=1))
_PDG_NAMES |= dict(enumerate(("e-", "nu_e", "mu-", "nu_mu", "tau-", "nu_tau"), start=11))
_PDG_NAMES |= dict(enumerate(("g", "gamma", "Z", "W+", "H"), start=21))


def pdg_names(pdg_ids: Sequence[int]) -> tuple[str, ...]:
    """Different names for PDG ids, such as ``mu-`` and ``t~``, or ``pdg211``; those that repeat are numbered."""
    names = [_pdg_name(k) for k in pdg_ids]
    return tuple(
        name if names.count(name) == 1 else f"{name}{names[: i + 1].count(name)}" for i, name in enumerate(names)
    )


def _pdg_name(pdg_id: int) -> str:
    name = _PDG_NAMES.get(abs(pdg_id), f"pdg{abs(pdg_id)}")
    if pdg_id > 0:
        return name
    return name.translate(str.maketrans("+-", "-+")) if name[-1] in "+-" else f"{name}~"
