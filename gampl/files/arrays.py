"""Arrays of users' own events, of NumPy's files and of HDF5: momenta, or columns with one number per event.

Momenta have shape (n, particles, 4) or (n, 4 particles). An ``.npz`` may have them under any name if they are the only
array with two or three dimensions, else they must be called ``momenta``; ``particles``, an array of texts, names the
particles; arrays of shape (n,) can be kept as columns.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, reduce
from operator import getitem
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gampl.basics import counted
from gampl.files.checks import Chunk
from gampl.files.source import EventFileError, Names, OpenFile, chosen
from gampl.files.tables import Column, Table, further_columns
from gampl.particles.kinematics import COORDINATES

MOMENTA, PARTICLES = "momenta", "particles"
MOST_PARTICLES = 1000
LARGEST_BY_COLUMNS = 1 << 30  # bytes of an array in an archive of which no row is complete before the end
Arrays = Mapping[str, Any]  # arrays that are read from the front, a slice after the other
Place = tuple[Any, ...]  # of a column: the name of its array, and what to take of that, one thing after the other


def chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of a file of NumPy."""
    layout = source.layout
    with _opened(source) as arrays:
        shaped = [name for name, array in arrays.items() if len(array.shape) in (2, 3) and array.dtype.kind in "fiub"]
        possible = [*arrays] if len(arrays) == 1 else shaped
        name = source.sample or (possible[0] if len(possible) == 1 else MOMENTA)
        further = further_columns(layout, {name: len(array.shape) != 1 for name, array in arrays.items()})
        if missing := [needed for needed in (name, *further.values()) if needed not in arrays]:
            raise source.error(f"has the arrays {', '.join(arrays)}, also expected {missing[0]!r}")
        if PARTICLES in arrays and (shape := arrays[PARTICLES].shape) > (MOST_PARTICLES,):
            raise source.error(f"{PARTICLES!r} has shape {shape}, expected at most {MOST_PARTICLES} names")
        words = arrays[PARTICLES][:].ravel() if PARTICLES in arrays else ()
        particles = tuple(layout.particles) or tuple(str(word) for word in words)
        columns = {column: arrays[array] for column, array in further.items()}
        yield from array_chunks(source, arrays[name], particles, layout.coordinate_names or COORDINATES, columns, {})


def array_chunks(
    source: OpenFile, momenta: Any, particles: Names, coordinates: Names, columns: Arrays, about: Mapping[str, Any]
) -> Iterator[Chunk]:
    """Momenta of shape (n, particles, 4), flattened or not, and columns of shape (n,); names p1, p2, ... if none."""
    shape = momenta.shape
    is_flat = len(shape) == 2 and shape[1] % 4 == 0
    if not (is_flat or (len(shape) == 3 and shape[2] == 4)) or shape[1] == 0:
        raise source.error(f"momenta have shape {shape}, expected (events, particles, 4) or flattened")
    n = shape[1] // 4 if is_flat else shape[1]
    if n > MOST_PARTICLES:
        raise source.error(f"momenta have shape {shape}, that is {n} particles, expected at most {MOST_PARTICLES}")
    particles = particles or tuple(f"p{k}" for k in range(1, n + 1))
    if len(particles) != n or len(set(particles)) < n:
        expected = f"expected {len(particles)} with different names: {', '.join(particles)}"
        raise source.error(f"momenta have shape {shape}, that is {counted(n, 'particle')}, {expected}")
    for name, column in columns.items():
        if (its := getattr(column, "shape", None)) != shape[:1]:
            raise source.error(f"column {name!r} has shape {its}, expected one number per event, {shape[:1]}")
    for rows in source.slices(shape[0], 4 * n * momenta.dtype.itemsize) if shape[0] else [slice(0, 0)]:
        values = np.asarray(momenta[rows]).reshape(-1, n, 4)
        numbers = {name: np.asarray(column[rows]) for name, column in columns.items()}
        yield Chunk(values, particles, coordinates, numbers, about)


@contextmanager
def table(source: OpenFile) -> Iterator[Table]:
    """Columns of a file of NumPy."""
    with _opened(source) as arrays:
        yield table_of(source, arrays)


def table_of(source: OpenFile, arrays: Arrays) -> Table:
    """Arrays of shape (n,) by name; an array that is alone, or the sample that is asked for, by its columns."""
    places: dict[str, Place] = {name: (name,) for name in arrays}
    if source.sample is not None or len(arrays) == 1:
        single = chosen(source.path, source.sample, arrays, "arrays")
        is_column = single and len(arrays[single].shape) == 1 and not arrays[single].dtype.names
        places = (places if is_column else {}) | _columns_of(source, single, arrays[single])
    return table_at(source, arrays, places)


def table_at(source: OpenFile, arrays: Arrays, places: Mapping[str, Place]) -> Table:
    """Columns that lie in arrays, those that are read in arrays of the same length."""

    def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
        needed = dict.fromkeys(places[name][0] for name in names)
        lengths = {name: arrays[name].shape[0] if arrays[name].shape else 0 for name in needed}
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise source.error(f"columns have different lengths, {text}; expected the same")
        sizes = [arrays[name].dtype.itemsize * math.prod(arrays[name].shape[1:]) for name in needed]
        for rows in source.slices(max(lengths.values()), sum(sizes)):
            part = {name: np.asarray(arrays[name][rows]) for name in needed}
            yield {name: Column(reduce(getitem, places[name][1:], part[places[name][0]])) for name in names}

    return Table(dict.fromkeys(places, False), read)


def _columns_of(source: OpenFile, name: str, array: Any) -> dict[str, Place]:
    """The columns of one array, with the names that it does not say itself."""
    if array.dtype.names:
        return {field: (name, field) for field in array.dtype.names}
    if len(array.shape) not in (1, 2):
        raise source.error(f"has an array of shape {array.shape}, expected (events,) or (events, columns)")
    if len(array.shape) == 1:
        return {source.column_names(1)[0]: (name,)}
    return {column: (name, (slice(None), k)) for k, column in enumerate(source.column_names(array.shape[1]))}


@contextmanager
def _opened(source: OpenFile) -> Iterator[Arrays]:
    """The arrays of an ``.npz``, or the only one of an ``.npy``."""
    if source.start(2) != b"PK":
        if source.sample is not None or source.layout.weight is not None or source.layout.keep:
            raise source.error("holds a single array, expected an .npz file for samples, weights or columns")
        with single(source) as array:
            yield {"": array}
        return
    with ExitStack() as opened:
        archive = opened.enter_context(zipfile.ZipFile(source.stream))
        _check_archive(source, archive)
        arrays = {}
        for part in archive.infolist():
            name, file = part.filename.removesuffix(".npy"), opened.enter_context(archive.open(part))
            arrays[name] = _ArrayStream(f"{source.path}: array {name!r}", file, part.file_size, is_packed=True)
        yield arrays


@contextmanager
def single(source: OpenFile) -> Iterator["_ArrayStream"]:
    """The array of an ``.npy``; not mapped into memory, where a file that gets shorter would end Python."""
    with source.unpacked() as file:
        yield _ArrayStream(str(source.path), file, source.path.stat().st_size)


def _check_archive(source: OpenFile, archive: zipfile.ZipFile) -> None:
    """Refuses what `numpy.savez` does not write: it might hold more than is read, or unpack to any size at once."""
    parts, end = archive.infolist(), b"PK\x05\x06"
    source.stream.seek(-len(archive.comment) - 22, 2)
    if source.stream.read(4) != end or min((part.header_offset for part in parts), default=0) > 0:
        raise source.error("has bytes before or after its archive, expected one .npz file, not several joined")
    names = [part.filename for part in parts]
    if other := [name for name in names if not name.endswith(".npy") or names.count(name) > 1]:
        raise source.error(f"holds {other[0]!r}, expected arrays with different names, each ending in .npy")
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise source.error("is compressed otherwise than NumPy does it, expected it from numpy.savez_compressed")


class _ArrayStream:
    """An array in a file or an archive, read from the front a slice after the other."""

    def __init__(self, name: str, file: IO[bytes], size: int, is_packed: bool = False) -> None:
        self._name, self._file, self._is_packed = name, file, is_packed
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise EventFileError(f"{name} is in version {version} of the .npy format, expected 1.0 or 2.0")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        self.shape, by_columns, self.dtype = read(file)
        self._by_columns = by_columns and len(self.shape) > 1  # no row is complete before the end
        self._begin = file.tell()
        self._size = math.prod(self.shape) * self.dtype.itemsize
        if self.dtype.hasobject:
            return
        if (held := size - self._begin) < self._size:
            raise EventFileError(f"{name} ends after {held} of {self._size} bytes, expected {self.shape}")
        if held > self._size:
            further = f"goes on for {counted(held - self._size, 'byte')} after its array of shape {self.shape}"
            raise EventFileError(f"{name} {further}, expected a single one; numpy.savez keeps several")

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """The next rows; `rows` must begin where the last ones ended."""
        if rows == slice(None):
            return self._read(self.shape)
        if not self._by_columns:
            return self._read((rows.stop - rows.start, *self.shape[1:]))
        if not self._is_packed:
            n, parts = rows.stop - rows.start, []
            for column in range(math.prod(self.shape[1:])):
                self._file.seek(self._begin + (column * self.shape[0] + rows.start) * self.dtype.itemsize)
                parts.append(self._read((n,)))
            return np.stack(parts).reshape(*self.shape[:0:-1], n).T
        return self._whole[rows]

    @cached_property
    def _whole(self) -> NDArray[Any]:
        if self._size > LARGEST_BY_COLUMNS:
            most = f"expected at most {LARGEST_BY_COLUMNS}, or rows: numpy.ascontiguousarray"
            raise EventFileError(f"{self._name} is stored by columns in {self._size} bytes, {most}")
        return self._read(self.shape[::-1]).T

    def _read(self, shape: tuple[int, ...]) -> NDArray[Any]:
        if self.dtype.hasobject:
            raise EventFileError(f"{self._name} holds Python objects, which are never unpickled; expected numbers")
        size = math.prod(shape) * self.dtype.itemsize
        content = self._file.read(size)
        if len(content) != size:
            raise EventFileError(f"{self._name} ends after {len(content)} of {size} bytes, expected {self.shape}")
        return np.frombuffer(content, dtype=self.dtype).reshape(shape)
