"""The executed notebooks are what nbval takes: run once more, they print the same."""

import os
import subprocess
import sys

import pytest
from small_project import ROOT

pytestmark = [pytest.mark.book, pytest.mark.slow]


def nbval(notebook, output) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-o", "filterwarnings=default"]
    command += ["-p", "no:cacheprovider", "--noconftest", "--nbval-lax", "--nbval-current-env"]
    variables = os.environ | {"GAMPL_OUTPUT": str(output), "GAMPL_DEVICE": "cpu", "TQDM_DISABLE": "1"}
    return subprocess.run([*command, notebook], cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["gaussian_line", "paper_scale"])
def test_a_second_run_prints_the_same(name, tmp_path):
    (tmp_path / "figures").mkdir()
    done = nbval(ROOT / "_build/smoke/executed" / f"{name}.ipynb", tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_another_number_is_noticed(tmp_path):
    (tmp_path / "figures").mkdir()
    text = (ROOT / "_build/smoke/executed/paper_scale.ipynb").read_text()
    printed = (ROOT / "tests/reference/paper_scale.txt").read_text().splitlines()[0]
    assert text.count(printed) == 1
    (tmp_path / "page.ipynb").write_text(text.replace(printed, f"{printed} or more"))
    assert nbval(tmp_path / "page.ipynb", tmp_path).returncode == 1
