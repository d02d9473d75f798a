"""What keeps a GPU busy, as far as a CPU can show it; the rest is in tests/training/test_step.py."""

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.base import CutAwareNormal
from gampl.generators.gpu import Compiled, running_sum
from gampl.generators.velocity.lloca import product
from gampl.particles.coordinates import JetCoordinates
from gampl.processes.top_pair import TopPair

ALPHA = 1e-6  # false alarms of each test


@pytest.fixture(scope="module", params=[0, 4])
def base(request):
    events = torch.from_numpy(np.asarray(TopPair(request.param).load("train").momenta[:2000], dtype=np.float64))
    return CutAwareNormal(JetCoordinates.of(events, 22.0), 0.5)


def test_a_fixed_number_of_trials_has_the_same_law(base):
    waiting = base.sample(20_000, torch.Generator().manual_seed(1)).numpy()
    fixed = base.sample_without_waiting(20_000, torch.Generator().manual_seed(2)).numpy()
    assert fixed.shape == waiting.shape
    assert np.isfinite(fixed).all()
    assert np.isfinite(base.log_prob(torch.from_numpy(fixed)).numpy()).all(), "all have passed the cuts"
    columns = waiting.shape[1]
    p_values = [stats.ks_2samp(fixed[:, k], waiting[:, k]).pvalue for k in range(columns)]
    assert min(p_values) > ALPHA / columns
    # neighbours, which the cut on distances couples
    assert stats.ks_2samp(fixed[:, 1] - fixed[:, 5], waiting[:, 1] - waiting[:, 5]).pvalue > ALPHA


def test_trials_suffice(base):
    """So many calls would fall short about once if one call in 1000 did."""
    stream = torch.Generator().manual_seed(3)
    for n in [1, 2, 5, 50] * 250:
        assert base.sample_without_waiting(n, stream).isfinite().all()


class OnGpu(torch.Tensor):
    """A tensor that takes the ways of a GPU."""

    is_cuda = True


def test_running_sums_of_a_gpu_are_those_of_torch():
    x = torch.rand(7, 5, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(running_sum(x.as_subclass(OnGpu)).as_subclass(torch.Tensor), x.cumsum(-1))


def test_small_products_of_a_gpu_are_products():
    stream = torch.Generator().manual_seed(0)
    a, b = (torch.rand(*shape, generator=stream, dtype=torch.float64) for shape in ((7, 5, 3, 4), (7, 1, 4, 2)))
    torch.testing.assert_close(product(a.as_subclass(OnGpu), b).as_subclass(torch.Tensor), a @ b)


def test_on_a_cpu_nothing_is_compiled():
    called = []

    def function(module, x):
        called.append(module)
        return module(x)

    compiled, module = Compiled(function), torch.nn.Linear(2, 3)
    x = torch.ones(4, 2)
    assert torch.equal(compiled(module, x), module(x))
    assert called == [module]
    assert compiled._compiled is None
