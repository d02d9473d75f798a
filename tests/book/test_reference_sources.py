"""The committed reference notebooks belong to the notebooks of today, and stay small."""

from pathlib import Path

import jupytext
import nbformat
import pytest

from gampl_book import BookError
from gampl_book.references import CHECKED, INJECTED, REMEDY, is_current, reduced

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
REFERENCES = ROOT / "tests/reference"


def test_one_reference_for_each_notebook():
    assert {path.stem for path in REFERENCES.glob("*.ipynb")} == {path.stem for path in SOURCES}, "make reference"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_same_code(source):
    assert is_current(REFERENCES / f"{source.stem}.ipynb", source), f"the code has changed: {REMEDY}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_reference_can_notice_something(source):
    """It holds text to compare, of the smoke profile, and no figures."""
    reference = nbformat.read(REFERENCES / f"{source.stem}.ipynb", 4)
    injected = [cell.source for cell in reference.cells if INJECTED in cell.metadata.get("tags", [])]
    assert len(injected) == 1
    assert 'profile = "smoke"' in injected[0]
    assert "seed = 1" in injected[0]
    assert any(cell.outputs for cell in reference.cells), f"no cell of {source.name} is tagged {CHECKED}"
    assert (REFERENCES / f"{source.stem}.ipynb").stat().st_size < 50_000


def executed(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    v4 = nbformat.v4
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title"),
            v4.new_code_cell("profile = 'smoke'", metadata={"tags": [INJECTED]}),
            v4.new_code_cell("plot()", outputs=[v4.new_output("display_data", {"image/png": "AA=="})]),
            v4.new_code_cell("print(1)", metadata={"tags": [CHECKED]}, outputs=[output]),
        ]
    )


def test_reduced():
    printed = nbformat.v4.new_output("stream", name="stdout", text="1\n")
    reference = reduced(executed(printed), "page")
    assert [cell.source for cell in reference.cells] == ["profile = 'smoke'", "plot()", "print(1)"]
    assert [cell.outputs for cell in reference.cells] == [[], [], [printed]]
    nbformat.validate(reference)


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("display_data", {"image/png": "AA==", "text/plain": "<Figure>"}),
        nbformat.v4.new_output("stream", name="stderr", text="Warning\n"),
    ],
)
def test_what_nbval_cannot_compare_is_refused(output):
    with pytest.raises(BookError, match=r"notebook page: a cell tagged nbval-check-output must print"):
        reduced(executed(output), "page")


def test_text_that_came_in_pieces_is_joined():
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("one\n", "two\n")]
    notebook = executed(pieces[0])
    notebook.cells[-1].outputs = pieces
    (cell,) = [cell for cell in reduced(notebook, "page").cells if cell.outputs]
    assert [output.text for output in cell.outputs] == ["one\ntwo\n"]


def test_changed_code_is_noticed(tmp_path):
    source = tmp_path / "page.py"
    source.write_text("# %%\nprint(1)\n")
    reference = tmp_path / "page.ipynb"
    jupytext.write(jupytext.read(source), reference)
    assert is_current(reference, source)
    source.write_text("# %%\nprint(2)\n")
    assert not is_current(reference, source)
