"""Keeps the numbers of a run, and what it has cost, with the project: `make keep PROFILE=...`."""

import json
import shutil
from pathlib import Path

from gampl.store.artifacts import default_root
from gampl.store.atomic import write_bytes
from gampl_book import COSTS, KEPT_RESULTS, BookError
from gampl_book.step import read_all


def keep(profile: str) -> None:
    """Copies the results of a profile's run to ``data/results`` and writes its costs below ``data/costs``."""
    run, kept = Path("_build", profile), Path(KEPT_RESULTS, profile)
    about = cost(run)
    kept.mkdir(parents=True, exist_ok=True)
    for results in sorted((run / "results").glob("*.json")):
        shutil.copy(results, kept)
    write_bytes(Path(COSTS, "runs", f"{profile}.json"), (json.dumps(about, indent=1) + "\n").encode())


def cost(run: Path) -> dict[str, object]:
    """What a run has cost, by the records of its steps, each as it last ran; raises BookError if there are none."""
    records = [record for record in read_all(run / "logs") if record.state == "done"]
    if not records:
        raise BookError(f"{run}/logs has no records of finished steps: make book PROFILE={run.name}")
    # where the notebooks ran and what the trainings used, as both say themselves
    results = [json.loads(path.read_text()) for path in (run / "results").glob("*.json")]
    receipts = [json.loads(path.read_text()) for path in (run / "receipts").rglob("*.json")]
    gpus = {about["device"] for receipt in receipts for about in receipt.values()} - {"cpu", "–"}
    return {
        "profile": run.name,
        "device": ", ".join([*sorted({result["device"] for result in results}), *sorted(gpus)]),
        "steps": len(records),
        "core_seconds": round(sum(record.cpu_seconds for record in records)),
        "peak_memory_mb": max(record.peak_memory_mb for record in records),
        "store_mb": _megabytes(default_root()),
        "build_mb": _megabytes(run),
    }


def _megabytes(folder: Path) -> int:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)
