"""An analysis as one HTML page that needs nothing else: no network, no script, no further file.

What it says is in ``report.html.j2``, how it looks in ``report.css``.
"""

import base64
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from gampl.amplification import Amplification, DifferentialCurve
from gampl.planning import sharpen
from gampl.report import figures
from gampl.report.histograms import Histogram
from gampl.report.outputs import now, versions
from gampl.report.process import SampleFiles
from gampl.report.study import Estimate, Finding, Study
from gampl.report.words import answer, count, interval_of, notes_of, percent, short, where, whole

LARGEST_SVG = 150_000  # bytes; a figure with more lines than that is smaller as an image of points
FILES_SHOWN = 6
AVERAGING_CAPTION = (
    "Uncertainty of the region's share against the number of generated events: the members' spread (dashed), the part "
    "that is counting (σ_stat) and what remains for the model (σ_model). Where the counting of true events alone would "
    "be as uncertain as the model, there is n_equiv."
)
DIFFERENTIAL_CAPTION = (
    "Distance of generated events to true ones against the number of generated events. Grey: the distance that as many "
    "independent true events would have. Where generated events level off, true ones with the same distance are their "
    "equivalents."
)


class Picture(NamedTuple):
    """An image that is part of the page; sizes are in pixels of the screen."""

    source: str
    alt: str
    caption: str
    width: int
    height: int


def html(study: Study, command: str = "") -> str:
    """The page as text, to be written as UTF-8.

    Args:
        study: What to report.
        command: What it was made with, for the settings.
    """
    levels = [percent(estimate.result.level) for estimate in study.estimates]
    return _template().render(
        study=study,
        members=_members(study),
        parts=[_part(finding) for finding in study.findings],
        overview=_overview(study),
        level=levels[0] if levels else "",
        methods={finding.method for finding in study.findings},
        control_plots=[_control_plot(histogram) for histogram in study.histograms],
        settings=_settings(study),
        command=command,
        version=versions()["gampl"],
    )


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"whole": whole, "sentence": _sentence}
    return environment.get_template("report.html.j2")


def _members(study: Study) -> str:
    """How many there are, and their sizes."""
    members, sizes = len(study.members), sorted({*study.n_gen})
    if not sizes:
        return f"{members} members"
    each = whole(sizes[0]) if len(sizes) == 1 else f"{whole(sizes[0])} to {whole(sizes[-1])}"
    return f"{members} member{'s' * (members != 1)} with {each} generated events{' each' * (members != 1)}"


def _part(finding: Finding) -> dict[str, Any]:
    """What the page says of one finding."""
    name = f"{finding.summary}, {where(finding.region)}" if finding.summary else where(finding.region)
    part = {
        "finding": finding,
        "is_made": isinstance(finding, Estimate),
        "heading": f"{finding.method.capitalize()} amplification: {name}",
        "answer": answer(finding),
    }
    if not isinstance(finding, Estimate):
        return part
    result = finding.result
    return part | {
        "cells": _cells(finding),
        "picture": _curve(finding),
        "facts": _facts(finding),
        "notes": list(dict.fromkeys(notes_of(result))),
        "advice": sharpen(result),
    }


def _cells(estimate: Estimate) -> tuple[str, ...]:
    """What the table says of an estimate."""
    result = estimate.result
    pooled = "" if result.pooled is None else f"at least {count(result.pooled.n_equiv_at_least)}"
    is_bounded = np.isfinite(result.n_equiv)
    n_equiv = count(result.n_equiv) if is_bounded else f"at least {count(result.n_equiv_interval.low)}"
    return pooled, whole(result.n_train), _G(result), interval_of(result.interval), n_equiv, percent(estimate.share)


def _G(result: Amplification) -> str:  # noqa: N802 - the paper's symbol
    return short(result.G) if np.isfinite(result.G) else "not bounded"


def _facts(estimate: Estimate) -> dict[str, str]:
    """All numbers of an estimate by name."""
    result = estimate.result
    worths = {"pooled members are worth": result.pooled, "one member is worth": result.single}
    facts = {
        name: f"at least {count(worth.n_equiv_at_least)}" for name, worth in worths.items() if worth is not None
    } | {
        "G": _G(result),
        "its interval": interval_of(result.interval),
        "n_equiv": _cells(estimate)[4],
        "interval of n_equiv": interval_of(result.n_equiv_interval, count),
        "confidence level": percent(result.level),
        "n_train": whole(result.n_train),
        "state": str(result.state),
        "members": str(result.n_members),
        "n_gen": count(float(result.curve.n_gen[-1])),
        "share of generated events": percent(estimate.share),
    }
    if isinstance(result.curve, DifferentialCurve):
        facts["true events compared with"] = count(result.curve.n_ref)
        facts["distance"] = short(float(result.curve.mean[-1]))
    if result.degrees_of_freedom is not None:
        facts["degrees of freedom"] = short(result.degrees_of_freedom)
    return facts


def _settings(study: Study) -> dict[str, str]:
    """What was asked for, by name; nothing that is empty."""
    process = study.process
    holdout = f"; {whole(study.n_holdout)} events" if study.n_holdout else ""
    facts = {
        "n_train": whole(process.n_train),
        "confidence level": percent(process.level),
        "members": _files(process.members, study.members),
        "training sample": _files(process.train),
        "holdout": _files(process.holdout) + holdout,
        "generated events of each": ", ".join(dict.fromkeys(whole(n) for n in study.n_gen)),
        "tolerated share of lost events": percent(process.max_lost),
        "seed": str(process.seed),
    }
    facts |= {
        f"observable {name}": known.text + (f" [{known.unit}]" if known.unit else "")
        for name, known in process.observables.items()
    }
    facts |= {
        "time": f"{now().replace('T', ' ').replace('+00:00', ' UTC')}, {study.seconds:.3g} seconds of computing",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _files(files: SampleFiles | None, names: Iterable[str] = ()) -> str:
    """Names of files, or of what stands in their place; long lists are cut short."""
    names, how = [*names], ""
    if files is not None:
        names = [str(path) for path in files.files]
        options = {"weights": files.weight, "member column": files.member, "sample": files.sample}
        how = ", ".join(
            [f"{name} {value}" for name, value in options.items() if value] + ["unweighted"] * files.unweight
        )
    if len(names) > FILES_SHOWN:
        names = [*names[: FILES_SHOWN - 2], f"… {names[-1]} ({len(names)} in all)"]
    return ", ".join(names) + (f" ({how})" if how else "")


def _overview(study: Study) -> Picture | None:
    if not study.estimates:
        return None
    values = "; ".join(f"{estimate.what}: G{estimate.result.words}" for estimate in study.estimates)
    alt = f"Amplification factors G with intervals on a logarithmic axis. {values}."
    caption = "All amplification factors. An arrow means that there is no upper end."
    return _picture(figures.of_all(study.findings), caption, alt)


def _curve(estimate: Estimate) -> Picture:
    what, words = estimate.what, estimate.result.words
    if estimate.summary:
        alt = f"Kolmogorov-Smirnov distance in {what} against generated events, G{words}."
        return _picture(figures.of_estimate(estimate), DIFFERENTIAL_CAPTION, alt)
    alt = f"Uncertainties of the share of {what} against generated events, G{words}."
    return _picture(figures.of_estimate(estimate), AVERAGING_CAPTION, alt)


def _control_plot(h: Histogram) -> Picture:
    members = "the mean of the members and their spread" if len(h.members) > 1 else "generated events"
    compared = "" if h.true is None else f", and {whole(h.n_true)} true events"
    alt = f"Distribution of {h.name} from {short(h.edges[0])} to {short(h.edges[-1])}: {members}{compared}."
    return _picture(figures.of_histogram(h), f"{h.name}: {members}{compared}.", alt)


def _picture(figure: Figure, caption: str, alt: str) -> Picture:
    image, kind = figures.content(figure, "svg"), "svg+xml"
    if len(image) > LARGEST_SVG:
        image, kind = figures.content(figure, "png"), "png"
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(f"data:image/{kind};base64,{base64.b64encode(image).decode()}", alt, caption, width, height)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
