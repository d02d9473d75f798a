"""Which of several summaries counts is said: a classifier that hardly separates proves little."""

import numpy as np
import pytest
from made_studies import compared, estimate

from gampl.report.members import Doubt
from gampl.report.process import Process, SampleFiles
from gampl.report.study import analyse
from gampl.report.weak_spots import weaker

CLASSIFIER = "classifier of x, y"


def said(**excess):
    """What is said of summaries whose distances are so many times what true events would have."""
    names = {"classifier": CLASSIFIER}
    found = [estimate(None, names.get(name, name), compared(times)) for name, times in excess.items()]
    return [*weaker([(finding.summary, finding.result) for finding in found], [CLASSIFIER])]


def test_a_classifier_that_misses_what_a_number_shows_is_doubted_and_the_number_counts():
    (doubt,) = said(R=2.5, classifier=0.8)
    assert isinstance(doubt, Doubt)
    assert doubt.about == ("differential", "", CLASSIFIER)
    assert doubt.startswith(f"{CLASSIFIER}: G ≥ 1.")
    assert (
        "is the weaker statement, as it tells fewer of the generated events from true ones than R does: G = 0." in doubt
    )


def test_a_number_that_shows_less_than_the_classifier_is_not_doubted_but_about_itself_only():
    (text,) = said(R=0.8, classifier=2.5)
    assert not isinstance(text, Doubt)
    assert text.startswith(f"R: what is found is about this number alone; {CLASSIFIER} tells more")
    (text,) = said(R=0.8, x=1.1, classifier=2.5)
    assert text.startswith("R, x: what is found is about these numbers alone")


def test_a_classifier_alone_that_hardly_separates_is_weak_evidence():
    (text,) = said(R=0.9, classifier=0.9)
    assert not isinstance(text, Doubt)
    assert text.startswith(f"{CLASSIFIER}: that it hardly tells generated events from true ones is weak evidence")


@pytest.mark.parametrize("excess", [{"R": 0.9}, {"R": 2.5, "x": 2.5}, {"R": 2.5, "classifier": 2.6}])
def test_where_all_agree_nothing_is_said(excess):
    assert said(**excess) == []


@pytest.mark.parametrize("sees", [True, False])
def test_of_files(sees, tmp_path):
    """Generated events have a hole where true ones have none; the classifier is given what shows it, or noise."""
    rng = np.random.default_rng(3)

    def write(name, x):
        np.savez(tmp_path / name, x=x, noise=rng.normal(size=x.size))
        return SampleFiles((tmp_path / name,))

    true, generated = rng.normal(size=2000), rng.normal(size=40_000)
    members = write("m.npz", generated[(np.abs(generated) > 0.4) | (rng.random(40_000) < 0.5)])
    inputs = ("x",) if sees else ("noise",)
    made = analyse(Process(1000, members, holdout=write("h.npz", true), summaries=("x",), classifier=inputs))
    by_x, by_classifier = made.findings
    assert bool(made.doubts(by_classifier)) is not sees
    assert not made.doubts(by_x)
