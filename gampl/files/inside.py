"""What lies inside of an HDF5 file, whole.

HDF5 lets a file name others: by external links, external storage and virtual datasets. A file of events that somebody
else made must not say which files of this machine are read, so that none of them is followed.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from gampl.basics import counted
from gampl.files.source import EventFileError

LARGEST_CHUNKS = 1 << 30  # bytes of the chunks that hold a row
_MOST_LINKS = 16  # that lead to one another


class Inside(Mapping[str, Any]):
    """The groups and datasets of a file or group by name; an EventFileError for what leads outside of the file."""

    def __init__(self, path: Path, group: Any, names: Collection[str] | None = None) -> None:
        self.path, self.group = path, group
        self._names = group if names is None else names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """As `__getitem__` would find it, without opening it."""
        return self._kind(str(name)) is not None

    def __getitem__(self, name: str) -> Any:
        """A group as one of these, or a dataset as `whole` opens it."""
        group, last = self._placed(name)
        if group.get(last, getclass=True) is h5py.Group:
            return Inside(self.path, group[last])
        return whole(self.path, group, last)

    def dataset(self, name: str) -> Any:
        """A dataset of this name."""
        if isinstance(found := self[name], Inside):
            raise EventFileError(f"{self.path}: {name!r} is a group, expected a dataset")
        return found

    def is_dataset(self, name: str) -> bool:
        """Whether a dataset has this name, or something of which only its use shows that it leads outside."""
        return self._kind(name) in (h5py.Dataset, EventFileError)

    def _kind(self, name: str) -> Any:
        """The class of what has this name: None for nothing, an EventFileError for what leads outside."""
        try:
            group, last = self._placed(name)
        except KeyError:
            return None
        except EventFileError:
            return EventFileError
        return group.get(last, getclass=True)

    def _placed(self, name: str, links: int = _MOST_LINKS) -> tuple[Any, str]:
        """The group that an object lies in, and its name there: no link is left to the library."""
        *folders, last = [part for part in name.split("/") if part not in ("", ".")] or [""]
        group = self.group
        for folder in folders:
            above, below = Inside(self.path, group)._placed(folder, links)
            if above.get(below, getclass=True) is not h5py.Group:
                raise KeyError(name)
            group = above[below]
        link = group.get(last, getlink=True) if last and group.id.links.exists(last.encode()) else None
        if link is None or links == 0:
            raise KeyError(name)
        if isinstance(link, h5py.SoftLink):
            start = group.file if link.path.startswith("/") else group
            return Inside(self.path, start)._placed(link.path, links - 1)
        if not isinstance(link, h5py.HardLink):
            raise EventFileError(f"{self.path}: {name!r} is a link to another file, expected all events in this one")
        return group, last


@contextmanager
def opened(path: Path) -> Iterator[Inside]:
    """A file that is open for reading; an EventFileError if it goes on after the end that it says."""
    with h5py.File(path, "r", locking=False) as file:
        _check_end(path)
        yield Inside(path, file)


def _check_end(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(64)
        version, size = start[8], start[13] if start[8] < 2 else start[9]
        place = {0: 24, 1: 28}.get(version, 12) + 2 * size
        base, end = (int.from_bytes(start[at : at + size], "little") for at in (place - 2 * size, place))
        stream.seek(base + end)
        n = 0
        while part := stream.read(1 << 20):
            n += len(part.rstrip(b"\0"))
    if n:
        raise EventFileError(
            f"{path}: goes on for {counted(n, 'byte')} after its end, expected one file, not several joined"
        )


def whole(path: Path, group: Any, name: str) -> Any:
    """A dataset all of whose numbers lie in its file, with a cache that holds the chunks of a row.

    The library unpacks a chunk anew for each block of rows if its cache is smaller than that.
    """
    dataset = group[name]
    where = f"{path}: dataset {name!r}"
    if dataset.is_virtual or dataset.external:
        raise EventFileError(f"{where} lies in other files, expected all events in this one")
    shape, chunks, size = dataset.shape or (), dataset.chunks, dataset.id.get_type().get_size()
    if math.prod(shape) == 0:
        return dataset
    counts = [-(-n // k) for n, k in zip(shape, chunks or shape, strict=True)]
    held, needed, what = dataset.id.get_storage_size(), math.prod(shape) * size, "bytes"
    if chunks is not None:
        held, needed, what = dataset.id.get_num_chunks(), math.prod(counts), "chunks"
    if held < needed:
        raise EventFileError(f"{where} of shape {shape} was not written: it holds {held} {what}, expected {needed}")
    if chunks is None:
        return dataset
    row = math.prod(chunks) * size * math.prod(counts[1:])
    if row > LARGEST_CHUNKS:
        raise EventFileError(f"{where} has chunks of {row} bytes for a row, expected at most {LARGEST_CHUNKS}")
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(max(521, 10 * math.prod(counts[1:])), max(row, 1 << 20), 1.0)
    dataset.id.close()  # the cache of a dataset is that of its first opening
    return h5py.Dataset(h5py.h5d.open(group.id, name.encode(), access))
