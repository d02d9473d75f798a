"""The README's Python is run as a user would run it: block after block in one session."""

import re
from pathlib import Path

import matplotlib as mpl
import pytest

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"), re.S)


def test_the_blocks_run_in_order(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path))
    mpl.use("agg")
    session: dict = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), session)  # noqa: S102  it is our own
    mpl.pyplot.close("all")
    said = capsys.readouterr().out
    assert len(re.findall(r"^G (=|≥) [0-9.]+", said, re.M)) == 3
    assert len(BLOCKS) == 5
    assert session["result"].method == "averaging"


@pytest.mark.parametrize("name", ["averaging", "differential"])
def test_both_estimates_are_shown(name):
    assert any(f"from gampl import {name}" in block for block in BLOCKS)
