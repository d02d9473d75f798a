"""The README's Python and commands are run as a user would run them, block after block in one session."""

import re
import runpy
import shlex
import subprocess
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from scipy import stats

from gampl.cli.main import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^(gampl (?:averaging|differential|report) .*--.*)$", README, re.M)
N_TRAIN, G_LINE = 1000, 70.4  # Eq. (30)
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_blocks_run_in_order(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path))
    mpl.use("agg")
    session: dict = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), session)  # noqa: S102  it is our own
    mpl.pyplot.close("all")
    said = capsys.readouterr().out
    assert len(re.findall(r"^G (=|≥) [0-9.]+", said, re.M)) == 3
    assert len(BLOCKS) == 3
    assert session["result"].method == "averaging"


@pytest.mark.slow
def test_the_five_minutes(capsys, tmp_path, monkeypatch):
    """The commands run, and what README says about their samples is so."""
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(ROOT / "examples" / "gaussian_members.py"))
    example["main"](Path("samples"))
    known = capsys.readouterr().out
    assert len(COMMANDS) == 3
    said = []
    for command in COMMANDS:
        assert main(shlex.split(command)[1:]) == 0
        said.append(capsys.readouterr().out)
    assert all(text.count("n_train = 1000") == 1 for text in said)
    for name in ("averaging", "differential", "both"):
        assert "training sample" in Path(f"{name}.html").read_text(encoding="utf-8")

    G, low, high = re.search(r"G = ([\d.]+) \(([\d.]+) to ([\d.]+)\)", README).groups()
    limit = re.search(rf"0 <= x < 0.5 .* {G} +{low} to {high} +≥ (\d+)", said[0])[1]
    assert float(low) < G_LINE < float(high), "and this one does"
    train = np.loadtxt("samples/train.csv", skiprows=1)
    assert claimed(r"happens to lie ([\d.]+) standard errors off") == f"{abs(train.mean()) * N_TRAIN**0.5:.1f}"
    pooled = re.search(r"worth ([\d.]+) training samples", known)[1]
    assert claimed(r"has printed (\d+),") == pooled
    assert claimed(r"worth at least ([\d.]+) training samples") == f"{int(limit) / N_TRAIN:.3g}"
    assert int(limit) / N_TRAIN > float(pooled), "and here it is wrong"
    assert main([*shlex.split(COMMANDS[0])[1:], "--level", "0.95"]) == 0
    limit = re.search(r"0 <= x < 0.5 .*≥ (\d+)", capsys.readouterr().out)[1]
    assert claimed(r"With `--level 0.95` the limit is ([\d.]+),") == f"{int(limit) / N_TRAIN:.3g}"
    assert int(limit) / N_TRAIN < float(pooled), "and right"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="is no git checkout")
def test_what_the_commands_make_is_no_change_of_the_project():
    pages = "".join(
        path.read_text(encoding="utf-8") for path in [*ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.py")]
    )
    places = r"(?:-m venv|gaussian_members\.py|--report|--output|--folder)\s+([\w./]+)"
    made = [Path(name).parts[0] for name in re.findall(places, README + pages)]
    made = [name if "." in name else f"{name}/" for name in made] + ["build/", "gampl.egg-info/"]
    assert {".venv", "own/", "samples/", "averaging.html", "both.html", "shards/", "mine/"} <= set(made)
    done = subprocess.run(["git", "check-ignore", "--no-index", *made], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == made


def claimed(pattern):
    """What README says at a place where it must say something."""
    found = re.search(pattern, " ".join(README.split()))
    assert found is not None, pattern
    return found[1]


def test_what_the_example_says_members_are_worth():
    example = runpy.run_path(str(ROOT / "examples" / "gaussian_members.py"))
    inside = stats.norm.cdf(0.5) - 0.5
    pooled, one = example["worth"]([0.01, 0.05])
    low, high = stats.norm.cdf([0.49, 0.45]) - stats.norm.cdf([-0.01, -0.05])
    assert pooled == pytest.approx(inside * (1 - inside) / N_TRAIN / ((low + high) / 2 - inside) ** 2)
    assert one == pytest.approx(inside * (1 - inside) / N_TRAIN / (((low - inside) ** 2 + (high - inside) ** 2) / 2))

    G = inside * (1 - inside) / (stats.norm.pdf(0.0) - stats.norm.pdf(0.5)) ** 2
    assert claimed(r"fit to 1000 events is worth ([\d.]+) training samples") == f"{G:.1f}" == str(G_LINE)
    assert claimed(r"members pooled are worth nearly as much, (\d+),") == f"{G / (1 + 1 / example['MEMBERS']):.0f}"
    assert claimed(r"alone half of it, (\d+)\.") == f"{G / 2:.0f}"


def test_members_of_the_example_scatter_as_training_samples_do():
    """Around the training sample's mean, not around the truth; four standard errors of 4000 members: 9 %."""
    example = runpy.run_path(str(ROOT / "examples" / "gaussian_members.py"))
    rng = np.random.default_rng(1)
    squares = []
    for _ in range(4000 // example["MEMBERS"]):
        train = rng.normal(size=N_TRAIN)
        squares += [N_TRAIN * (mean - train.mean()) ** 2 for mean in example["fitted_means"](train, rng)]
    assert np.mean(squares) == pytest.approx(1, abs=4 * (2 / 4000) ** 0.5)


@pytest.mark.parametrize("name", ["averaging", "differential"])
def test_both_estimates_are_shown(name):
    assert any(f"{name}.from_samples(" in block for block in BLOCKS)
