"""What goes to a cluster, and what is asked of it."""

import json
import socket

import pytest
import yaml
from small_project import ROOT

from gampl_book import BookError, cluster, step


def test_clusters(monkeypatch, tmp_path):
    monkeypatch.setenv("GAMPL_DEVICE", "cpu")
    assert cluster.known() == ["htcondor", "slurm"]
    assert cluster.arguments("") == ["--profile", str(ROOT / "workflow/profiles/default")]
    with pytest.raises(BookError, match=r"CLUSTER=pbs.*htcondor, slurm"):
        cluster.arguments("pbs")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BookError, match="CLUSTER=slurm: no sbatch here"):
        cluster.arguments("slurm")
    monkeypatch.setattr("sys.executable", "/a b/.venv/bin/python")
    with pytest.raises(BookError, match=r"jobs cannot start '/a b/.venv/bin/python': move the project"):
        cluster.arguments("slurm")


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    """Commands of a Slurm that say what a test wants."""

    def pretend(**said: str) -> None:
        for name in ("sbatch", "squeue", "scancel", "sacct"):
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{said.get(name, 'true')}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return pretend


def test_a_slurm_without_accounting(pretended):
    """sacct is there and fails: the plugin would wait for ever."""
    pretended(sacct="echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert cluster.arguments("slurm")[-2:] == ["--slurm-status-command", "squeue"]
    pretended()
    assert cluster.arguments("slurm")[-2:] == ["--slurm-jobname-prefix", cluster.JOB_PREFIX]


def test_one_step_at_a_time_on_a_gpu(pretended, monkeypatch, tmp_path):
    monkeypatch.delenv("GAMPL_DEVICE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    pretended()
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'GPU 0: of a test (UUID: GPU-0)'\n")
    smi.chmod(0o755)
    assert cluster.arguments("")[-2:] == ["--resources", "gpu=1"]
    monkeypatch.setenv("GAMPL_DEVICE", "cpu")
    assert "--resources" not in cluster.arguments("")


def test_jobs_of_a_build_on_another_machine(pretended):
    """It may be alive: file systems of clusters do not always lock between machines."""
    pretended(squeue=f"echo '7 {cluster.JOB_PREFIX}_abc'")
    with pytest.raises(BookError, match=r"checkout, 1, .* process 3 of login1: .*remove the file _build/.lock"):
        cluster.refuse_jobs_of_another_machine("process 3 of login1")
    cluster.refuse_jobs_of_another_machine(f"process 3 of {socket.gethostname()}")
    cluster.refuse_jobs_of_another_machine("")
    pretended()
    cluster.refuse_jobs_of_another_machine("process 3 of login1")


def test_a_slurm_that_does_not_answer(pretended):
    pretended(squeue="echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(BookError, match="squeue says 'Unable to contact slurm controller'"):
        cluster.arguments("slurm")


def test_only_this_checkouts_jobs_are_left_behind(pretended):
    pretended(squeue=f"echo '7 {cluster.JOB_PREFIX}_abc'; echo '8 gampl-0123456789_abc'; echo '9 other work'")
    assert cluster.left_behind() == ["7"]


def test_profiles_agree_on_the_rules():
    """A profile that names a rule that no longer exists would be ignored by Snakemake without a word."""
    rules = {"train", "train_events", "train_smoke", "shard", "event_file", "notebook", "notebook_smoke"}
    text = "\n".join(path.read_text() for path in (ROOT / "Snakefile", ROOT / "workflow/events.smk"))
    assert all(f"rule {name}:" in text or f" as {name} with:" in text for name in rules)
    for name in cluster.known():
        profile = yaml.safe_load((ROOT / "workflow/profiles" / name / "config.yaml").read_text())
        assert set(profile["set-resources"]) <= rules
        assert {group.split("=")[0] for group in profile["groups"]} <= rules


def test_a_job_that_slurm_has_forgotten_is_lost(pretended, tmp_path):
    step._jobs_of_slurm.cache_clear()
    pretended(squeue="echo 17; echo 18")
    for job in (17, 19):
        about = {"state": "running", "pid": 1, "slurm_job": str(job), "host": "node7", "started": 100.0}
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / f"train/{job}.json").write_text(json.dumps(about))
    states = {record.step: record.state for record in step.read_all(tmp_path)}
    step._jobs_of_slurm.cache_clear()
    assert states == {"train/17": "running", "train/19": "lost"}
