"""What the numbers of the page "Which generator amplifies most?" say, in words that follow from them, and the page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

from gampl.basics import counted
from gampl_book import ROOT
from gampl_book.amplifies import (
    EXACT,
    FITS,
    LISTED,
    QUESTIONS,
    Row,
    all_rows,
    described,
    group,
    largest,
    load,
    number,
    parameters,
    seconds,
    side,
)
from gampl_book.claims import Results
from gampl_book.made_pages import render
from gampl_book.verdicts import LEVEL

FEW = 4  # training sets, or fewer, order nobody


class Trust(NamedTuple):
    """How many intervals of estimates hold the truth, at a level."""

    of_means: bool  # quotients of estimate and truth over training sets, which should hold one
    level: float
    held: Mapping[str, int]  # by question
    number: Mapping[str, int]
    too_large: int  # of those that do not hold, how many estimates exceed the truth


def trust(rows: Sequence[Row]) -> list[Trust]:
    """Counts of intervals that hold the truth, by what they are intervals of and by level."""
    groups: dict[tuple[bool, float], list[tuple[str, bool, bool]]] = {}
    for row, question in product(rows, QUESTIONS):
        if (held := row.holds(question)) is not None and (level := row.level(question)) is not None:
            estimate, truth = row.estimate.get(question), row.truth.get(question)
            larger = estimate is not None and truth is not None and estimate.value > truth.value
            groups.setdefault((question in row.quotient, level), []).append((question, held, larger))
    return [
        Trust(
            *key,
            held=Counter(question for question, held, _ in found if held),
            number=Counter(question for question, _, _ in found),
            too_large=sum(larger and not held for _, held, larger in found),
        )
        for key, found in sorted(groups.items())
    ]


class Compared(NamedTuple):
    """Pairs of generators of one run, page, process and n_train, with intervals of the true G at 95 %."""

    pairs: int
    apart: int  # of which the intervals do not touch
    few: int  # of those apart, how many have `FEW` training sets or fewer, or a number that is not recorded


def compared(rows: Sequence[Row], question: str) -> Compared:
    """The pairs whose numbers may be compared at all."""
    found = [(row, row.truth[question].interval) for row in rows if side(row.truth.get(question)) != "none"]
    pairs = [(a, one, other) for (a, one), (b, other) in combinations(found, 2) if _alike(a) == _alike(b)]
    apart = [row for row, one, other in pairs if one and other and not one.meets(other)]
    return Compared(len(pairs), len(apart), sum((row.sets or 0) <= FEW for row in apart))


def _alike(row: Row) -> tuple[Any, ...]:
    return row.profile, row.pages[0], row.process, row.n_train


class Line(NamedTuple):
    """What the rows of a process say about a question."""

    process: str
    question: str
    sides: Mapping[str, int]  # above, below, both or none: where the 95 % intervals of the true G lie
    largest: Row | None
    compared: Compared


def summary(rows: Sequence[Row]) -> list[Line]:
    """One line for each process, of whatever numbers of jets, and question of which a true G was recorded."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(group(row), []).append(row)
    return [
        Line(process, question, sides, largest(of, question), compared(of, question))
        for process, of in groups.items()
        for question in QUESTIONS
        if (sides := Counter(side(row.truth[question]) for row in of if question in row.truth))
    ]


def sentences(rows: Sequence[Row]) -> list[str]:
    """For each question which generators, without the Gaussian fits, have a true G above one at 95 %."""
    said = []
    for question, title in QUESTIONS.items():
        networks = [row for row in rows if question in row.truth and group(row) != FITS]
        if not networks:
            said.append(f"*{title}*: no page of this run has recorded a true $G$ of anything but Gaussian fits.")
            continue
        found = Counter(side(row.truth[question]) for row in networks)
        above = [described(row) for row in networks if side(row.truth[question]) == "above"]
        text = f"*{title}*: of {len(networks)} rows {found['above']} have a true $G$ above one at 95 %, "
        text += f"{found['below']} below one, and of {found['both']} the interval holds one"
        asked = len(networks) - found["none"]
        if found["none"]:
            text += f"; {found['none']} have no interval at 95 % and decide nothing"
        if not above:
            text += f". None of the {asked} with an interval amplifies beyond doubt." if asked else "."
        else:
            text += f". Above one are: {'; '.join(above)}."
            text += f" If all were one, about {(1 - LEVEL) / 2 * asked:.1f} would lie there by chance."
        if first := largest(networks, question):
            text += f" The largest number is {number(first.truth[question])}, of {described(first)}."
        said.append(text)
    return said


def ranking(found: Sequence[Compared]) -> str:
    """Whether the numbers put generators in an order, in words."""
    pairs, apart, few = (sum(counts) for counts in zip(*found, strict=True)) if found else (0, 0, 0)
    if not pairs:
        return "No two generators share run, page, process and $\\ntrain$ and have intervals: the numbers rank nobody."
    text = f"{pairs} pairs of generators share run, page, process and $\\ntrain$ and have intervals at 95 %; "
    if not apart:
        return f"{text}none of these pairs is told apart. The numbers rank nobody."
    text += f"the intervals of {apart} do not touch"
    which = "all of these" if few == apart else f"{few} of these"
    text += f"; {which} have at most {FEW} training sets, too few to rank anybody" if few else ""
    return f"{text}. Rows of different $\\ntrain$ are not ranked at all."


def unknown(rows: Sequence[Row]) -> str:
    """What estimates say where no truth was recorded, in words; empty if there are none."""
    alone = [row.estimate[q] for row in rows for q in QUESTIONS if q in row.estimate and q not in row.truth]
    found = Counter(map(side, alone))
    text = f"Of {len(alone)} estimates without a truth beside them {found['above']} lie above one at 95 %, "
    text += f"{found['below']} below, {found['both']} on both sides"
    return f"{text}." if alone else ""


def trust_words(found: Sequence[Trust]) -> list[str]:
    """A sentence for each kind of interval: how many hold the truth, and how the others miss it."""
    if not found:
        return ["No page of this run has recorded an estimate with an interval and the truth beside it."]
    said = []
    for one in found:
        held, count = sum(one.held.values()), sum(one.number.values())
        kind = "quotients of estimate and truth over training sets" if one.of_means else "estimates of one ensemble"
        text = f"{count} {kind} have an interval at {100 * one.level:.3g} %: {held} hold "
        text += f"{'one' if one.of_means else 'the truth'}, where {one.level * count:.1f} are expected ("
        text += ", ".join(f"{t}: {one.held.get(q, 0)} of {n}" for q, t in QUESTIONS.items() if (n := one.number.get(q)))
        said.append(f"{text}).")
    missed = sum(sum(one.number.values()) - sum(one.held.values()) for one in found)
    larger = sum(one.too_large for one in found)
    said.append(f"Of the {missed} that miss the truth {larger} are too large, {missed - larger} too small.")
    return said


def timed(rows: Sequence[Row]) -> str:
    """Of how many rows costs are known, in words."""
    known = [row.cost for row in rows if row.cost.parameters]
    slow = [cost.generation for cost in known if cost.generation]
    text = f"Parameters and training are known of {len(known)} of {len(rows)} rows"
    if slow:
        text += f", generation of {len(slow)}: {seconds(min(slow))} to {seconds(max(slow))} s for $10^4$ events"
    return f"{text}."


def sizes(rows: Sequence[Row]) -> str:
    """At how many sizes of the training set, with `FEW` of them or more, generators of exact truth have a true G."""
    found: dict[str, set[float]] = {}
    for row in rows:
        if row.process == EXACT and row.truth and row.n_train and (row.sets or 0) >= FEW:
            found.setdefault(row.generator, set()).add(row.n_train)
    if not found:
        return f"On the leading-order process no generator has a true $G$ from at least {FEW} training sets."
    groups = {n: [name for name, its in found.items() if len(its) == n] for n in sorted(map(len, found.values()))[::-1]}
    text = f"On the leading-order process, where the truth is exact, {len(found)} generators have a true $G$ from"
    text += f" at least {FEW} training sets. "
    return text + " ".join(f"At {counted(n, 'size')}: {'; '.join(names)}." for n, names in groups.items())


def page(results: Results, profile: str) -> tuple[str, list[Row], list[Row]]:
    """The page as MyST, the rows of its table and figure, and those of the corrections."""
    systems, corrections = load(ROOT / LISTED)
    rows, changes = (all_rows(one, results, profile) for one in (systems, corrections))
    pages = [name for row in (*rows, *changes) for name in row.pages]
    runs = {(p, name): results[p][name] for p in results for name in pages if name in results[p]}
    used = {key for row in (*rows, *changes) for key in product((row.profile,), row.pages)}
    changed: dict[str, list[str]] = {"above": [], "below": [], "both": [], "none": []}
    for row, question in product(changes, QUESTIONS):
        changed[side(row.truth.get(question))].append(f"{described(row)}, {QUESTIONS[question]}")
    text = render(
        "amplifies.md.j2",
        profile=profile,
        rows=rows,
        changes=changes,
        questions=QUESTIONS,
        summary=summary(rows),
        said=sentences(rows),
        ranking=ranking([compared([row for row in rows if group(row) != FITS], question) for question in QUESTIONS]),
        unknown=unknown(rows),
        trusted=trust_words(trust(rows)),
        processes={p: [row for row in rows if row.process == p] for p in dict.fromkeys(row.process for row in rows)},
        gained=changed["above"],
        lost=changed["below"],
        tried=sum(len(row.truth) for row in changes),
        unmarked=sum(row.holds(q) is None for row in rows for q in row.truth.keys() & row.estimate.keys()),
        costs={key: about for key, about in sorted(runs.items()) if key in used},
        absent=sorted({one.page for one in (*systems, *corrections)} - {name for _, name in used}),
        side=side,
        number=number,
        parameters=parameters,
        seconds=seconds,
        timed=timed(rows),
        sizes=sizes([row for row in rows if row.profile == profile]),
    )
    return text, rows, changes
