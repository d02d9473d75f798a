"""Content-addressed store of trained networks: what was made from the same inputs is found again, and nothing else.

An artifact lives in a folder named by the SHA-256 of its key, the canonical JSON of everything that it depends on::

    <root>/ab/abcdef.../arrays.safetensors     numbers
    <root>/ab/abcdef.../artifact.json          the key, a description, the checksum of the numbers

Nothing is ever unpickled, so that a store from somebody else is safe to open.
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

from gampl.atomic import sync_folder, write_bytes
from gampl.locking import locked

ARRAYS, DESCRIPTION = "arrays.safetensors", "artifact.json"


@dataclass(frozen=True)
class Artifact:
    """What is stored.

    Args:
        arrays: Numbers by name.
        about: Anything else, as JSON.
    """

    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]


class Store:
    """A folder of artifacts.

    Args:
        root: The folder; see `default_root`.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(root) if root is not None else default_root()

    def get_or_make(self, key: Mapping[str, Any], make: Callable[[Path], Artifact]) -> Artifact:
        """Loads the artifact of a key, or makes and stores it.

        Of several processes that want the same artifact one makes it and the others wait. Where the file system
        cannot lock, all make it and the first one to finish wins, which is harmless: they made the same.

        Args:
            key: All that the artifact depends on, as JSON.
            make: Called with a folder for checkpoints, which outlives an interruption and is deleted afterwards.
        """
        name = key_digest(key)
        found = self._load(name)
        if found is not None:
            return found
        with locked(self.root / "locks" / f"{name}.lock"):
            found = self._load(name)  # another process may have made it in the meantime
            if found is not None:
                return found
            scratch = self.root / "unfinished" / name
            scratch.mkdir(parents=True, exist_ok=True)
            made = make(scratch)
            self._save(name, key, made)
            shutil.rmtree(scratch, ignore_errors=True)
            stored = self._load(name)
        return made if stored is None else stored

    def get(self, key: Mapping[str, Any]) -> Artifact | None:
        """The artifact of a key, or None."""
        return self._load(key_digest(key))

    def path(self, name: str) -> Path:
        """Where the artifact with a digest lies, or would."""
        return self.root / name[:2] / name

    def _load(self, name: str) -> Artifact | None:
        """Loads an artifact; one that does not agree with its checksum is set aside and counts as missing."""
        folder = self.path(name)
        if not folder.exists():
            return None
        try:
            description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            content = (folder / ARRAYS).read_bytes()
            if key_digest(description["key"]) != name:
                raise ValueError(f"{DESCRIPTION} belongs to another key")
            if hashlib.sha256(content).hexdigest() != description["sha256"]:
                raise ValueError(f"{ARRAYS} does not agree with its checksum")
            return Artifact(load(content), description["about"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            self._set_aside(folder, error)
            return None

    def _set_aside(self, folder: Path, reason: Exception) -> None:
        damaged = self.root / "damaged"
        damaged.mkdir(exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=damaged))
        with suppress(FileNotFoundError):  # another process has already set it aside
            os.rename(folder, target)
        warnings.warn(f"artifact {folder} is damaged ({reason}); moved to {target}, to be made anew", stacklevel=4)

    def _save(self, name: str, key: Mapping[str, Any], artifact: Artifact) -> None:
        """Writes a folder under a temporary name and renames it."""
        folder = self.path(name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        content = save({k: np.ascontiguousarray(v) for k, v in artifact.arrays.items()})
        description = {"key": key, "about": artifact.about, "sha256": hashlib.sha256(content).hexdigest()}
        temporary = Path(tempfile.mkdtemp(prefix=f".{name[:8]}-", dir=folder.parent))
        try:
            write_bytes(temporary / ARRAYS, content)
            write_bytes(temporary / DESCRIPTION, json.dumps(description, indent=1).encode())
            temporary.chmod(0o755)  # mkdtemp keeps others out; a shared store is for all
            with suppress(OSError):  # somebody else was quicker, and has made the same
                os.rename(temporary, folder)
                sync_folder(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def key_digest(key: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a key."""
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 of an array's type, shape and numbers."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(f"{little.dtype.str} {little.shape} ".encode() + little.tobytes()).hexdigest()


def default_root() -> Path:
    """The environment variable GAMPL_STORE, else `.store` in the checkout, else the user's cache folder."""
    if chosen := os.environ.get("GAMPL_STORE"):
        return Path(chosen)
    project = Path(__file__).resolve().parent.parent
    if (project / "pyproject.toml").exists():
        return project / ".store"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gampl"
