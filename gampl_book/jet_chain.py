"""Z bosons with one to three jets from a chain of conditional spline flows, one for each jet after the first.

p(x | n) = p(Z, j1 | n) p(j2 | Z, j1, n) p(j3 | Z, j1, j2), as in arXiv:2110.13632 and arXiv:2305.10475, with their way
around what flows have difficulties with in the distances of jets: training events are weighted so that the step at the
smallest distance becomes small, and generated events by the inverse.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from gampl.basics import Floats
from gampl.particles.jet_sequences import OF_MUONS, PHI, JetSequences, sequence
from gampl.particles.kinematics import delta_r, wrapped
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble
from gampl_book.jet_ensembles import padded

JETS = (1, 2, 3)
MOST = max(JETS)
PT_MIN = 20.0  # GeV, of jets
CUT = 0.4  # smallest distance of two jets, the radius of the jet algorithm
LOW, HIGH = 0.2, 1.5  # distances between which weights rise from zero to one
_SEQUENCE = sequence(MOST, "particles", sorts=False)
COLUMNS = tuple(f"{('pT', 'phi', 'eta', 'm')[component]} of {particle}" for particle, component in _SEQUENCE)
ANGLES = np.array([component == PHI for _, component in _SEQUENCE])
ENDS = (0, 9, 13, 17)  # of the numbers of muons and first jet, second, and third jet


def smoothing(events: Floats) -> Floats:
    """Weights of events in training, products over all pairs of jets, (n, 2 + jets, 4) -> (n,); one for a single jet.

    A pair at the distance Delta R has min(1, (Delta R - 0.2) / 1.3). Generated pairs below the cut of 0.4 count as if
    they were at the cut, so that no inverse is larger than 6.5 for a pair.
    """
    jets, weights = events[:, 2:], np.ones(len(events))
    for a, b in combinations(range(jets.shape[1]), 2):
        distance = np.maximum(delta_r(jets[:, a], jets[:, b]), CUT)
        weights *= np.minimum((distance - LOW) / (HIGH - LOW), 1.0)
    return weights


class Rows:
    """Events with one to three jets as rows of numbers without bounds, and back; learned from training events.

    The numbers are those of `JetSequences`, particle by particle. Angles are counted from the direction opposite to the
    first muon, where those of what balances it are, and divided by pi in an artanh.
    """

    def __init__(self, events: Sequence[Floats]) -> None:
        every = np.concatenate([padded(some, MOST) for some in events])
        self.coordinates = JetSequences.of(torch.from_numpy(every), PT_MIN)

    def of(self, events: Floats) -> Floats:
        """Rows of events with equally many jets: (n, 2 + jets, 4) -> (n, 5 + 4 jets)."""
        d = OF_MUONS + 4 * (events.shape[1] - 2)
        rows = self.coordinates.to_network(torch.from_numpy(padded(events, MOST)))[:, 2 : 2 + d].numpy()
        rows[:, ANGLES[:d]] = np.arctanh(wrapped(rows[:, ANGLES[:d]] + np.pi) / np.pi)
        return np.asarray(rows)

    def events(self, rows: Floats, rng: np.random.Generator) -> Floats:
        """Events of rows, each turned by a random angle: (n, 5 + 4 jets) -> (n, 2 + jets, 4)."""
        d, angles = rows.shape[1], ANGLES[: rows.shape[1]]
        n_jets = (d - OF_MUONS) // 4
        x = np.zeros((len(rows), self.coordinates.d))
        x[:, 0], x[:, 1] = n_jets, rng.uniform(-np.pi, np.pi, len(rows))
        x[:, 2 : 2 + d] = np.where(angles, wrapped(np.pi * np.tanh(rows) + np.pi), rows)
        return np.asarray(self.coordinates.to_events(torch.from_numpy(x))[:, : 2 + n_jets].numpy())

    def log_jacobian(self, events: Floats) -> Floats:
        """Logarithm of |det drow / devent|, and of 1 / 2 pi for the random angle: (n, 2 + jets, 4) -> (n,)."""
        x, rows = self.coordinates.to_network(torch.from_numpy(padded(events, MOST))), self.of(events)
        of_angles = 2 * np.log(np.cosh(rows[:, ANGLES[: rows.shape[1]]])) - math.log(math.pi)
        return np.asarray(self.coordinates.log_jacobian(x).numpy() + of_angles.sum(axis=1) - math.log(2 * math.pi))


def told(rows: Floats, n_jets: int, link: int) -> Floats:
    """What a link is told of events with so many jets, whose rows are known up to its own numbers: (n, d) -> (n, c).

    The first link, number 0, is told the number of jets, one-hot. The others are told all numbers before their own,
    with sine and cosine for an angle, and the second also whether there is a third jet.
    """
    if link == 0:
        return np.tile(np.equal(JETS, n_jets).astype(float), (len(rows), 1))
    before, angles = rows[:, : ENDS[link]], ANGLES[: ENDS[link]]
    turns = np.pi * np.tanh(before[:, angles])
    parts = [before[:, ~angles], np.cos(turns), np.sin(turns)]
    if link == 1:
        parts.append(np.full((len(rows), 1), float(n_jets == MOST)))
    return np.concatenate(parts, axis=1)


def training_data(link: int, rows: Mapping[int, Floats], weights: Mapping[int, Floats]) -> Data:
    """What a link is trained on, from rows and weights of the events by their number of jets.

    The weights are divided by their mean for each number of jets. Each link takes those of the whole event, also of
    jets that come later: only then is the product of their densities that of the weighted events.
    """
    numbers, own = [n for n in JETS if n > link], slice(ENDS[link], ENDS[link + 1])
    return Data(
        np.concatenate([rows[n][:, own] for n in numbers]),
        np.concatenate([weights[n] / weights[n].mean() for n in numbers]),
        np.concatenate([told(rows[n], n, link) for n in numbers]),
    )


@dataclass(frozen=True)
class Chain:
    """Trained links, with the inverse of the weights that their training events had."""

    rows: Rows
    links: Sequence[Ensemble]  #: For Z and first jet, second, and third jet; a member of the chain is one of each.
    smoothing: Callable[[Floats], Floats] | None = None  #: The weights in training; None without any.

    def __len__(self) -> int:
        return min(map(len, self.links))

    def sample(self, member: int, n_jets: int, n: int, seed: int) -> tuple[Floats, Floats]:
        """Events of a member with so many jets, (n, 2 + jets, 4), and the weights that undo those of the training."""
        rows = np.empty((n, 0))
        for link in range(n_jets):
            made = self.links[link].sample(member, n, seed + link, told(rows, n_jets, link))
            rows = np.concatenate([rows, made], axis=1)
        events = self.rows.events(rows, np.random.default_rng([seed, member, n_jets]))
        return events, np.ones(n) if self.smoothing is None else 1 / self.smoothing(events)

    def log_prob(self, events: Floats, mean_weights: ArrayLike) -> Floats:
        """Log density of the mean over members, for events with equally many jets: (n, 2 + jets, 4) -> (n,).

        A member's density is normalised with the mean weight of its own events with as many jets, (members,).
        """
        rows, n_jets = self.rows.of(events), events.shape[1] - 2
        log_p = np.tile(-np.log(mean_weights)[:, None], len(events))
        for link in range(n_jets):
            own, before = rows[:, ENDS[link] : ENDS[link + 1]], told(rows, n_jets, link)
            log_p += np.stack([self.links[link].log_prob(own, k, before) for k in range(len(self))])
        if self.smoothing is not None:
            log_p -= np.log(self.smoothing(events))
        return np.asarray(logsumexp(log_p, axis=0) - math.log(len(self)) + self.rows.log_jacobian(events))
