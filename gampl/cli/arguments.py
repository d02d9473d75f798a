"""How the words of a command are read."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn, cast

from gampl.basics import printable

# options whose values may begin with a minus, which argparse takes for another option
SIGNED = ("--region", "--edges", "--quantiles", "--summary", "--classifier", "--distances", "--define")
FAR_TOO_MANY = 10**30


class Parser(argparse.ArgumentParser):
    """A parser whose errors hold nothing that moves a cursor."""

    def error(self, message: str) -> NoReturn:
        """Ends with a usage error."""
        super().error(printable(message))


def whole(text: str) -> int:
    """A whole number, also one such as 1e5 or 100_000."""
    try:
        number = Decimal(text)
        if number.is_finite() and number == number.to_integral_value() and abs(number) < FAR_TOO_MANY:
            return int(number)
    except (ArithmeticError, ValueError):
        pass
    raise argparse.ArgumentTypeError(f"expected a whole number such as 1000 or 1e5, got {text!r}")


@contextmanager
def of_option(option: str) -> Iterator[None]:
    """Makes an error about a value one about the option that has it."""
    try:
        yield
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise ValueError(f"{option}: {error}") from None


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, with values such as ``-1 < x`` joined to their option by ``=``."""
    kept: list[str] = []
    for argument in arguments:
        if kept and kept[-1] in SIGNED and argument.startswith("-") and not argument.startswith("--"):
            kept[-1] += f"={argument}"
        else:
            kept.append(argument)
    return kept


def complete(parser: argparse.ArgumentParser) -> None:
    """Says how a line goes on and ends, if it is a shell that asks."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, default_completer=cast(Any, _files))


def _files(prefix: str, action: argparse.Action, **_: object) -> Iterator[str]:
    """Files and folders that begin so, for an argument that is one; hidden ones only where their dot is there."""
    metavar = action.metavar or ""
    if action.type is not Path and metavar not in ("FILE", "GENERATED") and "FOLDER" not in metavar:
        return
    folder, start = os.path.split(prefix)
    with suppress(OSError):  # nothing completes what cannot be read
        for entry in sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name):
            if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
                yield os.path.join(folder, entry.name) + "/" * entry.is_dir()
