"""Part of the smoke book is built where paths have a space, a quote, a dollar sign, a semicolon and an accent."""

import os
import sys

import pytest
from faulty_project import copy_of_the_smoke_book

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_smoke_book_in_an_unusual_folder(tmp_path):
    folder = tmp_path / "a b'$c;é"
    project = copy_of_the_smoke_book(folder, ["gaussian_rings", "making_events"], ["ring2d/scan"])
    (folder / ".venv").symlink_to(sys.prefix)
    before = set(os.listdir(tmp_path))
    done = project.build()
    assert done.returncode == 0, done.stderr
    assert (folder / "_build/smoke/site/index.html").exists()
    made = {path.stem for path in (folder / "_build/smoke/logs/notebook").glob("*.json")}
    assert made == {"gaussian_rings", "making_events", "calibration"}
    assert set(os.listdir(tmp_path)) == before  # nothing went to half of the path
