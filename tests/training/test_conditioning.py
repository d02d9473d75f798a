"""Trainings of generators of LHC events do not amplify round-off: no number here is compared with a reference.

Two trainings whose initial weights differ by 1e-7, the round-off of single precision, in each weight. How far apart
all their weights are afterwards, relative to their size, is how much another processor, another number of threads or
another version of a library can change a trained network.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gampl.generators.settings import DENSITIES, FLOWS, Architecture
from gampl.processes.top_pair import TopPair
from gampl.training.data import Data, untrained
from gampl.training.fit import Run
from gampl.training.settings import Training
from gampl_book import event_studies

ROUND_OFF = 1e-7
STEPS = 20
# Measured in these 20 steps with seeds 1 to 3: 1.1e-7 to 1.1e-6, and 6e-4 when the frames of LLoCa were made of vectors
# that begin nearly equal.
LARGEST = 1e-5

PLAN = event_studies.trainings("laptop", 1)
SIZES = {kind: PLAN[f"top_pair_0j/{kind}/0"] for kind in (*FLOWS, *DENSITIES) if f"top_pair_0j/{kind}/0" in PLAN}
SIZES["lgatr"] = replace(
    SIZES["lgatr_slim"], architecture=Architecture("lgatr", blocks=1, heads=2, width=16, vectors=4)
)
EVENTS = np.asarray(TopPair(0).load("train").momenta)


def run(training: Training, events: np.ndarray, perturbed: float = 0.0) -> Run:
    """A training before its first step, with weights that are perturbed by so much of themselves."""
    member, stream = untrained(training, Data(events).checked(training, ""), 0), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in member.parameters.values():
            p.mul_(1 + perturbed * torch.randn(p.shape, generator=stream))
    return Run(member, training.fit)


def distance(one: Run, other: Run) -> float:
    """Of all weights, relative to their size."""
    pairs = [(a.detach().double(), other.parameters[name].detach().double()) for name, a in one.parameters.items()]
    return (sum((a - b).square().sum() for a, b in pairs) / sum(a.square().sum() for a, _ in pairs)).sqrt().item()


@pytest.mark.parametrize("kind", SIZES)
def test_a_training_does_not_amplify_round_off(kind):
    training = SIZES[kind]
    training = replace(training, n_train=1000, fit=replace(training.fit, batch_size=64))
    plain, perturbed = run(training, EVENTS[:1000]), run(training, EVENTS[:1000], ROUND_OFF)
    assert 0.5 * ROUND_OFF < distance(plain, perturbed) < 2 * ROUND_OFF
    untrained = run(training, EVENTS[:1000])
    for step in range(STEPS):
        plain.step()
        perturbed.step()
        assert distance(plain, perturbed) < LARGEST, f"after step {step + 1}"
    assert distance(plain, untrained) > 0.01, "it does train"
