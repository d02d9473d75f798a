"""Weights of training sets and of sequences that hardly stop, on the page on jets beyond the training sample."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.jets import JetGenerator
from gampl.generators.settings import Architecture
from gampl.particles.jet_sequences import JetSequences
from gampl_book import more_jets, radiation as module
from gampl_book.pages import Page
from gampl_book.profiles import section
from gampl_book.radiation import Radiation, distance, observables, radiate

SETTINGS = section("smoke", "jet_radiation")


@pytest.fixture(scope="module")
def made():
    return Radiation(SETTINGS, Path("data", "z_jets.h5"), 1)


def test_rates_of_a_training_set(made):
    natural, capped, completed = (made.rates(0, name) for name in module.WEIGHTINGS)
    ratio = natural[3] / natural[2]
    np.testing.assert_allclose(capped, [1, 1, 1, ratio])
    np.testing.assert_allclose(completed[:3], natural[:3])
    assert completed[3] == pytest.approx(natural[3] / (1 - ratio))
    data, number = made.data(0, "capped"), made.training_set(0)[1]
    np.testing.assert_allclose(np.bincount(number, data.weights), capped)


def test_a_training_set_with_up_to_six_jets_has_room_for_more_than_its_file_has():
    six = Radiation({**SETTINGS, "most": 6, "n_train": 2000}, Path("data", "z_jets.h5"), 1)
    momenta, number, _ = six.training_set(0)
    assert momenta.shape == (2000, 2 + six.most + module.BEYOND + 1, 4)
    np.testing.assert_array_equal((momenta[:, 2:, 0] > 0).sum(1), number)
    natural, capped = (six.rates(0, name) for name in ("natural", "capped"))
    np.testing.assert_allclose(capped, [1, 1, *natural[2:] / natural[2]])


def test_rates_are_recorded_with_their_intervals(tmp_path, monkeypatch):
    """What is known exactly: ratios that scatter symmetrically in the logarithm, and the rates of the file."""
    monkeypatch.setenv("GAMPL_OUTPUT", str(tmp_path))
    page = Page("jet_radiation", "smoke", 1)
    scatter = np.exp([-0.1, 0.0, 0.1])[:, None]
    found = {case: 0.1 * (k + 1) * scatter * [1.0, 2.0, 3.0] for k, case in enumerate(more_jets.CASES)}
    more_jets.record(page, found, (np.full(3, 0.3), np.full(3, 0.01)))
    numbers = page.recorded["numbers"]
    half = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    for k, (method, weighting) in enumerate(more_jets.CASES):
        entry = numbers[f"R_next_{method}_{weighting}"]
        assert entry["value"] == pytest.approx(0.2 * (k + 1))
        np.testing.assert_allclose(np.log(np.array(entry["interval"]) / entry["value"]), [-half, half])
    assert numbers["completed_over_natural"]["value"] == pytest.approx(1 / 2)
    ratio, error = more_jets.true_ratios(Path("data", "z_jets.h5"), 6)
    np.testing.assert_allclose(
        error / ratio, np.sqrt([1 / 1133 + 1 / 4877, 1 / 237 + 1 / 1133, 1 / 46 + 1 / 237]), rtol=1e-3
    )
    np.testing.assert_allclose(ratio, [1133 / 4877, 237 / 1133, 46 / 237], rtol=1e-3)


def test_training_sets_have_no_event_in_common(made):
    first, second = (made.training_set(k)[0][:, 0, 0] for k in range(2))
    assert len(np.intersect1d(first, second)) == 0
    with pytest.raises(ValueError, match="training events with at most 3 jets"):
        _ = Radiation({**SETTINGS, "n_train": 10**6}, made.path, 1).events


def test_sequences_that_hardly_stop_have_the_rates_of_those_that_do(made):
    """P(n) of an untrained generator with other probabilities to stop from event to event: false alarm 4e-4."""
    events, _, _ = made.training_set(0)
    coordinates = JetSequences.of(torch.from_numpy(events), 20.0)
    stream, size = torch.Generator().manual_seed(4), Architecture("autoregressive", 1, 2, width=8, components=3)
    x = coordinates.to_network(torch.from_numpy(events))
    generator = JetGenerator(coordinates, size, x, radiates=True, generator=stream)
    with torch.no_grad():
        for p in generator.density.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=stream))
    plain, n = generator.sample(4000, stream), 3000
    shares = np.bincount((plain[:, 2:, 0] > 0).sum(1), minlength=7)[:6] / 4000
    found = radiate(generator, n, 1)
    error = np.sqrt(shares / 4000 + found.weight.var(0) / n)
    assert (np.abs(found.probability - shares) < 4 * error).all()
    assert ((found.momenta[:, 2:, 0] > 0).sum(1) >= np.isfinite(found.stop).sum(1) - 1).all()


def test_observables_and_distances():
    momenta = np.zeros((1, 5, 4))
    momenta[0, 2:] = [[30, 3.1, 0, 5], [50, -3.1, 0, 6], [20, 0, 1, 7]]
    two, three = (observables(momenta, k) for k in (2, 3))
    assert two["R_last"] == two["R_min"] == pytest.approx(2 * np.pi - 6.2)
    assert (two["pT_first"], two["HT"], two["disorder"]) == (50, 80, 1)
    assert three["R_last"] == pytest.approx(np.hypot(3.1, 1))
    assert three["m_last"] == 7
    assert distance(np.array([1.0, 3.0]), np.array([1.0, 3.0]), np.array([2.0])) == 0.75
