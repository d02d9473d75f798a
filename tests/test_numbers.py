"""The numbers that the smoke run records, against committed ones: what nbval's few digits cannot see."""

import json
from pathlib import Path

import pytest
from make_reference import NUMBERS, recorded

ROOT = Path(__file__).parents[1]
REFERENCE = json.loads((ROOT / "tests" / "reference" / NUMBERS).read_text())

# Trained networks repeat to about 1e-6 from one kind of processor to another; 0.5 % sees an error of 1 %.
RELATIVE = 5e-3
# A share of pseudo-experiments moves by whole experiments when rounding decides one of them.
SHARES, ABSOLUTE = "coverage", 0.02


@pytest.mark.book
@pytest.mark.parametrize("notebook", REFERENCE)
def test_numbers_are_those_of_the_reference(notebook):
    found, expected = recorded(ROOT / "_build" / "smoke" / "results")[notebook], REFERENCE[notebook]
    assert found.keys() == expected.keys(), "make reference"
    wrong = {
        name: (float(found[name]), float(value))
        for name, value in expected.items()
        if float(found[name])
        != pytest.approx(float(value), rel=RELATIVE, abs=ABSOLUTE if SHARES in name else 1e-12, nan_ok=True)
    }
    assert wrong == {}


def test_there_are_numbers_of_every_notebook():
    assert REFERENCE.keys() == {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert all(len(numbers) > 2 for numbers in REFERENCE.values())
