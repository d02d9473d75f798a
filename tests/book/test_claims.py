"""The claims ledger: verdicts, validation, the page, and the ledger of the book against the smoke run."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from gampl_book import BookError, claims
from gampl_book.claims import CHECK, Claim
from gampl_book.made_pages import SECTIONS, claims_page as page
from gampl_book.verdicts import LEVEL, Says, Verdict

ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "book" / "claims.yml"
NOWHERE = ROOT / "no such folder"
FIELDS = 'id: a, section: "3", where: b, text: t, reason: r, paper: 1'


def claim(**changes) -> Claim:
    fields = {
        "id": "c",
        "section": "3.2",
        "where": "Eq. (1)",
        "text": "t",
        "reason": "r",
        "paper": 70,
        "result": "line.G",
        "tolerance": 0.5,
    }
    return Claim(**(fields | changes))


def test_a_result_that_was_not_recorded_is_not_attempted():
    judged = claims.evaluate([claim(expect={"smoke": ["reproduced"]})], {"smoke": {}})[0]
    assert judged.answers["smoke"].verdict is Verdict.NOT_ATTEMPTED
    assert not judged.as_expected("smoke")
    assert judged.as_expected("laptop")
    assert "expected reproduced in profile smoke" in judged.explain("smoke")


def recorded(**numbers) -> dict:
    """Results of a smoke run: of each number its value, or value, low end, high end and level."""
    entries = {}
    for name, number in numbers.items():
        value, *rest = number if isinstance(number, tuple) else (number,)
        entries[name] = {"value": value} | ({"interval": rest[:2], "level": rest[2]} if rest else {})
    return {"smoke": {"line": {"commit": "abc1234", "numbers": entries}}}


def verdict(of: Claim, results: dict) -> Verdict:
    return claims.evaluate([of], results)[0].verdict("smoke")


def test_infinite_ends_of_intervals_are_read_back():
    assert (
        verdict(claim(says=Says.ABOVE, paper=10, tolerance=None), recorded(G=("inf", 12.0, "inf", LEVEL)))
        is Verdict.REPRODUCED
    )
    assert verdict(claim(), recorded(G=("inf", 12.0, "inf", LEVEL))) is Verdict.NOT_TESTED


def test_numbers_of_another_level_decide_nothing():
    answer = claims.evaluate([claim()], recorded(G=(70.0, 69.9, 70.1, 0.683)))[0].answers["smoke"]
    assert answer.verdict is Verdict.NOT_TESTED
    assert "68.3 %, not at 95 %" in answer.why
    assert "68.3 %" in str(answer)


def test_a_claim_about_a_quotient():
    of = claim(result="line.a / line.b * line.c / line.d", paper=3, tolerance=0.01)
    assert verdict(of, recorded(a=2, b=4, c=12, d=2)) is Verdict.REPRODUCED
    assert verdict(of, recorded(a=2, b=4, c=12)) is Verdict.NOT_ATTEMPTED


def test_a_premise_must_not_differ():
    premise = claim(id="premise", result="line.D")
    both = [claim(premise="premise"), premise]
    agree, differ = recorded(G=70.0, D=70.0), recorded(G=70.0, D=1.0)
    assert claims.evaluate(both, agree)[0].verdict("smoke") is Verdict.REPRODUCED
    assert claims.evaluate(both, differ)[0].verdict("smoke") is Verdict.NOT_TESTED


def test_accepting_a_run_changes_its_expectations_and_nothing_else(tmp_path):
    ledger = tmp_path / "claims.yml"
    entry = (
        "- id: {0}\n  section: '3.2'\n  where: Eq. (1)\n  text: t\n  paper: 70\n  result: line.{0}\n  tolerance: 0.5\n"
        "  reason: r\n  expect: {{smoke: [reproduced], laptop: [reproduced]}}\n"
    )
    ledger.write_text("# a comment\n\n" + "\n".join(entry.format(name) for name in ("a", "ab")))
    judged = claims.evaluate(claims.load(ledger), recorded(a=1.0, ab=70.0))
    assert claims.accept_verdicts(ledger, judged, "smoke") == ["a"]
    text = ledger.read_text()
    assert text.count("smoke: [differs], laptop: [reproduced]") == 1
    assert text.replace("smoke: [differs]", "smoke: [reproduced]") == "# a comment\n\n" + "\n".join(
        entry.format(name) for name in ("a", "ab")
    )
    assert all(j.as_expected("smoke") for j in claims.evaluate(claims.load(ledger), recorded(a=1.0, ab=70.0)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: a, wher: b}", r"entry 1 \(a\): Object contains unknown field `wher`"),
        ("- {id: a, where: b}", "missing required field `section`"),
        (f"- {{{FIELDS}, expect: {{smoke: [fine]}}}}", "Invalid enum value 'fine'"),
        (f"- {{{FIELDS}, says: perhaps}}", "perhaps"),
        (f"- {{{FIELDS}, says: below, tolerance: 1}}", "a tolerance belongs to a claim that says equals"),
        (f"- {{{FIELDS}, says: about, paper: -1}}", "must be positive"),
        (f"- {{{FIELDS}, premise: b}}", "has the premise b, which is not a claim"),
        (f"- &c {{{FIELDS}}}\n- *c", "used twice"),
        ("", r"claims\.yml is damaged: expected a list of claims, got NoneType"),
        ("id: a", r"claims\.yml is damaged: expected a list of claims, got dict"),
        ("- {id: a", r"claims\.yml is damaged, expected YAML: while parsing"),
        ("- id: \udcff", r"claims\.yml is damaged, expected YAML: .*utf-8"),
        ("- a", r"claims\.yml: entry 1 \(no id\): Expected `object`, got `str`"),
    ],
)
def test_bad_ledgers_are_named(tmp_path, text, message):
    ledger = tmp_path / "claims.yml"
    ledger.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BookError, match=message):
        claims.load(ledger)


def test_the_page_counts_every_claim_once():
    loaded = claims.load(LEDGER)
    results = recorded()
    results["smoke"]["gaussian_line"] = {"commit": "abc1234", "numbers": {"G_closed": {"value": 70.447}}}
    text = page(claims.evaluate(loaded, results), "smoke", results)
    assert "abc1234" in text
    rows = re.findall(r'<tr id="claim-([^"]+)" data-verdict="([^"]+)" data-section="([^"]+)">', text)
    assert sorted(name for name, _, _ in rows) == sorted(c.id for c in loaded)
    assert [name for name, judged, _ in rows if judged == Verdict.REPRODUCED] == ["line-g"]
    cells = re.findall(r'<td data-section="([^"]*)" data-verdict="([^"]+)">([^<]+)</td>', text)
    counts = {(section, judged): int(n) for section, judged, n in cells if n != "·"}
    paper = [(section, judged) for _, judged, section in rows if section != CHECK]
    assert counts == Counter(paper) | Counter(("", judged) for _, judged in paper)


def test_the_page_states_every_rule():
    text = page([], "smoke", {})
    assert all(f"*{verdict}*" in text for verdict in Verdict)
    assert "95 %" in text
    assert "factor of 10" in text


def test_every_claim_belongs_to_a_section_of_the_page():
    assert {c.section for c in claims.load(LEDGER)} == set(SECTIONS)


def test_runs_that_have_some_notebooks_only_are_shown_with_their_sizes():
    of = claim()
    results = recorded(G=70.2) | {
        "paper": {
            "line": {
                "commit": "def5678",
                "made_of": {"settings": {}, "trainings": {"training_sets": 20, "width": 32}},
                "numbers": {"G": {"value": 12.0}},
            }
        }
    }
    text = page(claims.evaluate([of, claim(id="d", result="other.G")], results), "smoke", results)
    assert "training_sets 20, width 32" in text
    (row,) = re.findall(r'<tr id="claim-c".*?</tr>', text, re.DOTALL)
    assert "<small>paper</small> 12.00" in row
    assert "differs" in row
    (empty,) = re.findall(r'<tr id="claim-d".*?</tr>', text, re.DOTALL)
    assert "<small>paper</small>" not in empty
    assert "not attempted" in empty


def unexpected(profile: str, results: claims.Results) -> list[str]:
    return [j.explain(profile) for j in claims.evaluate(claims.load(LEDGER), results) if not j.as_expected(profile)]


@pytest.mark.book
def test_the_smoke_run_has_the_verdicts_that_the_ledger_expects():
    assert unexpected("smoke", claims.read_runs(ROOT / "_build", NOWHERE)) == []


@pytest.mark.parametrize("profile", [folder.name for folder in (ROOT / "data" / "results").iterdir()])
def test_results_that_are_kept_have_the_verdicts_that_the_ledger_expects(profile):
    assert unexpected(profile, claims.read_runs(NOWHERE, ROOT / "data" / "results")) == []


@pytest.mark.book
def test_every_claim_names_a_number_that_the_notebooks_record():
    recorded = claims.read_runs(ROOT / "_build", NOWHERE)["smoke"]
    names = {f"{notebook}.{number}" for notebook, content in recorded.items() for number in content["numbers"]}
    assert {name for c in claims.load(LEDGER) for name in c.names} <= names


@pytest.mark.book
def test_the_notebooks_record_at_the_level_that_decides():
    found = claims.evaluate(claims.load(LEDGER), claims.read_runs(ROOT / "_build", NOWHERE))
    answers = {j.claim.id: j.answers["smoke"] for j in found}
    assert {name: a.why for name, a in answers.items() if "interval at" in a.why or "without" in a.why} == {}


def test_a_run_here_comes_before_what_is_kept(tmp_path):
    for folder, commit in (("archive/smoke", "old"), ("build/smoke/results", "new")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "line.json").write_text(json.dumps({"commit": commit, "numbers": {}}))
    found = claims.read_runs(tmp_path / "build", tmp_path / "archive")
    assert found["smoke"]["line"]["commit"] == "new"


def test_a_smoke_run_stands_on_its_own_page_only():
    number = {"value": 70.0, "interval": [69.9, 70.1], "level": 0.95}
    run = {"line": {"commit": "abc1234", "numbers": {"G": number}}}
    judged = claims.evaluate([claim()], {"smoke": run, "laptop": run})
    rows = {p: page(judged, p, {}).partition("What the verdicts mean")[0] for p in ("smoke", "laptop")}
    assert "<small>smoke</small>" in rows["smoke"]
    assert "<small>smoke</small>" not in rows["laptop"]
    assert "<small>laptop</small>" in rows["laptop"]
