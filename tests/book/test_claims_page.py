"""The claims page in a browser: the verdict comes first, can be read, and chooses rows, without network and scripts."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from chromium import chromium

from gampl_book import claims
from gampl_book.made_pages import SOURCES, by_source, claims_page
from gampl_book.verdicts import Verdict

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "book" / "_static"
PROFILE = "laptop"
WIDTH = 690  # of the text on a page of the book in a window of 1280

CONTRAST = r"""
() => {
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = c => { const [r, g, b] = c.match(/[\d.]+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  return Object.fromEntries([...document.querySelectorAll(".claims-counts thead .verdict")].map(e => {
    const style = getComputedStyle(e);
    const [low, high] = [luminance(style.color), luminance(style.backgroundColor)].sort((a, b) => a - b);
    return [e.innerText.trim(), (high + 0.05) / (low + 0.05)];
  }));
}
"""


@pytest.fixture(scope="module")
def judged():
    return claims.evaluate(
        claims.load(ROOT / "book" / "claims.yml"), claims.read_runs(ROOT / "no", ROOT / "data" / "results")
    )


@pytest.fixture(scope="module")
def html(judged, tmp_path_factory):
    """The tables of the page, which are HTML already, with the book's style and script around them."""
    folder = tmp_path_factory.mktemp("claims")
    for name in ("gampl.css", "claims.js"):
        shutil.copy(STATIC / name, folder)
    text = claims_page(judged, PROFILE, claims.read_runs(ROOT / "no", ROOT / "data" / "results"))
    tables = "\n".join(re.findall(r"```\{raw\} html\n(.*?)\n```", text, flags=re.DOTALL))
    file = folder / "claims.html"
    file.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>Claims</title><link rel="stylesheet" href="gampl.css"><script src="claims.js"></script></head>'
        f'<body style="margin: 0"><article class="bd-article">{tables}</article></body></html>'
    )
    return file


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def opened(browser, html):
    context = browser.new_context(viewport={"width": WIDTH, "height": 900})
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(error.message))
    page.goto(html.as_uri())
    yield page
    assert said == []
    context.close()


def shown(page) -> list[tuple[str, str]]:
    """Verdict and section of the rows that one sees."""
    return [
        (row.get_attribute("data-verdict"), row.get_attribute("data-section"))
        for row in page.query_selector_all("#claims-paper tbody tr")
        if row.is_visible()
    ]


def expected(judged) -> Counter:
    paper = [j for j in judged if j.claim.section != claims.CHECK]
    return Counter((str(j.verdict(PROFILE)), j.claim.section) for j in paper)


@pytest.mark.parametrize(("width", "is_mobile"), [(WIDTH, False), (360, True)])
def test_the_verdict_is_seen_first(browser, html, width, is_mobile):
    context = browser.new_context(viewport={"width": width, "height": 900}, is_mobile=is_mobile)
    page = context.new_page()
    page.goto(html.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for row in page.query_selector_all("#claims-paper tbody tr"):
        chip, box = row.query_selector(".verdict").bounding_box(), row.bounding_box()
        assert chip["x"] >= 0
        assert chip["x"] + chip["width"] <= width
        assert chip["y"] - box["y"] < 30  # at the top of its row
        text = row.query_selector("td:nth-child(2)").bounding_box()
        assert text["x"] > chip["x"] + chip["width"] or text["y"] >= chip["y"] + chip["height"]
    context.close()


def test_words_on_colours_can_be_read(opened):
    contrast = opened.evaluate(CONTRAST)
    assert {name.split(maxsplit=1)[1] for name in contrast} == set(Verdict)
    assert min(contrast.values()) >= 4.5, contrast  # AA of the Web Content Accessibility Guidelines


def test_no_two_verdicts_look_alike(opened):
    looks = opened.evaluate(
        "[...document.querySelectorAll('.claims-counts thead .verdict')].map(e => "
        "[getComputedStyle(e).backgroundColor, e.firstChild.textContent])"
    )
    assert len({colour for colour, _ in looks}) == len(Verdict)
    assert len({icon for _, icon in looks}) == len(Verdict)


def test_rows_by_verdict_and_section(opened, judged):
    everything = expected(judged)
    assert Counter(shown(opened)) == everything
    assert everything["differs", "3.3"] > 0
    opened.select_option("select[name=verdict]", "differs")
    assert Counter(shown(opened)) == Counter({k: n for k, n in everything.items() if k[0] == "differs"})
    opened.select_option("select[name=section]", "3.3")
    assert Counter(shown(opened)) == Counter({k: n for k, n in everything.items() if k == ("differs", "3.3")})
    n, total = everything["differs", "3.3"], everything.total()
    assert opened.inner_text("form.claims-filter output") == f"{n} of {total} claims"
    opened.click("form.claims-filter button[type=reset]")
    opened.wait_for_function(f"document.querySelector('form.claims-filter output').innerText.startsWith('{total} of')")
    assert Counter(shown(opened)) == everything


def test_counts_choose_rows_by_keyboard(opened, judged):
    everything = expected(judged)
    button = opened.query_selector("td[data-verdict=reproduced][data-section='3.2'] button")
    assert button.inner_text() == str(everything["reproduced", "3.2"])
    button.focus()
    opened.keyboard.press("Enter")
    assert Counter(shown(opened)) == Counter({("reproduced", "3.2"): everything["reproduced", "3.2"]})
    opened.focus("select[name=verdict]")
    opened.keyboard.press("Home")  # the first entry, all
    assert {section for _, section in shown(opened)} == {"3.2"}
    assert len({verdict for verdict, _ in shown(opened)}) > 1


def test_without_scripts_all_rows_show(browser, html, judged):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(html.as_uri())
    assert Counter(shown(page)) == expected(judged)
    assert not page.is_visible("form.claims-filter")
    context.close()


def test_every_statement_has_one_source(judged):
    found = by_source(judged, PROFILE)
    assert sum((source.verdicts for source in found), Counter()) == Counter(one.verdict(PROFILE) for one in judged)
    assert len(found) == len(SOURCES)
    by_title = {source.title: source for source in found}
    of_check = by_title["checks of our own"]
    assert of_check.verdicts.total() == sum(one.claim.section == "check" for one in judged)
    radiation = next(source for title, source in by_title.items() if "Extrapolating Jet Radiation" in title)
    assert radiation.pages == ["jet_radiation"]
    assert radiation.verdicts.total() == sum(one.claim.where.startswith("Butter et al. 2024") for one in judged)
    text = claims_page(judged, PROFILE, {})
    for source in found:
        [line] = [line for line in text.splitlines() if line.startswith(f"- {source.title}: ")]
        counts = re.findall(r"\*\*(\d+)\*\* ([a-z ]+)", line)
        assert {verdict: int(count) for count, verdict in counts} == {
            str(v): n for v, n in source.verdicts.items() if n
        }
        assert f": {source.verdicts.total()} statements, " in line
