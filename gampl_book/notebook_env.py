"""The surroundings in which a notebook runs: the same for papermill and for nbval, and the same for everybody."""

import json
import os
import sys
from pathlib import Path

from gampl_book import ROOT


def enter(scratch: Path, profile: str) -> Path:
    """Prepares this process, and so the kernels that it starts, for running notebooks.

    The kernel is this very interpreter, whatever kernels a user has registered; personal IPython start-up files do
    not run; progress bars, which differ from run to run, are off.

    Args:
        scratch: An existing folder for the kernel's own files; the caller removes it afterwards.
        profile: Of the run; smoke runs on the CPU, since its numbers are compared with references.

    Returns:
        Folder in which the notebook writes ``results.json`` and ``figures/``.
    """
    output = scratch / "output"
    (output / "figures").mkdir(parents=True)
    kernel = scratch / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    launch = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": launch, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(specification))
    os.environ.update(
        GAMPL_OUTPUT=str(output),
        JUPYTER_PATH=_before(scratch / "jupyter", "JUPYTER_PATH"),  # looked at before any user's kernels
        JUPYTER_RUNTIME_DIR=str(scratch / "runtime"),
        IPYTHONDIR=str(scratch / "ipython"),
        PYTHONPATH=_before(ROOT, "PYTHONPATH"),  # right even where the checkout was moved after its installation
        PYTHONHASHSEED="0",
        MPLBACKEND="module://matplotlib_inline.backend_inline",  # an exported "agg" would drop every figure
        TQDM_DISABLE="1",
    )
    if profile == "smoke":
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workflow runs as many notebooks as there are cores
    return output


def _before(folder: Path, variable: str) -> str:
    """The search path in an environment variable with a folder put first."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
