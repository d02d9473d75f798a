import shlex
from argparse import ArgumentParser
from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import h5py
import pytest

from gampl.cli.events import add_commands
from gampl.simulation.production import RECIPES
from gampl.simulation.seeds import seeds, seeds_of_sample
from gampl_book import event_plans as plans

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.mark.parametrize("size", plans.SIZES)
def test_every_plan_can_be_made(size):
    shards, files = plans.plan(size).shards, plans.plan(size).files
    assert files
    add_commands((parser := ArgumentParser()).add_subparsers())
    for folder in shards.values():
        recipe = RECIPES[folder.recipe](**{name: _tuple(value) for name, value in folder.settings.items()})
        assert recipe.pythia_settings()
        assert seeds(folder.seeds)
    for name, file in files.items():
        needed = list(plans.needed_shards(size, name))
        assert len(set(needed)) == len(needed)
        assert {folder for folder, _ in needed} == {folder for folder, _, _ in file.sources}
        for folder, seed in needed:
            assert seed in seeds(shards[folder].seeds)
        options = shlex.split(" ".join(plans.merge_options(size, name, "made")))
        read = parser.parse_args(["events", "merge", *options, "--output", "x.h5"])
        assert read.sources == [[f"made/{folder}", *texts] for folder, *texts in file.sources]
        assert (read.sample, tuple(read.observables)) == (file.sample, file.observables)


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


def test_what_is_trained_on_one_file_may_be_tested_on_any_other_s_holdout():
    roles = defaultdict(set)  # of the events of one sample of a seed, in all sizes and files
    for file in (file for size in plans.SIZES for file in plans.plan(size).files.values()):
        for _, *texts in file.sources:
            for role, text in zip(("train", "holdout"), texts, strict=True):
                for seed in seeds_of_sample(text):
                    roles[seed, file.sample].add(role)
    assert {events: both for events, both in roles.items() if len(both) > 1} == {}


def test_folders_of_shards_share_seeds_only_if_they_share_the_recipe():
    for (a, first), (b, second) in combinations(
        [(name, folder) for size in plans.SIZES for name, folder in plans.plan(size).shards.items()], 2
    ):
        if {*seeds(first.seeds)} & {*seeds(second.seeds)}:
            assert replace(first, seeds="") == replace(second, seeds=""), (a, b)


def test_the_paper_s_numbers_of_events():
    # Eq. (39), with the acceptances of the bundled production
    for name, train, holdout in [("top_pair_0j", 5e5, 8e6), ("top_pair_4j", 2e5, 2e5)]:
        _, *parts = zip(*plans.plan("paper").files[name].sources, strict=True)
        per_shard = h5py.File(DATA / f"{name}.h5")["train/shards"][:][:, 2].mean()
        for texts, expected in zip(parts, (train, holdout), strict=True):
            assert sum(len(seeds_of_sample(text)) for text in texts) * per_shard == pytest.approx(expected, rel=0.05)


def test_unknown_size():
    with pytest.raises(ValueError, match="unknown size 'huge': expected one of bundled, paper"):
        plans.plan("huge")


def test_seeds_in_words():
    assert list(seeds("7")) == [7]
    assert list(seeds("3-5")) == [3, 4, 5]
    for text in ("", "a", "0", "5-3", "-4", "1-", "1-2-3", "1.5", "²", "1-900000001"):
        with pytest.raises(ValueError, match="seeds must be a"):
            seeds(text)
    with pytest.raises(ValueError, match="at most 1000000 numbers"):
        seeds("1-2000000")
    assert list(seeds_of_sample("3-5")) == [3, 4, 5]
    assert list(seeds_of_sample("-")) == []
