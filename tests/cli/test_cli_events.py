"""The command line of making events; what it makes is tested in tests/simulation."""

import json

import h5py
import numpy as np
import pytest

from gampl import files
from gampl.cli.main import main
from gampl.processes.z_jets import ZJets
from gampl.simulation import shards


def run(*arguments):
    return main(["events", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("shards")
    assert (
        run("make", "z_jets", "--folder", made, "--seeds", "1-2", "--events", 200, "--set", "batch=100", "--quiet") == 0
    )
    return made


def test_making_says_what_was_made(folder, capsys):
    arguments = ("make", "z_jets", "--folder", folder, "--seeds", "1-2", "--events", 200, "--set", "batch=100")
    assert run(*arguments) == 0
    said = capsys.readouterr()
    assert "2 shards, 400 generated events" in said.out
    assert "two muons" in said.out
    assert "400/400" in said.err  # the progress bar


def test_a_changed_recipe(tmp_path):
    settings = ["--set", "pt_min=30", "--set", "kept=[1.0, 0.5]", "--set", "multiple_interactions=false"]
    assert run("make", "z_jets", "--folder", tmp_path, "--seeds", 5, "--events", 100, "--quiet", *settings) == 0
    recipe = shards.read_recipe(tmp_path)
    assert (recipe["pt_min"], recipe["kept"]) == (30.0, [1.0, 0.5])


def test_merging_and_verifying(folder, tmp_path, capsys):
    output = tmp_path / "z.h5"
    assert run("merge", "--from", folder, 1, 2, "--output", output) == 0
    assert "sha256" in capsys.readouterr().out
    (events,) = files.batches(output, sample="train")
    assert events.about["sources"][0]["recipe"]["batch"] == 100
    assert run("verify", folder) == 0
    assert "2 shards agree" in capsys.readouterr().out


def test_observables_instead_of_momenta(folder, tmp_path):
    whole, output, names = tmp_path / "z.h5", tmp_path / "observables.h5", ("m_mumu", "pT(mu-)", "pT(j2)", "HT")
    assert run("merge", "--from", folder, "-", "1-2", "--output", whole) == 0
    assert run("merge", "--from", folder, "-", "1-2", "--output", output, "--observables", *names) == 0
    events = files.read(whole, sample="holdout")
    expected = {name: ZJets().observable(name)(events.momenta) for name in names} | {"weight": events.columns["weight"]}
    found = ZJets().load_observables(path=output)
    assert found.keys() == expected.keys()
    assert np.isnan(found["pT(j2)"]).any()  # of events without a second jet
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values.astype(np.float32))
    about = files.read_about(output)
    assert about.pop("units") == {"m_mumu": "GeV", "pT(mu-)": "GeV", "pT(j2)": "GeV", "HT": "GeV"}
    assert tuple(about.pop("particles")) == ZJets().particles
    assert about == files.read_about(whole)
    assert h5py.File(output)["holdout/shards"][:].tolist() == h5py.File(whole)["holdout/shards"][:].tolist()


def test_observables_are_a_table_that_the_estimators_read(folder, tmp_path, capsys):
    for seed in (1, 2):
        output = ["--output", tmp_path / f"{seed}.h5"]
        assert run("merge", "--from", folder, "-", seed, *output, "--observables", "m_mumu", "pT(mumu)") == 0
    summaries = ["--summary", "m_mumu", "--summary", "pT(mumu)", "--region", "pT(mumu) > 5 and 60 <= m_mumu < 120"]
    members = ["--members", f"{tmp_path}/1.h5::holdout", "--weight", "weight"]
    holdout = ["--holdout", f"{tmp_path}/2.h5", "--unweight", "weight"]
    assert main(["differential", "--n-train", "100", *members, *holdout, *summaries, "--quiet"]) == 0
    assert "pT(mumu), all events" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "0"], "seeds must be at most 1000000 numbers from 1 to 900000000, got '0'"),
        (["--seeds", "one"], "seeds must be a number or a range such as 1-37, got 'one'"),
        (["--seeds", "1", "--events", "0"], "--events must be positive, got 0"),
        (["--seeds", "1", "--cores", "-1"], "--cores must be positive, got -1"),
        (["--seeds", "1", "--set", "pt_min"], "--set expects NAME=VALUE with a name out of energy, mass_min"),
        (["--seeds", "1", "--set", "colour=1"], "got 'colour=1'"),
        (["--seeds", "1", "--set", "pt_min=high"], "--set pt_min: expected a value as JSON, such as 20.0; got 'high'"),
        (["--seeds", "1", "--set", "pt_min=true"], "pt_min must be a number above zero, got True"),
        (["--seeds", "1", "--set", "kept=[2.0]"], "kept must be up to 9 fractions in (0, 1], in brackets, got [2.0]"),
        (["--seeds", "1", "--set", 'kept=["a"]'], "kept must be up to 9 fractions in (0, 1], in brackets"),
        (["--seeds", "1", "--set", "kept=0.5"], "kept must be up to 9 fractions in (0, 1], in brackets, got 0.5"),
        (["--seeds", "1-99999999999"], "seeds must be at most 1000000 numbers from 1 to 900000000"),
        (["--seeds", "1-9999999"], "seeds must be at most 1000000 numbers"),
    ],
)
def test_bad_input(arguments, sentence, tmp_path, capsys):
    assert run("make", "z_jets", "--folder", tmp_path, "--quiet", *arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_other_bad_input(folder, tmp_path, capsys):
    assert run("verify", tmp_path) == 1
    assert "is not a folder of shards" in capsys.readouterr().err
    assert run("merge", "--from", folder, "1", "2-3", "--output", tmp_path / "x.h5") == 1
    assert "lacks 1 of 2 shards, the first of seed 3" in capsys.readouterr().err
    assert run("merge", "--from", folder, "1", "2", "--sample", "extra_jets_0", "--output", tmp_path / "x.h5") == 1
    assert "extra_jets_0" in capsys.readouterr().err
    assert run("merge", "--from", folder, "1", "-", "--observables", "m_tt", "--output", tmp_path / "x.h5") == 1
    assert "unknown observable 'm_tt'; there are pT, phi" in capsys.readouterr().err
    assert run("merge", "--from", folder, "-", "-", "--output", tmp_path / "x.h5") == 1
    assert "sources must name at least one seed" in capsys.readouterr().err
    assert not (tmp_path / "x.h5").exists()
    (empty := tmp_path / "empty").mkdir()
    (empty / "recipe.json").write_text("{}")
    assert run("verify", empty) == 1
    assert "has no shards yet" in capsys.readouterr().err
    (broken := tmp_path / "broken").mkdir()
    (broken / "recipe.json").write_text(json.dumps([1]))
    assert run("verify", broken) == 1
    assert "does not describe a recipe" in capsys.readouterr().err


def test_without_the_simulation_s_packages(monkeypatch, tmp_path, capsys):
    import sys

    for name in [name for name in sys.modules if name.startswith("gampl.simulation") and name != "gampl.simulation"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("gampl.simulation.production", raising=False)
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    assert run("make", "z_jets", "--folder", tmp_path, "--seeds", "1") == 1
    said = capsys.readouterr().err
    assert "pip install 'gampl[simulation]'" in said
    assert "pythia8mc" in said
