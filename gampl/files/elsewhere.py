"""Reading in a process of its own, for libraries that a damaged file can crash.

The decompressors of hdf5plugin and the parser of HepMC follow sizes and numbers that a file gives without checking all
of them, and take Python with them where these are wrong. Here only the process that reads is lost, and the error says
so. It writes messages of MessagePack, their sizes before them; nothing is pickled.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, cast

import msgspec
import numpy as np

from gampl.files.checks import Chunk
from gampl.files.source import EventFileError, Layout, OpenFile, guarded

SIZE = 8  # bytes of a message's size
Message = Chunk | str | None  # what was read, what is wrong, or the end
Task = tuple[str, str, str | None, Layout, int]  # function, path, sample, layout, rows


def search_path() -> list[str]:
    """Where an interpreter that we start looks for code: as this one, but in the current folder only at the end.

    A file with the name of a module, such as ``json.py``, may lie in any folder.
    """
    here = os.getcwd()
    return sorted((folder or here for folder in sys.path), key=lambda folder: os.path.realpath(folder) == here)


def chunks(read: Callable[[OpenFile], Iterator[Chunk]], source: OpenFile) -> Iterator[Chunk]:
    """What a module's function yields for a source; an EventFileError for what the other process raised, or a crash."""
    function = f"{read.__module__}:{read.__name__}"
    task: Task = function, str(source.path), source.sample, source.layout, source.rows
    command = [sys.executable, "-P", "-c", f"import sys; from {__name__} import main; main(sys.argv[1])"]
    command.append(msgspec.json.encode(task).decode())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search_path())}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as process:
        stream = cast("IO[bytes]", process.stdout)
        try:
            while content := stream.read(int.from_bytes(stream.read(SIZE))):
                message = msgspec.msgpack.decode(content, type=Message, dec_hook=_array)
                if message is None:
                    return
                if isinstance(message, str):
                    raise EventFileError(message)
                yield message
            status = process.wait()
            raise source.error(f"the process that read it crashed (status {status}), expected an undamaged file")
        finally:
            process.kill()


def _array(_: type, parts: tuple[str, list[int], bytes]) -> object:
    dtype, shape, numbers = parts
    return np.frombuffer(numbers, dtype=dtype).reshape(shape)


def _send(message: Message, stream: IO[bytes]) -> None:
    content = msgspec.msgpack.encode(message, enc_hook=lambda array: (array.dtype.str, array.shape, array.tobytes()))
    stream.write(len(content).to_bytes(SIZE) + content)
    stream.flush()


def main(text: str) -> None:
    """The other process's work."""
    function, name, sample, layout, rows = msgspec.json.decode(text, type=Task)
    # what the libraries print on their own is for nobody: the channel is moved away from standard output first
    with os.fdopen(os.dup(1), "wb") as stream, open(os.devnull, "wb") as nothing:
        for descriptor in (1, 2):
            os.dup2(nothing.fileno(), descriptor)
        try:
            with (path := Path(name)).open("rb") as file:
                source = OpenFile(path, file, sample, layout, rows=rows)
                for chunk in guarded(path, resolve_name(function)(source), len):
                    _send(chunk, stream)
            _send(None, stream)
        except (ValueError, OSError, ImportError) as error:
            with contextlib.suppress(BrokenPipeError):
                _send(str(error), stream)
