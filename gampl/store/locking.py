"""Locks between processes, which go away with the process that holds them, even if that is killed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(path: Path, wait: bool = True, unable: Callable[[OSError], object] = lambda _: None) -> Iterator[bool]:
    """Holds the lock of a file, which is made if it is missing and else left as it is.

    On systems and file systems without locks everybody holds every lock: callers must bear that, and ``unable`` is
    called with the reason. Yields whether the lock is held: False only without ``wait``, if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        is_held = True
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_held = False
            except OSError as error:
                unable(error)
        yield is_held
