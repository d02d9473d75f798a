"""The page that says where the steps of a run ran, for how long, with how much memory, and how far others differ."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gampl_book import KEPT_RESULTS, ROOT
from gampl_book.step import Record, read_all

REPORT = "run_report.html"
CHECKED = "smoke"  # the profile of the runs that are compared with the references, whose steps count, too
MOVED = 0.02  # relative change of a number from which on it counts as moved


def page(build: Path, profile: str, archive: Path = Path(KEPT_RESULTS)) -> str:
    """The page's text, MyST, from its template, ``book/run.md.j2``.

    Args:
        build: The folder ``_build``.
        profile: Of this book.
        archive: Folder of the results that are kept, by profile.
    """
    groups: dict[str, list[Record]] = {}
    for name in dict.fromkeys((profile, CHECKED)):
        for record in read_all(build / name / "logs"):
            if name == profile or record.rule in ("train", "nbval"):
                groups.setdefault(f"{record.rule}, {name}", []).append(record)
    for logs in sorted(build.glob("events/*/logs")):
        groups[f"events, {logs.parent.name}"] = read_all(logs)
    done = {name: [r for r in records if r.state == "done"] for name, records in groups.items()}
    steps = {
        title: [_row(build / profile, record) for record in sorted(done.get(f"{rule}, {profile}", []), key=_longest)]
        for rule, title in (("train", "Each training"), ("notebook", "Each notebook"))
    }
    loader = FileSystemLoader(ROOT / "book")
    environment = Environment(loader=loader, trim_blocks=True, undefined=StrictUndefined)  # noqa: S701 - not HTML
    return environment.get_template("run.md.j2").render(
        report=REPORT,
        summary=[_summary(name, records) for name, records in done.items() if records],
        steps=steps,
        moved=MOVED,
        kept=_against_kept(build / profile / "results", archive / profile),
    )


def _longest(record: Record) -> float:
    return -(record.seconds or 0.0)


def _summary(name: str, records: Sequence[Record]) -> str:
    times = [record.seconds or 0.0 for record in records]
    memory = max(record.peak_memory_mb or 0 for record in records)
    hosts = ", ".join(sorted({record.host for record in records}))
    cells = [name, len(times), f"{sum(times):.0f}", f"{median(times):.1f}", f"{max(times):.1f}", memory, hosts]
    return " | ".join(map(str, cells))


def _row(build: Path, record: Record) -> str:
    memory = "–" if record.peak_memory_mb is None else record.peak_memory_mb
    name = record.step.partition("/")[2]
    cells = [name, _device(build, record), record.host, record.slurm_job or "–", f"{record.seconds or 0:.1f}", memory]
    return " | ".join(map(str, cells))


def _device(build: Path, record: Record) -> str:
    """What a training ran on, by its receipt, or a notebook, by its results."""
    _, _, name = record.step.partition("/")
    try:
        if record.rule == "train":
            receipt = json.loads((build / "receipts" / f"{name}.json").read_text(encoding="utf-8"))
            return ", ".join(sorted({str(one["device"]) for one in receipt.values()}))
        results = json.loads((build / "results" / f"{name}.json").read_text(encoding="utf-8"))
        return str(results["device"]).partition(",")[0]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "–"


def _against_kept(results: Path, kept: Path) -> dict[str, Any] | None:
    """How far the numbers of this run are from those of one of the same profile that is kept; None if none is."""
    runs = [
        (json.loads(path.read_text(encoding="utf-8")), json.loads((kept / path.name).read_text(encoding="utf-8")))
        for path in sorted(results.glob("*.json"))
        if (kept / path.name).exists()
    ]
    if not runs:
        return None
    pairs = [
        (own["numbers"][n], old) for own, other in runs for n, old in other["numbers"].items() if n in own["numbers"]
    ]
    moved = [(float(own["value"]), old) for own, old in pairs if _has_moved(float(own["value"]), float(old["value"]))]
    bounded = [(value, map(float, old["interval"])) for value, old in moved if "interval" in old]
    return {
        "device": ", ".join(sorted({str(other["device"]) for _, other in runs})),
        "seed": ", ".join(sorted({str(other["seed"]) for _, other in runs})),
        "same_commit": len({run["commit"] for pair in runs for run in pair}) == 1,
        "common": len(pairs),
        "moved": len(moved),
        "bounded": len(bounded),
        "inside": sum(low <= value <= high for value, (low, high) in bounded),
    }


def _has_moved(value: float, before: float) -> bool:
    if math.isnan(before):  # a number that such a run cannot have
        return not math.isnan(value)
    return not math.isclose(value, before, rel_tol=MOVED, abs_tol=1e-12)
