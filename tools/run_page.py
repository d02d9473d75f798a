"""The page of the book that says where its steps ran, for how long and with how much memory."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from records import Record, read_all

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


def page(build: Path, profile: str, checked: str = "smoke") -> str:
    """The page's text, MyST.

    Args:
        build: The folder ``_build``.
        profile: Of this book.
        checked: The profile of the runs that are compared with the references, whose steps count, too.
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
