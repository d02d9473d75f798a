"""Runs smoke notebooks as another processor would, and compares what they record with the references.

Networks are those that are kept in ``data/trainings``; what pages train themselves and what the networks generate is
made with the instructions and the number of threads that are asked for.
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

NUMPY_FEATURES = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
# what tells PyTorch, oneDNN, MKL and NumPy to do without the newest instructions
INSTRUCTIONS = {
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY_FEATURES),
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(f for f in NUMPY_FEATURES if f.startswith(("AVX512", "X86_V4"))),
    },
    "all": {},
}


def with_networks() -> list[str]:
    """The notebooks that need PyTorch."""
    notebooks = sorted((ROOT / "notebooks").glob("*.py"))
    return [path.stem for path in notebooks if "torch" in requirements(source_files(path, PACKAGES), PACKAGES)]


def environment(instructions: str, threads: int) -> dict[str, str]:
    """Variables that make PyTorch and NumPy work so."""
    return INSTRUCTIONS[instructions] | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_DYNAMIC": "FALSE",  # else MKL would not take more threads than there are cores,
        "OMP_WAIT_POLICY": "PASSIVE",  # and threads that wait would hold them
    }


def compare(notebooks: list[str], instructions: str, threads: int) -> int:
    """Compares notebooks, by default those that use networks, with the references; returns 1 if a number differs."""
    reference, wrong = json.loads((ROOT / FOLDER / NUMBERS).read_text(encoding="utf-8")), 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        variables = os.environ | environment(instructions, threads) | {"GAMPL_STORE": f"{folder}/store"}
        for notebook in notebooks or with_networks():
            command = [sys.executable, "-m", "gampl_book", "notebook", f"notebooks/{notebook}.py"]
            command += ["--profile=smoke", "--seed=1", f"--folder={folder}"]
            done = subprocess.run(command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True)
            if done.returncode:
                raise BookError(done.stderr)
            expected = reference[notebook]
            differing = differences(recorded(Path(folder, "results"))[notebook], expected)
            wrong += len(differing)
            words = [f"{len(expected) - len(differing)} of {len(expected)} numbers agree"]
            words += [f"{name} {one:.6g} for {other:.6g}" for name, (one, other) in differing.items()]
            print(f"{instructions}, {threads} threads: {notebook}: {', '.join(words)}", flush=True)
    return 1 if wrong else 0
