"""Keeps what a run has found, and what it has cost, with the project: `make keep PROFILE=...`."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from gampl.store.artifacts import default_root
from gampl.store.atomic import write_bytes
from gampl_book.profiles import PROFILES
from gampl_book.records import read_all
from gampl_book.studies import COSTS, KEPT_RESULTS

BUILD = Path("_build")


def megabytes(folder: Path) -> int:
    """Size of all files of a folder."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def devices(profile: str) -> list[str]:
    """Where the notebooks ran and what the trainings used, as both say themselves."""
    results = [json.loads(path.read_text()) for path in (BUILD / profile / "results").glob("*.json")]
    receipts = [json.loads(path.read_text()) for path in (BUILD / profile / "receipts").rglob("*.json")]
    gpus = {about["device"] for receipt in receipts for about in receipt.values()} - {"cpu", "–"}
    return [*sorted({result["device"] for result in results}), *sorted(gpus)]


def cost(profile: str) -> dict[str, object]:
    """What a run has cost, by the records of its steps, each as it last ran.

    Raises:
        ValueError: If there are none.
    """
    records = [record for record in read_all(BUILD / profile / "logs") if record.state == "done"]
    if not records:
        raise ValueError(f"_build/{profile}/logs has no records of finished steps: make book PROFILE={profile}")
    return {
        "profile": profile,
        "device": ", ".join(devices(profile)),
        "steps": len(records),
        "core_seconds": round(sum(record.cpu_seconds or 0.0 for record in records)),
        "peak_memory_mb": max(record.peak_memory_mb or 0 for record in records),
        "store_mb": megabytes(default_root()),
        "build_mb": megabytes(BUILD / profile),
    }


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Keep a run's numbers and costs in data/.")
    parser.add_argument("--profile", choices=PROFILES, required=True)
    args = parser.parse_args(arguments)
    try:
        about = cost(args.profile)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    kept = Path(KEPT_RESULTS, args.profile)
    kept.mkdir(parents=True, exist_ok=True)
    for results in sorted((BUILD / args.profile / "results").glob("*.json")):
        shutil.copy(results, kept)
    write_bytes(Path(COSTS, "runs", f"{args.profile}.json"), (json.dumps(about, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
