"""Making the environment: what is done again when, and what is said when something is wrong.

The environments are real but empty, and their pip is a fake that installs a file or fails as it is told.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gampl_book import bootstrap

ROOT = Path(__file__).resolve().parents[2]

FAKE_PIP = """\
import os, sys
from pathlib import Path

root = Path.cwd()
with open(root / "pip.log", "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
trouble = root / "trouble"
if trouble.exists():
    print(trouble.read_text())
    sys.exit(1)
site = Path(__file__).resolve().parents[1]
(site / "thing-1.0.dist-info").mkdir(exist_ok=True)
(site / "gampl.pth").write_text(str(root))
"""


class Project:
    """A small project, its environment and the calls of pip there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "gampl").mkdir(parents=True)
        (root / "gampl/__init__.py").touch()
        (root / "pyproject.toml").write_text('[project]\nname = "gampl"\ndependencies = ["thing"]\n')
        (root / "constraints.txt").write_text("# versions\nthing==1.0\n")

    @property
    def site(self) -> Path:
        return next((self.root / ".venv/lib").glob("python*")) / "site-packages"

    def calls(self) -> list[str]:
        """What pip was asked since the last time."""
        log = self.root / "pip.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def trouble(self, text: str | None) -> None:
        """Lets pip fail with these words."""
        if text is None:
            (self.root / "trouble").unlink()
        else:
            (self.root / "trouble").write_text(text)


FULL = ["install -c constraints.txt -e .[networks,lorentz,classifier,events,simulation,book,cluster,dev]"]


FAKE_PYTHON = f"""\
#!{sys.executable}
import subprocess, sys
from pathlib import Path

_, *command, folder = sys.argv
assert command == ["-m", "venv"]
subprocess.run([{sys.executable!r}, "-m", "venv", "--without-pip", folder], check=True)
pip = next(Path(folder, "lib").glob("python*")) / "site-packages/pip"
pip.mkdir()
(pip / "__init__.py").touch()
(pip / "__main__.py").write_text({FAKE_PIP!r})
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    python = tmp_path / "python3"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    monkeypatch.setattr(sys, "_base_executable", str(python))
    return Project(tmp_path / "a folder")


@pytest.fixture
def installed(project):
    assert bootstrap.main(project.root) == 0
    assert project.calls() == FULL
    return project


def test_nothing_to_do(installed, capsys):
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_a_changed_requirement_is_installed(installed, file):
    path = installed.root / file
    path.write_text(path.read_text().replace("thing", "thing2"))
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == FULL
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == []


def test_what_does_not_matter_is_not_installed(installed):
    (installed.root / "constraints.txt").write_text("# other words\nthing==1.0\n")
    (installed.site / "extra-2.0.dist-info").mkdir()
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == []


def test_a_removed_package_is_installed(installed):
    (installed.site / "thing-1.0.dist-info").rmdir()
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == FULL


def dangle(environment: Path) -> None:
    (environment / "bin/python").unlink()
    (environment / "bin/python").symlink_to("/nowhere/python3")


def other_python(environment: Path) -> None:
    (environment / "bin/python").unlink()
    pretend = "import sys; sys.version_info = (3, 9); exec(sys.argv[3])"
    (environment / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$@"\n')
    (environment / "bin/python").chmod(0o755)


def no_pip(environment: Path) -> None:
    shutil.rmtree(next((environment / "lib").glob("python*")) / "site-packages/pip")


@pytest.mark.parametrize("damage", [dangle, other_python, no_pip, lambda folder: shutil.rmtree(folder / "bin")])
def test_a_broken_environment_is_made_anew(installed, capsys, damage):
    damage(installed.root / ".venv")
    (installed.root / ".venv/left over").touch()
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == FULL
    assert not (installed.root / ".venv/left over").exists()
    assert "making it anew" in capsys.readouterr().err


def test_a_dangling_link_is_made_anew(project):
    (project.root / ".venv").symlink_to("/nowhere")
    assert bootstrap.main(project.root) == 0


def test_a_half_made_environment_is_completed(installed):
    (installed.root / ".venv/installed.json").unlink()
    (installed.root / ".venv/left over").touch()
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == FULL
    assert (installed.root / ".venv/left over").exists(), "what was there is kept"


@pytest.mark.parametrize("original_stays", [False, True])
def test_a_moved_project_is_installed_at_its_new_place(installed, tmp_path, original_stays):
    if original_stays:
        shutil.copytree(installed.root, tmp_path / "moved", symlinks=True)
    else:
        installed.root.rename(tmp_path / "moved")
    installed.root = tmp_path / "moved"
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == ["install --no-deps --no-build-isolation -e ."]
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == []


@pytest.mark.parametrize(
    ("words", "sentence", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full", "Make room"),
        (
            "WARNING: NewConnectionError: Temporary failure in name resolution",
            "cannot be reached",
            "Check the connection",
        ),
        ("Max retries exceeded with url: (Caused by ProxyError('x'))", "cannot be reached", "proxy"),
        ("ERROR: Could not install: [Errno 13] Permission denied: '.venv/x'", "cannot be written", "Copy the project"),
        ("OSError: [Errno 30] Read-only file system", "cannot be written", "Copy the project"),
        ("Command '[python, -m, ensurepip]' returned", "has no ensurepip", "apt-get install python3-venv"),
        ("ERROR: ResolutionImpossible", "could not be made, see above", "run make again"),
    ],
)
def test_pip_fails(project, capsys, words, sentence, remedy):
    project.trouble(words)
    assert bootstrap.main(project.root) == 1
    said = capsys.readouterr().err
    assert words in said
    last_block = said.rstrip().rpartition("\n\n")[2]
    assert sentence in last_block
    assert remedy in last_block
    assert not (project.root / ".venv/installed.json").exists()

    (project.root / ".venv/left over").touch()
    project.trouble(None)
    assert bootstrap.main(project.root) == 0
    assert (project.root / ".venv/left over").exists(), "it went on from where it had stopped"


def test_a_failed_update_is_tried_again(installed):
    (installed.root / "constraints.txt").write_text("thing==2.0\n")
    installed.trouble("no network: getaddrinfo failed")
    assert bootstrap.main(installed.root) == 1
    (installed.root / "constraints.txt").write_text("thing==1.0\n")  # as it was; but who knows what pip has done
    installed.trouble(None)
    installed.calls()
    assert bootstrap.main(installed.root) == 0
    assert installed.calls() == FULL


def test_too_little_space(project, capsys, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, 10**9))
    assert bootstrap.main(project.root) == 1
    assert "about 3 GB are needed, 1.0 GB are free" in capsys.readouterr().err
    assert not (project.root / ".venv").exists()


def test_no_ensurepip(tmp_path, capsys, monkeypatch):
    """As Debian's Python says it without python3-venv."""
    project = Project(tmp_path / "project")
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho 'not created successfully because ensurepip is not available'; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "_base_executable", str(python))
    assert bootstrap.main(project.root) == 1
    assert "sudo apt-get install python3-venv" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "sentence"), [(errno.EROFS, "cannot be written"), (errno.ENOSPC, "disk is full")])
def test_the_system_refuses(project, capsys, monkeypatch, number, sentence):
    def refuse(*arguments, **options) -> None:
        raise OSError(number, os.strerror(number), ".venv")

    monkeypatch.setattr(bootstrap, "run", refuse)
    assert bootstrap.main(project.root) == 1
    assert sentence in capsys.readouterr().err


def test_interrupt(project, capsys, monkeypatch):
    def interrupt(*arguments, **options) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "run", interrupt)
    assert bootstrap.main(project.root) == 130
    assert "Run make again to go on" in capsys.readouterr().err


def test_pip_lies(project, capsys, monkeypatch):
    monkeypatch.setattr(bootstrap, "run", lambda *_, **__: None)
    assert bootstrap.main(project.root) == 1
    assert "make distclean" in capsys.readouterr().err


def test_two_at_a_time_install_once(project):
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(bootstrap.main(project.root))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert codes == [0, 0]
    assert project.calls() == FULL


def test_progress_names_each_package(tmp_path, capsys):
    lines = ["Collecting sphinx-book-theme==1.3.0", "Processing ./x/torch-2.13.0-py3-none-any.whl", "  Downloading y"]
    script = f"print({chr(10).join(lines)!r})"
    bootstrap.run([sys.executable, "-c", script], tmp_path, expected=5)
    assert capsys.readouterr().err.splitlines() == ["  1 of about 5: sphinx-book-theme", "  2 of about 5: torch"]


def test_pip_is_left_alone(project, monkeypatch):
    """Neither another package path nor a user-wide installation may lead pip astray."""
    seen = project.root / "seen.json"
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    code = f"import json, os; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))"
    bootstrap.run([sys.executable, "-c", code], project.root)
    variables = json.loads(seen.read_text())
    assert "PYTHONPATH" not in variables
    assert variables["PIP_USER"] == "0"


@pytest.fixture
def make(tmp_path):
    """Runs make with a Makefile and a bootstrap of ours but no project to install."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "gampl_book").mkdir()
    shutil.copy(ROOT / "gampl_book/bootstrap.py", tmp_path / "gampl_book")

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(["make", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_no_python(make):
    done = make("book", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert "There is no no-such-python: install Python 3.11 or newer" in done.stdout


def test_old_python(make, tmp_path):
    fake = tmp_path / "python3"
    pretend = "import sys; sys.version_info = (3, 9, 2, 'final', 0); exec(sys.argv[2])"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$@"\n')
    fake.chmod(0o755)
    done = make("book", f"PYTHON={fake}")
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is 3.9" in done.stderr
    assert "make PYTHON=python3.12 book" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_needs_nothing(make):
    done = make()
    assert done.returncode == 0
    assert "make book" in done.stdout
