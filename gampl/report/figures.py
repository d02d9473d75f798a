"""Figures of an analysis, on canvases of their own: pyplot, its style and its list of open figures stay as they are."""

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gampl import plots
from gampl.basics import Floats
from gampl.report.multivariate import DistanceCurve
from gampl.report.study import Finding, Histogram, Study
from gampl.result import Amplification, in_digits
from gampl.store import targets

Kind = Literal["png", "pdf", "svg"]
Shown = Amplification | Histogram | Sequence[Finding]
OF_FILES: tuple[Kind, ...] = ("png", "pdf")

STYLE: dict[Any, Any] = plots.STYLE | {
    "text.usetex": False,  # names of regions are not TeX
    "svg.fonttype": "path",
    "svg.hashsalt": "gampl",  # the same figure makes the same file
    "pdf.fonttype": 42,
}
NO_DATE: dict[Kind, dict[str, None]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
LOOKS = {"averaging": (plots.ESTIMATE, "o"), "differential": (plots.MODEL, "s")}
LABEL_WIDTH = 24  # characters of a line in the overview
FEW_DECADES = 100  # ratio of the ends of the overview, below which powers of ten are too few labels
MANY_DECADES = 100  # a larger ratio of the fullest to the emptiest bin needs a log axis


def histogram(h: Histogram, ax: Axes, *, ratio: Axes | None = None) -> Axes:
    """Draw the members' mean with a band of their spread, the true events, and the ends of regions; returns the axes.

    ``ratio`` are axes for the same relative to the true events.
    """
    _draw(ax, h)
    mean, _ = h.band
    filled = np.concatenate([mean, h.true])
    filled = filled[filled > 0]
    if filled.size and filled.max() > MANY_DECADES * filled.min():
        ax.set_yscale("log", nonpositive="clip")
        ax.set_ylim(bottom=0.5 * filled.min())
    else:
        ax.set_ylim(bottom=0)
    ax.set_ylabel("share of events per bin")
    if ratio is not None:
        # a bin without true events has no ratio
        unit = np.where(h.true > 0, h.true, np.nan)
        _draw(ratio, h, unit)
        away = np.nanmax(np.abs(np.append(mean / unit - 1, 0.0)))
        reach = float(np.clip(1.2 * away, 0.1, 1.0))
        ratio.set(ylim=(1 - reach, 1 + reach), ylabel="ratio to true")
    label = h.label
    try:  # dollars are printed, unless what they enclose is a formula
        MathTextParser("path").parse(label)
    except ValueError:
        label = _without_math(label)
    (ratio or ax).set_xlabel(label)
    return ax


def overview(findings: Sequence[Finding], ax: Axes) -> Axes:
    """Draw G with its interval for all findings, the first on top; arrows where there is no upper end.

    A finding without a result has a line that says so. Returns the axes.
    """
    results = [finding.result for finding in findings if finding.result is not None]
    ends = [1.0, *(end for result in results for end in (result.G, *result.interval) if np.isfinite(end))]
    left, right = 0.6 * min(ends), 2.2 * max(ends)
    ax.axvline(1, color="0.45", ls=":", lw=1.2, label="$G = 1$, the training sample")
    labelled = set[str]()
    for row, finding in enumerate(findings):
        result = finding.result
        if result is None:
            place: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "center", "va": "center"}
            ax.text(0.5, row, "no estimate", color="0.45", backgroundcolor="white", **place)
            continue
        color, marker = LOOKS[result.method]
        low, high = result.interval
        ax.plot([low, min(high, right)], [row, row], color=color, lw=2, solid_capstyle="butt")
        ax.plot([low], [row], color=color, marker="|", ms=9, mew=2)
        if np.isfinite(high):
            ax.plot([high], [row], color=color, marker="|", ms=9, mew=2)
        else:
            ax.plot([right], [row], color=color, marker=">", ms=8, clip_on=False)
        G = result.G if np.isfinite(result.G) else np.nan  # an empty point keeps the legend where only limits are known
        label = None if result.method in labelled else result.method
        labelled.add(result.method)
        ax.plot([G], [row], color=color, marker=marker, ms=7, ls="none", label=label)
    names = [textwrap.wrap(finding.what, LABEL_WIDTH, max_lines=2, placeholder=" …") for finding in findings]
    ax.set_yticks(range(len(findings)), [_without_math("\n".join(lines)) for lines in names])
    ax.tick_params(axis="y", right=False, left=False)
    ax.set(xscale="log", xlim=(left, right), xlabel="amplification factor $G$")
    if right / left < FEW_DECADES:  # Matplotlib would label all of 2, 3, 4, ..., one over the other
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: in_digits(x, 3)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(max(len(findings), 1) - 0.4, -0.6)
    return ax


def figure_of(shown: Shown) -> Figure:
    """The curve of an estimate, a control plot or the overview in a figure that pyplot knows nothing of."""
    height = 1.3 + 0.46 * max(len(shown), 1) if isinstance(shown, Sequence) else 4.4
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, height))
        FigureCanvasAgg(figure)
        if isinstance(shown, Amplification):
            panels = [shown.plot(figure.subplots(), legend=False)]
            if isinstance(shown.curve, DistanceCurve):
                panels[0].set_ylabel(shown.curve.name)
        elif isinstance(shown, Histogram):
            panels = list(figure.subplots(2, sharex=True, height_ratios=[3, 1.2]))
            histogram(shown, panels[0], ratio=panels[1])
        else:
            panels = [overview(shown, figure.subplots())]
        plots.shared_legend(panels, columns=3 if isinstance(shown, Sequence) else 2)
    return figure


def write(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write the overview, each estimate's curve and each control plot as PNG and PDF; returns these files in order."""
    paths = []
    for name, shown in _pictures(study):
        figure = figure_of(shown)
        for kind in OF_FILES:
            paths.append(folder / f"{name}.{kind}")
            targets.write(paths[-1], content(figure, kind))
    return tuple(paths)


def _pictures(study: Study) -> Iterator[tuple[str, Shown]]:
    """Names of files and what they show; numbers make the names unique."""
    yield "overview", study.findings
    for k, finding in enumerate(study.findings, 1):
        if finding.result is not None:
            yield f"{k:02d}_{finding.method}_{_file_name(finding.what)}", finding.result
    for k, h in enumerate(study.histograms, 1):
        yield f"histogram_{k:02d}_{_file_name(h.name)}", h


def _file_name(text: str) -> str:
    """What any file system takes, short."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40] or "x"


def content(figure: Figure, kind: Kind, dpi: float = 200) -> bytes:
    """What a file with a figure holds."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=NO_DATE[kind])
    return buffer.getvalue()


def _draw(ax: Axes, h: Histogram, unit: Floats | float = 1.0) -> None:
    mean, spread = (shares / unit for shares in h.band)
    members = len(h.members)
    if members > 1:
        look: dict[str, Any] = {"fill": True, "color": plots.ESTIMATE, "alpha": 0.25, "lw": 0}
        ax.stairs(mean + spread, h.edges, baseline=mean - spread, label="spread of the members", **look)
    label = f"mean of {members} members" if members > 1 else "generated"
    ax.stairs(mean, h.edges, color=plots.ESTIMATE, lw=1.5, label=label)
    centres, halves = (h.edges[1:] + h.edges[:-1]) / 2, np.diff(h.edges) / 2
    error = np.sqrt(h.true * (1 - h.true) / h.n_true)
    look = {"color": plots.TRUE, "fmt": ".", "ms": 3, "lw": 0.9, "label": f"{h.n_true} true events"}
    ax.errorbar(centres, h.true / unit, error / unit, halves, **look)
    for k, mark in enumerate(h.marks):
        ax.axvline(mark, color=plots.MODEL, ls="--", lw=1, label=None if k else "ends of regions")
    ax.set_xlim(h.edges[0], h.edges[-1])


def _without_math(text: str) -> str:
    """A user's text as Matplotlib prints it, dollars and all."""
    return re.sub(r"\\?\$", r"\\$", text)
