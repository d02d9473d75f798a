"""Runs smoke notebooks as an old processor would, and compares what they record with the references.

Networks are those that are kept in ``data/trainings``; what pages train themselves and what the networks generate is
made with the oldest instructions that the libraries have, and with another number of threads.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from gampl.store.provenance import requirements, source_files
from gampl_book import PACKAGES, ROOT, BookError
from gampl_book.references import FOLDER, NUMBERS, differences, recorded


def with_networks() -> list[str]:
    """The notebooks that need PyTorch."""
    notebooks = sorted((ROOT / "notebooks").glob("*.py"))
    return [path.stem for path in notebooks if "torch" in requirements(source_files(path, PACKAGES), PACKAGES)]


def environment(threads: int) -> dict[str, str]:
    """Variables that make PyTorch, oneDNN, MKL and NumPy do without the newest instructions."""
    return {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])),
        "OMP_NUM_THREADS": str(threads),
        "MKL_DYNAMIC": "FALSE",  # else MKL would not take more threads than there are cores,
        "OMP_WAIT_POLICY": "PASSIVE",  # and threads that wait would hold them
    }


def run(notebook: str, threads: int, folder: Path) -> dict[str, float | str]:
    """What a notebook records with other settings; raises BookError if it fails."""
    command = [sys.executable, "-m", "gampl_book", "notebook", f"notebooks/{notebook}.py"]
    command += ["--profile=smoke", "--seed=1", f"--folder={folder}"]
    variables = os.environ | environment(threads) | {"GAMPL_STORE": str(folder / "store")}
    done = subprocess.run(command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BookError(done.stderr)
    return recorded(folder / "results")[notebook]


def compare(notebooks: list[str], threads: int) -> int:
    """Compares notebooks, by default those that use networks, with the references; returns 1 if a number differs."""
    reference, wrong = json.loads((ROOT / FOLDER / NUMBERS).read_text(encoding="utf-8")), 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for notebook in notebooks or with_networks():
            expected = reference[notebook]
            differing = differences(run(notebook, threads, Path(folder)), expected)
            wrong += len(differing)
            words = [f"{len(expected) - len(differing)} of {len(expected)} numbers agree"]
            words += [f"{name} {one:.6g} for {other:.6g}" for name, (one, other) in differing.items()]
            print(f"{threads} threads: {notebook}: {', '.join(words)}", flush=True)
    return 1 if wrong else 0
