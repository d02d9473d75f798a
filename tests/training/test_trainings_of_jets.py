"""Trainings of generators of events with any number of jets: alone, side by side, Bayesian, as ensembles."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.settings import Architecture
from gampl.particles.jet_sequences import MUON_MASS
from gampl.store.artifacts import Store
from gampl.training import Data, Fit, Joint, Training, ZWithJets, joint_rounds, train_members, train_or_load
from gampl.training.data import untrained
from gampl.training.joint import log_ratios

SIZE = Architecture("autoregressive", 1, 2, width=16, components=4)
FIT = Fit(steps=30, batch_size=64, warmup=5, validate_every=10, learning_rate=1e-2)
N = 400


def events(n: int = N, seed: int = 1) -> np.ndarray:
    """Random events with 0 to 2 of 3 jets; one jet follows the other with probability 1/2."""
    rng = np.random.default_rng(seed)
    shape = (n, 5)
    p = np.stack([20 + rng.exponential(40, shape), rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.5, shape)], -1)
    p = np.concatenate([p, rng.gamma(2, 3, shape)[..., None]], -1)
    p[:, :2, 3] = MUON_MASS
    number = np.minimum(rng.geometric(0.5, n) - 1, 2)
    p[:, 2:][np.arange(3) >= number[:, None]] = 0
    return p


def training(multiplicity="radiated", **changes) -> Training:
    process = ZWithJets(3, multiplicity)
    settings = {"members": 2, "fit": FIT, "conditions": int(multiplicity == "given")} | changes
    return Training(process, N, SIZE, **settings)


def data(multiplicity="radiated", **weights) -> Data:
    number = (events()[:, 2:, 0] > 0).sum(1)
    return Data(events(), condition=number[:, None] if multiplicity == "given" else None, **weights)


@pytest.mark.parametrize("multiplicity", ["given", "radiated"])
def test_members_side_by_side_are_those_that_are_trained_alone(tmp_path, multiplicity):
    alone, together = (
        train_members(training(multiplicity), data(multiplicity), Store(tmp_path / str(parallel)), parallel=parallel)
        for parallel in (1, 2)
    )
    some = data(multiplicity)
    for one, other in zip(alone, together, strict=True):
        assert one.failure == other.failure == ""
        values = [
            member.log_prob(some.events[:50], None if some.condition is None else some.condition[:50])
            for member in (one, other)
        ]
        np.testing.assert_allclose(*values, rtol=2e-3, atol=2e-3)


def test_a_given_number_of_jets_is_made(tmp_path):
    ensemble = train_or_load(training("given"), data("given"), Store(tmp_path))
    for number in (0, 2):
        made = ensemble.sample(0, 50, 1, condition=[number])
        assert made.shape == (50, 5, 4)
        assert ((made[:, 2:, 0] > 20).sum(1) == number).all()
        assert np.isfinite(ensemble.log_prob(made[(made[:, 2:, 3] > 0).sum(1) == number], 0, condition=[number])).all()
    with pytest.raises(ValueError, match="0 to 2"):
        ensemble.sample(0, 50, 1, condition=[3])
    wrong = Data(events(), condition=np.zeros((N, 1)))
    with pytest.raises(ValueError, match="condition must be the number of jets of each event"):
        train_or_load(training("given"), wrong, Store(tmp_path))


def test_a_bayesian_generator_of_jets(tmp_path):
    ensemble = train_or_load(training(posterior="bayesian"), data(), Store(tmp_path))
    first, second = (ensemble.sample(k, 100, 1) for k in (0, 1))
    assert not np.array_equal(first, second)


def test_thinned_events_with_weights_have_the_natural_stop_probabilities(tmp_path):
    """Half of the events without jets are dropped and the others weigh double."""
    rng = np.random.default_rng(2)
    whole = events(4000, seed=3)
    number = (whole[:, 2:, 0] > 0).sum(1)
    kept = (number > 0) | (rng.random(len(whole)) < 0.5)
    thinned, weights = whole[kept], np.where(number[kept] == 0, 2.0, 1.0)
    one = Training(ZWithJets(3, "radiated"), len(thinned), SIZE, "deep", 1, fit=Fit(150, 256, 1e-2, warmup=10))
    rates = []
    for w in (weights, None):
        made = train_or_load(one, Data(thinned, weights=w), Store(tmp_path)).sample(0, 20_000, 4)
        rates.append(((made[:, 2:, 0] > 0).sum(1) == 0).mean())
    assert abs(rates[0] - 0.5) < 0.05
    assert abs(rates[1] - 1 / 3) < 0.05


def test_a_start_brings_its_coordinates_and_not_the_weights_of_its_factors():
    """Other events have another mean and standard deviation, and more jets; the network has learned the old ones."""
    few, all_of_them = events()[(events()[:, 2:, 0] > 0).sum(1) < 2], events()
    one = untrained(replace(training(), n_train=len(few)), Data(few), 0).generator
    other = untrained(training(), Data(all_of_them, start=one.state_dict()), 0)
    x = one.coordinates.to_network(torch.from_numpy(all_of_them))
    torch.testing.assert_close(other.x, x)
    torch.testing.assert_close(other.generator.coordinates.mean, one.coordinates.mean)
    assert other.generator.decides.tolist() == [True, True, False, False]
    with torch.no_grad():
        difference = other.generator(x) - one(x)
    number = x[:, 0].long()
    assert (difference[number == 0].abs() < 1e-4).all()
    assert (difference[number == 2].abs() > 1e-2).all()  # their second jet, which has no factor in the old loss


@pytest.mark.parametrize("multiplicity", ["given", "radiated"])
def test_generator_and_classifier_in_turn(tmp_path, multiplicity):
    """Members with events of their own, which have weights where jets are given; a round begins with the one before."""
    one = training(multiplicity, posterior="independent")
    one = replace(one, n_train=N - N // 6)  # as many more are held back
    weights = {"weights": np.linspace(0.5, 1.5, one.n_events)} if multiplicity == "given" else {}

    def own(member: int) -> Data:
        x = events(one.n_events, seed=member)
        number = (x[:, 2:, 0] > 0).sum(1)
        return Data(x, condition=number[:, None] if multiplicity == "given" else None, **weights)

    again = Fit(steps=5, batch_size=64, warmup=1, learning_rate=1e-3)
    for is_corrected in (True, False):
        joint = Joint(rounds=1, is_corrected=is_corrected, folds=2, n_gen=400, fit=again)
        before, after = joint_rounds(one, own, joint, Store(tmp_path))
        assert len(before) == len(after) == 2
        first = dict(before.members[1].generator.named_parameters())
        moved = [(p - first[name]).abs().max() for name, p in after.members[1].generator.named_parameters()]
        assert 0 < max(moved) < 0.1


def test_a_classifier_of_jets_finds_the_ratio_of_their_densities(tmp_path):
    """True pseudorapidities are less wide than generated ones: the ratio of two normal densities is known."""
    n, width = 3000, 0.7
    true, made = events(n, seed=5), events(n, seed=6)
    number = (true[:, 2:, 0] > 0).sum(1)[:, None]
    true[:, 0, 2] *= width  # of the first muon, which all events have

    def sample(n_gen: int, _: int, condition: np.ndarray) -> np.ndarray:
        np.testing.assert_array_equal(condition, np.resize(number, (n_gen, 1)))
        made[:, :2, 3] = 0.2  # whose difference must not be seen
        return made.copy()

    member = SimpleNamespace(training=training("given"), artifact="one", sample=sample)
    values = log_ratios([member], true, Joint(folds=2, n_gen=n + 7), Store(tmp_path), number)
    eta = true[:, 0, 2]
    exact = stats.norm.logpdf(eta, scale=1.5 * width) - stats.norm.logpdf(eta, scale=1.5)
    assert np.corrcoef(values, exact)[0, 1] > 0.7
    assert np.abs(values).max() < 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": Architecture("spline")}, "is for kind"),
        ({"posterior": "repulsive"}, "not repulsive"),
        ({"conditions": 1}, "0 where it is radiated"),
    ],
)
def test_what_does_not_go_together(changes, words):
    with pytest.raises(ValueError, match=words):
        Training(**({"process": ZWithJets(3, "radiated"), "n_train": N, "architecture": SIZE} | changes))
    with pytest.raises(ValueError, match="one after the other"):
        ZWithJets(3, "radiated", order="directions")
