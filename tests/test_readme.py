"""The README's Python and commands are run as a user would run them, block after block in one session."""

import re
import runpy
import shlex
from pathlib import Path

import matplotlib as mpl
import pytest

from gampl.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^(gampl (?:averaging|differential|report) .*--.*)$", README, re.M)
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
    assert len(BLOCKS) == 4
    assert session["result"].method == "averaging"


def test_the_five_minutes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = runpy.run_path(str(ROOT / "examples" / "gaussian_members.py"))
    examples["main"].__globals__["N_GEN"] = 20_000
    examples["main"](Path("samples"))
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        assert main(shlex.split(command)[1:]) == 0
    said = capsys.readouterr().out
    assert said.count("n_train = 1000") == 3
    for name in ("averaging", "differential", "both"):
        assert "training sample" in Path(f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["averaging", "differential"])
def test_both_estimates_are_shown(name):
    assert any(f"{name}.from_samples(" in block for block in BLOCKS)
