"""A file of events, what must be said about it, and the one error that says what is wrong with it."""

import io
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats, counted
from gampl.files import packed
from gampl.particles.kinematics import COORDINATES

CARTESIAN = ("E", "px", "py", "pz")
COORDINATE_SETS = (COORDINATES, CARTESIAN, ("pT", "phi", "eta", "E"))
SPELLINGS = {name.lower(): name for names in COORDINATE_SETS for name in names} | {"mass": "m", "energy": "E"}
UNITS = {"MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}
# the ids that most analyses call a jet at parton level: light quarks, b quarks and gluons
JET = (1, 2, 3, 4, 5, -1, -2, -3, -4, -5, 21)

# What no sample exceeds, but a few bytes can say: entries for each byte of a file, columns, bytes of an entry.
MOST_PER_BYTE, MOST_COLUMNS, LARGEST_ROW = 10_000, 10_000, 1 << 24
BLOCK = 1 << 28  # bytes of arrays that are read at a time
BUFFER = 1 << 18  # bytes of what is unpacked

Names = tuple[str, ...]
Part = TypeVar("Part")


class EventFileError(ValueError):
    """A file of events is not what it should be; says which file, which entry and what was expected."""


class MissingPackageError(ModuleNotFoundError):
    """What reads a kind of file is not installed; says which package, and how to install it."""


@dataclass(frozen=True)
class Layout:
    """What a file of events does not say itself: how it names its particles. Every field may be left out.

    A ValueError if a field is not one of its choices, or particles and sources differ in number.

    Args:
        particles: Names of the particles, in the order that events shall have them. Left out, they come from the file:
            names of columns, of PDG ids, or ``p1``, ``p2`` and so on.
        sources: Where each of them is, if not under its name: the name that the columns have, or the collection
            (a branch or column with a list for each event) of which the particle is the next entry, or the PDG id,
            or the ids, in LHE and HepMC files. ``particles=("mu-", "mu+", "j1", "j2"), sources=(13, -13, JET, JET)``.
        coordinates: ``"pT,phi,eta,m"``, ``"E,px,py,pz"`` or ``"pT,phi,eta,E"``, in the order that an array has them.
            Left out, the names of columns decide; arrays without names count as the first.
        unit: Of energies, momenta and masses: ``"GeV"``, ``"MeV"`` or ``"TeV"``. Left out: GeV, or what the file says.
        column: How the columns of a table are called. Upper and lower case of the coordinate make no difference, and
            ``mass`` and ``energy`` stand for ``m`` and ``E``.
        weight: Name of the column with the event weights; left out, ``weight`` where there is one. In LHE and HepMC
            files the event's own weight is taken, or the one of this name.
        keep: Names of further columns to read, in LHE and HepMC files of further weights. Columns of tables that are
            weights by their names, such as ``genWeight``, are read in any case.
        order: In which order the entries of a collection, or the particles with the same PDG id, are taken.
        absent: Whether events may lack particles, the last of a collection or rows of zeros in an array.
        further: Whether events may have more entries in a collection, or particles of an id, than are taken.
        check_unit: Whether typical transverse momenta outside `checks.TYPICAL_PT` are refused as a wrong unit.
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
        if texts := [name for name in ("particles", "sources", "keep") if isinstance(getattr(self, name), str)]:
            raise ValueError(f"{texts[0]} must be a list of names, got the text {getattr(self, texts[0])!r}")
        n, n_sources = len(self.particles), len(self.sources)
        if len(set(self.particles)) < n:
            raise ValueError(f"particles must have different names, got {', '.join(self.particles)}")
        if n and n_sources and n != n_sources:
            raise ValueError(f"sources must say where each of the {n} particles is, got {n_sources}")
        if self.unit not in (None, *UNITS):
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}")
        if self.order not in ("pT", "file"):
            raise ValueError(f"order must be 'pT' or 'file', got {self.order!r}")
        if any(part not in self.column for part in ("{particle}", "{coordinate}")):
            raise ValueError(f"column must contain {{particle}} and {{coordinate}}, got {self.column!r}")
        if self.coordinates is not None and sorted(self.coordinate_names) not in map(sorted, COORDINATE_SETS):
            choices = " or ".join(",".join(choice) for choice in COORDINATE_SETS)
            raise ValueError(f"coordinates must be {choices}, in any order, got {self.coordinates!r}")

    @property
    def coordinate_names(self) -> Names:
        """Coordinates in the project's spelling, in the order of the file; none if they were left out."""
        names = () if self.coordinates is None else self.coordinates.split(",")
        return tuple(SPELLINGS.get(name.strip().lower(), name) for name in names)


Told = tuple[str | None, Layout, Names, Collection[str], int, str | None]


@dataclass(frozen=True, eq=False)
class OpenFile:
    """An open file, and what its reader is told."""

    path: Path  # for errors and for libraries that open it themselves
    stream: IO[bytes]
    sample: str | None = None  # which of its samples to read; None for the only one
    layout: Layout = field(default_factory=Layout)
    names: Names = ()  # of its columns, if it does not say them
    labels: Collection[str] = ()  # columns that may hold texts
    rows: int = 100_000  # most events to read at a time
    decimal: str | None = None  # how text writes decimals; None for a point, unless it looks like commas

    @property
    def told(self) -> Told:
        """What its reader is told, besides where it is: the fields from `sample` on."""
        return self.sample, self.layout, self.names, self.labels, self.rows, self.decimal

    def error(self, problem: str) -> EventFileError:
        """What to raise if something is wrong with it."""
        return EventFileError(f"{self.path}: {problem}")

    @property
    def location(self) -> str:
        """Where it is, for libraries that take a colon for that of an address, or know names in UTF-8 only."""
        path = os.path.abspath(self.path)
        is_utf_8 = os.fsencode(path) == path.encode(errors="replace")
        return path if is_utf_8 else f"/dev/fd/{self.stream.fileno()}"

    def start(self, size: int) -> bytes:
        """Its first bytes."""
        self.stream.seek(0)
        return self.stream.read(size)

    @property
    def packing(self) -> str | None:
        """How it is compressed, one of `packed.MAGIC`, or None."""
        start = self.start(8)
        return next((how for how, magic in packed.MAGIC.items() if start.startswith(magic)), None)

    def unpacked(self) -> IO[bytes]:
        """Its bytes from the start, decompressed if need be; closing them leaves the file open."""
        how = self.packing
        content = open(self.stream.fileno(), "rb", closefd=False)  # noqa: SIM115
        content.seek(0)
        if how is None:
            return content
        most = max(BLOCK, MOST_PER_BYTE * self.path.stat().st_size)
        return io.BufferedReader(packed.Unpacked(content, how, most), BUFFER)

    def column_names(self, n: int, own: Names = ()) -> Names:
        """Names of its n columns: its own, those that it was opened with, or x1, x2 and so on."""
        if n > MOST_COLUMNS:
            raise self.error(f"has {n} columns, expected at most {MOST_COLUMNS}")
        names = own or self.names or tuple(f"x{k + 1}" for k in range(n))
        if len(names) != n:
            raise self.error(f"has {counted(n, 'column')}, expected {len(names)}: {', '.join(names)}")
        return names

    def slices(self, n: int, size: int = 1) -> Iterator[slice]:
        """The rows from 0 to n, of so many bytes each, some at a time."""
        if size > LARGEST_ROW:
            raise self.error(f"has events of {size} bytes each, expected at most {LARGEST_ROW}")
        rows = min(self.rows, BLOCK // max(size, 1))
        return (slice(start, min(start + rows, n)) for start in range(0, n, rows))


def chosen(path: Path, sample: str | None, samples: Collection[str], what: str = "samples") -> str:
    """The sample of a file that is asked for, or the only one; raises EventFileError if that is not one of them."""
    if sample is None and len(samples) == 1:
        return next(iter(samples))
    if sample is None or sample not in samples:
        held = f"the {what} {', '.join(samples)}" if samples else f"no {what}"
        asked = "" if sample is None else f", not {sample!r}"
        raise EventFileError(f"{path}: holds {held}{asked}; expected one, FILE::NAME or sample=NAME")
    return sample


def floats(path: Path, what: str, values: NDArray[Any], n: int | None = None) -> Floats:
    """Numbers of a file as float64, one for each of n events; raises EventFileError if they are something else."""
    if n is not None and values.shape != (n,):
        raise EventFileError(f"{path}: {what} of shape {values.shape}, expected one number per event, ({n},)")
    if values.dtype.kind not in "fiub":
        raise EventFileError(f"{path}: {what} of type {values.dtype}, expected numbers")
    return values.astype(np.float64)


@contextmanager
def library_calls(path: Path, task: str) -> Iterator[None]:
    """Turns what a library says about a file into one sentence, and its warnings into nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "Parse Error", RuntimeWarning)  # pylhe's word for a file that ends early
            yield
    except (EventFileError, MissingPackageError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{path}: files of its kind are read with {error.name}, which is not installed: pip install 'gampl[events]'"
        ) from error
    except MemoryError as error:
        raise EventFileError(f"{path}: cannot {task}, expected parts that fit into memory ({error})") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise EventFileError(f"{path}: cannot {task}, expected an undamaged and complete file ({reason})") from error


def guarded(
    path: Path, parts: Iterator[Part], length: Callable[[Part], int], what: str = "events", may_be_empty: bool = False
) -> Iterator[Part]:
    """Yields the same parts of a file, which have some entries together; they are read within `library_calls`.

    An EventFileError if it has more entries than `MOST_PER_BYTE` of its bytes can hold: no sample is made of so few
    different numbers, and a small file could go on for days.
    """
    n = 0
    most = MOST_PER_BYTE * path.stat().st_size
    while True:
        with library_calls(path, f"read the {what} from number {n} on"):
            part = next(parts, None)
        if part is None:
            break
        n += length(part)
        if n > most:
            raise EventFileError(
                f"{path}: says that it has more than {most} {what}, expected at most {MOST_PER_BYTE} per byte"
            )
        yield part
    if n == 0 and not may_be_empty:
        raise EventFileError(f"{path}: holds no events, expected at least one")
