"""Kinds and sizes of generators: plain numbers and names that need no torch, so that planning the work is quick."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FLOWS = ("transformer", "lgatr", "lgatr_slim", "lloca")  # velocity networks of flow matching
DENSITIES = ("autoregressive", "spline")
BASES = ("cut_aware", "normal")
HEADS = ("mixture", "bins")
EVALUATIONS = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}  # of the network, per step of a solver

_RULES: dict[str, Callable[[Any, Any], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
    "one of": lambda value, allowed: value in allowed,
}


def check(owner: object, rule: str, bound: object, *names: str) -> None:
    """Raises ValueError for the first of the named fields that does not obey a rule, or is NaN."""
    for name in names:
        value = getattr(owner, name)
        if not _RULES[rule](value, bound):
            raise ValueError(f"{type(owner).__name__}.{name} must be {rule} {bound}, got {value!r}")


@dataclass(frozen=True)
class Architecture:
    """Kind and size of a generator's network.

    Raises:
        ValueError: If a name is unknown or a number out of range.
    """

    #: Velocity network of a flow-matching generator of particles: "transformer", "lgatr", "lgatr_slim" or "lloca"; or
    #: an explicit density: "autoregressive", a transformer that predicts Gaussian mixtures, Eqs. (6)-(8), "spline", a
    #: neural spline flow, or "kde", a sum of Gaussians around the training events, which needs no training and is rough
    #: in more than a few dimensions.
    kind: str
    blocks: int = 2  #: Transformer blocks; transformations of a spline flow, one after the other.
    heads: int = 4  #: Attention heads; must divide the width.
    width: int = 32  #: Scalar numbers per particle or token; hidden nodes of a spline flow.
    #: Four-vectors per particle of an equivariant network: multivectors of "lgatr", vectors of "lgatr_slim", and of
    #: each head of "lloca", whose `width` includes them with four numbers each.
    vectors: int = 8
    frames: int = 32  #: "lloca" only: hidden nodes of the network that finds the frames.
    components: int = (
        8  #: "autoregressive": Gaussians in each conditional density, N of Eq. (7), or bins; "spline": bins.
    )
    #: "autoregressive" with any number of jets only: what each conditional density is, a "mixture" of Gaussians, for
    #: angles wrapped ones, or constant in "bins".
    head: str = "mixture"
    #: Where a flow starts: "cut_aware", jets with normal momenta that pass the cuts, or "normal", Eq. (41).
    base: str = "cut_aware"
    #: "spline" only: whether its transformations are couplings, quick in both directions, or autoregressive ones, which
    #: describe more with fewer of them but generate slowly in many dimensions.
    couplings: bool = True
    #: "kde" only: width of the Gaussians in units of Scott's rule, which is too wide for columns with several peaks or
    #: a sharp one.
    bandwidth: float = 1.0

    @property
    def is_flow(self) -> bool:
        """Whether it is trained by flow matching, and needs a solver to generate."""
        return self.kind in FLOWS

    def __post_init__(self) -> None:
        check(self, "one of", (*FLOWS, *DENSITIES, "kde"), "kind")
        check(self, "one of", BASES, "base")
        check(self, "one of", HEADS, "head")
        check(self, "at least", 1, "blocks", "heads", "width", "vectors", "frames")
        check(self, "at least", 2 if self.kind == "spline" else 1, "components")
        check(self, "above", 0, "bandwidth")
        if self.kind not in ("spline", "kde") and self.width % self.heads:
            raise ValueError(f"Architecture.width {self.width} must be a multiple of Architecture.heads {self.heads}")
        if self.kind == "lloca" and self.width // self.heads <= 4 * self.vectors:
            least = 4 * self.heads * self.vectors
            raise ValueError(f"Architecture.width {self.width} must exceed 4 heads vectors = {least}")


@dataclass(frozen=True)
class Solver:
    """How the differential equation of a flow is solved, Eq. (40)."""

    method: str = "midpoint"  #: A fixed-step method of torchdiffeq: "euler", "midpoint", "heun2", "heun3" or "rk4".
    steps: int = 8  #: Number of steps.

    def __post_init__(self) -> None:
        check(self, "one of", tuple(EVALUATIONS), "method")
        check(self, "at least", 1, "steps")

    @property
    def evaluations(self) -> int:
        """How often the network is evaluated for an event."""
        return self.steps * EVALUATIONS[self.method]
