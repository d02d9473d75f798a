"""Content-addressed store of trained networks: what was made from the same inputs is found again, and nothing else.

An artifact lies in a folder named by the SHA-256 of its key, the canonical JSON of everything that it depends on::

    <root>/ab/abcdef.../arrays.safetensors     numbers
    <root>/ab/abcdef.../artifact.json          the key, a description, the checksum of the numbers

Nothing is ever unpickled, so that a store from somebody else is safe to open. Networks that the project comes with are
kept in folders of its ``data/trainings``, one for each profile. They are looked for first, so that a number does not
depend on where it was trained. GAMPL_KEPT names other such folders, as PATH does programs', or, empty, none.
"""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from gampl.store.atomic import sync_folder, write_bytes
from gampl.store.locking import locked
from gampl.store.provenance import checkout

ARRAYS, DESCRIPTION = "arrays.safetensors", "artifact.json"
# what reading a damaged artifact raises; one that cannot be read for other reasons, such as permissions, may be whole
DAMAGE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, KeyError, TypeError, SafetensorError)


@dataclass(frozen=True)
class Artifact:
    """What is stored."""

    arrays: Mapping[str, NDArray[Any]]  #: Numbers by name.
    about: Mapping[str, Any]  #: Anything else, as JSON.


class Store:
    """A folder of artifacts, `default_root` if left out, and in front of it `kept_roots`, those of the project."""

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(root) if root is not None else default_root()
        self.kept = kept_roots()

    def get_or_make(self, key: Mapping[str, Any], make: Callable[[Path], Artifact]) -> Artifact:
        """Loads the artifact of a key, or makes and stores it.

        Of several processes that ask for the same artifact one makes it and the others wait. Where the file system
        cannot lock, all make it, and the first to finish wins, which is harmless: they made the same.

        The key is all that the artifact depends on, as JSON; `make` is called with a folder for checkpoints, which
        outlives an interruption and is deleted afterwards.
        """
        if (stored := self.get(key)) is not None:
            return stored
        name = key_digest(key)
        with locked(self.root / "locks" / f"{name}.lock"):
            if (stored := self.get(key)) is not None:  # another process may have made it in the meantime
                return stored
            scratch = self.root / "unfinished" / name
            scratch.mkdir(parents=True, exist_ok=True)
            made = make(scratch)
            self._save(key, made)
            shutil.rmtree(scratch, ignore_errors=True)
            return self.get(key) or made

    def put(self, key: Mapping[str, Any], artifact: Artifact) -> None:
        """Stores an artifact, unless there is one of this key."""
        self.get_or_make(key, lambda _: artifact)

    def get(self, key: Mapping[str, Any]) -> Artifact | None:
        """The artifact of a key, or None; a damaged one counts as missing, and is set aside if it is not a kept one.

        Raises:
            OSError: If there is one that cannot be read, as the user has no permission or the disk fails.
        """
        name = key_digest(key)
        for root in (*self.kept, self.root):
            folder = _folder(root, name)
            if folder.exists():
                try:
                    return _read(folder)
                except DAMAGE as error:
                    remedy = "it is not used" if root in self.kept else f"moved to {self._set_aside(folder)}"
                    warnings.warn(f"artifact {folder} is damaged ({error}); {remedy}", stacklevel=3)
        return None

    def path(self, name: str) -> Path:
        """Where the artifact with a digest lies, or would."""
        return _folder(self.root, name)

    def holds(self, name: str) -> bool:
        """Whether there is an artifact with a digest, here or among the kept ones; not whether it is whole."""
        return any(_folder(root, name).exists() for root in (self.root, *self.kept))

    def _set_aside(self, folder: Path) -> Path:
        damaged = self.root / "damaged"
        damaged.mkdir(exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=damaged))
        with suppress(FileNotFoundError):  # another process has already set it aside
            os.rename(folder, target)
        return target

    def _save(self, key: Mapping[str, Any], artifact: Artifact) -> None:
        """Writes a folder under a temporary name and renames it."""
        folder = self.path(key_digest(key))
        folder.parent.mkdir(parents=True, exist_ok=True)
        content = save({k: np.ascontiguousarray(v) for k, v in artifact.arrays.items()})
        description = {"key": key, "about": artifact.about, "sha256": hashlib.sha256(content).hexdigest()}
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:8]}-", dir=folder.parent))
        try:
            write_bytes(temporary / ARRAYS, content)
            write_bytes(temporary / DESCRIPTION, json.dumps(description, indent=1).encode())
            temporary.chmod(0o755)  # mkdtemp keeps others out; a shared store is for all
            with suppress(OSError):  # somebody else was quicker, and has made the same
                os.rename(temporary, folder)
                sync_folder(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _folder(root: Path, name: str) -> Path:
    return root / name[:2] / name


def _read(folder: Path) -> Artifact:
    """Reads an artifact; one of `DAMAGE` is raised if it does not agree with its checksum or its name."""
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    content = (folder / ARRAYS).read_bytes()
    if key_digest(description["key"]) != folder.name:
        raise ValueError(f"{DESCRIPTION} belongs to another key")
    if hashlib.sha256(content).hexdigest() != description["sha256"]:
        raise ValueError(f"{ARRAYS} does not agree with its checksum")
    return Artifact(load(content), description["about"])


def key_digest(key: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a key."""
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 of an array's type, shape and numbers, those of double precision to 24 bits, 7 digits.

    Events that are drawn on another processor differ by round-off, and what is trained on them is the same.
    """
    if array.dtype == np.float64:
        mantissa, exponent = np.frexp(array)
        with np.errstate(over="ignore"):  # the largest numbers of all round to infinity, as good a digest as any
            array = np.ldexp(np.round(mantissa * 2.0**24), exponent - 24)
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(f"{little.dtype.str} {little.shape} ".encode() + little.tobytes()).hexdigest()


def default_root() -> Path:
    """The environment variable GAMPL_STORE, else ``.store`` in the checkout, else the user's cache folder."""
    if chosen := os.environ.get("GAMPL_STORE"):
        return Path(chosen)
    if project := checkout():
        return project / ".store"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gampl"


def kept_roots() -> tuple[Path, ...]:
    """The folders that the environment variable GAMPL_KEPT names, else those in the checkout's ``data/trainings``."""
    chosen, project = os.environ.get("GAMPL_KEPT"), checkout()
    if chosen is not None:
        folders = [Path(folder) for folder in chosen.split(os.pathsep) if folder]
    else:
        folders = sorted((project / "data" / "trainings").glob("*")) if project else []
    return tuple(folder for folder in folders if folder.is_dir())
