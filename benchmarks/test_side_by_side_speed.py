"""Four event generators trained side by side, `gampl_book.train --parallel 4`, next to one after the other."""

from dataclasses import replace

import pytest
import torch
from side_by_side import report, seconds

from gampl.training.data import Data, untrained
from gampl.training.fit import fit
from gampl.training.members import Stack
from gampl_book import event_studies
from gampl_book.event_ensembles import training_events

MEMBERS = 4
NAMES = [f"top_pair_0j/{kind}" for kind in ("transformer", "lgatr_slim", "lloca", "autoregressive", "spline")]
NAMES += [f"leading_order_1000/{kind}" for kind in ("transformer", "autoregressive", "spline")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", ["smoke", "laptop"])
def test_members_side_by_side(benchmark, profile, name):
    torch.set_num_threads(1)
    training = event_studies.trainings(profile, 1)[f"{name}/0"]
    steps = 10 if profile == "smoke" else 4
    budget = replace(training.fit, steps=steps, warmup=1, validate_every=steps)
    data = Data(training_events(training, profile)).checked(training, name)

    def members() -> list:
        return [untrained(replace(training, fit=budget), data, k) for k in range(MEMBERS)]

    one_by_one, stack = members(), Stack(members())
    for trainable in (*one_by_one, stack):  # validation is not what is timed
        trainable.validation_losses = lambda _: None
    together, apart = seconds(
        lambda: fit(stack, budget), lambda: [fit(member, budget) for member in one_by_one], rounds=5
    )
    report(benchmark, "speed-up", apart / together, ms_per_step=1e3 * together / steps)
    benchmark.pedantic(lambda: fit(stack, budget), rounds=1)
