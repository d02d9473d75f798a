"""The command that corrects an ensemble's width, with the user's own command to train: what it makes, and resumes."""

import json
import shlex
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gampl.cli.main import main

N_TRAIN, N_GEN = 100, 50_000
FIT = """
import sys
import numpy as np
x, rng = np.loadtxt(sys.argv[1], skiprows=1), np.random.default_rng(int(sys.argv[3]))
with open("trained", "a") as file:
    file.write("x")
mean = x.mean() + 0.5 * x.std() / len(x) ** 0.5 * rng.normal()
np.savetxt(sys.argv[2], rng.normal(mean, x.std(), 50_000), header="x", comments="", fmt="%.8g")
"""


TRAIN = f"{shlex.quote(sys.executable)} fit.py {{train}} {{output}} {{seed}}"


def line(*arguments, command=TRAIN, sets=3):
    words = ["--n-train", N_TRAIN, "--members", "gen_*.csv", "--folder", "own trainings", "--command", command]
    return main(["calibrate", *map(str, [*words, "--sets", sets, "--quiet", *arguments])])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Four members that scatter half as much as fits to 100 events do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(FIT)
    rng = np.random.default_rng(1)
    for k in range(4):
        x = rng.normal(0.05 * rng.normal(), 1, N_GEN)
        np.savetxt(f"gen_{k}.csv", x, header="x", comments="", fmt="%.8g")
    return tmp_path


def test_a_posterior_that_is_too_narrow_is_found(folder, capsys):
    """Ten regions tell the factor 2 to about 40 % with three sets; the seed is fixed."""
    regions = ("--edges", "x: -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2", "--region", "x > 0", "--region", "x > 90")
    assert line(*regions, "--json", "out.json") == 1
    shown = capsys.readouterr()
    content = json.loads((folder / "out.json").read_text())
    half, parts = content["regions"]
    low, high = parts["factor_interval"]
    assert low < parts["factor"] < high
    assert high > 1
    assert low < 3
    assert parts["interval"][0] < parts["G"] < float(parts["interval"][1])
    assert half["region"] == "x > 0"
    for words in ("x: 8 intervals", f"{parts['factor']:.3g}", "too large by the square"):
        assert words in shown.out
    assert "x > 90: empty for all members" in shown.err
    drawn = np.loadtxt(folder / "own trainings" / "set_1" / "train.csv", skiprows=1)
    assert len(np.unique(drawn)) == N_TRAIN
    assert np.isin(drawn, np.loadtxt(folder / "gen_1.csv", skiprows=1)).all()
    # nothing is trained again; what is missing is, and comes out as it was
    assert len((folder / "trained").read_text()) == 12
    (missing := folder / "own trainings" / "set_2" / "member_3.csv").unlink()
    assert line(*regions, "--json", "again.json") == 1
    assert len((folder / "trained").read_text()) == 13
    assert missing.exists()
    assert json.loads((folder / "again.json").read_text()) == content
    # other settings are other trainings
    capsys.readouterr()
    assert line("--region", "x > 0", "--seed", 2) == 1
    assert "--folder: own trainings has trainings of other members or by other options" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": "train {train}"}, "--command: expected {output} in it, got 'train {train}'"),
        ({"command": "false {train} {output}"}, "ended with status 1: no output"),
        ({"command": "true {train} {output}"}, "has not written"),
        ({"command": "no-such-program {train} {output}"}, "no-such-program"),
        ({"sets": 1}, "expected at least 2 members, --sets and --size, got 4, 1 and 4"),
    ],
)
def test_what_is_refused(options, message, capsys):
    assert line("--region", "x > 0", **options) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_no_member_of_a_set_is_not_as_many_as_there_are(capsys):
    assert line("--region", "x > 0", "--size", 0) == 1
    assert "expected at least 2 members, --sets and --size, got 4, 3 and 0" in capsys.readouterr().err


def test_members_need_many_more_events_than_training(capsys):
    assert line("--region", "x > 0", "--n-train", 20_000) == 1
    assert "has 50000 events, expected at least 10 n_train" in capsys.readouterr().err


def test_training_samples_are_files_like_those_of_the_members(folder):
    rng = np.random.default_rng(2)
    for k in range(2):
        pq.write_table(pa.table({"x": rng.normal(size=2000), "name": ["a"] * 2000}), folder / f"m_{k}.parquet")
        np.save(folder / f"m_{k}.npy", rng.normal(size=(2000, 3)))
    copy = shlex.join([sys.executable, "-c", "import shutil, sys; shutil.copy('m_0' + sys.argv[3], sys.argv[2])"])
    for ending, more in ((".parquet", ()), (".npy", ("--columns", "x,y,z"))):
        words = ["calibrate", "--n-train", "100", "--members", f"m_*{ending}", "--folder", f"of{ending}", "--sets", "2"]
        main([*words, "--region", "x > 0", *more, "--command", f"{copy} {{train}} {{output}} {ending}"])
    table = pq.read_table(folder / "of.parquet" / "set_0" / "train.parquet")
    assert table.column_names == ["x", "name"]
    assert len(table) == 100
    assert np.load(folder / "of.npy" / "set_0" / "train.npy").shape == (100, 3)
