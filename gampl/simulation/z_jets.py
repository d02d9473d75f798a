"""pp -> Z + jets at 13 TeV, the Z decaying to muons, with jets of stable particles.

High multiplicities are rare. Two ways to have more of them, both undone by the column ``weight``: of events with few
jets only a fraction is kept, and runs can be restricted to a slice of the transverse momentum of the Z.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gampl.particles.events import Events
from gampl.particles.kinematics import cylindrical
from gampl.processes.z_jets import CUTS, MAX_JETS, ZJets
from gampl.simulation import jets
from gampl.simulation.pythia import Particles
from gampl.simulation.recipes import Made, Recipe, is_number

MUON, MUON_MASS = 13, 0.10566  # PDG code, GeV
NEUTRINOS = (12, 14, 16)
HADRON_DECAYS = 90  # Pythia's status codes of what hadrons decay to begin here


@dataclass(frozen=True)
class ZJetsRecipe(Recipe):
    """One sample, ``events``, of two muons and `min_jets` to `max_jets` jets.

    Args:
        energy: Of the two beams together, in GeV.
        pt_slice: Limits in GeV of the Z's transverse momentum in the hard process, which is then Z + parton instead of
            a single Z.
        start_scale: Where the shower of a slice starts, in units of the hard process' pT. The inclusive shower, whose
            first branching the slice stands for, goes on below that branching's evolution variable (1 - z) Q², which is
            pT² (1 + t/u) with t/u from 0 to 1: the square of a factor of about 1.2.
        mass_min: Smallest mass of the muon pair in the hard process, in GeV.
        mass_max: Largest one.
        multiple_interactions: Whether further partons of the protons scatter; fourteen times slower.
        radius: R of the anti-kT algorithm.
        pt_min: Smallest pT of jets in GeV.
        eta_max: Largest absolute value of their eta.
        min_jets: Events with fewer jets are dropped.
        max_jets: Events with more jets are dropped; at most 8.
        kept: Fractions of the events with 0, 1, ... jets that are kept; those with more jets all are.
        batch: Events at a time.

    Raises:
        ValueError: If a number is outside its range.
    """

    name: ClassVar[str] = "z_jets"

    energy: float = 13_000.0
    pt_slice: tuple[float, float] | None = None
    start_scale: float = 1.2
    mass_min: float = 60.0
    mass_max: float = 120.0
    multiple_interactions: bool = False
    radius: float = 0.4
    pt_min: float = CUTS.pt_min
    eta_max: float = CUTS.eta_max
    min_jets: int = 0
    max_jets: int = MAX_JETS
    kept: tuple[float, ...] = (0.05, 0.2, 0.7)
    batch: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.min_jets <= self.max_jets <= MAX_JETS:
            raise ValueError(
                f"expected 0 <= min_jets <= max_jets <= {MAX_JETS}, got {self.min_jets} and {self.max_jets}"
            )
        kept, limits = self.kept, (1.0, 2.0) if self.pt_slice is None else self.pt_slice
        if not _are_numbers(kept) or len(kept) > MAX_JETS + 1 or not all(0 < fraction <= 1 for fraction in kept):
            raise ValueError(f"kept must be up to {MAX_JETS + 1} fractions in (0, 1], in brackets, got {kept!r}")
        if not _are_numbers(limits) or len(limits) != 2 or not 0 < limits[0] < limits[1]:
            raise ValueError(f"pt_slice must be 2 numbers in brackets, 0 < low < high, got {self.pt_slice!r}")
        object.__setattr__(self, "kept", tuple(map(float, kept)))
        if self.pt_slice is not None:
            object.__setattr__(self, "pt_slice", tuple(map(float, limits)))

    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia; muons do not radiate, since a photon would make a massless jet."""
        common = (
            f"Beams:eCM = {self.energy}",
            "23:onMode = off",
            f"23:onIfMatch = {MUON} -{MUON}",
            "TimeShower:QEDshowerByL = off",
            f"PartonLevel:MPI = {'on' if self.multiple_interactions else 'off'}",
        )
        if self.pt_slice is None:
            return (
                *common,
                "WeakSingleBoson:ffbar2gmZ = on",
                f"PhaseSpace:mHatMin = {self.mass_min}",
                f"PhaseSpace:mHatMax = {self.mass_max}",
            )
        low, high = self.pt_slice
        return (
            *common,
            "WeakBosonAndParton:qqbar2gmZg = on",
            "WeakBosonAndParton:qg2gmZq = on",
            f"23:mMin = {self.mass_min}",
            f"23:mMax = {self.mass_max}",
            f"PhaseSpace:pTHatMin = {low}",
            f"PhaseSpace:pTHatMax = {high}",
            # the coupling of the hard process is that of the first branching of the inclusive shower
            "SigmaProcess:renormScale2 = 1",
            "SigmaProcess:alphaSvalue = 0.1365",
            "SpaceShower:pTmaxMatch = 1",
            "TimeShower:pTmaxMatch = 1",
            f"SpaceShower:pTmaxFudge = {self.start_scale}",
            f"TimeShower:pTmaxFudge = {self.start_scale}",
        )

    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """Muons and jets; the column ``weight`` is one over the kept fraction."""
        final = particles.where(particles.status > 0)
        rows = np.stack([_from_z(final, MUON), _from_z(final, -MUON)], axis=1)  # entry of mu-, of mu+; -1 if none
        muons = cylindrical(final.momenta[rows])
        muons[..., 3] = MUON_MASS

        in_jets = ~np.isin(np.abs(final.pdg), NEUTRINOS)
        in_jets[rows[rows >= 0]] = False
        visible = final.where(in_jets)
        raw = jets.cluster(visible.event, visible.momenta, final.n_events, self.radius, self.pt_min)
        selected = jets.select(raw, self.pt_min, self.eta_max)
        number = jets.count(selected)

        has_muons = (rows >= 0).all(axis=1)
        accepted = has_muons & (number >= self.min_jets) & (number <= self.max_jets)
        fractions = np.ones(MAX_JETS + 1)
        fractions[: len(self.kept)] = self.kept
        fraction = fractions[np.minimum(number, MAX_JETS)]
        chosen = accepted & (rng.random(particles.n_events) < fraction)

        padded = np.zeros((particles.n_events, MAX_JETS, 4))
        width = min(MAX_JETS, selected.shape[1])
        padded[:, :width] = selected[:, :width]
        momenta = np.concatenate([muons, padded], axis=1)[chosen]
        # all of them, those that are dropped, too: the rates are needed to check the slices against each other
        steps = {"two muons": has_muons} | {f"{n} jets": has_muons & (number == n) for n in range(MAX_JETS + 1)}
        steps |= {"more jets": has_muons & (number > MAX_JETS), "kept": chosen}
        return Made({"events": Events(momenta, ZJets().particles, {"weight": 1 / fraction[chosen]})}, steps)


def _are_numbers(values: object) -> bool:
    return isinstance(values, tuple | list) and all(map(is_number, values))


def _from_z(final: Particles, pdg: int) -> NDArray[np.int64]:
    """The entry of the Z's muon of one charge in each event, -1 where there is none, shape (n_events,)."""
    entries = np.flatnonzero((final.pdg == pdg) & (final.status < HADRON_DECAYS))
    rows = np.full(final.n_events, -1, dtype=np.int64)
    rows[final.event[entries]] = entries
    return rows
