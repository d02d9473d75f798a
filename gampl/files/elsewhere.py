"""Reading in a process of its own, for libraries that a damaged file can crash.

The decompressors of hdf5plugin and the parser of HepMC follow sizes and numbers that a file gives without checking all
of them, and take Python with them where these are wrong. Here only the process that reads is lost, and the error says
so.

The other process writes, for each chunk, a line of JSON and the bytes of its arrays. Nothing is pickled.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError, guarded
from gampl.files.layout import Layout, OpenFile

VALUES = "values"


def chunks(read: Callable[[OpenFile], Iterator[Chunk]], source: OpenFile) -> Iterator[Chunk]:
    """What a function of a module yields for a source.

    Raises:
        EventFileError: What the other process raised, or that it crashed.
    """
    task = {
        "module": read.__module__,
        "function": read.__name__,
        "path": str(source.path),
        "sample": source.sample,
        "layout": asdict(source.layout),
        "rows": source.rows,
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", f"import sys; from {__name__} import main; main(sys.argv[1])", json.dumps(task)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as process:
        stream = cast("IO[bytes]", process.stdout)
        try:
            has_ended = False
            while line := stream.readline():
                message = json.loads(line)
                if "error" in message:
                    raise EventFileError(message["error"])
                has_ended = "end" in message
                if not has_ended:
                    yield _receive(source.path, message, stream)
            if not has_ended:
                raise EventFileError(
                    f"{source.path}: the process that read it crashed (status {process.wait()}),"
                    " expected an undamaged file"
                )
        finally:
            process.kill()


def _receive(path: Path, message: dict[str, Any], stream: IO[bytes]) -> Chunk:
    arrays = {}
    for name, (dtype, shape) in message["arrays"].items():
        size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
        content = stream.read(size)
        if len(content) != size:
            raise EventFileError(f"{path}: the process that read it crashed, expected {size} bytes of {name}")
        arrays[name] = np.frombuffer(content, dtype=dtype).reshape(shape)
    values = arrays.pop(VALUES)
    return Chunk(values, tuple(message["particles"]), message["coordinates"], message["unit"], arrays, message["about"])


def _send(chunk: Chunk, stream: IO[bytes]) -> None:
    arrays: dict[str, NDArray[Any]] = {VALUES: chunk.values, **chunk.columns}
    message = {
        "particles": chunk.particles,
        "coordinates": list(chunk.coordinates),
        "unit": chunk.unit,
        "about": dict(chunk.about),
        "arrays": {name: (values.dtype.str, values.shape) for name, values in arrays.items()},
    }
    stream.write(json.dumps(message).encode() + b"\n")
    for values in arrays.values():
        stream.write(np.ascontiguousarray(values).data)
    stream.flush()


def main(text: str) -> None:
    """The other process's work."""
    task = json.loads(text)
    path = Path(task["path"])
    # what the libraries print on their own is for nobody: the channel is moved away from standard output first
    with os.fdopen(os.dup(1), "wb") as stream, open(os.devnull, "wb") as nothing:
        for descriptor in (1, 2):
            os.dup2(nothing.fileno(), descriptor)
        try:
            read = getattr(importlib.import_module(task["module"]), task["function"])
            with path.open("rb") as file:
                source = OpenFile(path, file, task["sample"], Layout(**task["layout"]), rows=task["rows"])
                for chunk in guarded(path, read(source), len):
                    _send(chunk, stream)
            stream.write(b'{"end": true}\n')
        except (ValueError, OSError, ImportError) as error:
            with contextlib.suppress(BrokenPipeError):
                stream.write(json.dumps({"error": str(error)}).encode() + b"\n")
