"""Files of all that a page of the book shows: figures as PNG, tables as CSV, recorded numbers as JSON, with links."""

import base64
import csv
import io
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

from nbformat import NotebookNode

FOLDER = "downloads"
NAMES = {"png": "Figures", "csv": "Tables", "json": "Numbers"}
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
RULE = re.compile(r":?-+:?")  # between the header of a table and its rows


def write(notebook: NotebookNode, name: str, results: Path, site: Path) -> str:
    """Writes files of an executed notebook below ``downloads/<name>`` of a site; returns a line of HTML with links.

    Figures and tables have the title of their section; files of figures, the name with which the book refers to them.
    """
    folder = site / FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    links: dict[str, list[str]] = {"png": [], "csv": []}
    met: Counter[tuple[str, str]] = Counter()
    for kind, title, figure, content in _shown(notebook):
        met[kind, slug := _slug(title)] += 1
        whole = f"{title} ({met[kind, slug]})" if met[kind, slug] > 1 else title
        file = folder / f"{name}_{_slug(figure or whole).removeprefix(f'{name}_')}.{kind}"
        file.write_bytes(content)
        links[kind].append(_link(file.relative_to(site), whole))
    numbers = folder / f"{name}_numbers.json"
    shutil.copy(results, numbers)
    links["json"] = [_link(numbers.relative_to(site), "all that it recorded")]
    line = ". ".join(f"{NAMES[kind]} ({kind}): {', '.join(found)}" for kind, found in links.items() if found)
    return f'<details class="downloads"><summary>Download what this page shows</summary>{line}.</details>'


def table_csv(markdown: str) -> str | None:
    """The first table of a Markdown text as CSV, formulas as they are; None if there is none."""
    lines = [line.strip() for line in markdown.splitlines()]
    rows = [[_plain(cell) for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines if line[:1] == "|"]
    if len(rows) < 2 or not all(map(RULE.fullmatch, rows[1])):
        return None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([rows[0], *rows[2:]])
    return text.getvalue()


def _plain(cell: str) -> str:
    return cell.strip().replace(r"\|", "|").replace("**", "")


def _shown(notebook: NotebookNode) -> Iterator[tuple[str, str, str, bytes]]:
    """Kind, title, name if it has one, and content of every figure and table, in the order of the page."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = [heading, *HEADING.findall(cell.source)][-1].replace("$", "")  # formulas in words
            continue
        figure = cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if png := data.get("image/png"):
                yield "png", heading, figure.removeprefix("fig-"), base64.b64decode(png)
            if (table := table_csv(data.get("text/markdown", ""))) is not None:
                yield "csv", heading, "", table.encode()


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "table"


def _link(file: Path, title: str) -> str:
    return f'<a href="{file.as_posix()}" download>{escape(title)}</a>'
