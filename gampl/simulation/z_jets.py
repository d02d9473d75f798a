"""pp -> Z + jets at 13 TeV, the Z decaying to muons, with jets of stable particles.

High multiplicities are rare. So that files have more of them, only a fraction of the events with few jets is kept, and
the column ``weight`` undoes it.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from gampl.particles.events import Events
from gampl.particles.kinematics import cylindrical
from gampl.processes.z_jets import MAX_JETS, ZJets
from gampl.simulation import jets
from gampl.simulation.pythia import Particles
from gampl.simulation.recipes import Made, Positive, Recipe, Size, Switch

MUON, MUON_MASS = 13, 0.10566  # PDG code, GeV
NEUTRINOS = (12, 14, 16)
HADRON_DECAYS = 90  # Pythia's status codes of what hadrons decay to begin here

Jets = Annotated[int, Meta(ge=0, le=MAX_JETS, description=f"a number of jets, 0 to {MAX_JETS}")]
Fractions = Annotated[
    tuple[Annotated[float, Meta(gt=0, le=1)], ...],
    Meta(max_length=MAX_JETS + 1, description=f"up to {MAX_JETS + 1} fractions in (0, 1], in brackets"),
]


@dataclass(frozen=True)
class ZJetsRecipe(Recipe):
    """One sample, ``events``, of two muons and `min_jets` to `max_jets` jets."""

    name: ClassVar[str] = "z_jets"

    energy: Positive = 13_000.0  #: of the two beams together, in GeV
    mass_min: Positive = 60.0  #: smallest mass of the muon pair in the hard process, in GeV
    mass_max: Positive = 120.0  #: largest mass of the muon pair
    multiple_interactions: Switch = False  #: whether further partons of the protons scatter; fourteen times slower
    radius: Positive = 0.4  #: R of the anti-kT algorithm
    pt_min: Positive = ZJets.cuts.pt_min  #: smallest pT of jets in GeV
    eta_max: Positive = ZJets.cuts.eta_max  #: largest absolute value of their eta
    min_jets: Jets = 0  #: events with fewer jets are dropped
    max_jets: Jets = MAX_JETS  #: events with more jets are dropped
    kept: Fractions = (0.05, 0.2, 0.7)  #: fractions of the events with 0, 1, ... jets that are kept; beyond, all are
    batch: Size = 1000  #: events at a time

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_jets > self.max_jets:
            raise ValueError(f"min_jets must not be above max_jets = {self.max_jets}, got {self.min_jets}")

    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia; muons do not radiate, since a photon would make a massless jet."""
        return (
            f"Beams:eCM = {self.energy}",
            "23:onMode = off",
            f"23:onIfMatch = {MUON} -{MUON}",
            "TimeShower:QEDshowerByL = off",
            f"PartonLevel:MPI = {'on' if self.multiple_interactions else 'off'}",
            "WeakSingleBoson:ffbar2gmZ = on",
            f"PhaseSpace:mHatMin = {self.mass_min}",
            f"PhaseSpace:mHatMax = {self.mass_max}",
        )

    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """Muons and jets; the column ``weight`` is one over the kept fraction."""
        final = particles.where(particles.status > 0)
        early = final.status < HADRON_DECAYS
        rows = np.stack([final.rows(early & (final.pdg == pdg)) for pdg in (MUON, -MUON)], axis=1)  # mu-, mu+
        muons = cylindrical(final.momenta[rows])
        muons[..., 3] = MUON_MASS

        in_jets = ~np.isin(np.abs(final.pdg), NEUTRINOS)
        in_jets[rows[rows >= 0]] = False
        visible = final.where(in_jets)
        raw = jets.cluster(visible.event, visible.momenta, final.n_events, self.radius, self.pt_min)
        selected = jets.select(raw, self.pt_min, self.eta_max)
        number = jets.count(selected)

        has_muons = (rows >= 0).all(axis=1)
        fractions = np.append(self.kept, np.ones(MAX_JETS + 1 - len(self.kept)))
        fraction = fractions[np.minimum(number, MAX_JETS)]
        chosen = has_muons & (number >= self.min_jets) & (number <= self.max_jets)
        chosen &= rng.random(particles.n_events) < fraction

        filled_up = np.concatenate([muons, selected, np.zeros((len(rows), MAX_JETS, 4))], axis=1)
        momenta = filled_up[chosen, : 2 + MAX_JETS]
        # those that are dropped, too: rates are known from all events that were made
        steps = {"two muons": has_muons} | {f"{n} jets": has_muons & (number == n) for n in range(MAX_JETS + 1)}
        steps |= {"more jets": has_muons & (number > MAX_JETS), "kept": chosen}
        return {"events": Events(momenta, ZJets().particles, {"weight": 1 / fraction[chosen]})}, steps
