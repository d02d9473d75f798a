import numpy as np
import pytest
import torch

from gampl.generators.autoregressive import BATCH_SIZE, AutoregressiveTransformer
from gampl.training.networks import NetworkPosterior


def posterior(members=3, features=2):
    networks = [
        AutoregressiveTransformer(features, width=8, generator=torch.Generator().manual_seed(i)) for i in range(members)
    ]
    return NetworkPosterior(tuple(networks))


def test_a_member_samples_the_same_whoever_else_is_there():
    many, alone = posterior(3), posterior(1)
    np.testing.assert_array_equal(many.sample(0, 100, seed=5), alone.sample(0, 100, seed=5))
    assert not np.array_equal(many.sample(0, 100, seed=5), many.sample(0, 100, seed=6))
    same_network = NetworkPosterior((many.networks[0], many.networks[0]))
    assert not np.array_equal(same_network.sample(0, 100, seed=5), same_network.sample(1, 100, seed=5))


def test_stream_gives_batches_of_numpy_arrays():
    batches = list(posterior().stream(1, 25, seed=0, batch_size=10))
    assert [batch.shape for batch in batches] == [(10, 2), (10, 2), (5, 2)]
    assert all(isinstance(batch, np.ndarray) for batch in batches)


def test_log_prob_is_that_of_the_members():
    p = posterior()
    events = p.sample(0, BATCH_SIZE + 10, seed=0)  # more than one batch
    log_density = p.log_prob(events)
    assert log_density.shape == (3, BATCH_SIZE + 10)
    for network, row in zip(p, log_density, strict=True):
        np.testing.assert_allclose(row, network.log_prob(torch.from_numpy(events)).detach(), rtol=1e-5, atol=1e-5)


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"shape \(n, 2\).*\(5, 3\)"):
        posterior().log_prob(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="at least one network"):
        NetworkPosterior(())
    with pytest.raises(ValueError, match="same number of features"):
        NetworkPosterior((*posterior(1, 2), *posterior(1, 3)))
