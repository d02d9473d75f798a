"""Runs one step of the workflow: what it says goes to a log; where it ran, how long and with how much memory beside it.

    python -m gampl_book.step logs/train/one.log python -m gampl_book train one

The record is the log's name with .json: it says "running" until the command ends, and how it ended afterwards.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from gampl.store.atomic import write_bytes

STOPS = (signal.SIGTERM, signal.SIGINT)
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # unit of the system's peak memory


def record_of(log: Path) -> Path:
    """Where the record of a step with this log lies."""
    return log.with_suffix(".json")


def run(log: Path, command: list[str]) -> int:
    """Runs a command and records it; returns its exit status, 128 + number if a signal ended it.

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

        def stop(number: int, _frame: FrameType | None) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the command, too
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        _record(log, about)
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    about |= {
        "state": "failed" if code else "done",
        "exit_status": code,
        "seconds": round(time.monotonic() - start, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_memory_mb": round(usage.ru_maxrss * KILOBYTE / 2**20),
    }
    _record(log, about)
    return code if code >= 0 else 128 - code


def _seconds_before(log: Path) -> float | None:
    """How long this step took when it last ended well, for whoever wants to know how long it will take."""
    try:
        about = json.loads(record_of(log).read_text(encoding="utf-8"))
        return float(about["seconds"] if about["state"] == "done" else about["seconds_before"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(log: Path, about: dict[str, Any]) -> None:
    """Writes the record; a step that has succeeded does not fail because this cannot be written."""
    try:
        write_bytes(record_of(log), (json.dumps(about, indent=1) + "\n").encode())
    except OSError as error:
        print(f"{record_of(log)} was not written: {error}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    if len(arguments) < 2:
        print("usage: step.py LOG COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    try:
        return run(Path(arguments[0]), arguments[1:])
    except OSError as error:
        print(f"step.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
