"""Which generator amplifies most, and can one trust it: what the pages of a run recorded, in one table and figure.

Nothing is trained or computed anew. ``book/amplifies.yml`` says which recorded numbers belong to which generator,
`gampl_book.amplifies_words` what they say, ``book/amplifies.md.j2`` how the page is laid out.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from gampl_book import BookError
from gampl_book.claims import Results, Run
from gampl_book.network_costs import Cost, cost
from gampl_book.pages import rounded
from gampl_book.profiles import LARGER
from gampl_book.verdicts import LEVEL, Range, Recorded

LISTED = Path("book", "amplifies.yml")
QUESTIONS = {"bulk": "mass or bulk", "tail": "tail", "density": "likelihood ratio"}
EXACT = "Leading order"  # the process of LHC events whose density is known
FITS = "Gaussian line"  # the process whose generators are fits, not networks
Names = Mapping[str, str]  # of recorded numbers, by question


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The recorded numbers of some generators on a page; names may have braces, see ``over``."""

    process: str
    page: str  # notebook that recorded the numbers, but for names like ``other_notebook.number``
    generator: str
    truth: Names = {}  # G of the truth
    estimate: Names = {}  # without the truth
    quotient: Names = {}  # of the two, over training sets; which way round does not matter
    over: Mapping[str, Mapping[str, str]] = {}  # for each word in braces what it stands for in names, and in words
    n_train: str = ""  # digits or the name of a number
    sets: str = ""  # training sets or experiments: digits or the name of a number
    pull: str = ""  # root mean square
    coverage: str = ""  # share of 68.3 % intervals that hold the truth
    percent: bool = False  # coverage is recorded in per cent
    n_equiv: bool = False  # the numbers are n_equiv, not yet G
    means: bool = False  # intervals are of the mean over training sets, and say nothing about one estimate
    network: Mapping[str, str] = {}  # patterns of the settings of kept networks, see `gampl_book.network_costs`
    trained_on: str = ""  # of these networks, where it is not n_train: digits or the name of a number
    cost: str = ""  # what a page recorded of a network, see `gampl_book.pages.Page.cost`

    def __post_init__(self) -> None:
        if unknown := {*self.truth, *self.estimate, *self.quotient} - set(QUESTIONS):
            raise ValueError(f"questions are {', '.join(QUESTIONS)}, got {', '.join(sorted(unknown))}")


class Row(NamedTuple):
    """One generator with all that was recorded of it; a number that was not is absent."""

    profile: str
    pages: tuple[str, ...]
    process: str
    generator: str
    n_train: float | None
    sets: float | None
    truth: Mapping[str, Recorded]
    estimate: Mapping[str, Recorded]
    quotient: Mapping[str, Recorded]
    pull: Recorded | None
    coverage: Recorded | None
    means: bool
    cost: Cost = Cost(None, None, None)

    def holds(self, question: str) -> bool | None:
        """Whether the estimate's interval holds the truth; None where no interval can tell, or the truth is not known.

        A truth with an interval that holds an end of the estimate's may lie on either side of it.
        """
        if (ratio := self.quotient.get(question)) and ratio.interval:
            return ratio.interval.low <= 1 <= ratio.interval.high
        estimate, truth = self.estimate.get(question), self.truth.get(question)
        if self.means or truth is None or estimate is None or estimate.interval is None:
            return None
        if truth.interval and any(truth.interval.low < end < truth.interval.high for end in estimate.interval):
            return None
        return estimate.interval.low <= truth.value <= estimate.interval.high

    def level(self, question: str) -> float | None:
        """Level of the interval that `holds` is about."""
        found = self.quotient.get(question)
        return (found if found and found.interval else self.estimate[question]).level


def load(listed: Path) -> tuple[list[Listed], list[Listed]]:
    """The systems and the corrections of the list; raises BookError for an entry that is not a `Listed`."""
    try:
        found = msgspec.convert(yaml.safe_load(listed.read_text(encoding="utf-8")), dict[str, list[Listed]])
        return found["systems"], found["corrections"]
    except (yaml.YAMLError, msgspec.ValidationError, KeyError) as error:
        raise BookError(f"{listed} is damaged: {error}") from None


def rows_of(listed: Sequence[Listed], run: Run, profile: str) -> list[Row]:
    """The rows of which a run has at least one number, by process, page and n_train."""
    rows = [_row(one, dict(zip(one.over, keys, strict=True)), run, profile) for one in listed for keys in _keys(one)]
    rows = [row for row in rows if row.truth or row.estimate or row.pull or row.coverage]
    processes = list(dict.fromkeys(row.process for row in rows))
    pages = list(dict.fromkeys((row.process, row.pages) for row in rows))
    return sorted(rows, key=lambda r: (processes.index(r.process), pages.index((r.process, r.pages)), r.n_train or 0))


def names_of(listed: Listed, run: Run) -> Iterator[tuple[str, str]]:
    """Notebook and name of every number that an entry asks for."""
    for keys in _keys(listed):
        values = dict(zip(listed.over, keys, strict=True))
        numbers = [*listed.truth.values(), *listed.estimate.values(), *listed.quotient.values()]
        for name in (*numbers, listed.pull, listed.coverage, listed.n_train, listed.sets, listed.trained_on):
            if name and not name.isdigit():
                yield _place(listed, name, values, run)


def all_rows(listed: Sequence[Listed], results: Results, profile: str) -> list[Row]:
    """The rows of a profile's run, then those of larger ones that are kept."""
    shown = [profile, *(p for p in LARGER if p != profile)]
    return [row for p in shown for row in rows_of(listed, results.get(p, {}), p)]


def _keys(listed: Listed) -> Iterator[tuple[str, ...]]:
    return product(*listed.over.values())


def _place(listed: Listed, name: str, values: Mapping[str, str], run: Run) -> tuple[str, str]:
    notebook, _, own = name.rpartition(".")
    numbers = run.get(notebook or listed.page, {}).get("numbers", {})

    def filled(match: re.Match[str]) -> str:
        word = match[1]
        return values[word] if word in values else f"{numbers[word]['value']:g}" if word in numbers else match[0]

    return notebook or listed.page, re.sub(r"\{(\w+)\}", filled, own)


def _row(listed: Listed, values: Mapping[str, str], run: Run, profile: str) -> Row:
    pages: list[str] = []  # that have a number of this row

    def found(name: str, scale: float | None = 1.0) -> Recorded | None:
        if not name or name.isdigit():
            return Recorded(float(name)) if name else None
        notebook, number = _place(listed, name, values, run)
        entry = run.get(notebook, {}).get("numbers", {}).get(number)
        if entry is None or scale is None or math.isnan(value := float(entry["value"])):
            return None
        if notebook not in pages:
            pages.append(notebook)
        ends = [float(end) for end in entry.get("interval", ())]
        interval = Range(*(end / scale for end in ends)) if ends and not any(map(math.isnan, ends)) else None
        return Recorded(value / scale, interval, entry.get("level"))

    n_train, sets, trained_on = (found(name) for name in (listed.n_train, listed.sets, listed.trained_on))
    pages.clear()  # sizes may come from anywhere
    scale = (n_train.value if n_train else None) if listed.n_equiv else 1.0

    def each(names: Names, scale: float | None = 1.0) -> dict[str, Recorded]:
        numbers = {question: found(name, scale) for question, name in names.items()}
        return {question: number for question, number in numbers.items() if number}

    def recorded_cost() -> Cost | None:
        notebook, name = _place(listed, listed.cost, values, run)
        about = run.get(notebook, {}).get("costs", {}).get(name)
        return about and Cost((about["parameters"],) * 2, about["training"], about["generation"])

    network = {name: pattern.format_map(values) for name, pattern in listed.network.items()}
    size = trained_on or n_train
    words = {word: listed.over[word][key] for word, key in values.items()}
    return Row(
        profile=profile,
        truth=each(listed.truth, scale),
        estimate=each(listed.estimate, scale),
        quotient=each(listed.quotient),
        pull=found(listed.pull),
        coverage=found(listed.coverage, 100.0 if listed.percent else 1.0),
        pages=tuple(sorted(pages, key=listed.page.__ne__)),  # its own first
        process=listed.process.format_map(words),
        generator=listed.generator.format_map(words),
        n_train=n_train.value if n_train else None,
        sets=sets.value if sets else None,
        means=listed.means,
        cost=recorded_cost() or cost(network, size.value if size else None, profile),
    )


def side(number: Recorded | None) -> str:
    """Where the 95 % interval of a number lies: above one, below one, on both sides, or none."""
    if number is None or number.interval is None or number.level != LEVEL:
        return "none"
    return "above" if number.interval.low > 1 else "below" if number.interval.high < 1 else "both"


def number(n: Recorded | None) -> str:
    """A number with its interval in words, with the level where it is not 95 %; a dash if it was not recorded."""
    if n is None:
        return "–"
    if n.interval is None:
        return rounded(n.value, 2)
    at = "" if n.level == LEVEL else ", no level" if n.level is None else f"; {100 * n.level:.3g} %"
    return f"{rounded(n.value, 2)} ({rounded(n.interval.low, 2)} to {rounded(n.interval.high, 2)}{at})"


def seconds(value: float | None) -> str:
    """A time with two digits; a dash if it was not measured."""
    return "–" if value is None else rounded(value, 2)


def parameters(of: Cost) -> str:
    """Numbers of parameters, or a dash."""
    if of.parameters is None:
        return "–"
    fewest, most = of.parameters
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def group(row: Row) -> str:
    """The process, of whatever number of jets."""
    return row.process.partition(",")[0]


def described(row: Row) -> str:
    """A row in words."""
    size = f"$\\ntrain={row.n_train:g}$" if row.n_train else "several sizes"
    return f"{row.generator} ({row.process}, {size})"


def largest(rows: Sequence[Row], question: str) -> Row | None:
    """The row with the largest recorded true G, finite; None if there is none."""
    finite = [row for row in rows if question in row.truth and math.isfinite(row.truth[question].value)]
    return max(finite, key=lambda row: row.truth[question].value, default=None)
