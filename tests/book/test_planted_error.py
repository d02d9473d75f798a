"""A test of the tests: a number made wrong by 1 % in the package passes neither references nor claims ledger."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = [
    "gampl",
    "gampl_book",
    "notebooks/gaussian_line.py",
    "tests/reference/gaussian_line.txt",
    "workflow",
    "book/claims.yml",
]

# Fewer pseudo-experiments, on which neither what is printed nor a verdict depends
FEWER = {
    "gampl_book/profiles.toml": (
        "experiments = 50\npseudo_experiments = 200\n",
        "experiments = 50\npseudo_experiments = 10\n",
    ),
}

# the estimate of sigma_model^2, from which every G comes
FILE, RIGHT = "gampl/spread.py", "return (total - self.statistical) / (1 - 1 / self.n_gen)"


@pytest.fixture
def checkout(tmp_path):
    for name in [*NEEDED, "_config.yml", "pyproject.toml"]:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name, (much, less) in FEWER.items():
        text = (tmp_path / name).read_text()
        assert text.count(much) == 1, name
        (tmp_path / name).write_text(text.replace(much, less))
    return tmp_path


def plant(checkout: Path) -> None:
    file = checkout / FILE
    text = file.read_text()
    assert text.count(RIGHT) == 1
    file.write_text(text.replace(RIGHT, RIGHT.replace("return ", "return 1.01 * ")))


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "PYTHONPATH": str(checkout)}  # the copy's code, whatever `make` has named
    return subprocess.run(
        [sys.executable, *command], cwd=checkout, env=own, capture_output=True, text=True, check=False
    )


def executed(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Runs the notebook on the Gaussian fit."""
    folder = str(checkout / "_build" / "smoke")
    command = ["notebook", "notebooks/gaussian_line.py", "--profile", "smoke", "--seed", "1", "--folder", folder]
    done = run(checkout, "-m", "gampl_book", *command)
    assert done.returncode == 0, done.stderr
    return done


def references(checkout: Path) -> subprocess.CompletedProcess[str]:
    return run(checkout, "-m", "gampl_book", "check", "--ok", "ok")


def claims(checkout: Path) -> list[str]:
    """The claims about the Gaussian fit that a smoke run does not have as expected."""
    judged = run(checkout, "-m", "gampl_book", "claims", "--profile", "smoke")
    return [line for line in judged.stderr.splitlines() if "claim line" in line or "claim check" in line]


@pytest.mark.slow
def test_without_an_error_both_pass(checkout):
    executed(checkout)
    assert references(checkout).returncode == 0
    assert claims(checkout) == []


@pytest.mark.slow
def test_both_see_one_percent(checkout):
    plant(checkout)
    executed(checkout)
    done = references(checkout)
    assert done.returncode == 1
    assert "+G from 20000 exact integrals" in done.stderr
    found = claims(checkout)
    assert len(found) == 1
    assert "check-noiseless" in found[0]
