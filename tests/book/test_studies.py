"""Profiles and the plan of trainings."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gampl_book.profiles import PROFILES, section
from gampl_book.studies import RING_DIMENSIONS, jobs, notebook_data, notebook_trainings, ring, scan, trainings

NOTEBOOKS = [p.stem for p in (Path(__file__).parents[2] / "notebooks").glob("*.py")]


@pytest.mark.parametrize("profile", PROFILES)
def test_all_posteriors_of_a_training_set_see_the_same_events(profile):
    plan = trainings(profile, 1)
    seeds = {}
    for name, training in plan.items():
        seeds.setdefault((training.process.dim, name.rsplit("/", 1)[1]), set()).add(
            (training.process.data_seed, training.n_train)
        )
    assert all(len(found) == 1 for found in seeds.values())
    # the radius is drawn first: with one seed for both dimensions their radii would be the same
    sets = section(profile, "trainings")["training_sets"]
    assert len({t.process.data_seed for t in plan.values()}) == len(RING_DIMENSIONS) * sets


def test_seeds_of_different_runs_do_not_overlap():
    a, b = ({t.process.data_seed for t in trainings("paper", seed).values()} for seed in (1, 2))
    assert a.isdisjoint(b)


@pytest.mark.parametrize("profile", PROFILES)
def test_notebooks_use_planned_trainings_and_all_are_used(profile):
    plan = trainings(profile, 1)
    used = {name for notebook in NOTEBOOKS for name in notebook_trainings(notebook, profile, 1)}
    assert used == set(plan)
    assert notebook_data("gaussian_line", "smoke") == []
    assert notebook_data("top_pair_events", "laptop") == ["data/top_pair_0j.h5", "data/top_pair_4j.h5"]
    assert notebook_data("z_jets", "paper")[0] == "_build/events/paper/z_jets.h5"


@pytest.mark.parametrize("profile", PROFILES)
def test_jobs_hold_every_training_once(profile):
    grouped = jobs(profile, 1)
    assert sorted(name for names in grouped.values() for name in names) == sorted(trainings(profile, 1))
    assert max(map(len, grouped.values())) == section(profile, "trainings")["sets_per_job"]


def test_a_scan_changes_only_what_it_says():
    plan = trainings("laptop", 1)
    default, other = plan[ring(2, "bayesian", 1)], plan[scan(0.3, -9.0, 1)]
    assert replace(other, kl_weight=default.kl_weight) == default


def test_every_profile_describes_every_notebook():
    for name in [*NOTEBOOKS, "trainings"]:
        assert {frozenset(section(profile, name)) for profile in PROFILES} == {frozenset(section("laptop", name))}


def test_planning_needs_no_torch():
    code = "import sys; from gampl import studies; studies.trainings('paper', 1); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
