"""Sequences of numbers of events with muons and jets: invertible, with their Jacobian, in each order."""

import itertools
import math

import numpy as np
import pytest
import torch

from gampl.particles.jet_sequences import ETA, MASS, MUON_MASS, ORDERS, PHI, SHARE, JetSequences, sequence

MAX_JETS, PT_MIN = 3, 20.0
WAYS = list(itertools.product(ORDERS, (False, True)))


def events(n: int = 400, seed: int = 1) -> torch.Tensor:
    """Random events with 0 to 3 jets, not like those of a process."""
    rng = np.random.default_rng(seed)
    p = np.stack(
        [
            PT_MIN + rng.exponential(40, (n, 2 + MAX_JETS)),
            rng.uniform(-math.pi, math.pi, (n, 2 + MAX_JETS)),
            rng.normal(0, 1.5, (n, 2 + MAX_JETS)),
            rng.gamma(2, 3, (n, 2 + MAX_JETS)),
        ],
        -1,
    )
    p[:, :2, 3] = MUON_MASS
    p[:, 2:, 0] = -np.sort(-p[:, 2:, 0], axis=1)
    p[:, 2:][np.arange(MAX_JETS) >= rng.integers(0, MAX_JETS + 1, (n, 1))] = 0
    return torch.from_numpy(p)


@pytest.mark.parametrize(("order", "sorts"), WAYS)
def test_there_and_back(order, sorts):
    coordinates = JetSequences.of(events(), PT_MIN, order, sorts=sorts)
    x = coordinates.to_network(events())
    torch.testing.assert_close(coordinates.to_events(x), events(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(coordinates.to_network(coordinates.to_events(x)), x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("order", "sorts"), WAYS)
def test_numbers_are_standardised_over_all_jets(order, sorts):
    coordinates = JetSequences.of(events(), PT_MIN, order, sorts=sorts)
    x = coordinates.to_network(events())
    kinds = coordinates.kind[x[:, 0].long()]
    present = kinds[kinds >= 0].unique()
    assert len(present) == 2 + 3 + 4 + sorts
    for kind in present.tolist():
        values = x[:, 2:][kinds == kind]
        if kind % 5 != PHI:
            assert abs(float(values.mean())) < 1e-9
            assert abs(float(values.std()) - 1) < 1e-9


@pytest.mark.parametrize(("order", "sorts"), WAYS)
def test_jacobian(order, sorts):
    """Of the numbers that an event has: pT, phi, eta of the muons and pT, phi, eta, m of each jet."""
    coordinates = JetSequences.of(events(), PT_MIN, order, sorts=sorts)
    for event in events(8, seed=2):
        n = int((event[2:, 0] > 0).sum())
        own = [(k, c) for k in range(2 + n) for c in range(4 if k > 1 else 3)]
        rows, columns = torch.tensor(own).T

        def numbers(values, event=event, rows=rows, columns=columns, n=n):
            whole = event.index_put((rows, columns), values)
            return coordinates.to_network(whole[None])[0, 1 : 2 + 5 + 4 * n]

        matrix = torch.autograd.functional.jacobian(numbers, event[rows, columns])
        expected = torch.linalg.slogdet(matrix).logabsdet
        found = coordinates.log_jacobian(coordinates.to_network(event[None]))[0]
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_the_mass_of_the_muons_is_a_coordinate():
    from gampl.particles.kinematics import cartesian

    coordinates = JetSequences(MAX_JETS, PT_MIN)
    x = coordinates.to_network(events()).numpy()
    massless = events().numpy()
    massless[..., 3] = 0
    total = cartesian(massless)[:, :2].sum(1)
    m = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(1))
    place = sequence(0, "particles", sorts=False).index((1, MASS))
    np.testing.assert_allclose(x[:, 2 + place], np.log(m), rtol=1e-9)


def test_sorted_jets_fall_whatever_a_network_says():
    coordinates = JetSequences.of(events(), PT_MIN, sorts=True)
    x = torch.randn(1000, coordinates.d, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x[:, 0] = MAX_JETS
    pt = coordinates.to_events(x)[:, 2:, 0]
    assert (pt > PT_MIN).all()
    assert (pt[:, 1:] < pt[:, :-1]).all()


@pytest.mark.parametrize(("order", "sorts"), WAYS)
def test_labels_tell_the_places_apart(order, sorts):
    coordinates = JetSequences(MAX_JETS, PT_MIN, order, sorts=sorts)
    for n in range(MAX_JETS + 1):
        places = sequence(n, order, sorts=sorts)
        assert len(set(places)) == len(places) == 5 + 4 * n
        assert {component for particle, component in places if particle > 2} <= {SHARE if sorts else 0, PHI, ETA, MASS}
        labels = coordinates.labels(slots=True)[n, : 5 + 4 * n]
        assert len(labels.unique(dim=0)) == len(places)
    types = coordinates.labels(slots=False)
    later, next_to_it = types[3, 5 + 4 * 2 : 5 + 4 * 3], types[3, 5 + 4 : 5 + 4 * 2]
    if order == "particles":  # all jets after the first look alike
        assert torch.equal(later[1:], next_to_it[1:])


def test_refused_events():
    def change(row, value):
        wrong = events()
        wrong[row] = value
        return wrong

    with_three = int((events()[:, 4, 0] > 0).nonzero()[0])
    for wrong, words in (
        (change((0, 0, 1), math.nan), "1 of 400 have numbers that are not finite"),
        (change((0, 0, 0), 0.0), "1 of 400 have a muon without transverse momentum"),
        (change((with_three, 2), 0.0), "1 of 400 have a jet after a row of zeros"),
        (change((with_three, 4, 0), 19.0), "1 of 400 have a jet with pT <= 20 GeV or m < 0"),
        (events()[:, :, :3], r"shape \(n, 2 \+ jets, 4\)"),
    ):
        with pytest.raises(ValueError, match=words.replace("<=", "<=")):
            JetSequences.of(wrong, PT_MIN)
    rising = change((with_three, 4, 0), float(events()[with_three, 3, 0]) + 1)
    JetSequences.of(rising, PT_MIN)
    with pytest.raises(ValueError, match="1 of 400 have jets that do not fall in pT"):
        JetSequences.of(rising, PT_MIN, sorts=True)
