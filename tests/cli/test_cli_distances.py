"""`gampl differential --distances`: three more estimates everywhere, the same as in Python, and what is refused."""

import json
from functools import partial

import numpy as np
import pytest
from two_samples import differential

from gampl.report import multivariate
from gampl.report.process_file import read


@pytest.fixture
def samples(tmp_path):
    """A generator with a shift, and true events, in three columns of text."""
    rng = np.random.default_rng(1)
    for name, n, shift in (("generated", 4000, 0.5), ("holdout", 500, 0.0)):
        table = np.column_stack([rng.normal(shift, 1, size=n), rng.normal(size=n), np.ones(n)])
        np.savetxt(tmp_path / f"{name}.csv", table, header="x,y,w", comments="", delimiter=",")
    return tmp_path


run = partial(differential, n_train=500)


def test_three_estimates_as_in_python(samples, capsys):
    run(
        samples,
        "--distances",
        "x,y",
        "--summary",
        "y",
        "--json",
        f"{samples}/out.json",
        "--report",
        f"{samples}/r.html",
    )
    _, *found = json.loads((samples / "out.json").read_text())["findings"]
    tables = [
        np.loadtxt(samples / f"{name}.csv", delimiter=",", skiprows=1)[:, :2] for name in ("generated", "holdout")
    ]
    assert len(found) == 3
    for entry, (kind, title) in zip(found, multivariate.KINDS.items(), strict=True):
        result = multivariate.from_samples([tables[0]], tables[1], 500, kind=kind)
        assert entry["summary"] == f"{title} of x, y"
        assert entry["result"]["n_equiv"] == pytest.approx(result.n_equiv, rel=1e-9)
        assert entry["result"]["curve"]["name"] == title
    # what y alone cannot see is said to count
    table = " ".join(capsys.readouterr().out.split())
    assert "y: what is found is about this number alone" in table
    assert "MMD of x, y" in (samples / "r.html").read_text()


def test_a_process_file_has_them_too(samples):
    (samples / "p.yml").write_text("n_train: 500\nmembers: generated.csv\nholdout: holdout.csv\ndistances: [x, y]\n")
    assert read(samples / "p.yml").process.distances == ("x", "y")


def test_one_that_cannot_be_made_is_named_and_the_others_are_written(samples, capsys):
    run(samples, "--distances", "x,w", "--summary", "x", expected=1)
    said = " ".join("".join(capsys.readouterr()).split())
    assert "energy distance of x, w, all events: reference: a coordinate is the same for all events" in said


def test_weights_are_refused(samples, capsys):
    run(samples, "--distances", "x,y", "--weight", "w", expected=1)
    assert "distances are those of events of equal weight" in " ".join("".join(capsys.readouterr()).split())
