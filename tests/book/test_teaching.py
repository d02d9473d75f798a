"""The two hours of the page on teaching: every exercise of theirs is solved by code that the build runs."""

import re
from itertools import pairwise
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
HOURS = [line for line in TEXT.splitlines() if re.match(r"\| \d+ to \d+ ", line)]


@pytest.fixture(scope="module")
def solved():
    """Labels of exercises, and whether the cell below the last one of a markdown cell runs its solution."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.py")):
        cells = jupytext.read(path, fmt="py:percent").cells
        for cell, below in zip(cells, [*cells[1:], None], strict=True):
            labels = (
                re.findall(r"\{exercise\}[^\n]*\n:label: (\S+)", cell.source) if cell.cell_type == "markdown" else []
            )
            runs = below is not None and below.cell_type == "code" and "hide-output" in below.metadata.get("tags", [])
            found |= {label: runs and label == labels[-1] for label in labels}
    return found


def test_the_exercises_of_two_hours_run_in_the_build(solved):
    listed = [label for line in HOURS for label in re.findall(r"\{ref\}`(ex-[\w-]+)`", line)]
    assert len(listed) > 10
    assert [label for label in listed if not solved[label]] == []


def test_the_minutes_are_two_hours_without_a_gap():
    minutes = [tuple(map(int, re.findall(r"\d+", line)[:2])) for line in HOURS]
    assert minutes[0][0] == 0
    assert minutes[-1][1] == 120
    assert all(one[1] == other[0] for one, other in pairwise(minutes))


def test_other_exercises_exist(solved):
    assert set(re.findall(r"\{ref\}`(ex-[\w-]+)`", TEXT)) <= solved.keys()
