"""Z + jets from files: observables, weights, multiplicities, staircase scaling."""

import numpy as np
import pytest
import vector

from gampl.files import EventFileError, hdf5
from gampl.particles.events import Events
from gampl.processes.samples import Cuts
from gampl.processes.z_jets import ZJets, staircase

KEPT = np.array([0.1, 0.5, 1, 1, 1, 1, 1, 1, 1])  # fractions of events that are kept, by number of jets


def with_jets(n_jets: np.ndarray, rng: np.random.Generator, weights: np.ndarray | None = None) -> Events:
    """Events with given numbers of jets."""
    shape = (len(n_jets), 10)
    pt, mass = 20 + rng.exponential(30, shape), 5 + rng.exponential(5, shape)
    momenta = np.stack([pt, rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.5, shape), mass], axis=-1)
    momenta[np.arange(10) >= 2 + n_jets[:, None]] = 0
    momenta[:, :2, 3] = 0.10566
    momenta = momenta.astype(np.float32).astype(np.float64)
    return Events(momenta, ZJets().particles, {} if weights is None else {"weight": weights})


def random_events(n: int, seed: int = 1) -> Events:
    """Weighted events: jet rates fall by 1/2 per jet, and of 0 and 1 jets only some are kept."""
    rng = np.random.default_rng(seed)
    n_jets = np.minimum(rng.geometric(0.5, n) - 1, 8)
    n_jets = n_jets[rng.random(n) < KEPT[n_jets]]
    return with_jets(n_jets, rng, 1 / KEPT[n_jets])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The bundled file."""
    parts = {"train": random_events(3000, seed=2), "holdout": random_events(1000, seed=3)}
    hdf5.write(tmp_path / "z_jets.h5", parts, "z_jets", {})
    monkeypatch.setenv("GAMPL_DATA", str(tmp_path))
    return tmp_path


def test_observables():
    process, events = ZJets(), random_events(1000)
    momenta, present = events.momenta, events.momenta[..., 0] > 0
    z = vector.array(
        {"pt": momenta[:, :2, 0], "phi": momenta[:, :2, 1], "eta": momenta[:, :2, 2], "mass": momenta[:, :2, 3]}
    )
    np.testing.assert_allclose(process.observable("m_mumu")(momenta), z.sum(axis=1).mass, rtol=1e-6)
    np.testing.assert_allclose(process.observable("pT(mu-+mu+)")(momenta), z.sum(axis=1).pt, rtol=1e-9)
    np.testing.assert_allclose(process.observable("HT")(momenta), momenta[:, 2:, 0].sum(axis=1))
    assert np.array_equal(process.observable("n_jets")(momenta), present[:, 2:].sum(axis=1))
    assert np.array_equal(np.isnan(process.observable("pT(j2)")(momenta)), ~present[:, 3])
    assert process.observable("m_mumu").label == r"$m_{\mu\mu}$"
    assert ZJets().observable("deltaphi(mu-,mu+)") is process.observable("deltaphi(mu-, mu+)")


def test_particles_depend_on_the_number_of_jets():
    assert ZJets().particles == ("mu-", "mu+", "j1", "j2", "j3", "j4", "j5", "j6", "j7", "j8")
    assert ZJets(2).particles == ("mu-", "mu+", "j1", "j2")
    assert ZJets(0).particles == ("mu-", "mu+")
    with pytest.raises(ValueError, match="unknown particle 'j3'"):
        ZJets(2).observable("pT(j3)")
    with pytest.raises(ValueError, match="unknown observable 'HT'"):
        ZJets(0).observable("HT")


def test_loading(folder):
    loaded, expected = ZJets().load("holdout"), random_events(1000, seed=3)
    np.testing.assert_array_equal(loaded.momenta, expected.momenta)
    np.testing.assert_allclose(loaded.columns["weight"], expected.columns["weight"], rtol=1e-7)


def test_events_with_one_number_of_jets(folder):
    everything = ZJets().load()
    for n_jets in range(9):
        loaded = ZJets(n_jets).load()
        expected = everything[everything.multiplicity == 2 + n_jets]
        assert loaded.particles == ZJets(n_jets).particles
        assert np.array_equal(loaded.momenta, expected.momenta[:, : 2 + n_jets])
        assert np.array_equal(loaded.columns["weight"], expected.columns["weight"])
        assert (loaded.momenta[..., 0] > 0).all()


def test_batches(folder):
    n = len(ZJets().load())
    sizes = [len(events) for events in ZJets().batches(batch=100)]
    assert sizes == [100] * (n // 100) + [n % 100] * (n % 100 > 0)
    assert sum(len(events) for events in ZJets(1).batches(batch=100)) == len(ZJets(1).load())


def test_drawn_events_have_equal_weights(folder):
    drawn = ZJets().sample(250, np.random.default_rng(1))
    n_jets = ZJets().observable("n_jets")(drawn)
    train = ZJets().load()
    expected = staircase(train)
    # the drawn share follows the weights, not the numbers in the file: 4.5 standard deviations, false-alarm rate 7e-6
    error = np.hypot(np.sqrt(0.25 / 250), expected.error[0])
    assert abs(np.mean(n_jets == 0) - expected.probability[0]) < 4.5 * error
    assert abs(np.mean(train.multiplicity == 2) - expected.probability[0]) > 4.5 * error
    assert ZJets(2).sample(5, np.random.default_rng(1)).shape == (5, 4, 4)
    with pytest.raises(ValueError, match="events of equal weight of the sample, got 3000"):
        ZJets().sample(3000, np.random.default_rng(1))


def test_regions_and_cuts():
    process, events = ZJets(), random_events(1000)
    region = process.region(80.0, 100.0, "m_mumu")
    m = process.observable("m_mumu")(events.momenta)
    assert region.count(events.momenta).inside.tolist() == [np.count_nonzero((m >= 80) & (m < 100))]
    chosen = process.select(events, Cuts(eta_max=1.0))
    jets, muons = chosen.momenta[:, 2:], chosen.momenta[:, :2]
    assert (np.abs(jets[..., 2]) < 1).all()
    assert (np.abs(muons[..., 2]) > 1).any()  # the cut is on jets
    assert (chosen.multiplicity == 2).sum() == (events.multiplicity == 2).sum()
    assert (process.select(events, Cuts(pt_min=30.0)).momenta[:, 2:, 0] != 0).any()
    assert process.cuts.pt_min == 20


def test_without_weights_the_errors_are_binomial():
    numbers = np.array([700, 200, 60, 0, 5])
    events = with_jets(np.repeat(np.arange(5), numbers), np.random.default_rng(1))
    found = staircase(events)
    share = numbers / numbers.sum()
    assert found.n_jets.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.probability, share)
    np.testing.assert_allclose(found.error, np.sqrt(share * (1 - share) / numbers.sum()))
    np.testing.assert_allclose(found.ratio, [2 / 7, 0.3, np.nan, np.nan])
    np.testing.assert_allclose(
        found.ratio_error, [2 / 7 * np.sqrt(1 / 700 + 1 / 200), 0.3 * np.sqrt(1 / 200 + 1 / 60), np.nan, np.nan]
    )


def test_errors_of_weighted_events_cover_the_truth():
    """Pulls of repeated experiments: a Poisson number of events, of which some are kept."""
    rates = 4000 * 0.5 ** np.arange(5)
    truth, n_experiments = rates / rates.sum(), 400
    rng = np.random.default_rng(7)
    pulls, ratio_pulls = [], []
    for _ in range(n_experiments):
        kept = rng.binomial(rng.poisson(rates), KEPT[:5])
        n_jets = np.repeat(np.arange(5), kept)
        momenta = np.zeros((n_jets.size, 10, 4))
        momenta[np.arange(10) < 2 + n_jets[:, None]] = [20, 0, 0, 1]
        found = staircase(Events(momenta, ZJets().particles, {"weight": 0.3 / KEPT[n_jets]}))
        pulls.append((found.probability - truth) / found.error)
        ratio_pulls.append((found.ratio - 0.5) / found.ratio_error)
    for values in (np.array(pulls), np.array(ratio_pulls)):
        # 4 standard deviations of the mean and of the spread of a normal sample: false-alarm rate 6e-5 for each of 18
        # numbers, 1e-3 in all; beyond that 3 % for what is not quite normal in small samples
        assert (np.abs(values.mean(axis=0)) < 4 / np.sqrt(n_experiments) + 0.03).all()
        assert (np.abs(values.std(axis=0) - 1) < 4 / np.sqrt(2 * n_experiments) + 0.03).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda _: ZJets(9), ValueError, "n_jets must be 0 to 8 or None, got 9"),
        (lambda folder: ZJets().load(path=folder / "x.h5"), FileNotFoundError, "no .*x.h5: make it"),
        (lambda _: ZJets().load("test"), EventFileError, "z_jets.h5.*test"),
        (lambda _: ZJets(2).select(random_events(3), Cuts()), ValueError, "expected events of mu-, mu\\+, j1, j2, got"),
        (lambda _: staircase(Events(np.ones((2, 1, 4)), ("j1",))), ValueError, "expected events of mu-, mu\\+ and"),
        (lambda _: staircase(random_events(10)[:0]), ValueError, "got 0 events"),
        (
            lambda _: staircase(Events(np.zeros((2, 2, 4)), ("mu-", "mu+"))),
            ValueError,
            "two muons each and positive weights",
        ),
        (
            lambda _: staircase(Events(np.ones((2, 2, 4)), ("mu-", "mu+"), {"weight": np.zeros(2)})),
            ValueError,
            "positive weights",
        ),
    ],
)
def test_bad_arguments_and_files_are_named(folder, make, error, message):
    with pytest.raises(error, match=message):
        make(folder)
