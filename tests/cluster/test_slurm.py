"""A part of the smoke book on a real Slurm."""

import json
import time
from pathlib import Path

import pytest
from faulty_project import SHARD, SlurmProject, copy_of_the_project, copy_of_the_smoke_book
from single_node_slurm import Slurm
from small_project import ROOT

from gampl_book.references import OTHER, SMOKE, differences, recorded

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


# which take seconds; the trainings are those of the pages on calibration and on cross-fitting
NOTEBOOKS = [
    "averaging_or_differential",
    "calibration",
    "cross_fitting",
    "gaussian_line",
    "gaussian_rings",
    "introduction",
    "kolmogorov_smirnov",
    "leading_order",
    "making_events",
    "paper_scale",
    "top_pair_events",
    "z_jets",
]
TRAININGS = ["ring2d/scan", "ring2d/crossfit"]


def numbers(results: Path) -> dict[str, dict]:
    """What all notebooks of a run recorded."""
    return {path.stem: json.loads(path.read_text())["numbers"] for path in sorted(results.glob("*.json"))}


def test_the_smoke_book_on_slurm(slurm: Slurm, tmp_path, record_property):
    """From some trainings to the site: the same numbers as on this machine without Slurm, and all jobs have ended well.

    Twelve notebooks are made anew: one job of ten is full, another is not. Numbers agree to round-off where the book
    was made with other settings, as it is in CI.
    """
    copy = copy_of_the_smoke_book(tmp_path / "project", NOTEBOOKS, TRAININGS)
    project = SlurmProject(copy.root, slurm)
    project.trains = False  # like the local run
    start = time.monotonic()
    done = project.build("--cluster", "slurm")
    seconds = time.monotonic() - start
    assert done.returncode == 0, done.stderr
    assert "The smoke book is ready" in done.stdout
    assert (project.root / "_build/smoke/site/index.html").exists()
    ours, local = (recorded(root / SMOKE / "results") for root in (project.root, ROOT))
    if (ROOT / SMOKE / OTHER).exists():
        assert ours.keys() == local.keys()
        assert not [name for name in local if differences(name, ours[name], local[name])]
    else:
        assert numbers(project.root / SMOKE / "results") == numbers(ROOT / SMOKE / "results")
    jobs = slurm.jobs()
    assert {state for state, _ in jobs.values()} == {"COMPLETED"}
    records = [json.loads(path.read_text()) for path in project.root.glob("_build/smoke/logs/notebook/*.json")]
    assert len(records) == len(NOTEBOOKS)
    assert {record["state"] for record in records} == {"done"}
    assert {int(record["slurm_job"]) for record in records} <= set(jobs)
    listed = [f"{number} {state} {rule}" for number, (state, rule) in sorted(jobs.items())]
    record_property("jobs", [*listed, f"{len(jobs)} jobs in {seconds:.0f} s"])
    again = project.build("--cluster", "slurm")
    assert "Nothing has changed" in again.stdout
    assert slurm.jobs().keys() == jobs.keys()


def test_shards_share_a_job(slurm: Slurm, tmp_path):
    """Five shards are one entry of the queue, of one core and with the sum of their times."""
    project = SlurmProject(copy_of_the_project(tmp_path / "project").root, slurm)
    shards = [SHARD.replace("7.made", f"{seed}.made") for seed in (3, 4, 5, 6, 7)]
    done = project.build("--cluster", "slurm", "--target", *shards)
    assert done.returncode == 0, done.stderr
    assert all((project.root / shard).exists() for shard in shards)
    assert list(slurm.jobs().values()) == [("COMPLETED", "rule_shards_shard")]
    asked = slurm.run("scontrol", "show", "job", "1")
    assert "NumCPUs=1 " in asked
    assert "TimeLimit=00:25:00" in asked
    assert "mem=1000M" in asked


def test_each_member_has_a_job(slurm: Slurm, tmp_path):
    """Trainings of the other profiles are not grouped: two members of an ensemble and a ring are three jobs."""
    project = SlurmProject(copy_of_the_project(tmp_path / "project").root, slurm)
    project.edit("gampl_book/profiles.toml", "members_per_job = 2\n", "members_per_job = 1\n")
    project.edit("gampl_book/profiles.toml", "steps = 500\nn_gen = 40_000", "steps = 5\nn_gen = 500")
    project.edit("gampl_book/profiles.toml", "components = 8\nsteps = 1500", "components = 8\nsteps = 50")
    names = ["leading_order_1000/spline/0", "leading_order_1000/spline/1", "ring2d/crossfit/0/1"]
    jobs = ["leading_order_1000/spline/0-0", "leading_order_1000/spline/1-1", "ring2d/crossfit/0/1-1"]
    receipts = [project.root / f"_build/laptop/receipts/{job}.json" for job in jobs]
    targets = [str(path.relative_to(project.root)) for path in receipts]
    done = project.build("--profile", "laptop", "--cluster", "slurm", "--target", *targets)
    assert done.returncode == 0, done.stderr
    trained = [list(json.loads(path.read_text())) for path in receipts]
    assert trained[:2] == [[names[0]], [names[1]]]
    assert len(trained[2]) > 1, "the members of a ring's ensemble are trained together"
    assert {name.rpartition("/")[0] for name in trained[2]} == {names[2]}
    ended = sorted(f"{state} {comment.partition('_wildcards')[0]}" for state, comment in slurm.jobs().values())
    assert ended == ["COMPLETED rule_train", "COMPLETED rule_train_events", "COMPLETED rule_train_events"]
