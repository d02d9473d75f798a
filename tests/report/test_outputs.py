"""Tables, JSON, CSV and files of figures of studies made by hand; what they say in words."""

import csv
import dataclasses
import io
import json
import re
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from made_studies import REGION, REGIONS, STATES, compared, counted, estimate, failure, findings, process, shape, study
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from gampl.basics import Interval
from gampl.report import figures, outputs
from gampl.report.outputs import WIDTH, answer, events, table, where
from gampl.report.process import Region
from gampl.report.study import EVERYWHERE
from gampl.result import NoteCode, State

HOSTILE = "\x1b[31m$x_{$ & <b>\n" + 300 * "long" + " tail 'n' \"more\""


def test_the_studies_have_all_states():
    for method in ("averaging", "differential"):
        made = {f.result.state for f in findings() if f.result is not None and f.method == method}
        assert made >= STATES - ({State.UNBOUNDED} if method == "differential" else set())
    assert compared(1.02).state is State.UNBOUNDED


# table


def test_the_table_has_a_row_for_each_finding_with_its_numbers():
    lines = table(study()).splitlines()
    row = next(line for line in lines if line.startswith(REGION))
    result = findings()[0].result
    low, high = result.interval
    worth = f"{float(f'{result.pooled.n_equiv_at_least:.3g}'):.0f}"
    assert row.split()[5:] == ["3", "%", "10000", f"{result.G:.3g}", f"{low:.3g}", "to", f"{high:.3g}", "≥", worth]
    for finding in findings():
        assert any(line.startswith(finding.what) for line in lines), finding.what


def test_the_table_says_limits_and_problems():
    text = table(study())
    limit = next(line for line in text.splitlines() if line.startswith("fine"))
    assert re.fullmatch(r"fine +100 % +10000 +- +≥ \d+ +≥ \d+", limit)
    joined = " ".join(text.split())
    assert "no estimate: the holdout sample has only 3 events here" in joined


def test_a_row_of_a_region_has_the_n_train_that_its_result_refers_to():
    lines = table(study()).splitlines()
    start = lines.index("differential amplification")
    rows = {made.what: made.result.n_train for made in study().estimates if made.summary == "m_tt"}
    assert set(rows.values()) == {10_000, 300}
    for what, n_train in rows.items():
        row = next(line for line in lines[start:] if line.startswith(what))
        assert row.partition("%")[2].split()[0] == str(n_train)


def test_notes_and_warnings_come_once_with_what_they_are_about():
    note = "something to know"
    same = [dataclasses.replace(counted(G), notes=(NoteCode.OTHER(text=note),) * 2) for G in (1, 2)]
    other = estimate("c", "", counted(3))
    few = (estimate("a", "", same[0]), estimate("b", "", same[1]))
    joined = " ".join(table(study(findings=(*few, other), warnings=("w", "w"))).split())
    assert joined.count(note) == 1
    assert f"note: {note} (a; b)" in joined
    assert joined.count("warning: w") == 1
    # of all estimates: no list of names
    assert f"note: {note} warning" in " ".join(table(study(findings=few, warnings=("w",))).split())


@pytest.mark.parametrize("name", ["plain", HOSTILE, "", "ö" * 200])
def test_no_line_of_the_table_is_longer_than_100_or_moves_the_cursor(name):
    made = (
        *(dataclasses.replace(finding, region=Region(name, condition="x")) for finding in findings()),
        estimate(name, "", dataclasses.replace(counted(2), n_equiv=0.1234, n_equiv_interval=Interval(0.1111, 0.5678))),
        estimate(name, "", dataclasses.replace(counted(2), n_equiv=1.2e12, n_equiv_interval=Interval(1.1e12, 3.4e14))),
        failure(name, name, f"because of {name}"),
    )
    text = table(study(findings=made, warnings=(name,), process=process(title=name[:90])))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert all(letter.isprintable() or letter == "\n" for letter in text)


# JSON and CSV


def test_json_is_strict_and_holds_what_was_found():
    made = study()
    read = json.loads(json.dumps(outputs.to_json(made, "gampl averaging"), allow_nan=False))
    assert read["command"] == "gampl averaging"
    assert {*read["versions"]} >= {"gampl", "numpy", "scipy"}
    assert read["process"]["n_train"] == 10_000
    assert read["process"]["holdout"]["files"] == ["holdout.csv"]
    assert read["process"]["regions"][0]["condition"] == REGION
    assert [m["n_gen"] for m in read["samples"]["members"]] == [*made.n_gen]
    assert read["warnings"] == [*made.warnings]
    for finding, entry in zip(made.findings, read["findings"], strict=True):
        if finding.result is None:
            assert (entry["problem"], entry["result"]) == (finding.problem, None)
            continue
        assert entry["problem"] == ""
        kept = entry["result"]
        assert float(kept["G"]) == finding.result.G
        assert tuple(map(float, kept["n_equiv_interval"])) == finding.result.n_equiv_interval
        assert kept["state"] == finding.result.state


def test_json_writes_what_it_has_no_numbers_for_as_texts():
    result = counted(1, excess=0.2)  # its curve has NaN where the model variance is negative
    read = outputs.to_json(study(findings=(estimate("a", "", result),)))["findings"][0]["result"]
    assert read["n_equiv"] == "inf"
    assert read["curve"]["sigma_model"][-1] == "nan"
    assert read["interval"][1] == "inf"


def test_csv_has_one_row_for_each_finding():
    made = study(findings=(*findings(), estimate(HOSTILE, "a,b", counted(2))))
    rows = [*csv.DictReader(io.StringIO(outputs.to_csv(made)))]
    assert len(rows) == len(made.findings)
    for row, finding in zip(rows, made.findings, strict=True):
        assert (row["region"], row["summary"], row["method"]) == (finding.where, finding.summary, finding.method)
        if finding.result is None:
            assert row["G"] == ""
            assert row["problem"] == finding.problem
        else:
            assert [float(row[name]) for name in ("G", "G_low", "G_high")] == [
                finding.result.G,
                *finding.result.interval,
            ]
            assert float(row["n_equiv"]) == finding.result.n_equiv
            if finding.result.pooled is not None:
                assert float(row["pooled_at_least"]) == finding.result.pooled.n_equiv_at_least
                assert float(row["single_at_least"]) == finding.result.single.n_equiv_at_least
            else:
                assert row["pooled_at_least"] == row["single_at_least"] == ""


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-x > 0", "@SUM(1)", "\t=1"])
def test_no_cell_of_the_csv_is_a_formula(text):
    note = dataclasses.replace(counted(0.3), notes=(NoteCode.OTHER(text=text),))
    made = study(findings=(estimate(text, text, note), failure(text, text, text)))
    for row in csv.DictReader(io.StringIO(outputs.to_csv(made), newline="")):
        texts = [row[name] for name in ("region", "summary", "problem" if row["problem"] else "notes")]
        assert texts == [f"'{text}"] * 3
        assert not row["G"] or float(row["G"]) > 0


def test_names_that_are_not_utf_8_are_in_all_outputs():
    name = b"m\xff.csv".decode(errors="surrogateescape")
    made = study(members=(name,), n_gen=(5,), warnings=(name,))
    text = outputs.to_json_text(made, name)
    assert json.loads(text)["command"] == r"m\udcff.csv"
    assert json.loads(text)["samples"]["members"][0]["name"] == r"m\udcff.csv"


# figures


def test_figures_are_written_as_png_and_pdf_and_the_same_again(tmp_path):
    same = tuple(estimate("a/b: c?", "", counted(G)) for G in (1, 2))
    made = study(findings=(*same, failure("none", "", "why")), histograms=(shape(),))
    before = dict(matplotlib.rcParams)
    paths = figures.write(made, tmp_path / "new")
    assert len({*paths}) == 2 * (1 + 2 + 1)
    assert {*paths} == {*(tmp_path / "new").iterdir()}
    for path in paths:
        start = {".png": b"\x89PNG", ".pdf": b"%PDF"}[path.suffix]
        assert path.read_bytes().startswith(start)
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", path.name)
    for kind in ("pdf", "svg"):
        assert figures.content(figures.figure_of(same), kind) == figures.content(figures.figure_of(same), kind)
    # the user's pyplot is as it was
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_the_overview_has_an_arrow_where_there_is_no_upper_end():
    made = findings()
    ax = figures.overview(made, Figure().subplots())
    arrows = {line.get_ydata()[0] for line in ax.lines if line.get_marker() == ">"}
    assert arrows == {k for k, f in enumerate(made) if f.result is not None and np.isinf(f.result.interval.high)}
    points = {
        line.get_ydata()[0]: line.get_xdata()[0]
        for line in ax.lines
        if line.get_marker() in ("o", "s") and np.isfinite(line.get_xdata()[0])
    }
    assert points == {k: f.result.G for k, f in enumerate(made) if f.result is not None and np.isfinite(f.result.G)}
    assert sorted(text.get_position()[1] for text in ax.texts) == [k for k, f in enumerate(made) if f.result is None]
    left, right = ax.get_xlim()
    assert left < 1 < right
    top, bottom = ax.get_ylim()[::-1]
    assert top < 0 < len(made) - 1 < bottom  # the first on top
    assert len({line.get_color() for line in ax.lines if line.get_marker() in ("o", "s")}) == 2


@pytest.mark.parametrize("factor", [1.01, 1.5, 3, 10, 30, 1000])
def test_labels_of_a_narrow_or_wide_overview_do_not_overlap(factor):
    made = [estimate("a", "", dataclasses.replace(counted(1), n_equiv_interval=Interval(1e4 / factor, 1e4 * factor)))]
    figure = figures.figure_of(made)
    figure.canvas.draw()
    axis = figure.axes[0].xaxis
    low, high = sorted(axis.get_view_interval())
    shown = [t for t in axis.get_ticklabels(which="both") if t.get_text() and low <= t.get_position()[0] <= high]
    boxes = sorted((label.get_window_extent() for label in shown), key=lambda box: box.x0)
    assert len(boxes) >= 2
    assert all(a.x1 + 2 < b.x0 for a, b in pairwise(boxes))


def test_the_overview_of_nothing_is_drawn():
    assert figures.content(figures.figure_of([failure("a", "", "why")]), "png")


def test_the_histogram_shows_mean_spread_truth_and_marks():
    h = shape()
    ax = figures.histogram(h, Figure().subplots())
    drawn = [patch for patch in ax.patches if hasattr(patch, "get_data")]
    np.testing.assert_allclose(drawn[1].get_data().values, h.members.mean(axis=0))
    np.testing.assert_allclose(drawn[0].get_data().values - drawn[1].get_data().values, h.members.std(axis=0, ddof=1))
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(), h.true)
    assert {line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"} == {*h.marks}
    assert ax.get_yscale() == "log"
    flat = dataclasses.replace(h, members=np.full((2, 40), 1 / 40), true=np.full(40, 1 / 40))
    assert figures.histogram(flat, Figure().subplots()).get_yscale() == "linear"


def test_a_plot_goes_where_it_is_told():
    ax, ratio = Figure().subplots(2)
    assert figures.histogram(shape(), ax, ratio=ratio) is ax
    assert ratio.get_ylabel() == "ratio to true"
    other = Figure().subplots()
    assert figures.overview(findings(), other) is other


@pytest.mark.parametrize("label", [r"$m_{t\bar t}$ [GeV]", "$m_{", "cost in $ and $x", r"$\nonsense$", HOSTILE[:40]])
def test_any_label_and_any_name_can_be_drawn(label):
    label = label.replace("\x1b", "")  # no font has it
    empty = dataclasses.replace(shape(n_true=5, label=label))  # most bins have no true events
    assert figures.content(figures.figure_of(empty), "png", dpi=50)
    assert figures.content(figures.figure_of([estimate(label, label, compared(2))]), "png", dpi=50)


# words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3.14, "3.1"),
        (96.2, "96"),
        (99.9, "100"),
        (1234, "1200"),
        (31_016, "31\u202f000"),
        (999_999, "1 million"),
        (2_690_000, "2.7 million"),
        (4.2e9, "4.2 billion"),
        (3e12, "3e+12"),
        (np.inf, "inf"),
    ],
)
def test_numbers_of_events_are_readable(number, text):
    assert events(number) == text


def said(result, region=REGION, summary=""):
    return answer(estimate(region, summary, result)).replace("\u202f", " ")


def test_an_averaging_value_is_said():
    result = counted(3.1)
    pooled, single = (events(worth.n_equiv_at_least).replace("\u202f", " ") for worth in (result.pooled, result.single))
    assert said(result) == (
        "For the share of events in the region 2000 <= m_tt < 2200, the pooled sample of your 10 members, however "
        f"large, is worth at least {pooled} true events, {float(f'{result.pooled.at_least:.2g}'):g} times your "
        f"training sample of 10 000 (68.3 % confidence). One of the members alone is worth at least {single}. "
        "On average over training sets, a posterior this wide is worth 3.1 (1.7–4.6) times its training sample."
    )


def test_worth_less_than_the_training_sample_is_said_only_if_the_interval_says_so():
    assert "a posterior this wide is worth less than its training sample, 0.3 (" in said(counted(0.3))
    assert "these data do not tell" in said(counted(0.9))
    assert "less than" not in said(counted(0.9)).partition("Whether")[0]
    assert "at least" in said(counted(0.02))
    assert "these data do not tell" in said(counted(1.2))
    assert "these data do not tell" not in said(counted(3.1))
    assert "is worth less than your training sample" in said(compared(5), None, "m_tt")
    assert "these data do not tell" not in said(compared(5), None, "m_tt")
    assert "these data do not tell" in said(compared(2.5), None, "m_tt")
    few = compared(1.02, n_ref=2000)
    assert few.interval.low < 1
    assert "these data do not tell" in said(few, None, "m_tt")
    assert "these data do not tell" not in said(counted(1, excess=1.3))


def test_without_an_upper_end_only_a_least_value_is_said():
    limit = counted(1, excess=0.2)
    text = said(limit)
    assert f"is worth at least {float(f'{limit.interval.low:.2g}'):g} times" in text
    assert "best estimate" not in text
    unbounded = counted(1, excess=1.3)
    text = said(unbounded)
    assert f"at least {unbounded.interval.low:.2g} times" in text
    assert f"The best estimate is {float(f'{unbounded.G:.2g}'):g} times" in text
    assert "inf" not in said(limit) + said(unbounded)
    text = said(compared(0.8), None, "m_tt")
    assert text.startswith("Judged by m_tt, generated events cannot be told from ")
    assert "true events or more" in text


def test_a_reference_that_was_trained_on_is_said():
    assert "used to train" in said(compared(2, reference_is="training"), None, "m_tt")
    assert "used to train" not in said(compared(2), None, "m_tt")


def test_digits_tell_the_interval_apart():
    many = dataclasses.replace(counted(3.1), n_equiv=30_500, n_equiv_interval=Interval(3e4, 3.1e4))
    assert "3.05 (3–3.1)" in said(many)


def test_a_problem_is_said():
    text = answer(findings()[-1])
    assert text == (
        "There is no differential estimate for m_tt, tail: "
        "the holdout sample has only 3 events here, expected at least 10."
    )


def test_regions_are_described_where_their_names_do_not():
    assert where(REGIONS[REGION]) == REGION
    assert where(REGIONS["tail"]) == "tail (m_tt >= 3000)"
    assert where(REGIONS["fine"]) == "fine (10 quantiles of m_tt, added up)"
    assert where(REGIONS["coarse"]) == "coarse (2 intervals of pT_t from 0 to 500, added up)"
    assert where(Region("one", observable="m_tt", edges=(1.0, 2.0))) == "one (1 interval of m_tt from 1 to 2)"
    assert where(None) == EVERYWHERE
