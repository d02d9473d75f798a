"""The comparisons that several pages make, against the same written out by hand."""

import numpy as np
import pytest
from scipy import stats

from gampl.generators.settings import Architecture
from gampl.processes import GaussianRing
from gampl.regions import radius
from gampl.result import NoteCode
from gampl.training.data import Data, untrained
from gampl.training.ensemble import Ensemble, Trained
from gampl.training.settings import Ring, Training
from gampl_book.ring_comparisons import BULK, compare_members, in_bulk, true_log_ratio
from gampl_book.ring_ensembles import training_events

MEMBERS, N_GEN, SEED = 3, np.array([200, 1000]), 5


@pytest.fixture(scope="module")
def outcome():
    """Two-dimensional networks as they are before any training, which fill some of the ring."""
    size = Architecture("autoregressive", blocks=1, width=16)
    training = Training(Ring(2), 300, size, "deep", MEMBERS, seed=1)
    data = Data(training_events(training)).checked(training, "")
    generators = [untrained(training, data, k).generator for k in range(MEMBERS)]
    return Ensemble([Trained(training, k, generator, None, "", "", "") for k, generator in enumerate(generators)])


def test_the_bulk_is_nine_tenths_of_the_ring():
    events = GaussianRing(3).sample(20_000, np.random.default_rng(1))
    assert len(BULK) == 18
    assert np.mean(in_bulk(events)) == pytest.approx(0.9, abs=0.01)  # false alarms: 1 in 400 000


def test_the_same_by_hand(outcome):
    rng = np.random.default_rng(2)
    references = {"training": training_events(outcome.training), "fresh": GaussianRing(2).sample(400, rng)}

    def summaries(member):
        return {"radius": radius, "ratio": true_log_ratio(outcome, member)}

    found = compare_members(outcome, references, N_GEN, summaries, members=MEMBERS, seed=SEED)
    assert set(found) == {(s, r) for s in ("radius", "ratio") for r in references}
    for member in range(MEMBERS):
        generated = outcome.sample(member, 1000, SEED)
        for (name, reference), result in found.items():
            summary = summaries(member)[name]
            true = references[reference][in_bulk(references[reference])]
            for step, n in enumerate(N_GEN):
                fake = generated[:n][in_bulk(generated[:n])]
                by_scipy = stats.ks_2samp(summary(true), summary(fake), method="asymp").statistic
                assert result.curve.distances[member, step] == pytest.approx(by_scipy, abs=1e-12)
            assert result.curve.n_ref == len(true)
    for (_, reference), result in found.items():
        assert any(note.code is NoteCode.REUSED for note in result.notes) == (reference == "training")
    assert found["radius", "fresh"].n_train == np.count_nonzero(in_bulk(references["training"]))


def test_the_true_ratio_is_that_of_the_densities(outcome):
    events = GaussianRing(2).sample(50, np.random.default_rng(3))
    expected = GaussianRing(2).log_prob(events) - outcome.log_prob(events)[1]
    np.testing.assert_allclose(true_log_ratio(outcome, 1)(events), expected)


def test_steps_with_too_few_events_are_left_out(outcome):
    def right(_):
        return lambda events: in_bulk(events) & (events[:, 0] > 0.9)

    references = {"fresh": GaussianRing(2).sample(2000, np.random.default_rng(4))}
    steps = [20, 20_000]
    found = compare_members(outcome, references, steps, lambda _: {"radius": radius}, members=2, seed=SEED, cut=right)
    assert found["radius", "fresh"].curve.n_gen.shape == (1,)
    with pytest.raises(ValueError, match=r"the cut leaves only [0-9] generated events of a member: raise n_gen"):
        compare_members(outcome, references, 20, lambda _: {"radius": radius}, members=2, seed=SEED, cut=right)
