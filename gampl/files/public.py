"""The public top-pair events: ``event_generation_ttbar.hdf5``, and the ``ttbar_{n}j.npy`` that are made from it.

Datasets ``ttbar+0jet`` to ``ttbar+4jet`` have shape (events, 4 (6 + n)): (E, px, py, pz) in GeV of b1, q1, q2, b2, q3,
q4 and n jets. No checksum was ever published, so that the file's own, recorded at its first use, must do: later uses
compare.
"""

import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gampl.files import elsewhere
from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import CARTESIAN, HDF5_MAGIC, TOP_PAIR_FILE, OpenFile
from gampl.store.atomic import write_bytes

TOP_DECAYS = ("b1", "q1", "q2", "b2", "q3", "q4")
_SAMPLE = re.compile(r"ttbar\+(\d+)jet")


def chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of either kind of file."""
    path = source.path
    source.stream.seek(0)
    if source.stream.read(len(HDF5_MAGIC)) == HDF5_MAGIC:
        return elsewhere.chunks(hdf5_chunks_here, source)
    name = TOP_PAIR_FILE.fullmatch(path.name)
    if name is None or source.sample is not None:
        raise EventFileError(
            f"{path}: expected a name like ttbar_0j.npy, which says the number of jets, and sample=None"
        )
    return _chunks(source, np.load(path, mmap_mode="r", allow_pickle=False), int(name[1]))


def hdf5_chunks_here(source: OpenFile) -> Iterator[Chunk]:
    """Those of an HDF5 file in this process, which a damaged file may crash."""
    import h5py
    import hdf5plugin  # noqa: F401  registers the filters that the file is compressed with

    path, sample = source.path, source.sample
    with h5py.File(path, "r", locking=False) as file:
        names = sorted(name for name in file if _SAMPLE.fullmatch(name))
        if not names:
            raise EventFileError(
                f"{path}: has neither the format 'gampl events' nor datasets of the public top-pair file, but"
                f" {', '.join(sorted(file)) or 'none'}; expected ttbar+0jet, ttbar+1jet and so on"
            )
        if sample is None and len(names) == 1:
            sample = names[0]
        jets = _SAMPLE.fullmatch(sample or "")
        if jets is None or sample not in names:
            asked = "" if sample is None else f", not {sample!r}"
            raise EventFileError(
                f"{path}: holds the samples {', '.join(names)}{asked}; expected sample= to be one of them"
            )
        dataset = file[sample]
        if not isinstance(dataset, h5py.Dataset):
            raise EventFileError(f"{path}: {sample!r} is a group, expected a dataset")
        yield from _chunks(source, dataset, int(jets[1]))


def _chunks(source: OpenFile, array: Any, extra_jets: int) -> Iterator[Chunk]:
    particles = TOP_DECAYS + tuple(f"j{k}" for k in range(1, extra_jets + 1))
    if len(array.shape) != 2 or array.shape[1] != 4 * len(particles):
        raise EventFileError(
            f"{source.path}: top pairs with {extra_jets} jets have shape {array.shape},"
            f" expected (events, {4 * len(particles)}): E, px, py, pz of {', '.join(particles)}"
        )
    for start in range(0, array.shape[0], source.rows):
        values = np.asarray(array[start : start + source.rows]).reshape(-1, len(particles), 4)
        yield Chunk(values, particles, CARTESIAN, about={"process": "top_pair"})


def verify(path: Path, folder: Path | str | None = None) -> bool:
    """Compares a file with the SHA-256 that was recorded at its first use.

    Args:
        path: The file.
        folder: Where the record is kept, as ``<name>.sha256`` that ``sha256sum -c`` understands; next to the file if
            left out.

    Returns:
        Whether there is a record.

    Raises:
        EventFileError: If the file is not the one that was recorded, or the record cannot be read.
    """
    record = _record(path, folder)
    try:
        recorded = record.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise EventFileError(f"{record}: cannot be read, expected the SHA-256 of {path.name} ({error})") from error
    if not recorded or re.fullmatch("[0-9a-f]{64}", recorded[0]) is None:
        raise EventFileError(f"{record}: expected the SHA-256 of {path.name}, 64 hexadecimal digits")
    digest = _sha256(path, _state(path))
    if recorded[0] != digest:
        raise EventFileError(
            f"{path}: has changed since its first use, its SHA-256 is {digest}, expected {recorded[0]} (delete {record}"
            " if the new file is wanted)"
        )
    return True


def remember(path: Path, folder: Path | str | None = None) -> None:
    """Records the SHA-256 of a file, once its first events have been read: no damaged download is remembered.

    Raises:
        EventFileError: If the record cannot be written.
    """
    record = _record(path, folder)
    try:
        write_bytes(record, f"{_sha256(path, _state(path))}  {path.name}\n".encode())
    except OSError as error:
        raise EventFileError(
            f"{path}: its checksum cannot be recorded in {record.parent} ({error.strerror}),"
            " expected checksums= to be a folder that can be written to"
        ) from error


def _record(path: Path, folder: Path | str | None) -> Path:
    return (path.parent if folder is None else Path(folder)) / f"{path.name}.sha256"


def _state(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, state: tuple[int, ...]) -> str:  # noqa: ARG001
    """Read once a process for as long as the file's state is the same: the public file has 4.7 GB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
