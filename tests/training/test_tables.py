"""Generators of rows of a table: their densities, columns on a grid, and sums of Gaussians."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from small import table

from gampl import differential
from gampl.generators.settings import Architecture
from gampl.generators.tables import Kernels
from gampl.regions import Intervals
from gampl.store.artifacts import Store
from gampl.training.settings import Fit, Table, Training
from gampl.training.train import train_members

FIT = Fit(steps=150, batch_size=128, learning_rate=1e-2, warmup=10, validate_every=50)
N = 1500
QUICK = {
    "spline": Training(
        Table(("a", "b")), N, Architecture("spline", blocks=2, width=16, components=6, couplings=False), fit=FIT
    ),
    "kde": Training(Table(("a", "b")), N, Architecture("kde")),
}


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


def one(training, events, store=None, number=0):
    return train_members(training, events, store, members=[number])[0]


# ---- densities


def test_the_density_integrates_to_one(kind, store):
    trained = one(QUICK[kind], table(N), store)
    # at points of a cell's middle on a grid that is even in the logarithm of the first column
    log_first, second = np.linspace(-1.5, 3.8, 120), np.linspace(-8, 32, 200)
    points = np.stack(np.meshgrid(np.exp(log_first), second, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(trained.log_prob(points)) * points[:, 0]
    cell = (log_first[1] - log_first[0]) * (second[1] - second[0])
    assert density.sum() * cell == pytest.approx(1, abs=2e-3)


def test_the_density_of_one_column_integrates_to_one(kind, store):
    trained = one(replace(QUICK[kind], process=Table(("a",))), table(N)[:, 1:], store)
    x = np.linspace(-30, 60, 20_001)
    assert np.trapezoid(np.exp(trained.log_prob(x[:, None])), x) == pytest.approx(1, abs=1e-3)


def test_events_follow_the_density(kind, store):
    # Two-sided KS test of 4000 events with the integrated density of each column: false alarm in 1 of 10^4 cases each.
    trained = one(QUICK[kind], table(N), store)
    events = trained.sample(4000, 7)
    log_first, second = np.linspace(-1.5, 3.8, 120), np.linspace(-8, 32, 200)
    points = np.stack(np.meshgrid(np.exp(log_first), second, indexing="ij"), -1).reshape(-1, 2)
    density = (np.exp(trained.log_prob(points)) * points[:, 0]).reshape(120, 200)
    for k, (x, axis) in enumerate([(np.exp(log_first), 1), (second, 0)]):
        cumulative = np.cumsum(density.sum(axis)) - 0.5 * density.sum(axis)
        cdf = np.interp(events[:, k], x, cumulative / density.sum())
        assert stats.kstest(cdf, "uniform").pvalue > 1e-4


def test_a_spline_learns_the_table(store):
    trained = one(QUICK["spline"], table(N), store)
    test = table(5000, seed=1)
    truth = stats.lognorm(0.5, scale=np.e).logpdf(test[:, 0]) + stats.norm(test[:, 0], 1).logpdf(test[:, 1])
    # mean log likelihood is lower than the truth's by the divergence; two independent columns would lose 0.4
    assert 0 < (truth - trained.log_prob(test)).mean() < 0.08


# ---- columns on a grid


def test_whole_numbers_come_back_as_whole_numbers(kind, store):
    trained = one(replace(QUICK[kind], process=Table(("a", "b", "c"))), counts(), store)
    events = trained.sample(4000, 3)
    np.testing.assert_array_equal(events[:, :2], np.round(events[:, :2]))
    assert set(events[:, 1]) == {0.0, 1.0}
    assert len(np.unique(events[:, 2])) > 3990  # single precision has values in common by chance
    # 4 standard deviations of the share in 4000 generated and 1500 training events, and 0.02 for the fit: 1 in 10^4
    assert events[:, 1].mean() == pytest.approx(0.2, abs=4 * 0.4 * (1 / 4000 + 1 / N) ** 0.5 + 0.02)


def test_estimates_do_not_depend_on_the_unit_of_a_grid(store):
    """Tenths, which are no binary numbers, and whole ones: the same shares and distances, hence the same G."""
    whole = np.round(np.random.default_rng(3).exponential(20, 2 * N))
    train, holdout = np.split(whole, 2)
    found = []
    for unit in (10, 1):
        kernels = replace(QUICK["kde"], process=Table(("a",)))
        trained = [one(kernels, train[:, None] / unit, store, k) for k in range(3)]
        samples = [member.sample(5000, 7).ravel() for member in trained]
        region = Intervals([2 / unit], [5 / unit])
        true = (train >= 2) & (train < 5)
        shares = [region.count(sample[:, None]).inside[0] / 5000 for sample in samples]
        # 4 standard deviations of the share in 5000 generated and 1500 training events, and 0.01 for the kernels
        assert np.mean(shares) == pytest.approx(true.mean(), abs=4 * 0.33 * (1 / 15_000 + 1 / N) ** 0.5 + 0.01)
        found.append([*shares, differential.from_samples(samples, holdout / unit, N).n_equiv])
        assert {x for sample in samples for x in sample.ravel()} <= set(np.arange(-3000, 3000) / unit)
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_the_density_on_a_grid_is_the_probability_of_its_points(kind, store):
    # Pearson's chi-squared of 20 000 events in up to 30 points: false alarm in 1 of 10^4 cases.
    x = counts()[:, :1]
    dice = np.minimum(np.round(x / 20), 5)
    trained = one(replace(QUICK[kind], process=Table(("a",))), dice, store)
    points = np.unique(dice)
    expected = np.exp(trained.log_prob(points[:, None]))
    assert expected.sum() == pytest.approx(1, abs=0.01)
    seen = (trained.sample(20_000, 1) == points).sum(0)
    assert stats.chisquare(seen, 20_000 * expected / expected.sum()).pvalue > 1e-4


# ---- sums of Gaussians


def test_kde_members_scatter_as_much_as_the_training_events(store):
    # The mean of a column scatters from member to member by its standard error, with 200 members known to 5 %; the
    # bound of 0.2 is four standard deviations away. 3000 events add 3 % to the variance.
    x = np.random.default_rng(2).normal(0, 1, (100, 1))
    training = Training(Table(("a",)), 100, Architecture("kde"), members=200)
    means = [member.sample(3000, 1).mean() for member in train_members(training, x, chunk=3000)]
    assert np.std(means) / (x.std() / 10) == pytest.approx(1, abs=0.2)


def test_an_event_taken_twice_weighs_twice():
    z = np.array([[-1.0], [1.0], [7.0]])
    kernels = Kernels(z, np.array([0, 1]), np.array([2 / 3, 4 / 3]), bandwidth=1e-2)
    density = kernels.log_prob(torch.from_numpy(z[:2])).exp()
    assert (density[1] / density[0]).item() == pytest.approx(2)


def test_bandwidth_is_the_width_of_the_gaussians():
    two = np.repeat([[0.0], [1.0]], 50, axis=0) + np.random.default_rng(0).normal(0, 1e-3, (100, 1))
    for bandwidth in (0.05, 0.5):
        kde = Training(Table(("a",)), 100, Architecture("kde", bandwidth=bandwidth))
        events = one(kde, two).sample(20_000, 1)
        lower = events[events < 0.5]
        if bandwidth < 0.1:  # width by Scott's rule: 0.5 100^(-1/5)
            assert lower.std() == pytest.approx(0.05 * 0.5 * 100**-0.2, rel=0.05)
        else:
            assert lower.std() > 0.08
