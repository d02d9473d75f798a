"""What the workflow costs over the same commands by hand, and what it costs to find that nothing is to be done."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from side_by_side import report

ROOT = Path(__file__).resolve().parents[1]
PAGE = "calibration"
TRAININGS = [  # what the page needs, by job
    ("ring2d/bayesian/1-2", ["ring2d/bayesian/1", "ring2d/bayesian/2"]),
    ("ring4d/bayesian/1-2", ["ring4d/bayesian/1", "ring4d/bayesian/2"]),
    ("ring2d/scan/0.3/-9/1-2", ["ring2d/scan/0.3/-9/1", "ring2d/scan/0.3/-9/2"]),
]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the project in which nothing has been made."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(checkout: Path, *command: str) -> float:
    """Seconds that a command takes in the copy."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GAMPL_STORE")}
    variables |= {"OMP_NUM_THREADS": "1", "GAMPL_DEVICE": "cpu", "GAMPL_KEPT": ""}
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=checkout, env=variables, capture_output=True, check=True)
    return time.perf_counter() - start


def by_hand(checkout: Path) -> float:
    """The page's three trainings and its notebook, one after the other."""
    out = Path("by_hand")
    total = 0.0
    for job, names in TRAININGS:
        receipt = str(out / f"{job}.json")
        total += run(checkout, "-m", "gampl_book", "train", *names, "--profile", "smoke", "--receipt", receipt)
    return total + run(
        checkout,
        "-m",
        "gampl_book",
        "notebook",
        f"notebooks/{PAGE}.py",
        "--profile",
        "smoke",
        "--seed",
        "1",
        "--folder",
        str(out),
    )


def by_workflow(checkout: Path) -> float:
    target = f"_build/smoke/executed/{PAGE}.ipynb"
    return run(checkout, "-m", "gampl_book", "build", "--profile", "smoke", "--target", target, "--", "--cores", "1")


def forget(checkout: Path) -> None:
    for folder in ("_build", ".store", ".snakemake", "by_hand"):
        shutil.rmtree(checkout / folder, ignore_errors=True)


def test_cost_of_the_workflow(benchmark, checkout):
    hand, workflow = [], []
    for _ in range(3):
        forget(checkout)
        hand.append(by_hand(checkout))
        forget(checkout)
        workflow.append(by_workflow(checkout))
    nothing = [by_workflow(checkout) for _ in range(3)]
    numbers = {"by_hand_s": min(hand), "workflow_s": min(workflow), "nothing_to_do_s": min(nothing)}
    report(benchmark, "times as long", min(workflow) / min(hand), **numbers)
    benchmark.pedantic(by_workflow, (checkout,), rounds=1)
    assert min(nothing) < min(workflow) / 2
