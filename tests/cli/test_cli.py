"""The command line names what is missing, says its version and reads words as they are meant."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gampl
from gampl.cli.arguments import joined, whole
from gampl.cli.main import main


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("pyarrow", "averaging --n-train 100 --members {f}/a.csv {f}/b.csv --region x>0", "events"),
        ("h5py", "averaging --n-train 100 --members {f}/a.h5 {f}/b.npy --region x>0", "events"),
        ("yaml", "report {f}/p.yml", "events"),
        ("sklearn", "differential --n-train 100 --members {f}/a.npy --holdout {f}/b.npy --classifier x1", "classifier"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, command, extra, tmp_path):
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=100))
        np.savetxt(tmp_path / f"{name}.csv", rng.normal(size=100), header="x", comments="")
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "p.yml").touch()
    # also for the process that reads
    missing = f"raise ModuleNotFoundError('No module named {module}', name={module!r})"
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / f"{module}.py").write_text(missing)
    places = os.pathsep.join([str(tmp_path / "missing"), *sys.path])
    arguments = [sys.executable, "-P", "-m", "gampl", *command.format(f=tmp_path).split()]
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": places}
    )
    assert done.returncode == 1
    assert f"pip install 'gampl[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"gampl {gampl.__version__}\n"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1000", 1000),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("1_000", 1000),
        ("1000.0", 1000),
        ("-5", -5),
        (str(2**63 + 1), 2**63 + 1),
    ],
)
def test_whole_numbers(text, number):
    assert whole(text) == number


@pytest.mark.parametrize("text", ["", "many", "1.5", "1e-3", "inf", "nan", "1e999999999", "1,000", "0x10"])
def test_what_is_no_whole_number(text, capsys):
    with pytest.raises(SystemExit) as left:
        main(["averaging", "--n-train", text, "--members", "a"])
    assert left.value.code == 2
    assert "argument --n-train: expected a whole number such as 1000 or 1e5, got" in capsys.readouterr().err


@pytest.mark.parametrize("n_train", ["1e16", str(2**64), "1e29", "0"])
def test_an_impossible_number_of_events_is_one_sentence(n_train, tmp_path, capsys):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.arange(10.0))
    files = [str(tmp_path / f"{name}.npy") for name in ("a", "b")]
    assert main(["averaging", "--n-train", n_train, "--members", *files, "--columns", "x", "--region", "x > 1"]) == 1
    assert capsys.readouterr().err.startswith("gampl: n_train must be a positive whole number of events, at most 2^53")


def test_conditions_may_begin_with_a_minus():
    words = [
        "averaging",
        "--region",
        "-1<x",
        "--region",
        "-x < 3",
        "--summary",
        "x",
        "--json",
        "-",
    ]
    read = ["averaging", "--region=-1<x", "--region=-x < 3", "--summary", "x", "--json", "-"]
    assert joined(words) == read


@pytest.mark.parametrize("odd", ["\x1b[31m", "\u202e", "\u200f", "\x07", "\n", "\x9b"])
def test_no_error_moves_the_cursor(odd, tmp_path, capsys):
    for name in (f"{odd}.csv", f"a{odd}b"):
        status = main(["averaging", "--n-train", "9", "--members", f"{tmp_path}/{name}", "--region", f"x{odd} > 1"])
        assert status == 1
    with pytest.raises(SystemExit):
        main(["averaging", "--n-train", "9", "--members", "a", f"--{odd}"])
    (tmp_path / "m.csv").write_text(f"x{odd}\n1\n")
    assert main(["averaging", "--n-train", "9", "--members", str(tmp_path / "m.csv"), "--region", "y > 1"]) == 1
    shown = capsys.readouterr()
    assert odd not in shown.err.replace("\n", "" if odd != "\n" else "\r")
    assert all(line.startswith(("gampl", "usage", " ")) for line in shown.err.splitlines())
