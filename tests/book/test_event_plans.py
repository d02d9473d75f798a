from pathlib import Path

import pytest

from gampl.files import hdf5
from gampl.simulation.production import RECIPES
from gampl_book import event_plans as plans

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.mark.parametrize("size", plans.SIZES)
def test_every_plan_can_be_made(size):
    shards, files = plans.plan(size).shards, plans.plan(size).files
    assert files
    for folder in shards.values():
        recipe = RECIPES[folder.recipe](**{name: _tuple(value) for name, value in folder.settings.items()})
        assert recipe.pythia_settings()
        assert plans.seeds(folder.seeds)
    for name, file in files.items():
        needed = list(plans.needed_shards(size, name))
        assert len(set(needed)) == len(needed)
        assert {folder for folder, _ in needed} == {folder for folder, _, _ in file.sources}
        for folder, seed in needed:
            assert seed in plans.seeds(shards[folder].seeds)


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


def test_no_seed_is_used_twice():
    # across sizes, too: what is trained on one file may be tested on any other's holdout
    folders = [folder for size in plans.SIZES for folder in plans.plan(size).shards.values()]
    seeds = [seed for folder in folders for seed in plans.seeds(folder.seeds)]
    assert len(set(seeds)) == len(seeds)


def test_the_paper_s_numbers_of_events():
    # Eq. (39), with the acceptances of the bundled production
    for name, train, holdout in [("top_pair_0j", 5e5, 8e6), ("top_pair_4j", 2e5, 2e5)]:
        ((_, first, second),) = plans.plan("paper").files[name].sources
        per_shard = hdf5.read_shards(DATA / f"{name}.h5", "train")[:, 2].mean()
        assert len(plans.seeds(first)) * per_shard == pytest.approx(train, rel=0.05)
        assert len(plans.seeds(second)) * per_shard == pytest.approx(holdout, rel=0.05)


def test_unknown_size():
    with pytest.raises(ValueError, match="unknown size 'huge': expected one of bundled, paper"):
        plans.plan("huge")


def test_seeds_in_words():
    assert list(plans.seeds("7")) == [7]
    assert list(plans.seeds("3-5")) == [3, 4, 5]
    for text in ("", "a", "0", "5-3", "-4", "1-", "1-2-3", "1.5", "²", "1-900000001"):
        with pytest.raises(ValueError, match="seeds must be a"):
            plans.seeds(text)
    with pytest.raises(ValueError, match="at most 1000000 seeds"):
        plans.seeds("1-2000000")
