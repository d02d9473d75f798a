"""The numbers that the smoke run records, against committed ones: what the few digits that it prints cannot show."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gampl_book import BookError, references
from gampl_book.references import NUMBERS, RETRAINED, differences, environment, recorded

ROOT = Path(__file__).parents[2]
REFERENCE = json.loads((ROOT / "tests" / "reference" / NUMBERS).read_text())


@pytest.mark.book
@pytest.mark.parametrize("notebook", REFERENCE)
def test_numbers_are_those_of_the_reference(notebook):
    found, expected = recorded(ROOT / "_build" / "smoke" / "results")[notebook], REFERENCE[notebook]
    assert found.keys() == expected.keys(), "make reference"
    assert differences(notebook, found, expected) == {}


def test_there_are_numbers_of_every_notebook():
    assert REFERENCE.keys() == {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert all(len(numbers) > 2 for numbers in REFERENCE.values())


def test_what_counts_as_a_difference():
    expected = {"G": 2.0, "coverage": 0.68, "end": "inf", "none": 0.0, "unknown": "nan"}
    same = {"G": 2.009, "coverage": 0.69, "end": math.inf, "none": 0.0, "unknown": math.nan}
    assert differences("members", same, expected) == {}
    others = {"G": 2.011, "coverage": 0.71, "end": 1.0, "none": 1e-9, "unknown": 3.0}
    assert differences("members", others, expected).keys() == expected.keys()
    assert differences("members", {}, expected).keys() == expected.keys()


def test_what_a_page_retrains_is_compared_loosely_and_still_compared():
    expected = {"auc_tail_trees": 0.55, "better_trees": 4.0, "n_events": 2000.0}
    assert differences("control", {"auc_tail_trees": 0.57, "better_trees": 5.0, "n_events": 2000.0}, expected) == {}
    others = {"auc_tail_trees": 0.6, "better_trees": 6.0, "n_events": 1989.0}
    assert differences("control", others, expected).keys() == expected.keys()
    assert differences("members", {"auc_tail_trees": 0.57}, {"auc_tail_trees": 0.55})


def test_every_loose_tolerance_belongs_to_a_number():
    for notebook, names, *_ in RETRAINED:
        assert any(map(names.match, REFERENCE[notebook]))


def test_results_of_other_settings_are_no_references(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "ROOT", tmp_path)
    (tmp_path / references.SMOKE).mkdir(parents=True)
    (tmp_path / references.SMOKE / references.OTHER).touch()
    with pytest.raises(BookError, match=r"_build/smoke was made with other settings: remove the folder"):
        references.make()


@pytest.mark.skipif("ATEN_CPU_CAPABILITY" in os.environ, reason="this run is limited to some instructions itself")
@pytest.mark.parametrize(("instructions", "capability"), [("default", "DEFAULT"), ("avx2", "AVX2")])
def test_other_settings_are_other_settings(instructions, capability):
    code = "import torch, numpy; print(torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())"
    run = [sys.executable, "-W", "error", "-c", code]
    variables = os.environ | environment(instructions, 3)
    said = subprocess.run(run, env=variables, capture_output=True, text=True, check=True).stdout.split()
    own = torch.backends.cpu.get_cpu_capability()
    assert said == [own if own == "DEFAULT" else capability, "3"], "a processor may not even have AVX2"
