"""Flows that are trained on a density that is known, with MadNIS (arXiv:2212.06172, 2311.01548), or on its events.

All have the same couplings of rational quadratic splines on the unit cube, `madnis.nn.Flow`, and see as many batches.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from madnis.integrator import Integrand, Integrator
from madnis.nn import Flow
from torch import Tensor

from gampl.basics import Floats
from gampl.generators.randomness import global_stream, torch_generator
from gampl_book.known_density import CHANNELS, OffShellIntegrand

SIZE = {"layers": 3, "units": 32, "bins": 10}
BATCH = 10_000  # points at a time
VALIDATION = 0.2  # share of the events that only decide when to stop
CHECKS = 10  # times that they are asked


@dataclass(frozen=True)
class Steps:
    """How a flow is trained: with Adam, whose learning rate rises to its maximum and falls again in one cycle."""

    steps: int
    batch_size: int
    learning_rate: float

    def scheduler(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        """The cycle (Smith and Topin, arXiv:1708.07120)."""
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=self.steps)


@dataclass
class Counted:
    """A function of points, (n, d) -> (n,), that counts how often it is evaluated."""

    function: Callable[[Floats], Floats]
    calls: int = 0

    def __call__(self, x: Tensor) -> Tensor:
        """For the tensors of MadNIS."""
        self.calls += len(x)
        return torch.from_numpy(self.function(x.double().numpy())).to(x)


def train_on_density(f: Counted, d: int, fit: Steps, seed: int, buffered_steps: int = 0) -> Integrator:
    """MadNIS with one map. After each batch of new points it learns from so many batches of old ones."""
    buffer = {"buffer_capacity": fit.steps * fit.batch_size, "minimum_buffer_size": 1} if buffered_steps else {}
    return _train({"integrand": f, "dims": d, "buffered_steps": buffered_steps, **buffer}, fit, seed)


def train_on_channels(f: OffShellIntegrand, fit: Steps, seed: int, knows_weights: bool) -> Integrator:
    """MadNIS with a map, and a flow, for each of the `CHANNELS`, and a network for the channels' weights.

    The network corrects the known weights, or else equal ones. It sees the masses as their shares below.
    """

    def function(x: Tensor, channels: Tensor) -> tuple[Tensor, ...]:
        u, values, masses = x.double().numpy(), np.empty(len(x)), np.empty((len(x), 2))
        for k in range(len(CHANNELS)):
            here = channels.numpy() == k
            values[here], masses[here] = f(u[here], k), f.masses(u[here], k)
        seen = np.concatenate([u[:, :3], f.share_below(masses)], axis=1)
        parts = [values, seen, *([f.channel_weights(masses)] if knows_weights else [])]
        return tuple(torch.from_numpy(part).to(x) for part in parts)

    integrand = Integrand(
        function, 5, channel_count=len(CHANNELS), remapped_dim=5, has_channel_weight_prior=knows_weights
    )
    return _train({"integrand": integrand}, fit, seed)


def train_on_events(samples: Sequence[Floats], fit: Steps, seed: int) -> Flow:
    """Flows for samples of points, (n, d) each, by maximum likelihood and side by side, as channels of one object.

    Each has the parameters that it had when its validation loss was lowest.
    """
    stream = torch_generator(seed, "events")
    points = [torch.from_numpy(x).float() for x in samples]
    cuts = [round(VALIDATION * len(x)) for x in points]
    held_out = [x[: min(cut, BATCH)] for x, cut in zip(points, cuts, strict=True)]
    with global_stream(stream):
        flow = Flow(points[0].shape[1], channels=len(points), **SIZE)
    optimizer = torch.optim.Adam(flow.parameters(), fit.learning_rate)
    scheduler = fit.scheduler(optimizer)
    best = [math.inf] * len(points)
    kept = {name: p.detach().clone() for name, p in flow.named_parameters()}
    for step in range(fit.steps):
        batches = []
        for x, cut in zip(points, cuts, strict=True):
            batches.append(x[torch.randint(cut, len(x), (fit.batch_size,), generator=stream)])
        optimizer.zero_grad()
        sizes = [fit.batch_size] * len(points)  # None would say the same, but is broken in madnis 1.0.0
        (-flow.log_prob(torch.cat(batches), channel=sizes).sum() / fit.batch_size).backward()
        optimizer.step()
        scheduler.step()
        if (step + 1) % max(1, fit.steps // CHECKS) == 0:
            with torch.no_grad():
                sizes = [len(x) for x in held_out]
                losses = flow.log_prob(torch.cat(held_out), channel=sizes).split(sizes)
                for k, loss in enumerate(-part.mean().item() for part in losses):
                    if loss < best[k]:
                        best[k] = loss
                        for name, p in flow.named_parameters():
                            kept[name][k] = p[k]
    flow.load_state_dict(kept, strict=False)
    return flow


@torch.no_grad()
def points_of_flow(flow: Flow, n: int, seed: int, channel: int | None = None) -> tuple[Floats, Floats]:
    """Points of a flow and their densities: (n, d), (n,)."""
    with global_stream(torch_generator(seed, "points")):
        parts = [
            flow.sample(min(BATCH, n - done), channel=channel, return_prob=True, device=torch.device("cpu"))
            for done in range(0, n, BATCH)
        ]
    x, q = (torch.cat(columns).double().numpy() for columns in zip(*parts, strict=True))
    return x, q


@torch.no_grad()
def points_of_channels(integrator: Integrator, n: int, seed: int) -> list[tuple[Floats, Floats]]:
    """Of each channel of MadNIS n points, (n, d), with weights, (n,), whose means add up to the integral."""
    with global_stream(torch_generator(seed, "points")):
        samples = [integrator.sample(n, BATCH, channel=k) for k in range(len(CHANNELS))]
    return [(some.x.double().numpy(), some.weights.double().numpy()) for some in samples]


def _train(settings: dict[str, object], fit: Steps, seed: int) -> Integrator:
    with global_stream(torch_generator(seed, "madnis")):
        integrator = Integrator(
            **settings,
            batch_size=fit.batch_size,
            learning_rate=fit.learning_rate,
            scheduler=fit.scheduler,
            flow_kwargs=SIZE,
        )
        integrator.train(fit.steps)
    return integrator
