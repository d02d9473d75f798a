"""Results and costs of runs that are kept with the project, and shown beside those of the run that makes a page."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gampl.store.artifacts import default_root
from gampl.store.atomic import write_bytes
from gampl_book import COSTS, KEPT_RESULTS, ROOT, BookError, read_results
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.profiles import LARGER, PROFILES
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
    devices = {result["device"] for result in read_results(run / "results").values()}
    receipts = [json.loads(path.read_text()) for path in (run / "receipts").rglob("*.json")]
    gpus = {about["device"] for receipt in receipts for about in receipt.values()} - {"cpu", "–"}
    return {
        "profile": run.name,
        "device": ", ".join([*sorted(devices), *sorted(gpus)]),
        "steps": len(records),
        "core_seconds": round(sum(record.cpu_seconds for record in records)),
        "peak_memory_mb": max(record.peak_memory_mb for record in records),
        "store_mb": _megabytes(default_root()),
        "build_mb": _megabytes(run),
    }


def _megabytes(folder: Path) -> int:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def larger_runs(page: Page) -> dict[str, dict[str, Any]]:
    """What larger runs of a page's notebook recorded, by profile: those above the page's own."""
    above = PROFILES[PROFILES.index(page.profile) + 1 :]
    runs = {profile: read_results(ROOT / KEPT_RESULTS / profile) for profile in above if profile in LARGER}
    return {profile: run[page.notebook] for profile, run in runs.items() if page.notebook in run}


def same_events(page: Page) -> Sequence[str]:
    """Larger runs that used exactly the training and holdout events of this one, by their checksums."""
    own = page.recorded["made_of"]["sha256_of_events"]
    return [name for name, run in larger_runs(page).items() if run["made_of"]["sha256_of_events"] == own]


def beside(page: Page, numbers: Mapping[str, str]) -> Any:
    """A table of numbers that this run and larger ones recorded, by what a row says, and of how each run was made."""
    runs = {f"this run ({page.profile})": page.recorded, **larger_runs(page)}
    rows = [[title, *(_words(run["numbers"].get(name)) for run in runs.values())] for title, name in numbers.items()]
    about = [[title, *(text(run) for run in runs.values())] for title, text in _ABOUT.items()]
    return markdown_table(["", *runs], [*rows, *about])


def _words(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "–"
    value = rounded(float(entry["value"]), 2)
    if "interval" not in entry:
        return value
    low, high = (rounded(float(end), 2) for end in entry["interval"])
    level = f", {100 * entry['level']:.3g} %" if entry.get("level") else ""
    return f"{value} ({low} to {high}{level})"


def _trainings(run: Mapping[str, Any]) -> str:
    if rings := run["made_of"].get("trainings"):
        return (
            f"{rings['training_sets']} training sets of {rings['n_train']} events, {rings['draws']} draws; "
            f"{rings['layers']} layers of {rings['width']}, {rings['steps']} steps"
        )
    settings = run["made_of"].get("event_trainings")
    if not settings:
        return ", ".join(f"{name} {value}" for name, value in run["made_of"]["settings"].items())
    sizes = (f"{settings[f'top_pair_{extra}j']['steps']} ({extra} jets)" for extra in (0, 4))
    members = f"{settings['members']} members ({settings['posterior']})"
    return f"{members}; {' and '.join(sizes)} steps of {settings['batch_size']} events"


_ABOUT: dict[str, Any] = {
    "trainings": _trainings,
    "commit, seed": lambda run: f"{run['commit']}, {run['seed']}",
    "device": lambda run: f"{run['device']}; trained on {run['trained_on'] or '–'}",
    "time": lambda run: f"{run['training_seconds']:.0f} s of training, {run['page_seconds']:.0f} s of page",
}
