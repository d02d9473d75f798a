"""Makes the HTML book from prose, executed notebooks, and all that a page needs offline, all assembled in a stage."""

import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import nbformat
from sphinx_external_toc.parsing import parse_toc_yaml

from gampl_book import KEPT_RESULTS, BookError

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
        add_notebook(run / "executed" / f"{notebook}.ipynb", stage)
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


def add_notebook(executed: Path, stage: Path) -> None:
    """Copies an executed notebook; the parameters that the run has put in start folded, with what follows them."""
    notebook = nbformat.read(executed, 4)  # type: ignore[no-untyped-call]
    cells: list[nbformat.NotebookNode] = []
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"].append("hide-input")
        if cells and _is_folded(cell) and _is_folded(cells[-1]) and not cells[-1].outputs:
            cell.source = f"{cells.pop().source}\n\n{cell.source}"  # one bar to unfold for both
        cells.append(cell)
        if "figure" in cell.metadata.get("mystnb", {}):
            # the HTML below the image, its line of provenance, in a cell of its own: MyST-NB would make another figure,
            # with the same name, of it
            shown = [output for output in cell.outputs if "text/html" in output.get("data", {})]
            cell.outputs = [output for output in cell.outputs if output not in shown]
            html = "\n".join(output.data["text/html"] for output in shown)
            cells.append(nbformat.v4.new_markdown_cell(f"```{{raw}} html\n{html}\n```"))  # type: ignore[no-untyped-call]
    notebook.cells = cells
    nbformat.write(notebook, stage / executed.name)  # type: ignore[no-untyped-call]


def _is_folded(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.cell_type == "code" and "hide-input" in cell.metadata.get("tags", []))
