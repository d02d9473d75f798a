"""Training ten members of a ring side by side, as the book does, next to one after the other."""

import pytest
import torch
from side_by_side import report, seconds

from gampl.generators.settings import Architecture
from gampl.training.data import Data, untrained
from gampl.training.fit import fit
from gampl.training.members import Stack
from gampl.training.settings import Fit, Ring, Training

MEMBERS, FEATURES = 10, 2


@pytest.mark.parametrize("batch_size", [250, 1000])
@pytest.mark.parametrize(("width", "layers"), [(16, 1), (32, 2)])
def test_side_by_side(benchmark, width, layers, batch_size):
    torch.set_num_threads(1)
    budget = Fit(steps=15, batch_size=batch_size, validate_every=15)
    size = Architecture("autoregressive", blocks=layers, width=width)
    training = Training(Ring(FEATURES), 2000, size, "deep", MEMBERS, fit=budget)
    x = torch.randn(2000, FEATURES, generator=torch.Generator().manual_seed(0))
    data = Data(x.numpy()).checked(training, "")

    def train(parallel: int) -> None:
        members = [untrained(training, data, k) for k in range(MEMBERS)]
        for trainable in [Stack(members)] if parallel > 1 else members:
            fit(trainable, budget)

    together, apart = seconds(lambda: train(MEMBERS), lambda: train(1), rounds=3)
    report(benchmark, "speed-up", apart / together, ms_per_step=1e3 * together / budget.steps)
    benchmark.pedantic(train, (MEMBERS,), rounds=1)
    assert apart / together >= 0.9
