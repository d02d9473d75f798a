"""Runs smoke notebooks as another processor would, and compares what they record with the references.

    python -m gampl_book.other_settings --instructions default avx2 --threads 2      # of notebooks that use networks
    python -m gampl_book.other_settings --instructions avx512 --threads 4 top_pair_generators

Networks are those that are kept in ``data/trainings``; what pages train themselves and what the networks generate is
made with the instructions and the number of threads that are asked for.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import torch

from gampl.store.provenance import requirements, source_files
from gampl_book import PACKAGES, ROOT
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


def run(notebook: str, instructions: str, threads: int, folder: Path) -> dict[str, float | str]:
    """What a notebook records with instructions and threads; raises subprocess.CalledProcessError if it fails."""
    source = ROOT / "notebooks" / f"{notebook}.py"
    command = [sys.executable, "-m", "gampl_book.run_notebook", str(source), "--profile", "smoke", "--seed", "1"]
    command += ["--executed", f"{folder}/executed/{notebook}.ipynb", "--figures", f"{folder}/figures/{notebook}"]
    command += ["--results", f"{folder}/results/{notebook}.json"]
    variables = os.environ | environment(instructions, threads) | {"GAMPL_STORE": str(folder / "store")}
    subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True, text=True)
    return recorded(folder / "results")[notebook]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Compare smoke notebooks with the references on another processor.")
    parser.add_argument("notebooks", nargs="*", help="default: those that use networks")
    parser.add_argument("--instructions", nargs="+", choices=INSTRUCTIONS, default=["default"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    numbers = ROOT / FOLDER / NUMBERS
    parser.add_argument("--numbers", type=Path, default=numbers, help="the numbers to compare with")
    args = parser.parse_args(arguments)
    reference, wrong = json.loads(args.numbers.read_text(encoding="utf-8")), 0
    if "avx512" in args.instructions and torch.backends.cpu.get_cpu_capability() != "AVX512":
        parser.error("--instructions avx512: this processor does not have them")
    for instructions, threads in product(args.instructions, args.threads):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            for notebook in args.notebooks or with_networks():
                try:
                    ours = run(notebook, instructions, threads, Path(folder))
                except subprocess.CalledProcessError as error:
                    print(error.stderr, file=sys.stderr)
                    return 1
                n, differing = len(reference[notebook]), differences(ours, reference[notebook])
                wrong += len(differing)
                words = [f"{n - len(differing)} of {n} numbers agree"]
                words += [f"{name} {one:.6g} for {other:.6g}" for name, (one, other) in differing.items()]
                print(f"{instructions}, {threads} threads: {notebook}: {', '.join(words)}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
