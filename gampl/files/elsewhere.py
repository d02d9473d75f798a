"""Reading in a process of its own, for libraries that a damaged or hostile file can crash.

HDF5 and the decompressors of hdf5plugin, Arrow's readers, uproot, and the parsers of HepMC and LHE follow sizes and
numbers of a file without checking all of them, and take Python, or all of its memory, with them where these are wrong.
Here only the process that reads is lost, and the error says so. It may use `MEMORY`, and `SECONDS` of a processor for
each part that it hands over.

One process reads a file after another until one crashes it, and makes the next part while the last one is used. Its
messages are of MessagePack, their sizes before them and the numbers of arrays behind them; nothing is pickled.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, Any, ClassVar, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from gampl.files.checks import Chunk
from gampl.files.source import EventFileError, MissingPackageError, OpenFile, Told, guarded
from gampl.files.tables import Labels

MEMORY = 4 << 30  # bytes
SECONDS = 300
SIZE = 8  # bytes of a message's size
T = TypeVar("T")
Part = Chunk | dict[str, Any] | str


class Task(msgspec.Struct):
    """What to read, and by which function."""

    function: str
    arguments: Sequence[Any]
    path: bytes
    told: Told


Request: Any = Task | bool  # bool: whether the next part is wanted


class Message(msgspec.Struct):
    """What was read, what is wrong, or, where it holds nothing, the end."""

    chunk: Chunk | None = None
    columns: dict[str, NDArray[Any]] | None = None
    labels: dict[str, Labels] | None = None  # as further columns
    word: str | None = None
    error: bytes | None = None  # it may name a file that is not UTF-8
    is_missing: bool = False  # the error is that of a package that is not installed

    @classmethod
    def of(cls, part: Part) -> "Message":
        """The message that a part is sent in."""
        if isinstance(part, str):
            return cls(word=part)
        if isinstance(part, Chunk):
            return cls(chunk=part)
        labels = {name: column for name, column in part.items() if isinstance(column, Labels)}
        return cls(columns={name: part[name] for name in part if name not in labels}, labels=labels)

    @property
    def part(self) -> Part | None:
        """The part that was sent."""
        columns = None if self.columns is None else self.columns | (self.labels or {})
        return next((part for part in (self.chunk, columns, self.word) if part is not None), None)


def search_path() -> list[str]:
    """Where an interpreter that we start looks for code: as this one, but in the current folder only at the end.

    A file with the name of a module, such as ``json.py``, may lie in any folder.
    """
    here = os.getcwd()
    return sorted((folder or here for folder in sys.path), key=lambda folder: os.path.realpath(folder) == here)


def parts(function: str, source: OpenFile, *arguments: Any) -> Iterator[Any]:
    """What a function, ``package.module:name``, yields for a source: chunks, columns by name, or words.

    An EventFileError for what the other process raised, or if it crashed or exceeded its limits, and a
    MissingPackageError if it lacks a package.
    """
    task = Task(function, arguments, os.fsencode(source.path), source.told)
    reader = Reader.idle()
    answer = reader.ask(task)
    if answer is None and reader.has_read:  # a file before this one may have harmed it
        reader.leave(is_well=False)
        reader = Reader()
        answer = reader.ask(task)
    is_well = answer is not None
    try:
        while answer is not None:
            if answer.error is not None:
                kind = MissingPackageError if answer.is_missing else EventFileError
                raise kind(answer.error.decode(errors="surrogatepass"))
            if (part := answer.part) is None:
                return
            yield part
            is_well = False  # if this is interrupted
            answer = reader.ask(True)
            is_well = answer is not None
        limits = f"{SECONDS} s of a processor for each part, {MEMORY >> 30} GiB of memory"
        raise source.error(
            f"the process that read it {reader.ending()}, expected an undamaged file within its limits, {limits}"
        )
    finally:
        reader.leave(is_well)


class Reader:
    """A process that reads a file after another; see `main`."""

    running: ClassVar[set["Reader"]] = set()  # kept until they end, also where nobody asks for more of a file
    waiting: ClassVar[list["Reader"]] = []  # for its next file: one

    def __init__(self) -> None:
        self.has_read = False
        self._place = os.getcwd(), os.pathsep.join(search_path())
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": self._place[1]},
        )
        self._requests, self._answers = (cast("IO[bytes]", end) for end in (self._process.stdin, self._process.stdout))
        self.running.add(self)

    @classmethod
    def idle(cls) -> "Reader":
        """The one that waits, or a new one if there is none for the present folder and search path."""
        with contextlib.suppress(IndexError):
            reader = cls.waiting.pop()
            if reader._place == (os.getcwd(), os.pathsep.join(search_path())):
                return reader
            reader.end()
        return cls()

    def ask(self, what: Task | bool) -> Message | None:
        """The first part of a task, or the next one; None if the process has ended."""
        with contextlib.suppress(BrokenPipeError, EOFError):
            _send(what, self._requests)
            return _received(self._answers, Message)
        return None

    def leave(self, is_well: bool) -> None:
        """Lets it wait for its next file; ends it if it is not well, another one waits, or all have been ended."""
        if not is_well or self.waiting or self not in self.running:
            self.end()
            return
        self.has_read = True
        with contextlib.suppress(BrokenPipeError):
            _send(False, self._requests)
        self.waiting.append(self)

    def end(self) -> None:
        """Ends it."""
        self.running.discard(self)
        self._process.kill()
        with contextlib.suppress(BrokenPipeError), self._process:
            pass  # closes the pipes and waits

    def ending(self) -> str:
        """How it ended, in words."""
        status = self._process.wait()
        return "exceeded its time" if status == -signal.SIGXCPU else f"crashed (status {status})"


@atexit.register
def _end_all() -> None:
    Reader.waiting.clear()
    for reader in [*Reader.running]:
        reader.end()


if hasattr(os, "register_at_fork"):  # a copy of this process must not use the same readers
    os.register_at_fork(after_in_child=Reader.waiting.clear)
    os.register_at_fork(after_in_child=Reader.running.clear)


def _send(what: Any, stream: IO[bytes]) -> None:
    arrays: list[NDArray[Any]] = []

    def said(array: Any) -> Any:
        if not isinstance(array, np.ndarray):  # what else a file says about its events
            return str(array)
        arrays.append(np.ascontiguousarray(array))
        return array.dtype.str, array.shape

    content = msgspec.msgpack.encode(what, enc_hook=said)
    stream.write(len(content).to_bytes(SIZE) + content)
    for array in arrays:
        stream.write(_bytes(array))
    stream.flush()


def _received(stream: IO[bytes], kind: type[T]) -> T:
    """What was sent; an EOFError if the other process has ended."""

    def array(_: type, said: tuple[str, list[int]]) -> NDArray[Any]:
        dtype, shape = said
        numbers = np.empty(shape, dtype)
        if stream.readinto(_bytes(numbers)) < numbers.nbytes:  # type: ignore[attr-defined]
            raise EOFError
        return numbers

    content = stream.read(int.from_bytes(stream.read(SIZE)))
    if not content:
        raise EOFError
    return msgspec.msgpack.decode(content, type=kind, dec_hook=array)


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


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


def _parts(task: Task, source: OpenFile) -> Iterator[Part]:
    yield from resolve_name(task.function)(source, *task.arguments)


def _answers(task: Task) -> Iterator[Message]:
    """All that is said about a file: its parts and that they end, or what is wrong."""
    path = Path(os.fsdecode(task.path))
    try:
        _limit()
        with path.open("rb") as file:
            for part in guarded(path, _parts(task, OpenFile(path, file, *task.told)), _length, may_be_empty=True):
                yield Message.of(part)
                _limit()
        yield Message()
    except (ValueError, OSError, ImportError) as error:
        is_missing = isinstance(error, MissingPackageError)
        yield Message(error=str(error).encode(errors="surrogatepass"), is_missing=is_missing)


def main() -> None:
    """The other process's work: a file after another, and the next part before it is asked for."""
    # what the libraries print on their own is for nobody: the channel is moved away from standard output first, and
    # not to the place of a standard error that is closed, which is taken before
    with (
        open(os.devnull, "r+b") as nothing,
        os.fdopen(os.dup(0), "rb") as requests,
        os.fdopen(os.dup(1), "wb") as stream,
    ):
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)
        answers: Iterator[Message] = iter(())
        ahead = None
        with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
            while True:
                request = _received(requests, Request)
                if isinstance(request, Task):
                    answers = _answers(request)
                    ahead = next(answers)
                elif not request:
                    answers, ahead = iter(()), None
                if request:
                    _send(ahead, stream)
                    ahead = next(answers, None)
