"""The fingerprint of a run: equal where numbers are, and different where one of them is."""

import json
import shutil

import h5py
import numpy as np
import pytest

from gampl.store.artifacts import Artifact, Store, key_digest
from gampl_book.__main__ import main

WEIGHTS = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Writes the products of a run with changes in them, and returns the arguments that name them."""
    monkeypatch.setenv("GAMPL_KEPT", "")

    def write(key="one", weights=WEIGHTS, parameter="w", value=1.5, events=(1.0, 2.0), time="now", x=7):
        folder = tmp_path / "run"
        for name in ("receipts/ring2d", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        artifact = Artifact({parameter: weights, "history.steps": np.arange(3)}, {"seconds": 3.0})
        Store(tmp_path / "store").get_or_make({"key": key}, lambda _: artifact)
        receipt = {"ring2d/deep/1": {"artifact": key_digest({"key": key}), "device": "cpu"}}
        (folder / "receipts/ring2d/deep.json").write_text(json.dumps(receipt))
        numbers = {"G": {"value": value, "interval": [1.0, "inf"], "level": 0.95}, "n": {"value": 3}}
        (folder / "results/page.json").write_text(json.dumps({"commit": key, "numbers": numbers}))
        with h5py.File(tmp_path / "events.h5", "w") as file:
            file["train/momenta"] = np.array(events)
            file.attrs["made"] = time
        (tmp_path / "out.json").write_text(json.dumps({"time": time, "command": time, "rows": [x]}))
        files = ["--events", tmp_path / "events.h5", "--json", tmp_path / "out.json"]
        return list(map(str, ["fingerprint", "--build", folder, "--store", tmp_path / "store", *files]))

    return write


@pytest.fixture
def before(run, tmp_path, capsys):
    assert main(run()) == 0
    path = tmp_path / "before.json"
    path.write_text(capsys.readouterr().out)
    return path


def test_what_does_not_count(run, before, capsys):
    """Another key, another name of a parameter, another time."""
    assert main([*run(key="two", parameter="renamed", time="later"), "--compare", str(before)]) == 0
    assert capsys.readouterr().out == ""
    assert len(json.loads(before.read_text())) == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"key": "two", "weights": np.nextafter(WEIGHTS, 9)}, "training ring2d/deep/1"),
        ({"key": "two", "weights": WEIGHTS.astype(np.float32)}, "training ring2d/deep/1"),
        ({"value": np.nextafter(1.5, 2)}, "number page.G"),
        ({"events": (1.0, np.nextafter(2.0, 3))}, "events events.h5"),
        ({"x": 8}, "output out.json"),
    ],
)
def test_the_last_bit_is_seen_and_named(run, before, capsys, change, what):
    assert main([*run(**change), "--compare", str(before)]) == 1
    assert capsys.readouterr().out == f"{what}: differs\n"


def test_what_is_missing_or_new_is_named(run, before, capsys):
    arguments = run()
    sums = json.loads(before.read_text())
    sums["number page.gone"] = sums.pop("number page.n")
    before.write_text(json.dumps(sums))
    assert main([*arguments, "--compare", str(before)]) == 1
    assert set(capsys.readouterr().out.splitlines()) == {"number page.gone: only there", "number page.n: only here"}
    shutil.rmtree(arguments[4])
    assert main([*arguments, "--compare", str(before)]) == 1
    assert "training ring2d/deep/1: differs" in capsys.readouterr().out
