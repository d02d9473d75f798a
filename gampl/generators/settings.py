"""Kinds and sizes of generators: plain numbers and names that need no torch, so that planning the work is quick."""

from dataclasses import dataclass

FLOWS = ("transformer", "lgatr", "lgatr_slim", "lloca")  # velocity networks of flow matching
DENSITIES = ("autoregressive", "spline")
BASES = ("cut_aware", "normal")
EVALUATIONS = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}  # of the network, per step of a solver


def at_least(owner: object, lowest: float, *names: str) -> None:
    """Raises ValueError for the first of the named fields that is below `lowest` (or NaN)."""
    for name in names:
        value = getattr(owner, name)
        if not value >= lowest:
            raise ValueError(f"{type(owner).__name__}.{name} must be at least {lowest}, got {value}")


def positive(owner: object, *names: str) -> None:
    """Raises ValueError for the first of the named fields that is not above zero."""
    for name in names:
        value = getattr(owner, name)
        if not value > 0:
            raise ValueError(f"{type(owner).__name__}.{name} must be above 0, got {value}")


def one_of(owner: object, allowed: tuple[str, ...], name: str) -> None:
    """Raises ValueError if the named field is not one of the allowed names."""
    value = getattr(owner, name)
    if value not in allowed:
        raise ValueError(f'{type(owner).__name__}.{name} must be one of {allowed}, got "{value}"')


@dataclass(frozen=True)
class Architecture:
    """Kind and size of a generator's network.

    Args:
        kind: Velocity network of a flow-matching generator of particles: "transformer", "lgatr", "lgatr_slim" or
            "lloca"; or an explicit density: "autoregressive", a transformer that predicts Gaussian mixtures,
            Eqs. (6)-(8), "spline", a neural spline flow, or "kde", a sum of Gaussians around the training events,
            which needs no training and is rough in more than a few dimensions.
        blocks: Transformer blocks; transformations of a spline flow, one after the other.
        heads: Attention heads; must divide the width.
        width: Scalar numbers per particle or token; hidden nodes of a spline flow.
        vectors: Four-vectors per particle of an equivariant network: multivectors of "lgatr", vectors of
            "lgatr_slim", and of each head of "lloca", whose `width` includes them with four numbers each.
        frames: "lloca" only: hidden nodes of the network that finds the frames.
        components: "autoregressive" only: Gaussians in each conditional density, the N of Eq. (7); "spline": bins.
        base: Where a flow starts: "cut_aware", jets with normal momenta that pass the cuts, or "normal", Eq. (41).
        couplings: "spline" only: whether its transformations are couplings, quick in both directions, or
            autoregressive ones, which describe more with fewer of them but generate slowly in many dimensions.
        bandwidth: "kde" only: width of the Gaussians in units of Scott's rule, which is too wide for columns with
            several peaks or a sharp one.

    Raises:
        ValueError: If a name is unknown or a number out of range.
    """

    kind: str
    blocks: int = 2
    heads: int = 4
    width: int = 32
    vectors: int = 8
    frames: int = 32
    components: int = 8
    base: str = "cut_aware"
    couplings: bool = True
    bandwidth: float = 1.0

    @property
    def is_flow(self) -> bool:
        """Whether it is trained by flow matching, and needs a solver to generate."""
        return self.kind in FLOWS

    def __post_init__(self) -> None:
        one_of(self, (*FLOWS, *DENSITIES, "kde"), "kind")
        one_of(self, BASES, "base")
        at_least(self, 1, "blocks", "heads", "width", "vectors", "frames")
        at_least(self, 2 if self.kind == "spline" else 1, "components")
        positive(self, "bandwidth")
        if self.kind not in ("spline", "kde") and self.width % self.heads:
            raise ValueError(f"Architecture.width {self.width} must be a multiple of Architecture.heads {self.heads}")
        if self.kind == "lloca" and self.width // self.heads <= 4 * self.vectors:
            raise ValueError(
                f"Architecture.width {self.width} must exceed 4 heads vectors = {4 * self.heads * self.vectors}"
            )


@dataclass(frozen=True)
class Solver:
    """How the differential equation of a flow is solved, Eq. (40).

    Args:
        method: A fixed-step method of torchdiffeq: "euler", "midpoint", "heun2", "heun3" or "rk4".
        steps: Number of steps.
    """

    method: str = "midpoint"
    steps: int = 8

    def __post_init__(self) -> None:
        one_of(self, tuple(EVALUATIONS), "method")
        at_least(self, 1, "steps")

    @property
    def evaluations(self) -> int:
        """How often the network is evaluated for an event."""
        return self.steps * EVALUATIONS[self.method]
