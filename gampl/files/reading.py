"""One way to read files of events, whatever their kind: as events of particles, or as named columns."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from gampl.files import arrays, public, tables
from gampl.files.checks import Chunk, checked
from gampl.files.layout import Layout
from gampl.files.public import HDF5_MAGIC
from gampl.files.source import EventFileError, OpenFile, guarded
from gampl.files.tables import Batch
from gampl.particles.events import Events


class Kind(NamedTuple):
    """How files of a kind are known and read."""

    magic: tuple[bytes, ...] = ()  # how they begin
    endings: tuple[str, ...] = ()  # of their names, which count where their first bytes say nothing
    table: str = ""  # name of the function that opens their columns; without it they always hold particles
    chunks: str = ""  # name of the function that yields their momenta; without it these are columns of the table
    has_layout: bool = True  # whether there is something that they do not say themselves
    has_samples: bool = True
    may_crash: bool = False  # whether a damaged file can crash the library that yields their momenta


def _packed(*endings: str) -> tuple[str, ...]:
    return tuple(f"{ending}{packed}" for ending in endings for packed in ("", ".gz"))


KINDS = {
    "csv": Kind(endings=_packed(".csv", ".tsv", ".txt", ".dat"), table="text_table", has_samples=False),
    "numpy": Kind((b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06"), (".npy", ".npz"), table="table", chunks="chunks"),
    "parquet": Kind((b"PAR1",), (".parquet", ".pq"), table="parquet_table", has_samples=False),
    "root": Kind((b"root",), (".root",), table="table"),
    "hdf5": Kind((HDF5_MAGIC,), table="table", has_layout=False),
    "gampl": Kind(chunks="chunks", has_layout=False),
    "top_pair": Kind(chunks="chunks", has_layout=False, may_crash=True),
    "lhe": Kind(endings=_packed(".lhe"), chunks="lhe_chunks", has_samples=False),
    "hepmc": Kind(
        endings=_packed(".hepmc", ".hepmc2", ".hepmc3"), chunks="hepmc_chunks", has_samples=False, may_crash=True
    ),
}
# so that medians, which tell a wrong unit, are taken over many events however small the batches
FEWEST_EVENTS_CHECKED = 10_000
ROWS = 250_000  # of columns that are read at a time


def _reader(kind: str) -> ModuleType:
    """The module that reads a kind; its libraries are imported only where they are needed."""
    if kind in ("csv", "parquet"):
        from gampl.files import arrow

        return arrow
    if kind in ("hdf5", "gampl"):
        from gampl.files import hdf5

        return hdf5
    if kind in ("lhe", "hepmc"):
        from gampl.files import records

        return records
    if kind == "root":
        from gampl.files import root

        return root
    return {"numpy": arrays, "top_pair": public}[kind]


@dataclass(frozen=True, eq=False, kw_only=True)
class EventFile(OpenFile):
    """A file that `open_file` opens.

    Attributes:
        kind: One of `KINDS`.
        holds_particles: Whether to read it as events of particles: it always holds these, or a layout was given.
    """

    kind: str
    holds_particles: bool

    def events(self, batch: int = 100_000, checksums: Path | str | None = None) -> Iterator[Events]:
        """Events of particles, see `batches`."""
        path, layout = self.path, self.layout
        kind = "top_pair" if self.kind == "hdf5" else self.kind  # the only events of particles in others' HDF5
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        if checksums is not None and kind != "top_pair":
            raise self.error(f"files of kind {kind!r} have no checksums, expected no folder, got '{checksums}'")
        chunks = _chunks(replace(self, kind=kind, rows=max(batch, FEWEST_EVENTS_CHECKED)))
        parts = regrouped(checked(path, chunks, kind == "gampl" or layout.absent, layout.check_unit), batch)
        n_events = 0
        for events in public.verified(path, checksums, parts) if kind == "top_pair" else parts:
            n_events += len(events)
            if n_events or kind == "gampl":
                yield events
        if n_events == 0 and kind != "gampl":
            raise self.error("holds no events, expected at least one")

    def columns(self, names: Sequence[str], labels: Sequence[str] = ()) -> Iterator[Batch]:
        """Columns with one number per event as float64, a batch at a time.

        Of files of particles these are the further numbers of the events, such as weights.

        Args:
            names: Which columns.
            labels: Those whose entries are only told apart, such as the member of each event. They may be texts, and
                come as they are.

        Raises:
            EventFileError: If the file is damaged, has no rows or lacks a column; says which, and what there is.
        """
        parts = _columns(replace(self, labels=labels, rows=ROWS), list(dict.fromkeys(names)))
        n_events = 0
        for part in guarded(self.path, parts, _length, "rows"):
            n_events += _length(part)
            yield part
        if n_events == 0:
            raise self.error("holds no events, expected at least one")


@contextmanager
def open_file(
    path: Path | str,
    *,
    kind: str | None = None,
    sample: str | None = None,
    layout: Layout | None = None,
    names: Sequence[str] = (),
) -> Iterator[EventFile]:
    """Opens a file, to be read as events of particles or as columns.

    Args:
        path: The file.
        kind: One of `KINDS`; left out, the file's first bytes decide, then its ending.
        sample: Which sample of the file: a group or dataset of HDF5, a tree of ROOT, an array of ``.npz``. May be left
            out where there is only one.
        layout: How the file names its particles, for files that do not say it themselves.
        names: Names of the columns, for files that do not say them: text without a header, arrays.

    Raises:
        EventFileError: If the file is empty or of no known kind, or an argument does not fit its kind.
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such kind.
    """
    path = Path(path)
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    with path.open("rb") as stream:
        kind = kind or _recognise(OpenFile(path, stream), has_layout=layout is not None)
        if layout is not None and not KINDS[kind].has_layout:
            raise EventFileError(f"{path}: files of kind {kind!r} say themselves what they hold, expected no layout")
        if sample is not None and not KINDS[kind].has_samples:
            raise EventFileError(f"{path}: files of kind {kind!r} hold one sample, expected no sample, got {sample!r}")
        yield EventFile(
            path=path,
            stream=stream,
            sample=sample,
            layout=layout or Layout(),
            names=tuple(names),
            kind=kind,
            holds_particles=layout is not None or not KINDS[kind].table,
        )


def batches(
    path: Path | str, *, checksums: Path | str | None = None, batch: int = 100_000, **options: Any
) -> Iterator[Events]:
    """Events of a file, a batch at a time, so that the file may be larger than memory.

    Args:
        path: The file.
        checksums: Folder for the checksum of a public file; left out, it is kept next to the file.
        batch: Events in each batch but the last.
        options: ``kind``, ``sample`` and ``layout``, see `open_file`.

    Yields:
        Batches, each checked before it is handed out; momenta are (pT, phi, eta, m), in GeV. Files of kind ``gampl``
        may have no events, which makes one empty batch.

    Raises:
        EventFileError: If the file is damaged, or not what it should be; says which file, which entry, and what was
            expected. Other errors are those of `open_file`.
    """
    with open_file(path, **options) as file:
        yield from file.events(batch, checksums)


def read(path: Path | str, **options: Any) -> Events:
    """All events of a file; options and errors are those of `batches`."""
    return Events.concatenate(list(batches(path, **options)))


def _chunks(file: EventFile) -> Iterator[Chunk]:
    kind, module = KINDS[file.kind], _reader(file.kind)
    if not kind.chunks:
        with getattr(module, kind.table)(file) as table:
            yield from tables.chunks(file, table)
    elif kind.may_crash:
        from gampl.files import elsewhere

        yield from elsewhere.chunks(getattr(module, kind.chunks), file)
    else:
        yield from getattr(module, kind.chunks)(file)


def _columns(file: EventFile, names: Sequence[str]) -> Iterator[Batch]:
    if table := KINDS[file.kind].table:
        with getattr(_reader(file.kind), table)(file) as opened:
            yield from tables.numbers(file, opened, names)
        return
    for events in file.events(file.rows):
        if missing := [name for name in names if name not in events.columns]:
            existing = ", ".join(events.columns) or "none"
            raise file.error(f"has no column {missing[0]!r} besides its particles; it has {existing}")
        yield {name: events.columns[name] for name in names}


def _length(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def regrouped(parts: Iterator[Events], batch: int) -> Iterator[Events]:
    """The same events in batches of a given size, only the last one smaller; one empty batch if there are no events."""
    waiting: list[Events] = []
    n_waiting, is_first = 0, True
    for part in parts:
        waiting.append(part)
        n_waiting += len(part)
        if n_waiting >= batch:
            joined = Events.concatenate(waiting) if len(waiting) > 1 else part
            n_waiting %= batch
            is_first, n_whole = False, len(joined) - n_waiting
            yield from (joined[start : start + batch] for start in range(0, n_whole, batch))
            waiting = [joined[n_whole:]]
    if n_waiting or (waiting and is_first):
        yield Events.concatenate(waiting)


def _recognise(source: OpenFile, has_layout: bool) -> str:
    """The kind of a file, by its first bytes or, where these say nothing, its ending."""
    path, start = source.path, source.start(1024)
    if not start:
        raise source.error("is empty (0 bytes), expected events")
    kind = next((name for name, kind in KINDS.items() if start.startswith(kind.magic)), None)
    if kind == "hdf5":
        return "gampl" if _reader(kind).is_ours(path) else kind
    if kind is not None:
        return "top_pair" if not has_layout and public.FILE.fullmatch(path.name) else kind
    if source.is_packed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 1024)
        except zlib.error as error:
            raise source.error(f"cannot be decompressed, expected a gzip file ({error})") from error
    if b"<LesHouchesEvents" in start:
        return "lhe"
    if b"HepMC::" in start:
        return "hepmc"
    for name, known in KINDS.items():
        if path.name.lower().endswith(known.endings):
            return name
    raise source.error(
        f"neither its first bytes nor its ending are of a known kind, expected one of {', '.join(KINDS)}"
    )
