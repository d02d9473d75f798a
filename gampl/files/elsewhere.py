"""Reading in a process of its own, for libraries that a damaged or hostile file can crash.

HDF5 and the decompressors of hdf5plugin, Arrow's reader of Parquet and the parser of HepMC follow sizes and numbers of
a file without checking all of them, and take Python with them where these are wrong. Here only the process that reads
is lost, and the error says so. It may use `MEMORY`, and `SECONDS` of a processor for each part that it hands over. It
writes messages of MessagePack, their sizes before them; nothing is pickled.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk
from gampl.files.source import EventFileError, Layout, OpenFile, guarded, library_calls

MEMORY = 4 << 30  # bytes
SECONDS = 300
SIZE = 8  # bytes of a message's size
Part = Chunk | dict[str, NDArray[Any]] | str
# function and its arguments, path, sample, layout, names, labels, rows
Task = tuple[str, Sequence[Any], bytes, str | None, Layout, Sequence[str], Sequence[str], int]


class Message(msgspec.Struct):
    """What was read, what is wrong, or, where it holds nothing, the end."""

    chunk: Chunk | None = None
    columns: dict[str, NDArray[Any]] | None = None
    word: str | None = None
    error: bytes | None = None  # it may name a file that is not UTF-8


def search_path() -> list[str]:
    """Where an interpreter that we start looks for code: as this one, but in the current folder only at the end.

    A file with the name of a module, such as ``json.py``, may lie in any folder.
    """
    here = os.getcwd()
    return sorted((folder or here for folder in sys.path), key=lambda folder: os.path.realpath(folder) == here)


def parts(function: str, source: OpenFile, *arguments: Any) -> Iterator[Any]:
    """What a function, ``package.module:name``, yields for a source: chunks, columns by name, or words.

    An EventFileError for what the other process raised, or if it crashed or exceeded its limits.
    """
    with library_calls(source.path, "read it"):
        resolve_name(function)  # says here if a package is missing
    labels = list(source.labels)
    where = os.fsencode(source.path)
    task: Task = function, arguments, where, source.sample, source.layout, source.names, labels, source.rows
    command = [sys.executable, "-P", "-c", f"import sys; from {__name__} import main; main(sys.argv[1])"]
    command.append(msgspec.json.encode(task).decode())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search_path())}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as process:
        stream = cast("IO[bytes]", process.stdout)
        try:
            while content := stream.read(int.from_bytes(stream.read(SIZE))):
                message = msgspec.msgpack.decode(content, type=Message, dec_hook=_array)
                if message.error is not None:
                    raise EventFileError(message.error.decode(errors="surrogatepass"))
                found = (message.chunk, message.columns, message.word)
                if found == (None, None, None):
                    return
                yield next(part for part in found if part is not None)
            status = process.wait()
            limits = f"{SECONDS} s of a processor for each part, {MEMORY >> 30} GiB of memory"
            what = "exceeded its time" if status == -signal.SIGXCPU else f"crashed (status {status})"
            raise source.error(
                f"the process that read it {what}, expected an undamaged file within its limits, {limits}"
            )
        finally:
            process.kill()


def _array(_: type, parts: tuple[str, list[int], Any]) -> NDArray[Any]:
    dtype, shape, numbers = parts
    if dtype == "O":  # texts
        return np.array(numbers, dtype=object).reshape(shape)
    return np.frombuffer(numbers, dtype=dtype).reshape(shape)


def _plain(array: NDArray[Any]) -> tuple[str, tuple[int, ...], Any]:
    if array.dtype.hasobject:
        return "O", array.shape, array.ravel().tolist()
    return array.dtype.str, array.shape, array.tobytes()


def _send(message: Message, stream: IO[bytes]) -> None:
    content = msgspec.msgpack.encode(message, enc_hook=_plain)
    stream.write(len(content).to_bytes(SIZE) + content)
    stream.flush()


def _message(part: Part) -> Message:
    if isinstance(part, str):
        return Message(word=part)
    return Message(chunk=part) if isinstance(part, Chunk) else Message(columns=part)


def _length(part: Part) -> int:
    return len(next(iter(part.values()))) if isinstance(part, dict) else len(part) if isinstance(part, Chunk) else 0


def _limit() -> None:
    """Sets the limits anew; systems without them, or with lower ones, keep their own."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        for kind, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_CPU, int(used) + SECONDS)):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(text: str) -> None:
    """The other process's work."""
    function, arguments, name, sample, layout, names, labels, rows = msgspec.json.decode(text, type=Task)
    # what the libraries print on their own is for nobody: the channel is moved away from standard output first
    with os.fdopen(os.dup(1), "wb") as stream, open(os.devnull, "wb") as nothing:
        for descriptor in (1, 2):
            os.dup2(nothing.fileno(), descriptor)
        path = Path(os.fsdecode(name))
        try:
            _limit()
            with path.open("rb") as file:
                source = OpenFile(path, file, sample, layout, tuple(names), labels, rows)
                found = resolve_name(function)(source, *arguments)
                for part in guarded(path, found, _length, may_be_empty=True):
                    _send(_message(part), stream)
                    _limit()
            _send(Message(), stream)
        except (ValueError, OSError, ImportError) as error:
            with contextlib.suppress(BrokenPipeError):
                _send(Message(error=str(error).encode(errors="surrogatepass")), stream)
