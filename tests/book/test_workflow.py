"""What is done again after which change, and what survives an interruption: on a small copy of the project."""

import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from small_project import OURS, ROOT, STUBS, Checkout, wait_for

from gampl_book import BookError, site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The project when all is built."""
    checkout = Checkout(tmp_path_factory.mktemp("workflow") / "a b'$c;é")
    for name in OURS:
        (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout.root / name)
    checkout.write(STUBS)
    (checkout.root / ".venv").symlink_to(sys.prefix)  # so that the interpreter's path is as unusual as the others
    assert checkout.build("--target", "notebooks").returncode == 0
    assert checkout.python("-m", "gampl_book", "reference").returncode == 0
    done = checkout.build()
    assert done.returncode == 0, done.stderr
    assert "The smoke book is ready" in done.stdout
    return checkout


@pytest.fixture
def checkout(built, tmp_path):
    """A copy of the built project, to change at will; times of files are kept."""
    return Checkout(shutil.copytree(built.root, tmp_path / 'a "copy" & more\\', symlinks=True))


BOOK = {"report of the run", "the book"}
CHECK = {"comparing the smoke notebooks with their references"}
ALPHA = {"notebook alpha (smoke)"} | CHECK | BOOK
BETA = {"notebook beta (smoke)"} | CHECK | BOOK
TRAINING = {"training toy/one (smoke)"}


@pytest.mark.parametrize(
    ("file", "old", "new", "steps"),
    [
        ("notebooks/alpha.py", "Some words", "Other words", ALPHA),
        ("gampl/averaging.py", "2 * b", "3 * b", ALPHA),
        ("gampl/training/rings.py", "0", "1", TRAINING | BETA),
        ("gampl/training/fit.py", "return", "return 2 *", TRAINING | BETA),
        ("gampl_book/profiles.toml", "b = 2", "b = 4", ALPHA),
        ("gampl_book/profiles.toml", "a = 1\nb = 2", "a = 2\nb = 1", ALPHA),
        ("gampl_book/profiles.toml", "steps = 5\nbatch = 7", "steps = 7\nbatch = 5", TRAINING | BETA),
        ("gampl_book/profiles.toml", "[smoke.beta]", "[paper.alpha]\na = 9\n[smoke.beta]", set()),
        ("site-packages/tinydist-1.0.dist-info/METADATA", "Version: 1.0", "Version: 1.1", ALPHA),
        ("data/events.csv", "1", "2", ALPHA),
        ("gampl_book/run_notebook.py", "def publish", "def  publish", ALPHA | BETA),
        ("tests/reference/beta.txt", "3", "4", CHECK | BOOK),
        ("book/intro.md", "Start", "Begin", {"the book"}),
        ("_toc.yml", "- file: beta\n", "- file: beta \n", {"the book"}),
        ("gampl/cli/main.py", "", "# nothing that a page needs", {"the book"}),  # whose API pages show docstrings
    ],
)
def test_what_a_change_redoes(checkout, file, old, new, steps):
    checkout.edit(file, old, new)
    assert checkout.plan() == steps


def test_same_content_redoes_nothing(checkout):
    for name in ("notebooks/alpha.py", "gampl/training/fit.py", "gampl_book/profiles.toml", "book/intro.md"):
        (checkout.root / name).touch()
    assert checkout.plan() == set()


@pytest.mark.parametrize(
    ("product", "steps"),
    [
        ("receipts/toy/one.json", TRAINING | BETA),
        ("executed/alpha.ipynb", ALPHA),
        ("results/alpha.json", ALPHA),
        ("checked.ok", CHECK | BOOK),
    ],
)
def test_a_removed_product_is_made_again(checkout, product, steps):
    (checkout.root / "_build/smoke" / product).unlink()
    assert checkout.plan() == steps


def test_second_build_has_nothing_to_do(checkout):
    done = checkout.build()
    assert done.returncode == 0
    assert "Nothing has changed" in done.stdout
    assert f"Open:  {(checkout.root / '_build/smoke/site/index.html').as_uri()}" in done.stdout


def test_a_removed_site_is_made_again(checkout):
    shutil.rmtree(checkout.root / "_build/smoke/site")
    done = checkout.build()
    assert "1 of 1 steps: the book" in done.stderr
    assert (checkout.root / "_build/smoke/site/index.html").exists()


def test_a_failing_notebook(checkout):
    """It is named, the rest goes on, and the book that was there stays."""
    checkout.edit("notebooks/alpha.py", "import json, os", "import json, os, no_such_module")
    checkout.edit("notebooks/beta.py", "Some words", "Other words")
    site = (checkout.root / "_build/smoke/site/index.html").read_text()
    done = checkout.build()
    assert done.returncode == 1
    assert "FAILED" in done.stderr
    assert "notebook alpha failed in cell 3, which begins" in done.stderr
    assert "ModuleNotFoundError: No module named 'no_such_module'" in done.stderr
    assert (checkout.root / "_build/smoke/failed/alpha.ipynb").exists()
    assert "notebook beta (smoke) (" in done.stderr
    assert (checkout.root / "_build/smoke/site/index.html").read_text() == site


def failed_check(checkout) -> str:
    """What the build says that ends at the comparison with the references, and makes no book."""
    before = (checkout.root / "_build/smoke/book.done").stat().st_mtime_ns
    done = checkout.build()
    assert done.returncode == 1
    assert not (checkout.root / "_build/smoke/checked.ok").exists()
    assert (checkout.root / "_build/smoke/book.done").stat().st_mtime_ns == before
    return done.stderr


def test_a_changed_number_is_noticed(checkout):
    """Not so if a fresh run were compared with itself."""
    checkout.edit("gampl/averaging.py", "2 * b", "2.01 * b")
    said = failed_check(checkout)
    assert "notebook alpha does not print what tests/reference/alpha.txt says" in said
    assert "-5\n" in said
    assert "+5.02\n" in said
    assert "make reference" in said
    assert "beta" not in said.partition("does not print")[2]


def test_a_notebook_without_reference(checkout):
    (checkout.root / "tests/reference/alpha.txt").unlink()
    said = failed_check(checkout)
    assert "notebook alpha has no reference tests/reference/alpha.txt: make it with `make reference`" in said


def test_a_notebook_of_which_nothing_is_compared(checkout):
    checkout.edit("notebooks/alpha.py", ' tags=["nbval-check-output"]', "")
    assert "notebook alpha: no cell is tagged nbval-check-output" in failed_check(checkout)


def test_a_warning_fails_the_book(checkout):
    """And the book that was there stays, whole."""
    before = sorted(path.relative_to(checkout.root) for path in (checkout.root / "_build/smoke/site").rglob("*"))
    checkout.edit("book/intro.md", "alpha.ipynb", "no_such_page.md")
    done = checkout.build()
    assert done.returncode == 1
    assert "no_such_page" in done.stderr
    after = sorted(path.relative_to(checkout.root) for path in (checkout.root / "_build/smoke/site").rglob("*"))
    assert after == before
    assert not list((checkout.root / "_build/smoke").glob(".site-*"))


def test_a_notebook_that_the_toc_forgets(checkout):
    checkout.edit("_toc.yml", "- file: beta\n", "")
    with pytest.raises(BookError, match=r"notebook beta is not in .*_toc\.yml: add a line `- file: beta`"):
        site.check_toc(checkout.root / "_toc.yml", ["alpha", "beta"])


@pytest.fixture
def training(checkout):
    """A build that is in the middle of a training; it goes on when the file "hold" is gone."""
    (checkout.root / "hold").touch()
    checkout.edit("gampl/training/fit.py", "return", "return 1 *")
    process = checkout.start_build()
    log = checkout.root / "_build/smoke/logs/train/toy/one.log"
    log.unlink(missing_ok=True)
    wait_for(lambda: log.exists() and "training" in log.read_text())
    yield process
    (checkout.root / "hold").unlink(missing_ok=True)
    process.kill()
    process.communicate(timeout=60)


def test_two_builds_at_a_time(checkout, training):
    done = checkout.build()
    assert done.returncode == 1
    assert f"another build is running here (process {training.pid} of {socket.gethostname()})" in done.stderr


def test_interrupt(checkout, training):
    os.killpg(training.pid, signal.SIGINT)
    _, said = training.communicate(timeout=60)
    assert training.returncode == 130
    assert "run make again to go on" in said
    assert not processes_in(checkout.root)
    (checkout.root / "hold").unlink()
    assert checkout.plan() == TRAINING | BETA
    assert checkout.build().returncode == 0


def test_killed_build(checkout, training):
    """kill -9, while its jobs go on: the next build needs no help to finish."""
    os.kill(training.pid, signal.SIGKILL)
    training.wait(timeout=60)  # its pipe may still be held by a job that goes on
    (checkout.root / "hold").unlink()
    done = checkout.build()
    assert done.returncode == 0, done.stderr
    assert "The smoke book is ready" in done.stdout
    assert checkout.plan() == set()


def processes_in(folder: Path) -> list[str]:
    """Processes that work in a folder."""
    return [str(link) for link in Path("/proc").glob("[0-9]*/cwd") if working_folder(link) == str(folder)]


def working_folder(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it has ended, or is not ours
        return ""
