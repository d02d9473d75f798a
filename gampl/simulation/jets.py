"""Jets: clustering, energy scale, cuts and b-tags.

Jets are arrays of shape (n_events, n_max, 4), (pT, phi, eta, m), ordered by falling pT; rows of zeros fill up.
"""

import awkward as ak
import fastjet
import numpy as np
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.particles.kinematics import cylindrical, delta_r
from gampl.simulation.pythia import Particles

# the banner that FastJet prints at its first use says what to cite: so do our pages (Cacciari, Salam and Soyez 2012,
# arXiv:1111.6097); between progress bars, and once for each process, it would only be in the way
fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)

PARTON_PT_MIN, PARTON_ETA_MAX, PARTON_DELTA_R = 1.0, 2.5, 0.5  # of the flavour association in the card


def cluster(event: NDArray[np.int64], momenta: Floats, n_events: int, radius: float, pt_min: float) -> Floats:
    """Anti-kT jets of `n_events` events above a pT in GeV (Cacciari, Salam and Soyez 2008, arXiv:0802.1189).

    The momenta (E, px, py, pz) of constituents, in GeV, have shape (constituents, 4), and the row numbers of their
    events, which do not fall, (constituents,); `radius` is R of the algorithm.
    """
    names = ("E", "px", "py", "pz")
    flat = ak.zip(dict(zip(names, momenta.T, strict=True)), with_name="Momentum4D")
    constituents = ak.unflatten(flat, np.bincount(event, minlength=n_events))
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    clustered = fastjet.ClusterSequence(constituents, definition).inclusive_jets(min_pt=pt_min)
    number = ak.to_numpy(ak.num(clustered.px))
    filled = np.arange(number.max(initial=0))[None, :] < number[:, None]
    jets = np.zeros((*filled.shape, 4))
    jets[filled] = cylindrical(np.stack([ak.to_numpy(ak.flatten(clustered[name])) for name in names], axis=-1))
    return by_pt(jets)


def by_pt(jets: Floats) -> Floats:
    """The same jets by falling pT."""
    order = np.argsort(-jets[..., 0], axis=1, kind="stable")
    return np.take_along_axis(jets, order[..., None], axis=1)


def select(jets: Floats, pt_min: float, eta_max: float) -> Floats:
    """Jets above pt_min and between -eta_max and eta_max, Eq. (38); as many columns as the fullest event needs."""
    kept = (jets[..., 0] > pt_min) & (np.abs(jets[..., 2]) < eta_max)
    jets = by_pt(np.where(kept[..., None], jets, 0.0))
    return jets[:, : kept.sum(axis=1).max(initial=0)]


def count(jets: Floats) -> NDArray[np.int64]:
    """Number of jets of each event."""
    return np.count_nonzero(jets[..., 0] > 0, axis=1)


def scale(jets: Floats) -> Floats:
    """Jets with the energy scale correction of the Delphes card of ATLAS."""
    pt, eta = jets[..., 0], jets[..., 2]
    factor = np.sqrt((3.0 - 0.2 * np.abs(eta)) ** 2 / np.where(pt > 0, pt, np.inf) + 1.0)
    scaled = jets.copy()
    scaled[..., [0, 3]] *= factor[..., None]
    return scaled


def flavours(jets: Floats, particles: Particles) -> NDArray[np.int64]:
    """The heaviest quark, 5 or 4, that any step of the shower has near a jet, 0 if none; shape (n_events, n_max)."""
    heaviest = np.zeros(jets.shape[:2], dtype=np.int64)
    for flavour in (4, 5):
        quarks = particles.where(np.abs(particles.pdg) == flavour)
        momenta = cylindrical(quarks.momenta)
        heard = (momenta[:, 0] > PARTON_PT_MIN) & (np.abs(momenta[:, 2]) < PARTON_ETA_MAX)
        event, momenta = quarks.event[heard], momenta[heard]
        near = delta_r(jets[event], momenta[:, None]) <= PARTON_DELTA_R
        quark, jet = np.nonzero(near & (jets[event, :, 0] > 0))
        heaviest[event[quark], jet] = flavour
    return heaviest


def b_tag_efficiency(flavour: NDArray[np.int64], pt: Floats) -> Floats:
    """Probability of a b-tag, with the formulas of the Delphes card of ATLAS (from ATL-PHYS-PUB-2015-022)."""
    b = 0.80 * np.tanh(0.003 * pt) * 30 / (1 + 0.086 * pt)
    c = 0.20 * np.tanh(0.02 * pt) / (1 + 0.0034 * pt)
    light = 0.002 + 7.3e-6 * pt
    return np.select([flavour == 5, flavour == 4], [b, c], light)


def b_tags(jets: Floats, particles: Particles, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which jets carry a b-tag, shape (n_events, n_max)."""
    pt = jets[..., 0]
    probability = np.where(pt > 0, b_tag_efficiency(flavours(jets, particles), pt), 0.0)
    return rng.random(pt.shape) < probability
