"""Prints SHA-256 sums of what a run has made, so that two commits can be compared on the same machine.

Sums are of the arrays of each trained artifact by the training's name (neither keys nor names of parameters count), of
each recorded number by notebook, of the data in files of events, and of `gampl`'s JSON without time and command.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from gampl.store.artifacts import ARRAYS, Store
from gampl_book import read_results

INCIDENTAL = ("time", "command", "seconds", "versions")


def fingerprint(
    build: Path | None, store: Path | None, events: list[Path], outputs: list[Path], compare: Path | None
) -> int:
    """Prints the sums, or what differs from earlier ones; returns 1 if something does."""
    ours = dict(of_run(build, Store(store))) if build else {}
    ours |= {f"events {path.name}": _of_events(path) for path in events}
    for path in outputs:
        content = json.loads(path.read_text(encoding="utf-8"))
        ours[f"output {path.name}"] = _sum({name: content[name] for name in content if name not in INCIDENTAL})
    if compare is None:
        print(json.dumps(ours, indent=1))
        return 0
    theirs = json.loads(compare.read_text(encoding="utf-8"))
    every = theirs | ours
    differing = [name for name in every if theirs.get(name) != ours.get(name)]
    for name in differing:
        print(f"{name}: {'only there' if name not in ours else 'only here' if name not in theirs else 'differs'}")
    print(f"{len(every) - len(differing)} of {len(every)} are equal", file=sys.stderr)
    return 1 if differing else 0


def of_run(build: Path, store: Store) -> Iterator[tuple[str, str]]:
    """The arrays of each training, by its receipt, and each number that a notebook recorded, with its interval."""
    for receipt in sorted((build / "receipts").rglob("*.json")):
        for name, about in json.loads(receipt.read_text(encoding="utf-8")).items():
            folders = [Store(root).path(about["artifact"]) for root in (*store.kept, store.root)]
            arrays = next((load_file(folder / ARRAYS) for folder in folders if folder.exists()), {})
            yield f"training {name}", _sum(sorted(map(_of_array, arrays.values()))) if arrays else "not in the store"
    for notebook, recorded in read_results(build / "results").items():
        yield from ((f"number {notebook}.{name}", _sum(number)) for name, number in recorded["numbers"].items())


def _of_events(path: Path) -> str:
    """The data sets of an HDF5 file; its attributes, such as versions of programs, do not count."""
    with h5py.File(path) as file:
        names = list[str]()
        file.visit(names.append)
        return _sum({name: _of_array(np.asarray(file[name])) for name in names if isinstance(file[name], h5py.Dataset)})


def _of_array(array: NDArray[Any]) -> str:
    numbers = repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes()
    return hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode() + numbers).hexdigest()


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
