"""An analysis as text: numbers as people read them, answers as sentences, the table of the terminal, JSON and CSV."""

import csv
import io
import json
import platform
import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
import scipy

import gampl
from gampl.basics import Interval, counted, plain, printable
from gampl.report.process import Region
from gampl.report.study import EVERYWHERE, Finding, Study
from gampl.result import Amplification, NoteCode, State, Worth, in_digits, significant

SPACE = "\N{NARROW NO-BREAK SPACE}"  # between groups of three digits
LARGE = {" billion": 1e9, " million": 1e6}
WIDTH = 100  # characters of a line in the terminal
NAME_WIDTH = 32
GAP = "  "
CELLS = GAP.join(f"{{:>{width}}}" for width in (7, 10, 9, 20, 12))
HEADS = ("share", "n_train", "G", "interval of G")
LAST_HEAD = {"averaging": "pooled worth", "differential": "n_equiv"}
POOLED = (
    "pooled worth: true events that the pooled sample of all members is worth, for this training set; G: what a "
    "posterior this wide is worth on average over training sets"
)
NO_UPPER_END = {
    "averaging": "the members differ from each other no more than the counting of their events explains",
    "differential": "the generated events are as close to the true ones as further true events would be",
}
UNRELIABLE = "Do not rely on this"
ALARM = "\x1b[31m{}\x1b[0m"  # in red
CSV_COLUMNS = (
    "method", "region", "summary", "share", "G", "G_low", "G_high", "n_equiv", "n_equiv_low", "n_equiv_high",
    "pooled_at_least", "single_at_least", "n_equiv_at_most", "level", "state", "n_train", "n_members", "n_gen",
    "problem", "notes", "doubts",
)  # fmt: skip

FORMULA = ("=", "+", "-", "@", "\t")  # what a formula of a spreadsheet begins with

short = partial(in_digits, digits=3)  # three digits, without an exponent as long as that is readable


def events(number: float) -> str:
    """A number of events with two digits: 31 000, 3.1 million."""
    rounded = significant(number, 2)
    if not rounded < 1e12:
        return f"{rounded:g}"
    for name, unit in LARGE.items():
        if rounded >= unit:
            return f"{rounded / unit:g}{name}"
    return whole(round(rounded)) if rounded >= 10 else f"{rounded:g}"


def count(number: float) -> str:
    """A number of events with three digits, in groups where it has many."""
    rounded = significant(number, 3)
    return whole(round(rounded)) if 100 <= rounded < 1e12 else f"{rounded:g}"


def whole(number: int) -> str:
    """A whole number in groups of three digits."""
    return f"{number:,}".replace(",", SPACE) if number >= 10_000 else str(number)


def percent(share: float) -> str:
    """A share, such as a confidence level, in percent."""
    return f"{100 * share:.3g}{SPACE}%"


def interval(ends: Interval, text: Callable[[float], str] = short) -> str:
    """Both ends, or the lower one if there is no upper end."""
    low, high = ends
    return f"{text(low)} to {text(high)}" if np.isfinite(high) else f"at least {text(low)}"


def where(region: Region | None) -> str:
    """A region, with what defines it where the name does not; None for all events."""
    if region is None or region.condition == region.name:
        return EVERYWHERE if region is None else region.name
    if region.condition:
        return f"{region.name} ({region.condition})"
    pieces = region.quantiles or len(region.edges) - 1
    kind = "quantiles" if region.quantiles else "intervals" if pieces > 1 else "interval"
    span = "" if region.quantiles else f" from {region.edges[0]:g} to {region.edges[-1]:g}"
    return f"{region.name} ({pieces} {kind} of {region.observable}{span}{', added up' if pieces > 1 else ''})"


def answer(finding: Finding, doubts: Sequence[str] = ()) -> str:
    """What was estimated, in a few sentences; doubts because of which it does not hold come first."""
    if doubts:
        return f"{UNRELIABLE}: {'; '.join(doubts)}. Without that it would read: {answer(finding)}"
    result = finding.result
    if result is None:
        return f"There is no {finding.method} estimate for {finding.what}: {finding.problem}."
    pooled, single = result.pooled, result.single
    if pooled is None or single is None:
        sentences = [_differential(finding, result)]
    else:
        sentences = [_averaging(finding, result, pooled, single)]
    if result.state is State.UNBOUNDED and np.isfinite(result.G):
        best = f"The best estimate is {_factor(result.G)} times."
        sentences.append(f"{best} There is no upper end: a perfect generator is not excluded.")
    elif result.state is not State.VALUE:
        sentences.append(f"There is no upper end: {NO_UPPER_END[finding.method]}.")
    if result.interval.low < 1 <= result.interval.high:
        sentences.append("Whether that is more or less than the training sample, these data do not tell.")
    if finding.at_most is not None:
        sentences.append(f"By counting at a place that other events have chosen: {finding.at_most}.")
    if any(note.code is NoteCode.REUSED for note in result.notes):
        sentences.append("The numbers are too large: these true events were used to train the generator.")
    return " ".join(sentences)


def _averaging(finding: Finding, result: Amplification, pooled: Worth, single: Worth) -> str:
    return (
        f"For the share of events in the region {where(finding.region)}, the pooled sample of your {result.n_members} "
        f"members, however large, is worth at least {counted(events(pooled.n_equiv_at_least), 'true event')}, "
        f"{_factor(pooled.at_least)} times your training sample of {whole(result.n_train)} ({percent(result.level)} "
        f"confidence). One of the members alone is worth at least {events(single.n_equiv_at_least)}. "
        f"On average over training sets, a posterior this wide is worth {_times(result, 'its training sample')}."
    )


def _differential(finding: Finding, result: Amplification) -> str:
    everywhere, n_train = finding.region is None, whole(result.n_train)
    judged = f"Judged by {finding.summary}" + ("" if everywhere else f" in the region {finding.where}")
    training = f"your training sample of {n_train}" if everywhere else f"the {counted(n_train, 'training event')} there"
    alike = f"about {counted(events(result.n_equiv), 'true event')}"
    if result.state is not State.VALUE:
        alike = f"{counted(events(result.n_equiv_interval.low), 'true event')} or more"
    return (
        f"{judged}, generated events cannot be told from {alike}: an unlimited sample is worth "
        f"{_times(result, training)} ({percent(result.level)} confidence)."
    )


def _times(result: Amplification, training: str) -> str:
    """G and its interval, with as many digits as tell them apart: 3.1 (2.2–4.9) times the training sample."""
    low, high = result.interval
    if result.state is not State.VALUE:
        return f"at least {_factor(low)} times {training}"
    width = high / low
    digits = 2 + (width < 1.3) + (width < 1.03)
    g, bottom, top = (_factor(number, digits) for number in (result.G, low, high))
    times = f"{g} ({bottom}–{top}) times"
    return f"less than {training}, {times} as much" if high < 1 else f"{times} {training}"


def _factor(number: float, digits: int = 2) -> str:
    return events(number) if significant(number, digits) >= 1000 else in_digits(number, digits)


def table(study: Study, *, colour: bool = False) -> str:
    """All estimates for a terminal, then their notes and the warnings, each once; no line is longer than 100.

    What estimates do not hold because of stands above them, and they are marked: by "!", and in red with ``colour``.
    """
    alarm = ALARM.format if colour else str
    lines = [printable(study.process.title), ""]
    doubts = dict.fromkeys(doubt for finding in study.findings for doubt in study.doubts(finding))
    for doubt in doubts:
        text = printable(f"{UNRELIABLE} where marked by !: {doubt}")
        lines += map(alarm, textwrap.wrap(text, WIDTH, subsequent_indent="  "))
    lines += [""] * bool(doubts)
    for method in ("averaging", "differential"):
        findings = [finding for finding in study.findings if finding.method == method]
        if findings:
            what = "region" if method == "averaging" else "summary, region"
            heads = CELLS.format(*HEADS, LAST_HEAD[method])
            lines += [f"{method} amplification", f"{what:{NAME_WIDTH}}{GAP}{heads}"]
            for finding in findings:
                is_doubtful = bool(study.doubts(finding))
                lines += map(alarm if is_doubtful else str, _rows(finding, "! " * is_doubtful))
            lines.append("")
    process = study.process
    lines.append(f"n_train = {process.n_train}, intervals and limits at {100 * process.level:.3g} % confidence")
    if any(finding.method == "averaging" for finding in study.findings):
        lines += textwrap.wrap(POOLED, WIDTH)
    texts = [f"limit: {finding.what}: {finding.at_most}" for finding in study.findings if finding.at_most is not None]
    texts += [f"note: {note} ({whose})" if whose else f"note: {note}" for note, whose in notes(study).items()]
    texts += [f"warning: {warning}" for warning in dict.fromkeys(study.warnings) if warning not in doubts]
    for text in texts:
        lines += textwrap.wrap(printable(text), WIDTH, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def notes(study: Study) -> dict[str, str]:
    """Notes of the estimates, each once, with what they are about; with nothing if they hold for all."""
    results = [(finding.what, finding.result) for finding in study.findings if finding.result is not None]
    about: dict[str, list[str]] = {}
    for what, result in results:
        for note in dict.fromkeys(map(str, result.notes)):
            about.setdefault(note, []).append(what)
    return {note: "" if len(whose) == len(results) else "; ".join(whose) for note, whose in about.items()}


def _rows(finding: Finding, mark: str = "") -> Iterator[str]:
    """Name and numbers, limits where G is infinite; a long name goes on in further lines."""
    names, result = textwrap.wrap(mark + printable(finding.what), NAME_WIDTH), finding.result
    if result is None:
        cells = textwrap.wrap(f"no estimate: {printable(finding.problem)}", WIDTH - NAME_WIDTH - len(GAP))
    else:
        is_finite = np.isfinite(result.G)
        worth = short(result.n_equiv) if is_finite else f"≥ {short(result.n_equiv_interval.low)}"
        if result.pooled is not None:
            worth = f"≥ {short(result.pooled.n_equiv_at_least)}"
        n_train = str(result.n_train) if result.n_train < 1e10 else short(result.n_train)
        ends = interval(result.interval).replace("at least", "≥")
        G = short(result.G) if is_finite else "-"
        cells = [CELLS.format(f"{100 * finding.share:.3g} %", n_train, G, ends, worth)]
    for name, cell in zip_longest(names, cells, fillvalue=""):
        yield f"{name:{NAME_WIDTH}}{GAP}{cell}".rstrip()


def versions() -> dict[str, str]:
    """Versions of what computed the numbers."""
    packages = {"gampl": gampl, "numpy": np, "scipy": scipy}
    return {name: package.__version__ for name, package in packages.items()} | {"python": platform.python_version()}


def now() -> str:
    """Date and time, such as 2026-01-31T12:34:56+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_json(study: Study, command: str = "") -> dict[str, Any]:
    """Everything about an analysis in plain types, fit for `json.dumps` with ``allow_nan=False``.

    Numbers that JSON does not know are texts: "inf", "-inf", "nan". The command is what the study was made with.
    """
    content = {
        "title": study.process.title,
        "findings": [_entry(study, finding) for finding in study.findings],
        "warnings": study.warnings,
        "samples": {
            "members": [{"name": name, "n_gen": n} for name, n in zip(study.members, study.n_gen, strict=True)],
            "n_holdout": study.n_holdout,
            "reference_is": study.reference_is,
        },
        "process": study.process,
        "histograms": study.histograms,
        "versions": versions(),
        "time": now(),
        "seconds": study.seconds,
        "command": command,
    }
    return {name: plain(entry) for name, entry in content.items()}


def to_json_text(study: Study, command: str = "") -> str:
    """What a file of JSON holds, see `to_json`."""
    return json.dumps(to_json(study, command), indent=1, allow_nan=False) + "\n"


def to_csv(study: Study) -> str:
    """One row for each finding, with a line of names above; infinite ends are written inf.

    An apostrophe stands before a text that a spreadsheet would take for a formula.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for finding in study.findings:
        row = _entry(study, finding)
        row["doubts"] = " | ".join(row["doubts"])
        if (result := finding.result) is not None:
            row = row["result"] | row
            row["G_low"], row["G_high"] = result.interval
            row["n_equiv_low"], row["n_equiv_high"] = result.n_equiv_interval
            for name, worth in (("pooled_at_least", result.pooled), ("single_at_least", result.single)):
                row[name] = "" if worth is None else worth.n_equiv_at_least
            row["n_equiv_at_most"] = "" if finding.at_most is None else finding.at_most.n_equiv_at_most
            row |= {"n_gen": float(result.curve.n_gen[-1]), "notes": " | ".join(map(str, result.notes))}
        writer.writerow({name: _cell(entry) for name, entry in row.items()})
    return text.getvalue()


def _cell(entry: Any) -> Any:
    if isinstance(entry, str):
        entry = entry.replace("\r", " ")  # which not every csv module quotes
        return f"'{entry}" if entry.startswith(FORMULA) else entry
    return entry


def _entry(study: Study, finding: Finding) -> dict[str, Any]:
    return {
        "method": finding.method,
        "region": finding.where,
        "summary": finding.summary,
        "share": finding.share,
        "words": answer(finding, study.doubts(finding)),
        "doubts": study.doubts(finding),
        "problem": finding.problem,
        "result": None if finding.result is None else finding.result.to_dict(),
        "at_most": None if finding.at_most is None else finding.at_most.to_dict(),
    }
