import copy
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.densities import Density, Plain
from gampl.generators.settings import Architecture
from gampl_book.integrals import shell_integrals, sobol_numbers

EDGES = np.array([0.0, 0.4, 0.8, 1.3, 2.0, np.inf])


def posterior(features, members=2):
    size = Architecture("autoregressive", blocks=1, width=16)
    streams = [torch.Generator().manual_seed(i) for i in range(members)]
    return [AutoregressiveTransformer(features, size, generator=stream) for stream in streams]


def by_polar_quadrature(network):
    """Integrals over the shells but the last, for d = 2: Gauss-Legendre in the radius, midpoints in the angle."""
    angle = (np.arange(400) + 0.5) * 2 * np.pi / 400
    nodes, node_weights = np.polynomial.legendre.leggauss(40)
    values = []
    for low, high in pairwise(EDGES[:-1]):
        r = (high - low) / 2 * nodes + (high + low) / 2
        x = np.stack([np.outer(r, np.cos(angle)), np.outer(r, np.sin(angle))], -1)
        density = copy.deepcopy(network).double().log_prob(torch.from_numpy(x)).exp().detach().numpy()
        values.append((high - low) / 2 * (node_weights * r) @ density.mean(1) * 2 * np.pi)
    return np.array(values)


def test_two_dimensions_agree_with_polar_quadrature():
    p = posterior(2)
    values, error = shell_integrals(p, EDGES, n=4096)
    exact = np.stack([by_polar_quadrature(network) for network in p])
    assert error.max() < 2e-4
    # false alarm: 8 values, each 6 standard errors of 8 replicates away in 5e-4 of the cases
    assert (np.abs(values[:, :-1] - exact) < 6 * error[:, :-1] + 1e-9).all()
    assert (np.abs(values[0] - values[1])[:-1] > 100 * error[0, :-1]).any()  # it would see the wrong member


@pytest.mark.parametrize("features", [3, 4])
def test_more_dimensions_agree_with_sampling(features):
    n = 100_000
    p = posterior(features)
    values, error = shell_integrals(p, EDGES, n=8192)
    for member in range(2):
        events = Density(Plain(features), p[member]).sample(n, torch.Generator().manual_seed(1))
        counts, _ = np.histogram(events.norm(dim=1), EDGES)
        sigma = np.hypot(np.sqrt(values[member] * (1 - values[member]) / n), error[member])
        # false alarm: 5 values, each 5 sigma away in 6e-7 of the cases
        assert (np.abs(counts / n - values[member]) < 5 * sigma).all()
        assert error[member].max() < 0.5 * sigma.max()


def test_a_gaussian_gives_the_chi_distribution():
    # a network whose head ignores its input: independent normal coordinates of width 0.5
    network = posterior(4, 1)[0]
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.cat([torch.zeros(16), torch.full((8,), math.log(0.5))]))
    values, error = shell_integrals([network], EDGES)
    exact = np.diff(stats.chi(4, scale=0.5).cdf(EDGES))
    np.testing.assert_allclose(values[0], exact, rtol=0, atol=1e-3)
    assert (np.abs(values[0] - exact) < 6 * error[0]).all()  # false alarm: as above


def test_shells_add_up_to_one_and_errors_shrink():
    p = posterior(3)
    coarse, fine = shell_integrals(p, EDGES, n=64), shell_integrals(p, EDGES, n=2048)
    for values, error in (coarse, fine):
        assert values.shape == error.shape == (2, 5)
        assert values.dtype == np.float64
        np.testing.assert_allclose(values.sum(1), 1, rtol=0, atol=1e-15)
    assert fine.standard_error.mean() < coarse.standard_error.mean() / math.sqrt(32)  # better than random points


def test_members_are_left_alone_and_seeds_count():
    p = posterior(2)
    one, same, other = (shell_integrals(p, EDGES, n=64, seed=seed).values for seed in (1, 1, 2))
    assert p[0].head.weight.dtype == torch.float32
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_sobol_numbers_fill_the_square_evenly_and_stay_finite():
    uniform, normal = sobol_numbers(1024, 3, seed=0)
    assert uniform.shape == normal.shape == (1024, 3)
    assert normal.isfinite().all()
    for column in (*uniform.T, *torch.special.ndtr(normal).T):
        counts, _ = np.histogram(column, bins=1024, range=(0, 1))
        assert (counts == 1).all()  # a net: one point in each cell
    assert not torch.equal(uniform, sobol_numbers(1024, 3, seed=0, replicate=1)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": [0.0, 1.0]}, "from 0 to infinity"),
        ({"edges": [0.1, np.inf]}, "from 0 to infinity"),
        ({"edges": [0.0, 2.0, 1.0, np.inf]}, "increasing"),
        ({"n": 1000}, "power of two"),
        ({"replicates": 1}, "replicates"),
        ({"posterior": []}, "no member"),
        ({"posterior": posterior(1)}, "d >= 2"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        shell_integrals(**{"posterior": posterior(2), "edges": EDGES, **arguments})
