"""What programs read of an analysis: JSON and CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from gampl.report.study import Estimate, Failure, Finding, Study
from gampl.report.words import answer, now, versions

CSV_COLUMNS = (
    "method", "region", "summary", "share", "G", "G_low", "G_high", "n_equiv", "n_equiv_low", "n_equiv_high",
    "pooled_at_least", "single_at_least", "level", "state", "n_train", "n_members", "n_gen", "problem", "notes",
)  # fmt: skip


def to_json(study: Study, command: str = "") -> dict[str, Any]:
    """Everything about an analysis in plain types, fit for `json.dumps` with ``allow_nan=False``.

    Numbers that JSON does not know are texts: "inf", "-inf", "nan".

    Args:
        study: The outcome.
        command: What it was made with.
    """
    content = {
        "title": study.process.title,
        "findings": [_finding(finding) for finding in study.findings],
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
    return {name: _plain(entry) for name, entry in content.items()}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "method": finding.method,
        "region": finding.where,
        "summary": finding.summary,
        "share": finding.share,
        "words": answer(finding),
        "problem": finding.problem if isinstance(finding, Failure) else "",
        "result": finding.result.to_dict() if isinstance(finding, Estimate) else None,
    }


def to_csv(study: Study) -> str:
    """One row for each finding, with a line of names above; infinite ends are written inf."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for finding in study.findings:
        row: dict[str, Any] = {"method": finding.method, "region": finding.where, "summary": finding.summary}
        row |= {"share": finding.share}
        if isinstance(finding, Failure):
            writer.writerow(row | {"problem": finding.problem})
            continue
        result = finding.result
        row |= {name: getattr(result, name) for name in ("G", "n_equiv", "level", "state", "n_train", "n_members")}
        row["G_low"], row["G_high"] = result.interval
        row["n_equiv_low"], row["n_equiv_high"] = result.n_equiv_interval
        for name in ("pooled", "single"):
            worth = getattr(result, name)
            row[f"{name}_at_least"] = "" if worth is None else worth.n_equiv_at_least
        writer.writerow(row | {"n_gen": float(result.curve.n_gen[-1]), "notes": " | ".join(map(str, result.notes))})
    return text.getvalue()


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
