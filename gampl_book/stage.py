"""Assembles the folder from which Jupyter Book builds: prose, executed notebooks, and all that a page needs offline."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import yaml

from gampl_book import run_page


def pages_in_toc(toc: Any) -> Iterator[str]:
    """The pages that a table of contents names, without endings."""
    if isinstance(toc, dict):
        for key, value in toc.items():
            if key in {"root", "file"}:
                yield str(value).removesuffix(".md").removesuffix(".ipynb")
            else:
                yield from pages_in_toc(value)
    elif isinstance(toc, list):
        for item in toc:
            yield from pages_in_toc(item)


def check_toc(toc: Path, notebooks: list[Path]) -> None:
    """Raises ValueError for a notebook that the table of contents has forgotten: it would be silently left out."""
    pages = set(pages_in_toc(yaml.safe_load(toc.read_text())))
    for notebook in notebooks:
        if notebook.stem not in pages:
            raise ValueError(f"notebook {notebook.stem} is in no place of {toc}: add a line `- file: {notebook.stem}`")


def split_figure(cell: Any) -> list[Any]:
    """Moves the HTML that a figure's cell shows below the image, its line of provenance, into a cell of its own.

    MyST-NB would make a figure, with the same name, of each output of the cell.
    """
    if "figure" not in cell.metadata.get("mystnb", {}):
        return [cell]
    shown = [output for output in cell.outputs if "text/html" in output.get("data", {})]
    cell.outputs = [output for output in cell.outputs if output not in shown]
    html = "\n".join(output.data["text/html"] for output in shown)
    return [cell, nbformat.v4.new_markdown_cell(f"```{{raw}} html\n{html}\n```")]  # type: ignore[no-untyped-call]


def add_notebook(executed: Path, stage: Path) -> None:
    """Copies an executed notebook; the parameters that the run has put in start folded."""
    notebook = nbformat.read(executed, 4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
    notebook.cells = [part for cell in notebook.cells for part in split_figure(cell)]
    nbformat.write(notebook, stage / executed.name)  # type: ignore[no-untyped-call]


def add_mathjax(extra: Path) -> None:
    """Copies MathJax: the one file that makes HTML of TeX and its fonts, 1.6 MB of 20.

    Not below ``_static``: Jupyter Book loads every script there on every page.
    """
    package = metadata.distribution("sphinx-mathjax-offline")
    installed = Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax")))
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    shutil.copytree(installed / fonts, extra / "mathjax" / fonts)
    shutil.copy(installed / "tex-mml-chtml.js", extra / "mathjax")


def add_claims(stage: Path, profile: str) -> None:
    """Writes the page that compares the paper's numbers with this run's, if the book has a ledger of claims."""
    if (stage / "claims.yml").exists():
        command = [sys.executable, "-m", "gampl_book", "claims", "--profile", profile]
        subprocess.run([*command, "--page", str(stage / "claims.md")], check=True)


def add_run(stage: Path, profile: str, run_report: Path) -> None:
    """Writes the page that says where the steps of this run ran, with Snakemake's report."""
    (stage / "run.md").write_text(run_page.page(Path("_build"), profile), encoding="utf-8")
    shutil.copy(run_report, stage / "_extra" / run_page.REPORT)


def assemble(profile: str, notebooks: list[Path], figures: Path, run_report: Path, stage: Path) -> None:
    """Makes the stage anew from ``book/``, ``_toc.yml``, executed notebooks, figure data and a report of the run."""
    check_toc(Path("_toc.yml"), notebooks)
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree("book", stage)
    shutil.copy("_toc.yml", stage)
    add_mathjax(stage / "_extra")
    for notebook in notebooks:
        add_notebook(notebook, stage)
        hidden = shutil.ignore_patterns(".*")  # Snakemake leaves a file of its own
        shutil.copytree(figures / notebook.stem, stage / "_extra" / "figures" / notebook.stem, ignore=hidden)
    add_claims(stage, profile)
    add_run(stage, profile, run_report)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Assemble the sources of the book.")
    parser.add_argument("notebooks", type=Path, nargs="+", help="executed notebooks")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--figures", type=Path, required=True, help="holds a folder of figure data per notebook")
    parser.add_argument("--run-report", type=Path, required=True, help="Snakemake's report, HTML")
    parser.add_argument("-o", "--stage", type=Path, required=True, help="folder to make")
    args = parser.parse_args(arguments)
    try:
        assemble(args.profile, args.notebooks, args.figures, args.run_report, args.stage)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        print(f"the book cannot be assembled: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
