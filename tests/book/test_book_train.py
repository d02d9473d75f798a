"""The command line of training, on the smoke profile's sizes."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats

from gampl.particles import held_out_events
from gampl_book import BookError, event_ensembles, event_studies, plan, profiles
from gampl_book.__main__ import main
from gampl_book.pages import Page
from gampl_book.profiles import section
from gampl_book.top_pair_members import HISTOGRAMS, MASS_EDGES, MemberEvents, Truth
from gampl_book.top_pair_study import TopPairStudy


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "store"))


def test_a_receipt_that_cannot_be_written_is_found_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("gampl_book.train.ring_ensembles.train_or_load", None)  # calling it would be a TypeError
    (tmp_path / "file").touch()
    for receipt in (tmp_path, tmp_path / "file" / "job.json"):
        assert main(["train", "ring2d/deep/1", "--profile", "smoke", "--receipt", str(receipt)]) == 1
        assert str(receipt.parent if receipt != tmp_path else receipt) in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


@pytest.mark.parametrize("name", ["ring2d/deep/1", "top_pair_4j/transformer/1"])
def test_a_training_leaves_a_receipt_and_is_found_again(name, tmp_path, capsys):
    receipt = tmp_path / "receipts" / "job.json"
    command = ["train", name, "--profile", "smoke", "--seed", "3", "--receipt", str(receipt)]
    assert main(command) == 0
    first = receipt.read_text()
    members = json.loads(first)
    training = plan.trainings("smoke", 3)[name]
    assert list(members) == ([f"{name}/{k}" for k in range(training.members)] if name.startswith("ring") else [name])
    for about in members.values():
        assert about["training"] == asdict(training)
        assert (tmp_path / "store" / about["artifact"][:2] / about["artifact"]).is_dir()
    files = sorted((tmp_path / "store").rglob("*.safetensors"))
    # the weights of each; of events also what was generated, and how much was lost
    assert len(files) == (training.members if name.startswith("ring") else 3)
    assert main(command) == 0
    assert receipt.read_text() == first
    assert sorted((tmp_path / "store").rglob("*.safetensors")) == files
    assert "artifact" in capsys.readouterr().out


def test_an_unknown_training_is_named_before_any_work(tmp_path, capsys):
    assert main(["train", "ring2d/deep/1", "top_pair_9j/lloca/0", "--profile", "smoke"]) == 1
    assert "no training 'top_pair_9j/lloca/0' in profile smoke" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.fixture
def tiny_gpu_profile(monkeypatch):
    """The profile `gpu` with the sizes of smoke, trained on a CPU."""
    table = profiles._table()
    gpu = {"event_trainings": {"trained_elsewhere": True, "order": ["top_pair_0j/spline"], "last": []}}
    monkeypatch.setattr(profiles, "_table", lambda: table | {"laptop": table["smoke"], "gpu": gpu})
    monkeypatch.setenv("GAMPL_DEVICE", "cpu")
    return "gpu"


def test_the_order_of_a_profile_trained_elsewhere_is_its_own(tiny_gpu_profile):
    names = event_studies.in_order(tiny_gpu_profile, 1)
    assert names[:3] == [f"top_pair_0j/spline/{k}" for k in range(3)]
    assert sorted(names) == sorted(event_studies.trainings(tiny_gpu_profile, 1))
    assert not [job for job in plan.jobs(tiny_gpu_profile, 1) if not job.startswith("ring")]


def test_pages_show_what_was_trained_elsewhere_without_its_events(tiny_gpu_profile, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAMPL_OUTPUT", str(tmp_path))
    page = Page("top_pair_averaging", tiny_gpu_profile, 1)
    with pytest.raises(ValueError, match="no ensemble of top pairs is trained"):
        TopPairStudy.of(page)
    members = [f"top_pair_0j/spline/{k}" for k in range(3)]
    assert main(["train", *members[:2], "--profile", "gpu"]) == 0
    assert event_ensembles.available(tiny_gpu_profile, 1) == {}  # too few
    with monkeypatch.context() as patch:
        patch.setattr(event_ensembles, "FEWEST", 2)
        assert event_ensembles.available(tiny_gpu_profile, 1) == {"top_pair_0j/spline": 2}
        assert len(TopPairStudy.of(Page("top_pair_averaging", tiny_gpu_profile, 1)).ensembles[0, "spline"]) == 2
    assert main(["train", *members, "--profile", "gpu"]) == 0
    assert list(json.loads((tmp_path / "_build/gpu/trained.json").read_text())) == ["top_pair_0j/spline"]
    with pytest.raises(BookError, match="top_pair_4j/spline has too few members"):
        event_ensembles.ensemble("top_pair_4j/spline", tiny_gpu_profile, 1)

    chunks = [file for file in (tmp_path / "store").rglob("artifact.json") if '"number": ' in file.read_text()]
    assert len(chunks) == 3
    for file in chunks:
        shutil.rmtree(file.parent)
    before = sorted((tmp_path / "store").rglob("artifact.json"))
    study = TopPairStudy.of(page)
    assert (study.kinds, list(study.ensembles), list(study.truth)) == (("spline",), [(0, "spline")], [0])
    n = event_studies.n_gen(tiny_gpu_profile, "top_pair_0j/spline")
    for region in study.truth[0].regions:
        counts, lost = study.counts(0, "spline", region)
        assert counts.shape[:2] == (len(study.sizes(0, "spline")), 3)
        assert counts[-1].max() <= n
        assert lost == 0
    first = study.events(0, "spline")[0]
    for edges in HISTOGRAMS:
        assert all(0 < shares.sum() <= 1 for shares in first.histograms(edges).values())
    holdout = study.truth[0].holdout
    assert 0 <= first.outside().min() <= first.outside().max() <= 1
    learned = first.learned(holdout[: section("smoke", "top_pair_generators")["n_classified"]], 1)
    assert 0.5 < learned.auc()[0] <= 1
    with pytest.raises(TypeError, match="function of a kept ratio is not kept"):
        learned.summary(holdout)
    for reference in study.truth[0].references.values():
        for distances, n_kept, n_ref in first.distances(reference, 1, *study.truth[0].region).tests.values():
            assert distances.shape == n_kept.shape
            assert n_ref > 0
            assert np.nanmax(distances) <= 1
    assert sorted((tmp_path / "store").rglob("artifact.json")) == before  # nothing was made again


def test_answers_agree_with_the_events_that_they_are_of(tiny_gpu_profile):
    name = "top_pair_0j/spline/1"
    member = event_ensembles.train_members([name], tiny_gpu_profile, 1)[name]
    n, truth = 700, Truth(0, tiny_gpu_profile, member.training.n_train)
    events, asked = member.sample(n, 1), MemberEvents(truth.process, member, n, 1)
    m_tt = truth.process.observable("m_tt")(events)
    counts, _ = asked.counts(truth.regions["region"], np.array([300, n]))
    low, high = truth.region
    inside = (m_tt >= low) & (m_tt < high)
    assert counts[:, 0, 0].tolist() == [inside[:300].sum(), inside.sum()]
    np.testing.assert_allclose(asked.histograms({"m_tt": MASS_EDGES})["m_tt"], np.histogram(m_tt, MASS_EDGES)[0] / n)
    np.testing.assert_array_equal(np.concatenate(list(asked.batches(after=123))), events[123:])
    found = asked.distances(truth.holdout[:200], 1, low, high)
    expected = held_out_events(truth.process, truth.holdout[:200], events[:200], 1)
    np.testing.assert_array_equal(found.learned.reference, expected.reference)
    true = truth.process.observable("m_tt")(expected.reference_events)
    distance = stats.ks_2samp(m_tt[found.used :], true, method="asymp").statistic
    np.testing.assert_allclose(found.tests["all", "m_tt"][0][-1], distance)


def test_a_training_stops_after_its_seconds_and_goes_on(monkeypatch, capsys):
    training = plan.trainings("smoke", 3)["top_pair_0j/spline/0"]
    long = replace(training, fit=replace(training.fit, steps=1200, patience=1200))
    monkeypatch.setattr(event_studies, "ensembles", lambda *_: {"top_pair_0j/spline": long})
    command = ["train", "top_pair_0j/spline/0", "--profile", "smoke", "--seed", "3"]
    assert main([*command, "--seconds", "0.5"]) == 0
    assert "Stopped after 0.5 s" in capsys.readouterr().err
    assert main(command) == 0
    assert "of 1200" in capsys.readouterr().out
