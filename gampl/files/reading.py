"""One way to read files of events, whatever their kind: as events of particles, or as named columns."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gampl.files import public, tables
from gampl.files.checks import Chunk, EventFileError, checked, guarded
from gampl.files.layout import HDF5_MAGIC, TOP_PAIR_FILE, Layout, OpenFile
from gampl.files.tables import Batch, Table
from gampl.particles.events import Events

# kind: endings of the files' names
KINDS: dict[str, tuple[str, ...]] = {
    "csv": tuple(f"{ending}{packed}" for ending in (".csv", ".tsv", ".txt", ".dat") for packed in ("", ".gz")),
    "numpy": (".npy", ".npz"),
    "parquet": (".parquet", ".pq"),
    "root": (".root",),
    "hdf5": (),
    "gampl": (),
    "top_pair": (),
    "lhe": (".lhe", ".lhe.gz"),
    "hepmc": (".hepmc", ".hepmc2", ".hepmc3", ".hepmc.gz", ".hepmc2.gz", ".hepmc3.gz"),
}
PARTICLES = ("gampl", "top_pair", "lhe", "hepmc")  # kinds that hold particles even if no layout says so
SELF_DESCRIBING = ("gampl", "top_pair", "hdf5")
WITHOUT_SAMPLES = ("csv", "parquet", "lhe", "hepmc")
MAGIC = {
    HDF5_MAGIC: "hdf5",
    b"\x93NUMPY": "numpy",
    b"PK\x03\x04": "numpy",
    b"PK\x05\x06": "numpy",
    b"PAR1": "parquet",
    b"root": "root",
}
# so that medians, which tell a wrong unit, are taken over many events however small the batches
FEWEST_EVENTS_CHECKED = 10_000
ROWS = 250_000  # of columns that are read at a time


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
            raise EventFileError(
                f"{path}: files of kind {kind!r} have no checksums, expected no folder, got '{checksums}'"
            )
        is_new = kind == "top_pair" and not public.verify(path, checksums)
        chunks = _chunks(kind, replace(self, rows=max(batch, FEWEST_EVENTS_CHECKED)))
        n_events = 0
        for events in regrouped(checked(path, chunks, kind == "gampl" or layout.absent, layout.check_unit), batch):
            n_events += len(events)
            if is_new:
                public.remember(path, checksums)
                is_new = False
            if n_events or kind == "gampl":
                yield events
        if n_events == 0 and kind != "gampl":
            raise EventFileError(f"{path}: holds no events, expected at least one")

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
        names = list(dict.fromkeys(names))
        if self.kind in PARTICLES:
            parts = _further_numbers(self.path, self.events(ROWS), names)
        else:
            parts = _numbers(self.kind, replace(self, labels=labels, rows=ROWS), names)
        n_events = 0
        for part in guarded(self.path, parts, _length, "rows"):
            n_events += _length(part)
            yield part
        if n_events == 0:
            raise EventFileError(f"{self.path}: holds no events, expected at least one")


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
        if layout is not None and kind in SELF_DESCRIBING:
            raise EventFileError(f"{path}: files of kind {kind!r} say themselves what they hold, expected no layout")
        if sample is not None and kind in WITHOUT_SAMPLES:
            raise EventFileError(f"{path}: files of kind {kind!r} hold one sample, expected no sample, got {sample!r}")
        yield EventFile(
            path=path,
            stream=stream,
            sample=sample,
            layout=layout or Layout(),
            names=tuple(names),
            kind=kind,
            holds_particles=layout is not None or kind in PARTICLES,
        )


def batches(
    path: Path | str,
    *,
    kind: str | None = None,
    sample: str | None = None,
    layout: Layout | None = None,
    checksums: Path | str | None = None,
    batch: int = 100_000,
) -> Iterator[Events]:
    """Events of a file, a batch at a time, so that the file may be larger than memory.

    Args:
        path: The file.
        kind: See `open_file`.
        sample: See there.
        layout: See there.
        checksums: Folder for the checksum of a public file; left out, it is kept next to the file.
        batch: Events in each batch but the last.

    Yields:
        Batches, each checked before it is handed out; momenta are (pT, phi, eta, m), in GeV. Files of kind ``gampl``
        may have no events, which makes one empty batch.

    Raises:
        EventFileError: If the file is damaged, or not what it should be; says which file, which entry, and what was
            expected.
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such kind.
    """
    with open_file(path, kind=kind, sample=sample, layout=layout) as file:
        yield from file.events(batch, checksums)


def read(
    path: Path | str,
    *,
    kind: str | None = None,
    sample: str | None = None,
    layout: Layout | None = None,
    checksums: Path | str | None = None,
) -> Events:
    """All events of a file; arguments and errors are those of `batches`."""
    return Events.concatenate(list(batches(path, kind=kind, sample=sample, layout=layout, checksums=checksums)))


def _chunks(kind: str, source: OpenFile) -> Iterator[Chunk]:
    """Momenta; the libraries for each kind are imported where they are needed."""
    if kind == "gampl":
        from gampl.files.hdf5 import chunks
    elif kind == "top_pair":
        chunks = public.chunks
    elif kind == "numpy":
        from gampl.files.arrays import chunks
    elif kind == "lhe":
        from gampl.files.records import lhe_chunks as chunks
    elif kind == "hepmc":
        from gampl.files.records import hepmc_chunks as chunks
    else:
        with _table(kind, source) as table:
            yield from tables.chunks(source, table)
        return
    yield from chunks(source)


def _table(kind: str, source: OpenFile) -> AbstractContextManager[Table]:
    if kind == "csv":
        from gampl.files.arrow import text_table as table
    elif kind == "numpy":
        from gampl.files.arrays import table
    elif kind == "parquet":
        from gampl.files.arrow import parquet_table as table
    elif kind == "root":
        from gampl.files.root import table
    else:
        from gampl.files.hdf5 import table
    return table(source)


def _numbers(kind: str, source: OpenFile, names: Sequence[str]) -> Iterator[Batch]:
    with _table(kind, source) as table:
        yield from tables.numbers(source, table, names)


def _further_numbers(path: Path, parts: Iterator[Events], names: Sequence[str]) -> Iterator[Batch]:
    for events in parts:
        missing = [name for name in names if name not in events.columns]
        if missing:
            existing = ", ".join(events.columns) or "none"
            raise EventFileError(f"{path}: has no column {missing[0]!r} besides its particles; it has {existing}")
        yield {name: events.columns[name] for name in names}


def _length(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def regrouped(parts: Iterator[Events], batch: int) -> Iterator[Events]:
    """The same events in batches of a given size, only the last one smaller; one empty batch if there are no events."""
    waiting: list[Events] = []
    n_waiting, n_yielded = 0, 0
    for part in parts:
        waiting.append(part)
        n_waiting += len(part)
        if n_waiting < batch:
            continue
        joined = Events.concatenate(waiting) if len(waiting) > 1 else part
        for start in range(0, n_waiting - batch + 1, batch):
            yield joined[start : start + batch]
            n_yielded += 1
        n_waiting %= batch
        waiting = [joined[len(joined) - n_waiting :]] if n_waiting else []
    if n_waiting or (waiting and not n_yielded):
        yield Events.concatenate(waiting)


def _recognise(source: OpenFile, has_layout: bool) -> str:
    """The kind of a file, by its first bytes or, where these say nothing, its ending."""
    path = source.path
    start = source.stream.read(1024)
    if not start:
        raise EventFileError(f"{path}: is empty (0 bytes), expected events")
    kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)
    if kind == "hdf5":
        from gampl.files.hdf5 import is_ours

        return "gampl" if is_ours(path) else "hdf5"
    if kind is not None:
        is_public = not has_layout and TOP_PAIR_FILE.fullmatch(path.name)
        return "top_pair" if is_public else kind
    if source.is_packed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 1024)
        except zlib.error as error:
            raise EventFileError(f"{path}: cannot be decompressed, expected a gzip file ({error})") from error
    if b"<LesHouchesEvents" in start:
        return "lhe"
    if b"HepMC::" in start:
        return "hepmc"
    for kind, endings in KINDS.items():
        if path.name.lower().endswith(endings):
            return kind
    raise EventFileError(
        f"{path}: neither its first bytes nor its ending are of a known kind, expected one of {', '.join(KINDS)}"
    )
