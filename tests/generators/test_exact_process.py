"""Generators of the leading-order process against its exact density: a wrong Jacobian of theirs would be seen here."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.settings import Architecture, Solver
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.store.artifacts import Store
from gampl.training.settings import Fit, LeadingOrder, Training
from gampl.training.train import train_members

PROCESS = LeadingOrderTopPair()
EVENTS = 5000
NAMES = ("m", "Y", "cos theta*", "phi")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


KINDS = {
    "transformer": Architecture("transformer", blocks=1, heads=2, width=16, base="normal"),
    "autoregressive": Architecture("autoregressive", blocks=1, heads=2, width=16, components=6),
    "spline": Architecture("spline", blocks=3, heads=1, width=16, components=6),
}


def trained(kind, folder):
    """A generator that covers the process, so that no weight is large."""
    events = PROCESS.sample(4000, np.random.default_rng(1))
    architecture = replace(KINDS[kind], base="normal")
    fit = Fit(steps=250, learning_rate=1e-2, warmup=20)
    training = Training(LeadingOrder(), len(events), architecture, "deep", members=1, fit=fit)  # sees more events
    return train_members(training, events, Store(folder), solver=Solver("rk4", 6))[0].generator


@pytest.mark.parametrize("kind", ["transformer", "autoregressive", "spline"])
def test_weighted_events_follow_the_exact_density_and_a_wrong_jacobian_would_not(kind, tmp_path):
    """Events weighted with p_true / p_gen follow the truth in each coordinate.

    Kolmogorov-Smirnov with the weights' effective number of events, four tests: false alarm about 4e-4.
    """
    generator = trained(kind, tmp_path)
    events = generator.sample(EVENTS, torch.Generator().manual_seed(4))
    log_gen = torch.cat([generator.log_prob(part) for part in events.split(2000)]).numpy(force=True)
    log_true, truth = PROCESS.log_prob(events.numpy()), PROCESS.sample(100_000, np.random.default_rng(5))
    forgotten = -np.log1p(-(events[:, 2].numpy() ** 2))  # ln |d artanh(c) / dc|

    def p_values(log_ratio):
        weights = np.exp(log_ratio - log_ratio.max())
        effective = weights.sum() ** 2 / (weights**2).sum()
        found = {}
        for k, name in enumerate(NAMES):
            order = np.argsort(events[:, k].numpy())
            share = np.cumsum(weights[order]) / weights.sum()
            exact = np.searchsorted(np.sort(truth[:, k]), events[order, k].numpy()) / len(truth)
            distance = np.abs(share - exact).max()
            found[name] = stats.kstwobign.sf(distance * np.sqrt(1 / (1 / effective + 1 / len(truth))))
        return found, effective

    right, effective = p_values(log_true - log_gen)
    wrong, _ = p_values(log_true - log_gen + forgotten)
    assert effective > 1000
    assert min(right.values()) > 1e-4, right
    assert wrong["cos theta*"] < 1e-6, wrong
    assert np.exp(log_true - log_gen).mean() == pytest.approx(1, abs=0.15)
