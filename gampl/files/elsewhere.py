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
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk, EventFileError, guarded
from gampl.files.layout import Layout

VALUES = "values"


def chunks(module: str, path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """What ``gampl.files.<module>.chunks_here`` yields for the same arguments.

    Raises:
        EventFileError: What the other process raised, or that it crashed.
    """
    task = {"module": module, "path": str(path), "sample": sample, "layout": asdict(layout), "rows": rows}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", f"import sys; from {__name__} import main; main(sys.argv[1])", json.dumps(task)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as process:
        stream = cast("IO[bytes]", process.stdout)
        try:
            ended = False
            while line := stream.readline():
                said = json.loads(line)
                if "error" in said:
                    raise EventFileError(said["error"])
                ended = "end" in said
                if not ended:
                    yield _receive(path, said, stream)
            if not ended:
                raise EventFileError(
                    f"{path}: the process that read it crashed (status {process.wait()}), expected an undamaged file"
                )
        finally:
            process.kill()


def _receive(path: Path, said: dict[str, Any], stream: IO[bytes]) -> Chunk:
    arrays = {}
    for name, (dtype, shape) in said["arrays"].items():
        content = bytearray(int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize)
        view, n_read = memoryview(content), 0
        while n_read < len(content):
            n = stream.readinto(view[n_read:])  # type: ignore[attr-defined]
            if not n:
                raise EventFileError(
                    f"{path}: the process that read it crashed, expected {len(content)} bytes of {name}"
                )
            n_read += n
        arrays[name] = np.frombuffer(content, dtype=dtype).reshape(shape)
    values = arrays.pop(VALUES)
    return Chunk(values, tuple(said["particles"]), said["coordinates"], said["unit"], arrays, said["about"])


def _send(chunk: Chunk, stream: IO[bytes]) -> None:
    arrays: dict[str, NDArray[Any]] = {VALUES: chunk.values, **chunk.columns}
    said = {
        "particles": chunk.particles,
        "coordinates": list(chunk.coordinates),
        "unit": chunk.unit,
        "about": dict(chunk.about),
        "arrays": {name: (values.dtype.str, values.shape) for name, values in arrays.items()},
    }
    stream.write(json.dumps(said).encode() + b"\n")
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
            module = importlib.import_module(f"gampl.files.{task['module']}")
            layout = Layout(**task["layout"])
            found = module.chunks_here(path, sample=task["sample"], layout=layout, rows=task["rows"])
            for chunk in guarded(path, found, len):
                _send(chunk, stream)
            stream.write(b'{"end": true}\n')
        except (ValueError, OSError) as error:
            with contextlib.suppress(BrokenPipeError):
                stream.write(json.dumps({"error": str(error)}).encode() + b"\n")
