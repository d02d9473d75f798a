"""What kept networks cost: against networks that are built, and against their artifacts."""

import json

import numpy as np
import pytest
import torch

from gampl.generators.settings import Architecture
from gampl.processes import GaussianRing
from gampl.store.artifacts import Store
from gampl.training import train_members
from gampl.training.data import Data, untrained
from gampl.training.settings import Fit, Ring, Training
from gampl_book import ROOT, event_studies, network_costs, plan, ring_ensembles
from gampl_book.event_ensembles import training_events
from gampl_book.pages import Page
from gampl_book.trained_costs import of_trained

RINGS = [f"ring{dim}d/{posterior}/1" for dim in (2, 4) for posterior in ("bayesian", "deep", "bootstrap")]
EVENTS = [f"{name}/0" for name in event_studies.ensembles("smoke", 1) if "repulsive" not in name]
PLAN = plan.trainings("smoke", 1)


@pytest.mark.parametrize("name", [*RINGS, *EVENTS])
def test_parameters_are_those_that_are_trained(name):
    training = PLAN[name]
    ring = isinstance(training.process, Ring)
    events = ring_ensembles.data(training) if ring else training_events(training, "smoke")
    member = untrained(training, Data(events(0) if callable(events) else events), 0, torch.device("cpu"), None)
    wanted = {"architecture.kind": training.architecture.kind, "posterior": training.posterior}
    wanted |= {"process.name": type(training.process).__name__}
    size = {"Ring": "dim", "TopPairJets": "extra_jets"}.get(wanted["process.name"])
    if size:
        wanted[f"process.{size}"] = str(getattr(training.process, size))
    number = sum(p.numel() for p in member.parameters.values())
    assert network_costs.cost(wanted, training.n_train, "smoke").parameters == (number, number)


def test_the_time_is_the_median_of_those_of_the_networks():
    seconds = []
    for path in (ROOT / "data/trainings/laptop").glob("*/*/artifact.json"):
        artifact = json.loads(path.read_text())
        training = artifact["key"].get("training", {})
        if isinstance(training, dict) and training.get("architecture", {}).get("kind") == "lloca":
            seconds.append((training["process"]["extra_jets"], artifact["about"]["seconds"]))
    for jets, size in ((0, 20000), (4, 2825)):
        of_jets = sorted(time for extra, time in seconds if extra == jets)
        wanted = {"architecture.kind": "ll*", "process.extra_jets": str(jets)}
        assert of_jets[0] < network_costs.cost(wanted, size, "laptop").training < of_jets[-1]


def test_what_nobody_has_measured_is_not_there():
    nothing = network_costs.Cost(None, None, None)
    assert network_costs.cost({}, 1000, "laptop") == nothing
    assert network_costs.cost({"posterior": "bootstrap"}, 1000, "gpu") == nothing
    assert network_costs.cost({"posterior": "bootstrap"}, 10, "laptop") == nothing
    assert network_costs.cost({"posterior": "none"}, None, "laptop") == nothing


@pytest.mark.parametrize("posterior", ["deep", "bayesian", "repulsive"])
def test_a_page_can_say_what_its_network_costs(posterior, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "own"))
    size, events = (
        Architecture("autoregressive", 1, 1, 8, components=2),
        GaussianRing().sample(60, np.random.default_rng(1)),
    )
    training = Training(Ring(2), 60, size, posterior, 2, 1, Fit(40, 16, warmup=4, validate_every=20))
    one, _ = train_members(training, events, Store(tmp_path / "own"))
    before = sorted((tmp_path / "own").rglob("*.json"))
    member = untrained(training, Data(events).checked(training, "test"), 0)
    cost = of_trained(one, events)
    assert cost["parameters"] == sum(p.numel() for p in member.parameters.values())
    assert cost["generation"] > 0
    assert 0 < cost["training"] < 60
    assert sorted((tmp_path / "own").rglob("*.json")) == before  # nothing is stored


def test_costs_stand_beside_the_recorded_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_OUTPUT", str(tmp_path))
    page = Page("gaussian_line", "smoke", 1)
    page.cost("net", 12, 1.23456, 0.001)
    page.record("G", 2.0)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["costs"] == {"net": {"parameters": 12, "training": 1.23, "generation": 0.001}}
    assert list(content["numbers"]) == ["G"]
