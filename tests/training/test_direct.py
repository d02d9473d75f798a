"""Direct diffusion: pairs, where it starts, what is kept, and that it carries a source to the events."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from small import COARSE, FIT, SMALL, pairs, state

from gampl.generators.settings import Architecture
from gampl.particles.coordinates import LeadingOrderCoordinates, wrapped
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.store.artifacts import Store
from gampl.training.data import Data
from gampl.training.direct import Source, Start, assigned, carried
from gampl.training.settings import Fit, LeadingOrder, Training
from gampl.training.train import train_members

TARGET, NEAR = LeadingOrderTopPair(m_max=13_000.0), LeadingOrderTopPair(energy=4_000.0)
FLOW = replace(SMALL["transformer"], base="normal")
QUICK = Training(LeadingOrder(), 200, FLOW, "deep", members=1, fit=replace(FIT, steps=10))
STILL = replace(QUICK, fit=Fit(steps=1, batch_size=16, learning_rate=1e-12, validate_every=1))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_the_assignment_has_the_least_squared_distance_of_all():
    rng, angles = np.random.default_rng(1), torch.tensor([False, True])
    for _ in range(5):
        x, latent = (torch.from_numpy(rng.uniform(-np.pi, np.pi, (5, 2))) for _ in range(2))
        costs = {p: wrapped(latent[list(p)] - x, angles).square().sum() for p in permutations(range(5))}
        assert tuple(assigned(x, latent, angles).tolist()) == min(costs, key=costs.get)


def test_sources_are_assigned_one_to_one_within_their_blocks():
    x, latent = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    order = assigned(x, latent, torch.zeros(3, dtype=torch.bool), block=20)
    for start in (0, 20, 40):
        assert sorted(order[start : start + 20].tolist()) == list(range(start, min(start + 20, 50)))


@pytest.mark.parametrize("pairing", ["random", "optimal"])
def test_what_has_not_moved_has_the_events_and_the_density_of_the_source(store, pairing):
    data = Data(pairs(), source=Source.process(NEAR), pairing=pairing)
    (one,) = train_members(STILL, data, store, solver=COARSE)
    events = NEAR.sample(50, np.random.default_rng(1))
    np.testing.assert_allclose(carried(one.generator, events), events, rtol=0.02, atol=0.05)
    np.testing.assert_allclose(one.log_prob(events), NEAR.log_prob(events), atol=0.2)


def test_the_density_of_what_it_makes_is_normalised(store):
    """Mean of p_gen / p over events of p, which have a density wherever the flow makes events: within 5 errors."""
    training = replace(QUICK, fit=replace(FIT, steps=60, learning_rate=1e-2))
    data = Data(TARGET.sample(200, np.random.default_rng(1)), source=Source.process(NEAR))
    (one,) = train_members(training, data, store)
    events = TARGET.sample(2_000, np.random.default_rng(2))
    ratio = np.exp(one.log_prob(events) - TARGET.log_prob(events))
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / len(ratio) ** 0.5


@pytest.mark.parametrize("pairing", ["random", "optimal"])
def test_it_carries_the_source_towards_the_events(store, pairing):
    fit = Fit(steps=150, batch_size=128, learning_rate=1e-2, warmup=10, validate_every=50, ema=0.95)
    network = Architecture("transformer", 1, 2, 16, base="normal")
    training = Training(LeadingOrder(), 1_000, network, "deep", members=1, fit=fit)
    events, sources = TARGET.sample(1_000, np.random.default_rng(1)), NEAR.sample(5_000, np.random.default_rng(2))
    data = Data(events, source=Source.process(NEAR), pairing=pairing)
    (one,) = train_members(training, data, store, solver=COARSE)
    true = TARGET.sample(20_000, np.random.default_rng(3))
    before, after = (
        abs(np.log(x[:, 0]).mean() - np.log(true[:, 0]).mean()) for x in (sources, carried(one.generator, sources))
    )
    assert before > 0.08
    assert after < 0.4 * before  # 1000 events know the mean to 0.01


def test_trainings_are_kept_by_source_and_pairing(store):
    made = {}
    for name, source in {
        "near": Source.process(NEAR),
        "file": Source.events(NEAR.sample(100, np.random.default_rng(1))),
    }.items():
        for pairing in ("random", "optimal"):
            data = Data(pairs(), source=source, pairing=pairing)
            (made[name, pairing],) = train_members(QUICK, data, store)
    assert len({one.artifact for one in made.values()}) == 4
    (again,) = train_members(QUICK, Data(pairs(), source=Source.process(NEAR)), store)
    assert again.artifact == made["near", "random"].artifact
    for name, p in state(made["near", "random"]).items():
        assert torch.equal(state(again)[name], p)
    np.testing.assert_array_equal(again.sample(20, 1), made["near", "random"].sample(20, 1))
    assert not again.failure
    assert again.history.seconds == made["near", "random"].history.seconds


def test_a_file_gives_its_own_events_and_no_density(store):
    file = NEAR.sample(100, np.random.default_rng(1))
    coordinates = LeadingOrderCoordinates.of(torch.from_numpy(file), 13_000.0, 173.0, 13_000.0)
    start = Start(coordinates, Source.events(file))
    drawn = coordinates.to_events(start.sample(300, torch.Generator().manual_seed(1))).numpy()
    assert np.abs(drawn[:, None, 0] - file[None, :, 0]).min(axis=1).max() < 1e-6
    with pytest.raises(ValueError, match="its density is not known"):
        start.log_prob(torch.zeros(1, 4, dtype=torch.float64))


def test_what_cannot_be_done_is_said(store):
    source, bootstrap = Source.process(NEAR), replace(QUICK, posterior="bootstrap")
    with pytest.raises(ValueError, match="pairing must be one of"):
        train_members(QUICK, Data(pairs(), source=source, pairing="nearest"), store)
    with pytest.raises(ValueError, match="cannot be paired optimally"):
        train_members(bootstrap, Data(pairs(), source=source, pairing="optimal"), store)
    with pytest.raises(ValueError, match="direct diffusion is for flows"):
        train_members(replace(QUICK, architecture=SMALL["spline"]), Data(pairs(), source=source), store)
    far = Source.process(LeadingOrderTopPair(energy=20_000.0, top_mass=150.0))
    with pytest.raises(ValueError, match="outside the phase space"):
        train_members(QUICK, Data(pairs(), source=far), store)
