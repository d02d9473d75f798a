"""The claims ledger: verdicts, validation, the page, and the ledger of the book against the smoke run."""

import json
from pathlib import Path

import pytest

from gampl import claims
from gampl.claims import Claim, Verdict

ROOT = Path(__file__).parents[1]
LEDGER = ROOT / "book" / "claims.yml"
NOWHERE = ROOT / "no such folder"


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
        ({"above": True, "paper": 1}, 1.4, (1.2, 1.8), Verdict.REPRODUCED),
        ({"above": True, "paper": 1}, 1.4, (0.8, 1.8), Verdict.CONSISTENT),
        ({"above": True, "paper": 1}, 0.4, (0.2, 0.8), Verdict.DIFFERS),
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
    recorded = {"smoke": {"line": {"numbers": {"G": {"value": "inf", "interval": [12.0, "inf"], "level": 0.95}}}}}
    assert claims.evaluate([claim()], recorded)[0].answers["smoke"].verdict is Verdict.CONSISTENT


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
    recorded = {"smoke": {"gaussian_line": {"commit": "abc1234", "numbers": {"G_closed": {"value": 70.447}}}}}
    page = claims.page(claims.evaluate(loaded, recorded), "smoke", recorded)
    assert "smoke abc1234" in page
    assert all(c.text in page for c in loaded)
    assert "1 reproduced" in page
    assert page.count("**not attempted**") == len(loaded) - 1


def unexpected(profile: str, results: claims.Results) -> list[str]:
    return [j.explain(profile) for j in claims.evaluate(claims.load(LEDGER), results) if not j.as_expected(profile)]


@pytest.mark.book
def test_the_smoke_run_has_the_verdicts_that_the_ledger_expects():
    assert unexpected("smoke", claims.read_results(ROOT / "_build", NOWHERE)) == []


@pytest.mark.parametrize("profile", [folder.name for folder in (ROOT / "data" / "results").iterdir()])
def test_results_that_are_kept_have_the_verdicts_that_the_ledger_expects(profile):
    assert unexpected(profile, claims.read_results(NOWHERE, ROOT / "data" / "results")) == []


@pytest.mark.book
def test_every_claim_names_a_number_that_the_notebooks_record():
    recorded = claims.read_results(ROOT / "_build", NOWHERE)["smoke"]
    names = {f"{notebook}.{number}" for notebook, content in recorded.items() for number in content["numbers"]}
    assert {c.result for c in claims.load(LEDGER) if c.result} <= names


def test_a_run_here_comes_before_what_is_kept(tmp_path):
    for folder, commit in (("archive/smoke", "old"), ("build/smoke/results", "new")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "line.json").write_text(json.dumps({"commit": commit, "numbers": {}}))
    found = claims.read_results(tmp_path / "build", tmp_path / "archive")
    assert found["smoke"]["line"]["commit"] == "new"
