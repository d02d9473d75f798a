"""The report as its readers get it: one file, nothing from outside, whatever the names in it."""

import base64
import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from chromium import chromium
from made_studies import REGION, compared, counted, estimate, failure, findings, process, shape, study

from gampl.report import figures
from gampl.report.html import html
from gampl.report.process import Definition, Region
from gampl.report.sharpening import sharpen
from gampl.result import NoteCode

VOID = {"meta", "link", "img", "br", "hr", "wbr"}
EVIL = "<script>alert(1)</script> \"quoted\" & 'single' </style> <img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """What is in a page; an error where it is not well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}: {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in {*self.open}:
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text():
    """The whole report, as text."""
    return html(study(), "gampl averaging 'a b.csv' --report r.html")


@pytest.fixture(scope="module")
def page(text):
    """The whole report, parsed."""
    return Page(text)


@pytest.fixture(scope="module")
def evil():
    """A report in which all that a user can name is meant badly."""
    regions = (Region(EVIL, condition="x > 1"), Region("b", observable=EVIL, edges=(0.0, 1.0)))
    given = process(title=EVIL, regions=regions, observables={EVIL: Definition(EVIL, EVIL, EVIL)}, summaries=(EVIL,))
    found = (
        dataclasses.replace(
            findings()[0],
            region=regions[0],
            result=dataclasses.replace(counted(2), notes=(NoteCode.OTHER(text=EVIL),)),
        ),
        failure("b", EVIL, EVIL),
    )
    names = dataclasses.replace(shape(label=EVIL), name=EVIL)
    given = study(process=given, findings=found, warnings=(EVIL,), histograms=(names,), members=(EVIL,), n_gen=(5,))
    return html(given, command=EVIL)


def test_the_page_is_well_formed_and_its_headings_are_nested(page):
    assert page.tags[0] == ("html", {"lang": "en"})
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len({*ids}) == len(ids)
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= {*ids}


def test_the_page_needs_nothing_else(text, page):
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base", "form", "video"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "data", "poster", "action"):
                assert value.startswith(("data:", "#")), (tag, name, value[:60])
    style = "".join(page.texts["style"])
    assert "url(" not in style
    assert "@import" not in style
    for image in page.all("img"):
        kind, _, data = image["src"].partition(";base64,")
        content = base64.b64decode(data, validate=True)
        if kind == "data:image/svg+xml":
            assert not re.search(rb'href="(?!#)', content)  # nor does an image ask for anything
            assert b"<script" not in content
        else:
            assert content.startswith(b"\x89PNG")
    assert "nan" not in re.sub(r'src="[^"]*"', "", text).lower().split()


def test_the_page_is_small(text):
    # eight curves, the overview and two control plots
    assert len(text.encode()) < 2_000_000


def test_every_figure_has_a_text_and_a_caption(page):
    made = [f for f in findings() if f.result is not None]
    images = page.all("img")
    assert len(images) == 1 + len(made) + len(study().histograms)
    assert all(len(image["alt"]) > 20 for image in images)
    assert len({image["alt"] for image in images}) == len(images)
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(images)
    assert f"G{made[0].result.words}" in images[1]["alt"]


def test_the_answer_comes_first_and_warnings_are_announced(page):
    heads = page.texts["h2"]
    assert heads[0] == "The answer"
    assert heads[1] == "Before you believe it"
    answers = page.texts["li"][: len(findings())]
    assert answers[0].startswith(
        "For the share of events in the region 2000 <= m_tt < 2200, the pooled sample of your 10"
    )
    assert "the holdout sample has only 3 events here" in answers[-1]
    assert "2 warnings" in page.texts["p"][0]
    said = " ".join(page.texts["li"])
    for warning in study().warnings:
        assert warning[1:] in said


def test_notes_and_advice_of_each_estimate_are_there(page):
    said = " ".join(page.texts["li"])
    for finding in findings():
        if finding.result is not None:
            for sentence in (*map(str, finding.result.notes), *sharpen(finding.result)):
                assert sentence[1:] in said


def test_the_n_train_of_each_row_is_that_of_its_estimate(page):
    assert page.texts["td"].count("300") == 1
    assert page.texts["td"].count("10\u202f000") == 7


def test_only_what_was_estimated_is_explained(page):
    heads = ["What G says", "Averaging", "At least", "How members have to be made", "What averaging cannot see"]
    few = Page(html(study(findings=findings()[:1], histograms=())))
    for whole, texts in ((few, heads), (page, [*heads, "Differential", "What differential cannot see"])):
        start = whole.texts["dt"].index("What G says")
        assert whole.texts["dt"][start : start + len(texts)] == texts
        assert ("Differential" in whole.texts["dt"]) is (whole is page)


def test_settings_are_told(page):
    settings = page.texts["section"][-1].replace("\u202f", " ")
    for fact in ("10 000", "samples/member_00.h5", "(10 in all)", "train.csv", "holdout.csv (weights w, unweighted)"):
        assert fact in settings
    assert page.texts["code"] == ["gampl averaging 'a b.csv' --report r.html"]


def test_names_are_printed_as_they_are(evil):
    page = Page(evil)
    assert page.texts["h1"] == page.texts["title"] == [EVIL]
    assert page.texts["code"] == [EVIL]
    assert not {tag for tag, _ in page.tags} & {"script", "b"}
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert "<script" not in evil
    assert EVIL in " ".join(page.texts["li"])
    assert EVIL in " ".join(page.texts["td"])
    assert EVIL in " ".join(page.texts["dd"])
    assert any(EVIL in image["alt"] for image in page.all("img"))


@pytest.mark.parametrize(
    "found",
    [(), (failure("a", "", "why not"),), (estimate(None, "m", compared(2, members=1)),)],
    ids=["nothing", "problem", "one member"],
)
def test_little_is_a_page_too(found):
    bare = process(members=None, train=None, regions=(Region(REGION, condition=REGION),))
    little = study(process=bare, findings=found, warnings=(), histograms=(), members=("flow",), n_gen=(1000,))
    page = Page(html(little))
    assert not page.texts.get("code")
    assert "Before you believe it" not in page.texts["h2"]
    assert "flow" in page.texts["section"][-1]
    assert "1 member with 1000 generated events" in page.texts["p"][0]


def test_a_figure_with_very_many_lines_is_an_image_of_points(monkeypatch):
    drawn = {"svg": bytes(200_000), "png": b"\x89PNG"}
    monkeypatch.setattr(figures, "content", lambda _, kind: drawn[kind])
    page = Page(html(study(findings=findings()[:1], histograms=())))
    assert all(image["src"].startswith("data:image/png") for image in page.all("img"))


LOOK = """() => ({
  cut_off: [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).length,
  unnamed: [...document.querySelectorAll("td.number")].filter(e => !e.dataset.name).length,
  wider: document.documentElement.scrollWidth - window.innerWidth,
  missing: [...document.images].filter(i => !i.naturalWidth).length,
  sticking_out: [...document.querySelectorAll("main *")].filter(e => !e.closest(".scroll")
    && e.getBoundingClientRect().right > window.innerWidth + 1).map(e => e.tagName),
  background: getComputedStyle(document.documentElement).backgroundColor,
})"""


@pytest.mark.slow
def test_nothing_sticks_out_of_a_phone(text, evil, tmp_path):
    files = {"whole": text, "evil": evil.replace("quoted", "quoted" * 40)}
    with chromium() as browser:
        for width in (360, 768, 1200):
            tab = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark").new_page()
            asked: list[str] = []
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            tab.on("dialog", lambda _: pytest.fail("a script ran"))
            for name, content in files.items():
                path = tmp_path / f"{name}.html"
                path.write_text(content, encoding="utf-8")
                tab.goto(path.as_uri(), wait_until="load")
                seen = tab.evaluate(LOOK)
                assert seen["wider"] <= 0, (name, width)
                assert seen["sticking_out"] == [], (name, width)
                assert seen["missing"] == seen["unnamed"] == 0
                assert width != 360 or seen["cut_off"] == 0
                assert seen["background"] == "rgb(255, 255, 255)"
            assert all(url.startswith(("file:", "data:")) for url in asked)
