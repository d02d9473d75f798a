"""Makes the committed references of the notebooks, tests/reference, and compares a run of the smoke profile with them.

The reference of a notebook is the text that its cells tagged ``nbval-check-output`` (nbval's name for such cells)
print or glue into the prose, in ``NAME.txt``; and the numbers of all of them that the claims are about, in
``numbers.json``. Both are committed, so that a number cannot change unnoticed.
"""

import difflib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode

from gampl_book import ROOT, BookError, agree, read_results
from gampl_book.build import LOCK, holder

FOLDER = Path("tests/reference")
SMOKE = Path("_build/smoke")  # the run that they are made from
CHECKED = "nbval-check-output"
GLUED = "application/papermill.record/text/plain"
OTHER = "other_settings"  # stands beside results that no references may come from
NUMBERS = "numbers.json"  # what the notebooks recorded for the claims ledger

# What networks generate, which are the same everywhere (kept_trainings.py), repeats to round-off of single precision;
# what a page trains itself, such as a classifier, amplifies it. This sees an error of 1 %.
RELATIVE = 5e-3
SHARES, ABSOLUTE = "coverage", 0.02  # these move by whole pseudo-experiments when rounding decides one of them

# Trees and networks that a page trains itself, and does not keep, take another way after the last bit of one number:
# what they lead to is compared as loosely as it then moves (notebook, names, relative and absolute tolerance).
RETRAINED = (
    ("control", re.compile("auc_"), 0.05, 0.0),
    ("control", re.compile("excess_|slope_|small_share_|z_|tail"), 0.3, 0.3),
    ("control", re.compile("better_|named_|alarms|found_|with_gap"), 0.0, 1.0),
    ("control", re.compile("difference_"), math.inf, 0.0),  # intervals of two trainings in the smoke book
    ("joint_training", re.compile("G_|beyond_|narrower_|spread_"), 0.3, 0.0),
    ("joint_training", re.compile("jets_(log_p|auc)_"), 0.3, 0.3),
    ("joint_training", re.compile("G_|beyond_|narrower_|spread_|jets_"), 0.3, 0.0),
    ("theory_uncertainties", re.compile("band_|off_|carries_|gain_"), 0.3, 0.0),
    ("theory_uncertainties", re.compile("G_|mean_|chi2_|samples_|far_|percent_|z_"), 0.1, 0.0),
    # a mixture and a classifier that the page trains, and counts of few trials
    ("many_dimensions", re.compile("n_(LR|radius|classifier|energy|mmd|sliced|coordinate)|over_"), 0.3, 0.0),
    ("many_dimensions", re.compile("power_|coverage_(energy|mmd|sliced)_"), 0.0, 0.3),
    ("many_dimensions", re.compile("coverage_least"), 0.0, 10.0),
    ("many_dimensions", re.compile("wins_"), 0.0, 1.0),
    ("direct_diffusion", re.compile("c_|distance_|moved_|n_|null_|off_|over_|size_|unlearned_"), 0.3, 0.02),
    # of two small training sets: one over the square of a shift that can be next to nothing
    (
        "matrix_element_method",
        re.compile(r"(part_)?worth_|G_\d|crossing|pairs_per|(small|larg)est_(worth|G)"),
        math.inf,
        0.0,
    ),
    ("matrix_element_method", re.compile(r"bias_\d|rms_|coverage_[\dw]|part_|power|integral_[se]"), 0.3, 0.3),
    ("matrix_element_method", re.compile("spread_sampler|sampler_gain|even_|random_"), math.inf, 0.0),
    ("matrix_element_method", re.compile("integrals_agree|all_percent|(small|larg)est_coverage"), 0.0, 30.0),
    ("known_density", re.compile("flow_(madnis_equal|learned|pulls|.*efficiency|.*permille)|learned_"), math.inf, 0.0),
    ("known_density", re.compile("flow_"), 0.5, 0.0),
    # events belong to a fold by their last bits
    ("reweighting", re.compile("(true|change|estimate|over|n_effective)(_tail)?_(ring|lo)_.*_folds"), 0.8, 0.0),
    ("reweighting", re.compile(".*calibrated"), 0.3, 0.0),
    ("reweighting", re.compile(".*unregularised_fresh"), math.inf, 0.0),  # of a few events, up to infinite
    ("scaling_laws", re.compile("number_|best_steps"), math.inf, 0.0),
    # of two small training sets, whose logarithms are averaged: the largest of regions are limited by counting only
    ("scaling_laws", re.compile("(overtrained|capacity|G)_|(m|tail)_(spline|transformer)_"), math.inf, 0.0),
    ("scaling_laws", re.compile("LR_|KL_|d_eff_|power_|sigma_power_"), 0.3, 0.5),
    ("amplification_maps", re.compile("truth_|estimate_|maps_|marks_"), 0.0, 3.0),
    ("amplification_maps", re.compile("coverage_|known_|wrong_|limits_"), 0.0, 0.4),
    ("amplification_maps", re.compile("G_|apart|over_true"), 0.5, 0.0),
    ("z_jets_inn", re.compile("coverage"), 0.0, 0.2),
    ("z_jets_inn", re.compile("percent|least|most"), 0.0, 20.0),
    ("z_jets_inn", re.compile("G_|trick_|gain_|inside_|precision_|deviation_|over_|width_|range"), 0.3, 0.3),
    ("whose_interval", re.compile("order"), math.inf, 0.0),
    ("whose_interval", re.compile("left_out|number_"), 0.0, 2.0),
    ("whose_interval", re.compile("coverage_|corrected_|ring_coverage_"), 0.0, 0.2),
    ("whose_interval", re.compile("cov_|binn_"), 0.0, 20.0),
    ("whose_interval", re.compile("(deviation|factor|farther|needed|off|over|rms|typical|wider|width)_?"), 0.3, 0.1),
    ("whose_interval", re.compile("ring_(factor|needed|pull)"), 0.3, 0.1),
    ("whose_interval", re.compile("G_"), 0.5, 0.0),
)

# what tells PyTorch, oneDNN and MKL to do without the newest instructions, and how those begin that NumPy leaves out
INSTRUCTIONS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "default": ("default", "SSE41", "COMPATIBLE", ("",)),
    "avx2": ("avx2", "AVX2", "AVX2", ("AVX512", "X86_V4")),
}

REMEDY = "if that is intended, run `make reference` and look at the difference before committing it"


def printed(path: Path) -> str:
    """The text of the checked cells of an executed notebook; BookError if one of them shows something else, or none."""
    notebook = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in notebook.cells if CHECKED in cell.metadata.get("tags", [])]
    if not cells:
        raise BookError(f"notebook {path.stem}: no cell is tagged {CHECKED}, so that nothing would be compared")
    return "\n".join("".join(_texts(cell, path.stem)) for cell in cells)


def _texts(cell: NotebookNode, name: str) -> Iterator[str]:
    """What a checked cell has printed or glued."""
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            yield output.text
        elif output.get("data", {}).keys() == {GLUED}:
            yield f"{output.metadata['scrapbook']['name']}: {output.data[GLUED]}\n"
        else:
            break
    else:
        if cell.outputs:
            return
    raise BookError(
        f"notebook {name}: a cell tagged {CHECKED} must print or glue text and show nothing else:\n{cell.source}"
    )


def recorded(results: Path) -> dict[str, dict[str, float | str]]:
    """The numbers that the notebooks recorded for the claims ledger: notebook -> name -> value."""
    runs = read_results(results)
    return {name: {key: n["value"] for key, n in run["numbers"].items()} for name, run in runs.items()}


def differences(
    notebook: str, ours: dict[str, float | str], expected: dict[str, float | str]
) -> dict[str, tuple[float, float]]:
    """The recorded numbers of a notebook that are not those of its reference, each with that one."""
    pairs = {name: (float(ours.get(name, math.nan)), float(value)) for name, value in expected.items()}
    return {name: p for name, p in pairs.items() if name not in ours or not _same(notebook, name, *p)}


def _same(notebook: str, name: str, one: float, other: float) -> bool:
    """Whether a recorded number may be that of another processor."""
    for page, names, relative, absolute in RETRAINED:
        if page == notebook and names.match(name):
            return math.isinf(relative) or agree(one, other, relative, absolute)
    return agree(one, other, RELATIVE, ABSOLUTE if SHARES in name else 1e-12)


def make() -> None:
    """Writes the references of executed smoke notebooks, and the numbers of that run; removes others."""
    if (ROOT / SMOKE / OTHER).exists():
        raise BookError(f"{SMOKE} was made with other settings: remove the folder, then make reference")
    texts = {FOLDER / f"{path.stem}.txt": printed(path) for path in sorted((SMOKE / "executed").glob("*.ipynb"))}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    for left_over in set(FOLDER.glob("*.txt")) - set(texts):
        left_over.unlink()  # its notebook is gone
    numbers = json.dumps(recorded(SMOKE / "results"), indent=1, sort_keys=True)
    (FOLDER / NUMBERS).write_text(numbers + "\n", encoding="utf-8")
    print(f"{len(texts)} references are in {FOLDER}; see what changed: git diff {FOLDER}")


def check(ok: Path) -> None:
    """Makes the file `ok` if all smoke notebooks print what their references say; else BookError names the others."""
    wrong = [problem for path in sorted(Path("notebooks").glob("*.py")) for problem in _problems(path.stem)]
    if wrong:
        raise BookError("\n".join([*wrong, REMEDY]))
    ok.parent.mkdir(parents=True, exist_ok=True)
    ok.touch()


def _problems(notebook: str) -> list[str]:
    """What is wrong with what a notebook prints."""
    reference = FOLDER / f"{notebook}.txt"
    if not reference.is_file():
        return [f"notebook {notebook} has no reference {reference}: make it with `make reference`"]
    ours, expected = printed(SMOKE / "executed" / f"{notebook}.ipynb"), reference.read_text(encoding="utf-8")
    if ours == expected:
        return []
    lines = difflib.unified_diff(expected.splitlines(), ours.splitlines(), str(reference), "this run", lineterm="", n=1)
    return [f"notebook {notebook} does not print what {reference} says:", *lines]


def environment(instructions: str, threads: int) -> dict[str, str]:
    """Variables that make PyTorch and NumPy work with such instructions, one of `INSTRUCTIONS` or "all"."""
    # else MKL would not take more threads than there are cores, and threads that wait would hold them
    variables = {"OMP_NUM_THREADS": str(threads), "MKL_DYNAMIC": "FALSE", "OMP_WAIT_POLICY": "PASSIVE"}
    if instructions == "all":
        return variables
    torch, onednn, mkl, prefixes = INSTRUCTIONS[instructions]
    variables |= {"ATEN_CPU_CAPABILITY": torch, "ONEDNN_MAX_CPU_ISA": onednn, "MKL_CBWR": mkl}
    features = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return variables | {"NPY_DISABLE_CPU_FEATURES": " ".join(name for name in features if name.startswith(prefixes))}


def other_settings(instructions: str, threads: int) -> int:
    """Make the smoke book anew as another processor would; return 1 if its numbers are not those of the references.

    Networks are still those of data/trainings; what pages train and what networks generate is made in this way. Raises
    BookError if another build is running.
    """
    if running := holder(ROOT / LOCK):
        raise BookError(f"another build is running here ({running}): wait for it, or stop it.")
    shutil.rmtree(ROOT / SMOKE, ignore_errors=True)
    (ROOT / SMOKE).mkdir(parents=True)
    (ROOT / SMOKE / OTHER).write_text(f"{instructions} instructions, {threads} threads\n", encoding="utf-8")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as store:
        variables = os.environ | environment(instructions, threads) | {"GAMPL_STORE": store}
        command = [sys.executable, "-m", "gampl_book", "build", "--profile", "smoke"]
        if code := subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode:
            return code
    ours, wrong = recorded(ROOT / SMOKE / "results"), 0
    for notebook, expected in json.loads((ROOT / FOLDER / NUMBERS).read_text(encoding="utf-8")).items():
        differing = differences(notebook, ours[notebook], expected)
        wrong += len(differing)
        words = [f"{len(expected) - len(differing)} of {len(expected)} numbers agree"]
        words += [f"{name} {one:.6g} for {other:.6g}" for name, (one, other) in differing.items()]
        print(f"{instructions}, {threads} threads: {notebook}: {', '.join(words)}")
    return 1 if wrong else 0
