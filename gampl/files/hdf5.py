"""HDF5: the project's own files of events and of their observables, and columns of users' files.

Our own hold float32 (pT, phi, eta, m), compressed, with everything said about them. File attributes are ``format``,
``format_version``, ``process`` and what else is known (settings, versions), and each sample is a group::

    train/momenta   (n, particles, 4) float32, attributes coordinates, units, particles
    train/weight    (n,) float32; likewise any other number of an event
    train/shards    (k, 3) int64: seed, generated, accepted of the runs that the rows come from, in order

Files of observables have a column of float32 for each instead of momenta, so that any program reads them as a table.
The same input gives the same bytes: nothing in a file depends on the time or the machine. All of its parts carry
checksums, so that a damaged file is an error and never other events.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.files import elsewhere, frames
from gampl.files.arrays import array_chunks, table_of
from gampl.files.checks import Chunk, check
from gampl.files.inside import Inside, opened
from gampl.files.source import EventFileError, Layout, Names, OpenFile, chosen, floats, library_calls
from gampl.files.tables import Table
from gampl.particles.events import Events
from gampl.particles.kinematics import COORDINATES
from gampl.store import targets

FORMAT, OBSERVABLES, VERSION = "gampl events", "gampl observables", 1
MOMENTA, SHARDS = "momenta", "shards"
UNITS = ("GeV", "rad", "1", "GeV")
SHARD_COLUMNS = ("seed", "generated", "accepted")
# 400 kB of six particles. Splitting particles or coordinates into chunks of their own, larger chunks and a higher level
# of compression gain 2 % of size together: three quarters of the bits are digits that no coding shortens.
ROWS_PER_CHUNK, LEVEL = 4096, 6
MOST_NESTED = 16  # groups
LONGEST_ATTRIBUTE = 60_000  # bytes; HDF5 itself ends at 64 kB

Samples = Mapping[str, Events] | Mapping[str, Mapping[str, Floats]]  # by name
About = Mapping[str, Any]
Shards = Mapping[str, NDArray[np.int64]]  # of samples, by their names


def write(path: Path | str, samples: Samples, process: str, about: About, shards: Shards | None = None) -> None:
    """Writes samples of events, by name (``train`` and ``holdout``, or ``events``), to one file, all or nothing.

    The arguments and errors are those of `content`, which makes it.
    """
    targets.write(Path(path), content(path, samples, process, about, shards))


def content(path: Path | str, samples: Samples, process: str, about: About, shards: Shards | None = None) -> bytes:
    """The bytes of a file of samples of events, by name, which errors call by its path.

    A sample may also be observables alone: by name, shape (n,), NaN where an event has none. `process` is what was
    made, such as ``top_pair``. `about` are further attributes: strings and numbers as they are, anything else as JSON.
    `shards` are, by sample, the seeds that its rows come from, in order, with the numbers of events generated and
    accepted, shape (k, 3). An EventFileError if the events are not what `gampl.files.read` would accept; a ValueError
    if there is no sample, a name cannot be used, or an attribute is too long or not JSON.
    """
    shards = shards or {}
    if not samples or not shards.keys() <= samples.keys():
        raise ValueError(f"samples must name at least one sample, and include those of shards, got {list(samples)}")
    if bad := [name for name in samples if not _is_name(name)]:
        raise ValueError(f"samples must have names without '/' that do not begin with '.', got {bad[0]!r}")
    kinds = {FORMAT if isinstance(given, Events) else OBSERVABLES for given in samples.values()}
    if len(kinds) > 1:
        raise ValueError("samples must all be of events, or all be of observables")
    attributes = {"format": kinds.pop(), "format_version": VERSION, "process": process}
    for name, value in about.items():
        if name in attributes and attributes[name] != value:
            raise ValueError(f"about[{name!r}] must be left out or {attributes[name]!r}, got {value!r}")
        attributes[name] = value
    # format v110: metadata with checksums; strings of fixed length, as those of varying length lie outside them
    with h5py.File(secrets.token_hex(8), "w", driver="core", backing_store=False, libver=("v110", "v110")) as file:
        for name in sorted(attributes):
            file.attrs[name] = _attribute(name, attributes[name])
        for sample in sorted(samples):
            group = file.create_group(sample)
            if isinstance(given := samples[sample], Events):
                n_events = _save_events(Path(path), group, given)
            else:
                n_events = _save_observables(Path(path), group, given)
            if sample in shards:
                _save_shards(group, np.asarray(shards[sample]), n_events)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _save_events(path: Path, group: Any, events: Events) -> int:
    # what is stored is checked, after rounding
    with np.errstate(over="ignore"):
        momenta = events.momenta.astype("<f4")
        columns = {name: events.columns[name].astype("<f4") for name in sorted(events.columns)}
    check(path, 0, Chunk(momenta, events.particles, COORDINATES, columns), Layout(absent=True))
    if bad := [name for name in columns if name in (MOMENTA, SHARDS) or not _is_name(name)]:
        raise ValueError(f"columns must have names without '/', other than {MOMENTA} and {SHARDS}, got {bad[0]!r}")
    save(group, MOMENTA, momenta, coordinates=COORDINATES, units=UNITS, particles=events.particles)
    for name, values in columns.items():
        save(group, name, values)
    return len(events)


def _save_observables(path: Path, group: Any, observables: Mapping[str, Floats]) -> int:
    if bad := [name for name in observables if name == SHARDS or not _is_name(name)]:
        raise ValueError(f"observables must have names without '/', other than {SHARDS}, got {bad[0]!r}")
    columns = {name: np.asarray(observables[name]) for name in sorted(observables)}
    shapes = [values.shape for values in columns.values()]
    if not shapes or len(shapes[0]) != 1 or len(set(shapes)) != 1:
        raise ValueError(f"observables must be at least one, all of the same shape (n,), got {shapes}")
    for name, values in columns.items():
        save(group, name, floats(path, f"observable {name!r}", values).astype("<f4"))
    return int(shapes[0][0])


def _save_shards(group: Any, shards: NDArray[np.int64], n_events: int) -> None:
    if shards.ndim != 2 or shards.shape[1] != 3 or shards.dtype.kind not in "iu":
        raise ValueError(f"shards must be integers of shape (k, 3), got {shards.dtype} of shape {shards.shape}")
    if shards[:, 2].sum() != n_events:
        raise ValueError(f"shards must account for all {n_events} events, got {shards[:, 2].sum()} accepted")
    save(group, SHARDS, shards.astype("<i8"), columns=SHARD_COLUMNS)


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and not text.startswith(".")


def save(group: Any, name: str, values: NDArray[Any], **attributes: Names) -> None:
    """Writes a dataset of a group, compressed and with checksums."""
    filters: dict[str, Any] = {}
    if len(values):  # HDF5 has no chunks of nothing
        chunks = (min(len(values), ROWS_PER_CHUNK), *values.shape[1:])
        filters = {"chunks": chunks, "shuffle": True, "compression": "gzip", "compression_opts": LEVEL}
    dataset = group.create_dataset(name, data=values, fletcher32=bool(filters), **filters)
    for attribute, words in attributes.items():
        dataset.attrs[attribute] = np.array([word.encode() for word in words])


def _attribute(name: str, value: Any) -> Any:
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return value
    try:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, allow_nan=False)
        encoded = text.encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"about[{name!r}] must be text, a number or JSON ({error})") from error
    if len(encoded) > LONGEST_ATTRIBUTE or b"\0" in encoded:
        raise ValueError(f"about[{name!r}] must be at most {LONGEST_ATTRIBUTE} bytes of text, got {len(encoded)}")
    return np.array(encoded, dtype=f"S{max(len(encoded), 1)}")  # HDF5 has no texts of no bytes


def chunks(source: OpenFile) -> Iterator[Chunk]:
    """Momenta of one of our own files; its layout is its own."""
    with _our_file(source.path, FORMAT) as (file, about):
        group = _group(source, file)
        where = f"{source.path}: sample {group.group.name[1:]!r}"
        momenta = group.get(MOMENTA)
        if momenta is None or isinstance(momenta, Inside) or momenta.ndim != 3:
            raise EventFileError(f"{where}: expected a dataset {MOMENTA!r} of shape (events, particles, 4)")
        words = {name: _words(where, momenta, name) for name in ("particles", "coordinates", "units")}
        for attribute, expected in (("coordinates", COORDINATES), ("units", UNITS)):
            if words[attribute] != expected:
                listed = ", ".join(words[attribute])
                raise EventFileError(f"{where} has the {attribute} {listed}, expected {', '.join(expected)}")
        columns = {name: group[name] for name in group if name not in (MOMENTA, SHARDS)}
        yield from array_chunks(source, momenta, words["particles"], COORDINATES, columns, about)


@contextmanager
def table(source: OpenFile) -> Iterator[Table]:
    """Columns of anybody's file: the datasets of a group, those of a single dataset, or a frame of pandas.

    What is alone in the file or in a group need not be asked for by name.
    """
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401  registers filters that files of others may be compressed with
    with opened(source.path) as file:
        place = source.sample or ""
        item = file[chosen(source.path, place, file)] if place else file
        while isinstance(item, Inside) and len(item) == 1 and place.count("/") < MOST_NESTED:
            name = next(iter(item))
            if frames.is_frame(item) or not (isinstance(only := item[name], Inside) or only.dtype.names):
                break
            item, place = only, f"{place}/{name}".lstrip("/")
        if not isinstance(item, Inside):
            yield table_of(source, {str(source.sample): item})
            return
        if frames.is_frame(item):
            yield frames.table(source, item)
            return
        # shards are of the rows, but no column
        no_column = {SHARDS} if file.group.attrs.get("format") == OBSERVABLES.encode() else set()
        is_column = {name: name not in no_column and item.is_dataset(name) for name in item}
        others = [f"{place}/{name}".lstrip("/") for name in item if not is_column[name]]
        if len(others) == len(is_column):
            chosen(source.path, None, others)
        datasets = Inside(source.path, item.group, [name for name in item if is_column[name]])
        yield table_of(replace(source, sample=None), datasets)._replace(others=others)


def kind(source: OpenFile) -> Iterator[str]:
    """Whether an HDF5 file says that it is in our format, as one of `gampl.files.KINDS`."""
    with library_calls(source.path, "read it as HDF5"), h5py.File(source.path, "r", locking=False) as file:
        is_ours = "format" in file.attrs and _plain(file.attrs["format"]) == FORMAT
        yield "gampl" if is_ours else "hdf5"


def read_observables(path: Path | str, sample: str | None = None) -> dict[str, Floats]:
    """The observables of a sample by name, shape (n,); an EventFileError if the file is not one of observables."""
    return cast("dict[str, Floats]", _read("stored_observables", path, sample))


def read_about(path: Path | str) -> dict[str, Any]:
    """What a file says about its events: process, settings, versions."""
    return cast("dict[str, Any]", json.loads(_read("stored_about", path)))


def _read(function: str, path: Path | str, sample: str | None = None) -> Any:
    """What one of the functions below yields, in the process that reads."""
    with Path(path).open("rb") as stream:
        return next(elsewhere.parts(f"{__name__}:{function}", OpenFile(Path(path), stream, sample)))


def stored_observables(source: OpenFile) -> Iterator[dict[str, Floats]]:
    """The observables of a sample, by name."""
    with _our_file(source.path, OBSERVABLES) as (file, _):
        group = _group(source, file)
        values = {name: group[name][...] for name in group if name != SHARDS}
        if not values:
            raise source.error(f"sample {group.group.name[1:]!r} has no observables, expected at least one")
        n = len(next(iter(values.values())))
        yield {name: floats(source.path, f"observable {name!r}", column, n) for name, column in values.items()}


def stored_about(source: OpenFile) -> Iterator[str]:
    """What a file says about its events, as JSON."""
    with _our_file(source.path) as (_, said):
        yield json.dumps(said, default=str)


@contextmanager
def _our_file(path: Path, *kinds: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The open file, and what it says about its events."""
    with opened(path) as file:
        about = {name: _decoded(value) for name, value in file.group.attrs.items()}
        name, version = about.pop("format", None), about.pop("format_version", None)
        kinds = kinds or (FORMAT, OBSERVABLES)
        if name not in kinds or version != VERSION:
            expected = f"{' or '.join(map(repr, kinds))}, {VERSION}"
            raise EventFileError(f"{path}: has format {name!r}, version {version!r}; expected {expected}")
        yield file, about


def _group(source: OpenFile, file: Any) -> Any:
    group = file[chosen(source.path, source.sample, sorted(file))]
    if not isinstance(group, Inside):
        raise source.error(f"expected {group.name[1:]!r} to be a group of datasets")
    return group


def _decoded(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, str) and (value == "null" or value[:1] in ("{", "[")):
        return json.loads(value)
    return value


def _plain(value: Any) -> Any:
    """Texts, numbers and lists of Python, from those of numpy and HDF5."""
    if isinstance(value, bytes):
        return value.decode()
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _words(where: str, dataset: Any, attribute: str) -> Names:
    words = dataset.attrs.get(attribute)
    if not isinstance(words, np.ndarray) or words.ndim != 1:
        raise EventFileError(f"{where}: expected {MOMENTA!r} to have the attribute {attribute!r}, a list of words")
    return tuple(str(_plain(word)) for word in words)
