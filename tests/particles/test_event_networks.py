"""Networks of LHC events against ratios that are known: as good as trees, calibrated, and the same again."""

import numpy as np
import pytest
from scipy import special

from gampl.processes.top_pair import TopPair
from gampl.ratio import held_out

pytest.importorskip("sklearn.ensemble")
pytest.importorskip("h5py")
torch = pytest.importorskip("torch")

from gampl.particles.event_classifier import event_classifier, features  # noqa: E402
from gampl.particles.event_networks import EventNetworks, event_network, network_features  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
PROCESS = TopPair(0)


def band(events):
    """Kept shares of events: few of those near the mass of W1."""
    mass = PROCESS.observable("m_W1")(events)
    return np.where((mass > 77) & (mass < 82), 0.3, 1.0)


def smooth(events):
    """Kept shares of events that fall with the angle between two jets."""
    return np.exp(-2 * np.abs(PROCESS.observable("deltaphi(q1,q3)")(events)) / np.pi)


def learned(true, acceptance, make, n=3000):
    """A ratio that was learned from n events of each class, and its excess and the most that there is to find."""
    pool = true[n : 5 * n]
    generated = pool[np.random.default_rng(3).random(len(pool)) < acceptance(pool)][:n]
    ratio = held_out(true[:n], generated, 2, train_share=0.9, make_classifier=make(PROCESS))
    rest = true[5 * n : 5 * n + 10_000]
    share = acceptance(rest)
    exact = np.log(share.mean() / share)
    weights = 1 + np.exp(-exact)  # of true events, which then are true and generated ones

    def divergence(log_ratio):
        at, of = special.expit(exact), special.expit(log_ratio)
        return np.average(special.rel_entr(at, of) + special.rel_entr(1 - at, 1 - of), weights=weights)

    return ratio, divergence(ratio(rest)), divergence(np.zeros(len(rest)))


@pytest.mark.parametrize(("acceptance", "left"), [(band, 0.7), (smooth, 0.3)])
def test_a_network_finds_what_is_known_as_well_as_trees_do(true, acceptance, left):
    """The narrow one too, of which 3000 events show trees next to nothing."""
    _, of_network, most = learned(true, acceptance, event_network)
    _, of_trees, _ = learned(true, acceptance, event_classifier)
    assert of_network < 1.1 * of_trees
    assert of_network < left * most


def test_a_network_is_calibrated(true):
    ratio, _, _ = learned(true, smooth, event_network)
    held_true, held_generated = true[30_000:36_000], true[36_000:]
    held_generated = held_generated[np.random.default_rng(4).random(len(held_generated)) < smooth(held_generated)]
    values = ratio(held_true), ratio(held_generated)

    def loss(factor):
        return np.logaddexp(0, -factor * values[0]).mean() + np.logaddexp(0, factor * values[1]).mean()

    assert loss(1) < min(loss(0.7), loss(1.4))


def test_a_network_finds_nothing_in_a_perfect_generator(true):
    """No number is lost, and seeds repeat."""
    ratio, other, again = (
        held_out(true[:1500], true[1500:3000], seed, make_classifier=event_network(PROCESS)) for seed in (4, 5, 4)
    )
    events = true[3000:3100]
    assert np.std(ratio.reference) < 0.2
    np.testing.assert_array_equal(again(events), ratio(events))
    assert (other(events) != ratio(events)).any()
    np.testing.assert_allclose(np.concatenate([ratio(events[:40]), ratio(events[40:])]), ratio(events), atol=1e-5)


def test_few_events_and_constant_numbers(true):
    """Masses below the least are all the same number, and folds hold both classes."""
    events = true[:24].copy()
    events[:, :, 3] = 0
    network = EventNetworks(PROCESS, 1).fit(events, np.repeat([1, 0], 12))
    p = network.predict_proba(true[:50])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.isfinite(p).all()


def test_gaps_are_the_parts_of_distances(true):
    found, n = network_features(true[:50], PROCESS), features(true[:50], PROCESS).shape[1]
    expected = [
        np.abs(PROCESS.observable(f"{part}({a},{b})")(true[:50]))
        for part in ("deltaeta", "deltaphi")
        for i, a in enumerate(PROCESS.particles)
        for b in PROCESS.particles[i + 1 :]
    ]
    np.testing.assert_allclose(found[:, n:], np.stack(expected, axis=1), atol=1e-9)
