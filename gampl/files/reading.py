"""One way to read files of events, whatever their kind."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from gampl.files.checks import Chunk, EventFileError, checked
from gampl.files.layout import Layout
from gampl.particles.events import Events

# kind: endings of the files' names
KINDS: dict[str, tuple[str, ...]] = {
    "gampl": (),
    "top_pair": (),
    "numpy": (".npy", ".npz"),
    "parquet": (".parquet", ".pq"),
    "root": (".root",),
    "lhe": (".lhe", ".lhe.gz"),
    "hepmc": (".hepmc", ".hepmc2", ".hepmc3", ".hepmc.gz", ".hepmc2.gz", ".hepmc3.gz"),
}
SELF_DESCRIBING = ("gampl", "top_pair")
WITHOUT_SAMPLES = ("parquet", "lhe", "hepmc")
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
MAGIC = {
    b"\x93NUMPY": "numpy",
    b"PK\x03\x04": "numpy",
    b"PK\x05\x06": "numpy",
    b"PAR1": "parquet",
    b"root": "root",
}
TOP_PAIR_FILE = re.compile(r"ttbar_(\d+)j\w*\.npy")  # says the number of additional jets
# so that medians, which tell a wrong unit, are taken over many events however small the batches
FEWEST_EVENTS_CHECKED = 10_000


def read(
    path: Path | str,
    *,
    kind: str | None = None,
    sample: str | None = None,
    layout: Layout | None = None,
    checksums: Path | str | None = None,
) -> Events:
    """All events of a file.

    Args:
        path: The file.
        kind: One of `KINDS`; left out, the file's first bytes decide, then its ending.
        sample: Which sample of the file: a group or dataset of HDF5, a tree of ROOT, an array of ``.npz``. May be left
            out where there is only one.
        layout: How the file names its particles, for files that do not say it themselves.
        checksums: Folder for the checksum of a public file; left out, it is kept next to the file.

    Returns:
        Events with momenta (pT, phi, eta, m), in GeV.

    Raises:
        EventFileError: If the file is damaged, or not what it should be; says which file, which entry, and what was
            expected.
        FileNotFoundError: If there is no such file.
        ValueError: If an argument does not fit the kind of file.
    """
    return Events.concatenate(
        list(batches(path, kind=kind, sample=sample, layout=layout, checksums=checksums, batch=100_000))
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
        path: This and what follows: see `read`.
        kind: See there.
        sample: See there.
        layout: See there.
        checksums: See there.
        batch: Events in each batch but the last.

    Returns:
        The batches, each checked before it is handed out.

    Raises:
        ValueError: If an argument does not fit the kind of file; this at once, what `read` raises else on the way.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    path = Path(path)
    kind = kind or recognise(path, layout)
    if layout is not None and kind in SELF_DESCRIBING:
        raise ValueError(f"{path}: files of kind {kind!r} say themselves what they hold, expected no layout")
    if sample is not None and kind in WITHOUT_SAMPLES:
        raise ValueError(f"{path}: files of kind {kind!r} hold one sample, expected no sample, got {sample!r}")
    if checksums is not None and kind != "top_pair":
        raise ValueError(f"{path}: files of kind {kind!r} have no checksums, expected no folder, got '{checksums}'")
    return _batches(path, kind, sample, layout or Layout(), checksums, batch)


def _batches(
    path: Path, kind: str, sample: str | None, layout: Layout, checksums: Path | str | None, batch: int
) -> Iterator[Events]:
    try:
        module = _module(kind)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: files of kind {kind!r} are read with {error.name}, which is not installed: "
            "pip install 'gampl[events]'"
        ) from error
    rows = max(batch, FEWEST_EVENTS_CHECKED)
    is_new = kind == "top_pair" and not module.verify(path, checksums)
    chunks: Iterator[Chunk] = module.chunks(path, sample=sample, layout=layout, rows=rows)
    absent = kind == "gampl" or layout.absent
    n_events = 0
    for events in regrouped(checked(path, chunks, absent, layout.check_unit), batch):
        n_events += len(events)
        if is_new:
            module.remember(path, checksums)
            is_new = False
        if n_events or kind == "gampl":
            yield events
    if n_events == 0 and kind != "gampl":
        raise EventFileError(f"{path}: holds no events, expected at least one")


def _module(kind: str) -> ModuleType:
    """The reader of a kind, imported when it is needed; written out, for `gampl.store.provenance`."""
    if kind == "gampl":
        from gampl.files import hdf5

        return hdf5
    if kind == "top_pair":
        from gampl.files import public

        return public
    if kind == "numpy":
        from gampl.files import arrays

        return arrays
    if kind == "parquet":
        from gampl.files import parquet

        return parquet
    if kind == "root":
        from gampl.files import root

        return root
    if kind == "lhe":
        from gampl.files import lhe

        return lhe
    from gampl.files import hepmc

    return hepmc


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


def recognise(path: Path, layout: Layout | None = None) -> str:
    """The kind of a file, by its first bytes or, where these say nothing, its ending.

    Raises:
        EventFileError: If the file is empty, or of no kind that can be read.
    """
    with path.open("rb") as file:
        start = file.read(1024)
    if not start:
        raise EventFileError(f"{path}: is empty (0 bytes), expected a file of events")
    if start.startswith(HDF5_MAGIC):
        return "gampl" if _is_ours(path) else "top_pair"
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            public = TOP_PAIR_FILE.fullmatch(path.name) and layout is None
            return "top_pair" if public else kind
    text = start
    if start.startswith(b"\x1f\x8b"):
        try:
            text = zlib.decompressobj(wbits=31).decompress(start, 1024)
        except zlib.error as error:
            raise EventFileError(f"{path}: cannot be decompressed, expected a gzip file ({error})") from error
    if b"<LesHouchesEvents" in text:
        return "lhe"
    if b"HepMC::" in text:
        return "hepmc"
    for kind, endings in KINDS.items():
        if path.name.lower().endswith(endings):
            return kind
    raise EventFileError(
        f"{path}: neither its first bytes nor its ending are of a known kind, expected one of {', '.join(KINDS)}"
    )


def _is_ours(path: Path) -> bool:
    hdf5 = _module("gampl")
    return bool(hdf5.is_ours(path))
