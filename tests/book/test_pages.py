"""What the notebooks share: rounding, recorded numbers, figure data."""

import csv
import json

import matplotlib as mpl
import numpy as np
import pytest
from markdown_it import MarkdownIt
from matplotlib import pyplot as plt

from gampl_book.pages import Page, as_text, rounded, verbatim

mpl.use("agg")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (70.447, 3, "70.4"),
        (2.0, 3, "2.00"),
        (0.000234, 2, "0.00023"),
        (0.0000234, 2, "0.000023"),
        (66213.7, 3, "66200"),
        (1e9, 3, "1.00·10^9"),
        (3.2e-12, 2, "3.2·10^-12"),
        (float("inf"), 3, "∞"),
        (-float("inf"), 3, "-∞"),
        (0.0, 3, "0"),
        (float("nan"), 3, "nan"),
        (1000, 4, "1000"),
        (999.96, 3, "1000"),
    ],
)
def test_rounded(value, digits, text):
    assert rounded(value, digits) == text


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_OUTPUT", str(tmp_path))
    return Page("gaussian_line", "smoke", 3)


def test_numbers_are_recorded_as_strict_json(page):
    page.record("G", np.float64(2.5), (1.0, np.inf), 0.683)
    content = json.loads((page.folder / "results.json").read_text(), parse_constant=pytest.fail)
    assert content["numbers"] == {"G": {"value": 2.5, "interval": [1.0, "inf"], "level": 0.683}}
    assert {"notebook", "commit", "profile", "seed", "device", "page_seconds"} <= content.keys()


def test_costs_are_kept_also_after_the_last_number(page):
    page.record("G", 2.5)
    page.cost("flow", 7, 1.23456, 0.5)
    content = json.loads((page.folder / "results.json").read_text())
    assert content["costs"] == {"flow": {"parameters": 7, "training": 1.23, "generation": 0.5}}
    assert content["numbers"].keys() == {"G"}


def test_numbers_say_what_they_were_made_of(page):
    page.made_of(sha256_of_events={"train": "ab"})
    page.record("G", 2.5)
    made_of = json.loads((page.folder / "results.json").read_text())["made_of"]
    assert made_of == {"settings": page.settings, "sha256_of_events": {"train": "ab"}}
    assert page.settings["pseudo_experiments"] == made_of["settings"]["pseudo_experiments"]


def test_figure_data_as_csv_with_provenance(page):
    page.figure(plt.figure(), "f", {"n": [1, 2], "y": np.array([0.5, np.nan])})
    lines = (page.folder / "figures" / "f.csv").read_text().splitlines()
    assert "# profile: smoke" in lines
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))
    assert rows == [["n", "y"], ["1", "0.5"], ["2", "nan"]]


def test_ragged_figure_data_as_json(page):
    page.figure(plt.figure(), "f", {"n": [1, 2], "maps": {"a": np.eye(2)}, "y": [np.inf]})
    content = json.loads((page.folder / "figures" / "f.json").read_text(), parse_constant=pytest.fail)
    assert content["data"] == {"n": [1, 2], "maps": {"a": [[1.0, 0.0], [0.0, 1.0]]}, "y": ["inf"]}
    assert content["seed"] == 3


def test_figures_are_closed(page):
    page.figure(plt.figure(), "f", {"n": [1]})
    assert plt.get_fignums() == []


def test_streams_of_a_page_differ_and_repeat(page):
    a, b, again = (page.rng(k).normal(size=3) for k in (1, 2, 1))
    assert a.tolist() == again.tolist()
    assert a.tolist() != b.tolist()


def test_pages_have_streams_of_their_own(page):
    other = Page("introduction", "smoke", 3)
    assert page.rng(1).normal() != other.rng(1).normal()


def test_unknown_profile_is_named():
    with pytest.raises(ValueError, match="unknown profile 'big'"):
        Page("gaussian_line", "big", 1)


@pytest.mark.parametrize(
    "hostile", ["```\n<script>alert(1)</script>", "````{raw} html\nx\n````", "a `b` $c$ {ref}`d` <b> *e* [f](g)"]
)
def test_words_of_others_are_neither_markup_nor_html(hostile):
    md = MarkdownIt("commonmark", {"html": True})
    (block,) = md.parse(verbatim(hostile, "yaml"))
    assert (block.type, block.content) == ("fence", hostile + "\n")
    (inline,) = [token for token in md.parse(as_text(hostile.replace("\n", " "))) if token.type == "inline"]
    assert {child.type for child in inline.children} == {"text"}
    assert "".join(child.content for child in inline.children) == hostile.replace("\n", " ")
