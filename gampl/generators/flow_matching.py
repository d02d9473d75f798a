r"""Conditional flow matching, Eqs. (40)-(42): a network learns the velocity that carries a latent event to an event.

On the straight path from an event x_0 at t = 0 to a latent event x_1 at t = 1 the velocity is x_1 - x_0; the network
v_theta(x, t) that minimises

    L = < |v_theta(x_t, t) - (x_1 - x_0)|² / 2 >,    x_t = x_0 + t (x_1 - x_0)

per coordinate is the velocity of Eq. (40) for the density as a whole (Lipman et al. 2022, arXiv:2210.02747). Angles
take the shorter way around.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from gampl.generators.base import CutAwareNormal, Normal
from gampl.generators.generator import Generator
from gampl.generators.gpu import Compiled, plain_attention
from gampl.generators.settings import Solver
from gampl.particles.coordinates import Coordinates, wrapped


class FlowMatching(Generator):
    """A generator of events by conditional flow matching; the base is its latent distribution at t = 1.

    The velocity is a network (x, t, condition) -> dx/dt: (n, d), (n,), (n, c) -> (n, d). The solver is the one of
    `stream`, and of `log_prob` by default.
    """

    batch_size = 4096  # on a CPU larger ones are no faster
    gpu_batch_size = 32768
    log_prob_batch = 1000  # all evaluations of them are remembered

    def __init__(
        self,
        coordinates: Coordinates,
        velocity: nn.Module,
        base: CutAwareNormal | Normal,
        solver: Solver | None = None,
        condition: Tensor | None = None,
    ) -> None:
        super().__init__(coordinates, condition)
        self.velocity, self.base = velocity, base
        self.compiles = bool(getattr(velocity, "compiles", True))
        self.solver = solver or Solver()

    def noise(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws n times and latent events: (n,), (n, d)."""
        t = torch.rand(n, generator=generator, device=generator.device, dtype=torch.float64)
        latent = self.base.sample(n, generator)
        return t.to(latent.device), latent

    def forward(self, x: Tensor, condition: Tensor | None = None, *noise: Tensor) -> Tensor:
        """The loss L of events at these times and with these latent events: (n, d), (n, c), (n,), (n, d) -> (n,)."""
        t, latent = noise
        difference = wrapped(latent - x, self.coordinates.angles)
        path = wrapped(x + t.unsqueeze(-1) * difference, self.coordinates.angles)
        error = rate(self.velocity, path, t, self.standardised_condition(condition)) - difference
        return 0.5 * error.square().mean(-1)

    @torch.no_grad()
    def transport(self, x: Tensor, solver: Solver | None = None, condition: Tensor | None = None) -> Tensor:
        """Carries latent events at t = 1 to network coordinates of events at t = 0: (n, d), (n, c) -> (n, d)."""
        context = self.standardised_condition(condition)

        def rate_at(t: Tensor, x: Tensor) -> Tensor:
            return _compiled_rate(self.velocity, wrapped(x, self.coordinates.angles), t.expand(len(x)), context)

        return wrapped(_solve(rate_at, x, (1.0, 0.0), solver or self.solver)[-1], self.coordinates.angles)

    def latent(self, n: int, generator: torch.Generator) -> tuple[Tensor]:
        """Draws n latent events: (n, d)."""
        return (self.base.sample(n, generator),)

    @torch.no_grad()
    def generate(self, condition: Tensor | None, *latent: Tensor) -> Tensor:
        """Solves the differential equation: (n, c), (n, d) -> ``(n, *event_shape)``."""
        (x,) = latent
        return self.coordinates.to_events(self.transport(x, condition=condition))

    def log_prob(
        self,
        events: Tensor,
        condition: Tensor | None = None,
        *,
        solver: Solver | None = None,
        probes: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Log density of events, from the continuity equation (40): ``(n, *event_shape)``, (n, c) -> (n,).

        Along the flow, d log p / dt = - div v. The divergence is exact with d further evaluations of the network, or
        estimated with random probes e of signs, < e^T (dv/dx) e > (Hutchinson 1989), where `probes` says how many of
        them a `generator` draws for each event.

        Raises:
            ValueError: If there is no `generator` for the probes.
        """
        if probes is not None and generator is None:
            raise ValueError("probes are random: log_prob needs a generator for them")
        x, context = self.coordinates.to_network(events), self.standardised_condition(condition)
        if probes is None:
            directions, weight = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).unsqueeze(1), 1.0  # (d, 1, d)
        else:
            signs = torch.randint(2, (probes, *x.shape), generator=generator, dtype=x.dtype)
            directions, weight = (2 * signs - 1).to(x.device), 1.0 / probes

        def rate_at(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                here = wrapped(state[0], self.coordinates.angles).detach().requires_grad_()
                v = rate(self.velocity, here, t.expand(len(here)), context)
                divergence = torch.zeros_like(v[:, 0])
                for e in directions:
                    (gradient,) = torch.autograd.grad(v, here, e.expand_as(v), retain_graph=True)
                    divergence = divergence + (gradient * e).sum(-1)
            return v.detach(), weight * divergence.detach()

        path, change = _solve(rate_at, (x, torch.zeros_like(x[:, 0])), (0.0, 1.0), solver or self.solver)
        latent = wrapped(path[-1], self.coordinates.angles)
        return self.base.log_prob(latent) + change[-1] + self.coordinates.log_jacobian(x)


def rate(velocity: nn.Module, x: Tensor, t: Tensor, context: Tensor | None) -> Tensor:
    """dx/dt in the type of x, which is double: an event's kinematics must not be lost to round-off."""
    with plain_attention(x):
        out: Tensor = velocity(x, t) if context is None else velocity(x, t, context)
    return out.to(x.dtype)


_compiled_rate = Compiled(rate)


def _solve(rate_at: Callable[..., Any], start: Any, span: tuple[float, float], solver: Solver) -> Any:
    """What starts at the beginning of a span of t, there and at its end: a tensor or a tuple of tensors."""
    x = start[0] if isinstance(start, tuple) else start
    # torchdiffeq's own grid from a step size of 1 / steps has a step more where that rounds
    grid = torch.linspace(*span, solver.steps + 1, dtype=x.dtype, device=x.device)
    options = {"grid_constructor": lambda *_: grid}
    return odeint(rate_at, start, torch.tensor(span).to(x), method=solver.method, options=options)
