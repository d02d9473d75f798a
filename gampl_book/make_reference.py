"""Makes the committed reference notebooks, tests/reference/*.ipynb, from a run of the notebooks: `make reference`.

A reference is small and diffs well: the code, and the text from the cells tagged ``nbval-check-output``.
nbval runs it again in each build and compares that text, so that a number cannot change unnoticed.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

CHECKED = "nbval-check-output"
INJECTED = "injected-parameters"
NUMBERS = "numbers.json"  # what the notebooks recorded for the claims ledger

RELATIVE = 5e-3  # sees an error of 1 %
# A share of pseudo-experiments moves by whole experiments when rounding decides one of them.
SHARES, ABSOLUTE = "coverage", 0.02

REMEDY = "if that is intended, run `make reference` and look at the difference before committing it"


def is_text(output: NotebookNode) -> bool:
    """Whether an output is printed text, or text that is glued into the prose."""
    if output.output_type == "stream":
        return bool(output.name == "stdout")
    return set(output.get("data", ())) == {"application/papermill.record/text/plain"}


def reduced(executed: NotebookNode, name: str) -> NotebookNode:
    """What a reference keeps of an executed notebook.

    Raises:
        ValueError: If a checked cell shows something else than text, which nbval cannot compare.
    """
    reference = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    reference.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in executed.cells:
        if cell.cell_type != "code":
            continue
        tags = list(cell.metadata.get("tags", []))
        kept = nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]
            cell.source, id=f"cell-{len(reference.cells)}", metadata={"tags": tags}
        )
        if CHECKED in tags:
            if not cell.outputs or not all(map(is_text, cell.outputs)):
                problem = f"a cell tagged {CHECKED} must print or glue text and show nothing else"
                raise ValueError(f"notebook {name}: {problem}:\n{cell.source}")
            kept.outputs = joined(cell.outputs)
            kept.execution_count = len(reference.cells) + 1  # nbval takes a cell without one for never run
        reference.cells.append(kept)
    return reference


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs in which text that a kernel happened to send in pieces is one again; nbval does the same."""
    whole: list[NotebookNode] = []
    for output in outputs:
        last = whole[-1] if whole else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            whole.append(output)
    return whole


def code(notebook: NotebookNode) -> list[str]:
    """The code cells, without the parameters that papermill puts in."""
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and INJECTED not in cell.metadata.get("tags", [])
    ]


def is_current(reference: Path, source: Path) -> bool:
    """Whether a reference holds the same code as the py:percent source of its notebook."""
    return code(nbformat.read(reference, 4)) == code(jupytext.read(source, fmt="py:percent"))  # type: ignore[no-untyped-call]


def recorded(results: Path) -> dict[str, dict[str, float | str]]:
    """The numbers that the notebooks recorded for the claims ledger: notebook -> name -> value."""
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}
    return {stem: {name: n["value"] for name, n in content["numbers"].items()} for stem, content in files.items()}


def differences(found: dict[str, float | str], expected: dict[str, float | str]) -> dict[str, tuple[float, float]]:
    """The recorded numbers of a notebook that are not those of its reference, each with that one.

    Networks are the same everywhere, see gampl_book/kept_trainings.py, and what they generate repeats to round-off, of
    single precision. What a page trains itself, such as a classifier, amplifies it.
    """

    def agree(name: str, one: float, other: float) -> bool:
        if math.isnan(other):  # a number that this run cannot have
            return math.isnan(one) and name in found
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE if SHARES in name else 1e-12)

    pairs = {name: (float(found.get(name, math.nan)), float(value)) for name, value in expected.items()}
    return {name: pair for name, pair in pairs.items() if not agree(name, *pair)}


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make reference notebooks from executed ones.")
    parser.add_argument("executed", type=Path, nargs="+")
    parser.add_argument("--results", type=Path, help="folder of the numbers that the notebooks recorded in that run")
    parser.add_argument("-o", "--folder", type=Path, default=Path("tests/reference"))
    args = parser.parse_args(arguments)
    try:
        references = {
            path.name: reduced(nbformat.read(path, 4), path.stem)  # type: ignore[no-untyped-call]
            for path in args.executed
        }
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, reference in references.items():
        nbformat.write(reference, args.folder / name)  # type: ignore[no-untyped-call]
    for left_over in set(args.folder.glob("*.ipynb")) - {args.folder / name for name in references}:
        left_over.unlink()  # its notebook is gone
    if args.results:
        numbers = json.dumps(recorded(args.results), indent=1, sort_keys=True)
        (args.folder / NUMBERS).write_text(numbers + "\n", encoding="utf-8")
    print(f"{len(references)} references are in {args.folder}; see what changed: git diff {args.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
