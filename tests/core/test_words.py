"""Sentences that count something are right for one of it, too."""

import re
from pathlib import Path

import numpy as np
import pytest

from gampl import averaging, differential
from gampl.basics import counted
from gampl.cli.main import main
from gampl.ratio import held_out
from gampl.regions import Intervals

ONE = np.zeros((1, 1))
REGION = Intervals.between([0.0, 0.5])
NORMAL = np.random.default_rng(1).normal(size=(50, 1))
WRONG = re.compile(
    r"(?<![\d.])1 (?!of )(?:\w+ ){0,2}(?:\w+s have|\w+s are|members|regions|events|files|draws|columns|values)\b"
)


@pytest.mark.parametrize(("n", "words"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), ("1", "1 event")])
def test_so_many(n, words):
    assert counted(n, "event") == words


def result(values: np.ndarray) -> str:
    members = [values, *(np.random.default_rng(seed).normal(size=(100, 1)) for seed in range(5))]
    return str(averaging.from_samples(members, REGION, 10, max_lost=0.5))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: result(np.append(NORMAL, np.nan)[:, None]), "1 event with a non-finite observable"),
        (lambda: averaging.from_samples([ONE, NORMAL], REGION, 10), "has 1 event, expected at least 2"),
        (lambda: averaging.from_samples([ONE, NORMAL], REGION, 10, n_gen=9), "has 1 event, expected n_gen = 9"),
        (
            lambda: averaging.from_samples([np.append(NORMAL, np.inf)[:, None], NORMAL], REGION, 10),
            "1 of 51 events has a non-finite",
        ),
        (
            lambda: averaging.from_samples([NORMAL, NORMAL], REGION, 10, weights=[NORMAL]),
            "each member, 2 in all, got 1",
        ),
        (lambda: differential.from_samples([NORMAL], [0.0, np.nan], 10), "1 of 2 values is not finite"),
        (lambda: Intervals.quantiles([0.0, np.inf], 1), "1 of 2 values is not finite"),
        (lambda: Intervals.quantiles([0.0], 2), "1 event with too few different values for 2 regions"),
        (lambda: held_out(ONE, NORMAL, 1), "only 1 event,"),
        (lambda: averaging.from_samples([np.ma.array([1, 2], mask=[0, 1]), NORMAL], REGION, 10), "1 masked number,"),
        (lambda: averaging.from_samples([Short(), NORMAL], REGION, 10, n_gen=9), "returned 1 event, expected 9"),
    ],
)
def test_one_of_it(make, words):
    try:
        said = make()
    except ValueError as error:
        said = str(error)
    assert words in said
    assert not WRONG.search(said), said


class Short:
    """A generator that gives one event, however many are asked for."""

    def sample(self, _):
        return ONE


def test_a_command_about_one_of_everything(tmp_path, capsys):
    """One member, one training event in the region, an interval, a holdout of one event."""
    rng = np.random.default_rng(1)
    files = {"m": rng.normal(size=1000), "h": rng.normal(size=11), "one": [0.5]}
    for name, values in files.items():
        np.savetxt(tmp_path / f"{name}.csv", values, header="x", comments="")
    common = ["--n-train", "1", "--members", f"{tmp_path}/m.csv", "--quiet", "--report", f"{tmp_path}/r.html"]
    said = ""
    for holdout in ("h", "one"):
        main(["differential", *common, "--holdout", f"{tmp_path}/{holdout}.csv", "--summary", "x", "--region", "x<0"])
        said += capsys.readouterr().out + re.sub("<[^>]*>", " ", (tmp_path / "r.html").read_text(encoding="utf-8"))
    main(["averaging", *common[:-2], "--members", f"{tmp_path}/m.csv", f"{tmp_path}/one.csv", "--edges", "x: -1, 1"])
    shown = capsys.readouterr()
    assert "x: 1 interval" in said + shown.out + shown.err or "one.csv" in shown.err
    assert not WRONG.search(said + shown.out + shown.err), WRONG.search(said + shown.out + shown.err)


@pytest.mark.parametrize("source", sorted(Path(averaging.__file__).parent.glob("report/*.j2"), key=str), ids=str)
def test_no_template_counts_in_plural_only(source):
    assert not re.search(r"\}\} (events|members|regions|warnings|files)\b(?!\{)", source.read_text(encoding="utf-8"))
