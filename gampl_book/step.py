"""Runs one step of the workflow: what it says goes to a log; where it ran, how long and with how much memory beside it.

The record is the log's name with .json: it says "running" until the command ends, and how it ended afterwards.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import cache, partial
from pathlib import Path

import msgspec

from gampl.store.atomic import write_bytes

STOPS = (signal.SIGTERM, signal.SIGINT)
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # unit of the system's peak memory


class Record(msgspec.Struct):
    """One step, as it last ran or still runs."""

    state: str  # "running", "done", "failed" or, where the machine or the process died, "lost"
    host: str
    pid: int
    started: float  # in seconds since 1970
    slurm_job: str | None = None  # its number in Slurm's queue
    seconds: float | None = None  # wall time; of the run before where this one has not ended well
    cpu_seconds: float = 0.0  # of all its processes, 0 where it has not ended
    peak_memory_mb: int = 0  # of the largest process, 0 where it has not ended
    step: str = ""  # rule and name, such as "train/ring2d/deep/1-2", as the place of the record says
    rule: str = ""
    name: str = ""


def run(log: Path, command: list[str]) -> int:
    """Runs a command and records it; returns its exit status, 128 + number if a signal ended it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    record = Record("running", socket.gethostname(), os.getpid(), time.time(), os.environ.get("SLURM_JOB_ID"))
    if before := read(log, log.parent):
        record.seconds = before.seconds  # tells how long it will take
    start = time.monotonic()
    with log.open("wb") as output:
        # none is lost between the start of the command and the handlers, which the command does not inherit
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        unblock = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, STOPS)
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=unblock)
        # passed on, and the end is waited for: a training writes a checkpoint first
        signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the command, too
        unblock()
        _write(log, record)
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    record.state = "failed" if code else "done"
    record.seconds = record.seconds if code else round(time.monotonic() - start, 2)
    record.cpu_seconds = round(usage.ru_utime + usage.ru_stime, 2)
    record.peak_memory_mb = round(usage.ru_maxrss * KILOBYTE / 2**20)
    _write(log, record)
    return code if code >= 0 else 128 - code


def _write(log: Path, record: Record) -> None:
    path = log.with_suffix(".json")
    try:
        write_bytes(path, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    except OSError as error:  # a step that has succeeded does not fail because of this
        print(f"{path} was not written: {error}", file=sys.stderr)


def read(log: Path, root: Path) -> Record | None:
    """The record of the step with a log below the folder of logs `root`; None if there is none that can be read."""
    try:
        record = msgspec.json.decode(log.with_suffix(".json").read_bytes(), type=Record)
    except (OSError, ValueError):
        return None
    record.step = log.relative_to(root).with_suffix("").as_posix()
    record.rule, _, record.name = record.step.partition("/")
    if record.state == "running" and not _lives(record):
        record.state = "lost"
    return record


def read_all(root: Path) -> list[Record]:
    """All records below a folder of logs, by step."""
    return [record for path in sorted(root.rglob("*.json")) if (record := read(path, root)) is not None]


def _lives(record: Record) -> bool:
    """Whether a step that says it runs does: asks Slurm, or this machine; elsewhere there is nobody to ask."""
    if record.slurm_job:
        return (jobs := _jobs_of_slurm()) is None or record.slurm_job in jobs
    if record.host != socket.gethostname():
        return True
    try:
        os.kill(record.pid, 0)
    except OSError as error:  # else the process is there, but somebody else's
        return not isinstance(error, ProcessLookupError)
    return True


@cache
def _jobs_of_slurm() -> list[str] | None:
    """Numbers of the jobs in the queue, asked for once; None where there is no Slurm, or none that answers."""
    try:
        done = subprocess.run(["squeue", "-h", "-o", "%A"], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
