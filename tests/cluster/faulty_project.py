"""A copy of the real project that does a small part of the smoke book's work, and ways to break it on its way.

The part is the page *Calibration*: three trainings, a Bayesian one in two and in four dimensions and one of the scan,
and the notebook; or a shard of events. Trainings are made longer, with checkpoints five times a second, so that there
is time to break something in the middle.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from single_node_slurm import Slurm, wait_for
from small_project import ROOT, Checkout

NOTEBOOK = "_build/smoke/executed/calibration.ipynb"
RESULTS = "_build/smoke/results/calibration.json"
TRAINING = "_build/smoke/receipts/ring2d/bayesian/1-2.json"
SHARD = "_build/events/bundled/top_pair/seed_000000007.made"


class Project(Checkout):
    """A copy of the working tree with a store of its own.

    Attributes:
        trains: Whether everything is trained, or networks that are kept with the project are found.
    """

    trains = True

    @property
    def environment(self) -> dict[str, str]:
        others = ("PYTHONPATH", "PYTHONSAFEPATH", "GAMPL_STORE", "GAMPL_KEPT")
        variables = {name: value for name, value in os.environ.items() if name not in others}
        return variables | {"OMP_NUM_THREADS": "1", "GAMPL_DEVICE": "cpu"} | ({"GAMPL_KEPT": ""} if self.trains else {})

    def make(self, target: str, *options: str) -> subprocess.CompletedProcess:
        return self.build("--target", target, *options)

    def start(self, target: str, *options: str) -> subprocess.Popen:
        return self.start_build("--target", target, *options)

    def processes(self, part: str) -> list[int]:
        """Processes that work in this copy and whose command line has a part, oldest first."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if part in command and os.readlink(folder / "cwd").startswith(str(self.root)):
                    found.append(int(folder.name))
            except OSError:  # it has ended
                continue
        return sorted(found)

    def wait_for_checkpoint(self, seconds: float = 120) -> None:
        """Waits until a training has written a checkpoint, and is not done."""
        wait_for(lambda: list(self.root.glob(".store/unfinished/*/checkpoint*.safetensors")), seconds)

    def kill(self, part: str, number: int = signal.SIGKILL, seconds: float = 60) -> None:
        """Sends a signal to the youngest process of which `part` is in the command line, as soon as there is one."""
        wait_for(lambda: self.processes(part), seconds)
        os.kill(self.processes(part)[-1], number)

    def slow_down(self, seconds: float) -> None:
        """Makes each step of a training longer, and nothing else."""
        loop = "        while not run.finished:\n"
        self.edit("gampl/training/fit.py", loop, f"{loop}            time.sleep({seconds})\n")

    def trained(self) -> dict[str, str]:
        """SHA-256 of the trained weights by training, read from the receipts that there are."""
        weights = {}
        for path in sorted(self.root.glob("_build/smoke/receipts/**/*.json")):
            for name, about in json.loads(path.read_text()).items():
                artifact = self.root / ".store" / about["artifact"][:2] / about["artifact"] / "arrays.safetensors"
                weights[name] = hashlib.sha256(artifact.read_bytes()).hexdigest()
        return weights

    def numbers(self) -> dict:
        """What the notebook recorded."""
        return json.loads((self.root / RESULTS).read_text())["numbers"]

    def shards(self) -> dict[str, str]:
        """SHA-256 of the shards that are there."""
        return {path.name: file_digest(path) for path in sorted((self.root / SHARD).parent.glob("seed_*.h5"))}


class SlurmProject(Project):
    """A copy whose builds go to a cluster."""

    def __init__(self, root: Path, slurm: Slurm) -> None:
        super().__init__(root)
        self.slurm = slurm

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.slurm.environment

    def make(self, target: str, *options: str) -> subprocess.CompletedProcess:
        return super().make(target, "--cluster", "slurm", *options)

    def start(self, target: str, *options: str) -> subprocess.Popen:
        return super().start(target, "--cluster", "slurm", *options)


def copy_of_the_project(folder: Path, faulty: bool = True) -> Project:
    """The tracked and new files of the working tree, by default with longer trainings and smaller shards."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    project = Project(folder)
    if not faulty:
        return project
    project.edit("gampl_book/profiles.toml", "components = 4\nsteps = 60\n", "components = 4\nsteps = 600\n")
    project.edit("gampl/training/settings.py", "checkpoint_seconds: float = 30.0", "checkpoint_seconds: float = 0.2")
    project.edit("gampl/simulation/shards.py", "EVENTS_PER_SHARD = 20_000", "EVENTS_PER_SHARD = 1_000")
    return project


def copy_of_the_smoke_book(folder: Path, notebooks: Sequence[str], trainings: Sequence[str]) -> Project:
    """A copy of the project with the smoke book of `make test`, of which some notebooks and trainings are missing.

    With a training, each notebook that uses it is made anew. The networks that come with the project are found. Skipped
    where there is no such book.
    """
    if not (ROOT / "_build/smoke/book.done").exists():
        pytest.skip("there is no smoke book to copy: make test makes it")
    project = copy_of_the_project(folder, faulty=False)
    project.trains = False
    for made in ("_build/smoke", ".snakemake/metadata"):  # with their times, and what they were made of
        shutil.copytree(ROOT / made, folder / made)
    for name in notebooks:
        (folder / f"_build/smoke/executed/{name}.ipynb").unlink()
    for name in (*(f"receipts/{name}" for name in trainings), "logs", "site"):
        shutil.rmtree(folder / "_build/smoke" / name)
    return project


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
