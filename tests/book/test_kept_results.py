"""Results of larger runs beside those of the run at hand."""

import json

import pytest

from gampl_book import KEPT_RESULTS, kept_results, plan
from gampl_book.pages import Page

EVENTS = {"training 0j": "abc"}


def trainings(members):
    return {
        "members": members,
        "batch_size": 256,
        "posterior": "bootstrap",
        "top_pair_0j": {"steps": 100 * members},
        "top_pair_4j": {"steps": 50 * members},
    }


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_results, "ROOT", tmp_path)
    monkeypatch.setenv("GAMPL_OUTPUT", str(tmp_path / "out"))
    page = Page("top_pair_averaging", "laptop", 1)
    page.made_of(event_trainings=trainings(4), sha256_of_events=EVENTS)
    page.record("G", 0.5, (0.25, float("inf")), 0.683)
    return page


def keep(profile, members, events, numbers):
    run = {
        "commit": f"commit of {profile}",
        "seed": 1,
        "device": "a large one",
        "trained_on": "cuda",
        "training_seconds": 7.0,
        "page_seconds": 3.0,
        "made_of": {"event_trainings": trainings(members), "sha256_of_events": events},
        "numbers": numbers,
    }
    path = kept_results.ROOT / KEPT_RESULTS / profile / "top_pair_averaging.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(run))


def cells(page):
    lines = kept_results.beside(page, {"row": "G", "missing": "other"}).data.splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_only_larger_runs_are_shown_each_with_its_sizes(page):
    keep("rings", 10, EVENTS, {"G": {"value": 0.7, "interval": [0.6, 0.8], "level": 0.683}})
    keep("smoke", 2, EVENTS, {"G": {"value": 99.0}})
    keep("paper", 30, {"training 0j": "other"}, {"G": {"value": "inf"}})
    header, _, row, missing, trained, commit, *_ = cells(page)
    assert header[-3:] == ["this run (laptop)", "rings", "paper"]
    assert row == ["row", "0.50 (0.25 to ∞, 68.3 %)", "0.70 (0.60 to 0.80, 68.3 %)", "∞"]
    assert missing[1:] == ["–", "–", "–"]
    assert trained[2] == "10 members (bootstrap); 1000 (0 jets) and 500 (4 jets) steps of 256 events"
    assert commit[2] == "commit of rings, 1"
    assert kept_results.same_events(page) == ["rings"]


def test_rings_say_their_own_sizes(page):
    rings = {"training_sets": 20, "n_train": 1000, "draws": 50, "layers": 2, "width": 32, "steps": 5000}
    page.made_of(trainings=rings)
    assert cells(page)[4][-1] == "20 training sets of 1000 events, 50 draws; 2 layers of 32, 5000 steps"


def test_without_larger_runs_there_is_only_this_one(page):
    assert cells(page)[0][-1] == "this run (laptop)"
    assert kept_results.same_events(page) == []


def test_what_the_workflow_watches(tmp_path, monkeypatch, page):
    keep("rings", 10, EVENTS, {})
    assert plan.notebook_files("top_pair_averaging", "laptop") == ["data/results/rings/top_pair_averaging.json"]
    assert plan.notebook_files("top_pair_differential", "laptop") == []
