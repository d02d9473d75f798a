"""What a profile costs: counted jobs times measured units."""

import json
import subprocess
import sys

import pytest
from small_project import ROOT

from gampl.simulation.seeds import seeds
from gampl_book import costs, event_plans as plans, event_studies, measure_costs, studies


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The units of the smoke profile, measured for real."""
    path = tmp_path_factory.mktemp("costs") / "here.json"
    measure_costs.write("smoke", path)
    return costs.read(path)


def test_all_units_are_measured(measured):
    assert measured["device"]
    works = costs.plan("smoke", 1, measured)
    assert all(work.hours is not None and work.hours >= 0 for work in works)
    trainings = len(studies.trainings("smoke", 1)) + len(event_studies.trainings("smoke", 1))
    assert sum(work.jobs for work in works) == trainings
    assert costs.total_hours(works) > 0


def test_times_are_multiplied():
    ring = {"seconds_per_step": 2.0}
    event = {"seconds_per_step": 0.5, "batch_size": 16, "seconds_per_generated_event": 0.25}
    measured = {"profile": "paper", "rings": {"ring2d/deep": ring}, "events": {"leading_order/spline": event}}
    works = {work.kind: work for work in costs.plan("paper", 1, measured | {"shards": {"top_pair": 0.1}})}
    deep = [t for name, t in studies.trainings("paper", 1).items() if name.startswith("ring2d/deep/")]
    assert works["training ring2d/deep"].hours == pytest.approx(sum(2.0 * t.fit.steps for t in deep) / 3600)
    assert works["training ring2d/bayesian"].hours is None
    one = event_studies.trainings("paper", 1)["leading_order_1000/spline/0"]
    seconds = one.fit.steps * 0.5 * one.fit.batch_size / 16 + 0.25 * event_studies.n_gen("paper", "leading_order_1000")
    members = works["training leading_order_1000/spline"].jobs
    assert works["training leading_order_1000/spline"].hours == pytest.approx(members * seconds / 3600)
    shards = len(seeds(plans.plan("paper").shards["top_pair"].seeds))
    assert works["events top_pair"].hours == pytest.approx(shards * costs.EVENTS_PER_SHARD * 0.1 / 3600)
    assert costs.total_hours(list(works.values())) == pytest.approx(
        sum(work.hours for work in works.values() if work.hours is not None)
    )


def test_sizes():
    """Bytes of generated events by hand; the bundled files themselves are 11 MB."""
    assert costs.gigabytes_generated("paper") == pytest.approx(60 * 0.96 + 60 * 0.16 + (150 + 100) * 0.016)
    assert costs.gigabytes_simulated(ROOT) == pytest.approx(2 * 0.0114 * 5200 / 74, rel=0.01)


def test_measurements_of_another_profile(measured):
    with pytest.raises(ValueError, match="measured for profile smoke, not for paper"):
        costs.plan("paper", 1, measured)


@pytest.mark.parametrize("text", ["", "[]", '{"device": "x"}', "\x00"])
def test_a_file_that_is_none(tmp_path, text):
    path = tmp_path / "here.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"here\.json is not a file of measured costs"):
        costs.read(path)


def test_the_files_that_are_kept():
    found = costs.files(ROOT)
    assert found
    for path in found:
        measured = costs.read(path)
        assert json.dumps(measured)
        assert costs.plan(measured["profile"], 1, measured)


def test_planning_needs_no_torch():
    code = "import sys, gampl_book.costs; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
