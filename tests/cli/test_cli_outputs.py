"""What a command makes is kept, whatever becomes of what it prints; and nothing is overwritten."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gampl.cli.main import main
from gampl.cli.terminal import Patient

ROOT = Path(__file__).resolve().parents[2]
FILES = ("r.json", "r.csv")
OUTPUTS = ("--json", "r.json", "--csv", "r.csv")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Members and a holdout in the current folder."""
    rng = np.random.default_rng(1)
    for name in ("m0", "m1", "h"):
        np.savetxt(tmp_path / f"{name}.csv", rng.normal(size=200), header="x", comments="")
    monkeypatch.chdir(tmp_path)
    return tmp_path


MEMBERS = ("averaging", "--n-train", "100", "--members", "m0.csv", "m1.csv", "--quiet", "--region")


def shell(line, folder, **environment):
    """Runs a line of a shell in a folder, in which ``gampl`` is an estimate with all outputs."""
    command = " ".join([sys.executable, "-m", "gampl", *MEMBERS, "'x > 0'"])
    line = f'gampl() {{ {command} "$@"; }}; {line}'
    environment = os.environ | environment
    return subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("line", "environment", "status"),
    [
        ("gampl {o} | true; exit ${{PIPESTATUS[0]}}", {}, 0),
        ("gampl {o} > /dev/full", {}, 1),
        ("gampl {o} >&- 2>&-", {}, 0),
        ("gampl {o} 2>&-", {"PYTHONIOENCODING": "ascii"}, 0),
        ("gampl {o} 2> /dev/full", {"PYTHONIOENCODING": "latin-1"}, 0),
    ],
)
def test_a_failing_terminal_costs_no_file(line, environment, status, folder):
    done = shell(line.format(o=" ".join(OUTPUTS)), folder, PYTHONPATH=str(ROOT), **environment)
    assert done.returncode == status, done.stderr
    assert all((folder / name).stat().st_size > 100 for name in FILES)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if "full" in line and status:
        assert done.stderr.splitlines()[-1] == "gampl: standard output cannot be written: No space left on device"


def test_an_output_that_fails_costs_no_other(folder, capsys):
    assert main([*MEMBERS, "x > 0", "--json", "/dev/full", "--csv", "r.csv", "--figures", "new/figures"]) == 1
    shown = capsys.readouterr()
    assert shown.err == "gampl: /dev/full: cannot be written, No space left on device\n"
    assert "averaging amplification" in shown.out
    assert len([*csv.DictReader((folder / "r.csv").read_text().splitlines())]) == 1
    assert (folder / "new" / "figures" / "overview.pdf").exists()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_a_file_has_standard_output_for_itself(name, folder, capfd):
    assert main([*MEMBERS, "x > 0", "--json", name, "--csv", "r.csv"]) == 0
    shown = capfd.readouterr()
    assert json.loads(shown.out)["findings"]
    assert "averaging amplification" in shown.err
    assert main(["plan", "--factor", "1.5", "--n-train", "1e4", "--probability", "0.1", "--json", name]) == 0
    shown = capfd.readouterr()
    assert json.loads(shown.out)["averaging"]
    assert "true events held out" in shown.err
    assert {path.name for path in folder.iterdir()} == {"m0.csv", "m1.csv", "h.csv", "r.csv"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--json", "m0.csv"), "--json: m0.csv would overwrite m0.csv"),
        (("--csv", "link"), "--csv: link would overwrite h.csv"),
        (("--json", "a", "--report", "./a"), "--report: a is where --json goes"),
        (("--json", "-", "--csv", "-"), "--csv: - is where --json goes"),
        (("--figures", ".", "--report", "overview.png"), "--figures: overview.png is that folder, or lies in it"),
        (("--figures", "new", "--json", "new"), "--figures: new is that folder"),
        (("--figures", "/proc/figures"), "/proc/figures: cannot be written"),
        (("--figures", "h.csv"), "h.csv: cannot be written"),
    ],
)
def test_nothing_is_overwritten(options, problem, folder, capsys, monkeypatch):
    (folder / "link").symlink_to("h.csv")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("gampl.report.study.analyse", lambda *_: pytest.fail("was analysed"))
    assert main([*MEMBERS, "x > 0", "--holdout", "h.csv", *options]) == 1
    assert capsys.readouterr().err.startswith(f"gampl: {problem}")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_process_file_is_not_overwritten(folder, capsys):
    text = "{n_train: 100, members: [m0.csv, m1.csv], regions: x > 0}"
    (folder / "report.html").write_text(text)
    assert main(["report", "report.html"]) == 1
    assert capsys.readouterr().err.startswith("gampl: --output: report.html would overwrite report.html")
    assert (folder / "report.html").read_text() == text


def test_a_patient_stream_says_in_ascii_what_its_encoding_lacks(tmp_path):
    for encoding, shown in (("ascii", ">= 2 \\u4e2d \\xfc"), ("latin-1", ">= 2 \\u4e2d ü"), ("utf-8", "≥ 2 中 ü")):
        with (tmp_path / encoding).open("w", encoding=encoding) as stream:
            Patient(stream).write("≥ 2 中 ü")
            assert (tmp_path / encoding).read_text(encoding) == shown
