"""Files of generated events get weights from a classifier, whatever their kind; nothing is overwritten or guessed."""

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from gampl import files
from gampl.cli.main import main
from gampl.files import Layout, open_file

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 1.4  # of the generator's x; the truth is normal in x and y
QUICK = ("--learner", "functions", "--folds", "2")


def run(*arguments):
    return main([str(argument) for argument in arguments])


def column(path, name, **options):
    with open_file(path, **options) as file:
        return np.concatenate([part[name] for part in file.columns([name])])


def error_of(capsys, *arguments):
    """What is said of something that is refused."""
    assert run("reweight", *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Texts of 1000 true events and 2000 generated ones that are too wide, with a column of texts."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(1)
    np.savetxt(folder / "true.csv", rng.normal(size=(1000, 2)), header="x,y", comments="", delimiter=",")
    lines = [f"{x:.5g},{y:.5g},run {k % 3}" for k, (x, y) in enumerate(rng.normal(size=(2000, 2)) * [WIDTH, 1.0])]
    (folder / "gen.csv").write_text("\n".join(["x,y,who", *lines]) + "\n")
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMON = ("gen.csv", "--true", "true.csv", "--classifier", "x,y", "--output")


@pytest.mark.parametrize("learner", ["trees", "functions"])
def test_weighted_events_have_the_width_of_the_truth(learner, folder, capsys):
    """Without weights the width is 40 % too large; regularised ratios, too close to 1, leave a part of that."""
    assert run("reweight", *COMMON, "w.csv", "--learner", learner, "--json", "w.json") == 0
    shown = capsys.readouterr().out
    lines, before = ((folder / name).read_text().splitlines() for name in ("w.csv", "gen.csv"))
    assert lines[0] == "x,y,who,weight"
    assert [line.rpartition(",")[0] for line in lines[1:]] == before[1:]  # the columns are kept to the letter
    x, w = column("w.csv", "x"), column("w.csv", "weight")
    assert 0.92 < np.sqrt(np.average(x**2, weights=w)) < 1.2
    assert w.mean() == pytest.approx(1, abs=0.05)
    about = json.loads((folder / "w.json").read_text())
    assert about["weights"]["n_effective"] == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert about["n_true"] == 1000
    assert about["places"][0]["observable"] == "x"
    assert about["places"][0]["p_value"] < 0.01
    receipt = json.loads((folder / "w.csv.weights.json").read_text())
    assert receipt == {name: value for name, value in about.items() if name != "places"}
    assert receipt["sha256"] == sha256((folder / "w.csv").read_bytes()).hexdigest()
    assert receipt["true"] == [
        {"file": "true.csv", "sample": None, "sha256": sha256((folder / "true.csv").read_bytes()).hexdigest()}
    ]
    for said in (
        f"{about['weights']['n_effective']:.0f}",
        "weights lie in x from",
        "n_train of later estimates counts",
    ):
        assert said in shown


def test_no_event_is_weighed_by_a_classifier_that_has_learned_from_it(folder, capsys):
    """Of a perfect generator trees that knew its events would say AUC = 0.6; these say no more than 0.5, by much."""
    rng = np.random.default_rng(2)
    np.savetxt("perfect.csv", rng.normal(size=(2000, 2)), header="x,y", comments="", delimiter=",")
    assert run("reweight", "perfect.csv", "--true", "true.csv", "--output", "w.csv", "--json", "w.json") == 0
    auc, (low, _) = json.loads(Path("w.json").read_text())["auc"]
    assert auc < 0.53  # three standard deviations of 1000 and 2000 independent events
    assert low > 0.5 or "tells nothing apart" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(folder):
    for name, seed in (("a.csv", 1), ("b.csv", 1), ("c.csv", 2)):
        assert run("reweight", *COMMON, name, "--seed", seed, *QUICK) == 0
    a, b, c = (Path(name).read_bytes() for name in ("a.csv", "b.csv", "c.csv"))
    assert a == b != c


@pytest.mark.parametrize("ending", ["tsv", "txt", "npy", "npz", "h5", "parquet", "feather"])
def test_every_kind_of_output_holds_the_same_numbers(ending, folder):
    source = {"x": column("gen.csv", "x"), "y": column("gen.csv", "y").astype("f4"), "n": np.arange(2000)}
    pq.write_table(pa.table(source), "gen.parquet")
    assert run("reweight", "gen.parquet", "--true", "true.csv", "--output", f"w.{ending}", *QUICK) == 0
    for name, values in source.items():
        np.testing.assert_array_equal(column(f"w.{ending}", name), values)
    if ending not in ("tsv", "txt"):  # of numbers the type is kept, too
        with open_file(f"w.{ending}") as file:
            kinds = {name: x.dtype for name, x in next(file.columns([*source], labels=[*source])).items()}
        assert kinds == {name: x.dtype for name, x in source.items()}
    assert run("reweight", "gen.parquet", "--true", "true.csv", "--output", "w.csv", *QUICK) == 0
    np.testing.assert_array_equal(column(f"w.{ending}", "weight"), column("w.csv", "weight"))


def test_decimal_commas_become_points(folder):
    text = Path("gen.csv").read_text().replace(",", ";").replace(".", ",")
    Path("commas.csv").write_text("\n".join(line.rpartition(";")[0] for line in text.splitlines()))
    np.savetxt("true2.csv", np.loadtxt("true.csv", delimiter=",", skiprows=1), "%s", ";", header="x;y", comments="")
    Path("true2.csv").write_text(Path("true2.csv").read_text().replace(".", ","))
    assert run("reweight", "commas.csv", "--true", "true2.csv", "--decimal", ",", "--output", "w.csv", *QUICK) == 0
    np.testing.assert_array_equal(column("w.csv", "x"), column("gen.csv", "x"))


def test_accepted_events_need_no_weights(folder, capsys):
    assert run("reweight", *COMMON, "w.csv", *QUICK, "--json", "w.json") == 0
    assert run("reweight", *COMMON, "a.csv", *QUICK, "--accept") == 0
    w, kept = column("w.csv", "weight"), Path("a.csv").read_text().splitlines()
    assert kept[0] == "x,y,who"
    assert {*kept} < {*Path("gen.csv").read_text().splitlines()}
    assert len(kept) - 1 == pytest.approx(w.sum() / w.max(), rel=0.15)
    assert f"a.csv: {len(kept) - 1} events, accepted events, no weights" in capsys.readouterr().out
    assert stats.kstest(column("a.csv", "x"), "norm").statistic < 0.06  # without weights it is 0.1
    assert json.loads(Path("a.csv.weights.json").read_text())["weight"] is None


def test_events_that_are_not_finite_keep_weight_one(folder):
    rows = np.random.default_rng(3).normal(size=(1000, 2)) * [WIDTH, 1]
    rows[::100] = np.nan
    np.save("gen.npy", rows)
    names = ("--columns", "x,y", *QUICK)
    assert run("reweight", "gen.npy", "--true", "true.csv", "--output", "w.npz", "--json", "w.json", *names) == 0
    w = column("w.npz", "weight")
    assert (w[::100] == 1).all()
    assert (np.delete(w, np.s_[::100]) != 1).all()
    assert json.loads(Path("w.json").read_text())["lost"] == 10


def test_weights_that_there_are_are_used_or_refused(folder, capsys):
    """A flat sample with the weights of the wide generator gets the product of both weights."""
    rng = np.random.default_rng(4)
    x = rng.uniform(-4, 4, size=6000)
    table = np.stack([x, rng.normal(size=6000), 8 * stats.norm.pdf(x, scale=WIDTH)], axis=1)
    np.savetxt("flat.csv", table, header="x,y,weight", comments="", delimiter=",")
    common = ("flat.csv", "--true", "true.csv", "--output", "w.csv", *QUICK)
    assert "flat.csv: has a column 'weight', expected another name (--weight-name)" in error_of(capsys, *common)
    assert "expected a choice" in error_of(capsys, *common, "--weight-name", "w")
    assert run("reweight", *common, "--weight-name", "w", "--weight", "weight") == 0
    w = column("w.csv", "w")
    assert 0.92 < np.sqrt(np.average(x**2, weights=w)) < 1.2
    mean = json.loads(Path("w.csv.weights.json").read_text())["weights"]["mean"]
    assert mean == pytest.approx(w.sum() / table[:, 2].sum())
    assert mean == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(column("w.csv", "weight"), table[:, 2])
    assert run("reweight", *common[:4], "a.csv", *QUICK, "--weight", "weight", "--accept") == 0
    assert Path("a.csv").read_text().startswith("x,y\n")  # the weights are used up
    np.savetxt("flat.csv", table * [1, 1, -1], header="x,y,weight", comments="", delimiter=",")
    said = error_of(capsys, *common, "--weight-name", "w", "--weight", "weight")
    assert said == "gampl: flat.csv: negative weights or none above 0, expected some and no negative ones"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """600 top pairs whose jets are 5 % too hard."""
    folder = tmp_path_factory.mktemp("pairs")
    events = files.read(ROOT / "data" / "top_pair_0j.h5", sample="holdout")[:600]
    momenta = events.momenta * np.array([1.05, 1, 1, 1])
    files.write(folder / "gen.h5", {"events": replace(events, momenta=momenta)}, "top_pair", {"seed": 3})
    files.write(
        folder / "true.h5",
        {"train": files.read(ROOT / "data" / "top_pair_0j.h5", sample="train")[:600]},
        "top_pair",
        {},
    )
    return folder


def test_momenta_are_weighed_and_kept(pairs, tmp_path, capsys):
    paths = [pairs / "gen.h5", "--true", f"{pairs / 'true.h5'}::train"]
    for k in (1, 2):
        assert (
            run("reweight", *paths, "--output", tmp_path / f"w_{k}.h5", "--seed", k, "--share", 0.5, "--folds", 2) == 0
        )
    before, after = files.read(pairs / "gen.h5"), files.read(tmp_path / "w_1.h5")
    np.testing.assert_array_equal(after.momenta, before.momenta)
    assert after.columns.keys() == {*before.columns, "weight"}
    assert after.about == before.about
    assert after.columns["weight"].std() > 0.02
    shown = capsys.readouterr().out
    assert "300 true ones were learned from" in shown
    assert "b1, q1, q2, b2, q3, q4" in shown
    estimate = ("averaging", "--n-train", 600, "--weight", "weight", "--region", "m_tt > 500", "--quiet")
    assert run(*estimate, "--members", tmp_path / "w_*") == 0  # receipts are not taken for members
    assert "true.h5" in capsys.readouterr().out
    assert run("reweight", *paths, "--output", tmp_path / "w.npz", "--classifier", "m_tt,m_t1", *QUICK) == 0
    momenta = files.read(tmp_path / "w.npz", layout=Layout(before.particles))
    np.testing.assert_array_equal(momenta.momenta, before.momenta)
    assert "weight" in momenta.columns


def test_a_network_learns_from_momenta(pairs, folder, tmp_path, capsys):
    """The jets are too hard: weights are smaller where their transverse momenta are large."""
    paths = [pairs / "gen.h5", "--true", f"{pairs / 'true.h5'}::train"]
    assert run("reweight", *paths, "--output", tmp_path / "w.h5", "--learner", "network", "--folds", 2) == 0
    found = files.read(tmp_path / "w.h5")
    hardness = files.read(pairs / "gen.h5").momenta[:, :, 0].sum(axis=1)
    assert stats.spearmanr(hardness, found.columns["weight"]).statistic < -0.1
    said = error_of(capsys, *COMMON, "w.csv", "--learner", "network")
    assert said == "gampl: a network learns from momenta, not from numbers: choose another --learner"


def test_particles_in_columns_stay_columns(pairs, tmp_path):
    """Momenta of a table are what the classifier sees, and the table is what is written."""
    events = files.read(pairs / "gen.h5")
    names = [f"{particle}_{name}" for particle in events.particles[:2] for name in ("pT", "phi", "eta", "m")]
    for name, sample in (("gen", events), ("true", files.read(pairs / "true.h5"))):
        pq.write_table(pa.table(dict(zip(names, sample.momenta.reshape(600, -1).T, strict=False))), tmp_path / name)
    how = ("--kind", "parquet", "--particles", "b1,q1", "--folds", 2, "--output", tmp_path / "w.parquet")
    assert run("reweight", tmp_path / "gen", "--true", tmp_path / "true", *how) == 0
    assert pq.read_table(tmp_path / "w.parquet").column_names == [*names, "weight"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("gen.csv", "--true", "true.csv", "--output", "gen.csv"), "--output: gen.csv would overwrite gen.csv"),
        (("gen.csv", "--true", "true.csv", "--output", "true.csv"), "--output: true.csv would overwrite true.csv"),
        ((*COMMON, "a.csv", "--receipt", "gen.csv"), "--receipt: gen.csv would overwrite gen.csv"),
        ((*COMMON, "a.csv", "--json", "a.csv"), "--json: a.csv is where --output goes"),
        ((*COMMON, "a.root"), "a.root: a table cannot be written as .root, expected one of .csv, "),
        ((*COMMON, "none/a.csv"), "none/a.csv: cannot be written, there is no folder"),
        ((*COMMON, "a.csv", "--clip", "0.5"), "--clip must be a weight above 1, got 0.5"),
        ((*COMMON, "a.csv", "--share", "1.5"), "--share must be above 0 and at most 1, got 1.5"),
        ((*COMMON, "a.csv", "--folds", "1"), "--folds must be at least 2, got 1"),
        ((*COMMON, "a.csv", "--seed=-1"), "--seed must not be negative, got -1"),
        (("gen.csv", "--true", "nope.csv", "--output", "a.csv"), "--true: expected a file, there is no 'nope.csv'"),
        (("nope.csv", "--true", "true.csv", "--output", "a.csv"), "GENERATED: expected a file, there is no 'nope.csv'"),
        (("*.csv", "--true", "true.csv", "--output", "a.csv"), "GENERATED: "),
        (("broken.csv", "--true", "true.csv", "--output", "a.csv"), "broken.csv: CSV parse error: row 2"),
        (("other.csv", "--true", "true.csv", "--output", "a.csv"), "other.csv has z, true.csv has x, y: expected the "),
        (("gen.csv", "--true", "few.csv", "--output", "a.csv"), "few.csv: only 2 events to learn from, expected at "),
        (("gen.csv", "--true", "lost.csv", "--output", "a.csv"), "lost.csv: 1 of 3 events are not finite, more than "),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(arguments, problem, folder, capsys):
    Path("broken.csv").write_text("x,y\n1,2\n3\n")
    Path("other.csv").write_text("z\n1\n2\n")
    Path("few.csv").write_text("x,y\n1,2\n2,3\n")
    Path("lost.csv").write_text("x,y\n1,2\n2,nan\n3,4\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert problem in error_of(capsys, *arguments)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_events_of_particles_are_not_written_as_text(pairs, tmp_path, capsys):
    said = error_of(capsys, pairs / "gen.h5", "--true", pairs / "true.h5", "--output", tmp_path / "w.csv")
    assert "w.csv: events of particles cannot be written as .csv, expected one of .h5, .hdf5, .npz" in said


def test_a_pipe_gets_the_table_and_the_terminal_the_words(folder):
    command = [sys.executable, "-m", "gampl", "reweight", *COMMON, "-", *QUICK, "--receipt", "r.json"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.startswith(b"x,y,who,weight\n")
    assert b"effective events" in done.stderr
    assert json.loads(Path("r.json").read_text())["sha256"] == sha256(done.stdout).hexdigest()
    assert not [*folder.glob("*.weights.json")]


def test_weights_upon_weights_remember_all_true_events(folder):
    rng = np.random.default_rng(5)
    np.savetxt("more.csv", rng.normal(size=(500, 2)), header="x,y", comments="", delimiter=",")
    assert run("reweight", *COMMON, "once.csv", *QUICK) == 0
    again = ("--true", "more.csv", "--weight", "weight", "--weight-name", "w", "--classifier", "x,y", *QUICK)
    assert run("reweight", "once.csv", *again, "--output", "twice.csv") == 0
    receipt = json.loads(Path("twice.csv.weights.json").read_text())
    assert [source["file"] for source in receipt["true"]] == ["more.csv", "true.csv"]
    assert receipt["n_true"] == 1500
