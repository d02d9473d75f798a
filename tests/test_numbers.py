"""The numbers that the smoke run records, against committed ones: what nbval's few digits cannot see."""

import json
import math
from pathlib import Path

import pytest
from make_reference import NUMBERS, differences, recorded

ROOT = Path(__file__).parents[1]
REFERENCE = json.loads((ROOT / "tests" / "reference" / NUMBERS).read_text())


@pytest.mark.book
@pytest.mark.parametrize("notebook", REFERENCE)
def test_numbers_are_those_of_the_reference(notebook):
    found, expected = recorded(ROOT / "_build" / "smoke" / "results")[notebook], REFERENCE[notebook]
    assert found.keys() == expected.keys(), "make reference"
    assert differences(found, expected) == {}


def test_there_are_numbers_of_every_notebook():
    assert REFERENCE.keys() == {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert all(len(numbers) > 2 for numbers in REFERENCE.values())


def test_what_counts_as_a_difference():
    expected = {"G": 2.0, "coverage": 0.68, "end": "inf", "none": 0.0}
    assert differences({"G": 2.009, "coverage": 0.69, "end": math.inf, "none": 0.0}, expected) == {}
    assert differences({"G": 2.011, "coverage": 0.71, "end": 1.0, "none": 1e-9}, expected).keys() == expected.keys()
    assert differences({}, expected).keys() == expected.keys()
