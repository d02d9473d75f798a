import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from test_calorimeter import particles

from gampl.particles.kinematics import cartesian, cylindrical, total
from gampl.simulation import jets


def constituents(rng, n):
    """Massless (E, px, py, pz), shape (n, 4)."""
    pt = rng.exponential(10.0, n) + 0.1
    return cartesian(np.stack([pt, rng.uniform(-np.pi, np.pi, n), rng.uniform(-4, 4, n), np.zeros(n)], axis=-1))


def slow_anti_kt(momenta, radius, pt_min):
    """Anti-kT in words: merge the closest pair, or take the closest to the beam as a jet (arXiv:0802.1189)."""
    rest, found = list(momenta), []
    while rest:
        c = cylindrical(np.array(rest))
        rapidity = np.array([0.5 * np.log((p[0] + p[3]) / (p[0] - p[3])) for p in rest])
        to_beam = c[:, 0] ** -2.0
        dphi = (c[:, None, 1] - c[None, :, 1] + np.pi) % (2 * np.pi) - np.pi
        separation = (rapidity[:, None] - rapidity[None]) ** 2 + dphi**2
        between = np.minimum(to_beam[:, None], to_beam[None]) * separation / radius**2
        np.fill_diagonal(between, to_beam)
        i, k = divmod(int(between.argmin()), len(rest))
        if i == k:
            found.append(rest.pop(i))
        else:
            merged = rest[i] + rest[k]
            rest = [p for number, p in enumerate(rest) if number not in (i, k)] + [merged]
    found = cylindrical(np.array(found))
    found = found[found[:, 0] > pt_min]
    return found[np.argsort(-found[:, 0])]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_clustering_is_anti_kt(seed):
    rng = np.random.default_rng(seed)
    event = np.sort(rng.integers(0, 4, 60))
    momenta = constituents(rng, 60)
    found = jets.cluster(event, momenta, 5, radius=0.4, pt_min=5.0)
    assert found.shape[0] == 5
    for k in range(5):
        expected = slow_anti_kt(momenta[event == k], 0.4, 5.0) if (event == k).any() else np.zeros((0, 4))
        jet = found[k][found[k, :, 0] > 0]
        assert jet[:, :3] == pytest.approx(expected[:, :3], rel=1e-6, abs=1e-6)
        assert jet[:, 3] == pytest.approx(expected[:, 3], abs=1e-4)


def test_without_constituents_there_are_no_jets():
    assert jets.cluster(np.zeros(0, dtype=int), np.zeros((0, 4)), 3, 0.4, 5.0).shape == (3, 0, 4)


def test_cuts_keep_the_order_and_drop_the_rest():
    given_jets = np.array([[[90, 0, 5.1, 3], [60, 1, 1.0, 2], [25, 2, -4.9, 1], [21.9, 0, 0, 1]]], dtype=float)
    kept = jets.select(given_jets, pt_min=22.0, eta_max=5.0)
    assert kept.tolist() == [[[60, 1, 1.0, 2], [25, 2, -4.9, 1]]]
    assert jets.count(kept).tolist() == [2]


def test_energy_scale_of_the_card():
    # sqrt((3 - 0.2 |eta|)² / pT + 1): 1.3784 for 10 GeV at eta = 0
    made = np.array([[[10, 0, 0, 2.0], [40, 0, -3.0, 4.0], [0, 0, 0, 0]]])
    scaled = jets.scale(made)
    assert scaled[0, 0] == pytest.approx([13.784, 0, 0, 2.7568], rel=1e-4)
    assert scaled[0, 1, 0] == pytest.approx(40 * np.sqrt(2.4**2 / 40 + 1))
    assert (scaled[0, 2] == 0).all()
    assert total(scaled[:, :1])[0] == pytest.approx(scaled[0, 0])


def test_flavour_is_the_heaviest_quark_nearby():
    made = np.zeros((2, 3, 4))
    made[0] = [[50, 0, 0, 5], [40, 1.5, 0, 5], [30, 3, 0, 5]]
    made[1, 0] = [50, 0, 0, 5]
    quarks = particles(
        [5, 4, -4, 5, -5, 5],
        [[20, 0.1, 0.1], [20, 0.2, 0], [20, 1.6, 0.2], [0.5, 3, 0], [20, 2.9, 2.6], [20, 0.6, 0]],
        event=[0, 0, 0, 0, 0, 1],
    )
    assert jets.flavours(made, quarks).tolist() == [[5, 4, 0], [0, 0, 0]]


def test_b_tags_have_the_card_s_rate():
    # false-alarm rate 6e-5 for each of the three: 4 standard deviations of a binomial
    n = 20_000
    made = np.tile([[80.0, 0.0, 0.0, 8.0]], (n, 1, 1))
    for flavour, expected in [(5, 0.80 * np.tanh(0.24) * 30 / 7.88), (4, 0.20 * np.tanh(1.6) / 1.272), (1, 0.002584)]:
        quarks = particles(flavour, np.tile([30, 0.1, 0], (n, 1)), event=np.arange(n))
        rate = jets.b_tags(made, quarks, np.random.default_rng(flavour)).mean()
        assert abs(rate - expected) < 4 * np.sqrt(expected * (1 - expected) / n)
    assert not jets.b_tags(np.zeros((3, 2, 4)), quarks, np.random.default_rng(1)).any()
