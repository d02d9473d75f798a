"""Top pairs with a known density against Pythia's own, event by event and as spectra.

Pythia's hard process alone, with `pythia_settings`. All seeds were fixed before looking.
"""

from dataclasses import dataclass

import awkward as ak
import numpy as np
import pytest
import pythia8mc
from numpy.typing import NDArray
from scipy import stats

from gampl.processes.leading_order_cross_section import alpha_s
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.processes.parton_densities import PARTONS, PartonDensities
from gampl.regions import Intervals

PROCESS = LeadingOrderTopPair()
BATCH = 20_000


def pythia(seed, *more):
    generator = pythia8mc.Pythia("", False)
    for line in ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}", *PROCESS.pythia_settings, *more):
        assert generator.readString(line), line
    assert generator.init()
    return generator


def cross_section(generator):
    """And its error, in pb."""
    info = generator.infoPython()
    return 1e9 * info.sigmaGen(), 1e9 * info.sigmaErr()


@dataclass(frozen=True)
class Run:
    """What Pythia says of n events, and their coordinates."""

    info: dict[str, NDArray[np.float64]]
    sigma: float
    error: float

    @property
    def events(self):
        m, x1, x2 = (self.info[name] for name in ("mHat", "x1", "x2"))
        # t - u = s beta cos(theta) for the first of the outgoing particles, which is the top
        c = (self.info["tHat"] - self.info["uHat"]) / m**2 / np.sqrt(1 - (2 * PROCESS.top_mass / m) ** 2)
        return np.stack([m, 0.5 * np.log(x1 / x2), c, np.zeros_like(m)], axis=1)


def run(n, seed, *more):
    generator = pythia(seed, *more)
    batches = [generator.nextBatch(BATCH).info for _ in range(n // BATCH)]
    names = [name for name in batches[0].fields if name != "weights"]
    info = {name: np.concatenate([ak.to_numpy(batch[name]) for batch in batches]) for name in names}
    return Run(info, *cross_section(generator))


@pytest.fixture(scope="module")
def all_masses():
    return run(160_000, 1)


@pytest.fixture(scope="module")
def heavy():
    return run(40_000, 2, "PhaseSpace:mHatMin = 1500")


def test_every_event_has_our_coupling_and_parton_densities(all_masses):
    info, densities = all_masses.info, PartonDensities.of_pythia()
    Q = np.sqrt(info["Q2Fac"])
    m, _, c, _ = all_masses.events.T
    z = (1 - (2 * PROCESS.top_mass / m) ** 2) * c**2
    np.testing.assert_allclose(Q, 0.5 * m * np.sqrt(1 - z), rtol=1e-6)  # the transverse mass
    np.testing.assert_allclose(info["alphaS"], alpha_s(np.sqrt(info["Q2Ren"])), rtol=1e-12)
    for side in ("1", "2"):
        columns = [PARTONS.index(parton) for parton in info[f"id{side}"]]
        ours = densities(info[f"x{side}"], Q)[np.arange(len(Q)), columns]
        assert np.abs(ours / info[f"pdf{side}"] - 1).max() < 1e-3
        assert abs(np.mean(ours / info[f"pdf{side}"]) - 1) < 3e-5


def test_total_cross_section(all_masses):
    """To 0.5 %; Pythia's error is 0.14 %, so that a right program fails once in 3000 seeds."""
    assert all_masses.error < 0.0015 * all_masses.sigma
    assert pytest.approx(all_masses.sigma, rel=0.005) == PROCESS.sigma


@pytest.mark.parametrize(("channel", "other"), [("gg", "qqbar"), ("qqbar", "gg")])
def test_cross_sections_of_the_channels(channel, other):
    """To 0.5 %; Pythia's errors are 0.13 %, so that a right program fails once in 8000 seeds."""
    generator = pythia(3, f"Top:{other}2ttbar = off")
    for _ in range(200_000):
        generator.next()
    sigma, error = cross_section(generator)
    assert error < 0.0015 * sigma
    assert getattr(PROCESS.sigma_by_channel, channel) == pytest.approx(sigma, rel=0.005)


def chi_square(run, name, edges):
    """P-value of the run's spectrum; the outer bins reach to the ends."""
    regions = Intervals.between(edges, PROCESS.observables[name])
    expected = PROCESS.integrals(regions)
    counts = regions.count(run.events).inside
    assert counts.sum() == len(run.events)
    return stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue


SPECTRA = {
    "m_tt": [0, 360, 380, 400, 430, 460, 500, 550, 600, 700, 800, 1000, 1200, 1500, 2000, 2200, np.inf],
    "y_tt": [-np.inf, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, np.inf],
    "cos_theta": [-np.inf, -0.9, -0.7, -0.4, -0.1, 0.1, 0.4, 0.7, 0.9, np.inf],
    "pT_top": [-np.inf, 25, 50, 75, 100, 150, 200, 300, 500, np.inf],
}


@pytest.mark.parametrize("name", SPECTRA)
def test_spectra(all_masses, name):
    assert chi_square(all_masses, name, SPECTRA[name]) > 1e-4  # false-alarm rate of each


def test_the_tail_of_the_mass(heavy):
    """From 1.5 TeV, with the bin of Eq. (43), and beyond 3 TeV."""
    edges = [1500, 1600, 1700, 1800, 1900, 2000, 2200, 2400, 2700, 3000, 3500, np.inf]
    assert chi_square(heavy, "m_tt", edges) > 1e-4  # false-alarm rate
    share = PROCESS.integrals(Intervals.between([1500, np.inf], PROCESS.observables["m_tt"]))[0]
    # five of Pythia's standard errors, of 0.3 %: false-alarm rate 6e-7
    assert heavy.error < 0.004 * heavy.sigma
    assert abs(share * PROCESS.sigma - heavy.sigma) < 5 * heavy.error


@pytest.mark.slow
def test_total_cross_section_more_exactly():
    """To 0.25 %; Pythia's error is 0.06 %, so that a right program fails once in 30,000 seeds."""
    generator = pythia(4)
    for _ in range(1_000_000):
        generator.next()
    sigma, error = cross_section(generator)
    assert error < 6e-4 * sigma
    assert pytest.approx(sigma, rel=0.0025) == PROCESS.sigma
