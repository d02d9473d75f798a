"""Running one notebook: all of its products appear, or none; whatever is wrong is said so that its author can act."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from small_project import ROOT, wait_for

from gampl_book import run_notebook

NOTEBOOK = """\
# %% [markdown]
# # A page

# %% tags=["parameters"]
profile: str = "laptop"
seed: int = 1
n_gen = 10

# %%
import json, os, sys
from pathlib import Path
output = Path(os.environ["GAMPL_OUTPUT"])
_ = (output / "figures" / "curve.csv").write_text("x,y\\n1,2\\n")

# %%
{body}

# %%
results = dict(profile=profile, seed=seed, n_gen=n_gen, python=sys.executable, folder=os.getcwd())
_ = (output / "results.json").write_text(json.dumps(results))
"""


@pytest.fixture
def notebook(tmp_path):
    """Writes a notebook with some code in its middle, and returns the command that runs it."""

    def write(body: str = "pass", *options: str, text: str = NOTEBOOK) -> list[str]:
        source = tmp_path / "page.py"
        source.write_text(text.replace("{body}", body))
        fixed = ["--profile", "smoke", "--seed", "7", "--folder", "out"]
        return [sys.executable, "-m", "gampl_book", "notebook", str(source), *fixed, *options]

    return write


def run(command, folder, **variables):
    return subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False
    )


def left_over(folder: Path) -> set[str]:
    """All files but the source."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"page.py"}


def test_no_code_from_the_current_folder(notebook, tmp_path):
    """Of the kernel and what it starts; `-P` is how make starts the command."""
    for name in ("json", "pickle", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('code was taken from the current folder')")
    body = "import pickle, numpy, subprocess\nsubprocess.run([sys.executable, '-m', 'json.tool', '--help'], check=True)"
    python, *arguments = notebook(body)
    done = run([python, "-P", *arguments], tmp_path, PYTHONPATH=str(ROOT / "workflow" / "python"))
    assert done.returncode == 0, done.stderr


PRODUCTS = {"out/executed/page.ipynb", "out/results/page.json", "out/figures/page/curve.csv"}


def test_products(notebook, tmp_path):
    rival = tmp_path / "home/.local/share/jupyter/kernels/python3"
    rival.mkdir(parents=True)
    (rival / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "rival", "language": "python"}')
    variables = {"HOME": str(tmp_path / "home"), "MPLBACKEND": "agg", "JUPYTER_PREFER_ENV_PATH": "0"}
    done = run(
        notebook("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])", "-p", "n_gen=25"), tmp_path, **variables
    )
    assert done.returncode == 0, done.stderr
    assert left_over(tmp_path) >= PRODUCTS
    results = json.loads((tmp_path / "out/results/page.json").read_text())
    assert results == {"profile": "smoke", "seed": 7, "n_gen": 25, "python": sys.executable, "folder": str(ROOT)}
    assert "page: cell 5/5" in done.stderr
    executed = nbformat.read(tmp_path / "out/executed/page.ipynb", 4)
    assert "image/png" in executed.cells[4].outputs[0].data, "a figure, although MPLBACKEND asked for none"
    assert "papermill" not in str(executed.metadata) + str([cell.metadata for cell in executed.cells])
    assert not list((tmp_path / "out").glob(".*")), "scratch files are gone"


def test_unknown_parameter(notebook, tmp_path):
    done = run(notebook("pass", "-p", "n_gne=25"), tmp_path)
    assert done.returncode == 1
    assert "unknown parameter 'n_gne'" in done.stderr
    assert "n_gen, profile, seed" in done.stderr
    assert not left_over(tmp_path)


def test_failing_cell(notebook, tmp_path):
    done = run(notebook("print('before')\nn_gen / 0"), tmp_path)
    assert done.returncode == 1
    block = done.stderr[done.stderr.index("\nnotebook page failed") :]
    assert block.strip().splitlines() == [
        "notebook page failed in cell 4, which begins",
        "    print('before')",
        "ZeroDivisionError: division by zero",
        "The notebook as far as it came: out/failed/page.ipynb",
    ]
    assert left_over(tmp_path) == {"out/failed/page.ipynb"}
    assert "before" in (tmp_path / "out/failed/page.ipynb").read_text()


def test_dead_kernel(notebook, tmp_path):
    done = run(notebook("import os\nos._exit(1)"), tmp_path)
    assert done.returncode == 1
    assert "its Python process died in cell 4" in done.stderr
    assert left_over(tmp_path) == {"out/failed/page.ipynb"}


def test_dead_before_the_first_cell(notebook, tmp_path):
    kernel = tmp_path / "broken/ipykernel_launcher.py"
    kernel.parent.mkdir()
    kernel.write_text("import os\nos._exit(1)")
    done = run(notebook(), tmp_path, PYTHONPATH=f"{kernel.parent}:{ROOT}")
    assert done.returncode == 1
    assert "notebook page: its Python process did not start: Kernel died" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_over(tmp_path) == {"broken/ipykernel_launcher.py", "out/failed/page.ipynb"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (NOTEBOOK.replace("results.json", "result.json"), "saved no results"),
        (NOTEBOOK.replace("n_gen=n_gen", "n_gen=float('nan')"), "saved NaN in its results"),
        (NOTEBOOK.replace('tags=["parameters"]', ""), 'one cell tagged "parameters", it has 0'),
    ],
    ids=["no results", "not a number", "no parameters"],
)
def test_incomplete_notebook(notebook, tmp_path, text, complaint):
    done = run(notebook(text=text), tmp_path)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert not left_over(tmp_path) & PRODUCTS


def test_no_such_notebook(notebook, tmp_path):
    command = notebook()
    (tmp_path / "page.py").unlink()
    done = run(command, tmp_path)
    assert (done.returncode, left_over(tmp_path)) == (1, set())
    assert "there is no notebook" in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(notebook, tmp_path, stop):
    """Neither files nor a kernel that goes on."""
    body = f"import os, time\n_ = open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(100)"
    with subprocess.Popen(notebook(body), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        process.send_signal(stop)
        _, said = process.communicate(timeout=30)
    kernel = int((tmp_path / "pid").read_text())
    assert process.returncode == 130, said
    assert "interrupted; the same command goes on" in said
    assert left_over(tmp_path) == {"pid"}
    wait_for(lambda: not alive(kernel))


def test_a_failure_leaves_earlier_products(notebook, tmp_path):
    assert run(notebook(), tmp_path).returncode == 0
    before = (tmp_path / "out/executed/page.ipynb").read_text()
    assert run(notebook("raise ValueError"), tmp_path).returncode == 1
    assert (tmp_path / "out/executed/page.ipynb").read_text() == before
    assert left_over(tmp_path) == PRODUCTS | {"out/failed/page.ipynb"}
    assert run(notebook(), tmp_path).returncode == 0
    assert left_over(tmp_path) == PRODUCTS, "a success removes the notebook that had failed"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_each_notebook_has_its_parameters(path):
    run_notebook.check_parameters(jupytext.read(path, fmt="py:percent"), ["profile", "seed"], path)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
