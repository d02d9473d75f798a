"""What a training of a generator of LHC events is: plain numbers and names, without torch."""

from dataclasses import dataclass, field

from gampl.generators.settings import RESAMPLINGS, Fit, at_least, held_back

FLOWS = ("transformer", "lgatr", "lgatr_slim", "lloca")  # velocity networks of flow matching
DENSITIES = ("autoregressive", "spline")
BASES = ("cut_aware", "normal")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Generator:
    """Kind and size of a generator's network.

    Args:
        kind: Velocity network of a flow-matching generator: "transformer", "lgatr", "lgatr_slim" or "lloca"; or
            "autoregressive", the generator of the rings, or "spline", a neural spline flow.
        blocks: Transformer blocks; couplings of a spline flow.
        heads: Attention heads.
        width: Scalar numbers per particle or token; hidden nodes of a spline flow.
        vectors: Four-vectors per particle of an equivariant network: multivectors of "lgatr", vectors of
            "lgatr_slim", and of each head of "lloca", whose `width` includes them with four numbers each.
        frames: "lloca" only: hidden nodes of the network that finds the frames.
        components: "autoregressive" only: Gaussians in each conditional density; "spline": bins.
        base: Where a flow starts: "cut_aware", jets with normal momenta that pass the cuts, or "normal", Eq. (41).

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

    @property
    def is_flow(self) -> bool:
        """Whether it is trained by flow matching, and needs a solver to generate."""
        return self.kind in FLOWS

    def __post_init__(self) -> None:
        for name, allowed in (("kind", FLOWS + DENSITIES), ("base", BASES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f'Generator.{name} must be one of {allowed}, got "{getattr(self, name)}"')
        at_least(self, 1, "blocks", "heads", "width", "vectors", "frames", "components")
        if self.width % self.heads:
            raise ValueError(f"Generator.width {self.width} must be a multiple of Generator.heads {self.heads}")
        if self.kind == "lloca" and self.width // self.heads <= 4 * self.vectors:
            raise ValueError(
                f"Generator.width {self.width} must exceed 4 heads vectors = {4 * self.heads * self.vectors}"
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
        if self.method not in EVALUATIONS:
            raise ValueError(f'Solver.method must be one of {tuple(EVALUATIONS)}, got "{self.method}"')
        at_least(self, 1, "steps")

    @property
    def evaluations(self) -> int:
        """How often the network is evaluated for an event."""
        return self.steps * EVALUATIONS[self.method]


EVALUATIONS = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}  # per step


@dataclass(frozen=True)
class TopPairJets:
    """Reconstructed top pairs, see `gampl.processes.top_pair`.

    Args:
        extra_jets: Jets besides those of the decays.
        pt_min: Smallest transverse momentum of a jet in GeV, Eq. (38).
        delta_r_min: Smallest distance of two jets.
    """

    extra_jets: int = 0
    pt_min: float = 22.0
    delta_r_min: float = 0.5


@dataclass(frozen=True)
class LeadingOrder:
    """Top pairs at leading order, see `gampl.processes.leading_order_top_pair`.

    Args:
        energy: Of both beams together in GeV.
        top_mass: In GeV.
        m_max: Largest mass of a pair in GeV.
    """

    energy: float = 13_000.0
    top_mass: float = 173.0
    m_max: float = 13_000.0


@dataclass(frozen=True)
class EventTraining:
    """One member of an ensemble of generators of LHC events.

    Args:
        process: Where the events come from.
        n_train: Training events; all members see the same, unless they are independent.
        generator: Kind and size of the network.
        member: Number of the member. It decides resampling, initial weights and batches.
        posterior: How members come to differ, one of `RESAMPLINGS`, or "repulsive", for explicit
            densities only. The events that a member does not take, or holds back, decide when it stops.
        together: "repulsive" only: how many members are trained together, those that repel each other.
        seed: Seed of everything random, and of the training events where they are drawn.
        fit: How the weights are fitted.
        precision: Of a velocity network's arithmetic on a GPU: "float32" or "bfloat16". On a CPU always the first.
        compile: Whether to compile a velocity network on a GPU.
    """

    process: TopPairJets | LeadingOrder
    n_train: int
    generator: Generator
    member: int = 0
    posterior: str = "bootstrap"
    together: int = 1
    seed: int = 0
    fit: Fit = field(default_factory=Fit)
    precision: str = "float32"
    compile: bool = False

    @property
    def n_events(self) -> int:
        """Events that it takes: n_train, and more for an independent member, which decide when it stops."""
        return self.n_train + (held_back(self.n_train) if self.posterior == "independent" else 0)

    def __post_init__(self) -> None:
        repulsive = self.posterior == "repulsive"
        if self.posterior not in (known := (*RESAMPLINGS, "repulsive")):
            raise ValueError(f'EventTraining.posterior must be one of {known}, got "{self.posterior}"')
        if repulsive and self.generator.is_flow:
            raise ValueError("EventTraining.posterior cannot be repulsive for flows: they have no explicit density")
        if (self.together > 1) != repulsive or (repulsive and self.member >= self.together):
            raise ValueError(
                f"EventTraining.together must be the number of members of a repulsive ensemble, at least 2 and above "
                f"member {self.member}, and 1 for others; got {self.together} for {self.posterior}"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f'EventTraining.precision must be one of {PRECISIONS}, got "{self.precision}"')
        if isinstance(self.process, LeadingOrder) and self.generator.base != "normal":
            raise ValueError('EventTraining.generator.base must be "normal" for LeadingOrder: it has no jets to cut on')
        if not self.generator.is_flow and (self.precision != "float32" or self.compile):
            raise ValueError("EventTraining.precision and compile are for flows, not for explicit densities")
        at_least(self, 10, "n_train")
        at_least(self, 0, "member", "seed")
