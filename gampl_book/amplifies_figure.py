"""The figure of the page "Which generator amplifies most?", which is the book's cover, and its numbers as CSV."""

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gampl import plots
from gampl_book.amplifies import QUESTIONS, Row, group, parameters
from gampl_book.amplifies_words import page
from gampl_book.claims import Results
from gampl_book.network_costs import Cost
from gampl_book.verdicts import Recorded

EDGES = 2e-5, 1e3  # of the axis; what lies beyond is drawn as a triangle at the edge
COLOURS = plots.ESTIMATE, plots.OTHERS[0], plots.STAT, plots.MODEL, plots.OTHERS[1]


def write_page(results: Results, profile: str, stage: Path) -> None:
    """Makes the page from recorded numbers, with its figure, the cover and their data, where the book is assembled."""
    text, rows, changes = page(results, profile)
    (stage / "amplifies.md").write_text(text, encoding="utf-8")
    for name, labelled in (("amplifies", True), ("cover", False)):
        draw(rows, labelled).savefig(stage / f"{name}.png", dpi=150)
    data = stage / "_extra" / "figures" / "amplifies"
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(stage / "amplifies.png", data)
    (data / "amplifies.csv").write_text(as_csv(rows), encoding="utf-8")
    (data / "corrections.csv").write_text(as_csv(changes, truth="with_over_without"), encoding="utf-8")


def draw(rows: Sequence[Row], labelled: bool) -> Figure:
    """True and estimated G of all rows on a logarithmic axis, a panel for each question.

    Args:
        rows: What was recorded.
        labelled: Name each row, in a tall figure; otherwise name the processes only, for the cover.
    """
    rows = [row for row in rows if row.truth or row.estimate]
    processes = list(dict.fromkeys(group(row) for row in rows))
    rows = sorted(rows, key=lambda row: processes.index(group(row)))
    plots.use_style()
    height = 1.4 + 0.19 * len(rows) if labelled else 4.2
    figure = Figure(figsize=(12 if labelled else 11, height), layout="constrained")
    axes = figure.subplots(1, len(QUESTIONS), sharey=True)
    for ax, (question, title) in zip(axes, QUESTIONS.items(), strict=True):
        for place, row in enumerate(rows):
            colour = COLOURS[processes.index(group(row)) % len(COLOURS)]
            _mark(ax, row.truth.get(question), place, colour, filled=True, small=not labelled)
            _mark(ax, row.estimate.get(question), place + 0.3, colour, filled=False, small=not labelled)
        ax.axvline(1, color=plots.TRUE, lw=1)
        ax.set(xscale="log", xlim=EDGES, ylim=(len(rows) + 0.5, -0.8), xlabel="$G$", title=title)
        for name in processes[1:]:
            ax.axhline(next(k for k, row in enumerate(rows) if group(row) == name) - 0.35, color="0.8", lw=0.7)
        ax.tick_params(axis="y", length=0)
    if labelled:
        axes[0].set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=7)
    else:
        places = {name: [k for k, row in enumerate(rows) if group(row) == name] for name in processes}
        axes[0].set_yticks([sum(ks) / len(ks) for ks in places.values()], list(places))
    for name, filled in (("true", True), ("estimated without the truth", False)):
        axes[-1].plot([], [], "o", color="0.3", mfc=None if filled else "none", ls="none", label=name)
    figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _label(row: Row) -> str:
    size = f", {row.n_train:g}" if row.n_train else ""
    profile = f" [{row.profile}]" if row.profile in ("rings", "gpu", "paper") else ""
    return f"{row.process}: {row.generator}{size}{profile}"


def _mark(ax: Axes, number: Recorded | None, place: float, colour: str, *, filled: bool, small: bool) -> None:
    if number is None:
        return
    low, high = number.interval or (number.value, number.value)
    x, low, high = (min(max(value, EDGES[0] * 1.1), EDGES[1] / 1.1) for value in (number.value, low, high))
    marker = "o" if EDGES[0] < number.value < EDGES[1] else ">" if number.value > 1 else "<"
    alpha, face = (1.0, colour) if filled else (0.7, "white")
    ax.plot([low, high], [place, place], color=colour, lw=1.1 if filled else 0.8, alpha=alpha)
    ax.plot(x, place, marker, color=colour, ms=3 if small else 4, mfc=face, alpha=alpha)


def as_csv(rows: Sequence[Row], truth: str = "true") -> str:
    """The numbers of a table: a line for each row and question, empty where nothing was recorded.

    The column with what is known of a row's truth has the name `truth`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    kinds = truth, "estimated", "quotient", "pull", "coverage"
    columns = [f"{what}{end}" for what in kinds for end in ("", "_low", "_high", "_level")]
    about = "profile", "page", "process", "generator", "n_train", "sets", "question", "holds"
    writer.writerow([*about, *columns, *Cost._fields])
    for row in rows:
        for question in QUESTIONS:
            asked = [numbers.get(question) for numbers in (row.truth, row.estimate, row.quotient)]
            if any(asked):
                of_row = [row.profile, row.pages[0], row.process, row.generator, row.n_train or "", row.sets or ""]
                holds = {True: "yes", False: "no", None: ""}[row.holds(question)]
                cells = [cell for one in (*asked, row.pull, row.coverage) for cell in _cells(one)]
                cost = (parameters(row.cost), row.cost.training or "", row.cost.generation or "")
                writer.writerow([*of_row, question, holds, *cells, *cost])
    return text.getvalue()


def _cells(number: Recorded | None) -> list[float | str]:
    if number is None:
        return ["", "", "", ""]
    ends = number.interval or ("", "")
    return [number.value, *ends, "" if number.level is None else number.level]
