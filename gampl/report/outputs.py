"""What an analysis leaves behind: a table for the terminal, JSON, CSV and files of figures."""

import csv
import io
import platform
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from matplotlib.figure import Figure

import gampl
from gampl.basics import in_digits
from gampl.report import figures
from gampl.report.study import Finding, Study
from gampl.report.words import answer
from gampl.result import Amplification
from gampl.store.atomic import write_bytes

WIDTH = 100  # characters of a line in the terminal
NAME_WIDTH = 36
HEADS = {
    "averaging": ("share of events", "G", "interval of G", "pooled worth"),
    "differential": ("share of events", "G", "interval", "n_equiv"),
}
WIDTHS = (15, 9, 20, 12)
GAP = "  "
POOLED = (
    "pooled worth: true events that the pooled sample of all members is worth, for this training set; G: what a "
    "posterior this wide is worth on average over training sets"
)
CSV_COLUMNS = (
    "method", "region", "summary", "share", "G", "G_low", "G_high", "n_equiv", "n_equiv_low", "n_equiv_high",
    "pooled_at_least", "single_at_least", "level", "state", "n_train", "n_members", "n_gen", "problem", "notes",
)  # fmt: skip


def table(study: Study) -> str:
    """All estimates for a terminal, then their notes and the warnings, each once; no line is longer than 100."""
    lines = [_printable(study.process.title), ""]
    for method in ("averaging", "differential"):
        findings = [finding for finding in study.findings if finding.method == method]
        if findings:
            what = "region" if method == "averaging" else "summary, region"
            cells = [head.rjust(width) for head, width in zip(HEADS[method], WIDTHS, strict=True)]
            lines += [f"{method} amplification", GAP.join([what.ljust(NAME_WIDTH), *cells]).rstrip()]
            lines += [line for finding in findings for line in _rows(finding)] + [""]
    lines.append(
        f"n_train = {study.process.n_train}, intervals and limits at {100 * study.process.level:.3g} % confidence"
    )
    if any(finding.method == "averaging" for finding in study.findings):
        lines += textwrap.wrap(POOLED, WIDTH)
    for note, whose in notes(study).items():
        lines += _wrapped("note", f"{note} ({whose})" if whose else note)
    for warning in dict.fromkeys(study.warnings):
        lines += _wrapped("warning", warning)
    return "\n".join(lines) + "\n"


def notes(study: Study) -> dict[str, str]:
    """Notes of the estimates, each once, with what they are about; with nothing if they hold for all."""
    made = [finding for finding in study.findings if finding.result is not None]
    found: dict[str, list[str]] = {}
    for finding in made:
        for note in dict.fromkeys(map(str, finding.result.notes if finding.result else ())):
            found.setdefault(note, []).append(finding.what)
    return {note: "" if len(whose) == len(made) else "; ".join(whose) for note, whose in found.items()}


def to_json(study: Study, command: str = "") -> dict[str, Any]:
    """Everything about an analysis in plain types, fit for `json.dumps` with ``allow_nan=False``.

    Numbers that JSON does not know are texts: "inf", "-inf", "nan".

    Args:
        study: The outcome.
        command: What it was made with.
    """
    findings = [
        {
            "method": finding.method,
            "region": finding.region,
            "summary": finding.summary,
            "share": finding.share,
            "words": answer(finding, study.process),
            "problem": finding.problem,
            "result": None if finding.result is None else finding.result.to_dict(),
        }
        for finding in study.findings
    ]
    samples = {
        "members": [{"name": name, "n_gen": n} for name, n in zip(study.members, study.n_gen, strict=True)],
        "n_holdout": study.n_holdout,
        "reference_is": study.reference_is,
    }
    content = {
        "title": study.process.title,
        "findings": findings,
        "warnings": study.warnings,
        "samples": samples,
        "process": study.process,
        "histograms": study.histograms,
        "versions": versions(),
        "time": now(),
        "seconds": study.seconds,
        "command": command,
    }
    plain = _plain(content)
    assert isinstance(plain, dict)  # noqa: S101 - as `content` is one
    return plain


def to_csv(study: Study) -> str:
    """One row for each finding, with a line of names above; infinite ends are written inf."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for finding in study.findings:
        result = finding.result
        numbers: list[Any] = [""] * 13
        if result is not None:
            limits = ("" if worth is None else worth.n_equiv_at_least for worth in (result.pooled, result.single))
            equivalents = (result.n_equiv, *result.n_equiv_interval, *limits)
            facts = (result.level, str(result.state), result.n_train, result.n_members, float(result.curve.n_gen[-1]))
            numbers = [result.G, *result.interval, *equivalents, *facts]
        said = " | ".join(map(str, result.notes)) if result is not None else ""
        writer.writerow(
            [finding.method, finding.region, finding.summary, finding.share, *numbers, finding.problem, said]
        )
    return text.getvalue()


def write_figures(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write the overview, each estimate's curve and each control plot as PNG and PDF.

    Returns:
        The files, in this order.
    """
    return tuple(path for name, draw in _figures(study) for path in _write(draw(), folder / name))


def versions() -> dict[str, str]:
    """Versions of what computed the numbers."""
    return {
        "gampl": gampl.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


def now() -> str:
    """Date and time, such as 2026-01-31T12:34:56+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _rows(finding: Finding) -> Iterator[str]:
    """Name, share, G, interval and n_equiv; a long name goes on in further lines."""
    names = textwrap.wrap(_printable(finding.what), NAME_WIDTH) or [""]
    if finding.result is None:
        width = sum(WIDTHS) + len(GAP) * (len(WIDTHS) - 1)
        right = textwrap.wrap(f"no estimate: {_printable(finding.problem)}", width)
    else:
        cells = (f"{100 * finding.share:.3g} %", *_numbers(finding.result))
        right = [GAP.join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))]
    for k in range(max(len(names), len(right))):
        name, cell = (part[k] if k < len(part) else "" for part in (names, right))
        yield f"{name.ljust(NAME_WIDTH)}{GAP}{cell}".rstrip()


def _numbers(result: Amplification) -> tuple[str, str, str]:
    """G, its interval and what the members are worth or n_equiv; where G is infinite, limits."""
    low, high = result.interval
    interval = f"{short(low)} to {short(high)}" if np.isfinite(high) else f"≥ {short(low)}"
    G, n_equiv = (
        (short(result.G), short(result.n_equiv))
        if np.isfinite(result.G)
        else ("-", f"≥ {short(result.n_equiv_interval.low)}")
    )
    return G, interval, n_equiv if result.pooled is None else f"≥ {short(result.pooled.n_equiv_at_least)}"


def short(number: float) -> str:
    """Three digits, whole from 100 on, without an exponent as long as that is readable."""
    return in_digits(number, 3)


def _wrapped(kind: str, text: str) -> list[str]:
    return textwrap.wrap(f"{kind}: {_printable(text)}", WIDTH, subsequent_indent="  ")


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _figures(study: Study) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Names of files and what draws them, one after the other."""
    yield "overview", lambda: figures.of_all(study.findings)
    for k, finding in enumerate(study.findings, 1):
        if finding.result is not None:
            yield f"{k:02d}_{finding.method}_{_file_name(finding.what)}", lambda f=finding: figures.of_finding(f)  # type: ignore[misc]
    for k, histogram in enumerate(study.histograms, 1):
        yield f"histogram_{k:02d}_{_file_name(histogram.name)}", lambda h=histogram: figures.of_histogram(h)  # type: ignore[misc]


def _write(figure: Figure, stem: Path) -> Iterator[Path]:
    kinds: tuple[figures.Kind, ...] = ("png", "pdf")
    for kind in kinds:
        path = stem.with_name(f"{stem.name}.{kind}")
        write_bytes(path, figures.content(figure, kind))
        yield path


def _file_name(text: str) -> str:
    """What any file system takes, short; numbers in front make names unique."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40] or "x"


def _plain(value: Any) -> Any:
    """Dictionaries, lists, texts and finite numbers only."""
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else str(float(value))
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, Iterable):
        return [_plain(entry) for entry in value]
    return str(value)
