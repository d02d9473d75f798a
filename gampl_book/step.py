"""Runs one step of the workflow: what it says goes to a log; where it ran, how long and with how much memory beside it.

    python -m gampl_book.step logs/train/one.log python -m gampl_book.train one

The record is the log's name with .json: it says "running" until the command ends, and how it ended afterwards.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gampl.store.atomic import write_bytes

STOPS = (signal.SIGTERM, signal.SIGINT)
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # unit of the system's peak memory


def run(log: Path, command: list[str]) -> int:
    """Run a command and record it; returns its exit status, 128 + number if a signal ended it.

    A signal to stop is passed on, once, and the command is waited for: a training writes a checkpoint first.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {
        "state": "running",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "started": time.time(),
        "seconds_before": _seconds_before(log),
    }
    start = time.monotonic()
    with log.open("wb") as output:
        # none is lost between the start of the command and the handlers, which the command does not inherit
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS),
        )
        signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the command, too
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        _write(log, about)
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    about |= {
        "state": "failed" if code else "done",
        "exit_status": code,
        "seconds": round(time.monotonic() - start, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_memory_mb": round(usage.ru_maxrss * KILOBYTE / 2**20),
    }
    _write(log, about)
    return code if code >= 0 else 128 - code


def record_of(log: Path) -> Path:
    """Where the record of a step with this log lies."""
    return log.with_suffix(".json")


def _seconds_before(log: Path) -> float | None:
    """How long this step took when it last ended well, for whoever wants to know how long it will take."""
    record = read(log, log.parent)
    return record.seconds if record is not None else None


def _write(log: Path, about: dict[str, Any]) -> None:
    try:
        write_bytes(record_of(log), (json.dumps(about, indent=1) + "\n").encode())
    except OSError as error:  # a step that has succeeded does not fail because of this
        print(f"{record_of(log)} was not written: {error}", file=sys.stderr)


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
    records = (read(path.with_suffix(".log"), root) for path in sorted(root.rglob("*.json")))
    return [record for record in records if record is not None]


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


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    if len(arguments) < 2:
        print("usage: python -m gampl_book.step LOG COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    try:
        return run(Path(arguments[0]), arguments[1:])
    except OSError as error:
        print(f"gampl_book.step: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
