"""The house: rooms import only what stands below them, in no circles, and files stay short."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
MOST_FLAT, MOST_LINES = 15, 350


def lint(root: Path) -> subprocess.CompletedProcess:
    """Checks the contracts in pyproject.toml on the packages of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run([sys.executable, "-c", LINT], cwd=root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    for name in ("gampl", "gampl_book"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_doors_open_one_way():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "planted", "contract"),
    [
        ("gampl/averaging.py", "import gampl_book", "Rooms import only what stands below them"),
        ("gampl/particles/kinematics.py", "from gampl.files import read", "Rooms import only what stands below them"),
        ("gampl/store/artifacts.py", "from gampl import averaging", "Rooms import only what stands below them"),
        ("gampl/spread.py", "from gampl import averaging", "No circle of imports"),
        ("gampl/regions.py", "def f():\n    import torch", "The core needs NumPy, SciPy"),
    ],
)
def test_a_door_that_opens_the_wrong_way_is_seen(copy, file, planted, contract):
    text = (copy / file).read_text()
    (copy / file).write_text(f"{text}\n{planted}\n")
    done = lint(copy)
    (copy / file).write_text(text)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if line.startswith(contract)]
    assert any("BROKEN" in line for line in broken), done.stdout


@pytest.mark.parametrize(
    "modules", ["gampl.averaging, gampl.differential, gampl.planning", "gampl.cli.main, gampl.report.process_file"]
)
def test_reports_need_no_torch(modules):
    """Who has samples installs neither PyTorch nor the libraries of simulations."""
    code = f"import sys, {modules}; sys.exit(bool(sys.modules.keys() & {{'torch', 'zuko', 'pythia8mc', 'fastjet'}}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_few_flat_modules():
    flat = {path.stem for path in (ROOT / "gampl").glob("*.py")} - {"__init__", "__main__"}
    assert len(flat) <= MOST_FLAT, sorted(flat)


def test_files_are_short():
    lengths = {
        path: len(path.read_text().splitlines())
        for room in ("gampl", "gampl_book")
        for path in (ROOT / room).rglob("*.py")
    }
    assert {str(path): n for path, n in lengths.items() if n > MOST_LINES} == {}
