"""What is to be analysed: samples, definitions, regions and sizes, from the command line or a process file."""

import glob
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from gampl.basics import counted
from gampl.files import KINDS, Layout
from gampl.particles.expressions import Expression, expression
from gampl.particles.grammar import quoted

MOST_EVENTS = 2**53  # where floats begin to skip whole numbers
MOST_FILES = 10_000  # that a pattern may stand for
RECEIPT = ".weights.json"  # behind the name of a file: its receipt, see `gampl.report.reweighted`
#: words in the names of files that hold true events
TRUE_WORDS = {"train", "training", "holdout", "test", "truth", "true", "validation", "reference"}


@dataclass(frozen=True)
class SampleFiles:
    """Files of events, and how they are read; a ValueError if there are none, or something is not as described."""

    files: tuple[Path, ...]  #: one or several, which are read one after the other; for members one per member
    #: group or dataset of HDF5, tree of ROOT, array of ``.npz``; may be left out where there is only one
    sample: str | None = None
    kind: str | None = None  #: see `gampl.files`; left out, the file decides
    columns: tuple[str, ...] = ()  #: names of the columns of files that do not say them
    weight: str | None = None  #: column with the events' weights
    #: whether to keep each event with a probability proportional to its weight, so that all weigh the same
    unweight: bool = False
    #: whether weights that the files carry are left out; without a choice those that differ are an error
    ignore_weights: bool = False
    member: str | None = None  #: column that says which member an event is of, where one file holds several
    decimal: str | None = None  #: how text writes decimals, ``.`` or ``,``; left out, see `gampl.files.open_file`

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("files: expected at least one")
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {quoted(self.kind)}")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal must be '.' or ',', got {quoted(self.decimal)}")
        check_different("columns", self.columns)
        if self.unweight and self.weight is None:
            raise ValueError("unweight needs the name of the column with the weights: give weight, too")
        if self.ignore_weights and self.weight is not None:
            raise ValueError("ignore_weights leaves out the weights that weight names, expected one of both")

    @property
    def names(self) -> list[str]:
        """What to call each file: its name, or all of its path where two have the same name."""
        names = [path.name for path in self.files]
        return names if len(set(names)) == len(names) else [str(path) for path in self.files]


@dataclass(frozen=True)
class Definition:
    """A number of each event that has a name."""

    text: str  #: an expression of the files' columns, of observables of particles, and of definitions above it
    label: str = ""  #: for axes; left out, the name
    unit: str = ""

    @property
    def expression(self) -> Expression:
        """Its text as an expression that can be computed."""
        return expression(self.text, condition=False)


@dataclass(frozen=True)
class Region:
    """One region V of Eq. (9), or several that are added up as in Eq. (19): a condition, edges or quantiles.

    A ValueError if it is not exactly one of these.
    """

    name: str = ""  #: how to call it; made from what it is if left out
    condition: str = ""  #: which events are in; empty if the region is given by an observable instead
    observable: str = ""  #: name or expression, together with ``edges`` or ``quantiles``
    edges: tuple[float, ...] = ()  #: of adjacent intervals [low, high) of the observable
    quantiles: int = 0  #: so many intervals that hold equal shares of the training or holdout sample

    def __post_init__(self) -> None:
        if not self.name:
            cut = counted(self.quantiles, "quantile") if self.quantiles else counted(len(self.edges) - 1, "interval")
            name = self.condition or f"{self.observable}: {cut}"
            object.__setattr__(self, "name", " ".join(name.split()))
        expected = f"region {quoted(self.name)}: expected"
        ways = [bool(self.condition), bool(self.edges), self.quantiles != 0]
        if sum(ways) != 1 or bool(self.observable) == bool(self.condition):
            raise ValueError(f"{expected} either a condition, or an observable with edges or quantiles")
        if self.quantiles and self.quantiles < 2:
            raise ValueError(f"{expected} at least 2 quantiles, got {self.quantiles}")
        if self.edges and (len(self.edges) < 2 or not all(a < b for a, b in pairwise(self.edges))):
            listed = ", ".join(f"{edge:g}" for edge in self.edges[:20])
            raise ValueError(f"{expected} increasing edges, at least 2, got {listed}")


@dataclass(frozen=True)
class Process:
    """Everything that an analysis is made of; a ValueError if something is missing or does not fit together."""

    n_train: int  #: training events of the generator
    members: SampleFiles | None = None  #: its samples; left out if a generator is to be trained here
    train: SampleFiles | None = None  #: the events that it was trained on
    holdout: SampleFiles | None = None  #: true events that it was not trained on
    observables: Mapping[str, Definition] = field(default_factory=dict)  #: numbers of each event by name
    #: for the averaging estimate; the differential one is made in each that is a condition, too
    regions: tuple[Region, ...] = ()
    averaging: bool = True  #: whether to make the averaging estimate
    summaries: tuple[str, ...] = ()  #: names or expressions of numbers for the differential estimate
    classifier: tuple[str, ...] = ()  #: observables that a classifier makes one more summary of, see `gampl.ratio`
    distances: tuple[str, ...] = ()  #: numbers that are compared all at once, see `multivariate` beside this
    layout: Layout | None = None  #: how momenta are read, for files of particles
    composites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: names of sums of particles
    title: str = "Amplification"  #: for the report
    level: float = 0.683  #: confidence level
    n_gen: int | None = None  #: generated events to use of each member, all if left out
    max_lost: float = 1e-3  #: tolerated share of events whose numbers are not finite
    seed: int = 1  #: of unweighting, of the classifier, of ``distances`` and of the lots of ``split``
    #: share of the events that chooses a place where the others are counted for an upper limit, see `split` beside this
    split: float | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.n_train, int) and 1 <= self.n_train <= MOST_EVENTS):
            raise ValueError(f"n_train must be a positive whole number of events, at most 2^53, got {self.n_train}")
        if not 0.57 < self.level < 1:
            raise ValueError(f"level must lie between 0.57 and 1, got {self.level}")
        if self.n_gen is not None and not 2 <= self.n_gen <= MOST_EVENTS:
            raise ValueError(f"n_gen must be at least 2, and at most 2^53, got {self.n_gen}")
        if not 0 <= self.max_lost < 1:
            raise ValueError(f"max_lost must be a share between 0 and 1, got {self.max_lost}")
        compared = (self.summaries, self.classifier, self.distances)
        if not (self.regions or any(compared)):
            raise ValueError("nothing to estimate: expected regions, summaries, a classifier or distances")
        has_truth = self.holdout is not None or self.train is not None
        if any(compared) and not has_truth:
            raise ValueError("summaries need true events to compare with: a holdout (or, biased, the training sample)")
        if self.distances and self.members is not None and self.members.weight is not None:
            raise ValueError("distances are those of events of equal weight, expected members without weights")
        if self.split is not None:
            self._check_split(self.split)
        if any(region.quantiles for region in self.regions) and not has_truth:
            raise ValueError("regions by quantiles need a training sample or a holdout to take them from")
        check_different("regions", [region.name for region in self.regions])
        check_different("summaries", self.summaries)
        check_different("classifier", self.classifier)
        check_different("distances", self.distances)
        for name, parts in self.composites.items():
            check_different(f"composites.{name}", parts)
        self._check_files()
        if self.layout is not None:
            self._check_composites(self.layout.particles)

    def _check_split(self, share: float) -> None:
        """Events are split only where some are compared, and none has a weight."""
        if not 0 < share < 1:
            raise ValueError(f"split must be a share between 0 and 1, got {share}")
        if not (self.summaries or self.classifier):
            raise ValueError("split is about comparisons with true events: expected summaries or a classifier, too")
        if self.members is not None and self.members.weight is not None:
            raise ValueError("split counts generated events, expected members without weights")

    def _check_composites(self, particles: Collection[str]) -> None:
        """Sums of particles are of those that the files have, and have names of their own."""
        if taken := [name for name in self.composites if name in particles]:
            raise ValueError(f"composites: {quoted(taken[0])} is a particle, expected a name of its own")
        others = [(name, part) for name, parts in self.composites.items() for part in parts if part not in particles]
        if others:
            (name, part), listed = others[0], ", ".join(particles)
            raise ValueError(f"composites.{name}: expected particles out of {listed}, got {quoted(part)}")

    def _check_files(self) -> None:
        """No file is given twice, whatever its name, and true events do not keep their weights."""
        if self.members is not None and self.members.unweight:
            raise ValueError("members: unweight is for true events only: leave it out")
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
            if name != "members" and files.member is not None:
                raise ValueError(f"{name}: member is for generated events only: leave it out")
            if name != "members" and files.weight is not None and not files.unweight:
                raise ValueError(
                    f"{name}: true events must have equal weights, as the laws of the estimates assume; "
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


def named_files(text: str, folder: Path = Path()) -> list[Path]:
    """The file of this name in a folder, or all that fit it as a pattern, sorted.

    A folder or file that there is goes before a pattern, brackets in its name included. A ValueError for none or too
    many files, or a pattern that takes in both true events and others, going by the names.
    """
    names = [text]
    if glob.has_magic(text) and not os.path.lexists(folder / text):
        names = _fitting(text, folder) or _fitting(text.replace("[", "[[]"), folder)
        if not names:
            raise ValueError(f"expected files, none fits {quoted(text)} in {quoted(str(folder))}")
        if len(names) > MOST_FILES:
            raise ValueError(f"expected at most {MOST_FILES} files, more fit {quoted(text)}")
        if true := true_by_name(names):
            other = next(name for name in names if name not in true)
            raise ValueError(
                f"{quoted(text)} takes in both {quoted(true[0])} and {quoted(other)}, expected either true events or "
                "others: use a narrower pattern, or name the files one by one"
            )
    elif not os.path.isfile(folder / text):
        path = quoted(str(folder / text))
        is_folder = os.path.isdir(folder / text)
        problem = f"{path} is a folder: name its files, or 'FOLDER/*'" if is_folder else f"there is no {path}"
        raise ValueError(f"expected a file, {problem}")
    return [folder / name for name in names]


def true_by_name(names: Iterable[str]) -> list[str]:
    """Those that are named like files of true events, if some are and others are not."""
    every = list(names)
    true = [name for name in every if TRUE_WORDS.intersection(re.findall("[a-z]+", Path(name).stem.lower()))]
    return true if len(true) < len(every) else []


def _fitting(pattern: str, folder: Path) -> list[str]:
    """Files that fit a pattern, sorted, one more than are allowed at most; its first folders may be there literally."""
    known, parts = Path(), list(Path(pattern).parts)
    for k, part in enumerate(parts[:-1]):
        known /= part
        if not os.path.lexists(folder / known):
            break
        parts[k] = glob.escape(part)
    names = (name for name in glob.iglob(str(Path(*parts)), root_dir=folder) if not name.endswith(RECEIPT))
    return sorted(islice((name for name in names if os.path.isfile(folder / name)), MOST_FILES + 1))


def check_different(what: str, names: Iterable[str]) -> None:
    """Raises a ValueError if a name comes twice."""
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise ValueError(f"{what} must have different names, {quoted(repeated[0])} comes twice")
