"""What is said in a terminal: nothing that a name contains moves its cursor, and no failure of it ends the work."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from gampl.basics import plain, printable
from gampl.store import targets

PLAIN = str.maketrans({"≥": ">=", "–": "-", "…": "...", "σ": "sigma", "\N{NARROW NO-BREAK SPACE}": " "})


def say(text: str, *, is_error: bool = False) -> None:
    """Prints lines, without what would move a cursor, on standard output or standard error."""
    stream = sys.stderr if is_error else sys.stdout
    stream.write("\n".join(map(printable, text.split("\n"))) + "\n")


def complain(*problems: object) -> int:
    """Says each problem in one line on standard error; the exit status, 0 if there is none."""
    for problem in problems:
        say(f"gampl: {' '.join(str(problem).splitlines())}", is_error=True)
    return 1 if problems else 0


def write_json(path: Path | None, content: object) -> bool:
    """Writes numbers as JSON, if a file is named for them; returns whether standard output is taken by that."""
    if path is not None:
        targets.write(path, (json.dumps(plain(content), indent=1, allow_nan=False) + "\n").encode())
    return path is not None and targets.is_stdout(path)


class Patient:
    """A stream that prints what it can: it survives a reader who has gone, a full device and a poor encoding."""

    def __init__(self, stream: TextIO | None) -> None:
        self.closed = stream is None  #: what is written then goes nowhere
        self._stream = stream or Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process
        self.failure: OSError | None = None  #: why something could not be printed, unless its reader has gone

    def write(self, text: str) -> int:
        """Writes immediately what the encoding has, other letters in ASCII."""
        encoding = self._stream.encoding or "ascii"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self.failure = None if isinstance(error, BrokenPipeError) else error
            # the rest goes nowhere: Python would try it again when it ends, and complain
            with suppress(OSError), open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self._stream.fileno())
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def patient_streams() -> Iterator[Patient]:
    """Makes both streams patient, and yields standard output; what was closed is nowhere, and not the next file."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest number that is free
    output = Patient(sys.stdout)
    with redirect_stdout(output), redirect_stderr(Patient(sys.stderr)):
        yield output
