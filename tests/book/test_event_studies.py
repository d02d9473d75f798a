"""The trainings of the event generators, with events that are apart."""

import numpy as np
import pytest

from gampl.processes.top_pair import TopPair
from gampl.training.settings import LeadingOrder, TopPairJets
from gampl_book import event_studies
from gampl_book.event_ensembles import ensemble, generate, holdout_events, train_members, training_events
from gampl_book.profiles import PROFILES


@pytest.mark.parametrize("profile", PROFILES)
def test_members_differ_in_their_number_only(profile):
    plan = event_studies.trainings(profile, 1)
    for name in event_studies.ensembles(profile):
        members = [plan[member] for member in plan if member.rpartition("/")[0] == name]
        assert set(members) == {members[0]}
        assert members[0].members == len(members)
        assert isinstance(members[0].process, TopPairJets if name.startswith("top_pair") else LeadingOrder)


def test_the_paper_profile_has_the_papers_sizes():
    plan = event_studies.trainings("paper", 1)
    for kind in ("transformer", "lgatr", "lloca"):
        training = plan[f"top_pair_0j/{kind}/9"]
        assert (training.n_train, training.fit.steps, training.fit.batch_size) == (500_000, 200_000, 2048)
        assert plan[f"top_pair_4j/{kind}/9"].n_train == 200_000


def test_cuts_are_those_of_the_process():
    training = event_studies.trainings("smoke", 1)["top_pair_4j/lloca/0"]
    assert training.process == TopPairJets(4, TopPair.cuts.pt_min, TopPair.cuts.delta_r_min)


def test_holdout_events_were_not_trained_on():
    plan = event_studies.trainings("smoke", 1)
    train = training_events(plan["top_pair_4j/transformer/0"], "smoke")
    assert train.shape == (plan["top_pair_4j/transformer/0"].n_train, 10, 4)
    holdout = holdout_events(4, len(train), "smoke")
    assert len(train) + len(holdout) == sum(len(TopPair(4).load(sample)) for sample in ("train", "holdout"))
    assert not {event.tobytes() for event in train} & {event.tobytes() for event in holdout}


def test_leading_order_events_depend_on_seed_and_number():
    plan, other = event_studies.trainings("smoke", 1), event_studies.trainings("smoke", 2)
    few, many = (name for name in plan if name.startswith("leading_order") and name.endswith("transformer/0"))
    events = training_events(plan[few], "smoke")
    assert events.shape == (plan[few].n_train, 4)
    np.testing.assert_array_equal(events, training_events(plan[few], "smoke"))
    assert not np.array_equal(events, training_events(other[few], "smoke"))
    assert not np.array_equal(events, training_events(plan[many], "smoke")[: len(events)])


def test_too_few_events_are_an_error():
    training = event_studies.trainings("paper", 1)["top_pair_4j/transformer/0"]
    with pytest.raises(ValueError, match=r"n_train is 200000, but the file has \d+ training events"):
        training_events(training, "smoke")


def test_an_ensemble_is_trained_screened_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path))
    name = next(name for name in event_studies.ensembles("smoke") if name.startswith("leading_order"))
    first = train_members([f"{name}/0"], "smoke", 5)[f"{name}/0"]
    said = generate(f"{name}/0", first, "smoke", 5)
    n = event_studies.n_gen("smoke", name)
    assert said.startswith(f"{n} generated events, 0 of them not finite")
    found = ensemble(name, "smoke", 5)
    assert len(found) == 3
    assert found.excluded == {}
    assert found.members[0].artifact == first.artifact
    assert found.sample(1, n, 5).shape == (n, 4)


def test_members_are_trained_side_by_side_where_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path))
    names = [f"leading_order_500/{kind}/{k}" for k in (0, 1) for kind in ("spline", "autoregressive")]
    trained = train_members(names, "smoke", 5, parallel=2)
    assert list(trained) == names
    for name, member in trained.items():
        assert member.training == event_studies.trainings("smoke", 5)[name]
        assert train_members([name], "smoke", 5)[name].artifact == member.artifact
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "apart"))
    for name, member in train_members(names, "smoke", 5).items():
        np.testing.assert_allclose(member.history.train_loss, trained[name].history.train_loss, rtol=1e-4)


def test_slim_stands_for_lgatr_where_there_is_no_other():
    assert event_studies.recorded(["transformer", "lgatr_slim"]) == {
        "transformer": "transformer",
        "lgatr_slim": "lgatr",
    }
    both = ["lgatr", "lgatr_slim"]
    assert event_studies.recorded(both) == {"lgatr": "lgatr", "lgatr_slim": "lgatr_slim"}
