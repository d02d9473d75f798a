"""What the tests of a cluster and of faults share: an undisturbed run, copies to break, and a table of the outcomes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from faulty_project import NOTEBOOK, SHARD, Project, copy_of_the_project
from single_node_slurm import Slurm, why_not

from gampl.store.locking import locked

OUTCOMES: list[tuple[str, str]] = []
JOBS: list[str] = []


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """A copy of the project in which nothing has been made."""
    return copy_of_the_project(tmp_path_factory.mktemp("project") / "fresh")


@pytest.fixture(scope="session")
def undisturbed(fresh, tmp_path_factory, worker_id, testrun_uid):
    """The same after a run that nothing disturbed, which all workers share; not to be changed."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder if worker_id == "master" else folder.parent) / f"undisturbed-{testrun_uid}"
    with locked(shared.with_suffix(".lock")):
        if not shared.exists():
            project = Project(shutil.copytree(fresh.root, tmp_path_factory.mktemp("project") / "undisturbed"))
            for target in (NOTEBOOK, SHARD):
                done = project.make(target)
                assert done.returncode == 0, done.stderr
            project.root.rename(shared)
    return Project(shared)


@pytest.fixture
def project(fresh, undisturbed, tmp_path):
    """A copy in which nothing has been made, to break."""
    return Project(shutil.copytree(fresh.root, tmp_path / "project"))


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A copy in which all has been made, to break."""
    return Project(shutil.copytree(undisturbed.root, tmp_path / "project"))


@pytest.fixture
def slurm():
    """A Slurm of our own, skipped with the reason where none can be started."""
    if reason := why_not():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # not pytest's, which is closed to others: munge refuses that
    cluster = Slurm(folder)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)


def pytest_runtest_logreport(report):
    """Collects the outcomes of the faults, and the jobs of the book."""
    if report.when == "call":
        JOBS.extend(dict(report.user_properties).get("jobs", []))
    if "test_faults" in report.nodeid and (report.when == "call" or report.outcome == "skipped"):
        OUTCOMES.append((report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " "), report.outcome))


def pytest_terminal_summary(terminalreporter):
    """The table of faults, and the jobs of the book."""
    if JOBS:
        terminalreporter.section("jobs of the smoke book")
        for line in JOBS:
            terminalreporter.write_line(line)
    if OUTCOMES:
        passed = sum(outcome == "passed" for _, outcome in OUTCOMES)
        terminalreporter.section("faults")
        for name, outcome in OUTCOMES:
            terminalreporter.write_line(f"{outcome:8} {name}")
        terminalreporter.write_line(f"{passed} of {len(OUTCOMES)} faults survived")
