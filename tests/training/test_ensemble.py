import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.distributions import Normal

from gampl.generators.autoregressive import AutoregressiveTransformer
from gampl.generators.settings import RESAMPLINGS, Fit
from gampl.training.ensemble import Stack, fit_ensemble, hold_out, poisson_bootstrap, split_of

QUICK = Fit(steps=30, batch_size=20, warmup=5, validate_every=10)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def networks(members=3):
    return [AutoregressiveTransformer(2, width=8, generator=stream(i)) for i in range(members)]


def events(n=100):
    return torch.randn(n, 2, generator=stream(10))


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


# ---- splits


@settings(deadline=None)
@given(st.integers(2, 300), st.integers(0, 2**32))
def test_hold_out_parts_the_events(n, seed):
    split = hold_out(n, stream(seed))
    assert sorted([*split.train.tolist(), *split.held_back.tolist()]) == list(range(n))
    assert len(split.held_back) == max(1, round(0.2 * n))
    assert torch.equal(split.weights, torch.ones(len(split.train)))


def test_bootstrap_weights_are_poisson():
    # false alarm: 1e-4
    n = 20_000
    split = poisson_bootstrap(n, stream(1))
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
    first, second = (split_of(resampling, 100, seed=3, member=k) for k in range(2))
    alike = torch.equal(first.train, second.train)
    assert alike == (resampling in ("same_split", "independent"))  # rows of other events, if they are independent
    for split in (first, second):
        assert not set(split.train.tolist()) & set(split.held_back.tolist())
        assert len(split.weights) == len(split.train) == len(set(split.train.tolist()))
    if resampling == "independent":  # all n_train events are trained on, others are held back
        assert first.train.tolist() == list(range(100))
        assert first.held_back.tolist() == list(range(100, 120))


# ---- training


@pytest.mark.parametrize("choose", [hold_out, poisson_bootstrap])
@pytest.mark.parametrize("at_once", [1, 2])
def test_all_at_once_and_in_groups_agree(choose, at_once):
    splits = [choose(100, stream(i)) for i in range(3)]
    together, apart = networks(), networks()
    one = fit_ensemble(together, events(), splits, QUICK, seed=1, at_once=3)
    other = fit_ensemble(apart, events(), splits, QUICK, seed=1, at_once=at_once)
    for a, b, start in zip(together, apart, networks(), strict=True):
        torch.testing.assert_close(weights(a), weights(b), rtol=0, atol=2e-5)
        assert (weights(a) - weights(start)).abs().max() > 1e-2  # something was trained
    np.testing.assert_allclose(one.validation_loss, other.validation_loss, atol=1e-4)
    np.testing.assert_array_equal(one.best_step, other.best_step)


def test_a_member_depends_on_seed_and_number_only():
    splits = [hold_out(100, stream(i)) for i in range(3)]
    all_three, alone, other_seed = networks(), networks(1), networks(1)
    fit_ensemble(all_three, events(), splits, QUICK, seed=1)
    fit_ensemble(alone, events(), splits[:1], QUICK, seed=1)
    fit_ensemble(other_seed, events(), splits[:1], QUICK, seed=2)
    torch.testing.assert_close(weights(alone[0]), weights(all_three[0]), rtol=0, atol=2e-5)
    assert (weights(alone[0]) - weights(other_seed[0])).abs().max() > 1e-3


def test_validation_loss_is_that_of_the_events_held_back():
    # held-back parts of different lengths, longer than a batch
    splits = [poisson_bootstrap(100, stream(i)) for i in range(3)]
    assert len({len(split.held_back) for split in splits}) > 1
    trained = networks()
    history = fit_ensemble(trained, events(), splits, QUICK, seed=1, at_once=3)
    for i, network in enumerate(trained):  # the weights are those of the best step
        expected = -network.log_prob(events()[splits[i].held_back]).mean().item()
        assert history.validation_loss[:, i].min() == pytest.approx(expected, rel=1e-5)


def test_histories_of_different_lengths_are_joined():
    splits = [hold_out(100, stream(i)) for i in range(3)]
    budget = Fit(steps=300, batch_size=20, learning_rate=0.05, validate_every=10, patience=2)
    history = fit_ensemble(networks(), events(), splits, budget, seed=1, at_once=1)
    lengths = np.isfinite(history.validation_loss).sum(0)
    assert len(set(lengths)) > 1, "the test needs members that stop at different steps"
    assert lengths.max() == len(history.steps)
    np.testing.assert_array_equal(lengths, history.best_step // 10 + 2)


class UnknownMean(nn.Module):
    """Events from N(mean, 1); the best mean is the sample's."""

    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return Normal(self.mean, 1.0).log_prob(x).sum(-1)


def test_bootstrap_members_scatter_as_their_resamples():
    x = torch.randn(200, 1, generator=stream(5))
    splits = [poisson_bootstrap(200, stream(i)) for i in range(40)]
    members = [UnknownMean() for _ in splits]
    budget = Fit(steps=300, batch_size=200, learning_rate=0.05, validate_every=300)
    fit_ensemble(members, x, splits, budget, seed=0, at_once=40)
    means = torch.stack([member.mean for member in members]).detach()
    exact = torch.stack([(split.weights * x[split.train, 0]).mean() for split in splits])
    torch.testing.assert_close(means, exact, rtol=0, atol=0.03)  # 1/sqrt(200) = 0.07 is their scatter
    assert np.corrcoef(means, exact)[0, 1] > 0.98
    assert exact.std().item() == pytest.approx(x.std().item() / math.sqrt(200), rel=0.5)


def test_weights_do_what_copies_of_events_would():
    x, split = events(), poisson_bootstrap(100, stream(4))
    stack = Stack(networks(1), x, [split], 10, [stream()])
    copies = split.train.repeat_interleave((split.weights / split.weights.min()).round().long())
    weighted = stack.losses((split.train[:, None], split.weights[:, None]))
    copied = stack.losses((copies[:, None], torch.ones(len(copies), 1)))
    torch.testing.assert_close(weighted, copied)
    assert not torch.allclose(weighted, stack.losses((split.train[:, None], torch.ones(len(split.train), 1))))


def test_a_missing_or_empty_split_is_an_error():
    split = hold_out(100, stream())
    with pytest.raises(ValueError, match="3 networks need as many splits"):
        fit_ensemble(networks(), events(), [split] * 2, QUICK, seed=0)
    empty = split._replace(held_back=torch.empty(0, dtype=torch.long))
    with pytest.raises(ValueError, match="events in both parts"):
        fit_ensemble(networks(), events(), [split, split, empty], QUICK, seed=0)
