"""The committed references belong to the notebooks of today, and hold text."""

from pathlib import Path

import nbformat
import pytest

from gampl_book import BookError
from gampl_book.references import CHECKED, GLUED, printed

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
REFERENCES = ROOT / "tests/reference"
V4 = nbformat.v4


def test_one_reference_for_each_notebook():
    assert {path.stem for path in REFERENCES.glob("*.txt")} == {path.stem for path in SOURCES}, "make reference"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_reference_can_notice_something(source):
    text = (REFERENCES / f"{source.stem}.txt").read_text(encoding="utf-8")
    assert text.strip()
    assert len(text) < 50_000


@pytest.fixture
def page(tmp_path):
    """Writes a notebook whose last cell shows something, and returns its path."""

    def write(*outputs: nbformat.NotebookNode, tag: str = CHECKED) -> Path:
        notebook = V4.new_notebook(
            cells=[
                V4.new_markdown_cell("# Title"),
                V4.new_code_cell("plot()", outputs=[V4.new_output("display_data", {"image/png": "AA=="})]),
                V4.new_code_cell("print(1)", metadata={"tags": [tag]}, outputs=list(outputs)),
            ]
        )
        nbformat.write(notebook, tmp_path / "page.ipynb")
        return tmp_path / "page.ipynb"

    return write


def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return V4.new_output("stream", name=name, text=text)


def test_text_that_came_in_pieces_is_joined(page):
    assert printed(page(stream("one\n"), stream("two\n"))) == "one\ntwo\n"


def test_glued_text_has_its_name(page):
    glued = V4.new_output("display_data", {GLUED: "'0.66'"}, metadata={"scrapbook": {"name": "page_factor"}})
    assert printed(page(stream("1\n"), glued)) == "1\npage_factor: '0.66'\n"


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [V4.new_output("display_data", {"image/png": "AA==", "text/plain": "<Figure>"})],
        [stream("1\n"), stream("Warning\n", "stderr")],
    ],
)
def test_what_cannot_be_compared_is_refused(page, outputs):
    with pytest.raises(BookError, match=r"notebook page: a cell tagged nbval-check-output must print"):
        printed(page(*outputs))


def test_a_notebook_of_which_nothing_would_be_compared_is_refused(page):
    with pytest.raises(BookError, match=r"notebook page: no cell is tagged nbval-check-output"):
        printed(page(stream("1\n"), tag="other"))
