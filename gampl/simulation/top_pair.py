"""pp -> t tbar at 13 TeV, both tops decaying to jets, as a detector like ATLAS reconstructs it.

Pythia 8 at leading order stands for the paper's MadGraph and Pythia; the published sample was made without multiple
parton interactions, and so is ours. Cuts are those of Eq. (38).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from gampl.particles.events import Events
from gampl.processes.samples import Cuts
from gampl.processes.top_pair import DECAY_JETS, MAX_EXTRA_JETS, TopPair
from gampl.simulation import calorimeter, jets, top_reconstruction
from gampl.simulation.calorimeter import Towers
from gampl.simulation.pythia import Particles
from gampl.simulation.recipes import Made, Positive, Recipe, Size, Switch

ExtraJets = Annotated[int, Meta(ge=0, le=MAX_EXTRA_JETS, description=f"0 to {MAX_EXTRA_JETS}")]


@dataclass(frozen=True)
class TopPairRecipe(Recipe):
    """Exclusive samples of t tbar + 0, 1, ... jets from one run, named ``extra_jets_0`` and so on."""

    name: ClassVar[str] = "top_pair"

    energy: Positive = 13_000.0  #: of the two beams together, in GeV
    multiple_interactions: Switch = False  #: whether further partons of the protons scatter; five times slower
    radius: Positive = 0.4  #: R of the anti-kT algorithm, 0.4 in the paper and 0.6 in the card
    #: smallest pT in GeV of jets before the energy scale correction, which is a factor 1.2 for soft ones; in the card,
    #: where it is 20 GeV as `pt_min` is, it blurs the edge at `pt_min`
    raw_pt_min: Positive = 15.0
    pt_min: Positive = TopPair.cuts.pt_min  #: smallest pT in GeV, Eq. (38)
    eta_max: Positive = TopPair.cuts.eta_max  #: largest absolute value of eta, Eq. (38)
    delta_r_min: Positive = TopPair.cuts.delta_r_min  #: events in which two jets are closer are dropped, Eq. (38)
    max_extra_jets: ExtraJets = MAX_EXTRA_JETS  #: largest number of jets besides the six
    w_mass: Positive = top_reconstruction.W_MASS  #: mass of the W boson in GeV
    w_sigma: Positive = top_reconstruction.W_SIGMA  #: resolution of the mass of two jets in GeV
    top_sigma: Positive = top_reconstruction.TOP_SIGMA  #: resolution of the mass of three jets in GeV
    batch: Size = 200  #: events at a time

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.raw_pt_min > self.pt_min:
            raise ValueError(f"raw_pt_min must not be above pt_min = {self.pt_min}, got {self.raw_pt_min}")

    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia: both leading-order processes, W bosons to quarks."""
        return (
            f"Beams:eCM = {self.energy}",
            "Top:gg2ttbar = on",
            "Top:qqbar2ttbar = on",
            "24:onMode = off",
            "24:onIfAny = 1 2 3 4 5",
            f"PartonLevel:MPI = {'on' if self.multiple_interactions else 'off'}",
        )

    def detect(self, particles: Particles, rng: np.random.Generator) -> tuple[Towers, NDArray[np.float64]]:
        """What the calorimeter reports, and the jets that pass the cuts on single jets, (n_events, n_max, 4)."""
        towers = calorimeter.towers(particles.where(particles.status > 0), rng)
        raw = jets.cluster(towers.event, towers.momenta, particles.n_events, self.radius, self.raw_pt_min)
        return towers, jets.select(jets.scale(raw), self.pt_min, self.eta_max)

    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """Calorimeter, jets, cuts, b-tags and the assignment of jets to tops; columns ``chi2`` and ``m_hat``."""
        _, selected = self.detect(particles, rng)
        tagged = jets.b_tags(selected, particles, rng)
        number = jets.count(selected)

        six_jets = number >= len(DECAY_JETS)
        apart = six_jets & Cuts(delta_r_min=self.delta_r_min)(selected)
        two_tags = apart & (tagged.sum(axis=1) == 2)
        steps = {"6 or more jets": six_jets, "jets apart": apart, "2 b-tags": two_tags}
        samples = {}
        for extra in range(self.max_extra_jets + 1):
            name, width = f"extra_jets_{extra}", len(DECAY_JETS) + extra
            steps[name] = chosen = two_tags & (number == width)
            ordered, chi2 = np.zeros((0, width, 4)), np.zeros(0)
            if chosen.any():  # else no event may be as wide
                ordered, chi2 = top_reconstruction.reconstruct(
                    selected[chosen, :width], tagged[chosen, :width], self.w_mass, self.w_sigma, self.top_sigma
                )
            columns = {"chi2": chi2, "m_hat": particles.m_hat[chosen]}
            samples[name] = Events(ordered, TopPair(extra).particles, columns)
        return samples, steps
