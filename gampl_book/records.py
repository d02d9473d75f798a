"""What is known of the steps that ran: the records that gampl_book/step.py leaves beside their logs."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

from gampl_book.step import record_of


@dataclass(frozen=True)
class Record:
    """One step, as it last ran or still runs.

    Attributes:
        step: Rule and name, such as ``train/ring2d/deep/1-2``.
        state: ``running``, ``done``, ``failed`` or, where the machine or the process died, ``lost``.
        host: Name of the machine.
        slurm_job: Number of the job in Slurm's queue; empty elsewhere.
        started: Seconds since 1970.
        seconds: Wall time; of the run before where this one has not ended well, None if there was none.
        cpu_seconds: Of all its processes, None where it has not ended.
        peak_memory_mb: Largest process, None where it has not ended.
    """

    step: str
    state: str
    host: str
    slurm_job: str
    started: float
    seconds: float | None
    cpu_seconds: float | None
    peak_memory_mb: int | None

    @property
    def rule(self) -> str:
        """The kind of step: train, notebook, nbval, shard, ..."""
        return self.step.partition("/")[0]


def read(log: Path, root: Path) -> Record | None:
    """The record of the step with a log below the folder of logs `root`; None if there is none that can be read."""
    try:
        about = json.loads(record_of(log).read_text(encoding="utf-8"))
        return Record(
            step=log.relative_to(root).with_suffix("").as_posix(),
            state="lost" if about["state"] == "running" and not _lives(about) else about["state"],
            host=about["host"],
            slurm_job=about["slurm_job"] or "",
            started=about["started"],
            seconds=about.get("seconds" if about["state"] == "done" else "seconds_before"),
            cpu_seconds=about.get("cpu_seconds"),
            peak_memory_mb=about.get("peak_memory_mb"),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_all(root: Path) -> list[Record]:
    """All records below a folder of logs, by step."""
    found = (read(path.with_suffix(".log"), root) for path in sorted(root.rglob("*.json")))
    return [record for record in found if record is not None]


def typical_seconds(records: Iterable[Record]) -> float | None:
    """Median wall time of steps that ended; None if there are none."""
    times = [record.seconds for record in records if record.state == "done" and record.seconds is not None]
    return median(times) if times else None


@cache
def _jobs_of_slurm() -> frozenset[str] | None:
    """Numbers of the jobs in the queue, asked for once; None where there is no Slurm, or none that answers."""
    if shutil.which("squeue") is None:
        return None
    try:
        done = subprocess.run(["squeue", "-h", "-o", "%A"], capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else frozenset(done.stdout.split())


def _lives(about: dict[str, object]) -> bool:
    """Whether a step that says it runs does: asks Slurm, or this machine; elsewhere there is nobody to ask."""
    if about.get("slurm_job"):
        jobs = _jobs_of_slurm()
        return jobs is None or str(about["slurm_job"]) in jobs
    if about["host"] != socket.gethostname():
        return True
    try:
        os.kill(int(str(about["pid"])), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
