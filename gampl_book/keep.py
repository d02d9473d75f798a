"""Keeps the numbers of a run, and what it has cost, with the project: `make keep PROFILE=...`."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from gampl.store.artifacts import default_root
from gampl.store.atomic import write_bytes
from gampl_book import COSTS, KEPT_RESULTS
from gampl_book.profiles import PROFILES
from gampl_book.step import read_all


def cost(run: Path) -> dict[str, object]:
    """What a run has cost, by the records of its steps, each as it last ran; raises ValueError if there are none."""
    records = [record for record in read_all(run / "logs") if record.state == "done"]
    if not records:
        raise ValueError(f"{run}/logs has no records of finished steps: make book PROFILE={run.name}")
    return {
        "profile": run.name,
        "device": ", ".join(_devices(run)),
        "steps": len(records),
        "core_seconds": round(sum(record.cpu_seconds or 0.0 for record in records)),
        "peak_memory_mb": max(record.peak_memory_mb or 0 for record in records),
        "store_mb": _megabytes(default_root()),
        "build_mb": _megabytes(run),
    }


def _devices(run: Path) -> list[str]:
    """Where the notebooks ran and what the trainings used, as both say themselves."""
    results = [json.loads(path.read_text()) for path in (run / "results").glob("*.json")]
    receipts = [json.loads(path.read_text()) for path in (run / "receipts").rglob("*.json")]
    gpus = {about["device"] for receipt in receipts for about in receipt.values()} - {"cpu", "–"}
    return [*sorted({result["device"] for result in results}), *sorted(gpus)]


def _megabytes(folder: Path) -> int:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Keep a run's numbers and costs in data/.")
    parser.add_argument("--profile", choices=PROFILES, required=True)
    profile = parser.parse_args(arguments).profile
    run, kept = Path("_build", profile), Path(KEPT_RESULTS, profile)
    try:
        about = cost(run)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    kept.mkdir(parents=True, exist_ok=True)
    for results in sorted((run / "results").glob("*.json")):
        shutil.copy(results, kept)
    write_bytes(Path(COSTS, "runs", f"{profile}.json"), (json.dumps(about, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
