"""How members come to differ, and how they scatter, for the fit of a Gaussian's mean, where it is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import stats

from gampl.training.settings import RESAMPLINGS
from gampl.training.splits import split_of, weighed

N_TRAIN, MEMBERS, SAMPLES = 500, 10, 200

# variance of a member around the others, and around the truth, in units of the sampling variance 1 / n_train
SPREAD = {"bootstrap": 1.0, "deep": 0.2 / 0.8, "same_split": 0.0, "independent": 1.0}
FROM_TRUTH = {"bootstrap": 2.0, "deep": 1 / 0.8, "same_split": 1 / 0.8, "independent": 1.0}


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(deadline=None)
@given(st.integers(2, 300), st.integers(0, 2**32))
def test_hold_out_parts_the_events(n, seed):
    split = split_of("deep", n, seed, 0)
    assert sorted([*split.train.tolist(), *split.held_back.tolist()]) == list(range(n))
    assert len(split.held_back) == max(1, round(0.2 * n))
    assert torch.equal(split.weights, torch.ones(len(split.train)))


def test_bootstrap_weights_are_poisson():
    # false alarm: 1e-4
    n = 20_000
    split = split_of("bootstrap", n, 1, 0)
    assert split.weights.mean().item() == pytest.approx(1)
    counts = torch.zeros(n)
    counts[split.train] = split.weights / split.weights.min()
    counts = counts.round().long()  # the smallest weight is that of an event taken once
    observed = np.bincount(counts.clamp_max(5).numpy(), minlength=6)
    expected = n * np.append(stats.poisson.pmf(range(5), 1), stats.poisson.sf(4, 1))
    assert stats.chisquare(observed, expected).pvalue > 1e-4
    assert torch.equal(split.held_back, (counts == 0).nonzero().squeeze(1))  # and out of bag are those never drawn


@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_what_members_have_in_common(resampling):
    first, second = (split_of(resampling, 100, 3, k) for k in range(2))
    alike = torch.equal(first.train, second.train)
    assert alike == (resampling in ("same_split", "independent"))  # rows of other events, if they are independent
    for split in (first, second):
        assert not set(split.train.tolist()) & set(split.held_back.tolist())
        assert len(split.weights) == len(split.train) == len(set(split.train.tolist()))
    if resampling == "independent":  # all n_train events are trained on, others are held back
        assert first.train.tolist() == list(range(100))
        assert first.held_back.tolist() == list(range(100, 120))


def test_weights_of_events_multiply_those_of_the_bootstrap():
    split, weights = split_of("bootstrap", 100, 2, 0), torch.rand(100, generator=stream(3))
    together = weighed(split, weights)
    assert together.weights.mean().item() == pytest.approx(1)
    ratio = together.weights / (split.weights * weights[split.train])
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


def fitted(resampling, events, sample):
    """Weighted means of the events of each member, (members,); further events follow the n_train common ones."""
    own = len(events) // MEMBERS
    means = []
    for member in range(MEMBERS):
        split = split_of(resampling, N_TRAIN, sample, member)
        rows = split.train + (own * member if resampling == "independent" else 0)
        means.append((split.weights * events[rows]).sum() / split.weights.sum())
    return torch.stack(means)


@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_members_scatter_as_the_closed_form_says(resampling):
    """Within 4 standard errors of 200 training samples; a factor of two would be 10 to 40 of them."""
    generator = stream(1)
    events = [torch.randn(MEMBERS * N_TRAIN * 6 // 5, generator=generator, dtype=torch.float64) for _ in range(SAMPLES)]
    means = torch.stack([fitted(resampling, x, k) for k, x in enumerate(events)])
    spread = N_TRAIN * means.var(1)
    assert spread.mean().item() == pytest.approx(SPREAD[resampling], abs=4 * SPREAD[resampling] / 30)
    squares = N_TRAIN * means.square().mean(1)
    assert squares.mean().item() == pytest.approx(
        FROM_TRUTH[resampling], abs=4 * squares.std().item() / math.sqrt(SAMPLES)
    )
