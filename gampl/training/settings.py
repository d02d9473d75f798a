"""What a training is: plain numbers and names that need no torch, so that planning the work is quick.

Everything that can change the trained weights stands here; the artifact store's key is made of it.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from gampl.generators.settings import Architecture, check

POSTERIORS = ("bayesian", "deep", "bootstrap", "repulsive")
# How the members of an ensemble come to differ, besides their initial weights and batches: each weighs the events with
# Poisson numbers of its own ("bootstrap"), holds back a fifth of its own choice ("deep", the paper's way), the same
# fifth as the others ("same_split"), or has events of its own, which only a known process can provide ("independent").
RESAMPLINGS = ("bootstrap", "deep", "same_split", "independent")


def held_back(n: int) -> int:
    """Of n events how many only decide when a training stops, where a share is held back."""
    return max(1, round(n / 5))


@dataclass(frozen=True)
class Fit:
    """How weights are fitted: Adam, linear warm-up, then a cosine down to 1 % of the learning rate."""

    steps: int = 1500  #: Gradient steps.
    batch_size: int = 250  #: Events per step and member, drawn with replacement.
    learning_rate: float = 5e-3  #: Highest learning rate of the weights.
    #: The same for the log-variances of a Bayesian network. They start far too small and have a long way to go: with
    #: the weights' rate they never arrive.
    logvar_learning_rate: float = 2e-2
    warmup: int = 100  #: Steps of linear warm-up.
    clip: float = 5.0  #: Largest gradient norm of a member.
    validate_every: int = 50  #: Steps between two validations, where a part of the events is held back.
    patience: int = 6  #: Validations without improvement after which a member stops.
    #: Decay per step of the running mean of the weights that is validated and kept in their place, smaller in the first
    #: steps, so that the initial weights are forgotten; 0 keeps the weights themselves. It takes out scatter of the
    #: members that comes from where they stopped, not from their events.
    ema: float = 0.0
    checkpoint_seconds: float = 30.0  #: Seconds between two checkpoints. Does not change the result.

    def __post_init__(self) -> None:
        check(self, "at least", 1, "steps", "batch_size", "validate_every", "patience")
        check(self, "at least", 0, "warmup", "checkpoint_seconds", "ema")
        check(self, "below", 1, "ema")
        check(self, "above", 0, "learning_rate", "logvar_learning_rate", "clip")


@dataclass(frozen=True)
class Ring:
    """Events of the Gaussian ring, Eq. (5), that are drawn; a generator sees their coordinates as they are."""

    dim: int  #: Dimensions of an event.
    data_seed: int = 0  #: Seed of the training events.
    folds: int = 1  #: Parts that the training events are divided into for cross-fitting; 1 trains on all of them.
    leave_out: int = 0  #: With several folds, the part that is not trained on, counted from 0.

    def __post_init__(self) -> None:
        check(self, "at least", 1, "dim", "folds")
        check(self, "at least", 0, "data_seed", "leave_out")
        check(self, "below", self.folds, "leave_out")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return (self.dim,)


@dataclass(frozen=True)
class TopPairJets:
    """Reconstructed top pairs, see `gampl.processes.top_pair`."""

    extra_jets: int = 0  #: Jets besides those of the decays.
    pt_min: float = 22.0  #: Smallest transverse momentum of a jet in GeV, Eq. (38).
    delta_r_min: float = 0.5  #: Smallest distance of two jets.

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return (6 + self.extra_jets, 4)


@dataclass(frozen=True)
class LeadingOrder:
    """Top pairs at leading order, see `gampl.processes.leading_order_top_pair`; all numbers are in GeV."""

    energy: float = 13_000.0  #: Of both beams together.
    top_mass: float = 173.0
    m_max: float = 13_000.0  #: Largest mass of a pair.
    event_shape: ClassVar[tuple[int, ...]] = (4,)  #: Shape of one event.


@dataclass(frozen=True)
class Table:
    """Events that are rows of a user's own table of numbers, of which the generators know nothing.

    They see the columns standardised, by `gampl.generators.table_columns`.
    """

    columns: tuple[str, ...]  #: Their names.

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("Table.columns must name at least one column")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return (len(self.columns),)


@dataclass(frozen=True)
class ZWithJets:
    """Muon pairs with up to so many jets, see `gampl.processes.z_jets` and `gampl.generators.jets`."""

    max_jets: int  #: Rows of jets in an event, of which those that it does not have are zeros.
    #: "given": events are made for a number of jets, the condition, of those that there are in training; or "radiated":
    #: the generator decides after each jet whether to stop, and can make more jets than there are in training.
    multiplicity: str = "given"
    order: str = (
        "particles"  #: Of the numbers of an event: one of the particles after the other, or "directions" first.
    )
    sorts: bool = False  #: Whether jets fall in transverse momentum by construction.
    sees_nearest: bool = True  #: Whether the network is told which jet is nearest in phi when it predicts eta.
    truncated: bool = True  #: "radiated" only: whether it is left open if events with most jets would go on.
    pt_min: float = 20.0  #: Smallest transverse momentum of a jet in GeV.

    def __post_init__(self) -> None:
        check(self, "at least", 0, "max_jets", "pt_min")
        check(self, "one of", ("given", "radiated"), "multiplicity")
        check(self, "one of", ("particles", "directions"), "order")
        if self.multiplicity == "radiated" and self.order != "particles":
            raise ValueError('ZWithJets.order must be "particles" where jets are radiated, one after the other')

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return (2 + self.max_jets, 4)


Process = Ring | TopPairJets | LeadingOrder | Table | ZWithJets


@dataclass(frozen=True)
class Training:
    """One posterior: which events, which generator, and how its members come to differ.

    Raises:
        ValueError: If a name is unknown, a number out of range, or two choices do not go together.
    """

    process: Process  #: What the events are.
    n_train: int  #: Training events; all members see the same, unless they are independent.
    architecture: Architecture  #: Of the generator. Flow matching is for particles, "kde" for tables.
    #: "bayesian" (variational, Eq. 13), "repulsive" (members that push each other apart as functions, for explicit
    #: densities), or how the members of an ensemble come to differ, one of `RESAMPLINGS`. The events that a member does
    #: not take, or holds back, decide when it stops. A "kde" has "bootstrap" only.
    posterior: str = "bootstrap"
    members: int = 10  #: Draws of the Bayesian network, or generators in the ensemble.
    seed: int = 0  #: Seed of everything random in the training and in the draws.
    fit: Fit = field(default_factory=Fit)  #: How the weights are fitted.
    kl_weight: float = 0.03  #: Bayesian only: factor on the KL term of the loss; 1 is the untempered posterior.
    init_logvar: float = -9.0  #: Bayesian only: log-variance of each weight at the start.
    repulsion: float = 1.0  #: Repulsive only: factor on the repulsion; 1 is the posterior's own strength.
    #: Power of p_true / p_gen by which the loss weighs an event, with p_gen that of the generator as it moves: for
    #: events that come with a ratio, see `gampl.training.Data` and `gampl.training.joint`.
    alpha: float = 0.0
    clamp: float = 0.99  #: Share of the events at the start whose ratio is not clamped, if alpha is not 0.
    #: Numbers per event, such as a multiplicity or a parameter of the theory, that the generator is told and does not
    #: generate.
    conditions: int = 0

    @property
    def n_seen(self) -> int:
        """Events that the members share: n_train without a fold that is left out."""
        process = self.process
        if not isinstance(process, Ring) or process.folds == 1:
            return self.n_train
        fold, rest = divmod(self.n_train, process.folds)
        return self.n_train - fold - (process.leave_out < rest)

    @property
    def n_events(self) -> int:
        """Events that a member takes: `n_seen`, and more for an independent one, which decide when it stops."""
        return self.n_seen + (held_back(self.n_train) if self.posterior == "independent" else 0)

    def __post_init__(self) -> None:
        check(self, "one of", tuple(dict.fromkeys(POSTERIORS + RESAMPLINGS)), "posterior")
        check(self, "at least", 50 if isinstance(self.process, Table) else 10, "n_train")
        check(self, "at least", 1, "members")
        check(self, "at least", 0, "seed", "kl_weight", "repulsion", "conditions", "alpha", "clamp")
        check(self, "at most", 1, "clamp")
        process, kind, is_flow = self.process, self.architecture.kind, self.architecture.is_flow
        if self.posterior == "repulsive" and (is_flow or self.members < 2):
            raise ValueError(
                "Training.posterior cannot be repulsive for flows, which have no explicit density, nor for one member"
            )
        if is_flow and not isinstance(process, TopPairJets | LeadingOrder):
            raise ValueError(f'Training.architecture.kind "{kind}" is a flow, which is for particles only')
        if kind == "kde" and (not isinstance(process, Table) or self.posterior != "bootstrap" or self.conditions):
            raise ValueError('Training.architecture.kind "kde" is for a Table, posterior "bootstrap", no conditions')
        if self.alpha and (is_flow or kind == "kde" or self.posterior in ("bayesian", "repulsive")):
            raise ValueError("Training.alpha must be 0 for flows, kde, and Bayesian or repulsive posteriors")
        if isinstance(process, ZWithJets) and (
            kind != "autoregressive"
            or self.posterior == "repulsive"
            or self.conditions != (process.multiplicity == "given")
        ):
            raise ValueError(
                'Training of ZWithJets is for kind "autoregressive", not repulsive, with 1 condition where the'
                " multiplicity is given and 0 where it is radiated"
            )
        if self.architecture.head != "mixture" and not isinstance(process, ZWithJets):
            raise ValueError('Architecture.head must be "mixture" for other events than ZWithJets')
        if isinstance(process, LeadingOrder) and is_flow and self.architecture.base != "normal":
            raise ValueError('Architecture.base must be "normal" for LeadingOrder: it has no jets to cut on')
        if isinstance(process, Ring) and process.folds > self.n_train // 2:
            raise ValueError(f"Ring.folds must be at most half of n_train {self.n_train}, got {process.folds}")
        if isinstance(process, Ring) and process.folds > 1 and self.posterior == "independent":
            raise ValueError("Ring.folds must be 1 for independent members: they have no events in common")
