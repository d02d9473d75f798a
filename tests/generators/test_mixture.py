import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.distributions import Categorical, MixtureSameFamily, Normal

from gampl.generators.mixture import LOG_SIGMA_RANGE, Mixture


def random_mixture(*shape: int, components: int = 3, seed: int = 0) -> Mixture:
    generator = torch.Generator().manual_seed(seed)
    return Mixture.from_raw(torch.randn(*shape, 3 * components, generator=generator, dtype=torch.float64))


def in_torch(mixture: Mixture) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=mixture.log_weights), Normal(mixture.means, mixture.log_sigmas.exp()))


def test_density_and_distribution_function_agree_with_torch_distributions():
    mixture = random_mixture(50)
    x = torch.linspace(-5, 5, 50, dtype=torch.float64)
    torch.testing.assert_close(mixture.log_prob(x), in_torch(mixture).log_prob(x))
    torch.testing.assert_close(mixture.cdf(x), in_torch(mixture).cdf(x))


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=6, max_size=6), st.floats(-10, 10, width=32))
def test_any_raw_numbers_give_a_density(raw, x):
    mixture = Mixture.from_raw(torch.tensor(raw))
    assert math.isclose(mixture.log_weights.exp().sum(), 1, rel_tol=1e-6)
    low, high = LOG_SIGMA_RANGE
    assert ((mixture.log_sigmas >= low) & (mixture.log_sigmas <= high)).all()
    assert not mixture.log_prob(torch.tensor(x)).isnan()


def test_pick_takes_the_component_from_the_uniform_and_the_place_from_the_normal_number():
    mixture = Mixture(
        torch.tensor([[0.2, 0.5, 0.3]]).log(), torch.tensor([[-1.0, 0.0, 1.0]]), torch.tensor([[0.0, 1.0, 2.0]])
    )
    uniform = torch.tensor([0.0, 0.19, 0.21, 0.69, 0.71, 1.0])  # 1.0 cannot be drawn, but sums may round to less
    normal = torch.full((6,), 2.0)
    expected = [-1 + 2, -1 + 2, 2 * math.e, 2 * math.e, 1 + 2 * math.e**2, 1 + 2 * math.e**2]
    torch.testing.assert_close(mixture.pick(uniform, normal), torch.tensor(expected))


@pytest.mark.parametrize("rows", [1, 4])
def test_pick_keeps_mixtures_apart(rows):
    mixture = random_mixture(rows, seed=1)
    uniform, normal = torch.rand(4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    for i in range(4):
        alone = Mixture(*(part[[i % rows]] for part in mixture))
        torch.testing.assert_close(mixture.pick(uniform, normal)[i], alone.pick(uniform[[i]], normal[[i]])[0])
