"""What Snakemake says, in few lines: what is done, what runs now, and why something failed; a logger plugin."""

import sys
import threading
import time
from dataclasses import dataclass, field
from logging import ERROR, WARNING, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from gampl_book import ANSI_COLOUR

STATUS_SECONDS = 10.0
TAIL_LINES = 30
NAMED_STEPS = 8  # of those that run, so that hundreds in a cluster's queue do not fill the screen
SAID_BETTER = ("CalledProcessError", "Exiting because a job", "At least one job did not complete")


@dataclass
class Step:
    """A step that has been started."""

    label: str
    logs: list[str]
    start: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.label} ({time.monotonic() - self.start:.0f} s)"

    def log_lines(self) -> list[str]:
        """What it has written so far; of a line that overwrites itself only the last state."""
        text = "".join(Path(log).read_text(errors="replace") for log in self.logs if Path(log).is_file())
        lines = (line.rpartition("\r")[2].rstrip() for line in ANSI_COLOUR.sub("", text).split("\n"))
        return list(filter(None, lines))

    def status(self) -> str:
        """What it is doing: the last line of its log if that names it, else its name."""
        last = self.log_lines()[-1:]
        return last[0] if last and last[0].partition(":")[0] in self.label else str(self)


class LogHandler(LogHandlerBase):
    """Prints a line per finished step, now and then what runs, and the end of the log of a failed step."""

    writes_to_stream = has_filter = has_formatter = True
    writes_to_file = needs_rulegraph = False

    def __post_init__(self) -> None:
        self.running: dict[int, Step] = {}
        self.done = self.total = 0
        self.quiet_since = time.monotonic() - STATUS_SECONDS
        self.closing = threading.Event()
        threading.Thread(target=self._report_status, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        """Handles one event of Snakemake."""
        about = vars(record)
        event = about.get("event")
        if event == LogEvent.RUN_INFO:
            stats = about["stats"]
            self.total = stats["total"] - stats.get("all", 0) - stats.get("notebooks", 0)
            self._say(f"{self.total} step{'s' * (self.total != 1)} to do")
        elif event == LogEvent.JOB_INFO:
            self.running[about["jobid"]] = Step(about["rule_msg"] or about["rule_name"], list(about["log"]))
        elif event == LogEvent.JOB_FINISHED:
            if (step := self.running.pop(about["job_id"], None)) and self.done < self.total:
                self.done += 1
                self._say(f"{self.done:{len(str(self.total))}} of {self.total} steps: {step}")
        elif event == LogEvent.JOB_ERROR:
            if step := self.running.pop(about["jobid"], None):
                end = "\n".join(f"  | {line}" for line in step.log_lines()[-TAIL_LINES:])
                self._say(f"\nFAILED: {step}\n{end}\n  Everything it said: {', '.join(step.logs)}\n")
        elif event == LogEvent.ERROR or (event is None and record.levelno >= WARNING):
            text = record.getMessage().strip()
            if not any(phrase in text for phrase in SAID_BETTER):
                self._say(text if record.levelno >= ERROR else f"(Snakemake: {text})")

    def close(self) -> None:
        """Stops the status lines."""
        self.closing.set()
        super().close()

    def _report_status(self) -> None:
        while not self.closing.wait(1.0):
            if self.running and time.monotonic() - self.quiet_since > STATUS_SECONDS:
                steps = list(self.running.values())
                more = f"; and {len(steps) - NAMED_STEPS} more" if len(steps) > NAMED_STEPS else ""
                self._say("  now: " + "; ".join(step.status() for step in steps[:NAMED_STEPS]) + more)

    def _say(self, text: str) -> None:
        self.quiet_since = time.monotonic()
        print(text, file=sys.stderr, flush=True)
