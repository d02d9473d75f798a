"""What a command about samples makes: files first, then words."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gampl.cli.terminal import say
from gampl.report.process import Process
from gampl.store import targets

if TYPE_CHECKING:
    from gampl.report.study import Study

FIGURES = (".png", ".pdf")


def check(options: argparse.Namespace, process: Process) -> None:
    """Raises a ValueError, before hours of reading, if a result cannot be written or would overwrite something."""
    outputs = _files(options)
    samples = (process.members, process.train, process.holdout)
    inputs = [path for files in samples if files is not None for path in files.files]
    if options.process is not None:
        inputs.append(options.process)
    for path in outputs.values():
        targets.check(path)
    targets.check_different(outputs, inputs)
    if options.figures is not None:
        targets.check_folder(options.figures, options.figures, make=True)
        folder = options.figures.resolve()
        for path in (*outputs.values(), *inputs):
            if path.resolve() == folder or (path.suffix.lower() in FIGURES and path.resolve().parent == folder):
                raise ValueError(f"--figures: {path} is that folder, or lies in it and might be overwritten")
    if options.report is not None:
        import gampl.report.html  # noqa: F401 - says now if a package is missing


def write(options: argparse.Namespace, study: "Study") -> list[str]:
    """Writes all that can be written; returns why something could not."""
    from gampl.report import outputs

    command = shlex.join(["gampl", *sys.argv[1:]])

    def report(path: Path) -> None:
        from gampl.report.html import html

        targets.write(path, html(study, command).encode(errors="backslashreplace"))

    def figures(folder: Path) -> None:
        from gampl.report.figures import write

        write(study, folder)

    makers: list[tuple[Path | None, Callable[[Path], object]]] = [
        (options.json, lambda path: targets.write(path, outputs.to_json_text(study, command).encode())),
        (options.csv, lambda path: targets.write(path, outputs.to_csv(study).encode(errors="backslashreplace"))),
        (options.figures, figures),
        (options.report, report),
    ]
    wanted = [(path, make) for path, make in makers if path is not None]
    problems = []
    # pipes come last, as whoever reads them may keep us waiting
    for path, make in sorted(wanted, key=lambda one: targets.is_stdout(one[0]) or one[0].is_fifo()):
        try:
            make(path)
        except OSError as error:
            problems.append(f"{path}: cannot be written, {error.strerror}")
    return problems


def show(options: argparse.Namespace, study: "Study") -> None:
    """Prints the table; on standard error if a file goes to standard output, which it has for itself."""
    from gampl.report.outputs import table

    is_taken = any(map(targets.is_stdout, _files(options).values()))
    stream = sys.stderr if is_taken else sys.stdout
    # a table holds nothing that a name could move the cursor with, but colours of its own
    stream.write(table(study, colour=stream.isatty() and "NO_COLOR" not in os.environ))
    if options.report is not None:
        say(f"report: {options.report}", is_error=is_taken)


def _files(options: argparse.Namespace) -> dict[str, Path]:
    """The files to be written, by option."""
    report = "--report" if options.process is None else "--output"
    names = {"--json": options.json, "--csv": options.csv, report: options.report}
    return {option: path for option, path in names.items() if path is not None}
