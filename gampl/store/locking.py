"""Locks between processes, which go away with the process that holds them, even if that is killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Holds the lock of a file, which is made if it is missing.

    On systems and file systems without locks everybody holds every lock: callers must bear that.

    Args:
        path: The file.
        wait: Whether to wait while another process holds the lock.

    Yields:
        Whether the lock is held; False only if it was not to wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        held = True
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = False
            except OSError:  # this file system cannot lock
                held = True
        yield held
