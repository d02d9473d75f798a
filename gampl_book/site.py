"""Makes the HTML book from prose, executed notebooks, and all that a page needs offline, all assembled in a stage."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import nbformat
from sphinx_external_toc.parsing import parse_toc_yaml

from gampl_book import KEPT_RESULTS, BookError, downloads

BUILD = Path("_build")
# the script jupyter-book has an absolute first line, which is wrong after the checkout was moved
RUN_JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.argv[0] = 'jupyter-book'; main()"


def make(profile: str) -> None:
    """Makes the book of a run in ``_build/<profile>/site``, in place of an earlier one; BookError if that fails."""
    run, notebooks = BUILD / profile, sorted(path.stem for path in Path("notebooks").glob("*.py"))
    stage, site = run / "stage", run / "site"
    check_toc(Path("_toc.yml"), notebooks)
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree("book", stage, ignore=shutil.ignore_patterns("*.j2"))
    shutil.copy("_toc.yml", stage)
    hidden = shutil.ignore_patterns(".*")  # Snakemake leaves a file of its own
    for notebook in notebooks:
        add_notebook(run / "executed" / f"{notebook}.ipynb", run / "results" / f"{notebook}.json", stage)
        shutil.copytree(run / "figures" / notebook, stage / "_extra" / "figures" / notebook, ignore=hidden)
    # not below _static: Jupyter Book loads every script there on every page
    mathjax, fonts = stage / "_extra" / "mathjax", Path("output", "chtml", "fonts", "woff-v2")
    package = metadata.distribution("sphinx-mathjax-offline")
    installed = Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax")))
    shutil.copytree(installed / fonts, mathjax / fonts)
    shutil.copy(installed / "tex-mml-chtml.js", mathjax)
    if Path("book", "claims.md.j2").exists():
        from gampl_book import amplifies_figure, claims, made_pages

        results = claims.read_runs(BUILD, Path(KEPT_RESULTS))
        ledger = claims.evaluate(claims.load(claims.LEDGER), results)
        (stage / "claims.md").write_text(made_pages.claims_page(ledger, profile, results), encoding="utf-8")
        (stage / "run.md").write_text(made_pages.run_page(BUILD, profile), encoding="utf-8")
        shutil.copy(run / made_pages.REPORT, stage / "_extra")
        amplifies_figure.write_page(results, profile, stage)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=run) as folder:
        options = ["--config", "_config.yml", "--path-output", folder, "-W", "--keep-going", "-q"]
        command = [sys.executable, "-c", RUN_JUPYTER_BOOK, "build", str(stage), *options]
        if subprocess.run(command, check=False).returncode:
            earlier = f"; the earlier one is still in {site}" if site.exists() else ""
            raise BookError(f"the book was not built: see above{earlier}")
        if site.exists():
            site.rename(Path(folder, "previous"))
        Path(folder, "_build", "html").rename(site)


def check_toc(toc: Path, notebooks: list[str]) -> None:
    """Raises BookError for a notebook that the table of contents has forgotten: it would be silently left out."""
    pages = {page.removesuffix(".ipynb") for page in parse_toc_yaml(toc)}
    if forgotten := [notebook for notebook in notebooks if notebook not in pages]:
        raise BookError(f"notebook {forgotten[0]} is not in {toc}: add a line `- file: {forgotten[0]}`")


def add_notebook(executed: Path, results: Path, stage: Path) -> None:
    """Copies an executed notebook: adjacent folded cells are one, and its last line leads to files of what it shows."""
    notebook = nbformat.read(executed, 4)  # type: ignore[no-untyped-call]
    line = downloads.write(notebook, executed.stem, results, stage / "_extra")
    cells: list[nbformat.NotebookNode] = []
    for cell in joined(notebook.cells):
        cells.append(cell)
        if "figure" in cell.metadata.get("mystnb", {}):
            # the HTML below the image, its line of provenance, in a cell of its own: MyST-NB would make another figure,
            # with the same name, of it
            shown = [output for output in cell.outputs if "text/html" in output.get("data", {})]
            cell.outputs = [output for output in cell.outputs if output not in shown]
            cells.append(raw_html("\n".join(output.data["text/html"] for output in shown)))
    notebook.cells = [*cells, raw_html(line)]
    nbformat.write(notebook, stage / executed.name)  # type: ignore[no-untyped-call]


def raw_html(html: str) -> nbformat.NotebookNode:
    """A cell of HTML."""
    return nbformat.v4.new_markdown_cell(f"```{{raw}} html\n{html}\n```")  # type: ignore[no-untyped-call]


def joined(cells: Iterable[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The cells, with those folded ones as one between which nothing is shown; the parameters of a run start folded."""
    cells, made = list(cells), list[nbformat.NotebookNode]()
    for cell in cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"].append("hide-input")
    for silent in (0, 1):  # a cell that shows nothing joins the next one, or else the one before
        cells, made = made or cells, []
        for cell in cells:
            pair = [*made[-1:], cell]
            if len(pair) == 2 and all(map(_is_folded, pair)) and not _shows(pair[silent]):
                kept = pair[1 - silent]  # whose figure and tags stay
                kept.source = f"{pair[0].source}\n\n{pair[1].source}"
                kept.outputs = [output for one in pair for output in one.outputs]
                made[-1] = kept
            else:
                made.append(cell)
    return made


def _is_folded(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.cell_type == "code" and "hide-input" in cell.metadata.get("tags", []))


def _shows(cell: nbformat.NotebookNode) -> bool:
    """Whether a reader sees anything that a cell has put out: all but what is glued."""
    return any("scrapbook" not in output.get("metadata", {}) for output in cell.outputs)
