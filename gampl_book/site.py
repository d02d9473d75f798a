"""Makes the HTML book from prose, executed notebooks, and all that a page needs offline.

All is first assembled in a folder, the stage. A site that was there before is replaced only by a complete new one.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from sphinx_external_toc.parsing import parse_toc_yaml

from gampl_book import KEPT_RESULTS

BUILD = Path("_build")
# the script jupyter-book has an absolute first line, which is wrong after the checkout was moved
JUPYTER_BOOK = [
    sys.executable,
    "-c",
    "import sys; from jupyter_book.cli.main import main; sys.argv[0] = 'jupyter-book'; main()",
]


class SiteError(Exception):
    """The book cannot be made; the message says why."""


def assemble(profile: str, notebooks: list[Path], figures: Path, run_report: Path, stage: Path) -> None:
    """Makes the stage anew from ``book/``, ``_toc.yml``, executed notebooks, figure data and a report of the run.

    Raises:
        SiteError: If the table of contents has forgotten a notebook.
    """
    check_toc(Path("_toc.yml"), notebooks)
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree("book", stage, ignore=shutil.ignore_patterns("*.j2"))
    shutil.copy("_toc.yml", stage)
    add_mathjax(stage / "_extra")
    for notebook in notebooks:
        add_notebook(notebook, stage)
        hidden = shutil.ignore_patterns(".*")  # Snakemake leaves a file of its own
        shutil.copytree(figures / notebook.stem, stage / "_extra" / "figures" / notebook.stem, ignore=hidden)
    add_pages(stage, profile, run_report)


def check_toc(toc: Path, notebooks: list[Path]) -> None:
    """Raises SiteError for a notebook that the table of contents has forgotten: it would be silently left out."""
    pages = {page.removesuffix(".ipynb") for page in parse_toc_yaml(toc)}
    forgotten = [notebook.stem for notebook in notebooks if notebook.stem not in pages]
    if forgotten:
        raise SiteError(f"notebook {forgotten[0]} is in no place of {toc}: add a line `- file: {forgotten[0]}`")


def add_notebook(executed: Path, stage: Path) -> None:
    """Copies an executed notebook; the parameters that the run has put in start folded."""
    notebook = nbformat.read(executed, 4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
    notebook.cells = [part for cell in notebook.cells for part in split_figure(cell)]
    nbformat.write(notebook, stage / executed.name)  # type: ignore[no-untyped-call]


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


def add_mathjax(extra: Path) -> None:
    """Copies MathJax: the one file that makes HTML of TeX and its fonts, 1.6 MB of 20.

    Not below ``_static``: Jupyter Book loads every script there on every page.
    """
    package = metadata.distribution("sphinx-mathjax-offline")
    installed = Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax")))
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    shutil.copytree(installed / fonts, extra / "mathjax" / fonts)
    shutil.copy(installed / "tex-mml-chtml.js", extra / "mathjax")


def add_pages(stage: Path, profile: str, run_report: Path) -> None:
    """Writes the pages whose templates the book has: the paper's numbers beside a run's, and where its steps ran."""
    if Path("book", "claims.md.j2").exists():
        from gampl_book import claims, claims_page

        results = claims.read_results(BUILD, Path(KEPT_RESULTS))
        judged = claims.evaluate(claims.load(claims.LEDGER), results)
        (stage / "claims.md").write_text(claims_page.page(judged, profile, results), encoding="utf-8")
    if Path("book", "run.md.j2").exists():
        from gampl_book import run_page

        (stage / "run.md").write_text(run_page.page(BUILD, profile), encoding="utf-8")
        shutil.copy(run_report, stage / "_extra" / run_page.REPORT)


def render(stage: Path, config: Path, site: Path) -> None:
    """Builds the site; any warning is an error.

    Raises:
        SiteError: If it was not built.
    """
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=site.parent) as folder:
        options = ["--config", str(config), "--path-output", folder, "-W", "--keep-going", "-q"]
        if subprocess.run([*JUPYTER_BOOK, "build", str(stage), *options], check=False).returncode:
            raise SiteError(f"see above{f'; the earlier one is still in {site}' if site.exists() else ''}")
        if site.exists():
            site.rename(Path(folder, "previous"))
        Path(folder, "_build", "html").rename(site)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the HTML book.")
    parser.add_argument("notebooks", type=Path, nargs="+", help="executed notebooks")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--figures", type=Path, required=True, help="holds a folder of figure data per notebook")
    parser.add_argument("--run-report", type=Path, required=True, help="Snakemake's report, HTML")
    parser.add_argument("--stage", type=Path, required=True, help="folder to assemble the sources in")
    parser.add_argument("--site", type=Path, required=True, help="folder to make")
    args = parser.parse_args(arguments)
    try:
        assemble(args.profile, args.notebooks, args.figures, args.run_report, args.stage)
        render(args.stage, Path("_config.yml"), args.site)
    except (SiteError, ValueError, OSError) as error:
        print(f"the book was not built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
