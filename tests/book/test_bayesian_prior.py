"""Bayesian networks with priors of other widths."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gampl.generators.settings import Architecture
from gampl.training import Data, Fit, Table, Training, train_or_load
from gampl_book import bayesian_prior
from gampl_book.bayesian_prior import train_with_prior

SPLINE = Architecture("spline", blocks=1, heads=1, width=8, components=4)
FIT = Fit(steps=30, batch_size=32, learning_rate=1e-2, warmup=5, validate_every=10)
TRAINING = Training(Table(("a", "b")), 60, SPLINE, "bayesian", 2, 3, FIT, kl_weight=1.0)
EVENTS = Data(np.random.default_rng(1).normal(size=(60, 2)))


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path))


def weights(ensemble):
    """All weights of each draw, (members, numbers)."""
    return torch.stack([torch.cat([p.flatten() for p in one.generator.parameters()]) for one in ensemble.members])


def test_a_variance_of_one_is_the_usual_training():
    usual, same = train_or_load(TRAINING, EVENTS), train_with_prior(TRAINING, EVENTS, 1.0)
    torch.testing.assert_close(weights(usual), weights(same))
    np.testing.assert_allclose(usual.sample(1, 50, seed=2), same.sample(1, 50, seed=2))
    assert len(same) == 2


def test_a_narrow_prior_pulls_weights_to_zero():
    strong = replace(TRAINING, kl_weight=100.0)
    sizes = [weights(train_with_prior(strong, EVENTS, variance)).square().mean() for variance in (1e-3, 1e3)]
    assert sizes[0] < 0.7 * sizes[1]


def test_a_training_is_found_again_for_its_own_prior_only(monkeypatch):
    first = train_with_prior(TRAINING, EVENTS, 0.1)

    def fit(*_args, **_options):
        raise InterruptedError

    monkeypatch.setattr(bayesian_prior, "fit", fit)
    again = train_with_prior(TRAINING, EVENTS, 0.1)
    torch.testing.assert_close(weights(first), weights(again))
    assert again.history.seconds == first.history.seconds
    np.testing.assert_array_equal(again.history.train_loss, first.history.train_loss)
    with pytest.raises(InterruptedError):
        train_with_prior(TRAINING, EVENTS, 0.2)


@pytest.mark.parametrize("training", [replace(TRAINING, posterior="bootstrap"), TRAINING])
def test_it_needs_a_bayesian_training_and_a_positive_variance(training):
    with pytest.raises(ValueError, match="Bayesian training and a positive variance"):
        train_with_prior(training, EVENTS, 0.0 if training is TRAINING else 1.0)
