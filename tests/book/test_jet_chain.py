"""The chain of flows for Z + jets: its coordinates, its weights, and what each link is told."""

import numpy as np
import pytest

from gampl.particles.kinematics import delta_phi
from gampl_book.jet_chain import COLUMNS, CUT, ENDS, JETS, Chain, Rows, smoothing, told, training_data
from gampl_book.jet_ensembles import true_events

EVENTS = {n: true_events(n, "train", "smoke")[:300] for n in JETS}
ROWS = Rows([*EVENTS.values()])


@pytest.mark.parametrize("n", JETS)
def test_rows_are_events_and_back_up_to_a_rotation(n):
    events = EVENTS[n]
    back = ROWS.events(ROWS.of(events), np.random.default_rng(1))
    np.testing.assert_allclose(back[..., [0, 2]], events[..., [0, 2]], rtol=1e-6)
    # squares of masses are differences from 1 GeV², of which a massless particle has nothing
    np.testing.assert_allclose(back[:, 2:, 3], events[:, 2:, 3], atol=1e-6)
    turned, original = (delta_phi(x[:, 1:], x[:, :1]) for x in (back, events))
    np.testing.assert_allclose(np.exp(1j * turned), np.exp(1j * original), atol=1e-9)
    first = back[:, 0, 1]
    assert np.abs(np.mean(np.exp(1j * first))) < 4 / np.sqrt(len(first))  # a uniform angle


@pytest.mark.parametrize("n", JETS)
def test_the_jacobian_is_that_of_finite_differences(n):
    events = EVENTS[n][(EVENTS[n][:, 2:, 3] > 1).all(axis=1)][:5]
    places = [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2), *((2 + jet, k) for jet in range(n) for k in range(4))]
    columns = []
    for particle, component in places:  # without the angle of the first muon, which all others are relative to
        step = np.zeros_like(events)
        step[:, particle, component] = 1e-6 * np.maximum(1, np.abs(events[:, particle, component]))
        size = 2 * step[:, particle, component]
        columns.append((ROWS.of(events + step) - ROWS.of(events - step)) / size[:, None])
    numeric = np.linalg.slogdet(np.stack(columns, axis=-1))[1]
    np.testing.assert_allclose(ROWS.log_jacobian(events), numeric - np.log(2 * np.pi), atol=1e-4)


def test_weights_are_products_over_pairs_and_bounded_below_the_cut():
    def event(*phis):
        jets = [[30.0, phi, 0.0, 5.0] for phi in phis]
        return np.array([[[50.0, 0.0, 0.0, 0.1], [50.0, 3.0, 0.0, 0.1], *jets]])

    assert smoothing(event(1.0)) == 1
    assert smoothing(event(0.0, 0.85)) == pytest.approx(0.5)
    assert smoothing(event(0.0, 1.6)) == 1
    assert smoothing(event(0.0, 0.85, 1.7)) == pytest.approx(0.25)
    assert smoothing(event(0.0, 0.1)) == smoothing(event(0.0, CUT)) == pytest.approx(0.2 / 1.3)


def test_every_link_has_the_weights_of_whole_events():
    rows, weights = ({n: f(EVENTS[n]) for n in JETS} for f in (ROWS.of, smoothing))
    links = [training_data(link, rows, weights) for link in range(3)]
    of_three = weights[3] / weights[3].mean()
    for data in links:
        np.testing.assert_array_equal(data.weights[-len(of_three) :], of_three)
    assert [len(data.events) for data in links] == [900, 600, 300]
    assert [data.events.shape[1] for data in links] == [9, 4, 4]
    np.testing.assert_array_equal(np.concatenate([data.events[-300:] for data in links], axis=1), rows[3])
    assert weights[2].std() > 0.1


def test_links_are_told_what_came_before_and_nothing_else():
    rows = ROWS.of(EVENTS[3])
    np.testing.assert_array_equal(told(rows, 2, 0), np.tile([0.0, 1.0, 0.0], (len(rows), 1)))
    for link in (1, 2):
        condition = told(rows, 3, link)
        later = rows.copy()
        later[:, ENDS[link] :] = 7.0
        np.testing.assert_array_equal(condition, told(later, 3, link))
        for k in range(ENDS[link]):  # each number before counts
            other = rows.copy()
            other[:, k] += 0.1
            assert (told(other, 3, link) != condition).any(axis=1).all(), COLUMNS[k]
    assert (told(rows, 3, 1) != told(rows, 2, 1)).any(axis=1).all()


class Link:
    """In the place of a trained link: standard normal numbers, kept with what it was told."""

    def __init__(self, d):
        self.d, self.told = d, None

    def __len__(self):
        return 2

    def sample(self, member, n, seed, condition):
        self.told = condition
        return 0.3 * np.random.default_rng([member, seed]).normal(size=(n, self.d))

    def log_prob(self, x, member, _condition):
        return np.full(len(x), -float(self.d) - member)


def test_a_chain_makes_one_jet_after_the_other_and_undoes_the_weights():
    links = [Link(9), Link(4), Link(4)]
    chain = Chain(ROWS, links, smoothing)
    events, weights = chain.sample(0, 3, 500, seed=1)
    rows = ROWS.of(events)
    for link in range(3):
        np.testing.assert_allclose(links[link].told, told(rows, 3, link), atol=1e-6)
    np.testing.assert_allclose(weights, 1 / smoothing(events), rtol=1e-9)
    assert (Chain(ROWS, links).sample(0, 3, 500, seed=1)[1] == 1).all()
    assert len(chain) == 2
    other, _ = chain.sample(1, 3, 500, seed=1)
    assert not np.allclose(other[:, 2, 0], events[:, 2, 0])


def test_the_density_of_a_chain_is_the_mean_of_its_members_divided_by_the_weights():
    chain = Chain(ROWS, [Link(9), Link(4), Link(4)], smoothing)
    found = chain.log_prob(EVENTS[2], [2.0, 4.0])
    of_members = np.log(0.5 * (np.exp(-13.0) / 2 + np.exp(-15.0) / 4))
    np.testing.assert_allclose(found, of_members - np.log(smoothing(EVENTS[2])) + ROWS.log_jacobian(EVENTS[2]))
