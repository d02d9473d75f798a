"""Sobol integrals with the last coordinate done analytically, next to counting samples, at the same error."""

import numpy as np
import pytest
import torch
from side_by_side import report, seconds

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.densities import Density, Plain
from gampl.generators.settings import Architecture
from gampl_book.integrals import shell_integrals

EDGES = np.concatenate([[0.0], np.linspace(0.7, 1.3, 19), [np.inf]])


@pytest.mark.parametrize(("features", "expected"), [(2, 20), (4, 1.5)])
def test_integrals(benchmark, features, expected):
    torch.set_num_threads(1)
    n_gen = 100_000
    size = Architecture("autoregressive", blocks=1, width=16)
    streams = [torch.Generator().manual_seed(i) for i in (0, 1)]
    members = [AutoregressiveTransformer(features, size, generator=stream) for stream in streams]
    generators = [Density(Plain(features), member) for member in members]

    def sample(i):
        return generators[i].sample(n_gen, torch.Generator().manual_seed(i)).numpy()

    def integrate():
        return shell_integrals(members, EDGES, n=1024, replicates=8)

    def count():
        return [np.histogram(np.linalg.norm(sample(i), axis=1), EDGES) for i in range(2)]

    values, error = integrate()
    by_integral, by_counting = seconds(integrate, count, rounds=3)
    # the error of counts is binomial and falls as 1 / sqrt(time): scale to the time that both would need
    counting_variance = (values * (1 - values) / n_gen).mean()
    ratio = by_counting * counting_variance / (by_integral * (error**2).mean())
    report(benchmark, "speed-up at equal error", ratio, seconds=by_integral, error=float(error.mean()))
    benchmark.pedantic(integrate, rounds=2)
    assert ratio >= expected
