"""The claims ledger: verdicts, validation, the page, and the ledger of the book against the smoke run."""

from pathlib import Path

import pytest

from gampl import claims
from gampl.claims import Claim, Verdict
from gampl.profiles import PROFILES

ROOT = Path(__file__).parents[1]
LEDGER = ROOT / "book" / "claims.yml"


def claim(**changes) -> Claim:
    fields = {
        "id": "c",
        "where": "Eq. (1)",
        "text": "t",
        "reason": "r",
        "paper": 70,
        "result": "line.G",
        "tolerance": 0.5,
    }
    return Claim(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "value", "interval", "verdict"),
    [
        ({}, 70.447, None, Verdict.REPRODUCED),
        ({}, 71.15, None, Verdict.DIFFERS),
        ({}, 66.0, (50, 80), Verdict.CONSISTENT),
        ({}, 66.0, (60, 69), Verdict.DIFFERS),
        ({"tolerance": None}, 66.0, (60, 69), Verdict.DIFFERS),
        ({"below": True, "paper": 1}, 0.4, (0.2, 0.8), Verdict.REPRODUCED),
        ({"below": True, "paper": 1}, 0.4, (0.2, 1.8), Verdict.CONSISTENT),
        ({"below": True, "paper": 1}, 1.4, (1.2, 1.8), Verdict.DIFFERS),
        ({"below": True, "paper": 1}, 0.4, None, Verdict.REPRODUCED),
    ],
)
def test_verdicts(changes, value, interval, verdict):
    assert claim(**changes).judge(value, interval) is verdict


def test_a_result_that_was_not_recorded_is_not_attempted():
    judged = claims.evaluate([claim(expect={"smoke": ["reproduced"]})], {"smoke": {}})[0]
    assert judged.answers["smoke"].verdict is Verdict.NOT_ATTEMPTED
    assert not judged.as_expected("smoke")
    assert judged.as_expected("laptop")
    assert "expected reproduced in profile smoke" in judged.explain("smoke")


def test_infinite_ends_of_intervals_are_read_back():
    numbers = {"smoke": {"line": {"G": {"value": "inf", "interval": [12.0, "inf"], "level": 0.95}}}}
    assert claims.evaluate([claim()], numbers)[0].answers["smoke"].verdict is Verdict.CONSISTENT


def test_a_claim_needs_something_to_compare_with():
    with pytest.raises(ValueError, match=r"claim c: line.G was recorded without an interval"):
        claim(tolerance=None).judge(70.0, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: a, wher: b}", r"entry 1 \(a\) has unknown fields \['wher'\]"),
        ("- {id: a, where: b}", "missing .* required"),
        ("- {id: a, where: b, text: t, reason: r, paper: 1, expect: {smoke: [fine]}}", "expect must map"),
        ("- &c {id: a, where: b, text: t, reason: r, paper: 1}\n- *c", "used twice"),
    ],
)
def test_bad_ledgers_are_named(tmp_path, text, message):
    ledger = tmp_path / "claims.yml"
    ledger.write_text(text)
    with pytest.raises(ValueError, match=message):
        claims.load(ledger)


def test_page_shows_every_claim():
    loaded = claims.load(LEDGER)
    numbers = {"smoke": {"gaussian_line": {"G_closed": {"value": 70.447}}}}
    page = claims.page(claims.evaluate(loaded, numbers), "smoke")
    assert all(c.text in page for c in loaded)
    assert "1 reproduced" in page
    assert page.count("**not attempted**") == len(loaded) - 1


@pytest.mark.book
@pytest.mark.parametrize("profile", PROFILES)
def test_runs_have_the_verdicts_that_the_ledger_expects(profile):
    results = claims.read_results(ROOT / "_build")
    if profile != "smoke" and profile not in results:
        pytest.skip(f"no {profile} book has been built here")
    judged = claims.evaluate(claims.load(LEDGER), results)
    assert [j.explain(profile) for j in judged if not j.as_expected(profile)] == []


@pytest.mark.book
def test_every_claim_names_a_number_that_the_notebooks_record():
    recorded = claims.read_results(ROOT / "_build")["smoke"]
    names = {f"{notebook}.{number}" for notebook, numbers in recorded.items() for number in numbers}
    assert {c.result for c in claims.load(LEDGER) if c.result} <= names
