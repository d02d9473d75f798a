"""Faults that are planted by hand have exactly the ratios that they say they have."""

import numpy as np
import pytest

from gampl.processes import LeadingOrderTopPair
from gampl.ratio import auc
from gampl_book.planted_faults import faults, mean_of_mass, tail

PROCESS = LeadingOrderTopPair()
FAULTS = faults(PROCESS)
N = 20_000


@pytest.mark.parametrize("name", FAULTS)
def test_weights_have_mean_one_and_turn_one_sample_into_the_other(name):
    """Fails by chance once in 10^5 runs for all faults together: 60 numbers within 5.5 standard deviations."""
    fault, rng = FAULTS[name], np.random.default_rng(7)
    true, generated = fault.true(N, rng), fault.generated(N, rng)
    assert true.shape == generated.shape == (N, 4)
    w, inverse = np.exp(fault.log_ratio(generated)), np.exp(-fault.log_ratio(true))
    for weights in (w, inverse):
        assert abs(weights.mean() - 1) <= 5.5 * weights.std() / np.sqrt(N)
    for observable in PROCESS.observables.values():
        x, y = observable(true), observable(generated)
        for level in (0.1, 0.5, 0.9):
            edge = np.quantile(x, level)
            weighted, plain = w * (y < edge), x < edge
            error = np.sqrt((weighted.var() + plain.var()) / N)
            assert abs(weighted.mean() - plain.mean()) < 5.5 * error


def test_only_the_perfect_generator_is_perfect():
    for name, fault in FAULTS.items():
        rng = np.random.default_rng(8)
        value, interval = auc(*(np.clip(fault.log_ratio(d(N, rng)), -30, 30) for d in (fault.true, fault.generated)))
        assert (interval.low > 0.5) == (name != "perfect")
        assert value == 0.5 or name != "perfect"
        assert bool(fault.observable) == (name != "perfect")


def test_means_of_the_mass_are_exact():
    assert mean_of_mass(PROCESS, lambda events: np.ones(len(events))) == pytest.approx(1, abs=1e-12)
    assert mean_of_mass(PROCESS, tail, 64) == pytest.approx(mean_of_mass(PROCESS, tail, 96), rel=1e-5)
