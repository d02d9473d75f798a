"""What pages look like: where they begin, and whether their words can be read in both themes."""

import re

import nbformat
import pytest
import yaml
from small_project import ROOT

from gampl_book import site

CSS = (ROOT / "book/_static/gampl.css").read_text()


def code(source, tags=(), outputs=()):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs))


def test_a_page_begins_with_one_folded_cell(tmp_path):
    """Parameters, those of the run and the first code are one; nothing shown is lost, nothing open is folded."""
    shown = nbformat.v4.new_output("stream", text="badge")
    cells = [
        nbformat.v4.new_markdown_cell("# Page"),
        code("seed: int = 1", ["parameters", "hide-input"]),
        code("seed = 2", ["injected-parameters"]),
        code("import this", ["hide-input"], [shown]),
        code("plot()", ["hide-input"]),
        code("open()"),
    ]
    executed, stage = tmp_path / "page.ipynb", tmp_path / "stage"
    stage.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), executed)
    site.add_notebook(executed, stage)
    made = nbformat.read(stage / "page.ipynb", 4).cells
    assert [cell.source for cell in made] == [
        "# Page",
        "seed: int = 1\n\nseed = 2\n\nimport this",
        "plot()",
        "open()",
    ]
    assert [output.text for output in made[1].outputs] == ["badge"]


def luminance(colour):
    parts = [value / 255 for value in colour]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# as the theme of pages sets them: muted text, text, background, and the box below what cells show
THEMES = {
    "light": {"muted": (72, 86, 107), "base": (34, 40, 50), "page": (255, 255, 255), "box": (255, 255, 255)},
    "dark": {"muted": (156, 164, 175), "base": (206, 214, 221), "page": (18, 18, 18), "box": (206, 214, 221)},
}


@pytest.mark.parametrize("theme", THEMES)
def test_badge_and_captions_can_be_read(theme):
    colours = THEMES[theme]
    has_no_box = re.search(r'dark"\] [^{]*profile-badge\) \{\s*background: none', CSS) is not None
    below = colours["page" if has_no_box else "box"]
    assert contrast(colours["muted"], below) >= 4.5
    caption = re.search(r"figcaption[^{]* \{\s*color: var\(--pst-color-text-(\w+)\);\s*font-weight: 400", CSS)
    assert caption is not None
    assert contrast(colours[caption[1]], colours["page"]) >= 10


def test_the_search_asks_for_no_pages():
    """A browser refuses pages that a script of a page on disk asks for: 44 pages found were 48 refusals."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert settings["sphinx"]["config"]["html_show_search_summary"] is False
