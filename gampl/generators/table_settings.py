"""What a training on a user's own table of numbers is: plain numbers and names, without torch."""

from dataclasses import dataclass, field

from gampl.generators.settings import RESAMPLINGS, Fit, at_least, positive

GENERATORS = ("spline", "kde")


@dataclass(frozen=True)
class TableTraining:
    """One member of an ensemble of generators of events that are rows of a table.

    Args:
        generator: "spline", a neural spline flow, or "kde", a sum of Gaussians around the training events, which needs
            no training and is rough in more than a few columns.
        n_train: Training events, the same ones for all members.
        dim: Columns.
        member: Number of the member. It decides resampling, initial weights and batches.
        posterior: How members come to differ, one of `RESAMPLINGS` but for "independent"; a "kde" has
            "bootstrap" only. The events that a member does not take, or holds back, decide when it stops.
        seed: Seed of everything random.
        fit: How the weights of a "spline" are fitted. The running mean of the weights, `Fit.ema`, takes out scatter of
            the members that comes from where they stopped, not from their events.
        transforms, width, bins: "spline" only: autoregressive transformations one after the other, hidden nodes
            of the network in each, and bins of its splines.
        bandwidth: "kde" only: width of the Gaussians in units of Scott's rule, which is too wide for columns with
            several peaks or a sharp one.

    Raises:
        ValueError: If a name is unknown or a number out of range.
    """

    generator: str
    n_train: int
    dim: int
    member: int = 0
    posterior: str = "bootstrap"
    seed: int = 0
    fit: Fit = field(default_factory=lambda: Fit(steps=1000, ema=0.99))
    transforms: int = 3
    width: int = 32
    bins: int = 8
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        for name, allowed in (("generator", GENERATORS), ("posterior", RESAMPLINGS[:-1])):
            if getattr(self, name) not in allowed:
                raise ValueError(f'TableTraining.{name} must be one of {allowed}, got "{getattr(self, name)}"')
        if self.generator == "kde" and self.posterior != "bootstrap":
            raise ValueError(
                'TableTraining.posterior must be "bootstrap" for "kde": its members differ in nothing else'
            )
        at_least(self, 50, "n_train")
        at_least(self, 1, "dim", "transforms", "width")
        at_least(self, 2, "bins")
        at_least(self, 0, "member", "seed")
        positive(self, "bandwidth")
