"""The smoke book is built once where paths have a space, a quote, a dollar sign, a semicolon and more than ASCII.

Two of its notebooks are run a second time for their references: the same code in the same folder, whose numbers the
smoke book of `make test` compares for all.
"""

import os
import sys

import pytest
from faulty_project import check_references_of, copy_of_the_project
from small_project import Checkout

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


class Kept(Checkout):
    """A copy that uses the networks that come with the project."""

    @property
    def environment(self) -> dict[str, str]:
        others = {
            name: value for name, value in super().environment.items() if name not in ("GAMPL_STORE", "GAMPL_KEPT")
        }
        return others | {"OMP_NUM_THREADS": "1", "GAMPL_DEVICE": "cpu"}


def test_smoke_book_in_an_unusual_folder(tmp_path):
    folder = tmp_path / "a b'$c;é"
    project = Kept(copy_of_the_project(folder, faulty=False).root)
    (folder / ".venv").symlink_to(sys.prefix)
    check_references_of(project, ["gaussian_rings", "making_events"])
    before = set(os.listdir(tmp_path))
    done = project.build()
    assert done.returncode == 0, done.stderr
    assert (folder / "_build/smoke/site/index.html").exists()
    assert set(os.listdir(tmp_path)) == before  # nothing went to half of the path
