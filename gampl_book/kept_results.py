"""Results of larger runs that are kept in ``data/results`` and shown beside those of the run that makes a page."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gampl_book import KEPT_RESULTS, ROOT
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.profiles import LARGER, PROFILES


def larger_runs(page: Page) -> dict[str, dict[str, Any]]:
    """What larger runs of a page's notebook recorded, by profile: those above the page's own."""
    above = PROFILES[PROFILES.index(page.profile) + 1 :]
    files = {p: ROOT / KEPT_RESULTS / p / f"{page.notebook}.json" for p in above if p in LARGER}
    return {p: json.loads(path.read_text(encoding="utf-8")) for p, path in files.items() if path.exists()}


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


def same_events(page: Page) -> Sequence[str]:
    """Larger runs that used exactly the training and holdout events of this one, by their checksums."""
    own = page.recorded["made_of"]["sha256_of_events"]
    return [name for name, run in larger_runs(page).items() if run["made_of"]["sha256_of_events"] == own]
