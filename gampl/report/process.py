"""What is to be analysed: samples, definitions, regions and sizes, from the command line or a process file."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from gampl.files import KINDS, Layout
from gampl.particles.expressions import Expression, expression
from gampl.particles.grammar import quoted


@dataclass(frozen=True)
class SampleFiles:
    """Files of events, and how they are read.

    Args:
        files: One or several, which are read one after the other; for members one per member.
        sample: Group or dataset of HDF5, tree of ROOT, array of ``.npz``; may be left out where there is only one.
        kind: See `gampl.files`; left out, the file decides.
        columns: Names of the columns of files that do not say them.
        weight: Column with the events' weights.
        unweight: Whether to keep each event with a probability proportional to its weight, so that all weigh the same.
        member: Column that says which member an event is of, where one file holds several.

    Raises:
        ValueError: If there are no files, or something of them is not as described.
    """

    files: tuple[Path, ...]
    sample: str | None = None
    kind: str | None = None
    columns: tuple[str, ...] = ()
    weight: str | None = None
    unweight: bool = False
    member: str | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("files: expected at least one")
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {quoted(self.kind)}")
        if (name := first_repeated(self.columns)) is not None:
            raise ValueError(f"columns must have different names, {quoted(name)} comes twice")
        if self.unweight and self.weight is None:
            raise ValueError("unweight needs the name of the column with the weights, expected weight, too")


@dataclass(frozen=True)
class Definition:
    """A number of each event that has a name.

    Args:
        text: An expression of the files' columns, of observables of particles, and of definitions above this one.
        label: For axes; the name if left out.
        unit: For axes.
    """

    text: str
    label: str = ""
    unit: str = ""

    @property
    def expression(self) -> Expression:
        """Made to be computed."""
        return expression(self.text, condition=False)


@dataclass(frozen=True)
class Region:
    """One region V of Eq. (9), or several that are added up as in Eq. (19).

    Args:
        name: How to call it.
        condition: Which events are in; empty if the region is given by an observable instead.
        observable: Name or expression, together with ``edges`` or ``quantiles``.
        edges: Of adjacent intervals [low, high) of the observable.
        quantiles: So many intervals that hold equal shares of the training or holdout sample.

    Raises:
        ValueError: If it is not given in exactly one of the three ways.
    """

    name: str
    condition: str = ""
    observable: str = ""
    edges: tuple[float, ...] = ()
    quantiles: int = 0

    def __post_init__(self) -> None:
        ways = [bool(self.condition), bool(self.edges), self.quantiles != 0]
        if sum(ways) != 1 or bool(self.observable) == bool(self.condition):
            raise ValueError(
                f"region {quoted(self.name)}: expected either a condition, or an observable with edges or quantiles"
            )
        if self.quantiles and self.quantiles < 2:
            raise ValueError(f"region {quoted(self.name)}: expected at least 2 quantiles, got {self.quantiles}")
        if self.edges and (len(self.edges) < 2 or not all(a < b for a, b in pairwise(self.edges))):
            listed = ", ".join(f"{edge:g}" for edge in self.edges[:20])
            raise ValueError(f"region {quoted(self.name)}: expected increasing edges, at least 2, got {listed}")


@dataclass(frozen=True)
class Process:
    """Everything that an analysis is made of.

    Args:
        n_train: Training events of the generator.
        members: Its samples; left out if a generator is to be trained here.
        train: The events that it was trained on.
        holdout: True events that it was not trained on.
        observables: Numbers of each event by name.
        regions: For the averaging estimate; the differential one is made in each that is a condition, too.
        averaging: Whether to make the averaging estimate.
        summaries: Names or expressions of numbers for the differential estimate.
        classifier: Observables that a classifier makes one more summary of, see `gampl.ratio`.
        layout: How momenta are read, for files of particles.
        composites: Names of sums of particles.
        title: For the report.
        level: Confidence level.
        n_gen: Generated events to use of each member, all if left out.
        max_lost: Tolerated share of events whose numbers are not finite.
        seed: Of unweighting and of the classifier.

    Raises:
        ValueError: If something is missing or does not fit together.
    """

    n_train: int
    members: SampleFiles | None = None
    train: SampleFiles | None = None
    holdout: SampleFiles | None = None
    observables: Mapping[str, Definition] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    averaging: bool = True
    summaries: tuple[str, ...] = ()
    classifier: tuple[str, ...] = ()
    layout: Layout | None = None
    composites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    title: str = "Amplification"
    level: float = 0.683
    n_gen: int | None = None
    max_lost: float = 1e-3
    seed: int = 1

    def __post_init__(self) -> None:
        if not (isinstance(self.n_train, int) and self.n_train >= 1):
            raise ValueError(f"n_train must be a positive whole number of events, got {self.n_train}")
        if not 0.57 < self.level < 1:
            raise ValueError(f"level must lie between 0.57 and 1, got {self.level}")
        if self.n_gen is not None and self.n_gen < 2:
            raise ValueError(f"n_gen must be at least 2, got {self.n_gen}")
        if not 0 <= self.max_lost < 1:
            raise ValueError(f"max_lost must be a share between 0 and 1, got {self.max_lost}")
        if not (self.regions or self.summaries or self.classifier):
            raise ValueError("nothing to estimate: expected regions, summaries or a classifier")
        has_truth = self.holdout is not None or self.train is not None
        if (self.summaries or self.classifier) and not has_truth:
            raise ValueError("summaries need true events to compare with: a holdout (or, biased, the training sample)")
        if any(region.quantiles for region in self.regions) and not has_truth:
            raise ValueError("regions by quantiles need a training sample or a holdout to take them from")
        names = {"regions": [region.name for region in self.regions]}
        names |= {"summaries": [*self.summaries], "classifier": [*self.classifier]}
        names |= {f"composites.{name}": [*parts] for name, parts in self.composites.items()}
        for what, several in names.items():
            if (name := first_repeated(several)) is not None:
                raise ValueError(f"{what} must have different names, {quoted(name)} comes twice")
        self._check_files()
        if self.layout is not None:
            self._check_composites(self.layout.particles)

    def _check_composites(self, particles: Collection[str]) -> None:
        """Raises ValueError if a sum of particles is of others, or has the name of one."""
        if taken := [name for name in self.composites if name in particles]:
            raise ValueError(f"composites: {quoted(taken[0])} is a particle, expected a name of its own")
        for name, parts in self.composites.items():
            if others := [part for part in parts if part not in particles]:
                listed = ", ".join(particles)
                raise ValueError(f"composites.{name}: expected particles out of {listed}, got {quoted(others[0])}")

    def _check_files(self) -> None:
        """Raises ValueError if a file is given twice, whatever its name, or true events keep their weights."""
        seen: dict[tuple[Path, str | None], str] = {}
        for name, files in (("train", self.train), ("holdout", self.holdout), ("members", self.members)):
            if files is None:
                continue
            for path in files.files:
                key = path.resolve(), files.sample
                if key in seen:
                    where = f"twice in {name}" if seen[key] == name else f"in {seen[key]} and in {name}"
                    raise ValueError(f"{path} is given {where}, expected different samples")
                seen[key] = name
            if files.unweight if name == "members" else files.member is not None:
                option, whose = ("unweight", "true events") if name == "members" else ("member", "generated events")
                raise ValueError(f"{name}: {option} is for {whose} only, expected it left out")
            if name != "members" and files.weight is not None and not files.unweight:
                raise ValueError(
                    f"{name}: true events must have equal weights, the laws of the estimates hold for these only; "
                    "unweight: true keeps each event with a probability proportional to its weight"
                )

    def number(self, text: str) -> Expression:
        """An observable by its name, or an expression of observables and columns."""
        is_name = text in self.observables and not text.isidentifier()
        return expression(f"`{text}`" if is_name else text, condition=False)

    def expression_of(self, region: Region) -> Expression:
        """The condition of a region, or the observable that its edges or quantiles are of."""
        return expression(region.condition, condition=True) if region.condition else self.number(region.observable)

    def label(self, text: str) -> str:
        """An observable's label with its unit."""
        known = self.observables.get(text, Definition(text))
        return f"{known.label or text} [{known.unit}]" if known.unit else known.label or text


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that comes a second time; None if all are different."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
