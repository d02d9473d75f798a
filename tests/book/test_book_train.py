"""The command line of training, on the smoke profile's sizes."""

import json
from dataclasses import asdict

import pytest

from gampl_book import plan
from gampl_book.__main__ import main


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "store"))


@pytest.mark.parametrize("name", ["ring2d/deep/1", "top_pair_4j/transformer/1"])
def test_a_training_leaves_a_receipt_and_is_found_again(name, tmp_path, capsys):
    receipt = tmp_path / "receipts" / "job.json"
    command = ["train", name, "--profile", "smoke", "--seed", "3", "--receipt", str(receipt)]
    assert main(command) == 0
    first = receipt.read_text()
    members = json.loads(first)
    training = plan.trainings("smoke", 3)[name]
    assert list(members) == ([f"{name}/{k}" for k in range(training.members)] if name.startswith("ring") else [name])
    for about in members.values():
        assert about["training"] == asdict(training)
        assert (tmp_path / "store" / about["artifact"][:2] / about["artifact"]).is_dir()
    files = sorted((tmp_path / "store").rglob("*.safetensors"))
    # the weights of each; of events also what was generated, and how much was lost
    assert len(files) == (training.members if name.startswith("ring") else 3)
    assert main(command) == 0
    assert receipt.read_text() == first
    assert sorted((tmp_path / "store").rglob("*.safetensors")) == files
    assert "artifact" in capsys.readouterr().out


def test_an_unknown_training_is_named_before_any_work(tmp_path, capsys):
    assert main(["train", "ring2d/deep/1", "top_pair_9j/lloca/0", "--profile", "smoke"]) == 1
    assert "no training 'top_pair_9j/lloca/0' in profile smoke" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
