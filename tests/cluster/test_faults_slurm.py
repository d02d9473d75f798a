"""What dies on a cluster; see test_faults.py for what is expected."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from faulty_project import SHARD, TRAINING, SlurmProject
from single_node_slurm import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TRAIN = "gampl_book train ring2d/bayesian/1"


@pytest.fixture
def project(fresh, undisturbed, slurm, tmp_path):
    """A copy in which nothing has been made; states of jobs are asked for more often than at a site."""
    project = SlurmProject(shutil.copytree(fresh.root, tmp_path / "project"), slurm)
    project.edit("workflow/profiles/slurm/config.yaml", "status-checks: 10", "status-checks: 1")
    project.edit("workflow/profiles/slurm/config.yaml", "checks-per-second: 0.2", "checks-per-second: 1")
    return project


def assert_finished(build: subprocess.Popen, project, undisturbed) -> str:
    """The build itself ends well, with the weights of an undisturbed run; returns what it said."""
    said = build.communicate(timeout=600)[1]
    assert build.returncode == 0, said
    assert project.trained()
    assert project.trained().items() <= undisturbed.trained().items()
    return said


def running(slurm) -> list[int]:
    return [number for number, (state, _) in slurm.jobs().items() if state == "RUNNING"]


def states(slurm) -> list[str]:
    return [state for _, (state, _) in sorted(slurm.jobs().items())]


def test_killed_training_on_slurm(project, undisturbed, slurm):
    """Its job fails; a second one goes on from the checkpoint, in the same build."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    project.kill(TRAIN)
    assert_finished(build, project, undisturbed)
    assert states(slurm) == ["FAILED", "COMPLETED"]


def test_scancel(project, undisturbed, slurm):
    """Somebody cancels the job: as if it had failed."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    slurm.run("scancel", str(running(slurm)[0]))
    assert_finished(build, project, undisturbed)
    assert states(slurm) == ["CANCELLED", "COMPLETED"]


def test_killed_controller(project, undisturbed, slurm):
    """kill -9 of slurmctld while a job runs; it comes back, after many questions in vain, with what it knew."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    slurm.kill("slurmctld")
    time.sleep(75)  # five questions in vain take squeue 50 s
    slurm.start("slurmctld")
    assert_finished(build, project, undisturbed)
    assert states(slurm) == ["COMPLETED"]


def test_killed_node_daemon(project, undisturbed, slurm):
    """kill -9 of slurmd while a job runs: the job goes on, and is found again."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    slurm.kill("slurmd")
    time.sleep(3)
    slurm.start("slurmd")
    assert_finished(build, project, undisturbed)
    assert states(slurm)[-1] == "COMPLETED"


def test_killed_build_on_slurm(project, undisturbed, slurm):
    """kill -9 of Snakemake: its jobs go on alone; the next build ends them first, and no step runs twice at once."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    os.kill(build.pid, signal.SIGKILL)
    build.communicate(timeout=60)
    assert running(slurm)
    build = project.start(TRAINING)
    said = assert_finished(build, project, undisturbed)
    assert "An earlier build left jobs in the queue, 1: cancelling them" in said
    assert states(slurm) == ["CANCELLED", "COMPLETED"]


def test_interrupted_build_on_slurm(project, undisturbed, slurm):
    """Ctrl-C: no job is left in the queue."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    os.killpg(build.pid, signal.SIGINT)
    said = build.communicate(timeout=120)[1]
    assert build.returncode == 130, said
    wait_for(lambda: not running(slurm), 60)
    assert_finished(project.start(TRAINING), project, undisturbed)


def test_time_limit(project, undisturbed, slurm):
    """A job over its time limit writes a checkpoint when it is told to stop; the next goes on from there."""
    profile = "workflow/profiles/slurm/config.yaml"
    project.edit(profile, "    runtime: 10\n    together: 1\n  shard:", "    runtime: 1\n    together: 1\n  shard:")
    project.edit("gampl/training/settings.py", "checkpoint_seconds: float = 0.2", "checkpoint_seconds: float = 1e9")
    project.slow_down(0.07)
    build = project.start(TRAINING)
    project.wait_for_checkpoint(240)  # nothing but the signal to stop makes it write one
    assert_finished(build, project, undisturbed)
    assert states(slurm)[0] == "TIMEOUT"
    assert states(slurm)[-1] == "COMPLETED"


def test_failed_shard_of_a_group(project, undisturbed, slurm):
    """Five shards share a job and one of them is killed: the other four are found, not made again."""
    project.edit("workflow/profiles/slurm/config.yaml", "retries: 2", "retries: 0")
    shards = [SHARD.replace("7.made", f"{seed}.made") for seed in (3, 4, 5, 6, 7)]
    folder = (project.root / SHARD).parent
    assert project.build("--target", *shards[:4]).returncode == 0  # on this machine
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("seed_*.json")}
    assert len(before) == 4
    for stamp in folder.glob("seed_*.made"):
        stamp.unlink()
    build = project.start_build("--cluster", "slurm", "--target", *shards)
    project.kill("--seeds 7 ", seconds=300)
    said = build.communicate(timeout=300)[1]
    assert build.returncode == 1, said
    again = project.build("--cluster", "slurm", "--target", *shards)
    assert again.returncode == 0, again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("seed_*.json")}
    assert len(after) == 5
    assert before.items() <= after.items()
    assert undisturbed.shards().items() <= project.shards().items()
    assert [state for state in states(slurm) if state == "FAILED"] == ["FAILED"]
