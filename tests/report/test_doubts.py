"""Warnings that change what an answer is worth change its headline and colour: terminal, page, JSON and CSV."""

import argparse
import csv
import io
import re
import sys

import numpy as np
import pytest
from made_studies import REGION, compared, counted, estimate, failure, study
from test_report import Page

from gampl.cli import results
from gampl.cli.main import main
from gampl.report import outputs
from gampl.report.html import html
from gampl.report.members import Doubt
from gampl.report.process import Process, Region, SampleFiles
from gampl.report.study import analyse

FOUND = (
    estimate(REGION, "", counted(3.1), share=0.03),
    estimate("tail", "", counted(0.21), share=0.03),
    estimate(None, "m_tt", compared(2.5)),
    failure("nothing", "", "why not"),
)
SPOILED = {
    (): [True, True, True, False],
    ("averaging",): [True, True, False, False],
    ("averaging", "tail"): [False, True, False, False],
    ("differential",): [False, False, True, False],
}


def doubted(about=(), **options):
    """A study of which some estimates do not hold."""
    return study(findings=FOUND, warnings=("something else", Doubt("members <remember>", *about)), **options)


@pytest.mark.parametrize("about", SPOILED)
def test_a_doubt_is_about_all_estimates_or_those_of_a_method_or_region(about):
    made = doubted(about)
    assert [bool(made.doubts(finding)) for finding in made.findings] == SPOILED[about]
    assert not any(study(findings=FOUND).doubts(finding) for finding in FOUND)


@pytest.mark.parametrize("about", [("averaging", "tail")])
def test_the_page_says_so_above_the_answer_and_colours_what_does_not_hold(about):
    page = Page(html(doubted(about, histograms=()), ""))
    assert page.texts["h2"][:2] == ["Before you believe it", "The answer, which does not hold"]
    classes = [item.get("class") for item in page.all("li") if item.get("class") in ("doubtful", "none")]
    assert classes == ["doubtful"] * sum(SPOILED[about]) + ["none"]
    answers = [text for text in page.texts["li"] if "Details" in text]
    assert [text.startswith("Do not rely on this: members <remember>.") for text in answers] == SPOILED[about]


def test_what_spoils_all_answers_is_said_once_and_names_of_files_stay_as_they_are():
    made = study(findings=FOUND, warnings=("m0.csv is odd", Doubt("members remember")), histograms=())
    page = Page(html(made, ""))
    answers = [text.partition(". ")[0] for text in page.texts["li"] if "Details" in text]
    assert answers[:3] == ["Do not rely on this: members remember", *["Do not rely on this: see above"] * 2]
    assert page.texts["li"][:2] == ["m0.csv is odd.", "Members remember."]
    assert sum(text.startswith("Do not rely on this: members remember.") for text in page.texts["p"]) == 3


@pytest.mark.parametrize("about", SPOILED)
def test_the_terminal_says_so_first_and_marks_what_does_not_hold(about):
    lines = outputs.table(doubted(about)).splitlines()
    assert lines[2] == "Do not rely on this where marked by !: members <remember>"
    assert sum(line.startswith("! ") for line in lines) == sum(SPOILED[about])
    assert [line for line in lines if line.startswith("warning")] == ["warning: something else"]
    coloured = outputs.table(doubted(about), colour=True)
    assert coloured.count("\x1b[31m") == 1 + sum(SPOILED[about])
    assert re.sub("\x1b\\[\\d+m", "", coloured).splitlines() == lines
    assert "\x1b" not in outputs.table(study(findings=FOUND), colour=True)


def test_json_and_csv_say_so():
    made = doubted()
    entries = outputs.to_json(made)["findings"]
    assert [entry["doubts"] for entry in entries] == [["members <remember>"]] * 3 + [[]]
    assert entries[0]["words"].startswith("Do not rely on this: members <remember>")
    rows = [*csv.DictReader(io.StringIO(outputs.to_csv(made)))]
    assert [row["doubts"] for row in rows] == ["members <remember>"] * 3 + [""]


DISGUISES = {
    "copies": lambda x, _: x,
    "single precision": lambda x, _: x.astype(np.float32),
    "smeared": lambda x, rng: x + rng.normal(scale=1e-3, size=x.size),
    "shuffled": lambda x, rng: rng.permutation(x),
}


def write(path, x):
    np.savez(path, x=x)
    return path


@pytest.mark.parametrize("disguise", [*DISGUISES, "honest"])
def test_a_memory_is_found_in_files_in_all_its_disguises(disguise, tmp_path):
    """Resampled training samples; the shuffled one is a copy of another member, whose files are from a generator."""
    rng = np.random.default_rng(11)
    train, holdout = rng.normal(size=(2, 1000))
    paths = []
    for k in range(4):
        events = rng.normal(
            train.mean() + 0.03 * rng.normal(), train.std(), 200_000 if disguise == "honest" else 30_000
        )
        if disguise == "shuffled" and k == 3:
            events = DISGUISES[disguise](np.load(paths[0])["x"], rng)
        elif disguise not in ("shuffled", "honest"):
            events = DISGUISES[disguise](train[rng.integers(train.size, size=events.size)], rng)
        paths.append(write(tmp_path / f"m{k}.npz", events))
    files = {
        name: SampleFiles((write(tmp_path / f"{name}.npz", x),)) for name, x in (("train", train), ("holdout", holdout))
    }
    made = analyse(Process(1000, SampleFiles(tuple(paths)), regions=(Region(condition="x > 0.5"),), **files))
    doubts = made.doubts(made.findings[0])
    assert bool(doubts) is (disguise != "honest")
    said = {"smeared": "lie nearer to the training sample", "shuffled": "copies of each other: m0.npz and m3.npz"}
    assert disguise == "honest" or said.get(disguise, "repeat events of the training sample") in doubts[0]


def test_a_member_in_other_units_is_named_by_the_command(tmp_path, capsys):
    rng = np.random.default_rng(12)
    for k in range(5):
        np.savetxt(tmp_path / f"m{k}.csv", rng.normal(91, 2, 3000) * (1000 if k == 2 else 1), header="x", comments="")
    command = ["averaging", "--n-train", "1000", "--members", f"{tmp_path}/m*.csv", "--region", "x > 92", "--quiet"]
    assert main(command) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Do not rely on this where marked by !: m2.csv lies far from the other members in x" in shown
    assert "! x > 92" in shown


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_gets_the_colours_whole(is_terminal, capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    made = doubted(next(iter(SPOILED)))
    results.show(argparse.Namespace(json=None, csv=None, report=None, process=None), made)
    assert capsys.readouterr().out == outputs.table(made, colour=is_terminal)
