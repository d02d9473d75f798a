"""Runs smoke notebooks as another processor would, and compares what they record with the references.

    python -m gampl_book other-settings --instructions default avx2 --threads 2      # of notebooks that use networks
    python -m gampl_book other-settings --instructions avx512 --threads 4 top_pair_generators

Networks are those that are kept in ``data/trainings``; what pages train themselves and what the networks generate is
made with the instructions and the number of threads that are asked for.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import torch

from gampl.store.provenance import requirements, source_files
from gampl_book import PACKAGES, ROOT, BookError
from gampl_book.references import FOLDER, NUMBERS, differences, recorded

NUMPY_FEATURES = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
BEYOND_AVX2 = ("AVX512", "X86_V4")
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
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in NUMPY_FEATURES if name.startswith(BEYOND_AVX2)),
    },
    "avx512": {},
}


def with_networks() -> list[str]:
    """The notebooks that need PyTorch."""
    notebooks = sorted((ROOT / "notebooks").glob("*.py"))
    return [path.stem for path in notebooks if "torch" in requirements(source_files(path, PACKAGES), PACKAGES)]


def environment(instructions: str, threads: int) -> dict[str, str]:
    """Variables that make PyTorch and NumPy work so."""
    # MKL would not take more threads than there are cores, and threads that wait would hold them
    how = {"OMP_NUM_THREADS": str(threads), "MKL_DYNAMIC": "FALSE", "OMP_WAIT_POLICY": "PASSIVE"}
    return how | INSTRUCTIONS[instructions]


def run(notebook: str, variables: Mapping[str, str], folder: Path) -> dict[str, float | str]:
    """What a notebook records with environment variables; raises BookError if it fails."""
    products = {"executed": "page.ipynb", "figures": "figures", "results": f"results/{notebook}.json"}
    command = [sys.executable, "-m", "gampl_book", "notebook", f"notebooks/{notebook}.py"]
    command += ["--profile=smoke", "--seed=1", *(f"--{kind}={folder / place}" for kind, place in products.items())]
    own = os.environ | variables | {"GAMPL_STORE": str(folder / "store")}
    done = subprocess.run(command, cwd=ROOT, env=own, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BookError(done.stderr)
    return recorded(folder / "results")[notebook]


def compare(notebooks: list[str], instructions: list[str], threads: list[int]) -> int:
    """Runs notebooks with each instructions and number of threads; returns 1 if a number differs."""
    reference, wrong = json.loads((ROOT / FOLDER / NUMBERS).read_text(encoding="utf-8")), 0
    if "avx512" in instructions and torch.backends.cpu.get_cpu_capability() != "AVX512":
        raise BookError("--instructions avx512: this processor does not have them")
    for kind, n_threads in product(instructions, threads):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            for notebook in notebooks or with_networks():
                ours = run(notebook, environment(kind, n_threads), Path(folder))
                n, differing = len(reference[notebook]), differences(ours, reference[notebook])
                wrong += len(differing)
                words = [f"{n - len(differing)} of {n} numbers agree"]
                words += [f"{name} {one:.6g} for {other:.6g}" for name, (one, other) in differing.items()]
                print(f"{kind}, {n_threads} threads: {notebook}: {', '.join(words)}", flush=True)
    return 1 if wrong else 0
