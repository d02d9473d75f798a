"""Members with weights of a classifier: what it has learned from, by receipts or by what the weights look like.

A receipt lies beside a file that ``gampl reweight`` has written. It says from which true events the weights come.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from gampl.basics import Floats, Interval, plain
from gampl.files.public import sha256
from gampl.report.members import Doubt, Job, Member
from gampl.report.process import RECEIPT, SampleFiles
from gampl.report.suspects import FEW, Kept, listed, rows_of
from gampl.report.weighing import Learning

MOST_BYTES = 1_000_000
FALSE_ALARMS = 1e-3  # of a report, where nothing says what weights come from
COMPARED = 10_000  # true events of either sample
NEIGHBOURS = 10  # generated events of each member whose mean weight is that of a true event, at most 100 together


@dataclass(frozen=True)
class Source:
    """A file of events that a classifier has learned from."""

    file: str
    sample: str | None
    sha256: str

    @classmethod
    def all_of(cls, files: SampleFiles) -> "list[Source]":
        """Each of some files."""
        return [cls(path.name, files.sample, sha256(path)) for path in files.files]

    def is_in(self, files: SampleFiles | None) -> bool:
        """Whether it is one of some files, whatever their names."""
        if files is None or (files.sample != self.sample and None not in (files.sample, self.sample)):
            return False
        return self.sha256 in map(sha256, files.files)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Where the weights of a file of events come from."""

    sha256: str  #: of the file
    weight: str | None  #: column with the weights; None if events were accepted by them and need none
    generated: list[Source]
    true: list[Source]  #: what the classifiers have learned from
    n_true: int  #: events of these that they have learned from
    learning: Learning
    numbers: tuple[str, ...]  #: that they know of each event
    lost: int  #: events that are not finite, which have no weight of their own
    weights: dict[str, Any]  #: what they are like, see `gampl.reweighting.WeightStatistics`
    auc: tuple[float, Interval]
    versions: dict[str, str]
    time: str
    command: str

    def to_json(self, **further: Any) -> bytes:
        """What the receipt's file holds, and more for people."""
        return (json.dumps(plain({**vars(self), **further}), indent=1, allow_nan=False) + "\n").encode()

    @property
    def knowledge(self) -> tuple[Any, ...]:
        """The same for classifiers that have learned from the same true events."""
        part = (self.learning.share, self.learning.seed) if self.learning.share < 1 else ()
        return *sorted({(source.sha256, source.sample or "") for source in self.true}), *part


def beside(path: Path) -> Path:
    """Where the receipt of a file lies."""
    return path.with_name(path.name + RECEIPT)


def read_receipt(path: Path) -> Receipt | None:
    """The receipt of a file; None if it has none. A ValueError if it is not one, or not of this file."""
    try:
        with beside(path).open("rb") as file:
            content = file.read(MOST_BYTES)
        receipt = msgspec.json.decode(content, type=Receipt)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ValueError(f"{beside(path)} is not a receipt of gampl reweight ({error})") from None
    if receipt.sha256 and receipt.sha256 != sha256(path):
        raise ValueError(f"{path} is not the file that {beside(path)} was written for")
    return receipt


def reweighted(job: Job, members: Sequence[Member]) -> Iterator[str]:
    """What to know of members that a classifier has weighed, before believing an estimate."""
    files = job.process.members
    if files is None:
        return
    receipts: dict[str, Receipt] = {}
    for path in files.files:
        try:
            receipt = read_receipt(path)
        except ValueError as error:
            yield f"{error}: what its weights come from is not known"
            continue
        if receipt is not None and receipt.weight in (None, files.weight):
            receipts[path.name] = receipt
    if receipts:
        yield from _by_receipts(job, receipts)
    elif files.weight is not None and job.truth.train is not None and job.truth.holdout is not None:
        train, holdout = (rows_of(true.raw, COMPARED) for true in (job.truth.train, job.truth.holdout))
        if (
            tuple(job.truth.train.raw) == job.numbers.needed
            and (p := follow_probability(train, holdout, {member.name: member.kept for member in members}))
            < FALSE_ALARMS
        ):
            yield Doubt(
                f"weights are larger beside events of the training sample than beside those of the holdout (p = "
                f"{p:.1g}): they seem to come from a classifier that has learned from the training sample. Its "
                "fluctuations are in all members alike, which makes the averaging G too large",
                "averaging",
            )


def _by_receipts(job: Job, receipts: Mapping[str, Receipt]) -> Iterator[str]:
    process, files = job.process, job.process.members
    of_train, of_holdout, of_others = (
        [name for name, receipt in receipts.items() if any(which(source) for source in receipt.true)]
        for which in (
            lambda source: source.is_in(process.train),
            lambda source: source.is_in(process.holdout),
            lambda source: not source.is_in(process.train),
        )
    )
    if of_holdout:
        yield Doubt(
            f"the weights of {listed(of_holdout)} come from a classifier that has learned from the holdout, which "
            "makes G too large: keep true events that neither generator nor classifier knows",
            "differential",
        )
    known = Counter(receipt.knowledge for receipt in receipts.values())
    together = [name for name, receipt in receipts.items() if known[receipt.knowledge] > 1]
    if files is not None and files.member is not None:
        together = [*receipts]
    what = "the training sample" if of_train else "the same true events"
    if together:
        yield Doubt(
            f"the weights of {listed(together)} come from {what}, whose fluctuations are in all of them alike: members "
            "do not scatter by what they share, and the averaging G is too large. Give each a classifier of its own "
            "that learns from a random half (gampl reweight --share 0.5 --seed K)",
            "averaging",
        )
    elif of_train:
        yield (
            f"the weights of {listed(of_train)} come from {what}, which is used twice: what the classifier learns of "
            "its fluctuations pulls G towards 1"
        )
    if of_others:
        n = max(receipts[name].n_true for name in of_others)
        yield (
            f"the weights of {listed(of_others)} come from {n} true events of other files than the training sample's: "
            f"n_train = {process.n_train} has to count them, unless the generator was trained on them, too"
        )


def follow_probability(train: Floats, holdout: Floats, members: Mapping[str, Kept]) -> float:
    """Probability that weights near the training events, (n, columns), are as much larger than near the holdout's.

    The weight of a true event is the mean of those of the generated events that are nearest to it. Weights that do not
    know which true events are in which sample make no difference between them, and those that undo what a generator
    has learned of the training sample's fluctuations are smaller there: so false alarms are at most what is said. The
    ranks of all events are compared, which no single large weight decides.
    """
    rows, weights = [], []
    for kept in members.values():
        if (mean := kept.weights.mean()) > 0 and (kept.weights != kept.weights[0]).any():
            finite = np.isfinite(kept.rows).all(axis=1)
            rows.append(kept.rows[finite])
            weights.append(kept.weights[finite] / mean)
    true = [sample[np.isfinite(sample).all(axis=1)] for sample in (train, holdout)]
    k = min(NEIGHBOURS * len(rows), 100)
    if min(map(len, true)) < FEW or sum(map(len, rows)) < 10 * k or not rows:
        return 1.0
    points = np.concatenate(true)
    scale = points.std(axis=0)
    scale[scale == 0] = 1.0
    _, nearest = cKDTree(np.concatenate(rows) / scale).query(points / scale, k)
    ranks = stats.rankdata(np.concatenate(weights)[nearest].mean(axis=1))
    return float(stats.ttest_ind(*np.split(ranks, [len(true[0])]), equal_var=False, alternative="greater").pvalue)
