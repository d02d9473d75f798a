"""Generators of rows of a table: densities, streams, what decides the outcome, and tables that cannot work."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.settings import Fit
from gampl.generators.table_settings import TableTraining
from gampl.generators.tables import Kernels
from gampl.store.artifacts import Store
from gampl.training import tables as table_training
from gampl.training.ensemble import Split
from gampl.training.tables import TableEnsemble, artifact_key, train_ensemble, train_or_load

FIT = Fit(steps=150, batch_size=128, learning_rate=1e-2, warmup=10, validate_every=50)
N = 1500
QUICK = {
    "spline": TableTraining("spline", N, 2, fit=FIT, transforms=2, width=16, bins=6),
    "kde": TableTraining("kde", N, 2),
}


def table(n=N, seed=0):
    """A positive column with a long tail and one that depends on it, (n, 2)."""
    rng = np.random.default_rng(seed)
    first = rng.lognormal(1, 0.5, n)
    return np.stack([first, rng.normal(first, 1.0)], axis=1)


def counts(n=N, seed=0):
    """Minutes, yes or no, and a smooth column that depends on both, (n, 3)."""
    rng = np.random.default_rng(seed)
    minutes, yes = np.round(rng.gamma(4, 10, n) + 5), rng.random(n) < 0.2
    return np.stack([minutes, yes, rng.normal(minutes / 20 - 2 * yes, 1)], axis=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(params=QUICK)
def kind(request):
    return request.param


# ---- densities


def test_the_density_integrates_to_one(kind, store):
    trained = train_or_load(QUICK[kind], table(), store)
    # at points of a cell's middle on a grid that is even in the logarithm of the first column
    log_first, second = np.linspace(-1.5, 3.8, 120), np.linspace(-8, 32, 200)
    points = np.stack(np.meshgrid(np.exp(log_first), second, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(trained.log_prob(points)) * points[:, 0]
    cell = (log_first[1] - log_first[0]) * (second[1] - second[0])
    assert density.sum() * cell == pytest.approx(1, abs=2e-3)


def test_the_density_of_one_column_integrates_to_one(kind, store):
    trained = train_or_load(replace(QUICK[kind], dim=1), table()[:, 1:], store)
    x = np.linspace(-30, 60, 20_001)
    assert np.trapezoid(np.exp(trained.log_prob(x[:, None])), x) == pytest.approx(1, abs=1e-3)


def test_events_follow_the_density(kind, store):
    # Two-sided KS test of 4000 events with the integrated density of each column: false alarm in 1 of 10^4 cases each.
    trained = train_or_load(QUICK[kind], table(), store)
    events = trained.sample(4000, 7)
    log_first, second = np.linspace(-1.5, 3.8, 120), np.linspace(-8, 32, 200)
    points = np.stack(np.meshgrid(np.exp(log_first), second, indexing="ij"), -1).reshape(-1, 2)
    density = (np.exp(trained.log_prob(points)) * points[:, 0]).reshape(120, 200)
    for k, (x, axis) in enumerate([(np.exp(log_first), 1), (second, 0)]):
        cumulative = np.cumsum(density.sum(axis)) - 0.5 * density.sum(axis)
        cdf = np.interp(events[:, k], x, cumulative / density.sum())
        assert stats.kstest(cdf, "uniform").pvalue > 1e-4


def test_a_spline_learns_the_table(store):
    trained = train_or_load(QUICK["spline"], table(), store)
    test = table(5000, seed=1)
    truth = stats.lognorm(0.5, scale=np.e).logpdf(test[:, 0]) + stats.norm(test[:, 0], 1).logpdf(test[:, 1])
    # mean log likelihood is lower than the truth's by the divergence; two independent columns would lose 0.4
    assert 0 < (truth - trained.log_prob(test)).mean() < 0.08


# ---- columns on a grid


def test_whole_numbers_come_back_as_whole_numbers(kind, store):
    trained = train_or_load(replace(QUICK[kind], dim=3), counts(), store)
    events = trained.sample(4000, 3)
    np.testing.assert_array_equal(events[:, :2], np.round(events[:, :2]))
    assert set(events[:, 1]) == {0.0, 1.0}
    assert len(np.unique(events[:, 2])) > 3990  # single precision has values in common by chance
    # 4 standard deviations of the share in 4000 generated and 1500 training events, and 0.02 for the fit: 1 in 10^4
    assert events[:, 1].mean() == pytest.approx(0.2, abs=4 * 0.4 * (1 / 4000 + 1 / N) ** 0.5 + 0.02)


def test_the_density_on_a_grid_is_the_probability_of_its_points(kind, store):
    # Pearson's chi-squared of 20 000 events in up to 30 points: false alarm in 1 of 10^4 cases.
    x = counts()[:, :1]
    dice = np.minimum(np.round(x / 20), 5)
    trained = train_or_load(replace(QUICK[kind], dim=1), dice, store)
    points = np.unique(dice)
    expected = np.exp(trained.log_prob(points[:, None]))
    assert expected.sum() == pytest.approx(1, abs=0.01)
    seen = (trained.sample(20_000, 1) == points).sum(0)
    assert stats.chisquare(seen, 20_000 * expected / expected.sum()).pvalue > 1e-4


# ---- streams and members


def test_streams_are_nested_and_follow_their_seed(kind, store, monkeypatch):
    monkeypatch.setattr(table_training, "CHUNK", 100)
    ensemble = train_ensemble(QUICK[kind], table(), 2, store)
    long = ensemble.sample(1, 250, seed=5)
    batches = list(ensemble.stream(1, 230, seed=5, batch_size=70))
    assert [len(batch) for batch in batches] == [70, 70, 70, 20]
    np.testing.assert_array_equal(np.concatenate(batches), long[:230])
    assert len(np.unique(long[:, 0])) == 250
    for other in (ensemble.sample(1, 250, seed=6), ensemble.sample(0, 250, seed=5)):
        assert not np.isin(other, long).any()
    with pytest.raises(ValueError, match="at least 1"):
        next(ensemble.stream(0, 0, seed=5))


def test_sample_takes_a_seed_or_a_random_stream(kind, store):
    trained = train_or_load(QUICK[kind], table(), store)
    np.testing.assert_array_equal(trained.sample(5, 3), trained.sample(5, np.random.default_rng(3)))
    rng = np.random.default_rng(3)
    assert not np.isin(trained.sample(5, rng), trained.sample(5, rng)).any()


def test_an_ensemble_is_a_posterior(kind, store):
    told = []
    ensemble = train_ensemble(QUICK[kind], table(), 3, store, report=told.append)
    assert len(ensemble) == len(told) == 3
    log_density = ensemble.log_prob(table(20, seed=1))
    assert log_density.shape == (3, 20)
    np.testing.assert_array_equal(log_density[2], told[2].log_prob(table(20, seed=1)))
    assert (log_density.std(axis=0) > 1e-4).all()  # the members differ
    assert "artifact" in told[0].summary()


def test_kde_members_scatter_as_much_as_the_training_events(store):
    # The mean of a column scatters from member to member by its standard error, with 200 members known to 5 %; the
    # bound of 0.2 is four standard deviations away. 3000 events add 3 % to the variance.
    x = np.random.default_rng(2).normal(0, 1, (100, 1))
    training = TableTraining("kde", 100, 1)
    means = [train_or_load(replace(training, member=k), x).sample(3000, 1).mean() for k in range(200)]
    assert np.std(means) / (x.std() / 10) == pytest.approx(1, abs=0.2)


def test_an_event_taken_twice_weighs_twice():
    z = np.array([[-1.0], [1.0], [7.0]])
    kernels = Kernels(z, Split(torch.tensor([0, 1]), torch.tensor([2]), torch.tensor([2 / 3, 4 / 3])), bandwidth=1e-2)
    density = np.exp(kernels.log_density(z[:2]))
    assert density[1] / density[0] == pytest.approx(2)


def test_members_draw_their_events_independently(kind, store):
    trained = train_or_load(QUICK[kind], table(), store)
    alike = replace(trained, training=replace(trained.training, member=1))
    first, second = (np.concatenate(list(one.stream(50, seed=1))) for one in (trained, alike))
    assert not np.isin(first, second).any()


def test_bandwidth_is_the_width_of_the_gaussians():
    two = np.repeat([[0.0], [1.0]], 50, axis=0) + np.random.default_rng(0).normal(0, 1e-3, (100, 1))
    for bandwidth in (0.05, 0.5):
        events = train_or_load(TableTraining("kde", 100, 1, bandwidth=bandwidth), two).sample(20_000, 1)
        lower = events[events < 0.5]
        if bandwidth < 0.1:  # width by Scott's rule: 0.5 100^(-1/5)
            assert lower.std() == pytest.approx(0.05 * 0.5 * 100**-0.2, rel=0.05)
        else:
            assert lower.std() > 0.08


# ---- the store


def test_what_is_loaded_is_what_was_trained(store, monkeypatch):
    training = replace(QUICK["spline"], seed=3)
    trained = train_or_load(training, table(), store)
    monkeypatch.setattr(table_training, "train", pytest.fail)
    loaded = train_or_load(training, table().tolist(), store)
    np.testing.assert_array_equal(loaded.sample(50, 1), trained.sample(50, 1))
    np.testing.assert_array_equal(loaded.history.validation_loss, trained.history.validation_loss)
    assert loaded.history.validation_loss[-1] < loaded.history.validation_loss[0] + 0.1
    assert loaded.artifact == trained.artifact
    assert f"of {FIT.steps}" in loaded.summary()
    assert list(store.path(loaded.artifact).glob("*.safetensors"))


def test_an_interrupted_training_goes_on(tmp_path, monkeypatch):
    training = replace(QUICK["spline"], fit=replace(FIT, steps=40, checkpoint_seconds=0))
    undisturbed = train_or_load(training, table(), Store(tmp_path / "a"))
    losses, calls = table_training._Member.losses, []

    def interrupted(self, drawn):
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return losses(self, drawn)

    monkeypatch.setattr(table_training._Member, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_or_load(training, table(), Store(tmp_path / "b"))
    resumed = train_or_load(training, table(), Store(tmp_path / "b"))
    assert len(calls) == 30 + 40 - 29  # the checkpoint was of the last step before
    np.testing.assert_array_equal(resumed.sample(50, 1), undisturbed.sample(50, 1))


def digest(training, events=None):
    return json.dumps(artifact_key(training, table() if events is None else events), sort_keys=True)


def test_the_key_sees_all_that_matters_and_nothing_else():
    spline, kde = QUICK["spline"], QUICK["kde"]
    assert digest(spline, table() + 1e-9) != digest(spline)
    network = {"fit": Fit(), "transforms": 5, "width": 8, "bins": 4}
    for name, value in (network | {"member": 1, "seed": 1, "bandwidth": 0.5}).items():
        assert (digest(replace(spline, **{name: value})) == digest(spline)) == (name == "bandwidth"), name
        assert (digest(replace(kde, **{name: value})) == digest(kde)) == (name in network), name
    assert digest(replace(spline, posterior="deep")) != digest(spline)
    assert digest(replace(spline, fit=replace(FIT, checkpoint_seconds=9))) == digest(spline)


# ---- members that fail, bad input


def test_a_member_that_diverges_is_kept_with_its_reason_and_left_out(tmp_path, monkeypatch):
    store = Store(tmp_path)
    wild = replace(QUICK["spline"], member=1, fit=replace(FIT, steps=20, learning_rate=1e18, clip=1e30, warmup=0))
    members = [train_or_load(training, table(), store) for training in (QUICK["kde"], wild)]
    assert members[1].failure.startswith(("stopped: loss", "learned nothing"))
    assert members[1].summary().startswith("EXCLUDED")
    monkeypatch.setattr(table_training, "train", pytest.fail)  # its failure is an outcome: it is not tried again
    assert train_or_load(wild, table(), store).failure == members[1].failure
    assert TableEnsemble(members).excluded == {1: members[1].failure}
    with pytest.raises(ValueError, match="no member is left"):
        TableEnsemble(members[1:])


def test_a_loss_that_is_not_finite_is_a_failure(tmp_path, monkeypatch):
    losses = table_training._Member.losses
    monkeypatch.setattr(table_training._Member, "losses", lambda self, drawn: losses(self, drawn) * float("nan"))
    member = train_or_load(QUICK["spline"], table(), Store(tmp_path))
    assert member.failure.startswith("stopped: loss nan")
    assert member.history is None


def test_settings_are_checked():
    for message, change in (
        (r'TableTraining\.generator must be one of .*"gan"', {"generator": "gan"}),
        (r'TableTraining\.posterior must be one of .*"bayesian"', {"posterior": "bayesian"}),
        (r"TableTraining\.n_train must be at least 50, got -3", {"n_train": -3}),
        (r"TableTraining\.dim must be at least 1, got 0", {"dim": 0}),
        (r"TableTraining\.bins must be at least 2", {"bins": 1}),
        (r"TableTraining\.member must be at least 0", {"member": -1}),
        (r"TableTraining\.bandwidth must be above 0", {"bandwidth": 0.0}),
    ):
        with pytest.raises(ValueError, match=message):
            replace(QUICK["spline"], **change)
    with pytest.raises(ValueError, match='must be "bootstrap" for "kde"'):
        replace(QUICK["kde"], posterior="deep")


def test_events_are_checked(kind, store):
    training = QUICK[kind]
    with pytest.raises(ValueError, match=r"events must have shape \(n_train, dim\) = \(1500, 2\), got \(1400, 2\)"):
        train_or_load(training, table(1400), store)
    constant = table()
    constant[:, 1] = 4
    with pytest.raises(ValueError, match='column "delay" is constant, 4 in all training events'):
        train_or_load(training, constant, store, names=("time", "delay"))
    holes = table()
    holes[0, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 has 1 training events that are not finite"):
        train_or_load(training, holes, store)
    with pytest.raises(ValueError, match=r"events must have shape \(n, 2\), got \(3, 1\)"):
        train_or_load(training, table(), store).log_prob(np.ones((3, 1)))
    members = [train_or_load(QUICK["kde"], table(seed=k), store) for k in (0, 1)]
    with pytest.raises(ValueError, match="members must share their training events"):
        TableEnsemble(members)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
def test_a_gpu_trains_the_same(tmp_path):
    losses = []
    for device in ("cuda", "cpu"):
        trained = train_or_load(QUICK["spline"], table(), Store(tmp_path / device), device=device)
        losses.append(trained.history.validation_loss)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2)
