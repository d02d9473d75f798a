"""Muon pairs with any number of jets, one number after the other: JetGPT, and a shower that decides when to stop."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from gampl.generators.autoregressive import CausalTransformer
from gampl.generators.generator import Generator
from gampl.generators.mixture import HEADS, LOG_2_PI
from gampl.generators.settings import Architecture
from gampl.particles.coordinates import signed_angle
from gampl.particles.jet_sequences import ETA, OF_MUONS, PHI, JetSequences

NEAREST = 2  # numbers about the jet that is nearest in phi


class JetGenerator(Generator):
    """Density of events with muons and jets, by a causal transformer of the numbers of `JetSequences`.

    Where the number of jets is *given* (JetGPT; Butter et al., arXiv:2305.10475), it is the condition, (n, 1), and the
    network sees particles by their places. Where it is *radiated* (arXiv:2412.12074), the network sees types of
    particles only, and decides after the muons and after each jet with some probability to stop:

        p(x) = p(muons) [1 - p_stop,0] p(jet 1 | muons) [1 - p_stop,1] ... p(jet n | ...) p_stop,n

    There one factor each is learned from all events with at least so many jets. If events weigh differently, because
    those with few jets are thinned, the weights of these events are scaled to a mean of one in each factor, so that a
    stop probability is the natural one, and no factor is learned from a few heavy events. The *truncated* loss drops
    the decision after the largest number of jets that there is in training, which would always be to stop.

    With ``sees_nearest`` the token that predicts eta of a jet is told of the jet before that is nearest in phi.

    Args:
        coordinates: Of events, order "particles" where the number of jets is radiated.
        size: Of the network, with its heads.
        x: Network coordinates of the training events, (n_train, d).
        weights: Of the training events, (n_train,).
        generator: Draws the initial weights.
    """

    coordinates: JetSequences
    labels: Tensor
    factor: Tensor
    scale: Tensor
    decides: Tensor
    batch_size = 2048
    log_prob_batch = 2048

    def __init__(
        self,
        coordinates: JetSequences,
        size: Architecture,
        x: Tensor,
        weights: Tensor | None = None,
        *,
        radiates: bool,
        truncated: bool = True,
        sees_nearest: bool = True,
        generator: torch.Generator,
    ) -> None:
        super().__init__(coordinates)
        self.radiates, self.sees_nearest, self.head = radiates, sees_nearest, HEADS[size.head]
        self.conditions = 0 if radiates else 1
        labels = coordinates.labels(slots=not radiates)
        if radiates:  # nothing may tell where an event ends
            labels = labels[-1:].expand_as(labels)
        self.register_buffer("labels", labels, persistent=False)
        n = x[:, 0].long()
        self.most = int(n.max())
        # the numbers of an event that there are in training, and the token after them
        self.used = OF_MUONS + 4 * self.most
        numbers = self.head.numbers(size.components)
        inputs = 1 + labels.shape[-1] + NEAREST * sees_nearest
        self.density = CausalTransformer(inputs, numbers + radiates, size)
        self.density.initialise(generator)
        self.head.initialise(self.density.head.bias[:numbers], generator)
        jets = torch.arange(coordinates.max_jets + 1)
        number = (coordinates.particle - 1).clamp_min(0)  # of the jet, 0 for muons
        self.register_buffer("factor", torch.where(coordinates.component < 0, -1, number), persistent=False)
        w = torch.ones(len(x)) if weights is None else weights.float()
        reach = (n.unsqueeze(1) >= jets).float()  # (n_train, M + 1)
        shares = [part.sum(0) / part.sum(0)[0].clamp_min(1e-30) for part in (reach, w.unsqueeze(1) * reach)]
        scale = torch.where(shares[1] > 0, shares[0] / shares[1], 0.0) if radiates else torch.ones(len(jets))
        # of the training events, not of what is learned: other events make others
        self.register_buffer("scale", scale, persistent=False)
        decides = (jets < self.most) if truncated else (jets <= self.most)
        self.register_buffer("decides", decides & (jets < coordinates.max_jets) & radiates, persistent=False)

    def forward(self, x: Tensor, condition: Tensor | None = None, *_: Tensor) -> Tensor:  # noqa: ARG002
        """Negative log density of the sequences by factors, each scaled as in training: (n, d) -> (n,)."""
        values, stops = self._factors(x[:, : 2 + self.used])
        return -((values + torch.where(self.decides, stops, 0.0)) * self.scale).sum(-1)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities of the muons and of each jet, and log probabilities to go on or to stop: (n, M + 1) both."""
        n, z = x[:, 0].long(), x[:, 2:].float()
        count = z.shape[1]
        inputs = [pad(z, (1, 0)).unsqueeze(-1), self.labels[n, : count + 1]]
        if self.sees_nearest:
            inputs.append(self._nearest(n, z))
        raw, _ = self.density.predict(torch.cat(inputs, -1))
        heads = self.head.from_raw(raw[..., :count, : raw.shape[-1] - self.radiates])
        factor = self.factor[n, :count]
        of_numbers = torch.where(factor < 0, 0.0, heads.log_prob(z, self.coordinates.periodic[n, :count]))
        jets = torch.arange(self.coordinates.max_jets + 1, device=x.device)
        values = (of_numbers.unsqueeze(-1) * (factor.unsqueeze(-1) == jets)).sum(1)
        if not self.radiates:
            return values, torch.zeros_like(values)
        ends = (OF_MUONS + 4 * jets).clamp_max(count)
        logits = raw[..., -1][:, ends]
        stops = torch.where(jets == n.unsqueeze(1), logsigmoid(logits), logsigmoid(-logits))
        return values, torch.where(jets <= n.unsqueeze(1), stops, 0.0)

    def _nearest(self, n: Tensor, z: Tensor) -> Tensor:
        """What each token is told of the nearest jet: (n,), (n, D) -> (n, D + 1, 2)."""
        count, jets = z.shape[1], (z.shape[1] - OF_MUONS) // 4
        particle, component = self.coordinates.particle[n, :count], self.coordinates.component[n, :count]

        def of_jets(which: int) -> Tensor:
            place = torch.where((component == which) & (particle > 1), particle - 2, jets)
            return z.new_zeros(len(z), jets + 1).scatter(1, place, z)

        phi, eta = of_jets(PHI), of_jets(ETA)
        nothing = z.new_zeros(len(z), 1, NEAREST)
        told = [nearest(phi[:, j], phi[:, :j], eta[:, :j]).unsqueeze(1) for j in range(1, jets)]
        by_jet = torch.cat([nothing, *told], 1)
        jet = (particle - 2).clamp_min(0).unsqueeze(-1).expand(-1, -1, NEAREST)
        of_tokens = torch.where(((component == ETA) & (particle > 1)).unsqueeze(-1), by_jet.gather(1, jet), 0.0)
        return torch.cat([of_tokens, nothing], 1)

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws what n events are made of: rotation (n,), uniform and normal numbers (n, D) each, stops (n, M + 1)."""
        length, jets = self.coordinates.length, self.coordinates.max_jets + 1
        options: dict[str, Any] = {"generator": generator, "device": generator.device}
        device = next(self.density.parameters()).device
        rotation, uniform, stops = (torch.rand(n, size, **options).to(device) for size in (1, length, jets))
        return rotation, uniform, torch.randn(n, length, **options).to(device), stops

    @torch.no_grad()
    def generate(self, condition: Tensor | None, *latent: Tensor) -> Tensor:
        """Makes events: (n, 1) or None, latent numbers -> (n, 2 + M, 4).

        A ValueError if the condition is not a number of jets that there were in training.
        """
        return self.coordinates.to_events(self.generate_coordinates(condition, *latent))

    @torch.no_grad()
    def generate_coordinates(self, condition: Tensor | None, *latent: Tensor) -> Tensor:
        """Makes network coordinates of events, see `generate`: (n, d)."""
        rotation, *others = latent
        n = torch.full_like(rotation[:, 0], self.coordinates.max_jets).long()
        if not self.radiates:
            n = self._given(condition, len(rotation))
        x = torch.zeros(len(n), self.coordinates.d, dtype=torch.float64, device=rotation.device)
        x[:, 1] = (2 * math.pi * rotation[:, 0].double()) - math.pi
        for jets in set(n.tolist()):
            rows = (n == jets).nonzero()[:, 0]
            made, z = self._sequence(jets, *(part[rows] for part in others))
            x[rows, 0], x[rows, 2:] = made.double(), z.double()
        return x

    def _given(self, condition: Tensor | None, count: int) -> Tensor:
        """The numbers of jets that are given, checked: (n, 1) -> (n,)."""
        n = torch.empty(0) if condition is None else condition.reshape(-1)
        if len(n) != count or (n != n.round()).any() or (n < 0).any() or (n > self.most).any():
            raise ValueError(f"condition must be the number of jets of each event, (n, 1), 0 to {self.most}")
        return n.long()

    def _sequence(self, jets: int, uniform: Tensor, normal: Tensor, stops: Tensor) -> tuple[Tensor, Tensor]:
        """Makes events with so many jets, or at most so many: (n, D), (n, D), (n, M + 1) -> (n,), (n, D)."""
        z, number = torch.zeros_like(uniform), torch.full_like(uniform[:, 0], jets).long()
        alive, value, past = torch.arange(len(z), device=z.device), z.new_zeros(len(z), 1), None
        of_jets = {which: z.new_zeros(len(z), jets) for which in (PHI, ETA)}
        length = OF_MUONS + 4 * jets
        particles, components = self.coordinates.particle[jets].tolist(), self.coordinates.component[jets].tolist()
        for t in range(length + 1):
            particle, component = (particles[t], components[t]) if t < length else (-1, -1)
            j = particle - 2
            inputs = [value, self.labels[jets, t].expand(len(value), -1)]
            if self.sees_nearest:
                known = j > 0 and component == ETA
                phi, eta = (of_jets[which][alive] for which in (PHI, ETA))
                inputs.append(nearest(phi[:, j], phi[:, :j], eta[:, :j]) if known else value.new_zeros(len(value), 2))
            raw, past = self.density.predict(torch.cat(inputs, -1).unsqueeze(1), past)
            if self.radiates and t >= OF_MUONS and (t - OF_MUONS) % 4 == 0:
                k = (t - OF_MUONS) // 4
                goes_on = (stops[alive, k] > raw[:, 0, -1].sigmoid()) & (t < length)
                number[alive[~goes_on]] = k
                alive, raw, past = alive[goes_on], raw[goes_on], [part[goes_on] for part in past]
            if t == length or not len(alive):
                break
            head = self.head.from_raw(raw[:, 0, : raw.shape[-1] - self.radiates])
            picked = head.pick(uniform[alive, t], normal[alive, t], is_angle=component == PHI)
            z[alive, t], value = picked, picked.unsqueeze(1)
            if j >= 0 and component in of_jets:
                of_jets[component][alive, j] = picked
        return number, z

    @torch.no_grad()
    def log_prob(self, events: Tensor, condition: Tensor | None = None) -> Tensor:
        """Log density of events, of their number of jets too where it is radiated: (n, 2 + M, 4) -> (n,)."""
        x = self.coordinates.to_network(events)
        if not self.radiates and not torch.equal(self._given(condition, len(x)), x[:, 0].long()):
            raise ValueError("condition must be the number of jets of each event")
        values, stops = self._factors(x)
        ends = torch.arange(values.shape[1], device=x.device) < self.coordinates.max_jets  # beyond there is no decision
        total = (values.double() + torch.where(ends, stops, 0.0)).sum(1) - LOG_2_PI
        return total + self.coordinates.log_jacobian(x)

    @torch.no_grad()
    def stop_probabilities(self, x: Tensor) -> Tensor:
        """Probability to stop after each number of jets, where it is radiated: (n, d) -> (n, M + 1).

        NaN after more jets than an event has. With all of its latent numbers `stops` at 1 an event has M jets: cut off
        after k of them, it is an event with k jets of weight p_stop,k times the product of 1 - p_stop before.
        """
        n, jets = x[:, :1], torch.arange(self.coordinates.max_jets + 1, device=x.device)
        stops = self._factors(x)[1].double()
        return torch.where(jets == n, stops.exp(), torch.where(jets < n, -stops.expm1(), math.nan))


def nearest(phi: Tensor, phis: Tensor, etas: Tensor) -> Tensor:
    """Distance in phi from the nearest of k angles, and eta there: (n,), (n, k) twice -> (n, 2)."""
    distance = signed_angle(phi.unsqueeze(1) - phis)
    which = distance.abs().argmin(1, keepdim=True)
    return torch.cat([distance.gather(1, which), etas.gather(1, which)], 1)
