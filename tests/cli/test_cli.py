"""The command line of training, on the smoke profile's sizes."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from gampl.cli.main import main
from gampl_book import event_studies, studies


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "store"))


@pytest.mark.parametrize("name", ["ring2d/deep/1", "top_pair_4j/transformer/1"])
def test_a_training_leaves_a_receipt_and_is_found_again(name, tmp_path, capsys):
    receipt = tmp_path / "receipts" / "job.json"
    command = ["train", name, "--profile", "smoke", "--seed", "3", "--receipt", str(receipt)]
    assert main(command) == 0
    first = receipt.read_text()
    plan = studies.trainings("smoke", 3) | event_studies.trainings("smoke", 3)
    content = json.loads(first)[name]
    assert content["training"] == asdict(plan[name])
    assert (tmp_path / "store" / content["artifact"][:2] / content["artifact"]).is_dir()
    files = sorted((tmp_path / "store").rglob("*.safetensors"))
    assert len(files) == (1 if name.startswith("ring") else 3)  # the weights, what was generated, how much was lost
    assert main(command) == 0
    assert receipt.read_text() == first
    assert sorted((tmp_path / "store").rglob("*.safetensors")) == files
    assert "artifact" in capsys.readouterr().out


def test_an_unknown_training_is_named_before_any_work(tmp_path, capsys):
    assert main(["train", "ring2d/deep/1", "top_pair_9j/lloca/0", "--profile", "smoke"]) == 1
    assert "no training 'top_pair_9j/lloca/0' in profile smoke" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


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
    code = f"import sys; sys.modules[{module!r}] = None; from gampl.cli.main import main; sys.exit(main(sys.argv[1:]))"
    arguments = command.format(f=tmp_path).split()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"pip install 'gampl[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
