"""Training sets of the page on JetGPT: who sees which events, and how often."""

import numpy as np
import pytest

from gampl.training.settings import held_back
from gampl_book import BookError, jet_ensembles, jet_studies
from gampl_book.profiles import PROFILES, section


@pytest.mark.parametrize("profile", PROFILES)
def test_a_training_set_is_trained_on_and_held_back(profile):
    for name, training in jet_studies.ensembles(profile, 1).items():
        sizes = dict(zip(jet_studies.JETS, section(profile, "jetgpt")["n_train"], strict=True))
        assert training.n_events == sum(sizes[n] for n in jet_studies.jets_of(name))


@pytest.mark.parametrize("kind", ["directions", "alone3", "alone4", "longer4"])
def test_training_sets(kind):
    sets = [jet_ensembles.training_data(f"jetgpt/{kind}", "smoke", 1, k) for k in range(2)]
    for data in sets:
        number = (data.events[:, 2:] != 0).any(-1).sum(1)
        np.testing.assert_array_equal(data.condition[:, 0], number)
        assert set(number) == set(jet_studies.jets_of(f"jetgpt/{kind}"))
        shares = [data.weights[number == n].sum() for n in set(number)]
        np.testing.assert_allclose(shares, shares[0])
        later = number[-held_back(len(number)) :]  # which decide when a training stops
        assert set(later) == set(number)
    both = np.concatenate([data.events for data in sets])
    assert len(np.unique(both, axis=0)) == len(both)


def test_separate_networks_see_the_same_events_as_the_joint_one():
    joint, alone = (jet_ensembles.training_data(f"jetgpt/{kind}", "smoke", 1, 1) for kind in ("directions", "alone4"))
    of_four = joint.events[joint.condition[:, 0] == 4]
    assert {event.tobytes() for event in of_four} == {event.tobytes() for event in alone.events}


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_events_are_seen_as_often(profile):
    plan = jet_studies.ensembles(profile, 1)
    joint = plan["jetgpt/directions"]
    for n in jet_studies.ALONE:
        alone = plan[f"jetgpt/alone{n}"]
        assert alone.fit.steps == joint.fit.steps
        assert alone.fit.batch_size / alone.n_train == pytest.approx(joint.fit.batch_size / joint.n_train, rel=0.06)


def test_too_few_events():
    with pytest.raises(BookError, match="wants 120 events with 1 jet"):
        jet_ensembles.training_data("jetgpt/directions", "smoke", 1, 10_000)
