"""One way to read files of events, whatever their kind: as events of particles, or as named columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np

from gampl.files import elsewhere, public, tables
from gampl.files.checks import Chunk, check
from gampl.files.packed import ENDINGS
from gampl.files.source import EventFileError, Layout, OpenFile, floats, guarded, library_calls
from gampl.particles.events import Events
from gampl.particles.expressions import no_function

Batch = dict[str, Any]  # arrays, or `tables.Labels`


class Kind(NamedTuple):
    """How files of a kind are known, and the names of the functions that read them, whose libraries may be missing."""

    magic: tuple[bytes, ...] = ()  # how they begin
    endings: tuple[str, ...] = ()  # of their names, which count where their first bytes say nothing
    table: str = ""  # opens their columns; without it they always hold particles
    chunks: str = ""  # yields their momenta; without it these are columns of the table
    has_layout: bool = True  # whether there is something that they do not say themselves
    has_samples: bool = True
    has_checksum: bool = False
    is_safe: bool = False  # whether no file can crash what reads it, or fill its memory: else in a process of its own


KINDS = {
    "csv": Kind(endings=(".csv", ".tsv", ".txt", ".dat"), table="text:table", has_samples=False),
    "numpy": Kind(
        (b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06"), (".npy", ".npz"), "arrays:table", "arrays:chunks", is_safe=True
    ),
    "parquet": Kind((b"PAR1",), (".parquet", ".pq"), "arrow:parquet_table", has_samples=False),
    "feather": Kind((b"ARROW1", b"FEA1"), (".feather", ".arrow"), "arrow:feather_table", has_samples=False),
    "root": Kind((b"root",), (".root",), "root:table"),
    # whose events of particles, where they are read as such, can only be public top pairs
    "hdf5": Kind((public.HDF5_MAGIC,), (), "hdf5:table", "public:chunks", has_layout=False, has_checksum=True),
    "gampl": Kind(chunks="hdf5:chunks", has_layout=False),
    "top_pair": Kind(chunks="public:chunks", has_layout=False, has_checksum=True),
    "lhe": Kind(endings=(".lhe",), chunks="records:lhe_chunks", has_samples=False),
    "hepmc": Kind(endings=(".hepmc", ".hepmc2", ".hepmc3"), chunks="records:hepmc_chunks", has_samples=False),
}
# so that medians, which tell a wrong unit, are taken over many events however small the batches
FEWEST_EVENTS_CHECKED = 10_000
ROWS = 250_000  # of columns that are read at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class EventFile(OpenFile):
    """A file that `open_file` opens."""

    kind: str  #: one of `KINDS`
    holds_particles: bool  #: whether it is read as events of particles: it always holds these, or a layout was given

    def events(self, batch: int = 100_000, checksums: Path | str | None = None) -> Iterator[Events]:
        """Events of particles, see `batches`."""
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        kind = KINDS[self.kind]
        if checksums is not None and not kind.has_checksum:
            raise self.error(f"files of kind {self.kind!r} have no checksums, expected no folder, got '{checksums}'")
        events = regrouped(replace(self, rows=max(batch, FEWEST_EVENTS_CHECKED))._checked(), batch)
        return public.verified(self.path, checksums, events) if kind.has_checksum else events

    def held_names(self, *, is_number: bool = True) -> tuple[str, ...]:
        """Columns that may have one number per event, or all of them; of files of particles, the particles."""
        if self.holds_particles:
            return next(self.events(1)).particles
        return tuple(self._run("reading:table_names", KINDS[self.kind].table, is_number))

    def columns(
        self, names: Sequence[str], labels: Sequence[str] = (), *, with_weights: bool = False
    ) -> Iterator[Batch]:
        """Columns with one number per event as float64, a batch at a time.

        Of files of particles these are the further numbers of the events, such as weights. Entries of `labels` are only
        told apart, such as the member of each event: they may be texts, which come as `tables.Labels`. Asked for
        weights, tables add the columns that are some by their names, see `tables.is_weight`. An EventFileError if the
        file is damaged, has no rows or lacks a column; says which, and what there is.
        """
        source, table = replace(self, labels=labels, rows=ROWS), KINDS[self.kind].table
        wanted = list(dict.fromkeys(names))
        of_table = ("reading:table_columns", table, wanted, with_weights)
        parts = source._run(*of_table) if table else source._event_columns(wanted)
        return guarded(self.path, parts, lambda batch: len(next(iter(batch.values()))), "rows")

    def _run(self, function: str, *arguments: Any) -> Iterator[Any]:
        """What a function yields for the file, in a process of its own unless files of this kind can harm none."""
        return (_here if KINDS[self.kind].is_safe else _apart)(function, self, *arguments)

    def _checked(self) -> Iterator[Events]:
        """Events of particles, as many at a time as the file is read in."""
        first = 0
        for chunk in guarded(self.path, self._chunks(), len, may_be_empty=self.kind == "gampl"):
            yield check(self.path, first, chunk, self.layout)
            first += len(chunk)

    def _chunks(self) -> Iterator[Chunk]:
        kind = KINDS[self.kind]
        return self._run(kind.chunks) if kind.chunks else self._run("reading:table_chunks", kind.table)

    def _event_columns(self, names: Sequence[str]) -> Iterator[Batch]:
        for events in self.events(self.rows):
            if missing := [name for name in names if name not in events.columns]:
                raise self.error(
                    f"has no column {missing[0]!r} besides its particles; it has {', '.join(events.columns) or 'none'}"
                )
            if len(events):
                yield {name: events.columns[name] for name in names}


@contextmanager
def open_file(
    path: Path | str,
    *,
    kind: str | None = None,
    sample: str | None = None,
    layout: Layout | None = None,
    names: Sequence[str] = (),
    decimal: str | None = None,
) -> Iterator[EventFile]:
    """Opens a file, to be read as events of particles or as columns.

    An EventFileError if the file is empty or of no known kind, or an argument does not fit its kind; a
    FileNotFoundError if there is no such file, and a ValueError if there is no such kind.

    Args:
        path: The file.
        kind: One of `KINDS`; left out, the file's first bytes decide, then its ending.
        sample: Which sample of the file: a group or dataset of HDF5, a tree of ROOT, an array of ``.npz``. May be left
            out where there is only one.
        layout: How the file names its particles, for files that do not say it themselves.
        names: Names of the columns, for files that do not say them: text without a header, arrays.
        decimal: How text writes decimals, ``"."`` or ``","``. Left out: with points, and text that seems to have
            commas is refused.
    """
    path = Path(path)
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r}")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    with path.open("rb") as stream:
        kind = kind or _recognise(OpenFile(path, stream), has_layout=layout is not None)
        if layout is not None and not KINDS[kind].has_layout:
            raise EventFileError(f"{path}: files of kind {kind!r} say themselves what they hold, expected no layout")
        if sample is not None and not KINDS[kind].has_samples:
            raise EventFileError(f"{path}: files of kind {kind!r} hold one sample, expected no sample, got {sample!r}")
        holds_particles = layout is not None or not KINDS[kind].table
        own = sample, layout or Layout(absent=kind == "gampl"), tuple(names)
        yield EventFile(path, stream, *own, decimal=decimal, kind=kind, holds_particles=holds_particles)


def batches(
    path: Path | str, *, checksums: Path | str | None = None, batch: int = 100_000, **options: Any
) -> Iterator[Events]:
    """Events of a file, a batch at a time, so that the file may be larger than memory.

    Each is checked before it is handed out: an EventFileError says which entry is damaged, or not what it should be.
    Momenta are (pT, phi, eta, m), in GeV. Files of kind ``gampl`` may have no events, which makes one empty batch.

    Args:
        path: The file.
        checksums: Folder for the checksum of a public file; left out, it is kept next to the file.
        batch: Events in each batch but the last.
        options: ``kind``, ``sample`` and ``layout``; see `open_file`, also for further errors.
    """
    with open_file(path, **options) as file:
        yield from file.events(batch, checksums)


def read(path: Path | str, **options: Any) -> Events:
    """All events of a file; options and errors are those of `batches`."""
    return Events.concatenate(list(batches(path, **options)))


def regrouped(parts: Iterator[Events], batch: int) -> Iterator[Events]:
    """The same events in batches of a given size, only the last one smaller; one empty batch if there are no events."""
    waiting: list[Events] = []
    is_first = True
    for part in parts:
        waiting.append(part)
        if (n := sum(map(len, waiting))) >= batch:
            joined = Events.concatenate(waiting) if len(waiting) > 1 else part
            yield from (joined[start : start + batch] for start in range(0, n - n % batch, batch))
            is_first, waiting = False, [joined[n - n % batch :]]
    if any(map(len, waiting)) or (waiting and is_first):
        yield Events.concatenate(waiting)


def _apart(function: str, source: OpenFile, *arguments: Any) -> Iterator[Any]:
    return elsewhere.parts(f"{__package__}.{function}", source, *arguments)


def _here(function: str, source: OpenFile, *arguments: Any) -> Any:
    """What a function of this package makes of a file."""
    return resolve_name(f"{__package__}.{function}")(source, *arguments)


def table_chunks(source: OpenFile, opener: str) -> Iterator[Chunk]:
    """Momenta of a table."""
    with _here(opener, source) as table:
        yield from tables.chunks(source, table)


def table_names(source: OpenFile, opener: str, is_number: bool) -> Iterator[str]:
    """Names of all columns of a table, or of those that may have one number per event."""
    with _here(opener, source) as table:
        yield from (name for name, has_lists in table.columns.items() if has_lists is False or not is_number)


def table_columns(source: OpenFile, opener: str, names: Sequence[str], with_weights: bool = False) -> Iterator[Batch]:
    """Columns of a table with one number per event."""
    with _here(opener, source) as table:
        weights = tables.weights(table.columns) if with_weights else ()
        names = list(dict.fromkeys([*names, *weights]))
        if missing := [name for name in names if name not in table.columns]:
            problem = f"has no column {missing[0]!r}{no_function(missing[0])}; it has {tables.listed(table.columns)}"
            others = f"; FILE::NAME or sample=NAME reads {tables.listed(table.others)}" * bool(table.others)
            raise source.error(problem + others)
        for columns in table.read(names):
            if lists := [name for name, column in columns.items() if column.counts is not None]:
                raise source.error(f"column {lists[0]!r} has lists, expected one number per event")
            values = {name: column.numbers for name, column in columns.items()}
            for name in [name for name in values if name not in source.labels]:
                values[name] = floats(source.path, f"column {name!r}", np.asarray(values[name]), len(values[name]))
            yield values


def _recognise(source: OpenFile, has_layout: bool) -> str:
    """The kind of a file, by its first bytes or, where these say nothing, its ending."""
    path, start = source.path, source.start(1024)
    if not start:
        raise source.error("is empty (0 bytes), expected events")
    kind = next((name for name, kind in KINDS.items() if start.startswith(kind.magic)), None)
    if kind == "hdf5":
        return next(_apart("hdf5:kind", source))
    if kind is not None:
        return "top_pair" if not has_layout and public.FILE.fullmatch(path.name) else kind
    if how := source.packing:
        with library_calls(path, "be decompressed"), source.unpacked() as content:
            start = content.read(1024)
    if b"<LesHouchesEvents" in start:
        return "lhe"
    if b"HepMC::" in start:
        return "hepmc"
    own = path.name.lower()
    unpacked = reduce(str.removesuffix, ENDINGS, own)  # text may be packed, under its own ending, too
    for name, known in KINDS.items():
        if (own if known.magic else unpacked).endswith(known.endings):
            return name
    if how is not None:
        raise source.error(f"is packed with {how} and neither text, LHE nor HepMC by its ending, expected it unpacked")
    raise source.error(
        f"neither its first bytes nor its ending are of a known kind, expected one of {', '.join(KINDS)}; --kind NAME"
        " (kind=NAME) says which it is"
    )
