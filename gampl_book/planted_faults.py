"""Faults of a generator that are planted by hand, on a process with an exact density, so that all weights are known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats
from scipy.interpolate import CubicSpline

from gampl.basics import Floats, Interval
from gampl.processes.leading_order_coordinates import m_tt, velocity
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.ratio import LogRatio
from gampl.regions import Intervals

Draw = Callable[[int, np.random.Generator], Floats]

BAND, KEPT = Interval(150.0, 200.0), 0.4  # GeV of transverse momentum, where so many events are kept
RESONANCE, SHARE, WIDTH, SMEARED = 600.0, 0.1, 10.0, 40.0  # mass in GeV, share of events, widths in GeV
TAIL, SLOPE, EXCESS = 900.0, 60.0, 4.0  # GeV of mass, from where there are so many times too many events
SHIFT = np.array([0.0, 0.2, 0.0, 0.0])  # of the rapidity
REACH = 6  # standard deviations of a resonance that are looked at


@dataclass(frozen=True)
class Fault:
    """True and generated events (m, Y, cos theta*, phi) whose exact ratio is known."""

    title: str
    observable: str  #: that it was planted in; empty for a perfect generator
    where: str  #: in words
    true: Draw
    generated: Draw
    log_ratio: LogRatio  #: exact, (n, 4) to (n,)


def faults(process: LeadingOrderTopPair) -> dict[str, Fault]:
    """A perfect generator of the leading-order process, and four with one fault each, by name."""
    pt, sample = process.observables["pT_top"], process.sample

    def keep(events: Floats) -> Floats:
        x = np.asarray(pt(events), dtype=np.float64)
        return np.where((x >= BAND.low) & (x < BAND.high), KEPT, 1.0)

    in_band = float(process.integrals(Intervals(np.array([BAND.low]), np.array([BAND.high]), pt))[0])
    mean_kept = 1 - (1 - KEPT) * in_band
    narrow, smeared = (resonance(process, width) for width in (WIDTH, SMEARED))
    heavy, mean_heavy = tail, mean_of_mass(process, tail)

    def shifted(n: int, rng: np.random.Generator) -> Floats:
        return sample(n, rng) + SHIFT

    def of_shift(events: Floats) -> Floats:
        return process.log_prob(events) - process.log_prob(events - SHIFT)

    return {
        "perfect": Fault("nothing", "", "nowhere", sample, sample, lambda events: np.zeros(len(events))),
        "shoulder": Fault(
            "a missing shoulder",
            "pT_top",
            f"pT from {BAND.low:g} to {BAND.high:g} GeV, {1 - KEPT:.0%} missing",
            sample,
            thinned(sample, keep, 1.0),
            lambda events: np.log(mean_kept / keep(events)),
        ),
        "resonance": Fault(
            "a smeared resonance",
            "m_tt",
            f"m around {RESONANCE:g} GeV, width {SMEARED:g} instead of {WIDTH:g} GeV",
            thinned(sample, narrow, float(narrow(_at(RESONANCE)).max())),
            thinned(sample, smeared, float(smeared(_at(RESONANCE + np.linspace(-SMEARED, SMEARED, 101))).max() * 1.01)),
            lambda events: np.log(narrow(events) / smeared(events)),
        ),
        "tail": Fault(
            "a wrong tail",
            "m_tt",
            f"m above {TAIL:g} GeV, {EXCESS:g} times too many",
            sample,
            thinned(sample, heavy, EXCESS),
            lambda events: np.log(mean_heavy / heavy(events)),
        ),
        "shift": Fault("a shifted mean", "y_tt", f"Y larger by {SHIFT[1]:g}", sample, shifted, of_shift),
    }


def tail(events: Floats) -> Floats:
    """Factor by which there are more events than there should be, up to its mean, (n, 4) to (n,)."""
    return 1 + (EXCESS - 1) * np.asarray(special.expit((m_tt(events) - TAIL) / SLOPE))


def thinned(draw: Draw, factor: Callable[[Floats], Floats], largest: float) -> Draw:
    """Draws events whose density is multiplied by a factor, which is at most the largest: each is kept or not."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        kept: list[Floats] = []
        while (missing := n - sum(map(len, kept))) > 0:
            events = draw(int(1.1 * largest * missing) + 100, rng)
            kept.append(events[rng.random(len(events)) * largest < factor(events)][:missing])
        return np.concatenate(kept)

    return sample


def resonance(process: LeadingOrderTopPair, width: float) -> Callable[[Floats], Floats]:
    """Density with a Gaussian resonance of the mass over the density without, as a function of events."""
    m = RESONANCE + SMEARED * np.linspace(-REACH, REACH, 13)
    # exact probabilities of one GeV each; the spectrum is smooth
    log_density = CubicSpline(m, np.log(process.integrals(Intervals(m - 0.5, m + 0.5, m_tt))))

    def factor(events: Floats) -> Floats:
        x = m_tt(events)
        inside = np.abs(x - RESONANCE) < REACH * width
        peak = stats.norm.pdf(x, RESONANCE, width) / np.exp(log_density(np.clip(x, m[0], m[-1])))
        return np.asarray(1 - SHARE + SHARE * np.where(inside, peak, 0.0))

    return factor


def mean_of_mass(process: LeadingOrderTopPair, function: Callable[[Floats], Floats], nodes: int = 96) -> float:
    """Exact mean of a function of the mass over events, by quadrature."""
    m, Y, z, weight = process.coordinates.quadrature("m_tt", -np.inf, np.inf, nodes)
    events = np.stack([m, Y, np.sqrt(z) / velocity(m, process.top_mass), np.zeros_like(m)], axis=1)
    density = 2 * np.pi * np.exp(process.log_prob(events))
    return float(np.dot(weight, density * function(events)) / np.dot(weight, density))


def _at(m: float | Floats) -> Floats:
    """Events of these masses."""
    masses = np.atleast_1d(m)
    return np.stack([masses, *np.zeros((3, masses.size))], axis=1)
