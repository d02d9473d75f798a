"""Tables and events as the bytes of a file, of the kind that the ending of its name says."""

import csv
import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from gampl.files import hdf5
from gampl.files.arrays import MOMENTA, PARTICLES
from gampl.files.reading import KINDS, EventFile
from gampl.particles.events import Events

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": " ", ".dat": " "}
HDF5 = (".h5", ".hdf5")
OF_EVENTS = (*HDF5, ".npz")
OF_TABLES = (*SEPARATORS, ".npy", *OF_EVENTS, ".parquet", ".pq", ".feather", ".arrow")
SAMPLE = "events"


def ending(path: Path, *, of_events: bool = False) -> str:
    """The ending of an output's name; without any, as pipes are, .h5 for events of particles and .csv for tables.

    A ValueError if nothing can be written as what it says.
    """
    known, own = OF_EVENTS if of_events else OF_TABLES, path.suffix.lower()
    if own not in ("", *known):
        what = "events of particles" if of_events else "a table"
        raise ValueError(f"{path}: {what} cannot be written as {own}, expected one of {', '.join(known)}")
    return own or (".h5" if of_events else ".csv")


def read_whole(file: EventFile, output: Path) -> Events | dict[str, NDArray[Any]]:
    """All of a file, to be written as what the output's name says: events of particles, or columns as they are.

    Particles in columns are columns of a table, unless the output is of events. Texts stay as they are written in text
    with decimal points only. An EventFileError if a column has lists, or is otherwise not one of a table.
    """
    is_table = KINDS[file.kind].table and not (file.holds_particles and output.suffix.lower() in OF_EVENTS)
    how = ending(output, of_events=not is_table)
    if not is_table:
        return Events.concatenate([*file.events()])
    table = replace(file, holds_particles=False)
    names = table.held_names(is_number=False)
    is_text = file.kind == "csv" and (how not in SEPARATORS or file.decimal == ",")
    parts = [*table.columns(names, () if is_text else names)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def content(path: Path, values: Events | Mapping[str, NDArray[Any]]) -> bytes:
    """Events, or columns of shape (n,), as a file of the kind that its name says, see `ending`.

    HDF5 files of events are the project's own, in single precision; numbers of all others are kept as they are.
    """
    how = ending(path, of_events=isinstance(values, Events))
    if isinstance(values, Events) and how in HDF5:
        about = dict(values.about)
        return hdf5.content(path, {SAMPLE: values}, str(about.pop("process", "unknown")), about)
    if isinstance(values, Events):
        values = {MOMENTA: values.momenta, PARTICLES: np.array(values.particles), **values.columns}
    if how in SEPARATORS:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=SEPARATORS[how], lineterminator="\n")
        writer.writerow(values)
        writer.writerows(zip(*(column.tolist() for column in values.values()), strict=True))
        return text.getvalue().encode()
    stream = io.BytesIO()
    if how == ".npz":
        with zipfile.ZipFile(stream, "w") as archive:
            for name, column in values.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, _plain(column), allow_pickle=False)
    elif how == ".npy":
        columns = [_plain(column) for column in values.values()]
        records = np.rec.fromarrays(columns, dtype=[(name, x.dtype) for name, x in zip(values, columns, strict=True)])
        np.lib.format.write_array(stream, np.asarray(records), allow_pickle=False)
    elif how in HDF5:
        with h5py.File(stream, "w", libver=("v110", "v110")) as file:
            for name, column in values.items():
                texts = [str(text).encode() for text in column] if column.dtype.kind in "OU" else None
                hdf5.save(file, name, column if texts is None else np.array(texts))
    else:
        import pyarrow as pa
        from pyarrow import feather, parquet

        write = parquet.write_table if how.startswith(".p") else feather.write_feather
        write(pa.table(dict(values)), stream)
    return stream.getvalue()


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """The same without objects, which NumPy would pickle: texts."""
    return values.astype(str) if values.dtype.hasobject else values
