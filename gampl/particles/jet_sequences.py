"""Network coordinates of events with a pair of muons and any number of jets: sequences of numbers, in some order."""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from gampl.particles.coordinates import MASS_FLOOR, Coordinates, signed_angle

FIRST, SECOND, JET = range(3)  # types of particles: mu-, mu+ and jets
PT, PHI, ETA, MASS, SHARE = range(5)  # components; a share is that of the transverse momentum of the jet before
OF_MUONS = 5  # numbers of a sequence, besides four of each jet
ORDERS = ("particles", "directions")
MUON_MASS = 0.10566  # GeV


class JetSequences(Coordinates):
    """An event as its number of jets, the angle phi of the first muon, and a sequence of 5 + 4 n numbers.

    In the order "particles" these are (ln pT, eta) of the first muon, (phi, eta, ln m) of the second, where m is the
    mass of both, and (ln(pT - pT_min), phi, eta, ln(m² + m_0²)) of each jet, with m_0 of 1 GeV. In the order
    "directions" they are ln m of the muons, the directions of all jets, those of the muons, the transverse momenta, and
    the masses of the jets: what is close together in phase space is close together in the sequence. Angles are relative
    to that of the first muon. With ``sorts`` a jet after the first has the logarithm of (pT - pT_min) over what is
    missing to that of the jet before, so that no event has jets that do not fall in transverse momentum.

    All but angles are standardised, with one mean and standard deviation for all jets. Events are (pT, phi, eta, m) in
    GeV and radians, (n, 2 + M, 4), with rows of zeros where there are no more jets; x has shape (n, 2 + 5 + 4 M), zero
    beyond the event's end. Muons have their mass, which has no coordinate.
    """

    particle: Tensor  #: row of the event that each number is of, for each number of jets, (M + 1, D); -1 beyond its end
    component: Tensor  #: and which number of it
    periodic: Tensor  #: and whether it is an angle
    kind: Tensor  #: and which mean and standard deviation it has
    index: Tensor

    def __init__(self, max_jets: int, pt_min: float, order: str = "particles", *, sorts: bool = False) -> None:
        super().__init__(torch.zeros(3, 5), torch.ones(3, 5), [])
        self.max_jets, self.pt_min, self.order, self.sorts = max_jets, pt_min, order, sorts
        self.event_shape, self.length = (2 + max_jets, 4), OF_MUONS + 4 * max_jets
        self.d = 2 + self.length
        lists = [sequence(n, order, sorts=sorts) for n in range(max_jets + 1)]
        padded = [part + [(-1, -1)] * (self.length - len(part)) for part in lists]
        particle, component = torch.tensor(padded).unbind(-1)
        # where each number of a sequence stands among those of an event; beyond the end at a further place
        index = 4 * particle + torch.where(component == SHARE, PT, component)
        tables = {"particle": particle, "component": component, "periodic": component == PHI}
        tables["index"] = torch.where(particle < 0, 4 * self.event_shape[0], index)
        tables["kind"] = 5 * particle.clamp_max(JET) + component
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    @classmethod
    def of(cls, events: Tensor, pt_min: float, order: str = "particles", *, sorts: bool = False) -> "JetSequences":
        """Coordinates with the mean and standard deviation of these events, (n, 2 + M, 4), the training sample.

        A ValueError if the shape is wrong, a number is not finite, a muon has no transverse momentum, jets do not come
        before rows of zeros, have pT <= pt_min or a negative mass, or, where it sorts, do not fall in pT.
        """
        if events.ndim != 3 or events.shape[1] < 2 or events.shape[2] != 4 or len(events) < 2:
            raise ValueError(f"events must have shape (n, 2 + jets, 4) with n of at least 2, got {tuple(events.shape)}")
        pt, is_jet = events[..., 0], (events[:, 2:] != 0).any(-1)
        wrong = {
            "numbers that are not finite": ~events.isfinite().flatten(1).all(-1),
            "a muon without transverse momentum": (pt[:, :2] <= 0).any(-1),
            "a jet after a row of zeros": (is_jet[:, 1:] & ~is_jet[:, :-1]).any(-1),
            f"a jet with pT <= {pt_min:g} GeV or m < 0": (
                is_jet & ((pt[:, 2:] <= pt_min) | (events[:, 2:, 3] < 0))
            ).any(-1),
        }
        if sorts:
            wrong["jets that do not fall in pT"] = (is_jet[:, 1:] & (pt[:, 3:] >= pt[:, 2:-1])).any(-1)
        if named := {name: int(rows.sum()) for name, rows in wrong.items() if rows.any()}:
            name, count = next(iter(named.items()))
            raise ValueError(f"events: {count} of {len(events)} have {name}")
        made = cls(events.shape[1] - 2, pt_min, order, sorts=sorts)
        x = made.to_network(events)
        kinds = made.kind[x[:, 0].long()]
        for kind in set(kinds[kinds >= 0].tolist()):
            values = x[:, 2:][kinds == kind]
            if kind % 5 != PHI and len(values) > 1:
                made.mean.view(-1)[kind], made.std.view(-1)[kind] = values.mean(), values.std().clamp_min(1e-6)
        return made

    def to_network(self, events: Tensor) -> Tensor:
        """See `Coordinates`."""
        events = events.double()
        pt, phi, eta, m = events.unbind(-1)
        is_jet = (events[:, 2:] != 0).any(-1)
        n = is_jet.sum(1)
        above = torch.where(is_jet, pt[:, 2:] - self.pt_min, 1.0)
        transverse = above.log()
        if self.sorts:
            share = above[:, 1:] / torch.where(is_jet[:, 1:], above[:, :-1], 2.0)
            transverse = torch.cat([transverse[:, :1], torch.logit(share)], 1)
        pair = 0.5 * (pt[:, :1] * pt[:, 1:2]).log() + 0.5 * _opening(phi, eta).log()
        first, last = torch.cat([pt[:, :1].log(), pair.new_zeros(len(events), 1), transverse], 1), m.square()
        last = torch.cat([pair.new_zeros(len(events), 1), pair, (last[:, 2:] + MASS_FLOOR**2).log()], 1)
        flat = torch.stack([first, signed_angle(phi - phi[:, :1]), eta, last], -1).flatten(1)
        flat = torch.cat([flat, flat.new_zeros(len(flat), 1)], 1)
        mean, std = self._scale(n)
        values = (flat.gather(1, self.index[n]) - mean) / std
        return torch.cat([n.unsqueeze(1), phi[:, :1], torch.where(self.index[n] < flat.shape[1] - 1, values, 0.0)], 1)

    def to_events(self, x: Tensor) -> Tensor:
        """See `Coordinates`."""
        x = x.double()
        n, rotation = x[:, 0].long(), x[:, 1:2]
        mean, std = self._scale(n)
        flat = x.new_zeros(len(x), 4 * self.event_shape[0] + 1).scatter(1, self.index[n], x[:, 2:] * std + mean)
        first, phi, eta, last = flat[:, :-1].reshape(-1, *self.event_shape).unbind(-1)
        is_there = torch.arange(self.event_shape[0], device=x.device) < 2 + n.unsqueeze(1)
        log_above = first[:, 2:]
        if self.sorts and self.max_jets > 1:
            log_above = torch.cat([log_above[:, :1], logsigmoid(log_above[:, 1:])], 1).cumsum(1)
        muon = first[:, :1].exp()
        other = (2 * last[:, 1:2]).exp() / (muon * _opening(phi, eta))
        pt = torch.cat([muon, other, log_above.exp() + self.pt_min], 1)
        m = (last.exp() - MASS_FLOOR**2).clamp_min(0.0).sqrt()
        m = torch.cat([m.new_full((len(m), 2), MUON_MASS), m[:, 2:]], 1)
        events = torch.stack([pt, signed_angle(phi + rotation), eta, m], -1)
        return torch.where(is_there.unsqueeze(-1), events, 0.0)

    def log_jacobian(self, x: Tensor) -> Tensor:
        """Logarithm of ``|det dx/devents|`` at x, (n, d) -> (n,), events without the muons' masses."""
        x = x.double()
        n = x[:, 0].long()
        mean, std = self._scale(n)
        values, kind = x[:, 2:] * std + mean, self.kind[n]
        events = self.to_events(x)
        pt, is_jet = events[..., 0], (events[:, 2:] != 0).any(-1)
        log_above = torch.where(is_jet, (pt[:, 2:] - self.pt_min).log(), 0.0)
        log_m = torch.where(
            is_jet, (2 * events[:, 2:, 3]).log() - (events[:, 2:, 3].square() + MASS_FLOOR**2).log(), 0.0
        )
        of_shares = torch.where(kind == 5 * JET + SHARE, -logsigmoid(-values), 0.0).sum(1)  # 1 / (1 - share)
        of_muons = -pt[:, 0].log() - pt[:, 1].log() - math.log(2)
        return of_muons + of_shares + (log_m - log_above).sum(1) - torch.where(kind >= 0, std.log(), 0.0).sum(1)

    def labels(self, *, slots: bool) -> Tensor:
        """What tells a network which number is next and which was last: (M + 1, D + 1, L) for each number of jets.

        Type and component of both, and with slots the particle's row and the number of jets, which leave no room for
        more jets than there were.
        """
        parts = [one_hot(self.particle.clamp(-1, JET) + 1, 4)[..., 1:], one_hot(self.component + 1, 6)[..., 1:]]
        if slots:
            parts.append(one_hot(self.particle + 1, 1 + self.event_shape[0])[..., 1:])
        of = torch.cat(parts, -1).float()  # zeros beyond the end
        nothing = of.new_zeros(len(of), 1, of.shape[-1])
        both = [torch.cat([of, nothing], 1), torch.cat([nothing, of], 1)]
        if slots:
            jets = torch.eye(len(of)).unsqueeze(1).expand(-1, self.length + 1, -1)
            both.append(jets)
        return torch.cat(both, -1)

    def _scale(self, n: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the numbers of sequences with n jets, (n_events, D) each."""
        kind = self.kind[n]
        beyond = kind < 0
        mean, std = self.mean.view(-1)[kind.clamp_min(0)], self.std.view(-1)[kind.clamp_min(0)]
        return torch.where(beyond, 0.0, mean), torch.where(beyond, 1.0, std)


def sequence(n_jets: int, order: str, *, sorts: bool) -> list[tuple[int, int]]:
    """Particle and component of each number of an event with so many jets."""
    jets = range(2, 2 + n_jets)

    def pt(jet: int) -> tuple[int, int]:
        return jet, SHARE if sorts and jet > 2 else PT

    if order == "particles":
        muons = [(FIRST, PT), (FIRST, ETA), (SECOND, PHI), (SECOND, ETA), (SECOND, MASS)]
        return muons + [place for jet in jets for place in (pt(jet), (jet, PHI), (jet, ETA), (jet, MASS))]
    directions = [(jet, component) for jet in jets for component in (PHI, ETA)]
    muons = [(FIRST, ETA), (SECOND, PHI), (SECOND, ETA), (FIRST, PT)]
    return [(SECOND, MASS), *directions, *muons, *map(pt, jets), *((jet, MASS) for jet in jets)]


def _opening(phi: Tensor, eta: Tensor) -> Tensor:
    """m² / (pT pT') of the muons, without their masses: (n, P) twice -> (n, 1)."""
    return 2 * ((eta[:, 1:2] - eta[:, :1]).cosh() - (phi[:, 1:2] - phi[:, :1]).cos())
