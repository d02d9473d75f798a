"""`gampl differential --split`: the upper limit in the table, in JSON, CSV and the report, and what it refuses."""

import csv
import json
from functools import partial

import numpy as np
import pytest
from two_samples import differential

from gampl.cli.main import main
from gampl.report.split import from_samples


@pytest.fixture
def samples(tmp_path):
    """A generator with a shift, and true events, in two columns of text."""
    rng = np.random.default_rng(1)
    for name, n, shift in (("generated", 8000, 0.4), ("holdout", 1500, 0.0)):
        table = np.column_stack([rng.normal(shift, 1, size=n), rng.poisson(3, size=n), np.ones(n)])
        np.savetxt(tmp_path / f"{name}.csv", table, header="x,k,w", comments="", delimiter=",")
    return tmp_path


run = partial(differential, n_train=1000)


def test_the_limit_is_that_of_the_package_and_is_said_everywhere(samples, capsys):
    outputs = {name: samples / f"out.{name}" for name in ("json", "csv")}
    files = [text for name, path in outputs.items() for text in (f"--{name}", str(path))]
    run(samples, "--summary", "x", "--summary", "k", "--split", "--level", "0.95", "--seed", "3", *files)
    x, k = json.loads(outputs["json"].read_text())["findings"]
    generated, holdout = (
        np.loadtxt(samples / f"{name}.csv", skiprows=1, delimiter=",") for name in ("generated", "holdout")
    )
    limit = from_samples([generated[:, 0]], holdout[:, 0], 1000, level=0.95, seed=3)
    assert x["at_most"] == json.loads(json.dumps(limit.to_dict()))
    assert 0 < x["at_most"]["G_at_most"] < 1  # the shift is eight standard deviations
    assert k["at_most"]["n_equiv_at_most"] == "inf" or k["at_most"]["n_equiv_at_most"] > 1000
    assert str(limit) in x["words"]
    rows = list(csv.DictReader(outputs["csv"].read_text().splitlines()))
    assert float(rows[0]["n_equiv_at_most"]) == limit.n_equiv_at_most
    table = " ".join(capsys.readouterr().out.split())
    assert f"limit: x, all events: {limit}" in table
    assert "limit: k, all events:" in table


def test_without_the_option_there_is_no_limit(samples, capsys):
    run(samples, "--summary", "x", "--json", str(samples / "out.json"), "--csv", str(samples / "out.csv"))
    (x,) = json.loads((samples / "out.json").read_text())["findings"]
    assert x["at_most"] is None
    assert next(csv.DictReader((samples / "out.csv").read_text().splitlines()))["n_equiv_at_most"] == ""
    assert "limit:" not in capsys.readouterr().out


def test_a_classifier_has_chosen_the_place_by_its_training(samples):
    pytest.importorskip("sklearn")
    run(samples, "--classifier", "x", "--split", "0.2", "--json", str(samples / "out.json"))
    (learned,) = json.loads((samples / "out.json").read_text())["findings"]
    assert learned["at_most"]["place"] == "> 0"
    # half of the true events, and all generated ones that the classifier has not learned from
    assert learned["at_most"]["true"][1] == 750
    assert learned["at_most"]["generated"][1] == 8000 - 1500
    assert learned["at_most"]["G_at_most"] < 1


def test_a_process_file_and_the_report_have_it(samples):
    (samples / "p.yml").write_text(
        "n_train: 1000\nmembers: generated.csv\nholdout: holdout.csv\nsummaries: x\nregions: x > 0\nsplit: 0.25\n"
    )
    outputs = ["--output", str(samples / "r.html"), "--json", str(samples / "out.json"), "--quiet"]
    assert main(["report", str(samples / "p.yml"), *outputs]) == 0
    everywhere, region = json.loads((samples / "out.json").read_text())["findings"]
    assert everywhere["at_most"]["true"][1] == 1125
    assert region["at_most"]["n_train"] == region["result"]["n_train"] < 1000
    page = (samples / "r.html").read_text()
    assert "n_equiv at most" in page
    assert "By counting at a place that other events have chosen" in page


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--summary", "x", "--split", "1.5"), "split must be a share between 0 and 1"),
        (("--summary", "x", "--split", "nan"), "split must be a share between 0 and 1"),
        (("--summary", "x", "--split", "--weight", "w"), "expected members without weights"),
    ],
)
def test_what_it_refuses_is_one_sentence(samples, capsys, options, problem):
    run(samples, *options, expected=1)
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.splitlines()) == 1
