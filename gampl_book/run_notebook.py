"""Runs one notebook source: jupytext reads it, papermill executes it, all of its products appear or none."""

import ast
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jupytext
import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from gampl_book import ANSI_COLOUR, ROOT, BookError, guard_interpreters

START_SECONDS = 300  # papermill allows a kernel 60, too few where many start at once from a shared disk
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def run(source: Path, profile: str, seed: int, folder: Path, others: Sequence[str] = ()) -> None:
    """Executes a py:percent source with its parameters, others as NAME=VALUE, and puts its three products in place.

    These are ``executed/<name>.ipynb``, the numbers that it saved, ``results/<name>.json``, and the data of its
    figures, ``figures/<name>/``, in a folder. If it fails, BookError is raised, none of them has been touched, and
    ``failed/<name>.ipynb`` is the notebook as far as it came.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop cleans up as Ctrl-C does
    if not source.is_file():
        raise BookError(f"there is no notebook {source}")
    name, notebook = source.stem, jupytext.read(source, fmt="py:percent")
    parameters = {"profile": profile, "seed": seed} | dict(map(parse_parameter, others))
    check_parameters(notebook, parameters, source)
    failed = folder / "failed" / f"{name}.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder, ignore_cleanup_errors=True) as temporary:
        scratch = Path(temporary).resolve()
        written, output = scratch / "executed.ipynb", surround(scratch, profile)
        try:
            finished = execute(without_traces(notebook), parameters, name, written)
            check_results(output / "results.json", name)
        except BookError as error:
            publish(written, failed)
            raise BookError(f"{error}\nThe notebook as far as it came: {failed}") from error
        jupytext.write(without_traces(finished), written)
        failed.unlink(missing_ok=True)
        publish(output / "results.json", folder / "results" / f"{name}.json")
        publish(output / "figures", folder / "figures" / name)
        publish(written, folder / "executed" / f"{name}.ipynb")


def surround(scratch: Path, profile: str) -> Path:
    """Prepares this process, and so the kernels that it starts, for running notebooks: alike for everybody.

    The kernel is this very interpreter, whatever kernels a user has registered; personal IPython start-up files do
    not run. Returns the folder for the notebook's ``results.json`` and ``figures/``; it and files of the kernel are in
    a scratch folder, which the caller removes.
    """
    output, kernel = scratch / "output", scratch / "jupyter" / "kernels" / "python3"
    for folder in (output / "figures", kernel):
        folder.mkdir(parents=True)
    launch = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps(KERNEL | {"argv": launch}))
    guard_interpreters()
    # looked at before any user's kernels
    kernels = os.pathsep.join(filter(None, [str(scratch / "jupyter"), os.environ.get("JUPYTER_PATH")]))
    os.environ.update(
        JUPYTER_PATH=kernels,
        GAMPL_OUTPUT=str(output),
        JUPYTER_RUNTIME_DIR=str(scratch / "runtime"),
        IPYTHONDIR=str(scratch / "ipython"),
        PYTHONHASHSEED="0",
        MPLBACKEND="module://matplotlib_inline.backend_inline",  # an exported "agg" would drop every figure
        TQDM_DISABLE="1",  # progress bars differ from run to run
    )
    if profile == "smoke":  # its numbers are compared with references
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workflow runs as many notebooks as there are cores
    return output


def check_parameters(notebook: NotebookNode, parameters: Iterable[str], source: Path) -> None:
    """Raises BookError for a parameter that the notebook does not have; papermill would only warn."""
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise BookError(f'{source} must have one cell tagged "parameters", it has {len(cells)}')
    nodes = ast.walk(ast.parse(cells[0].source))
    known = sorted({node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)})
    if unknown := [name for name in parameters if name not in known]:
        raise BookError(f"unknown parameter {unknown[0]!r}: the parameters cell of {source} has {', '.join(known)}")


def parse_parameter(text: str) -> tuple[str, Any]:
    """Name and value of NAME=VALUE: a number if it reads as one, else the text itself."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def execute(notebook: NotebookNode, parameters: dict[str, Any], name: str, written: Path) -> NotebookNode:
    """Runs all cells, keeping the notebook so far in a file; raises BookError that says which cell or start failed."""
    # papermill adds one that sets the parameters
    cells, current = 1 + sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells), 0

    def say_which(**_: Any) -> None:
        nonlocal current
        current += 1  # as Jupyter numbers them
        print(f"{name}: cell {current}/{cells}", file=sys.stderr, flush=True)

    client = {"start_timeout": START_SECONDS, "on_cell_execute": say_which}
    try:
        return papermill.execute_notebook(notebook, written, parameters, cwd=ROOT, progress_bar=False, **client)
    except PapermillExecutionError as error:
        print(ANSI_COLOUR.sub("", "\n".join(error.traceback)), file=sys.stderr)
        first_line = error.source.strip().partition("\n")[0]
        reason = f"failed in cell {error.exec_count}, which begins\n    {first_line}\n"
        raise BookError(f"notebook {name} {reason}{error.ename}: {ANSI_COLOUR.sub('', error.evalue)}") from error
    except RuntimeError as error:  # what nbclient raises for a kernel that dies or does not answer
        if current and not isinstance(error, DeadKernelError):
            raise
        end = f"died in cell {current}; is there enough memory?" if current else f"did not start: {error}"
        raise BookError(f"notebook {name}: its Python process {end}") from error


def without_traces(notebook: NotebookNode) -> NotebookNode:
    """Removes what jupytext, papermill and Jupyter leave, times and paths, so that equal results are equal files."""
    for name in notebook.metadata.keys() - {"language_info"}:
        del notebook.metadata[name]
    notebook.metadata["kernelspec"] = KERNEL
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    return notebook


def check_results(results: Path, name: str) -> None:
    """Raises BookError if a notebook has left no results or something else than strict JSON."""
    if not results.is_file():
        raise BookError(f"notebook {name} has run but saved no results (results.json)")

    def refuse(constant: str) -> NoReturn:
        raise BookError(f"notebook {name} saved {constant} in its results: a number is missing there")

    json.loads(results.read_text(), parse_constant=refuse)


def publish(product: Path, target: Path) -> None:
    """Moves a file or folder to its final name, in place of what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(product, target)
