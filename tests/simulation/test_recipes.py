"""What both recipes promise of any event, on events that Pythia makes here."""

import numpy as np
import pytest
from scipy import stats

from gampl.particles.kinematics import delta_r, total
from gampl.processes.top_pair import TopPair
from gampl.simulation.pythia import EventRecord
from gampl.simulation.shards import generate
from gampl.simulation.top_pair import TopPairRecipe
from gampl.simulation.z_jets import MUON_MASS, ZJetsRecipe


@pytest.fixture(scope="module")
def top_pairs():
    return generate(TopPairRecipe(), seed=11, n_events=2000)


@pytest.fixture(scope="module")
def z_events():
    return generate(ZJetsRecipe(kept=()), seed=12, n_events=6000)


def test_top_pairs_pass_the_cuts_of_eq_38(top_pairs):
    samples, passed, _ = top_pairs
    assert passed["generated"] == 2000
    steps = list(passed.values())
    assert steps[:4] == sorted(steps[:4], reverse=True)
    for extra in range(5):
        events = samples[f"extra_jets_{extra}"]
        assert len(events) == passed[f"extra_jets_{extra}"] > 0
        assert events.particles == TopPair(extra).particles
        pt, phi, eta, mass = np.moveaxis(events.momenta, -1, 0)
        assert pt.min() > 22
        assert np.abs(eta).max() < 5
        assert np.abs(phi).max() <= np.pi
        assert mass.min() >= 0
        for i in range(6 + extra):
            for k in range(i):
                assert delta_r(events.momenta[:, i], events.momenta[:, k]).min() > 0.5
        assert (events.columns["m_hat"] > 300).all()


def test_top_pairs_have_about_the_acceptance_that_was_measured_before(top_pairs):
    # 8.12, 5.82, 2.93, 1.15 and 0.385 % of 660 000 events of an earlier program; false-alarm rate 1e-4
    _, passed, _ = top_pairs
    expected = np.array([0.0812, 0.0582, 0.0293, 0.0115, 0.00385])
    for extra, rate in enumerate(expected):
        p_value = stats.binomtest(passed[f"extra_jets_{extra}"], 2000, rate).pvalue
        assert p_value > 1e-4 / 5


def test_top_and_w_masses_peak_where_they_should(top_pairs):
    momenta = np.concatenate([events.momenta[:, :6] for events in top_pairs[0].values()])
    m_w = total(momenta[:, 1:3])[:, 3]
    m_t = total(momenta[:, :3])[:, 3]
    # medians: 80.4 and about 173 GeV, with tails of wrong assignments to the right
    assert 75 < np.median(m_w) < 86
    assert 165 < np.median(m_t) < 195


def test_z_events(z_events):
    samples, passed, (cross_section, error) = z_events
    events = samples["events"]
    assert events.particles == ("mu-", "mu+", *(f"j{k}" for k in range(1, 9)))
    assert len(events) == passed["kept"] == 6000
    muons, jets = events.momenta[:, :2], events.momenta[:, 2:]
    assert (muons[..., 3] == MUON_MASS).all()
    mass = total(muons)[:, 3]
    assert (mass > 59.9).all()
    assert (mass < 120.1).all()
    assert abs(np.median(mass) - 91.2) < 0.5
    present = jets[..., 0] > 0
    assert (present[:, :-1] >= present[:, 1:]).all()
    assert (np.diff(jets[..., 0], axis=1) <= 0).all()
    assert jets[present][:, 0].min() > 20
    assert np.abs(jets[present][:, 2]).max() < 5
    number = present.sum(axis=1)
    assert [passed[f"{n} jets"] for n in range(9)] == np.bincount(number, minlength=9).tolist()
    assert (events.columns["weight"] == 1).all()
    # Z -> mu mu at leading order, 60 to 120 GeV: about 1.5 nb
    assert 1300 < cross_section < 1700
    assert error < 0.05 * cross_section


def test_kept_fractions_leave_weighted_rates_as_they_are(z_events):
    # the same Pythia events: what is kept, weighted, estimates how many there were; false-alarm rate 1e-4
    kept = (0.1, 0.3, 0.7)
    samples, passed, _ = generate(ZJetsRecipe(kept=kept), seed=12, n_events=6000)
    events = samples["events"]
    number = events.multiplicity - 2
    for n in range(9):
        assert passed[f"{n} jets"] == z_events[1][f"{n} jets"]
        fraction = kept[n] if n < 3 else 1.0
        assert events.columns["weight"][number == n] == pytest.approx(1 / fraction)
        if n < 3:
            assert stats.binomtest(int((number == n).sum()), passed[f"{n} jets"], fraction).pvalue > 1e-4 / 3
        else:
            assert (number == n).sum() == passed[f"{n} jets"]


def test_some_numbers_of_jets_of_the_same_events(z_events):
    samples, passed, _ = generate(ZJetsRecipe(min_jets=2, max_jets=3, kept=()), seed=12, n_events=2000)
    made = samples["events"].momenta
    everything = z_events[0]["events"].momenta[:2000]
    number = (everything[:, 2:, 0] > 0).sum(axis=1)
    assert np.array_equal(made, everything[(number == 2) | (number == 3)])
    assert passed["kept"] == passed["2 jets"] + passed["3 jets"] == len(made) > 50
    assert passed["0 jets"] == (number == 0).sum()


def test_same_seed_same_events():
    recipe = TopPairRecipe()
    first, passed, _ = generate(recipe, seed=5, n_events=400)
    again, passed_again, _ = generate(recipe, seed=5, n_events=400)
    other, _, _ = generate(recipe, seed=6, n_events=400)
    assert passed == passed_again
    for name in first:
        assert np.array_equal(first[name].momenta, again[name].momenta)
        assert np.array_equal(first[name].columns["chi2"], again[name].columns["chi2"])
    assert not np.array_equal(first["extra_jets_0"].momenta[:5], other["extra_jets_0"].momenta[:5])


def test_describe_says_everything():
    said = ZJetsRecipe(min_jets=1).describe()
    assert said["recipe"] == "z_jets"
    assert said["min_jets"] == 1
    assert said["kept"] == [0.05, 0.2, 0.7]
    assert TopPairRecipe().describe()["top_sigma"] == 8.8


def test_numbers_of_other_types_make_the_same_recipe():
    assert ZJetsRecipe(eta_max=np.float32(2.5), kept=[1], energy=7000) == ZJetsRecipe(
        eta_max=2.5, kept=(1.0,), energy=7e3
    )
    assert ZJetsRecipe(energy=7000).pythia_settings()[0] == "Beams:eCM = 7000.0"


@pytest.mark.parametrize(
    ("recipe", "fields", "sentence"),
    [
        (ZJetsRecipe, {"kept": (0.0, 0.5)}, r"kept must be up to 9 fractions in \(0, 1\]"),
        (ZJetsRecipe, {"kept": (0.5,) * 10}, "up to 9 fractions"),
        (ZJetsRecipe, {"kept": (0.5, "a")}, r"kept must be up to 9 fractions in \(0, 1\], in brackets, got"),
        (ZJetsRecipe, {"kept": 0.5}, "in brackets, got 0.5"),
        (ZJetsRecipe, {"max_jets": 9}, "max_jets must be a number of jets, 0 to 8, got 9"),
        (ZJetsRecipe, {"min_jets": 3, "max_jets": 2}, "min_jets must not be above max_jets = 2, got 3"),
        (ZJetsRecipe, {"batch": 0}, "batch must be a whole number above zero, got 0"),
        (TopPairRecipe, {"radius": -0.4}, "radius must be a number above zero"),
        (TopPairRecipe, {"energy": True}, "energy must be a number above zero, got True"),
        (TopPairRecipe, {"multiple_interactions": 1}, "multiple_interactions must be True or False, got 1"),
        (TopPairRecipe, {"pt_min": float("nan")}, "pt_min must be a number above zero, got nan"),
        (TopPairRecipe, {"w_sigma": 0.0}, "w_sigma must be a number above zero"),
        (TopPairRecipe, {"pt_min": 10.0}, "raw_pt_min must not be above pt_min = 10.0, got 15.0"),
        (TopPairRecipe, {"max_extra_jets": -1}, "max_extra_jets must be 0 to 4"),
    ],
)
def test_bad_recipes(recipe, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipe(**fields)


def test_bad_runs_of_pythia():
    with pytest.raises(ValueError, match="seed must be from 1"):
        EventRecord(TopPairRecipe().pythia_settings(), seed=0)
    with pytest.raises(ValueError, match="does not accept the setting 'Top:nonsense = on'"):
        EventRecord(("Top:nonsense = on",), seed=1)
