"""What kept networks cost: against networks that are built, and against their artifacts."""

import json

import pytest
import torch

from gampl.training.data import Data, untrained
from gampl.training.settings import Ring
from gampl_book import ROOT, event_studies, network_costs, plan, ring_ensembles
from gampl_book.event_ensembles import training_events

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
