"""What a training is: plain numbers and names that need no torch, so that planning the work is quick.

Everything that can change the trained weights stands here; the artifact store's key is made of it.
"""

from dataclasses import dataclass, field

POSTERIORS = ("bayesian", "deep", "bootstrap", "repulsive")
# How the members of an ensemble come to differ, besides their initial weights and batches: each weighs the events with
# Poisson numbers of its own ("bootstrap"), holds back a fifth of its own choice ("deep", the paper's way), the same
# fifth as the others ("same_split"), or has events of its own, which only a known process can provide ("independent").
RESAMPLINGS = ("bootstrap", "deep", "same_split", "independent")


def held_back(n: int) -> int:
    """Of n events how many only decide when a training stops, where a share is held back."""
    return max(1, round(n / 5))


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


@dataclass(frozen=True)
class Network:
    """Size of the autoregressive transformer, Eqs. (6)-(8).

    Args:
        width: Numbers per token.
        layers: Transformer blocks.
        heads: Attention heads; must divide the width.
        components: Gaussians in each conditional density, the N of Eq. (7).
    """

    width: int = 16
    layers: int = 1
    heads: int = 4
    components: int = 8

    def __post_init__(self) -> None:
        at_least(self, 1, "width", "layers", "heads", "components")
        if self.width % self.heads:
            raise ValueError(f"Network.width {self.width} must be a multiple of Network.heads {self.heads}")


@dataclass(frozen=True)
class Fit:
    """How weights are fitted: Adam, linear warm-up, then a cosine down to 1 % of the learning rate.

    Args:
        steps: Gradient steps.
        batch_size: Events per step and member, drawn with replacement.
        learning_rate: Highest learning rate of the weights.
        logvar_learning_rate: The same for the log-variances of a Bayesian network. They start far too
            small and have a long way to go: with the weights' rate they never arrive.
        warmup: Steps of linear warm-up.
        clip: Largest gradient norm of a member.
        validate_every: Steps between two validations, where a part of the events is held back.
        patience: Validations without improvement after which a member stops.
        ema: Decay per step of the running mean of the weights that is validated and kept in their place, smaller in
            the first steps, so that the initial weights are forgotten; 0 keeps the weights themselves.
        checkpoint_seconds: Seconds between two checkpoints. Does not change the result.
    """

    steps: int = 1500
    batch_size: int = 250
    learning_rate: float = 5e-3
    logvar_learning_rate: float = 2e-2
    warmup: int = 100
    clip: float = 5.0
    validate_every: int = 50
    patience: int = 6
    ema: float = 0.0
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        at_least(self, 1, "steps", "batch_size", "validate_every", "patience")
        at_least(self, 0, "warmup", "checkpoint_seconds", "ema")
        if self.ema >= 1:
            raise ValueError(f"Fit.ema must be below 1, got {self.ema}")
        positive(self, "learning_rate", "logvar_learning_rate", "clip")


@dataclass(frozen=True)
class Training:
    """One training: which events, which network, which posterior.

    Args:
        process: Where the events come from; "ring" is Eq. (5).
        dim: Dimensions of an event.
        n_train: Training events.
        data_seed: Seed of the training events.
        posterior: "bayesian" (variational, Eq. 13), "repulsive" (members that push each other apart as functions), or
            how the members of an ensemble come to differ, one of `RESAMPLINGS`.
        members: Draws of the Bayesian network, or networks in the ensemble.
        seed: Seed of everything random in the training and in the draws.
        network: Size of the networks.
        fit: How they are fitted.
        kl_weight: Bayesian only: factor on the KL term of the loss; 1 is the untempered posterior.
        init_logvar: Bayesian only: log-variance of each weight at the start.
        repulsion: Repulsive only: factor on the repulsion; 1 is the posterior's own strength.
        folds: Parts that the training events are divided into for cross-fitting; 1 trains on all of them.
        leave_out: With several folds, the part that is not trained on, counted from 0.
    """

    dim: int
    n_train: int
    posterior: str = "bootstrap"
    members: int = 10
    process: str = "ring"
    data_seed: int = 0
    seed: int = 0
    network: Network = field(default_factory=Network)
    fit: Fit = field(default_factory=Fit)
    kl_weight: float = 0.03
    init_logvar: float = -9.0
    repulsion: float = 1.0
    folds: int = 1
    leave_out: int = 0

    def __post_init__(self) -> None:
        if self.process != "ring":
            raise ValueError(f'Training.process must be "ring", got "{self.process}"')
        if self.posterior not in (known := tuple(dict.fromkeys(POSTERIORS + RESAMPLINGS))):
            raise ValueError(f'Training.posterior must be one of {known}, got "{self.posterior}"')
        at_least(self, 1, "dim", "members", "folds")
        at_least(self, 2, "n_train")
        at_least(self, 0, "data_seed", "seed", "kl_weight", "repulsion", "leave_out")
        if self.leave_out >= self.folds or self.folds > self.n_train // 2:
            raise ValueError(
                f"Training.leave_out must be below Training.folds, and these at most half of n_train, got "
                f"leave_out {self.leave_out}, folds {self.folds}, n_train {self.n_train}"
            )
        if self.posterior == "independent" and self.folds > 1:
            raise ValueError("Training.folds must be 1 for independent members: they have no events in common")
