"""Clusters that the work can run on: Snakemake's arguments for each, and what a dead build has left in a queue."""

import functools
import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time

from gampl_book import ROOT, BookError

PROFILES = ROOT / "workflow" / "profiles"
LOCAL = "default"
SECONDS_TO_STOP = 120  # that cancelled jobs may take to write a checkpoint and end
JOB_PREFIX = f"gampl-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]}"  # of the names of this checkout's jobs


def known() -> list[str]:
    """The clusters that there is a profile for, the machine itself left out."""
    return sorted(path.parent.name for path in PROFILES.glob("*/config.yaml") if path.parent.name != LOCAL)


def arguments(cluster: str) -> list[str]:
    """What Snakemake is told about a cluster, or this machine; raises BookError for one that is not there."""
    if not cluster:
        # whether steps will use a GPU of this machine, as far as can be told without torch
        off = os.environ.get("GAMPL_DEVICE", "").startswith("cpu") or os.environ.get("CUDA_VISIBLE_DEVICES") == ""
        has_gpu = not off and shutil.which("nvidia-smi") and "GPU" in _run("nvidia-smi", "-L").stdout
        return ["--profile", str(PROFILES / LOCAL), *(["--resources", "gpu=1"] if has_gpu else [])]
    if cluster not in known():
        raise BookError(f"CLUSTER={cluster}: expected a folder of workflow/profiles, one of {', '.join(known())}")
    if (path := shlex.quote(sys.executable)) != sys.executable:
        # Snakemake's executors for clusters put it into the lines of jobs as it is
        raise BookError(
            f"CLUSTER={cluster}: jobs cannot start {path}: move the project to a folder of plain characters"
        )
    return ["--profile", str(PROFILES / cluster), *(_slurm_arguments() if cluster == "slurm" else [])]


def _slurm_arguments() -> list[str]:
    """Names of jobs that tell this checkout's from all others, and how to ask for their states."""
    if missing := [program for program in ("sbatch", "squeue", "scancel") if shutil.which(program) is None]:
        raise BookError(f"CLUSTER=slurm: no {missing[0]} here; run this on a machine that submits to Slurm")
    left_behind()  # raises if Slurm does not answer
    import snakemake_executor_plugin_slurm as plugin  # type: ignore[import-untyped]

    # the plugin would ask for MinJobAge before each look at its jobs, and while the controller is down go over from
    # squeue to sacct, which without accounting fails for ever
    plugin.get_min_job_age = functools.cache(plugin.get_min_job_age)
    # without accounting sacct is there and fails, and no job would ever count as finished
    accounting = shutil.which("sacct") is not None and _run("sacct", "-X", "-n").returncode == 0
    return ["--slurm-jobname-prefix", JOB_PREFIX, *([] if accounting else ["--slurm-status-command", "squeue"])]


def left_behind() -> list[str]:
    """Slurm's numbers of jobs that an earlier build of this checkout has sent and that have not ended."""
    queue = _run("squeue", "--me", "-h", "-o", "%A %j")
    if queue.returncode:
        raise BookError(f"CLUSTER=slurm: squeue says {queue.stderr.strip()!r}; is the cluster running?")
    jobs = (line.partition(" ") for line in queue.stdout.splitlines())
    return sorted({number for number, _, name in jobs if name.startswith(JOB_PREFIX)})


def refuse_jobs_of_another_machine(holder: str) -> None:
    """Refuses to take over jobs of a build that "process 7 of login1" may still watch: locks may not reach there."""
    if holder and not holder.endswith(f" of {socket.gethostname()}") and (jobs := left_behind()):
        remedy = "if it still runs, wait for it; if not, remove the file _build/.lock"
        raise BookError(f"jobs of this checkout, {len(jobs)}, are in the queue, sent by {holder}: {remedy}")


def cancel_left_behind() -> None:
    """Ends the jobs that an earlier build has left, so that no step runs twice; trainings go on from checkpoints."""
    if jobs := left_behind():
        print(f"An earlier build left jobs in the queue, {len(jobs)}: cancelling them", file=sys.stderr)
        _run("scancel", *jobs)
    end = time.monotonic() + SECONDS_TO_STOP
    while jobs and (jobs := left_behind()):
        if time.monotonic() > end:
            raise BookError(f"jobs {', '.join(jobs)} of an earlier build do not end: scancel them")
        time.sleep(0.5)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired as error:
        raise BookError(f"{command[0]} does not answer") from error
