"""Weights that a file carries are used, or left out because somebody says so; they are never lost without a word."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from event_samples import KINDS, N, z_jets

from gampl.cli.main import main
from gampl.files import EventFileError, Layout, hdf5
from gampl.particles.events import Events
from gampl.report.process import Process, Region, SampleFiles
from gampl.report.samples import batches
from gampl.report.study import analyse

CARRIERS = ("ours", "npz", "parquet", "csv", "root", "lhe", "lhe_gz", "hepmc", "hepmc2")
SIGNED = np.where(np.arange(N) % 5 == 0, -1.0, 1.0)
PT = "pT_j1"


def write(name, path, weights):
    """A file of a kind, with these weights; what a process is told of it."""
    kind = KINDS[name]
    target = path / kind.name
    events = Events(z_jets().momenta, z_jets().particles, {"weight": np.asarray(weights, dtype=float)})
    if name == "ours":
        hdf5.write(target, {"events": events}, "z_jets", {})
    else:
        kind.write(target, events)
    layout = kind.options.get("layout", Layout(particles=z_jets().particles))
    return target, {"layout": None if name == "ours" else replace(layout, further=True)}


def parts(process, files):
    return [*batches(process, files, (PT,))]


def process_of(files, **options):
    return Process(1000, files, regions=(Region(condition=f"{PT} > 50"),), **options)


@pytest.mark.parametrize("name", CARRIERS)
def test_different_weights_of_members_want_a_choice(name, tmp_path):
    path, options = write(name, tmp_path, SIGNED)
    silent = SampleFiles((path,))
    with pytest.raises(EventFileError) as error:
        parts(process_of(silent, **options), silent)
    said = str(error.value)
    assert said.startswith(f"{path}: events have different weights (2 different ones in {N} events, 12 negative)")
    assert "--weight weight" in said
    assert "--weight none" in said
    used = replace(silent, weight="weight")
    (batch,) = parts(process_of(used, **options), used)
    np.testing.assert_allclose(batch.weights, SIGNED, rtol=1e-6)
    left_out = replace(silent, ignore_weights=True)
    (batch,) = parts(process_of(left_out, **options), left_out)
    assert batch.weights is None


@pytest.mark.parametrize("name", CARRIERS)
def test_equal_weights_say_nothing(name, tmp_path):
    path, options = write(name, tmp_path, np.full(N, 0.1))
    files = SampleFiles((path,))
    (batch,) = parts(process_of(files, **options), files)
    assert batch.weights is None


def table(path, weights, name="weight"):
    x = np.random.default_rng(len(weights)).normal(3, 2, len(weights))
    np.savetxt(path, np.stack([x, weights], axis=-1), header=f"x,{name}", delimiter=",", comments="")
    return path


@pytest.mark.parametrize("role", ["train", "holdout"])
def test_true_events_are_unweighted_or_taken_as_they_are(role, tmp_path):
    rng = np.random.default_rng(2)
    members = SampleFiles(tuple(table(tmp_path / f"m{k}.csv", np.ones(300 + k)) for k in range(3)))
    silent = SampleFiles((table(tmp_path / "true.csv", rng.uniform(0.5, 1, 400)),))

    def study(files, members=members):
        return analyse(Process(400, members, regions=(Region(condition="x > 3"),), summaries=("x",), **{role: files}))

    with pytest.raises(EventFileError, match="events have different weights") as error:
        study(silent)
    assert "--unweight weight" in str(error.value)
    assert "not possible" not in str(error.value)
    assert study(replace(silent, ignore_weights=True)).findings[1].result.curve.n_ref == 400
    assert 250 < study(replace(silent, weight="weight", unweight=True)).findings[1].result.curve.n_ref < 350
    signed = SampleFiles((table(tmp_path / "signed.csv", rng.choice([-1.0, 1.0], 400)),))
    with pytest.raises(EventFileError, match="which is not possible with negative ones"):
        study(signed)


def test_several_files_of_true_events_must_have_the_same_weight(tmp_path):
    paths = [table(tmp_path / f"{weight}.csv", np.full(50, weight)) for weight in (1.0, 2.0)]
    for files, fails in ((SampleFiles((paths[0],)), False), (SampleFiles(tuple(paths)), True)):
        process = Process(100, SampleFiles((paths[0].with_name("m.csv"),)), holdout=files, summaries=("x",))
        if fails:
            with pytest.raises(EventFileError, match="2 different ones"):
                [*batches(process, files, ("x",))]
        else:
            [*batches(process, files, ("x",))]


@pytest.mark.parametrize("name", ["weights", "Weight", "genWeight", "event_weight", "mcEventWeight", "EventWeight"])
def test_common_names_of_weights(name, tmp_path):
    files = SampleFiles((table(tmp_path / "a.csv", np.arange(50.0), name),))
    with pytest.raises(EventFileError, match=rf"--weight {name}\) uses them"):
        [*batches(process_of(files), files, ("x",))]
    (batch,) = batches(process_of(files), replace(files, weight=name), ("x",))
    np.testing.assert_array_equal(batch.weights, np.arange(50.0))
    same = SampleFiles((table(tmp_path / "b.csv", np.full(50, 2.0), name),))
    assert [*batches(process_of(same), same, ("x",))]


@pytest.mark.parametrize("ending", ["npz", "parquet", "csv"])
def test_common_names_of_weights_beside_momenta(ending, tmp_path):
    momenta = z_jets().momenta
    columns = {
        f"{particle}_{coordinate}": momenta[:, k, j]
        for k, particle in enumerate(z_jets().particles)
        for j, coordinate in enumerate(("pT", "phi", "eta", "m"))
    } | {"genWeight": SIGNED}
    path = tmp_path / f"a.{ending}"
    if ending == "npz":
        np.savez(path, momenta=momenta, particles=np.array(z_jets().particles), genWeight=SIGNED)
    else:
        write_table = pd.DataFrame.to_parquet if ending == "parquet" else pd.DataFrame.to_csv
        write_table(pd.DataFrame(columns), path, index=False)
    options, files = {"layout": Layout(particles=z_jets().particles)}, SampleFiles((path,))
    with pytest.raises(EventFileError, match=r"--weight genWeight\) uses them"):
        parts(process_of(files, **options), files)
    used = replace(files, weight="genWeight")
    (batch,) = parts(process_of(used, **options), used)
    np.testing.assert_array_equal(batch.weights, SIGNED)


def test_a_column_that_is_asked_for_or_has_another_name_is_not_a_weight(tmp_path):
    """Who gives a condition on the weight of people knows what it is."""
    weights = np.arange(50.0)
    for name, asked in (("weight", ("x", "weight")), ("w", ("x",)), ("weight_kg", ("x",)), ("lightweight", ("x",))):
        files = SampleFiles((table(tmp_path / f"{name}.csv", weights, name),))
        assert [*batches(process_of(files), files, asked)]


def test_both_choices_at_once_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ignore_weights"):
        SampleFiles((tmp_path / "a.csv",), weight="w", ignore_weights=True)


@pytest.mark.parametrize("choice", [None, "weight", "none"])
def test_signed_records_from_the_shell(choice, tmp_path, capsys):
    paths = []
    for k in range(3):
        folder = tmp_path / str(k)
        folder.mkdir()
        events = z_jets(seed=k)
        path = folder / f"m{k}.lhe"
        KINDS["lhe"].write(path, Events(events.momenta, events.particles, {"weight": SIGNED}))
        paths.append(str(path))
    command = ["averaging", "--n-train", "100", "--particles", "mu-,mu+,j1,j2", "--quiet"]
    command += [] if choice is None else ["--weight", choice]
    command += ["--region", f"{PT} > 100", "--max-lost", "0.1", "--members", *paths]
    assert main(command) == (choice is None)
    shown = capsys.readouterr()
    assert ("weighted events" in shown.out) is (choice == "weight")
    assert ("m0.lhe: events have different weights" in shown.err) is (choice is None)


def test_a_process_file_leaves_them_out_aloud(tmp_path, capsys):
    for k in range(3):
        table(tmp_path / f"m{k}.csv", np.random.default_rng(k).uniform(0.5, 1, 300 + k))
    text = "n_train: 100\nmembers: {files: 'm*.csv'IGNORE}\nregions: x > 3\n"
    for more, status in (("", 1), (", ignore_weights: true", 0), (", weight: weight", 0)):
        (tmp_path / "p.yml").write_text(text.replace("IGNORE", more))
        assert main(["report", str(tmp_path / "p.yml"), "--output", str(tmp_path / "r.html"), "--quiet"]) == status
        capsys.readouterr()
    assert "weights weight" in (tmp_path / "r.html").read_text()
