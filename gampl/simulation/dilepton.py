"""pp -> t tbar at 13 TeV, both tops decaying to muons, as partons before they radiate.

On shell, all tops and W bosons have their nominal masses; off shell, masses of a Breit-Wigner with a running width, by
which Pythia also changes the probabilities of the decays. Diagrams without two tops are left out in both.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from gampl.particles.events import Events
from gampl.particles.kinematics import cylindrical
from gampl.processes.dilepton import DileptonTopPair
from gampl.simulation.pythia import Particles
from gampl.simulation.recipes import Made, Positive, Recipe, Size, Switch

PARTONS = (-13, 14, 13, -14, 5, -5)  # PDG codes of l1 v1 l2 v2 b1 b2
MASSES = (0.10566, 0.0, 0.10566, 0.0, 4.8, 4.8)  # GeV, Pythia's
OF_DECAYS = 23  # Pythia's status code of what the hard process ends with

Fraction = Annotated[float, Meta(gt=0, le=1, description="a fraction in (0, 1]")]


@dataclass(frozen=True)
class DileptonRecipe(Recipe):
    """One sample, ``events``, of six partons; tops that decay to lighter quarks are left out."""

    name: ClassVar[str] = "dilepton"

    energy: Positive = 13_000.0  #: of the two beams together, in GeV
    off_shell: Switch = True  #: whether tops and W bosons have Breit-Wigner masses
    kept: Fraction = 1.0  #: fraction of the events that are kept, by lot, so that a shard has no more than are needed
    batch: Size = 1000  #: events at a time

    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia: both leading-order processes and the decays, and nothing after them."""
        on_shell = ("PhaseSpace:useBreitWigners = off", "ParticleData:modeBreitWigner = 0")
        return (
            f"Beams:eCM = {self.energy}",
            "Top:gg2ttbar = on",
            "Top:qqbar2ttbar = on",
            "24:onMode = off",
            "24:onIfAny = 13",
            *(f"PartonLevel:{part} = off" for part in ("ISR", "FSR", "MPI", "Remnants")),
            "Check:event = off",  # which asks for the remnants
            "HadronLevel:all = off",
            *(() if self.off_shell else on_shell),
        )

    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """The partons, each on its mass shell; no column."""
        of_decays = particles.status == OF_DECAYS
        rows = np.stack([particles.rows(of_decays & (particles.pdg == code)) for code in PARTONS], axis=1)
        complete = np.asarray((rows >= 0).all(axis=1))
        chosen = complete & (rng.random(particles.n_events) < self.kept)
        momenta = cylindrical(particles.momenta[rows[chosen]])
        momenta[..., 3] = MASSES
        return {"events": Events(momenta, DileptonTopPair().particles, {})}, {"two b quarks": complete, "kept": chosen}
