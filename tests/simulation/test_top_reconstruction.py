from itertools import permutations

import numpy as np
import pytest
import vector
from hypothesis import given, settings, strategies as st

from gampl.particles.kinematics import cylindrical
from gampl.simulation.top_reconstruction import TOP_SIGMA, W_MASS, W_SIGMA, assignments, reconstruct


def random_jets(rng, n, n_jets):
    """Jets by falling pT with two tags each."""
    made = np.stack(
        [
            -np.sort(-rng.uniform(22, 300, (n, n_jets)), axis=1),
            rng.uniform(-np.pi, np.pi, (n, n_jets)),
            rng.uniform(-3, 3, (n, n_jets)),
            rng.uniform(1, 20, (n, n_jets)),
        ],
        axis=-1,
    )
    tagged = np.zeros((n, n_jets), dtype=bool)
    for row in tagged:
        row[rng.choice(n_jets, 2, replace=False)] = True
    return made, tagged


def slow(event, tagged):
    """The smallest chi² over all orders of the light jets, with masses by vector."""
    jets = [vector.obj(pt=p[0], phi=p[1], eta=p[2], mass=p[3]) for p in event]
    b = [jet for jet, tag in zip(jets, tagged, strict=True) if tag]
    light = [jet for jet, tag in zip(jets, tagged, strict=True) if not tag]
    return min(
        ((b[0] + i + j).mass - (b[1] + k + m).mass) ** 2 / (2 * TOP_SIGMA**2)
        + (((i + j).mass - W_MASS) ** 2 + ((k + m).mass - W_MASS) ** 2) / W_SIGMA**2
        for i, j, k, m in permutations(light, 4)
    )


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), extra=st.integers(0, 2))
def test_smallest_chi2_of_all_assignments(seed, extra):
    jets, tagged = random_jets(np.random.default_rng(seed), 3, 6 + extra)
    ordered, chi2 = reconstruct(jets, tagged)
    assert chi2 == pytest.approx([slow(event, tags) for event, tags in zip(jets, tagged, strict=True)], rel=1e-6)
    # the order that is returned has that chi²
    again = np.zeros(ordered.shape[:2], dtype=bool)
    again[:, [0, 3]] = True
    t = [vector.array(dict(zip(("pt", "phi", "eta", "mass"), ordered[:, k].T, strict=True))) for k in range(6)]
    chi2_of_order = ((t[0] + t[1] + t[2]).mass - (t[3] + t[4] + t[5]).mass) ** 2 / (2 * TOP_SIGMA**2)
    chi2_of_order += sum((w.mass - W_MASS) ** 2 for w in (t[1] + t[2], t[4] + t[5])) / W_SIGMA**2
    assert chi2_of_order == pytest.approx(chi2, rel=1e-6)


@pytest.mark.parametrize("extra", [0, 1, 4])
def test_order_of_the_jets(extra):
    jets, tagged = random_jets(np.random.default_rng(3), 200, 6 + extra)
    ordered, _ = reconstruct(jets, tagged)
    pt = ordered[..., 0]
    assert (np.sort(pt, axis=1) == np.sort(jets[..., 0], axis=1)).all()  # the same jets
    assert (pt[:, 0] > pt[:, 3]).all()
    assert (pt[:, 1] > pt[:, 2]).all()
    assert (pt[:, 4] > pt[:, 5]).all()
    assert (np.diff(pt[:, 6:], axis=1) < 0).all()
    tags = np.sort(jets[..., 0][tagged].reshape(-1, 2), axis=1)
    assert (np.sort(pt[:, [0, 3]], axis=1) == tags).all()


def test_true_decays_are_found():
    # two tops at rest in each other's frame, smeared little: chi² is far below that of wrong assignments
    rng = np.random.default_rng(4)
    n = 100
    events = np.stack([decays(rng, n, boost=(60.0, 0.0, 30.0)), decays(rng, n, boost=(-60.0, 0.0, -10.0))], axis=1)
    momenta = cylindrical(events.reshape(n, 6, 4))  # b1 q1 q2 b2 q3 q4
    tagged = np.zeros((n, 6), dtype=bool)
    tagged[:, [0, 3]] = True
    order = np.argsort(-momenta[..., 0], axis=1)
    ordered, chi2 = reconstruct(np.take_along_axis(momenta, order[..., None], 1), np.take_along_axis(tagged, order, 1))
    assert (chi2 < 1e-6).all()
    first_w = np.sort(ordered[:, 1:3, 0], axis=1)
    partner_is_first = ordered[:, 0, 0] == momenta[:, 0, 0]
    expected = np.where(partner_is_first[:, None], np.sort(momenta[:, 1:3, 0], 1), np.sort(momenta[:, 4:6, 0], 1))
    assert np.mean((first_w == expected).all(axis=1)) > 0.95  # the rest fits another assignment as well by chance


def decays(rng, n, boost):
    """t -> b (q q') with masses 173 and W_MASS, (E, px, py, pz) of b, q, q', shape (n, 3, 4)."""

    def isotropic(energy):
        z = rng.uniform(-1, 1, n)
        phi = rng.uniform(-np.pi, np.pi, n)
        s = np.sqrt(1 - z**2)
        return vector.array(
            {"px": energy * s * np.cos(phi), "py": energy * s * np.sin(phi), "pz": energy * z, "E": np.full(n, energy)}
        )

    b = isotropic((173**2 - W_MASS**2) / (2 * 173))
    w = vector.array({"px": -b.px, "py": -b.py, "pz": -b.pz, "E": 173 - b.E})
    q = isotropic(W_MASS / 2)
    other = vector.array({"px": -q.px, "py": -q.py, "pz": -q.pz, "E": q.E})
    top = vector.array(
        {name: np.full(n, value) for name, value in zip(("px", "py", "pz"), boost, strict=True)}
        | {"E": np.full(n, np.sqrt(173**2 + sum(x**2 for x in boost)))}
    )
    parts = [p.boost_p4(top) for p in (b, q.boost_p4(w), other.boost_p4(w))]
    return np.stack([np.stack([p.E, p.px, p.py, p.pz], -1) for p in parts], 1)


def test_number_of_assignments():
    assert [len(assignments(n)) for n in (4, 5, 8)] == [6, 30, 420]  # C(n,2) C(n-2,2)


def test_bad_input():
    jets, tagged = random_jets(np.random.default_rng(5), 2, 6)
    with pytest.raises(ValueError, match="6 or more jets with 2 tags"):
        reconstruct(jets[:, :5], tagged[:, :5])
    with pytest.raises(ValueError, match="2 tags each"):
        reconstruct(jets, np.ones_like(tagged))
    empty, chi2 = reconstruct(np.zeros((0, 7, 4)), np.zeros((0, 7), dtype=bool))
    assert empty.shape == (0, 7, 4)
    assert chi2.shape == (0,)
