"""The page of the book that says where its steps ran, for how long and with how much memory."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from gampl_book.records import Record, read_all
from gampl_book.studies import KEPT_RESULTS

REPORT = "run_report.html"

HEAD = """\
# This run

Each step of the work behind this book, as it was measured when it last ran; steps whose products were still right
did not run again. Times are wall times, memory is that of a step's largest process. Where a training's weights were
found in the store, its time is that of finding them, and its device the one that they were trained on.
<a href="{report}">Snakemake's own report</a> has the graph of the work, the code of each step and when it ran.
"""

FEW = """
No step has left a record: the products of this book come from elsewhere.
"""


ELSEWHERE = """\
## The same run elsewhere

On CPUs of one type, with the same versions of all packages and the same number of threads, a run repeats to the last
bit. Another processor or number of threads adds up in another order. Each step of a training then differs by round-off,
about a part in ten million, and later steps amplify that: the networks are as good, but not the same, and a G that
rests on how a few of them scatter moves with them. Its interval is what tells how far it may. The smoke profile, with
whose numbers the tests compare, therefore finds its networks in `data/trainings` and does not train them.
"""

MOVED = 0.02  # relative change of a number from which on it counts as moved


def page(build: Path, profile: str, checked: str = "smoke", archive: Path = Path(KEPT_RESULTS)) -> str:
    """The page's text, MyST.

    Args:
        build: The folder ``_build``.
        profile: Of this book.
        checked: The profile of the runs that are compared with the references, whose steps count, too.
        archive: Folder of the results that are kept, by profile.
    """
    groups: dict[str, list[Record]] = {}
    for name in dict.fromkeys((profile, checked)):
        for record in read_all(build / name / "logs"):
            if name == profile or record.rule in ("train", "nbval"):
                groups.setdefault(f"{record.rule}, {name}", []).append(record)
    for logs in sorted(build.glob("events/*/logs")):
        groups[f"events, {logs.parent.name}"] = read_all(logs)
    groups = {name: [r for r in records if r.state == "done"] for name, records in groups.items()}
    if not any(groups.values()):
        return HEAD.format(report=REPORT) + FEW
    parts = [HEAD.format(report=REPORT), "## In short", _summary(groups)]
    for rule, title in (("train", "Each training"), ("notebook", "Each notebook")):
        rows = [
            [record.step.removeprefix(f"{rule}/"), _device(build / profile, record), *_where_and_what(record)]
            for record in sorted(groups.get(f"{rule}, {profile}", []), key=lambda record: -(record.seconds or 0))
        ]
        if rows:
            parts += [f"## {title}", _table(["name", "device", "host", "job", "time in s", "memory in MB"], rows)]
    parts += [ELSEWHERE, _against_kept(build / profile / "results", archive / profile)]
    return "\n\n".join(parts) + "\n"


def _summary(groups: dict[str, list[Record]]) -> str:
    rows = []
    for name, records in groups.items():
        times = [record.seconds or 0.0 for record in records]
        if times:
            memory = max(record.peak_memory_mb or 0 for record in records)
            hosts = ", ".join(sorted({record.host for record in records}))
            numbers = f"{sum(times):.0f}", f"{median(times):.1f}", f"{max(times):.1f}", f"{memory}"
            rows.append([name, str(len(times)), *numbers, hosts])
    head = ["kind", "steps", "sum of times in s", "median in s", "longest in s", "most memory in MB", "hosts"]
    return _table(head, rows)


def _has_moved(value: float, before: float) -> bool:
    if math.isnan(before):  # a number that such a run cannot have
        return not math.isnan(value)
    return not math.isclose(value, before, rel_tol=MOVED, abs_tol=1e-12)


def _against_kept(results: Path, kept: Path) -> str:
    """How far the numbers of this run are from those of one of the same profile that is kept, in words."""
    runs = [
        (json.loads(path.read_text(encoding="utf-8")), json.loads((kept / path.name).read_text(encoding="utf-8")))
        for path in sorted(results.glob("*.json"))
        if (kept / path.name).exists()
    ]
    if not runs:
        return "No other run of this profile is kept to compare with."
    pairs = [
        (own["numbers"][n], old) for own, other in runs for n, old in other["numbers"].items() if n in own["numbers"]
    ]
    moved = [(float(own["value"]), old) for own, old in pairs if _has_moved(float(own["value"]), float(old["value"]))]
    bounded = [(value, map(float, old["interval"])) for value, old in moved if "interval" in old]
    inside = sum(low <= value <= high for value, (low, high) in bounded)
    commits = {run["commit"] for pair in runs for run in pair}
    devices, seeds = (", ".join(sorted({str(other[name]) for _, other in runs})) for name in ("device", "seed"))
    if len(commits) == 1:
        code = "Both are of the same commit: what differs comes from machines and packages."
    else:
        code = "They are of different commits, so that changes of the program count as well."
    return (
        f"A run of this profile is kept in `data/results`, made on {devices} with seed {seeds}. Of {len(pairs)} "
        f"numbers that it has in common with this one, {len(moved)} differ by more than {MOVED:.0%}. Of those, "
        f"{len(bounded)} have an interval there, and {inside} of these lie in it. {code}"
    )


def _where_and_what(record: Record) -> list[str]:
    memory = "–" if record.peak_memory_mb is None else str(record.peak_memory_mb)
    return [record.host, record.slurm_job or "–", f"{record.seconds or 0:.1f}", memory]


def _device(build: Path, record: Record) -> str:
    """What a training ran on, by its receipt, or a notebook, by its results."""
    kind, _, name = record.step.partition("/")
    try:
        if kind == "train":
            receipt = json.loads((build / "receipts" / f"{name}.json").read_text(encoding="utf-8"))
            return ", ".join(sorted({str(one["device"]) for one in receipt.values()}))
        results = json.loads((build / "results" / f"{name}.json").read_text(encoding="utf-8"))
        return str(results["device"]).partition(",")[0]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "–"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
