"""Top pairs from files: observables, regions, loading, drawing, tighter cuts."""

import h5py
import numpy as np
import pytest
import vector

from gampl import averaging
from gampl.files import EventFileError, hdf5
from gampl.particles.events import Events
from gampl.particles.kinematics import cartesian
from gampl.processes.samples import Cuts
from gampl.processes.top_pair import M_TT_REGION, TopPair


def random_events(n: int, extra_jets: int = 0, seed: int = 1) -> Events:
    rng = np.random.default_rng(seed)
    shape = (n, 6 + extra_jets)
    pt, mass = 22 + rng.exponential(200, shape), 5 + rng.exponential(10, shape)
    momenta = np.stack([pt, rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.5, shape), mass], axis=-1)
    momenta = momenta.astype(np.float32).astype(np.float64)
    chi2 = rng.exponential(50, n).astype(np.float32).astype(np.float64)
    return Events(momenta, TopPair(extra_jets).particles, {"chi2": chi2})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Bundled files of 0 and 4 additional jets."""
    for extra_jets in (0, 4):
        parts = {"train": random_events(50, extra_jets, seed=2), "holdout": random_events(30, extra_jets, seed=3)}
        hdf5.write(tmp_path / f"top_pair_{extra_jets}j.h5", parts, "top_pair", {"sample": f"extra_jets_{extra_jets}"})
    monkeypatch.setenv("GAMPL_DATA", str(tmp_path))
    return tmp_path


def vector_sum(momenta: np.ndarray, rows: list[int]):
    coordinates = np.moveaxis(momenta[:, rows], -1, 0)
    return vector.array(dict(zip(("pt", "phi", "eta", "mass"), coordinates, strict=True))).sum(axis=1)


@pytest.mark.parametrize("extra_jets", range(5))
def test_tops_and_bosons_are_sums_of_their_jets(extra_jets):
    process, momenta = TopPair(extra_jets), random_events(200, extra_jets).momenta
    assert process.particles == ("b1", "q1", "q2", "b2", "q3", "q4", "j1", "j2", "j3", "j4")[: 6 + extra_jets]
    rows = {"t1": [0, 1, 2], "t2": [3, 4, 5], "W1": [1, 2], "W2": [4, 5], "tt": [0, 1, 2, 3, 4, 5]}
    assert process.composites.keys() == rows.keys()
    for name, jets in rows.items():
        total = vector_sum(momenta, jets)
        for function, expected in {"m": total.mass, "pT": total.pt, "y": total.rapidity}.items():
            np.testing.assert_allclose(
                process.observable(f"{function}_{name}")(momenta), expected, rtol=1e-8, atol=1e-8
            )
    np.testing.assert_allclose(process.observable("m(t1+t2)")(momenta), vector_sum(momenta, rows["tt"]).mass, rtol=1e-9)
    np.testing.assert_allclose(process.observable("HT")(momenta), momenta[..., 0].sum(axis=1))
    assert (process.observable("n_jets")(momenta) == 6 + extra_jets).all()


def test_observables_are_the_same_objects_each_time():
    assert TopPair(4).observable("m_tt") is TopPair(4).observable("m_tt")
    assert TopPair(0).observable("m_tt") is not TopPair(4).observable("m_tt")  # of other arrays
    assert TopPair().observable("m_tt").axis == r"$m_{t\bar t}$ [GeV]"
    with pytest.raises(ValueError, match=r"unknown particle 'j1'; there are b1, .*, q4, t1, t2, W1, W2, tt$"):
        TopPair().observable("pT(j1)")


def test_cuts_are_those_of_eq_38():
    cuts = TopPair().cuts
    assert (cuts.pt_min, cuts.delta_r_min, cuts.eta_max) == (22, 0.5, 5)


def test_the_region_is_that_of_eq_43():
    process, momenta = TopPair(), random_events(3000).momenta
    region = process.region()
    assert (region.low.tolist(), region.high.tolist()) == ([2000.0], [2200.0])
    assert region.observable is process.observable("m_tt")
    m_tt = vector_sum(momenta, [0, 1, 2, 3, 4, 5]).mass
    expected = np.count_nonzero((m_tt >= 2000) & (m_tt < 2200))
    assert expected > 50
    assert region.count(momenta).inside.tolist() == [expected]
    assert M_TT_REGION == (2000.0, 2200.0)
    tops = process.region(150, 200, "m_t1")
    assert (tops.low.tolist(), tops.high.tolist(), tops.observable.name) == ([150], [200], "m_t1")


def test_batches_feed_the_averaging_estimate():
    process = TopPair()
    members = [[random_events(2000, seed=seed).momenta] for seed in range(4)]
    result = averaging.from_samples(members, process.region(), n_train=500, n_gen=2000)
    assert result.n_train == 500


def test_loading(folder):
    for extra_jets in (0, 4):
        process = TopPair(extra_jets)
        for sample, seed, n in (("train", 2, 50), ("holdout", 3, 30)):
            loaded, expected = process.load(sample), random_events(n, extra_jets, seed)
            assert loaded.particles == process.particles
            np.testing.assert_array_equal(loaded.momenta, expected.momenta)
            np.testing.assert_array_equal(loaded.columns["chi2"], expected.columns["chi2"])
            assert loaded.about["sample"] == f"extra_jets_{extra_jets}"


def test_batches(folder):
    sizes = [len(events) for events in TopPair().batches("holdout", batch=12)]
    assert sizes == [12, 12, 6]
    joined = Events.concatenate(list(TopPair().batches("holdout", batch=12)))
    assert np.array_equal(joined.momenta, TopPair().load("holdout").momenta)


def test_any_file_can_be_named(folder, monkeypatch):
    monkeypatch.delenv("GAMPL_DATA")
    hdf5.write(folder / "mine.h5", {"events": random_events(7)}, "top_pair", {})
    assert len(TopPair().load("events", folder / "mine.h5")) == 7
    assert len(TopPair().load("events", str(folder / "mine.h5"))) == 7


def test_the_public_file_is_read_as_well(tmp_path):
    momenta = random_events(20).momenta
    with h5py.File(tmp_path / "event_generation_ttbar.hdf5", "w") as file:
        file["ttbar+0jet"] = cartesian(momenta).reshape(-1, 24)
    loaded = TopPair().load("ttbar+0jet", tmp_path / "event_generation_ttbar.hdf5")
    m_tt = TopPair().observable("m_tt")
    np.testing.assert_allclose(m_tt(loaded.momenta), m_tt(momenta), rtol=1e-9)


def test_drawing(folder):
    train = TopPair().load("train").momenta
    drawn = TopPair().sample(50, np.random.default_rng(1))
    assert drawn.shape == (50, 6, 4)
    assert not np.array_equal(drawn, train)
    assert np.array_equal(drawn[np.argsort(drawn[:, 0, 0])], train[np.argsort(train[:, 0, 0])])
    assert np.array_equal(drawn, TopPair().sample(50, np.random.default_rng(1)))
    with pytest.raises(ValueError, match="the 50 different events"):
        TopPair().sample(51, np.random.default_rng(1))


def test_tighter_cuts():
    process, events = TopPair(), random_events(500)
    assert len(process.select(events, Cuts())) == 500
    chosen = process.select(events, Cuts(eta_max=2.5))
    central = (np.abs(events.momenta[..., 2]) < 2.5).all(axis=1)
    assert 0 < len(chosen) == central.sum() < 500
    assert np.array_equal(chosen.momenta, events.momenta[central])
    assert np.array_equal(chosen.columns["chi2"], events.columns["chi2"][central])
    assert (process.select(events, Cuts(pt_min=40.0)).momenta[..., 0] > 40).all()
    assert 0 < len(process.select(events, Cuts(delta_r_min=1.0))) < 500


def write_observables(folder, n=5):
    values = {name: TopPair().observable(name)(random_events(n).momenta) for name in ("m_tt", "pT(b1)")}
    path, about = folder / "top_pair_0j_observables.h5", {"particles": TopPair().particles}
    hdf5.write(path, {"holdout": values}, "top_pair", about)
    return path


def test_loading_observables(folder):
    path = write_observables(folder)
    for found in (TopPair().load_observables(), TopPair().load_observables("holdout", path)):
        assert found.keys() == {"m_tt", "pT(b1)"}
        for name, values in found.items():
            assert values.dtype == np.float64
            np.testing.assert_allclose(values, TopPair().observable(name)(random_events(5).momenta), rtol=1e-7)


def write_empty(folder):
    hdf5.write(folder / "empty.h5", {"train": random_events(3)[:0]}, "top_pair", {})
    return folder / "empty.h5"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda _: TopPair(5), ValueError, "extra_jets must be 0 to 4, got 5"),
        (lambda _: TopPair(-1), ValueError, "got -1"),
        (lambda _: TopPair(2).load(), FileNotFoundError, "no .*top_pair_2j.h5: make it with `gampl events make`"),
        (lambda _: TopPair(2).batches(), FileNotFoundError, "GAMPL_DATA"),  # immediately, not at the first batch
        (lambda folder: TopPair().load(path=folder / "x.h5"), FileNotFoundError, "no .*x.h5: .* name another"),
        (lambda _: TopPair().load("test"), EventFileError, "top_pair_0j.h5.*test"),
        (
            lambda folder: TopPair().load(path=folder / "top_pair_4j.h5"),
            EventFileError,
            "top_pair_4j.h5: expected the particles b1, .*, q4, got b1, .*, j4",
        ),
        (
            lambda folder: TopPair().load(path=write_empty(folder)),
            EventFileError,
            "empty.h5: holds no events in the sample 'train'",
        ),
        (lambda _: TopPair().load_observables(), FileNotFoundError, "no .*top_pair_0j_observables.h5: make it with"),
        (
            lambda folder: TopPair().load_observables("train", folder / "top_pair_0j.h5"),
            EventFileError,
            "top_pair_0j.h5: has format 'gampl events', version 1; expected 'gampl observables'",
        ),
        (
            lambda folder: TopPair(4).load_observables(path=write_observables(folder)),
            EventFileError,
            "observables.h5: expected observables of the particles b1, .*, j4, got b1, .*, q4$",
        ),
        (
            lambda folder: TopPair().load_observables(path=write_observables(folder, n=0)),
            EventFileError,
            "observables.h5: holds no events in the sample 'holdout'",
        ),
        (
            lambda _: TopPair(4).select(random_events(3), Cuts()),
            ValueError,
            "expected events of b1, .*, j4, got b1",
        ),
    ],
)
def test_bad_arguments_and_files_are_named(folder, make, error, message):
    with pytest.raises(error, match=message):
        make(folder)
