"""Which jet comes from which top quark: the assignment with the smallest chi².

The paper says only "a chi² algorithm [82]". This one compares the two top candidates with each other and both W
candidates with the W mass, as in ATLAS' measurement of all-hadronic top pairs (arXiv:2006.09274). The default sigmas,
`TOP_SIGMA` and `W_SIGMA`, are the jet resolution of that analysis as we remember it; no text of it was at hand to
check them, which is why they are arguments.
"""

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.particles.kinematics import cartesian

W_MASS, W_SIGMA, TOP_SIGMA = 80.4, 5.4, 8.8  # GeV
CHUNK = 2_000_000  # numbers in the largest array


@cache
def assignments(n_light: int) -> NDArray[np.intp]:
    """All ways to give two light jets to the first b-jet, two to the second and leave the rest: (ways, n_light)."""
    pairs = list(combinations(range(n_light), 2))
    chosen = [(*first, *second) for first in pairs for second in pairs if not {*first} & {*second}]
    return np.array([(*way, *sorted({*range(n_light)} - {*way})) for way in chosen])


def reconstruct(
    jets: Floats,
    tagged: NDArray[np.bool_],
    w_mass: float = W_MASS,
    w_sigma: float = W_SIGMA,
    top_sigma: float = TOP_SIGMA,
) -> tuple[Floats, Floats]:
    """Orders jets as [b1, q1, q2, b2, q3, q4, j1, ...], shape (n, jets, 4), and gives the assignment's chi², (n,).

    b1 is the b-jet with the larger pT; q1, q2 and q3, q4, each by falling pT, are the jets of the W bosons that belong
    to b1 and b2; what is left follows by falling pT. The jets (pT, phi, eta, m), all present, come by falling pT, shape
    (n, jets, 4); which carry a b-tag has shape (n, jets); `w_sigma` and `top_sigma` are resolutions of the mass of two
    and three jets, in GeV. A ValueError if there are fewer than six jets, or not two tags in each event.
    """
    n_events, n_jets = jets.shape[:2]
    if n_jets < 6 or (tagged.sum(axis=1) != 2).any():
        raise ValueError(f"expected events of 6 or more jets with 2 tags each, got {n_jets} jets")
    ways = assignments(n_jets - 2)
    size = max(CHUNK // len(ways), 1)
    if n_events > size:
        chunks = [slice(k, k + size) for k in range(0, n_events, size)]
        parts = [reconstruct(jets[chunk], tagged[chunk], w_mass, w_sigma, top_sigma) for chunk in chunks]
        return np.concatenate([jets for jets, _ in parts]), np.concatenate([chi2 for _, chi2 in parts])

    b_first = np.argsort(~tagged, axis=1, kind="stable")
    jets = np.take_along_axis(jets, b_first[..., None], axis=1)
    b, light = np.split(cartesian(jets), [2], axis=1)
    pair = light[:, :, None] + light[:, None, :]  # (n, light, light, 4)
    m_pair = _mass(pair)
    m_triple = _mass(pair[:, None] + b[:, :, None, None])  # (n, b, light, light)
    i, j, k, l = ways[:, :4].T  # noqa: E741
    m_w1, m_w2 = m_pair[:, i, j], m_pair[:, k, l]
    m_t1, m_t2 = m_triple[:, 0, i, j], m_triple[:, 1, k, l]
    chi2 = (m_t1 - m_t2) ** 2 / (2 * top_sigma**2) + ((m_w1 - w_mass) ** 2 + (m_w2 - w_mass) ** 2) / w_sigma**2
    # the two b-jets, 0 and 1, go before their light jets, which are counted from 2
    order = np.insert(ways[chi2.argmin(axis=1)] + 2, (0, 2), (0, 1), axis=1)
    return np.take_along_axis(jets, order[..., None], axis=1), chi2.min(axis=1)


def _mass(momenta: Floats) -> Floats:
    """Invariant mass of (E, px, py, pz), (..., 4) to (...)."""
    energy, px, py, pz = np.moveaxis(momenta, -1, 0)
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))
