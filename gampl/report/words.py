"""The estimates of an analysis in words: what an unlimited sample is worth, and what that does not say."""

from collections.abc import Iterator

import numpy as np

from gampl.basics import NoteCode, in_digits, significant
from gampl.report.process import Process
from gampl.report.study import EVERYWHERE, Finding, Study
from gampl.result import Amplification, State

SPACE = "\N{NARROW NO-BREAK SPACE}"  # between groups of three digits
LARGE = ((1e12, ""), (1e9, " billion"), (1e6, " million"))


def answer(finding: Finding, process: Process) -> str:
    """What was found, in a few sentences."""
    if finding.result is None:
        return f"There is no {finding.method} estimate for {finding.what}: {finding.problem}."
    sentences = [*(_differential(finding) if finding.summary else _averaging(finding, process))]
    if any(note.code is NoteCode.REUSED for note in finding.result.notes):
        sentences.append("The numbers are too large: these true events were used to train the generator.")
    return " ".join(sentences)


def meaning(study: Study) -> tuple[tuple[str, str], ...]:
    """What the estimates that were made measure, and what they cannot see: headings and texts."""
    methods = {finding.method for finding in study.findings}
    texts = [("What G says", WORTH)]
    if "averaging" in methods:
        texts += [("Averaging", AVERAGING), ("At least", AT_LEAST), ("How members have to be made", MEMBERS)]
        texts += [("What averaging cannot see", BLIND_AVERAGING)]
    if "differential" in methods:
        texts += [("Differential", DIFFERENTIAL), ("What differential cannot see", BLIND_DIFFERENTIAL)]
    return tuple(texts)


def where(finding: Finding, process: Process) -> str:
    """The region of a finding, with what defines it where the name does not."""
    region = next((r for r in process.regions if r.name == finding.region), None)
    if region is None or region.condition == region.name:
        return finding.region
    if region.condition:
        return f"{region.name} ({region.condition})"
    pieces = region.quantiles or len(region.edges) - 1
    kind = "quantiles" if region.quantiles else "intervals" if pieces > 1 else "interval"
    span = "" if region.quantiles else f" from {region.edges[0]:g} to {region.edges[-1]:g}"
    return f"{region.name} ({pieces} {kind} of {region.observable}{span}{', added up' if pieces > 1 else ''})"


def events(number: float) -> str:
    """A number of events with two digits: 31 000, 3.1 million."""
    rounded = significant(number, 2)
    if not np.isfinite(rounded) or rounded >= LARGE[0][0]:
        return f"{rounded:g}"
    for unit, name in LARGE[1:]:
        if rounded >= unit:
            return f"{rounded / unit:g}{name}"
    return whole(round(rounded)) if rounded >= 10 else f"{rounded:g}"


def whole(number: int) -> str:
    """A whole number in groups of three digits."""
    return f"{number:,}".replace(",", SPACE) if number >= 10_000 else str(number)


def percent(share: float) -> str:
    """A share, such as a confidence level, in percent."""
    return f"{100 * share:.3g}{SPACE}%"


def _averaging(finding: Finding, process: Process) -> Iterator[str]:
    result = finding.result
    assert result is not None  # noqa: S101 - `answer` has seen to it
    pooled, single = result.pooled, result.single
    assert pooled is not None  # noqa: S101 - it is averaging
    assert single is not None  # noqa: S101
    yield (
        f"For the share of events in the region {where(finding, process)}, the pooled sample of your "
        f"{result.n_members} members, however large, is worth at least {events(pooled.n_equiv_at_least)} true "
        f"events, {_factor(pooled.at_least)} times your training sample of {whole(result.n_train)} "
        f"({percent(result.level)} confidence). "
        f"One of the members alone is worth at least {events(single.n_equiv_at_least)}."
    )
    low, high = result.interval
    average = "On average over training sets, a posterior this wide is worth"
    if result.state is not State.VALUE:
        yield f"{average} at least {_factor(low)} times its training sample."
        yield _open_end(result, "the members differ from each other no more than their counting of events explains")
        return
    less = "less than its training sample, " if high < 1 else ""
    yield f"{average} {less}{_times(result)} times {'as much' if less else 'its training sample'}."
    if low < 1 <= high:
        yield UNDECIDED


def _differential(finding: Finding) -> Iterator[str]:
    result = finding.result
    assert result is not None  # noqa: S101 - `answer` has seen to it
    everywhere = finding.region == EVERYWHERE
    judged = f"Judged by {finding.summary}" + ("" if everywhere else f" in the region {finding.region}")
    n_train = whole(result.n_train)
    training = f"your training sample of {n_train}" if everywhere else f"the {n_train} training events there"
    confidence = f"({percent(result.level)} confidence)"
    low, high = result.interval
    if result.state is not State.VALUE:
        yield (
            f"{judged}, generated events cannot be told from {events(result.n_equiv_interval.low)} true events or "
            f"more: an unlimited sample is worth at least {_factor(low)} times {training} {confidence}."
        )
        yield _open_end(result, "the generated events are as close to the true ones as further true events would be")
        return
    less = f"less than {training}, {_times(result)} times as much"
    yield (
        f"{judged}, generated events cannot be told from about {events(result.n_equiv)} true events: an unlimited "
        f"sample is worth {less if high < 1 else f'{_times(result)} times {training}'} {confidence}."
    )
    if low < 1 <= high:
        yield UNDECIDED


def _open_end(result: Amplification, why: str) -> str:
    """Why there is no upper end, and what else is known."""
    undecided = f" {UNDECIDED}" if result.interval.low < 1 else ""
    if result.state is State.UNBOUNDED and np.isfinite(result.G):
        return (
            f"The best estimate is {_factor(result.G)} times. There is no upper end: a perfect generator is not "
            f"excluded.{undecided}"
        )
    return f"There is no upper end: {why}.{undecided}"


def _times(result: Amplification) -> str:
    """G and its interval, with as many digits as tell them apart: 3.1 (2.2–4.9)."""
    low, high = result.interval
    width = high / low
    digits = 2 + (width < 1.3) + (width < 1.03)
    g, bottom, top = (_factor(number, digits) for number in (result.G, low, high))
    return f"{g} ({bottom}–{top})"


def _factor(number: float, digits: int = 2) -> str:
    return events(number) if significant(number, digits) >= 1000 else in_digits(number, digits)


UNDECIDED = "Whether that is more or less than the training sample, these data do not tell."
WORTH = (
    "A trained generator can make as many events as one likes, but it has learned from its training sample only. G is "
    "the number of true events that an unlimited generated sample is worth, divided by the number of training events. "
    "Above 1, generated events are worth more than those that the generator was trained on; below 1, less."
)
AVERAGING = (
    "Averaging asks how well the generator knows the share of events in a region. Its members were trained on the same "
    "events; how far their shares differ, beyond the counting of events, is what the training sample left open. That "
    "many true events, inside and outside of the region together, would give the share with the same uncertainty."
)
AT_LEAST = (
    "The limits are about these members and their one training sample. Its own fluctuation has moved all of them "
    "alike, cannot be averaged away, and is as large as they differ from each other. So one member is worth about half "
    "as much as the pooled sample, and G is what to expect on average over training sets."
)
MEMBERS = (
    "All this holds for members that are draws from a posterior: each trained on a bootstrapped copy of the training "
    "sample, in which every event counts a Poisson number of times, or drawn from a Bayesian network. Members that "
    "differ in nothing but their initial weights or the order of their batches agree as well as the training finds its "
    "optimum, whatever the training sample left open; members that each hold back a random fifth of it scatter with a "
    "quarter of the right variance if the fit is efficient. Both make all numbers too large, and the samples do not "
    "show it: only you know how the members were made."
)
BLIND_AVERAGING = (
    "An error that all members share, as of a network that is too stiff or of a training that was stopped too early. "
    "It moves all members alike, and G comes out too large. Nor whether members are independent: those that come from "
    "one another, or share a part of their training, count as fewer than they are. And everything but this region: "
    "nothing follows for another one, nor for the shape within it."
)
DIFFERENTIAL = (
    "Differential asks how close generated events come to true ones in the distribution of one number. The largest "
    "distance between the two cumulative distributions (Kolmogorov and Smirnov's) is compared with the distance that "
    "true events would have. Errors that all members share count here, too."
)
BLIND_DIFFERENTIAL = (
    "What the number does not show: events may be wrong in everything else, and a few wrong ones in a tail hardly move "
    "the distance. Nor more than the true events resolve: a generator that is worth many more events than are "
    "compared with gets a lower limit. If these were used in the training, G comes out too large."
)
