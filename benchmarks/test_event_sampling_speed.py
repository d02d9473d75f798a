"""Events of a flow with few evaluations of its network, next to the 200 of the public code, at equal accuracy."""

import numpy as np
import pytest
import torch
from scipy import stats
from side_by_side import report, seconds

from gampl.generators.settings import Architecture, Solver
from gampl.processes.top_pair import TopPair
from gampl.store.artifacts import Store
from gampl.training.settings import Fit, TopPairJets, Training
from gampl.training.train import train_or_load
from gampl_book import event_studies

PUBLIC = Solver("rk4", 50)  # 200 evaluations
OURS = event_studies.solver("laptop")
OBSERVABLES = ("m_tt", "m_W1", "m_t1", "pT(q2)", "eta(b1)", "deltaR(q1,q2)")
EVENTS = 500
SIZES = {
    "transformer": Architecture("transformer", blocks=2, heads=4, width=32),
    "lgatr_slim": Architecture("lgatr_slim", blocks=2, heads=4, width=32, vectors=8),
    "lloca": Architecture("lloca", blocks=2, heads=4, width=52, vectors=2),
}


@pytest.mark.parametrize("kind", SIZES)
def test_sampling_at_equal_accuracy(benchmark, kind, tmp_path):
    """Equal: with the same noise, observables are nearer to those of 200 evaluations than further samples would be.

    The largest Kolmogorov-Smirnov distance of six observables is below half of the 0.055 that two independent samples
    of 500 events have on average, and far below that to true events.
    """
    torch.set_num_threads(1)
    process = TopPair()
    true = process.load("train").momenta
    fit = Fit(steps=200, learning_rate=1e-2)
    training = Training(TopPairJets(), 5000, SIZES[kind], members=1, fit=fit)
    flow = train_or_load(training, true[:5000], Store(tmp_path)).members[0].generator
    latent = flow.base.sample(EVENTS, torch.Generator().manual_seed(1))

    def generate(solver: Solver) -> np.ndarray:
        return flow.coordinates.to_events(flow.transport(latent, solver)).numpy()

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return max(stats.ks_2samp(*(process.observable(name)(e) for e in (a, b))).statistic for name in OBSERVABLES)

    quick, slow = generate(OURS), generate(PUBLIC)
    to_public, to_truth = distance(quick, slow), distance(slow, true)
    taken = seconds(lambda: generate(OURS), lambda: generate(PUBLIC), rounds=1)
    report(
        benchmark,
        "times cheaper than 200 evaluations",
        taken[1] / taken[0],
        events_per_second=EVENTS / taken[0],
        distance_to_200_evaluations=to_public,
        distance_to_true_events=to_truth,
    )
    benchmark.pedantic(lambda: generate(OURS), rounds=1)
    assert to_public < 0.5 * 0.055
    assert to_public < 0.15 * to_truth
    assert taken[1] / taken[0] >= 5
