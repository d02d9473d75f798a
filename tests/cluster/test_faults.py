"""What dies on one machine: afterwards the same command ends with the results of an undisturbed run, to the last bit.

Or it says in one sentence what is wrong, and takes nothing half-written for whole.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_project import NOTEBOOK, RESULTS, SHARD, TRAINING, Project
from single_node_slurm import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TRAIN = "gampl_book train ring2d/bayesian/1"


def end_of(process: subprocess.Popen) -> str:
    """What a build has said when it ends."""
    return process.communicate(timeout=300)[1]


def end_at_once(process: subprocess.Popen) -> None:
    """kill -9 of a build and of all of its steps."""
    os.killpg(process.pid, signal.SIGKILL)
    end_of(process)


def assert_same_training(project: Project, undisturbed: Project) -> None:
    """The same command once more gives the weights of an undisturbed run."""
    done = project.make(TRAINING)
    assert done.returncode == 0, done.stderr
    trained = project.trained()
    assert trained
    assert trained.items() <= undisturbed.trained().items()


def assert_same_notebook(project: Project, undisturbed: Project) -> None:
    done = project.make(NOTEBOOK)
    assert done.returncode == 0, done.stderr
    assert project.trained() == undisturbed.trained()
    assert project.numbers() == undisturbed.numbers()


def assert_same_shard(project: Project, undisturbed: Project) -> None:
    done = project.make(SHARD)
    assert done.returncode == 0, done.stderr
    assert project.shards()
    assert project.shards() == undisturbed.shards()


# ---- processes that die


def test_killed_training(project, undisturbed):
    """The step fails, the build says so, and the training goes on from its checkpoint."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    project.kill(TRAIN)
    said = end_of(build)
    assert build.returncode == 1
    assert "FAILED" in said
    assert not (project.root / TRAINING).exists()
    assert list(project.root.glob(".store/unfinished/*/checkpoint*"))
    assert_same_training(project, undisturbed)


def test_training_asked_to_stop(project, undisturbed):
    """SIGTERM, as a batch system sends it: it writes a checkpoint first, however young the last one is."""
    project.edit("gampl/training/settings.py", "checkpoint_seconds: float = 0.2", "checkpoint_seconds: float = 1e9")
    project.slow_down(0.05)
    build = project.start(TRAINING)
    log = project.root / "_build/smoke/logs/train/ring2d/bayesian/1-2.log"
    wait_for(lambda: log.exists() and " steps, " in log.read_text(), 120)  # said after 20 s
    project.kill(TRAIN, signal.SIGTERM)
    end_of(build)
    assert list(project.root.glob(".store/unfinished/*/checkpoint*")), log.read_text()
    assert_same_training(project, undisturbed)


def test_killed_kernel(finished, undisturbed):
    """The notebook's Python process dies: one sentence says in which cell, and no product is half new."""
    (finished.root / NOTEBOOK).unlink()
    before = (finished.root / RESULTS).read_bytes()
    log = finished.root / "_build/smoke/logs/notebook/calibration.log"
    log.unlink()  # of the first, undisturbed run
    build = finished.start(NOTEBOOK)
    wait_for(lambda: log.exists() and "cell 3/" in log.read_text(), 120)
    finished.kill("ipykernel_launcher")
    said = end_of(build)
    assert build.returncode == 1
    assert "notebook calibration: its Python process died in cell" in said
    assert not (finished.root / NOTEBOOK).exists()
    assert not (finished.root / RESULTS).exists() or (finished.root / RESULTS).read_bytes() == before
    assert_same_notebook(finished, undisturbed)


def test_killed_build(project, undisturbed):
    """kill -9 of Snakemake alone: its steps go on; the next build finds or finishes what they did."""
    build = project.start(NOTEBOOK)
    project.wait_for_checkpoint()
    os.kill(build.pid, signal.SIGKILL)
    build.wait(timeout=60)
    build.stderr.close()  # the steps that go on hold the other end
    assert project.processes("gampl_book train"), "the steps are still there"
    assert_same_notebook(project, undisturbed)


def test_everything_killed(project, undisturbed):
    """As if the machine had lost its power."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    end_at_once(build)
    wait_for(lambda: not project.processes("gampl_book train"), 30)
    assert_same_training(project, undisturbed)


def test_killed_shard(project, undisturbed):
    """kill -9 in the middle of making events."""
    build = project.start(SHARD)
    wait_for(lambda: project.processes("gampl events make"), 60)
    wait_for(lambda: list((project.root / SHARD).parent.glob("*")), 60)
    time.sleep(1)
    project.kill("gampl events make")
    end_of(build)
    assert build.returncode == 1
    assert not (project.root / SHARD).exists()
    assert_same_shard(project, undisturbed)


def test_interrupted_build(project, undisturbed):
    """Ctrl-C."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    os.killpg(build.pid, signal.SIGINT)
    said = end_of(build)
    assert build.returncode == 130
    assert "run make again to go on" in said
    wait_for(lambda: not project.processes("gampl_book train"), 30)
    assert_same_training(project, undisturbed)


# ---- two at a time


def test_two_builds_at_once(project, undisturbed):
    """The second says that there is another one; the first is not disturbed."""
    project.slow_down(0.03)
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    second = project.make(TRAINING)
    assert second.returncode == 1
    assert f"another build is running here (process {build.pid} of" in second.stderr
    end_of(build)
    assert build.returncode == 0
    assert_same_training(project, undisturbed)


def test_one_training_twice_at_once(project, undisturbed):
    """Without the workflow: one trains, the other waits for it, both have the same."""
    command = project.command("-m", "gampl_book", "train", "ring2d/bayesian/1", "--profile", "smoke")
    both = [subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert_same_training(project, undisturbed)


# ---- files that are not what they were


def store_file(project: Project, pattern: str) -> Path:
    return min(project.root.glob(f".store/??/*/{pattern}"))


def test_corrupt_artifact(finished, undisturbed):
    """Trained weights with a wrong byte are set aside with a warning, and made anew."""
    for path in finished.root.glob(".store/??/*/arrays.safetensors"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    (finished.root / NOTEBOOK).unlink()
    for receipt in finished.root.glob("_build/smoke/receipts/**/*.json"):
        receipt.unlink()
    assert_same_notebook(finished, undisturbed)
    assert list(finished.root.glob(".store/damaged/*"))


def test_artifact_cut_short(finished, undisturbed):
    """As a full disk or a lost connection leaves it."""
    for name in ("arrays.safetensors", "artifact.json"):
        path = store_file(finished, name)
        path.write_bytes(path.read_bytes()[:100])
    (finished.root / NOTEBOOK).unlink()
    for receipt in finished.root.glob("_build/smoke/receipts/**/*.json"):
        receipt.unlink()
    assert_same_notebook(finished, undisturbed)


def test_corrupt_checkpoint(project, undisturbed):
    """It is left alone with a warning; the training begins anew."""
    build = project.start(TRAINING)
    project.wait_for_checkpoint()
    end_at_once(build)
    wait_for(lambda: not project.processes("gampl_book train"), 30)
    checkpoint = next(project.root.glob(".store/unfinished/*/checkpoint*.safetensors"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert_same_training(project, undisturbed)


def test_corrupt_shard(finished, undisturbed):
    """`gampl events verify` names it, and so does merging; removed, it is made again."""
    shard = min((finished.root / SHARD).parent.glob("seed_*.h5"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    verified = finished.python("-m", "gampl", "events", "verify", str(shard.parent))
    assert verified.returncode == 1
    assert shard.name in verified.stderr + verified.stdout
    for path in shard.parent.glob("seed_*"):
        path.unlink()
    assert_same_shard(finished, undisturbed)


# ---- machines that are not what they should be


class SmallDisk:
    """A file system of its own in a folder, whose size can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=1G", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("a file system cannot be mounted here")

    def leave(self, free: int) -> None:
        """Leaves so many bytes."""
        disk = os.statvfs(self.folder)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        subprocess.run(["mount", "-o", f"remount,size={used + free}", str(self.folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def small_disk(project):
    """Makes a folder of the project a disk of its own."""
    disks = []

    def make(folder: str) -> SmallDisk:
        disks.append(SmallDisk(project.root / folder))
        return disks[-1]

    yield make
    for disk in disks:
        disk.unmount()


def test_full_disk_of_the_store(project, undisturbed, small_disk):
    """A training cannot write its checkpoint: one sentence says so, and with space it ends as if nothing had been."""
    disk = small_disk(".store")
    disk.leave(16_384)
    done = project.make(TRAINING)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / TRAINING).exists()
    disk.leave(10**9)
    assert_same_training(project, undisturbed)


def test_full_disk_of_a_notebook(project, undisturbed, small_disk):
    """What had been made stays, and nothing is half there."""
    disk = small_disk("_build")
    assert project.make(TRAINING).returncode == 0
    disk.leave(131_072)
    done = project.make(NOTEBOOK)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert (project.root / TRAINING).exists()
    assert not (project.root / NOTEBOOK).exists()
    assert not (project.root / RESULTS).exists()
    disk.leave(10**9)
    assert_same_notebook(project, undisturbed)


def test_full_disk_of_events(project, undisturbed, small_disk):
    """A shard is whole or not there."""
    disk = small_disk("_build/events")
    disk.leave(32_768)
    done = project.make(SHARD)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / SHARD).exists()
    disk.leave(10**9)
    assert_same_shard(project, undisturbed)


def test_clock_set_back(project, undisturbed, tmp_path):
    """Products would be older than what they are made of: that is said; with the right clock all goes on."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("no faketime: on Debian, apt-get install faketime")
    yesterday = [
        faketime,
        "-f",
        "-1d",
        sys.executable,
        "-m",
        "gampl_book",
        "build",
        "--profile",
        "smoke",
        "--target",
        TRAINING,
    ]
    # waiting must go on as ever: a clock that is set back does not stop the processor's; nor must it stop time.sleep,
    # whose deadlines libfaketime 0.9.10 takes for times of the other clock and refuses
    (tmp_path / "sitecustomize.py").write_text(
        "import select, time\ndef sleep(seconds): select.select([], [], [], seconds)\ntime.sleep = sleep\n"
    )
    variables = project.environment | {
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(tmp_path),
    }
    done = subprocess.run(
        yesterday, cwd=project.root, env=variables, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 1
    assert "has older modification time" in done.stderr
    assert "clock" in done.stderr
    assert_same_training(project, undisturbed)
    written = (project.root / TRAINING).stat().st_mtime_ns
    assert_same_training(project, undisturbed)
    assert (project.root / TRAINING).stat().st_mtime_ns == written
