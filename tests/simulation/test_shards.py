import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gampl import files
from gampl.simulation import shards
from gampl.simulation.merging import Source, merge
from gampl.simulation.production import make_shards
from gampl.simulation.top_pair import TopPairRecipe
from gampl.simulation.z_jets import ZJetsRecipe

RECIPE = ZJetsRecipe(batch=100)
N_EVENTS = 300


def contents(folder):
    """Checksums of the events of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(folder).glob("*.h5"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    make_shards(folder, RECIPE, range(1, 5), N_EVENTS, show_progress=False)
    return folder


@pytest.fixture
def copy(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_shard_says_what_it_is(made):
    shard = shards.find(made, 3)
    shards.verify(made, shard)
    assert shard.generated == N_EVENTS
    (events,) = files.batches(shards.events_path(made, 3), sample="events")
    assert len(events) == shard.passed["kept"]
    assert events.about["recipe"] == RECIPE.describe()
    assert shards.read_recipe(made) == RECIPE.describe() | {"events_per_shard": N_EVENTS}
    assert shards.seeds(made) == [1, 2, 3, 4]
    assert shard.versions["pythia8mc"] == "8.317.2"
    assert shard.seconds > 0


def test_same_seed_same_bytes_in_any_order_on_any_number_of_cores(made, tmp_path):
    make_shards(tmp_path, RECIPE, [4, 2, 3, 1], N_EVENTS, processes=2, show_progress=False)
    assert contents(tmp_path) == contents(made)


def test_what_is_there_is_left_alone(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.glob("seed_*")}
    found = make_shards(copy, RECIPE, [1, 2], N_EVENTS, show_progress=False)
    assert [shard.seed for shard in found] == [1, 2]
    assert before == {path: path.stat().st_mtime_ns for path in copy.glob("seed_*")}


def test_one_folder_one_recipe(copy):
    with pytest.raises(ValueError, match=r"holds shards with pt_min = 20\.0, not 30\.0"):
        make_shards(copy, replace(RECIPE, pt_min=30.0), [9], N_EVENTS, show_progress=False)
    with pytest.raises(ValueError, match="events_per_shard = 300, not 200"):
        make_shards(copy, RECIPE, [9], 200, show_progress=False)
    with pytest.raises(ValueError, match="'z_jets', not 'top_pair'"):
        make_shards(copy, TopPairRecipe(), [9], N_EVENTS, show_progress=False)
    with pytest.raises(ValueError, match="each seed must be named once"):
        make_shards(copy, RECIPE, [9, 9], N_EVENTS, show_progress=False)


def test_damage_is_found(copy):
    path = shards.events_path(copy, 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"seed_000000002.h5 does not agree with its checksum"):
        shards.verify(copy, shards.find(copy, 2))
    with pytest.raises(ValueError, match="does not agree"):
        merge([Source(copy, [1], [2])], "events", copy / "merged.h5")
    assert not (copy / "merged.h5").exists()
    shards.events_path(copy, 3).unlink()
    with pytest.raises(ValueError, match=r"seed_000000003.h5 is missing"):
        shards.find(copy, 3)
    (copy / "seed_000000004.json").write_text("{half")
    with pytest.raises(ValueError, match=r"seed_000000004.json does not describe a shard"):
        shards.find(copy, 4)
    described = json.loads((copy / "seed_000000001.json").read_text())
    for damaged in ({}, described | {"passed": {}}, described | {"passed": []}, described | {"colour": 1}):
        (copy / "seed_000000004.json").write_text(json.dumps(damaged))
        with pytest.raises(ValueError, match="does not describe a shard"):
            shards.find(copy, 4)


def test_a_copied_shard_is_not_another(copy):
    for ending in ("h5", "json"):
        shutil.copy(copy / f"seed_000000001.{ending}", copy / f"seed_000000009.{ending}")
    with pytest.raises(ValueError, match="describes the shard of seed 1, not of 9"):
        merge([Source(copy, [1], [9])], "events", copy / "merged.h5")
    path = copy / "seed_000000009.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 9}))
    with pytest.raises(ValueError, match=r"seed_000000009\.h5 was made from another seed or by another recipe"):
        merge([Source(copy, [1], [9])], "events", copy / "merged.h5")


def test_what_pythia_refuses_leaves_no_folder_behind(tmp_path):
    with pytest.raises(ValueError, match="seed must be from 1"):
        make_shards(tmp_path / "new", RECIPE, [999_999_999], N_EVENTS, show_progress=False)
    assert not (tmp_path / "new").exists()


COMMAND = [sys.executable, "-m", "gampl", "events", "make", "z_jets", "--events", str(N_EVENTS), "--set", "batch=100"]


def start(folder, seeds, *more):
    return subprocess.Popen(
        [*COMMAND, "--folder", str(folder), "--seeds", seeds, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_files(made, tmp_path):
    process = start(tmp_path, "1-4", "--cores", "1")
    while not list(tmp_path.glob("seed_*.h5")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(list(tmp_path.glob("seed_*.json"))) < 4  # it was killed before the end
    (tmp_path / ".seed_000000004.h5.0123.part").write_bytes(b"half a file")
    again = start(tmp_path, "1-4", "--cores", "1")
    again.communicate()
    assert again.returncode == 0
    assert contents(tmp_path) == contents(made)
    assert not list(tmp_path.glob(".seed_*"))


@pytest.mark.slow
def test_interrupt_key_ends_all_processes(tmp_path):
    process = start(tmp_path, "1-400", "--cores", "2")
    while not list(tmp_path.glob("seed_*.json")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "goes on from what is already done" in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_workers_do_not_outlive_the_command(tmp_path):
    process = start(tmp_path, "1-400", "--cores", "2")
    while not list(tmp_path.glob("seed_*.json")):
        time.sleep(0.05)
    process.kill()  # this process only
    process.communicate(timeout=30)  # returns when the last worker has closed the pipes that it shares
    number = len(contents(tmp_path))
    time.sleep(1.5)
    assert len(contents(tmp_path)) == number


@pytest.mark.slow
def test_workers_run_no_code_from_the_current_folder(tmp_path):
    for name in ("pickle", "json", "sitecustomize", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'a').write({name!r})\n")
    command = tmp_path / "bin" / "gampl"  # as pip installs it
    command.parent.mkdir()
    command.write_text("from gampl.cli.main import main\nif __name__ == '__main__':\n    main()\n")
    options = ["events", "make", "z_jets", "--events=20", "--folder=shards", "--seeds=1-2", "--cores=2"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "shards").glob("seed_*.json"))) == 2
    assert not (tmp_path / "planted").exists()


@pytest.mark.slow
def test_two_commands_at_once_share_the_work(made, tmp_path):
    both = [start(tmp_path, "1-4", "--cores", "1") for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert contents(tmp_path) == contents(made)
    assert all("4 shards, 1200 generated events" in out for out, _ in outputs)


def test_merged_files_are_split_by_seed_and_weighted_by_cross_section(made, tmp_path):
    output = tmp_path / "merged.h5"
    sizes = merge([Source(made, [1, 2, 3], [4])], "events", output)
    parts = {seed: files.read(shards.events_path(made, seed), sample="events") for seed in range(1, 5)}
    train = files.read(output, sample="train")
    holdout = files.read(output, sample="holdout")
    assert sizes == {"train": len(train), "holdout": len(holdout)}
    assert np.array_equal(train.momenta, np.concatenate([parts[seed].momenta for seed in (1, 2, 3)]))
    assert np.array_equal(holdout.momenta, parts[4].momenta)
    # weights add up to the cross section, up to the fluctuation of what is kept: 5 standard deviations
    for events, seeds in ((train, (1, 2, 3)), (holdout, (4,))):
        weights = events.columns["weight"]
        expected = np.mean([shards.find(made, seed).cross_section for seed in seeds])
        assert abs(weights.sum() - expected) < 5 * np.sqrt((weights**2).sum())
    merge([Source(made, [3, 1, 2], [4])], "events", tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == output.read_bytes()


def test_recipes_with_other_numbers_of_jets_add_cross_sections(tmp_path):
    few, many = replace(RECIPE, max_jets=1), replace(RECIPE, min_jets=2, kept=())
    (shard,) = make_shards(tmp_path / "few", few, [6], N_EVENTS, show_progress=False)
    (other,) = make_shards(tmp_path / "many", many, [7], N_EVENTS, show_progress=False)
    merge([Source(tmp_path / "few", [6], []), Source(tmp_path / "many", [7], [])], "events", tmp_path / "both.h5")
    (events,) = files.batches(tmp_path / "both.h5", sample="train")
    number, weights = events.multiplicity - 2, events.columns["weight"]
    assert (number >= 2).sum() == other.passed["kept"] > 0
    for n, kept in enumerate(RECIPE.kept[:2]):
        assert weights[number == n] == pytest.approx(shard.cross_section / N_EVENTS / kept)
    assert weights[number >= 2] == pytest.approx(other.cross_section / N_EVENTS)


def test_two_folders_of_one_recipe_are_one_source(made, tmp_path):
    other = tmp_path / "other machine"
    make_shards(other, RECIPE, [8], N_EVENTS, show_progress=False)
    merge([Source(made, [1, 2], []), Source(other, [8], [])], "events", tmp_path / "both.h5")
    (events,) = files.batches(tmp_path / "both.h5", sample="train")
    (source,) = events.about["sources"]
    assert source["train"]["passed"]["generated"] == 3 * N_EVENTS
    weights = events.columns["weight"]
    assert abs(weights.sum() - source["train"]["cross_section_pb"]) < 5 * np.sqrt((weights**2).sum())


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (replace(RECIPE, pt_min=40.0), "recipes that differ in pt_min cannot be merged"),
        (replace(RECIPE, kept=()), "would count twice"),
        (replace(RECIPE, kept=(), min_jets=4), "would count twice"),
    ],
)
def test_merging_refuses_recipes_that_do_not_go_together(made, tmp_path, other, sentence):
    shards.prepare(tmp_path / "other", other, N_EVENTS)
    with pytest.raises(ValueError, match=sentence):
        merge([Source(made, [1], []), Source(tmp_path / "other", [9], [])], "events", tmp_path / "both.h5")


def test_merging_refuses(made, tmp_path):
    output = tmp_path / "merged.h5"
    with pytest.raises(ValueError, match="seed 2 is named more than once"):
        merge([Source(made, [1, 2], [2])], "events", output)
    with pytest.raises(ValueError, match=r"lacks 2 of 3 shards, the first of seed 5: make them with gampl events make"):
        merge([Source(made, [4, 5, 6], [])], "events", output)
    with pytest.raises(ValueError, match="at least one seed"):
        merge([Source(made, [], [])], "events", output)
    with pytest.raises(ValueError, match="is not a folder of shards"):
        merge([Source(tmp_path, [1], [])], "events", output)
    assert not output.exists()


def test_merging_refuses_shards_of_different_versions(copy):
    path = copy / "seed_000000002.json"
    described = json.loads(path.read_text())
    described["versions"]["fastjet"] = "0.1"
    path.write_text(json.dumps(described))
    with pytest.raises(ValueError, match="different versions of fastjet"):
        merge([Source(copy, [1], [2])], "events", copy / "merged.h5")
