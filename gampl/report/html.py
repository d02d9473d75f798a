"""An analysis as one HTML page that needs nothing else: no network, no script, no further file."""

import base64
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gampl.basics import significant
from gampl.kolmogorov import DifferentialCurve
from gampl.report import figures
from gampl.report.histograms import Histogram
from gampl.report.outputs import now, short, versions
from gampl.report.process import Process, SampleFiles
from gampl.report.report_style import CSS
from gampl.report.study import Finding, Study
from gampl.report.words import answer, meaning, percent, where, whole
from gampl.result import Amplification, Worth

LARGEST_SVG = 150_000  # bytes; a figure with more lines than that is smaller as an image of points
FILES_SHOWN = 6
NONE = ' class="none"'


def html(study: Study, command: str = "") -> str:
    """The page as text, to be written as UTF-8.

    Args:
        study: What was found.
        command: What it was made with, for the settings.
    """
    title = escape(study.process.title)
    sections = [
        _answers(study),
        _warnings(study.warnings),
        _overview(study.findings),
        _meanings(study),
        *(_finding(k, finding, study.process) for k, finding in enumerate(study.findings, 1)),
        _control_plots(study.histograms),
        _settings(study, command),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',  # else a browser asks the server for one
            f"<title>{title}</title>",
            f"<style>{CSS}</style>",
            "</head>",
            "<body>",
            "<header>",
            f"<h1>{title}</h1>",
            f'<p class="lead">{_lead(study)}</p>',
            "</header>",
            "<main>",
            *filter(None, sections),
            "</main>",
            f"<footer><p>Made by gampl {versions()['gampl']}, the companion of <cite>Forecasting Generative "
            "Amplification</cite> (Bahl, Diefenbacher, Elmer, Plehn and Spinner, 2025), which explains both "
            "estimates.</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _lead(study: Study) -> str:
    members, n_train = len(study.members), whole(study.process.n_train)
    sizes = sorted({*study.n_gen})
    each = "" if not sizes else f" with {_between(sizes)} generated events each" if members > 1 else ""
    if members == 1:
        each = f" with {whole(sizes[0])} generated events"
    warned = len(study.warnings)
    hint = f' · <a href="#warnings">{warned} warning{"s" * (warned > 1)}</a>' if warned else ""
    return (
        f"How many true events is an unlimited sample worth? {n_train} training events, "
        f"{members} member{'s' * (members != 1)}{each}{hint}"
    )


def _between(sizes: list[int]) -> str:
    return whole(sizes[0]) if len(sizes) == 1 else f"{whole(sizes[0])} to {whole(sizes[-1])}"


def _answers(study: Study) -> str:
    items = [
        f"<li{NONE if finding.result is None else ''}>{escape(answer(finding, study.process))} "
        f'<a href="#estimate-{k}">Details</a></li>'
        for k, finding in enumerate(study.findings, 1)
    ]
    return f'<section id="answer"><h2>The answer</h2>{_list(items)}</section>'


def _warnings(warnings: Iterable[str]) -> str:
    items = [f"<li>{escape(_sentence(warning))}</li>" for warning in dict.fromkeys(warnings)]
    if not items:
        return ""
    return f'<section id="warnings" class="warnings"><h2>Before you believe it</h2>{_list(items)}</section>'


def _overview(findings: Iterable[Finding]) -> str:
    findings = tuple(findings)
    rows = "".join(_row(k, finding) for k, finding in enumerate(findings, 1))
    level = next((f.result.level for f in findings if f.result is not None), None)
    interval = "interval of G" if level is None else f"{percent(level)} interval of G"
    columns = "estimate", "pooled members are worth", "G", interval, "n<sub>equiv</sub>", "share of events", "method"
    heads = "".join(f'<th scope="col">{head}</th>' for head in columns)
    made = [f for f in findings if f.result is not None]
    values = "; ".join(f"{f.what}: G{f.result.words}" for f in made if f.result is not None)
    picture = ""
    if made:
        caption = "All amplification factors. An arrow means that there is no upper end."
        alt = f"Amplification factors G with intervals on a logarithmic axis. {values}."
        picture = _picture(figures.of_all(findings), caption, alt)
    return (
        f'<section id="overview"><h2>All estimates</h2>{picture}'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table of all estimates">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(number: int, finding: Finding) -> str:
    link = f'<th scope="row"><a href="#estimate-{number}">{escape(finding.what)}</a></th>'
    method = f"<td>{finding.method}</td>"
    if (result := finding.result) is None:
        return f'<tr>{link}<td colspan="5"{NONE}>no estimate: {escape(finding.problem)}</td>{method}</tr>'
    pooled = "" if result.pooled is None else _at_least(result.pooled)
    cells = (pooled, _value(result.G), _interval(*result.interval), _n_equiv(result), percent(finding.share))
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f"<tr>{link}{numbers}{method}</tr>"


def _value(number: float) -> str:
    return short(number) if np.isfinite(number) else "not bounded"


def _interval(low: float, high: float, text: Callable[[float], str] = short) -> str:
    return f"{text(low)} to {text(high)}" if np.isfinite(high) else f"at least {text(low)}"


def _n_equiv(result: Amplification) -> str:
    if np.isfinite(result.n_equiv):
        return _count(result.n_equiv)
    return f"at least {_count(result.n_equiv_interval.low)}"


def _at_least(worth: Worth) -> str:
    return f"at least {_count(worth.n_equiv_at_least)}"


def _count(number: float) -> str:
    """Three digits of a number of events, in groups where it has many."""
    rounded = significant(number, 3)
    return whole(round(rounded)) if 100 <= rounded < 1e12 else f"{rounded:g}"


def _meanings(study: Study) -> str:
    texts = "".join(f"<dt>{escape(head)}</dt><dd>{escape(text)}</dd>" for head, text in meaning(study))
    return f'<section id="meaning"><h2>What this means, and what it cannot see</h2><dl>{texts}</dl></section>'


def _finding(number: int, finding: Finding, process: Process) -> str:
    kind = f"{finding.method.capitalize()} amplification"
    about = where(finding, process)
    name = f"{finding.summary}, {about}" if finding.summary else about
    head = f'<section id="estimate-{number}" class="estimate"><h2>{kind}: {escape(name)}</h2>'
    text = f"<p>{escape(answer(finding, process))}</p>"
    if (result := finding.result) is None:
        return f"{head}{text}</section>"
    curve = f'<div class="beside">{_curve(finding, result)}{_numbers(finding, result)}</div>'
    return f"{head}{text}{curve}{_advice(result)}</section>"


def _curve(finding: Finding, result: Amplification) -> str:
    if isinstance(result.curve, DifferentialCurve):
        caption = (
            "Distance of generated events to true ones against the number of generated events. Grey: the distance that "
            "as many independent true events would have. Where generated events level off, true ones with the same "
            "distance are their equivalents."
        )
        alt = f"Kolmogorov-Smirnov distance in {finding.what} against generated events, G{result.words}."
    else:
        caption = (
            "Uncertainty of the region's share against the number of generated events: the members' spread (dashed), "
            "the part that is counting (σ_stat) and what remains for the model (σ_model). Where the counting of true "
            "events alone would be as uncertain as the model, there is n_equiv."
        )
        alt = f"Uncertainties of the share of {finding.what} against generated events, G{result.words}."
    return _picture(figures.of_finding(finding), caption, alt)


def _numbers(finding: Finding, result: Amplification) -> str:
    worths = {"pooled members are worth": result.pooled, "one member is worth": result.single}
    facts = {name: _at_least(worth) for name, worth in worths.items() if worth is not None} | {
        "G": _value(result.G),
        "its interval": _interval(*result.interval),
        "n_equiv": _n_equiv(result),
        "interval of n_equiv": _interval(*result.n_equiv_interval, _count),
        "confidence level": percent(result.level),
        "n_train": whole(result.n_train),
        "state": str(result.state),
        "members": str(result.n_members),
        "n_gen": _count(float(result.curve.n_gen[-1])),
        "share of generated events": percent(finding.share),
    }
    if isinstance(result.curve, DifferentialCurve):
        facts["true events compared with"] = _count(result.curve.n_ref)
        facts["distance"] = short(float(result.curve.mean[-1]))
    if result.degrees_of_freedom is not None:
        facts["degrees of freedom"] = short(result.degrees_of_freedom)
    return _facts(facts)


def _advice(result: Amplification) -> str:
    from gampl.sharpening import sharpen

    notes = [f"<li>{escape(_sentence(note))}</li>" for note in dict.fromkeys(map(str, result.notes))]
    sharper = [f"<li>{escape(_sentence(text))}</li>" for text in sharpen(result)]
    text = f'<div class="notes"><h3>Notes</h3>{_list(notes)}</div>' if notes else ""
    return text + (f"<h3>What would sharpen it</h3>{_list(sharper)}" if sharper else "")


def _control_plots(histograms: Iterable[Histogram]) -> str:
    plots = "".join(_control_plot(histogram) for histogram in histograms)
    if not plots:
        return ""
    return f'<section id="control"><h2>Control plots</h2><div class="grid">{plots}</div></section>'


def _control_plot(h: Histogram) -> str:
    members = "the mean of the members and their spread" if len(h.members) > 1 else "generated events"
    compared = "" if h.true is None else f", and {whole(h.n_true)} true events"
    alt = f"Distribution of {h.name} from {short(h.edges[0])} to {short(h.edges[-1])}: {members}{compared}."
    return _picture(figures.of_histogram(h), f"{h.name}: {members}{compared}.", alt)


def _settings(study: Study, command: str) -> str:
    process = study.process
    facts = {
        "n_train": whole(process.n_train),
        "confidence level": percent(process.level),
        "members": _files(process.members, study.members),
        "training sample": _files(process.train),
        "holdout": _files(process.holdout) + (f"; {whole(study.n_holdout)} events" if study.n_holdout else ""),
        "generated events of each": ", ".join(dict.fromkeys(whole(n) for n in study.n_gen)),
        "tolerated share of lost events": percent(process.max_lost),
        "seed": str(process.seed),
    }
    facts |= {
        f"observable {name}": o.text + (f" [{o.unit}]" if o.unit else "") for name, o in process.observables.items()
    }
    facts |= {
        "time": f"{now().replace('T', ' ').replace('+00:00', ' UTC')}, {study.seconds:.3g} seconds of computing",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    made = f"<h3>Command</h3><pre><code>{escape(command)}</code></pre>" if command else ""
    return f'<section id="settings"><h2>Settings</h2>{_facts({k: v for k, v in facts.items() if v})}{made}</section>'


def _files(files: SampleFiles | None, names: tuple[str, ...] = ()) -> str:
    """Names of files, or of what was given in their place; long lists are cut short."""
    if files is None:
        return _some(names)
    options = {"weights": files.weight, "member column": files.member, "sample": files.sample}
    said = [f"{name} {value}" for name, value in options.items() if value] + ["unweighted"] * files.unweight
    return _some([str(Path(file)) for file in files.files]) + (f" ({', '.join(said)})" if said else "")


def _some(names: Iterable[str]) -> str:
    names = list(names)
    if len(names) <= FILES_SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: FILES_SHOWN - 2])}, … {names[-1]} ({len(names)} in all)"


def _picture(figure: Figure, caption: str, alt: str) -> str:
    image, kind = figures.content(figure, "svg"), "svg+xml"
    if len(image) > LARGEST_SVG:
        image, kind = figures.content(figure, "png"), "png"
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    data = base64.b64encode(image).decode()
    return (
        f'<figure><img src="data:image/{kind};base64,{data}" alt="{escape(alt)}" width="{width}" height="{height}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _facts(facts: dict[str, str]) -> str:
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts.items())
    return f'<dl class="facts">{rows}</dl>'


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(items)}</ul>"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
