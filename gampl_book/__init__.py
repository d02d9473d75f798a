"""What makes the book, beside the package that it shows: pages, plans, profiles, claims, costs, steps of the work.

It imports `gampl` and is never imported by it. Its commands are listed by ``python -m gampl_book --help``.
"""

import json
import math
import os
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "gampl", ROOT / "gampl_book")  # whose files are ours: a change in them is a change of what they make
KEPT_RESULTS = "data/results"  # of larger and of earlier runs, by profile
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
COSTS = "data/costs"  # what units of the work have cost, by device; those of whole runs below "runs"


class BookError(Exception):
    """Something that whoever runs a command can mend; the message says what it is."""


def guard_interpreters() -> None:
    """Lets the interpreters that this process starts look for code in no current folder, and for ours in this checkout.

    A file with the name of a module, such as ``json.py``, may lie in any folder.
    """
    ours = str(ROOT / "workflow" / "python")
    others = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", ours)]
    os.environ |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join([ours, *others])}


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """What notebooks recorded, by name, from the files that they left in a folder; empty if there is none."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def agree(one: float, other: float, relative: float, absolute: float = 1e-12) -> bool:
    """Whether two recorded numbers are the same up to a tolerance; one that its run cannot have is NaN in both."""
    return math.isclose(one, other, rel_tol=relative, abs_tol=absolute) or (math.isnan(one) and math.isnan(other))


def commit() -> str:
    """The commit of the project, with "+" if tracked files differ from it; "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=7", "--dirty=+"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
