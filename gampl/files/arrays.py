"""Arrays of users' own events, of NumPy's files and of HDF5: momenta, or columns with one number per event.

Momenta have shape (n, particles, 4) or (n, 4 particles). An ``.npz`` may have them under any name if they are the only
array with two or three dimensions, else they must be called ``momenta``; ``particles``, an array of texts, names the
particles; arrays of shape (n,) can be kept as columns.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import Layout, OpenFile
from gampl.files.tables import Column, Table, further_columns
from gampl.particles.kinematics import COORDINATES

MOMENTA, PARTICLES = "momenta", "particles"
Arrays = Mapping[str, Any]  # arrays that are read from the front, a slice after the other


def chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of a file of NumPy."""
    path, layout = source.path, source.layout
    with _opened(source) as arrays:
        name = source.sample or _momenta_name(arrays)
        further = further_columns(layout, arrays)
        needed = dict.fromkeys([name, *further.values()])
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise EventFileError(f"{path}: has the arrays {', '.join(arrays)}, expected also {missing[0]!r}")
        shape = arrays[name].shape
        for column in further.values():
            if arrays[column].shape != shape[:1]:
                raise EventFileError(
                    f"{path}: array {column!r} has shape {arrays[column].shape},"
                    f" expected one number per event, {shape[:1]}"
                )
        words = arrays[PARTICLES][:] if PARTICLES in arrays else np.array([], dtype=str)
        particles = _particles(path, shape, layout, tuple(str(word) for word in words.ravel()))
        coordinates, unit = layout.coordinate_names or COORDINATES, layout.unit or "GeV"
        for part in _slices(arrays, list(needed), shape[0], source.rows):
            columns = {column: part[array] for column, array in further.items()}
            yield Chunk(part[name].reshape(-1, len(particles), 4), particles, coordinates, unit, columns)


@contextmanager
def table(source: OpenFile) -> Iterator[Table]:
    """Columns of a file of NumPy."""
    with _opened(source) as arrays:
        yield table_of(source, arrays)


def table_of(source: OpenFile, arrays: Arrays) -> Table:
    """Arrays of shape (n,) by name; an array that is alone, or the sample that is asked for, by its columns."""
    path, single = source.path, source.sample
    if single is not None and single not in arrays:
        raise EventFileError(f"{path}: holds {', '.join(arrays) or 'no arrays'}, not {single!r}; expected one of them")
    # column -> its array, and what to take of that
    places: dict[str, tuple[str, Any]] = {name: (name, ...) for name in arrays}
    if single is None and len(arrays) == 1:
        single = next(iter(arrays))
    if single is not None:
        is_column = single and len(arrays[single].shape) == 1 and not arrays[single].dtype.names
        places = (places if is_column else {}) | _columns_of(path, single, arrays[single], source.names)

    def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
        needed = list(dict.fromkeys(places[name][0] for name in names))
        lengths = {name: arrays[name].shape[0] if arrays[name].shape else 0 for name in needed}
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise EventFileError(f"{path}: columns have different lengths, {text}; expected the same")
        for part in _slices(arrays, needed, lengths[needed[0]], source.rows):
            yield {name: Column(part[places[name][0]][places[name][1]]) for name in names}

    return Table(dict.fromkeys(places, False), read)


def _columns_of(path: Path, name: str, array: Any, names: tuple[str, ...]) -> dict[str, tuple[str, Any]]:
    """The columns of one array, with the names that it does not say itself."""
    if array.dtype.names:
        return {field: (name, field) for field in array.dtype.names}
    if len(array.shape) not in (1, 2):
        raise EventFileError(f"{path}: has an array of shape {array.shape}, expected (events,) or (events, columns)")
    n = 1 if len(array.shape) == 1 else array.shape[1]
    if names and len(names) != n:
        raise EventFileError(f"{path}: has {n} columns, expected {len(names)}: {', '.join(names)}")
    where = [...] if len(array.shape) == 1 else [(slice(None), k) for k in range(n)]
    return {
        column: (name, place) for column, place in zip(names or [f"x{k + 1}" for k in range(n)], where, strict=True)
    }


def _slices(arrays: Arrays, names: Sequence[str], n: int, rows: int) -> Iterator[dict[str, NDArray[Any]]]:
    for start in range(0, n, rows):
        yield {name: np.asarray(arrays[name][start : min(start + rows, n)]) for name in names}


@contextmanager
def _opened(source: OpenFile) -> Iterator[Arrays]:
    """The arrays of an ``.npz``, or the only one of an ``.npy``."""
    path, layout = source.path, source.layout
    source.stream.seek(0)
    if source.stream.read(2) != b"PK":
        if source.sample is not None or layout.weight is not None or layout.keep:
            raise EventFileError(f"{path}: holds a single array, expected an .npz file for samples, weights or columns")
        yield {"": np.load(path, mmap_mode="r", allow_pickle=False)}
        return
    with ExitStack() as opened:
        archive = opened.enter_context(zipfile.ZipFile(source.stream))
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        files = {name: opened.enter_context(archive.open(f"{name}.npy")) for name in names}
        yield {name: ArrayStream(path, name, file) for name, file in files.items()}  # type: ignore[arg-type]


def _momenta_name(arrays: Arrays) -> str:
    if len(arrays) == 1:
        return next(iter(arrays))
    candidates = [name for name, a in arrays.items() if len(a.shape) in (2, 3) and a.dtype.kind in "fiub"]
    return candidates[0] if len(candidates) == 1 else MOMENTA


def _particles(path: Path, shape: tuple[int, ...], layout: Layout, own: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the particles: of the layout, else the file's own, else their numbers."""
    flat = len(shape) == 2 and shape[1] % 4 == 0 and shape[1] > 0
    if not flat and (len(shape) != 3 or shape[2] != 4 or shape[1] == 0):
        raise EventFileError(f"{path}: momenta have shape {shape}, expected (events, particles, 4) or flattened")
    n = shape[1] // 4 if flat else shape[1]
    names = tuple(layout.particles) or own or tuple(f"p{k}" for k in range(1, n + 1))
    if len(names) != n:
        raise EventFileError(f"{path}: momenta have shape {shape}, that is {n} particles, expected {', '.join(names)}")
    if len(set(names)) < n:
        raise EventFileError(f"{path}: expected particles with different names, got {', '.join(names)}")
    return names


class ArrayStream:
    """An array inside an archive, read from the front a slice after the other."""

    def __init__(self, path: Path, name: str, file: BinaryIO) -> None:
        self._name = f"{path}: array {name!r}"
        self._file = file
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise EventFileError(f"{self._name} is in version {version} of the .npy format, expected 1.0 or 2.0")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        self.shape, self._by_columns, self.dtype = read(file)
        self._whole: NDArray[Any] | None = None

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """The next rows; `rows` must begin where the last ones ended."""
        if rows == slice(None):
            return self._read(self.shape)
        if self._by_columns and len(self.shape) > 1:  # stored the other way round: no row is complete before the end
            if self._whole is None:
                self._whole = self._read(self.shape[::-1]).T
            return self._whole[rows]
        return self._read((rows.stop - rows.start, *self.shape[1:]))

    def _read(self, shape: tuple[int, ...]) -> NDArray[Any]:
        if self.dtype.hasobject:
            raise EventFileError(f"{self._name} holds Python objects, which are never unpickled; expected numbers")
        size = int(np.prod(shape, dtype=object)) * self.dtype.itemsize
        content = self._file.read(size)
        if len(content) != size:
            raise EventFileError(f"{self._name} ends after {len(content)} of {size} bytes, expected {self.shape}")
        return np.frombuffer(content, dtype=self.dtype).reshape(shape)
