"""Files that are compressed with gzip, bzip2, xz or Zstandard, unpacked while they are read."""

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import IO, Any

#: how each begins
MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "Zstandard": b"\x28\xb5\x2f\xfd"}
ENDINGS = (".gz", ".bz2", ".xz", ".zst")
LARGEST_WINDOW = 1 << 28  # bytes that xz may keep to repeat them
_BLOCK = 1 << 18


class _Gzip:
    """The unpacker of zlib, used like the others."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)

    def decompress(self, content: bytes, most: int) -> bytes:
        return self._unpacker.decompress(self._unpacker.unconsumed_tail + content, most)

    @property
    def needs_input(self) -> bool:
        return not self._unpacker.unconsumed_tail

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unpacker, name)


def _zstandard() -> Any:
    """Python's own has come with version 3.14; it takes windows of up to 128 MiB."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return resolve_name(f"{name}:ZstdDecompressor")()


_UNPACKERS: Mapping[str, Callable[[], Any]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LARGEST_WINDOW),
    "Zstandard": _zstandard,
}


class Unpacked(io.RawIOBase):
    """What a packed file holds, all of its parts, up to so many bytes.

    An error of its library, or an OSError, if it is damaged or holds more. Zeros may follow at the end, as on tapes.
    Closing it closes the file.
    """

    def __init__(self, packed: IO[bytes], how: str, most: int) -> None:
        self._packed, self._how, self._most = packed, how, most
        self._n = 0
        self._unpacker = _UNPACKERS[how]()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes, at least one unless it ends."""
        part = b""
        while not part and not self._has_ended():
            content = self._packed.read(_BLOCK) if self._unpacker.needs_input else b""
            part = self._unpacker.decompress(content, len(buffer))
            if not (part or content or self._unpacker.eof):
                raise EOFError(f"it ends within what {self._how} has packed")
        self._n += len(part)
        if self._n > self._most:
            raise OSError(f"it unpacks to more than the {self._most} bytes that its size allows for")
        buffer[: len(part)] = part
        return len(part)

    def _has_ended(self) -> bool:
        """Whether the last part has; begins the next one where there is one."""
        if not self._unpacker.eof:
            return False
        rest = self._unpacker.unused_data or self._packed.read(_BLOCK)
        if not rest.strip(b"\0"):
            return True
        if len(rest) < _BLOCK:
            rest += self._packed.read(_BLOCK)
        if not rest.startswith(MAGIC[self._how]):
            raise OSError(f"bytes follow what {self._how} has packed")
        self._unpacker = _UNPACKERS[self._how]()
        self._packed.seek(-len(rest), io.SEEK_CUR)
        return False

    def close(self) -> None:
        """Closes the file as well."""
        super().close()
        self._packed.close()
