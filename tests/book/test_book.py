"""The built book, as a reader sees it who has opened it from disk, without network."""

import csv
import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import chromium

pytestmark = [pytest.mark.book, pytest.mark.slow]

SITE = Path(__file__).resolve().parents[2] / "_build/smoke/site"

NARROW = {"width": 390, "height": 844}
VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": NARROW, "is_mobile": True},
}

# what the theme says on every page, whatever is on it
KNOWN_MESSAGES = re.compile(r"THEBE_JS_URL|Got invalid theme mode")

OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"

LOOK = r"""
async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  const images = [...document.images];
  const loads = await Promise.all(images.map(i => i.decode().then(() => true, () => false)));
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const raw = [];
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.parentElement.closest("pre, code, script, style") && /\\[(\[]|\$\$/.test(text.data)) raw.push(text.data);
  }
  return {
    formulas: document.querySelectorAll(".math").length,
    set: document.querySelectorAll(".math mjx-container").length,
    wrong: [...document.querySelectorAll("mjx-merror")].map(e => e.textContent),
    raw: raw,
    missing: images.filter((_, n) => !loads[n]).map(i => i.getAttribute("src")),
    mute: [...document.querySelectorAll("article img, main img")]
      .filter(i => !i.alt.trim() || /\.(png|svg|jpe?g)$/.test(i.alt)).map(i => i.getAttribute("src")),
    overflow: %s,
    links: [...document.querySelectorAll("a[href]")].map(a => a.href),
  };
}
""".replace("%s", OVERFLOW)


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages():
    if not (SITE / "index.html").exists():
        pytest.skip("there is no smoke book: make test builds it")
    not_ours = {"index.html", "genindex.html", "search.html"}  # index.html only leads to the first page
    return sorted(path for path in SITE.glob("*.html") if path.name not in not_ours)


class Reader:
    """Somebody without network who opens pages in one kind of window and complains."""

    def __init__(self, browser, view: str) -> None:
        self.context = browser.new_context(**VIEWS[view])
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.context.route(re.compile("^(https?|wss?):"), self._refuse)
        self.page.on("pageerror", lambda error: self._hear(error.message))
        self.page.on("console", lambda message: message.type == "error" and self._hear(message.text))

    def _refuse(self, route) -> None:
        self.said.append(f"asks for {route.request.url}")
        route.abort()

    def _hear(self, message: str) -> None:
        # a request that was refused, or a picture that is missing, is reported once and by its name
        if not KNOWN_MESSAGES.search(message) and not message.startswith("Failed to load resource"):
            self.said.append(f"error: {message}")

    def complaints(self, path: Path) -> list[str]:
        """All that is wrong with a page, also in a window as narrow as a phone."""
        self.said.clear()
        self.page.goto(path.as_uri(), wait_until="load")
        seen, window = self.page.evaluate(LOOK), self.page.viewport_size
        if window["width"] > NARROW["width"]:
            self.page.set_viewport_size(NARROW)  # typesetting formulas again takes longer than all else
            seen["overflow"] = max(seen["overflow"], self.page.evaluate(OVERFLOW))
            self.page.set_viewport_size(window)
        found = [*self.said]
        if seen["set"] < seen["formulas"]:
            found.append(f"{seen['formulas'] - seen['set']} formulas are not set")
        found += [f"wrong formula: {text}" for text in seen["wrong"]]
        found += [f"raw formula: {text.strip()[:60]}" for text in seen["raw"]]
        found += [f"image does not show: {source}" for source in seen["missing"]]
        found += [f"image without a description: {source}" for source in seen["mute"]]
        if seen["overflow"] > 1:
            found.append(f"{seen['overflow']} pixels wider than the window")
        found += broken_links(seen["links"])
        return [f"{path.name}: {complaint}" for complaint in found]


def broken_links(links: list[str]) -> Iterator[str]:
    """Local links, to pages, places on pages, and files for download, that lead nowhere."""
    for link in sorted(set(links)):
        parts = urlsplit(link)
        if parts.scheme != "file":
            continue
        target = Path(unquote(parts.path))
        if not target.exists():
            yield f"link to {target.name}, which does not exist"
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in places(target):
            yield f"link to {target.name}#{parts.fragment}, which is not a place there"


@cache
def places(page: Path) -> set[str]:
    """Where on a page a link can lead to."""
    return {html.unescape(name) for _, name in re.findall(r"""\b(?:id|name)=(["'])(.*?)\1""", page.read_text())}


@pytest.fixture(scope="module")
def reader(browser):
    """A reader at a desk."""
    reader = Reader(browser, "desktop")
    yield reader
    reader.context.close()


def test_every_page(reader, pages):
    assert [complaint for page in pages for complaint in reader.complaints(page)] == []


@pytest.mark.parametrize(("view", "first"), [("dark", 0), ("phone", 3)])
def test_every_sixth_page_in_other_views(browser, pages, view, first):
    """Which differ from the desk's by colours, and by the way in which a phone opens a page of its width."""
    reader = Reader(browser, view)
    assert [complaint for page in pages[first::6] for complaint in reader.complaints(page)] == []
    reader.context.close()


@pytest.mark.parametrize(("view", "darkest", "lightest"), [("desktop", 200, 255), ("dark", 0, 60)])
def test_dark_is_dark(browser, pages, view, darkest, lightest):
    """The page follows the reader's system."""
    reader = Reader(browser, view)
    reader.page.goto(pages[0].as_uri())
    colour = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert all(darkest <= int(part) <= lightest for part in re.findall(r"\d+", colour)[:3]), colour
    reader.context.close()


def test_index_leads_to_the_first_page(reader, pages):
    reader.page.goto((SITE / "index.html").as_uri())
    reader.page.wait_for_url(re.compile("|".join(re.escape(page.name) for page in pages)))


def test_figure_data_can_be_downloaded(pages):
    """Each file of figure data is linked from some page; that the links work is tested above."""
    linked = {link for page in pages for link in re.findall(r'href="(figures/[^"]+)"', page.read_text())}
    files = {path.relative_to(SITE).as_posix() for path in (SITE / "figures").rglob("*") if path.is_file()}
    assert files
    assert linked == files


def test_what_a_page_shows_can_be_downloaded(pages):
    """Figures, tables and numbers of every page that a notebook makes, in files that are what their names say."""
    notebooks = {path.stem for path in (SITE.parents[2] / "notebooks").glob("*.py")}
    texts = {page.stem: page.read_text() for page in pages if page.stem in notebooks}
    linked = {name: re.findall(r'href="(downloads/[^"]+)" download>([^<]+)</a>', text) for name, text in texts.items()}
    assert linked.keys() == notebooks
    assert {link for links in linked.values() for link, _ in links} == {
        path.relative_to(SITE).as_posix() for path in (SITE / "downloads").rglob("*") if path.is_file()
    }
    for name, links in linked.items():
        kinds = Counter(Path(link).suffix for link, _ in links)
        article = texts[name].partition("<article")[2].partition("</article")[0]
        assert kinds[".png"] == len(re.findall(r'<img [^>]*src="_images/(?!cover\.)', article)), name
        assert kinds[".json"] == 1
        assert kinds[".csv"] <= article.count("<table"), name
        for link, title in links:
            assert re.fullmatch(r"[^_$\\{}]{4,}", title), title
            content = (SITE / link).read_bytes()
            if link.endswith(".png"):
                assert content.startswith(b"\x89PNG"), link
            elif link.endswith(".json"):
                assert json.loads(content)["numbers"], link
            else:
                rows = list(csv.reader(io.StringIO(content.decode())))
                assert len(rows) > 1, link
                assert len(set(map(len, rows))) == 1, link


@pytest.mark.usefixtures("pages")
def test_search(reader):
    reader.said.clear()
    reader.page.goto((SITE / "search.html").as_uri() + "?q=amplification")
    reader.page.wait_for_selector("#search-results li a", timeout=20_000)
    assert not [complaint for complaint in reader.said if "asks for" in complaint]
    reader.page.goto((SITE / "search.html").as_uri() + "?q=zxqvwk")
    reader.page.wait_for_function("document.querySelector('#search-results p')?.innerText.includes('did not match')")
    assert not reader.page.query_selector("#search-results li a")


FAULTS = {
    "error: Uncaught|error: planted": "<script>console.error('planted')</script>",
    "error: thrown": "<script>throw new Error('thrown')</script>",
    "1 formulas are not set": '<span class="math">a</span>',
    r"raw formula: .*\\\(b\\\)": r"<p>\(b\)</p>",
    "raw formula: .*c": "<p>$$c$$</p>",
    "image does not show: gone.png": '<img src="gone.png" alt="something">',
    "image without a description: data:": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC">',
    "image without a description: dot.gif": '<img src="dot.gif" alt="_images/dot.png">',
    "asks for https://example.org/x.js": '<script src="https://example.org/x.js"></script>',
    r"\d+ pixels wider than the window": '<div style="width: 3000px">wide</div>',
    r"[1-9]\d\d? pixels wider than the window": '<div style="width: 600px">wide on a phone</div>',
    "link to gone.html": '<a href="gone.html">x</a>',
    "link to gone.csv": '<a href="figures/page/gone.csv" download>data</a>',
    "link to page.html#gone": '<a href="#gone">x</a>',
}

SOUND = """
<h1 id="top">Sound</h1><a href="#top">up</a> <a href="https://example.org">elsewhere</a>
<a href="dot.gif" download>data</a><img src="dot.gif" alt="a dot"><pre>$$ code $$</pre>
<script>console.error('Got invalid theme mode: x')</script>
"""

DOT = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")


@pytest.mark.parametrize(("complaint", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_planted_fault_is_found(reader, tmp_path, complaint, fault):
    """And nothing where there is none."""
    (tmp_path / "dot.gif").write_bytes(DOT)
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><html><body><article>{SOUND}</article></body></html>")
    assert reader.complaints(page) == []
    page.write_text(f"<!doctype html><html><body><article>{SOUND}{fault}</article></body></html>")
    assert re.match(rf"page.html: ({complaint})", reader.complaints(page)[0])


ROOMS = [stub.parent.name for stub in sorted((SITE.parents[2] / "gampl").glob("*/__init__.pyi"))]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_the_reference(pages, room):
    del pages  # only whether they are there
    names = re.findall(r" as (\w+)", (SITE.parents[2] / "gampl" / room / "__init__.pyi").read_text())
    text = (SITE / "api" / f"{room}.html").read_text(encoding="utf-8")
    constants = {name for name in names if name.isupper()}  # which have no docstring
    assert len(names) > 2
    assert [name for name in names if name not in constants and f'id="gampl.{room}.{name}"' not in text] == []
