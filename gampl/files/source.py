"""An open file of events, what its reader is told, and the one error that says what is wrong with a file."""

import gzip
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar, cast

from gampl.files.layout import Layout

Part = TypeVar("Part")


class EventFileError(ValueError):
    """A file of events is not what it should be; says which file, which entry and what was expected."""


@dataclass(frozen=True, eq=False)
class OpenFile:
    """An open file, and what its reader is told."""

    path: Path  # for errors and for libraries that open it themselves
    stream: IO[bytes]
    sample: str | None = None  # which of its samples to read; None for the only one
    layout: Layout = field(default_factory=Layout)
    names: tuple[str, ...] = ()  # of its columns, if it does not say them
    labels: Collection[str] = ()  # columns that may hold texts
    rows: int = 100_000  # most events to read at a time

    def error(self, problem: str) -> EventFileError:
        """What to raise if something is wrong with it."""
        return EventFileError(f"{self.path}: {problem}")

    def start(self, size: int) -> bytes:
        """Its first bytes."""
        self.stream.seek(0)
        return self.stream.read(size)

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed with gzip."""
        return self.start(2) == b"\x1f\x8b"

    def unpacked(self) -> IO[bytes]:
        """Its bytes from the start, decompressed if need be; closing them leaves the file open."""
        is_packed = self.is_packed
        content = open(self.stream.fileno(), "rb", closefd=False)  # noqa: SIM115
        content.seek(0)
        return cast("IO[bytes]", gzip.GzipFile(fileobj=content)) if is_packed else content

    def column_names(self, n: int, own: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Names of its n columns: those that it was opened with, its own, or x1, x2 and so on."""
        names = self.names or own or tuple(f"x{k + 1}" for k in range(n))
        if len(names) != n:
            raise self.error(f"has {n} columns, expected {len(names)}: {', '.join(names)}")
        return names

    def slices(self, n: int) -> Iterator[slice]:
        """The rows from 0 to n, some at a time."""
        return (slice(start, min(start + self.rows, n)) for start in range(0, n, self.rows))


def chosen(path: Path, sample: str | None, samples: Collection[str], what: str = "samples") -> str:
    """The sample of a file that is asked for, or the only one; raises EventFileError if that is not one of them."""
    if sample is None and len(samples) == 1:
        return next(iter(samples))
    if sample is None or sample not in samples:
        held = f"the {what} {', '.join(samples)}" if samples else f"no {what}"
        asked = "" if sample is None else f", not {sample!r}"
        raise EventFileError(f"{path}: holds {held}{asked}; expected one, or sample= to be one of them")
    return sample


@contextmanager
def library_calls(path: Path, task: str) -> Iterator[None]:
    """Turns what a library says about a file into one sentence, and its warnings into nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "Parse Error", RuntimeWarning)  # pylhe's word for a file that ends early
            yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: files of its kind are read with {error.name}, which is not installed: pip install 'gampl[events]'"
        ) from error
    except (EventFileError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise EventFileError(f"{path}: cannot {task}, expected an undamaged and complete file ({reason})") from error


def guarded(path: Path, parts: Iterator[Part], length: Callable[[Part], int], what: str = "events") -> Iterator[Part]:
    """Yields the same parts of a file, which have some entries each; they are read within `library_calls`."""
    first = 0
    while True:
        with library_calls(path, f"read the {what} from number {first} on"):
            part = next(parts, None)
        if part is None:
            return
        yield part
        first += length(part)
