"""What trained generators generate: streams that are nested, kept where they are slow, and what they are told."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import COARSE, FIT, QUICK, RING, ROWS, SMALL, TRAININGS, data_of, events_of, jets

from gampl.generators.settings import Architecture, Solver
from gampl.store.artifacts import Store
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble
from gampl.training.settings import Fit
from gampl.training.train import train_members, train_or_load

SHORT = replace(FIT, steps=2, validate_every=2)
KINDS = {
    "jets": QUICK,
    "ring": RING,
    "table": ROWS,
    "kde": replace(ROWS, architecture=Architecture("kde")),
    "bayesian": replace(RING, posterior="bayesian"),
}
KINDS = {name: replace(training, members=2, fit=SHORT) for name, training in KINDS.items()}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def members(training, store, chunk=40, **options):
    """Trained ones, hardly; whether they are any good does not matter here."""
    trained = train_members(training, data_of(training), store, chunk=chunk, solver=COARSE, **options)
    return [replace(one, failure="") for one in trained]


@pytest.mark.parametrize("training", KINDS.values(), ids=KINDS)
def test_streams_are_nested_and_follow_their_seed_and_member(training, store):
    ensemble = Ensemble(members(training, store))
    long = ensemble.sample(0, 100, seed=5)
    assert long.shape == (100, *training.process.event_shape)
    # batches of other lengths may differ by round-off, and where it chooses another component of a mixture, by more
    alike = np.isclose(ensemble.sample(0, 90, seed=5), long[:90], rtol=1e-3, atol=1e-3).reshape(90, -1).all(1)
    assert alike.sum() >= 89
    for other in (ensemble.sample(0, 50, seed=6), ensemble.sample(1, 50, seed=5)):
        assert not np.isin(other[:, 0], long[:, 0]).any()
    assert len(np.unique(long[:, 0], axis=0)) == 100
    for n, size in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="n and batch_size must be at least 1"):
            next(ensemble.stream(0, n, seed=5, batch_size=size))


def test_batches(store):
    one = members(KINDS["jets"], store)[0]
    batches = list(one.stream(90, seed=5, batch_size=30))
    assert [len(batch) for batch in batches] == [30, 10, 30, 10, 10]
    np.testing.assert_array_equal(np.concatenate(batches), one.sample(90, seed=5))


def test_generated_lhc_events_are_kept(store, monkeypatch):
    one = members(KINDS["jets"], store)[0]
    long = one.sample(100, seed=5)
    assert len(list(store.root.glob("*/*/arrays.safetensors"))) == 2 + 3
    monkeypatch.setattr(one.generator, "stream", pytest.fail)
    np.testing.assert_array_equal(one.sample(90, seed=5), long[:90])


def test_generated_events_depend_on_the_solver(store):
    one = members(KINDS["jets"], store)[0]
    finer = train_members(KINDS["jets"], jets(), store, chunk=40, solver=Solver("midpoint", 3))[0]
    assert not np.allclose(one.sample(40, seed=1), finer.sample(40, seed=1))


def test_streams_of_draws_have_names_of_their_own(store):
    """Those that a table's rows are made of; other numbers would make other events of what is kept."""
    one = members(KINDS["table"], store, chunk=30)[1]
    rng = np.random.default_rng([7, zlib.crc32(b"generated"), 1, 2])
    normal = torch.from_numpy(rng.standard_normal((30, 2))).float()
    np.testing.assert_allclose(one.sample(90, seed=7)[60:], one.generator.generate(None, normal).numpy(), rtol=1e-4)


@pytest.mark.parametrize("kind", ["ring", "table", "kde", "bayesian"])
def test_log_prob_is_that_of_the_members(kind, store):
    training = KINDS[kind]
    ensemble, x = Ensemble(members(training, store)), events_of(training, 30)
    log_density = ensemble.log_prob(x)
    assert log_density.shape == (2, 30)
    expected = ensemble.members[1].generator.log_prob(torch.from_numpy(x)).numpy(force=True)
    np.testing.assert_allclose(log_density[1], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(ensemble.log_prob(x, member=1), log_density[1])
    with pytest.raises(ValueError, match=r"events must have shape \(n, 2\), got \(5, 3\)"):
        ensemble.log_prob(np.zeros((5, 3)))


def test_a_member_that_loses_events_is_excluded(store):
    trained = members(KINDS["jets"], store, chunk=500)
    forward = trained[1].generator.velocity.forward
    trained[1].generator.velocity.forward = lambda x, t: torch.where(x[:, :1] > 1.5, torch.nan, forward(x, t))
    ensemble = Ensemble(trained, screened=1000, seed=3)
    assert list(ensemble.excluded) == [1]
    assert ensemble.excluded[1].startswith("lost events")
    finite = np.isfinite(trained[1].sample(1000, 3)).all((1, 2))
    assert trained[1].lost(1000, 3) == 1000 - finite.sum() > 1


def test_members_share_their_events(store):
    mixed = [train_members(KINDS["kde"], events_of(ROWS, seed=k), store, members=[k])[0] for k in (0, 1)]
    with pytest.raises(ValueError, match="members must share their training events"):
        Ensemble(mixed)
    apart = train_or_load(
        replace(RING, posterior="independent", fit=SHORT, members=2),
        data_of(replace(RING, posterior="independent")),
        store,
    )
    assert len({one.data_digest for one in apart.trained}) == 2


# ---- conditions


def shifted(n, seed):
    """Events whose mean follows a condition between -1 and 1, (n, 2), and this condition, (n, 1)."""
    rng = np.random.default_rng(seed)
    condition = rng.uniform(-1, 1, (n, 1))
    return rng.normal(2 * condition, 0.5, (n, 2)), condition


@pytest.mark.parametrize("posterior", ["bootstrap", "bayesian"])
@pytest.mark.parametrize("kind", ["ring-autoregressive", "ring-spline", "table-spline", "table-autoregressive"])
def test_the_mean_of_a_conditional_gaussian_follows_its_condition(kind, posterior, store):
    """2 in units of the condition, learned to 0.4 in a few hundred steps."""
    x, condition = shifted(1000, 1)
    fit = replace(FIT, steps=200, batch_size=128, learning_rate=1e-2, checkpoint_seconds=99)
    training = replace(TRAININGS[kind], n_train=1000, conditions=1, members=1, posterior=posterior, fit=fit)
    one = train_or_load(training, Data(x, None, condition), store, chunk=2000).members[0]
    means = [one.sample(2000, 1, [c]).mean() for c in (-0.5, 0.0, 0.5)]
    assert means == pytest.approx([-1, 0, 1], abs=0.4)
    told = np.repeat([[-0.5], [0.5]], 1000, axis=0)
    each = one.sample(2000, 1, told)
    assert each[1000:].mean() - each[:1000].mean() == pytest.approx(2, abs=0.6)
    fresh, right = shifted(500, 2)
    assert one.log_prob(fresh, right).mean() > one.log_prob(fresh, -right).mean() + 1
    np.testing.assert_allclose(one.log_prob(fresh, [0.3]), one.log_prob(fresh, np.full((500, 1), 0.3)))
    for wrong in (None, [0.0, 0.0], np.zeros((3, 1))):
        with pytest.raises(ValueError, match=r"condition must have shape \(1,\) or \(10, 1\)"):
            next(one.stream(10, 1, condition=wrong))


@pytest.mark.parametrize("size", SMALL.values(), ids=SMALL)
def test_generators_of_lhc_events_follow_conditions(size, store):
    """Jets of the first kind are twice as hard; the mean logarithm of all pT moves."""
    condition = (np.arange(200) % 2)[:, None]
    events = jets()
    events[..., 0] = 22 + (events[..., 0] - 22) * np.exp(2 * condition)
    fit = replace(FIT, steps=150, learning_rate=2e-2, checkpoint_seconds=99)
    training = replace(QUICK, architecture=replace(size, base="normal"), conditions=1, members=2, fit=fit)
    side_by_side = train_or_load(training, Data(events, None, condition), store, chunk=400, solver=COARSE, parallel=2)
    hard, soft = (np.log(side_by_side.sample(0, 400, 1, [c])[..., 0] - 22).mean() for c in (1, 0))
    assert hard - soft == pytest.approx(2, abs=1)


@pytest.mark.parametrize("parallel", [1, 2])
def test_several_conditions_of_each_event_with_weights(store, parallel):
    """exp(a x - a^2 / 2) makes a normal distribution one around a: learned to 0.15 from events around zero."""
    n, rng = 2000, np.random.default_rng(3)
    x, a = rng.normal(size=(n, 2)), rng.uniform(-1, 1, (n, 50, 1))
    weights = np.exp(a[..., 0] * x[:, :1] - a[..., 0] ** 2 / 2)
    fit = Fit(300, 256, 1e-2, warmup=10, validate_every=20, patience=20)
    training = replace(RING, n_train=n, conditions=1, members=2, posterior="bootstrap", fit=fit)
    ensemble = train_or_load(training, Data(x, weights, a), store, parallel=parallel)
    for condition in (-0.8, 0.0, 0.8):
        made = ensemble.sample(0, 10_000, 1, condition=[condition])
        np.testing.assert_allclose(made.mean(0), [condition, 0], atol=0.15)
    with pytest.raises(ValueError, match=r"weights must have shape \(2000, 50\)"):
        train_or_load(training, Data(x, weights[:, 0], a), store)
    with pytest.raises(ValueError, match=r"condition must have shape \(2000, 50, 1\)"):
        train_or_load(training, Data(x, weights, a[:-1]), store)


def test_without_conditions_there_are_none(store):
    one = members(KINDS["ring"], store)[0]
    assert not any("condition" in name for name in one.generator.state_dict())
    with pytest.raises(ValueError, match=r"condition must have shape \(0,\)"):
        one.log_prob(np.zeros((4, 2)), [1.0])
