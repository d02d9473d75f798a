"""NumPy files of users' own events: an array of shape (n, particles, 4) or (n, 4 particles), alone or with others.

An ``.npz`` may have the array under any name if it is the only one with two or three dimensions, else it must be
called ``momenta``; ``particles``, an array of texts, names the particles; arrays of shape (n,) can be kept as columns.
"""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import Layout
from gampl.particles.kinematics import COORDINATES

MOMENTA, PARTICLES, WEIGHT = "momenta", "particles", "weight"


def chunks(path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """Chunks of at most `rows` events."""
    with path.open("rb") as file:
        alone = file.read(2) != b"PK"
    if not alone:
        yield from _archive_chunks(path, sample, layout, rows)
        return
    if sample is not None or layout.weight is not None or layout.keep:
        raise EventFileError(f"{path}: holds a single array, expected an .npz file for samples, weights or columns")
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    names = _particles(path, array.shape, layout, ())
    for start in range(0, array.shape[0], rows):
        yield _chunk(np.asarray(array[start : start + rows]), names, layout, {})


def _archive_chunks(path: Path, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    with ExitStack() as opened:
        archive = opened.enter_context(zipfile.ZipFile(path))
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

        def stream(name: str) -> "ArrayStream":
            if name not in names:
                raise EventFileError(f"{path}: has the arrays {', '.join(names)}, expected also {name!r}")
            return ArrayStream(path, name, opened.enter_context(archive.open(f"{name}.npy")))  # type: ignore[arg-type]

        streams = {name: stream(name) for name in names}
        if sample is None:
            candidates = [name for name in names if len(streams[name].shape) in (2, 3) and streams[name].has_numbers]
            sample = candidates[0] if len(candidates) == 1 else MOMENTA
        momenta = stream(sample)
        columns = {name: stream(name) for name in layout.keep}
        if layout.weight is not None or WEIGHT in names:
            columns[WEIGHT] = stream(layout.weight or WEIGHT)
        for name, column in columns.items():
            if column.shape != momenta.shape[:1]:
                raise EventFileError(
                    f"{path}: array {name!r} has shape {column.shape},"
                    f" expected one number per event, {momenta.shape[:1]}"
                )
        words = streams[PARTICLES].whole() if PARTICLES in streams else np.array([], dtype=str)
        particles = _particles(path, momenta.shape, layout, tuple(str(word) for word in words.ravel()))
        for start in range(0, momenta.shape[0], rows):
            n = min(rows, momenta.shape[0] - start)
            numbers = {name: column.rows(n) for name, column in columns.items()}
            yield _chunk(momenta.rows(n), particles, layout, numbers)


def _chunk(values: NDArray[Any], names: tuple[str, ...], layout: Layout, columns: dict[str, NDArray[Any]]) -> Chunk:
    values = values.reshape(-1, len(names), 4)
    return Chunk(values, names, layout.coordinate_names or COORDINATES, layout.unit or "GeV", columns)


def _particles(path: Path, shape: tuple[int, ...], layout: Layout, said: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the particles, from the layout, else the file, else their numbers."""
    flat = len(shape) == 2 and shape[1] % 4 == 0 and shape[1] > 0
    if not flat and (len(shape) != 3 or shape[2] != 4 or shape[1] == 0):
        raise EventFileError(f"{path}: momenta have shape {shape}, expected (events, particles, 4) or flattened")
    n = shape[1] // 4 if flat else shape[1]
    names = tuple(layout.particles) or said or tuple(f"p{k}" for k in range(1, n + 1))
    if len(names) != n:
        raise EventFileError(f"{path}: momenta have shape {shape}, that is {n} particles, expected {', '.join(names)}")
    if len(set(names)) < n:
        raise EventFileError(f"{path}: expected particles with different names, got {', '.join(names)}")
    return names


class ArrayStream:
    """An array inside an archive, read from the front a few rows at a time."""

    def __init__(self, path: Path, name: str, file: BinaryIO) -> None:
        self._name = f"{path}: array {name!r}"
        self._file = file
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise EventFileError(f"{self._name} is in version {version} of the .npy format, expected 1.0 or 2.0")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        self.shape, self._by_columns, self._dtype = read(file)
        self._whole: NDArray[Any] | None = None
        self._start = 0

    def rows(self, n: int) -> NDArray[Any]:
        """The next n rows."""
        if self._by_columns and len(self.shape) > 1:  # stored the other way round: no row is complete before the end
            if self._whole is None:
                self._whole = self._read(self.shape[::-1]).T
            self._start += n
            return self._whole[self._start - n : self._start]
        return self._read((n, *self.shape[1:]))

    def whole(self) -> NDArray[Any]:
        """All of a small array."""
        return self._read(self.shape)

    @property
    def has_numbers(self) -> bool:
        """Whether it holds numbers, rather than texts or Python objects."""
        return self._dtype.kind in "fiub"

    def _read(self, shape: tuple[int, ...]) -> NDArray[Any]:
        if self._dtype.hasobject:
            raise EventFileError(f"{self._name} holds Python objects, which are never unpickled; expected numbers")
        wanted = int(np.prod(shape, dtype=object)) * self._dtype.itemsize
        content = self._file.read(wanted)
        if len(content) != wanted:
            raise EventFileError(f"{self._name} ends after {len(content)} of {wanted} bytes, expected {self.shape}")
        return np.frombuffer(content, dtype=self._dtype).reshape(shape)
