"""A small copy of the project: our Snakefile and book code, two notebooks, one training, and stubs for the package."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OURS = [
    "Snakefile",
    "gampl_book",
    "workflow",
    "gampl/store/provenance.py",
    "gampl/store/atomic.py",
    "gampl/store/locking.py",
    "gampl/store/artifacts.py",
    "gampl/simulation/seeds.py",
]

PAGE = """\
# %% [markdown]
# # Page {name}
# Some words, and a formula: $a^2$.

# %% tags=["parameters"]
profile: str = "laptop"
seed: int = 1

# %%
import json, os
from pathlib import Path
from {package} import {module}
from gampl_book import profiles

# %% tags=["nbval-check-output"]
settings = profiles.section(profile, "{name}")
print({module}.value(**settings))

# %%
_ = Path(os.environ["GAMPL_OUTPUT"], "results.json").write_text(json.dumps({{"settings": settings, "numbers": {{}}}}))
"""

NOT_OURS = "raise ImportError('code was taken from the current folder')\n"

STUBS = {
    "json.py": NOT_OURS,
    "pickle.py": NOT_OURS,
    "jinja2.py": NOT_OURS,
    "gampl/__init__.py": "",
    "gampl/simulation/__init__.py": "",
    "gampl/averaging.py": "import tinydist\ndef value(a, b):\n    return a + 2 * b\n",
    "gampl/training/fit.py": "def fit(steps, batch):\n    return steps\n",
    "gampl/training/rings.py": "from gampl.training.fit import fit\ndef value(c):\n    return fit(c, 0)\n",
    "gampl_book/plan.py": """\
from dataclasses import asdict, dataclass
from gampl_book.profiles import section

@dataclass(frozen=True)
class Training:
    steps: int
    batch: int
    seed: int

@dataclass(frozen=True)
class Job:
    trainings: dict
    trained_by = "gampl/training/rings.py"
    data = []

    @property
    def made_of(self):
        return {name: asdict(training) for name, training in self.trainings.items()}

def jobs(profile, seed):
    return {"toy/one": Job({"toy/one": Training(**section(profile, "trainings"), seed=seed)})}

def notebook_trainings(notebook, profile, seed):
    return ["toy/one"] if notebook == "beta" else []

def notebook_settings(notebook, profile, seed):
    return {"settings": section(profile, notebook), "seed": seed}

def notebook_files(notebook, profile):
    return ["data/events.csv"] if notebook == "alpha" else []
""",
    "gampl/cli/main.py": "",
    # it lasts as long as there is a file "hold"
    "gampl_book/train.py": """\
import time
from pathlib import Path

def train(names, receipt, **options):
    print(names[0] + ": training", flush=True)
    while Path("hold").exists():
        time.sleep(0.05)
    receipt.write_text("{}")
""",
    "gampl_book/profiles.toml": """\
[smoke.alpha]
a = 1
b = 2
[smoke.beta]
c = 3
[smoke.trainings]
steps = 5
batch = 7
""",
    "notebooks/alpha.py": PAGE.format(name="alpha", package="gampl", module="averaging"),
    "notebooks/beta.py": PAGE.format(name="beta", package="gampl.training", module="rings"),
    "data/events.csv": "1\n",
    "book/intro.md": "# Start\n\nSee [alpha](alpha.ipynb).\n",
    "_toc.yml": "format: jb-book\nroot: intro\nchapters:\n- file: alpha\n- file: beta\n",
    "_config.yml": """\
title: Small
only_build_toc_files: true
execute: {execute_notebooks: "off"}
sphinx:
  config:
    mathjax_path: ../mathjax/tex-mml-chtml.js
    html_extra_path: [_extra]
""",
    "site-packages/tinydist.py": "",
    "site-packages/tinydist-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinydist\nVersion: 1.0\n",
    "site-packages/tinydist-1.0.dist-info/top_level.txt": "tinydist\n",
}


class Checkout:
    """A folder with the small project, or with a copy of the real one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def environment(self) -> dict[str, str]:
        """As make sets it."""
        paths = [str(self.root / folder) for folder in ("workflow/python", "site-packages")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def command(self, *arguments: str) -> dict:
        ours = self.root / ".venv" / "bin" / "python"
        python = str(ours) if ours.exists() else sys.executable
        return {"args": [python, *arguments], "cwd": self.root, "env": self.environment, "text": True}

    def python(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(**self.command(*arguments), capture_output=True, timeout=3600, check=False)

    def build(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.python("-m", "gampl_book", "build", "--profile", "smoke", *arguments)

    def start_build(self, *arguments: str) -> subprocess.Popen:
        """A build in a process group of its own, as in a terminal."""
        return subprocess.Popen(
            **self.command("-m", "gampl_book", "build", "--profile", "smoke", *arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def plan(self) -> set[str]:
        """The steps that a build would do now."""
        profile = ["--profile", "workflow/profiles/default", "--config", "profile=smoke"]
        done = self.python("-m", "snakemake", "--dry-run", "all", *profile)
        assert done.returncode == 0, done.stderr
        steps = set(re.findall(r"^Job \d+: (.*)$", done.stdout + done.stderr, re.MULTILINE))
        assert steps or "Nothing to be done" in done.stdout + done.stderr
        return steps - {"everything"}


def wait_for(condition, seconds=60):
    """Until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
