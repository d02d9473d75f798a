"""Events made by Snakemake: each seed a job of its own, merged to the files of the plan."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gampl.simulation.seeds import seeds
from gampl_book import event_plans as plans

ROOT = Path(__file__).resolve().parents[2]

PLAN = """
[bundled.shards.z]
recipe = "z_jets"
seeds = "1-3"
events = 200
settings = { batch = 100, min_jets = 1, kept = [] }

[bundled.files.z_jets]
sample = "events"
from = [["z", "1-2", "3"]]
"""


@pytest.fixture
def checkout(tmp_path):
    """What making events needs of the project, with a small plan."""
    for name in ("Snakefile", "workflow", "gampl", "gampl_book"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "gampl_book" / "event_plans.toml").write_text(PLAN)
    return tmp_path


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "events", "--profile", "workflow/profiles/default", *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_same_file_as_by_hand_and_nothing_twice(checkout):
    done = snakemake(checkout)
    assert done.returncode == 0, done.stderr
    made = (checkout / "_build/events/bundled/z_jets.h5").read_bytes()
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    for command in (
        "make z_jets --folder z --seeds 1-3 --events 200 --quiet --set batch=100 --set kept=[] --set min_jets=1",
        "merge --from z 1-2 3 --output by_hand.h5",
    ):
        subprocess.run(
            [sys.executable, "-m", "gampl", "events", *command.split()],
            cwd=checkout, env=environment, check=True, capture_output=True,
        )  # fmt: skip
    assert (checkout / "by_hand.h5").read_bytes() == made
    assert "Nothing to be done" in snakemake(checkout).stderr
    for name in ("z/seed_000000002.made", "z_jets.h5"):
        (checkout / "_build/events/bundled" / name).unlink()
    planned = snakemake(checkout, "--dry-run")
    assert set(re.findall(r"events of seed (\d+)", planned.stdout + planned.stderr)) == {"000000002"}


@pytest.mark.slow
def test_the_paper_s_production_is_an_array_of_independent_jobs():
    done = snakemake(ROOT, "--config", "size=paper", "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", done.stdout + done.stderr, re.M))
    plan = plans.plan("paper")
    assert len(seeds(plan.shards["top_pair"].seeds)) == 5200
    # every shard of the plan is in some file
    assert jobs["shard"] == str(sum(len(seeds(folder.seeds)) for folder in plan.shards.values()))
    assert jobs["event_file"] == str(len(plan.files))
