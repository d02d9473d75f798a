"""Training ten members side by side, as `fit_ensemble` does by itself, next to one after the other."""

import pytest
import torch
from side_by_side import report, seconds

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.settings import Fit
from gampl.training.ensemble import fit_ensemble, hold_out

MEMBERS, FEATURES = 10, 2


@pytest.mark.parametrize("batch_size", [250, 1000])
@pytest.mark.parametrize(("width", "layers"), [(16, 1), (32, 2)])
def test_side_by_side(benchmark, width, layers, batch_size):
    torch.set_num_threads(1)
    x = torch.randn(2000, FEATURES, generator=torch.Generator().manual_seed(0))
    splits = [hold_out(len(x), torch.Generator().manual_seed(i)) for i in range(MEMBERS)]
    settings = Fit(steps=15, batch_size=batch_size, validate_every=15)

    def train(at_once: int) -> None:
        networks = [
            AutoregressiveTransformer(FEATURES, width, layers, generator=torch.Generator().manual_seed(i))
            for i in range(MEMBERS)
        ]
        fit_ensemble(networks, x, splits, settings, seed=0, at_once=at_once)

    together, apart = seconds(lambda: train(MEMBERS), lambda: train(1), rounds=3)
    report(benchmark, "speed-up", apart / together, ms_per_step=1e3 * together / settings.steps)
    benchmark.pedantic(train, (MEMBERS,), rounds=1)
    assert apart / together >= 0.9
