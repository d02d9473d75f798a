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

from gampl.files.arrays import array_chunks, single
from gampl.files.checks import Chunk
from gampl.files.source import CARTESIAN, EventFileError, OpenFile, chosen
from gampl.particles.events import Events
from gampl.store.atomic import write_bytes

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
FILE = re.compile(r"ttbar_(\d+)j\w*\.npy")  # says the number of additional jets
TOP_DECAYS = ("b1", "q1", "q2", "b2", "q3", "q4")
_SAMPLE = re.compile(r"ttbar\+(\d+)jet")


def chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of either kind of file."""
    path = source.path
    if source.start(len(HDF5_MAGIC)) != HDF5_MAGIC:
        name = FILE.fullmatch(path.name)
        if name is None or source.sample is not None:
            raise source.error("expected a name like ttbar_0j.npy, which says the number of jets, and sample=None")
        with single(source) as array:
            yield from _chunks(source, array, name)
        return

    import hdf5plugin  # noqa: F401  registers the filters that the file is compressed with

    from gampl.files.inside import opened

    with opened(path) as file:
        jets = {name: match for name in sorted(file) if (match := _SAMPLE.fullmatch(name))}
        if not jets:
            raise source.error(
                f"has neither the format 'gampl events' nor datasets of the public top-pair file, but"
                f" {', '.join(sorted(file)) or 'none'}; expected ttbar+0jet, ttbar+1jet and so on"
            )
        sample = chosen(source.path, source.sample, jets)
        yield from _chunks(source, file.dataset(sample), jets[sample])


def _chunks(source: OpenFile, array: Any, name: re.Match[str]) -> Iterator[Chunk]:
    particles = TOP_DECAYS + tuple(f"j{k}" for k in range(1, int(name[1]) + 1))
    if len(array.shape) != 2:
        raise source.error(f"top pairs have shape {array.shape}, expected (events, {4 * len(particles)})")
    return array_chunks(source, array, particles, CARTESIAN, {}, {"process": "top_pair"})


def verified(path: Path, folder: Path | str | None, parts: Iterator[Events]) -> Iterator[Events]:
    """Yields the same events of a file, whose SHA-256 must be the one that was recorded at its first use.

    The record is ``<name>.sha256``, which ``sha256sum -c`` understands, in a folder or next to the file. It is made
    once the first events have been read: no damaged download is remembered. An EventFileError if the file is not the
    one that was recorded, or the record cannot be read or written.
    """
    record = (path.parent if folder is None else Path(folder)) / f"{path.name}.sha256"
    digest = sha256(path)
    try:
        recorded = next(iter(record.read_text(encoding="ascii").split()), "")
    except FileNotFoundError:
        recorded = None
    except (OSError, ValueError) as error:
        raise EventFileError(f"{record}: cannot be read, expected the SHA-256 of {path.name} ({error})") from error
    if recorded is not None and re.fullmatch("[0-9a-f]{64}", recorded) is None:
        raise EventFileError(f"{record}: expected the SHA-256 of {path.name}, 64 hexadecimal digits")
    if recorded not in (None, digest):
        raise EventFileError(
            f"{path}: has changed since its first use, its SHA-256 is {digest}, expected {recorded} (delete {record}"
            " if the new file is the right one)"
        )
    for events in parts:
        if recorded is None:
            recorded = digest
            try:
                write_bytes(record, f"{digest}  {path.name}\n".encode())
            except OSError as error:
                raise EventFileError(
                    f"{path}: its checksum cannot be recorded in {record.parent} ({error.strerror}),"
                    " expected checksums= to be a folder that can be written to"
                ) from error
        yield events


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    status = path.stat()
    return _sha256(path, (status.st_size, status.st_mtime_ns, status.st_ino))


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, state: tuple[int, ...]) -> str:  # noqa: ARG001
    """Read once a process for as long as the file's state is the same: the public file has 4.7 GB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
