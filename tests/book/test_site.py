"""What pages look like: where they begin, and whether their words can be read in both themes."""

import base64
import csv
import json
import re
from itertools import pairwise

import nbformat
import pytest
import yaml
from hypothesis import given, strategies as st
from small_project import ROOT

from gampl_book import site

CSS = (ROOT / "book/_static/gampl.css").read_text()


def code(source, tags=(), outputs=()):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs))


def glued(name):
    about = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return nbformat.v4.new_output("display_data", {"application/papermill.record/text/plain": "1"}, metadata=about)


def shown(text):
    return nbformat.v4.new_output("stream", text=text)


def add(tmp_path, cells):
    """The cells of a page as the site has it, and what it says of downloads."""
    executed, results, stage = tmp_path / "page.ipynb", tmp_path / "page.json", tmp_path / "stage"
    stage.mkdir()
    results.write_text('{"numbers": {"a": 1}}')
    nbformat.write(nbformat.v4.new_notebook(cells=cells), executed)
    site.add_notebook(executed, results, stage)
    *made, last = nbformat.read(stage / "page.ipynb", 4).cells
    return made, last.source


def test_a_page_begins_with_one_folded_cell(tmp_path):
    """Parameters, those of the run and the first code are one; nothing shown is lost, nothing open is folded."""
    cells = [
        nbformat.v4.new_markdown_cell("# Page"),
        code("seed: int = 1", ["parameters", "hide-input"]),
        code("seed = 2", ["injected-parameters"]),
        code("import this", ["hide-input"], [shown("badge")]),
        code("open()"),
        code("alone()", ["injected-parameters"]),
    ]
    made, _ = add(tmp_path, cells)
    assert [cell.source for cell in made] == [
        "# Page",
        "seed: int = 1\n\nseed = 2\n\nimport this",
        "open()",
        "alone()",
    ]
    assert [output.text for output in made[1].outputs] == ["badge"]
    assert made[-1].metadata.tags == ["injected-parameters", "hide-input"]


@given(st.lists(st.sampled_from(["silent", "glued", "shown", "figure", "open", "words"]), max_size=9))
def test_folded_cells_between_which_nothing_is_shown_are_one(kinds):
    cells = []
    for n, kind in enumerate(kinds):
        outputs = [glued(str(n))] if kind == "glued" else [shown(str(n))] if kind in ("shown", "figure") else []
        cell = code(f"run({n})", () if kind == "open" else ("hide-input",), outputs)
        cells.append(nbformat.v4.new_markdown_cell(f"run({n})") if kind == "words" else cell)
        if kind == "figure":
            cell.metadata["mystnb"] = {"figure": {"name": f"fig-{n}"}}
    before = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    made = site.joined(cells)
    assert "\n\n".join(cell.source for cell in made) == "\n\n".join(f"run({n})" for n in range(len(kinds)))
    assert [output for cell in made if cell.cell_type == "code" for output in cell.outputs] == before
    for one, other in pairwise(made):
        if all("hide-input" in cell.metadata.get("tags", ()) for cell in (one, other)):
            assert all(any(output.output_type == "stream" for output in cell.outputs) for cell in (one, other))
    for n, cell in ((n, cell) for cell in made for n, kind in enumerate(kinds) if f"run({n})" in cell.source):
        if kinds[n] in ("open", "words"):
            assert cell.source == f"run({n})"
        elif kinds[n] == "figure":
            assert cell.metadata["mystnb"] == {"figure": {"name": f"fig-{n}"}}


def test_what_a_page_shows_is_in_files_with_links(tmp_path):
    png = base64.b64encode(b"a picture").decode()
    table = "| $x$ | in \\|words\\|, all |\n| --- | ---: |\n| 1 | **2** |"
    output = {"image/png": png}, {"text/markdown": table}, {"text/markdown": "| no table |"}
    picture, first, none = (nbformat.v4.new_output("display_data", data) for data in output)
    drawn = code("draw()", ["hide-input"], [picture])
    drawn.metadata["mystnb"] = {"figure": {"name": "fig-some-curves"}}
    headings = map(nbformat.v4.new_markdown_cell, ["# Page\n\n## Is $G<1$ & small?", "words"])
    made, line = add(
        tmp_path, [*headings, drawn, code("show()", [], [first, none, first]), code("plot()", [], [picture])]
    )
    folder = tmp_path / "stage" / "_extra"
    links = re.findall('href="([^"]+)" download>([^<]+)<', line)
    assert [title for _, title in links] == [
        "Is G&lt;1 &amp; small?",
        "Is G&lt;1 &amp; small? (2)",
        "Is G&lt;1 &amp; small?",
        "Is G&lt;1 &amp; small? (2)",
        "all that it recorded",
    ]
    files = [folder / link for link, _ in links]
    assert {path for path in folder.rglob("*") if path.is_file()} == set(files)
    assert files[0].name == "page_some_curves.png"
    assert [path.suffix for path in files] == [".png", ".png", ".csv", ".csv", ".json"]
    assert [path.read_bytes() for path in files[:2]] == [b"a picture"] * 2
    assert list(csv.reader(files[2].read_text().splitlines())) == [["$x$", "in |words|, all"], ["1", "2"]]
    assert json.loads(files[4].read_text()) == {"numbers": {"a": 1}}
    assert line.startswith("```{raw} html\n<details")
    assert [cell.source for cell in made if cell.cell_type == "code"] == ["draw()", "show()", "plot()"]


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
