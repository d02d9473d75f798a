"""Named columns of numbers from files of any kind, a batch at a time: what users' samples mostly are.

Momenta of particles are the business of `gampl.files.reading`; here a column is a column.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import EventFileError, guarded
from gampl.files.reading import HDF5_MAGIC, MAGIC

Batch = dict[str, NDArray[Any]]
ENDINGS = tuple(f"{ending}{packed}" for ending in (".csv", ".tsv", ".txt", ".dat") for packed in ("", ".gz"))  # of text
KINDS = ("csv", "numpy", "parquet", "root", "hdf5")
ROWS = 250_000  # read at once


def batches(
    path: Path | str,
    wanted: Sequence[str],
    *,
    kind: str | None = None,
    sample: str | None = None,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Iterator[Batch]:
    """Columns of a file as float64, some rows at a time, so that the file may be larger than memory.

    Args:
        path: The file.
        wanted: Names of the columns.
        kind: One of `KINDS`; left out, the file's first bytes decide, then its ending.
        sample: Which table of the file: a tree of ROOT, a group or dataset of HDF5, an array of ``.npz``. May be left
            out where there is only one.
        names: Names of the columns, for files that do not say them: text without a header, arrays.
        labels: Those of the wanted columns whose entries are only told apart, such as the member of each event. They
            may be texts, and come as they are.

    Raises:
        EventFileError: If the file is damaged, has no rows or lacks a column; says which, and what there is.
        FileNotFoundError: If there is no such file.
        ValueError: If an argument does not fit.
    """
    path = Path(path)
    kind = kind or recognise(path)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    rows = 0
    read = _READERS[kind](path, list(dict.fromkeys(wanted)), sample, tuple(names), tuple(labels))
    for batch in guarded(path, read, _length, "rows"):
        sizes = {len(values) for values in batch.values()}
        if len(sizes) != 1:
            raise EventFileError(f"{path}: columns have different lengths, {sorted(sizes)}, expected the same")
        yield {name: values if name in labels else _numbers(path, name, values) for name, values in batch.items()}
        rows += sizes.pop()
    if rows == 0:
        raise EventFileError(f"{path}: holds no events, expected at least one")


def recognise(path: Path) -> str:
    """The kind of a file, by its first bytes, else its ending.

    Raises:
        EventFileError: If it is empty, or of no kind that can be read.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise EventFileError(f"{path}: is empty (0 bytes), expected a table of numbers")
    if start.startswith(HDF5_MAGIC):
        return "hdf5"
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            return kind
    if path.name.lower().endswith(ENDINGS):
        return "csv"
    raise EventFileError(
        f"{path}: neither its first bytes nor its ending are of a known kind, expected one of {', '.join(KINDS)}"
    )


def _length(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def _numbers(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind not in "fiub":
        raise EventFileError(f"{path}: column {name!r} holds {values.dtype}, expected numbers")
    if values.ndim != 1:
        raise EventFileError(f"{path}: column {name!r} has shape {values.shape}, expected one number per event")
    return np.asarray(values, dtype=np.float64)


def _require(path: Path, wanted: Sequence[str], there: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            some = ", ".join(there[:12]) + (", ..." if len(there) > 12 else "")
            raise EventFileError(f"{path}: has no column {name!r}; it has {some or 'none'}")


def _csv(
    path: Path, wanted: list[str], sample: str | None, names: tuple[str, ...], labels: tuple[str, ...]
) -> Iterator[Batch]:
    from gampl.files.text import TextTable

    _one_table(path, sample)
    table = TextTable.open(path, names)
    _require(path, wanted, table.columns)
    yield from table.batches(wanted, labels)


def _parquet(
    path: Path, wanted: list[str], sample: str | None, names: tuple[str, ...], labels: tuple[str, ...]
) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    del names, labels
    _one_table(path, sample)
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        _require(path, wanted, file.schema_arrow.names)
        for part in file.iter_batches(batch_size=ROWS, columns=wanted):
            yield {name: part.column(name).to_numpy(zero_copy_only=False) for name in wanted}


def _root(
    path: Path, wanted: list[str], sample: str | None, names: tuple[str, ...], labels: tuple[str, ...]
) -> Iterator[Batch]:
    import uproot

    from gampl.files.root import has_lists, the_tree

    del names, labels
    with uproot.open({path: None}, object_cache=None, array_cache=None) as file:
        tree = the_tree(path, file, sample)
        flat = [name for name in tree.keys(recursive=True) if has_lists(tree[name]) is False]
        _require(path, wanted, flat)
        for start in range(0, tree.num_entries, ROWS):
            stop = min(start + ROWS, tree.num_entries)
            yield {name: np.asarray(tree[name].array(entry_start=start, entry_stop=stop)) for name in wanted}


def _hdf5(
    path: Path, wanted: list[str], sample: str | None, names: tuple[str, ...], labels: tuple[str, ...]
) -> Iterator[Batch]:
    import h5py

    del labels
    with h5py.File(path, "r", locking=False) as file:
        groups = [name for name, item in file.items() if isinstance(item, h5py.Group)]
        if sample is None and len(groups) == 1 and len(file) == 1:
            sample = groups[0]
        if sample is not None and sample not in file:
            raise EventFileError(f"{path}: holds {', '.join(file) or 'nothing'}, not {sample!r}")
        table = file if sample is None else file[sample]
        if isinstance(table, h5py.Dataset):
            columns = _of_array(path, table.shape, table.dtype, names)
            _require(path, wanted, columns)
            for start in range(0, table.shape[0], ROWS):
                yield _from_array(np.asarray(table[start : start + ROWS]), columns, wanted)
            return
        there = [name for name, item in table.items() if isinstance(item, h5py.Dataset)]
        _require(path, wanted, there)
        lengths = {name: len(table[name]) for name in wanted if table[name].shape}
        if len(lengths) < len(wanted) or len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise EventFileError(f"{path}: columns have different lengths, {said}; expected the same")
        for start in range(0, lengths[wanted[0]], ROWS):
            yield {name: np.asarray(table[name][start : start + ROWS]) for name in wanted}


def _numpy(
    path: Path, wanted: list[str], sample: str | None, names: tuple[str, ...], labels: tuple[str, ...]
) -> Iterator[Batch]:
    from gampl.files.arrays import ArrayStream

    del labels
    with path.open("rb") as file:
        alone = file.read(2) != b"PK"
    if alone:
        _one_table(path, sample)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        columns = _of_array(path, array.shape, array.dtype, names)
        _require(path, wanted, columns)
        for start in range(0, array.shape[0], ROWS):
            yield _from_array(np.asarray(array[start : start + ROWS]), columns, wanted)
        return
    with ExitStack() as opened:
        archive = opened.enter_context(zipfile.ZipFile(path))
        there = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

        def stream(name: str) -> ArrayStream:
            return ArrayStream(path, name, opened.enter_context(archive.open(f"{name}.npy")))  # type: ignore[arg-type]

        if sample is None and len(there) == 1 and there[0] not in wanted:
            sample = there[0]
        _require(path, wanted if sample is None else [sample], there)
        streams: Mapping[str, ArrayStream] = {name: stream(name) for name in ([sample] if sample else wanted)}
        lengths = {name: s.shape[0] if s.shape else 0 for name, s in streams.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise EventFileError(f"{path}: arrays have different lengths, {said}; expected the same")
        for start in range(0, next(iter(lengths.values())), ROWS):
            n = min(ROWS, next(iter(lengths.values())) - start)
            read = {name: s.rows(n) for name, s in streams.items()}
            if sample is None:
                yield read
                continue
            columns = _of_array(path, read[sample].shape, read[sample].dtype, names)
            _require(path, wanted, columns)
            yield _from_array(read[sample], columns, wanted)


def _of_array(path: Path, shape: tuple[int, ...], dtype: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns of an array."""
    if dtype.names:
        return tuple(dtype.names)
    if len(shape) not in (1, 2):
        raise EventFileError(f"{path}: has an array of shape {shape}, expected (events,) or (events, columns)")
    n = 1 if len(shape) == 1 else shape[1]
    if names and len(names) != n:
        raise EventFileError(f"{path}: has {n} columns, expected {len(names)}: {', '.join(names)}")
    return names or tuple(f"x{k + 1}" for k in range(n))


def _from_array(array: NDArray[Any], columns: Sequence[str], wanted: Sequence[str]) -> Batch:
    if array.dtype.names:
        return {name: array[name] for name in wanted}
    table = array[:, None] if array.ndim == 1 else array
    return {name: table[:, columns.index(name)] for name in wanted}


def _one_table(path: Path, sample: str | None) -> None:
    if sample is not None:
        raise EventFileError(f"{path}: holds one table, expected no sample, got {sample!r}")


_READERS = {"csv": _csv, "parquet": _parquet, "root": _root, "hdf5": _hdf5, "numpy": _numpy}
