"""Profiles, and the plan of trainings and of what notebooks need."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gampl_book import plan
from gampl_book.event_studies import is_trained_elsewhere
from gampl_book.profiles import PROFILES, section
from gampl_book.studies import RING_DIMENSIONS, ring, scan, trainings

NOTEBOOKS = [p.stem for p in (Path(__file__).parents[2] / "notebooks").glob("*.py")]


@pytest.mark.parametrize("profile", PROFILES)
def test_all_posteriors_of_a_training_set_see_the_same_events(profile):
    rings = trainings(profile, 1)
    seeds = {}
    for name, training in rings.items():
        process, training_set = training.process, name.rsplit("/", 1)[1]
        seeds.setdefault((process.dim, training_set), set()).add((process.data_seed, training.n_train))
    assert all(len(found) == 1 for found in seeds.values())
    # the radius is drawn first: with one seed for both dimensions their radii would be the same
    sets = section(profile, "trainings")["training_sets"]
    assert len({t.process.data_seed for t in rings.values()}) == len(RING_DIMENSIONS) * sets


def test_seeds_of_different_runs_do_not_overlap():
    a, b = ({t.process.data_seed for t in trainings("paper", seed).values()} for seed in (1, 2))
    assert a.isdisjoint(b)


def test_every_page_is_a_notebook():
    assert set(plan.PAGES) <= set(NOTEBOOKS)


@pytest.mark.parametrize("profile", PROFILES)
def test_notebooks_use_planned_trainings_and_all_are_used(profile):
    used = {name for notebook in NOTEBOOKS for name in plan.notebook_trainings(notebook, profile, 1)}
    assert used == set(plan.trainings(profile, 1))
    for page, needs in plan.PAGES.items() if profile != "rings" else ():  # which has Bayesian networks only
        assert bool(needs.trainings) == bool(plan.notebook_trainings(page, profile, 1))
    assert plan.notebook_trainings("introduction", profile, 1) == []


def test_what_notebooks_read():
    assert plan.notebook_files("gaussian_line", "smoke") == []
    assert plan.notebook_files("top_pair_events", "laptop") == ["data/top_pair_0j.h5", "data/top_pair_4j.h5"]
    assert plan.notebook_files("z_jets", "paper")[0] == "_build/events/paper/z_jets.h5"
    assert "examples/flights.yml" in plan.notebook_files("your_process", "laptop")
    assert "data/costs/runs/laptop.json" in plan.notebook_files("paper_scale", "laptop")


@pytest.mark.parametrize("profile", PROFILES)
def test_jobs_hold_every_training_once(profile):
    jobs, all_trainings = plan.jobs(profile, 1), plan.trainings(profile, 1)
    if is_trained_elsewhere(profile):  # which no build does
        all_trainings = {name: one for name, one in all_trainings.items() if name.startswith("ring")}
    assert sorted(name for job in jobs.values() for name in job.trainings) == sorted(all_trainings)
    ensembles = Counter(name.rpartition("/")[0] for name in all_trainings)
    for name, job in jobs.items():
        names = list(job.trainings)
        rings, jets = name.startswith("ring"), name.startswith("jetgpt")
        assert bool(job.data) == name.startswith(("top_pair", "jetgpt"))
        assert bool(job.generated) != (rings or jets)
        if "/" not in name:  # all of a process
            assert profile == "smoke"
            assert set(names) == {one for one in all_trainings if one.startswith(f"{name}/")}
            continue
        assert name.startswith(names[0])
        limit = section(profile, "trainings")["sets_per_job"] if rings else len(names) if jets else None
        limit = limit or section(profile, "event_trainings")["members_per_job"]
        if "/repulsive/" in name and not rings:  # its members are trained together or not at all
            assert len(names) == ensembles[names[0].rpartition("/")[0]]
        else:
            assert len(names) <= limit


def test_a_scan_changes_only_what_it_says():
    rings = trainings("laptop", 1)
    default, other = rings[ring(2, "bayesian", 1)], rings[scan(0.3, -9.0, 1)]
    assert replace(other, kl_weight=default.kl_weight) == default


def test_every_profile_describes_every_notebook():
    for name in [*NOTEBOOKS, "trainings"]:
        assert {frozenset(section(profile, name)) for profile in PROFILES} == {frozenset(section("laptop", name))}


def test_a_profile_that_is_based_on_another_says_only_what_it_changes():
    laptop, rings = (section(profile, "trainings") for profile in ("laptop", "rings"))
    assert rings["training_sets"] > laptop["training_sets"]
    assert rings["n_train"] == laptop["n_train"]
    assert section("rings", "event_trainings") == section("laptop", "event_trainings")


def test_planning_needs_no_torch():
    code = "import sys; from gampl_book import plan; plan.jobs('paper', 1); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
