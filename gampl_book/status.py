"""Says how far the book's work is: what is done, running, stale, failed, and how long the rest takes."""

import csv
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gampl_book import ROOT, BookError
from gampl_book.build import LOCK, holder
from gampl_book.step import Record, read

COLUMNS = ("done", "running", "failed", "stale", "to make")  # stale: outrun by what it depends on; to make: no product
# which product of a step stands for it, by the folder that it is in -> the folder of its log
LOGS = {"receipts": "train", "executed": "notebook"}


class Step(NamedTuple):
    """A step of the graph."""

    kind: str  # what its times are compared with, such as "train (laptop)"
    log: Path
    state: str  # one of `COLUMNS`
    record: Record | None  # of how it last ran


def log_of(product: Path, rule: str) -> Path | None:
    """The log of the step that makes a product; None for products that others of the same step stand for."""
    match product.with_suffix(".log").parts:
        case "_build", "events", size, *rest:  # <folder>/<seed>.made and <name>.h5
            return Path("_build", "events", size, "logs", *rest)
        case "_build", profile, folder, *rest if folder in LOGS:
            return Path("_build", profile, "logs", LOGS[folder], *rest)
        case "_build", profile, _:
            return Path("_build", profile, "logs", f"{rule}.log")
    return None


def plan(profile: str) -> list[Step]:
    """All steps of a profile's book, as Snakemake sees them; raises BookError if it cannot plan."""
    command = [sys.executable, "-m", "snakemake", "all", "--profile", "workflow/profiles/default", "--nolock"]
    command += ["--summary", "--config", f"profile={profile}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise BookError(f"the work cannot be planned: {done.stderr.strip() or 'Snakemake gives no reason'}")
    steps = []
    for row in csv.DictReader(done.stdout.splitlines(), delimiter="\t"):
        if log := log_of(Path(row["output_file"]), row["rule"]):
            root = next(folder for folder in log.parents if folder.name == "logs")
            record = read(ROOT / log, ROOT / root)
            if row["plan"] == "no update":
                state = "done"
            elif record and record.state in ("running", "failed"):
                state = record.state
            else:
                state = "to make" if row["status"] == "missing" else "stale"
            steps.append(Step(f"{row['rule']} ({root.parent.name})", log, state, record))
    return steps


def rest(steps: Sequence[Step], now: float) -> str:
    """How long what is not done takes, in a sentence: by the last run of each step, else by the median of its kind."""
    to_do = [one for one in steps if one.state != "done"]
    if not to_do:
        return f"All {len(steps)} steps are done."
    times = defaultdict[str, list[float]](list)
    for kind, record in ((one.kind, one.record) for one in steps):
        if record and record.state == "done" and record.seconds is not None:
            times[kind].append(record.seconds)
    seconds, unknown = 0.0, 0
    for kind, _, state, record in to_do:
        known = times[kind] if record is None or record.seconds is None else [record.seconds]
        if known:
            seconds += max(0.0, median(known) - (now - record.started if record and state == "running" else 0.0))
        else:
            unknown += 1
    left = f"{unknown} step{'s' * (unknown != 1)}"
    if unknown == len(to_do):
        return f"How long the rest, {left}, takes is not known: nothing of its kind has run here yet."
    left_out = f"; {left} of kinds that never ran here not counted" if unknown else ""
    return f"The rest takes about {_duration(seconds)} of one core or GPU, by times measured here{left_out}."


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def status(profile: str) -> None:
    """Prints all that there is to say of a profile's book."""
    steps, now = plan(profile), time.time()  # after planning, which takes seconds: no step has begun later
    counts, kinds = Counter((one.kind, one.state) for one in steps), sorted({one.kind for one in steps})
    rows = [("step", *COLUMNS), *((kind, *(counts[kind, name] or "." for name in COLUMNS)) for kind in kinds)]
    width = max(map(len, [*kinds, "step"]))
    lines = [f"{kind:{width}} " + " ".join(f"{cell:>8}" for cell in cells) for kind, *cells in rows]
    lines.append("")
    for record in (one.record for one in steps if one.state == "running" and one.record is not None):
        where = f"{record.host}, Slurm job {record.slurm_job}" if record.slurm_job else record.host
        lines.append(f"running: {record.step} ({where}, for {_duration(now - record.started)})")
    lines += [f"failed: {one.log}" for one in steps if one.state == "failed"]
    build = holder(ROOT / LOCK)
    lines.append(f"A build is running ({build})." if build else "No build is running in this checkout.")
    print("\n".join([*lines, rest(steps, now)]))
