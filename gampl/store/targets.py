"""Outputs that a user names: plain files are replaced whole, everything else is written to and stays what it is.

``-`` is standard output, and a link is what it leads to. Devices, pipes and what a shell makes of ``>(command)`` are
opened as they are: renaming a file over them, as `gampl.store.atomic` does, would put a plain file in their place.
"""

import os
import stat
import sys
import tempfile
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path

from gampl.store.atomic import write_bytes

MOST_LINKS = 40  # that lead to one another, as on Linux


def write(path: Path, content: bytes) -> None:
    """Writes to what a name stands for; folders of plain files are made. A reader who has gone is not an error."""
    status, descriptor = _status(path), _descriptor(path)
    if is_stdout(path):
        sys.stdout.flush()
        descriptor = sys.stdout.fileno()
    elif status is None or (stat.S_ISREG(status.st_mode) and descriptor is None):
        write_bytes(Path(os.path.realpath(path)), content)
        return
    handle = os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except BrokenPipeError:
        return


def is_stdout(path: Path) -> bool:
    """Whether what is written there comes out where this process prints."""
    if str(path) == "-" or _descriptor(path) == 1:
        return True
    status = _status(path)
    try:
        return status is not None and not stat.S_ISCHR(status.st_mode) and os.path.samestat(status, os.fstat(1))
    except OSError:  # it is closed
        return False


def check(path: Path, *, make_folder: bool = False) -> None:
    """Raises a ValueError if the name cannot be written to: before hours of work, instead of after them."""
    if is_stdout(path):
        if getattr(sys.stdout, "closed", True):
            raise ValueError(f"{path}: cannot be written, standard output is closed")
        return
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # it is made, if its folder is one
    except OSError as error:  # links in a circle, a name that is too long
        raise ValueError(f"{path}: cannot be written, {error.strerror}") from None
    status, target = _status(path), Path(os.path.realpath(path))
    if status is None or (stat.S_ISREG(status.st_mode) and _descriptor(path) is None):
        if status is not None and not os.access(target, os.W_OK):
            raise ValueError(f"{path}: cannot be written, the file is write-protected")
        check_folder(target.parent, path, make=make_folder)
    elif not (stat.S_ISREG(status.st_mode) or stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "neither a file nor a pipe"
        raise ValueError(f"{path}: cannot be written, is {what}")


def check_folder(folder: Path, path: Path, *, make: bool = False) -> None:
    """Raises a ValueError about a path if files cannot be written into a folder, which may have to be made first."""
    while make and not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise ValueError(f"{path}: cannot be written, there is no folder {folder}")
    try:  # permissions alone do not say: a file system may be read-only, or full
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"{path}: cannot be written, nor can any file in {folder}: {error.strerror}") from None


def check_different(outputs: Mapping[str, Path], inputs: Iterable[Path]) -> None:
    """Raises a ValueError if an output, by its option, would overwrite an input or another output."""
    read = {_identity(path): path for path in inputs}
    seen: dict[Hashable, str] = {}
    for option, path in outputs.items():
        if (identity := _identity(path)) is None:
            continue
        if identity in read:
            raise ValueError(f"{option}: {path} would overwrite {read[identity]}, which is read: expected another name")
        if identity in seen:
            raise ValueError(f"{option}: {path} is where {seen[identity]} goes, expected another name")
        seen[identity] = option


def _identity(path: Path) -> Hashable:
    """The same for two names of one target; None for devices such as ``/dev/null``, which take anything twice."""
    if is_stdout(path):
        return "-"
    if (status := _status(path)) is None:
        return os.path.realpath(path)
    return None if stat.S_ISCHR(status.st_mode) else (status.st_dev, status.st_ino)


def _status(path: Path) -> os.stat_result | None:
    """What is there, behind all links; None if there is nothing."""
    try:
        return path.stat()
    except OSError:
        return None


def _descriptor(path: Path) -> int | None:
    """The number of an open file of this process that a name such as ``/dev/stdout`` or ``/dev/fd/63`` leads to."""
    for _ in range(MOST_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in (f"/proc/{os.getpid()}/fd", "/dev/fd"):
            return int(path.name)
        if not os.path.islink(path):  # also where the system refuses the name
            return None
        path = path.parent / os.readlink(path)
    return None
