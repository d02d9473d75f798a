"""The bundled events: as their README says, and made by the code that is here."""

import hashlib
import re
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import stats

from gampl import files
from gampl.files import hdf5
from gampl.processes.dilepton import DileptonTopPair
from gampl.processes.top_pair import TopPair
from gampl.processes.z_jets import ZJets
from gampl.simulation.dilepton import DileptonRecipe
from gampl.simulation.production import RECIPES
from gampl.simulation.seeds import seeds_of_sample
from gampl.simulation.shards import generate
from gampl.simulation.top_pair import TopPairRecipe
from gampl.simulation.z_jets import ZJetsRecipe
from gampl_book import event_plans as plans

DATA = Path(__file__).resolve().parents[1] / "data"
FILES = {name: DATA / f"{name}.h5" for name in plans.plan("bundled").files}
MB = 1_000_000
LEAST_Z_EVENTS = (9000, 9000, 9000, 9000, 10_000, 2000, 500, 100, 15)  # of each sample, with 0 to 8 jets
KNOWN_TO = 0.04  # relative standard deviation of the share of true events in the region of Eq. (43)


def test_checksums_and_sizes_are_those_of_the_readme():
    readme = (DATA / "README.md").read_text()
    said = dict(re.findall(r"`(\w+)\.h5` \|.*`([0-9a-f]{64})`", readme))
    assert said == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in FILES.items()}
    assert {path.name for path in DATA.iterdir()} == {"README.md", "results", "costs", "trainings", "parts"} | {
        path.name for path in FILES.values()
    }
    assert FILES["top_pair_0j_observables"].stat().st_size <= 6 * MB
    assert FILES["z_jets"].stat().st_size <= 7 * MB
    assert sum(path.stat().st_size for path in FILES.values()) <= 26 * MB


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_made_of_what_its_plan_says(name):
    plan, folders, path = plans.plan("bundled").files[name], plans.plan("bundled").shards, FILES[name]
    about = hdf5.read_about(path)
    assert about["sample"] == plan.sample
    recipes = []
    for folder in (folders[source[0]] for source in plan.sources):
        if (recipe := {"recipe": folder.recipe, **folder.settings}) not in recipes:
            recipes.append(recipe)
    for recipe, said in zip(recipes, about["sources"], strict=True):  # folders of one recipe are one source
        assert {key: said["recipe"][key] for key in recipe} == recipe
    for sample, column in (("train", 1), ("holdout", 2)):
        expected = [seed for source in plan.sources for seed in seeds_of_sample(source[column])]
        if not expected:
            assert all(sample not in said for said in about["sources"])
            continue
        shards = h5py.File(path)[f"{sample}/shards"][:]
        assert shards[:, 0].tolist() == expected
        assert shards[:, 1].sum() == sum(said[sample]["passed"]["generated"] for said in about["sources"])
        if plan.observables:
            observables = hdf5.read_observables(path, sample)
            assert observables.keys() == {*plan.observables}
            assert {len(values) for values in observables.values()} == {shards[:, 2].sum()}
        else:
            assert sum(len(events) for events in files.batches(path, sample=sample)) == shards[:, 2].sum()
        if about["process"] == "top_pair":
            assert about["sources"][0][sample]["passed"][plan.sample] == shards[:, 2].sum()


def test_observables_are_of_further_events_of_the_same_distribution():
    process, further = TopPair(0), TopPair(0).load_observables()
    momenta = np.concatenate([process.load(sample).momenta for sample in ("train", "holdout")])
    bundled = {name: process.observable(name)(momenta).astype(np.float32) for name in further}
    # false-alarm rate 1e-4 together
    assert min(stats.ks_2samp(bundled[name], further[name]).pvalue for name in further) > 1e-4 / len(further)
    rows = np.concatenate([np.stack([*these.values()], axis=1, dtype=np.float32) for these in (bundled, further)])
    # five numbers of float32 do not come out alike by chance
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_share_of_the_region_is_known():
    region = TopPair(0).region()
    both = (TopPair(0).load_observables()["m_tt"], region.observable(TopPair(0).load("holdout").momenta))
    inside = [np.count_nonzero((m_tt >= region.low) & (m_tt < region.high)) for m_tt in both]
    assert sum(inside) ** -0.5 < KNOWN_TO
    # the same share in both, false-alarm rate 1e-4
    outside = [len(m_tt) - n for m_tt, n in zip(both, inside, strict=True)]
    assert stats.fisher_exact([inside, outside]).pvalue > 1e-4


def same_versions(path) -> bool:
    """Whether Pythia and FastJet are those that made a file."""
    versions = hdf5.read_about(path)["versions"]
    return all(metadata.version(name) == versions[name] for name in ("pythia8mc", "fastjet"))


@pytest.mark.parametrize(
    ("name", "folder", "seed", "recipe", "sample", "n_events"),
    [
        ("top_pair_0j", "top_pair", 1, TopPairRecipe(), "extra_jets_0", 2000),
        ("z_jets", "z_jets", 8001, ZJetsRecipe(max_jets=3, kept=(0.013, 0.055, 0.22)), "events", 2000),
        ("z_jets", "z_jets_many", 40_001, ZJetsRecipe(min_jets=4, kept=()), "events", 10_000),
        ("dilepton_off", "dilepton_off", 50_001, DileptonRecipe(kept=0.4), "events", 1000),
        ("dilepton_on", "dilepton_on", 50_101, DileptonRecipe(off_shell=False, kept=0.4), "events", 1000),
    ],
)
def test_the_first_events_of_a_seed_come_out_again(name, folder, seed, recipe, sample, n_events):
    path = FILES[name]
    if not same_versions(path):
        pytest.skip("the bundled events were made with other versions of Pythia or FastJet")
    sources = hdf5.read_about(path)["sources"]
    assert recipe.describe() | {"events_per_shard": 20_000} in [source["recipe"] for source in sources]
    assert RECIPES[plans.plan("bundled").shards[folder].recipe] is type(recipe)
    shards = h5py.File(path)["train/shards"][:]
    start = shards[: shards[:, 0].tolist().index(seed), 2].sum()
    stored = files.read(path, sample="train").momenta[start:]
    made = generate(recipe, seed, n_events)[0][sample].momenta
    assert len(made) > 20
    # float32 on disk; the last bits of a processor's sines and square roots may differ, events may not
    np.testing.assert_allclose(made, stored[: len(made)], rtol=1e-5, atol=1e-4)


def test_the_first_observables_of_a_seed_come_out_again():
    path, further = FILES["top_pair_0j_observables"], TopPair(0).load_observables()
    if not same_versions(path):
        pytest.skip("the bundled events were made with other versions of Pythia or FastJet")
    seed = int(h5py.File(path)["holdout/shards"][:][0, 0])
    made = generate(TopPairRecipe(), seed, 1000)[0]["extra_jets_0"].momenta
    assert len(made) > 20
    for name, values in further.items():
        # sums of rounded momenta differ by the cancellation in them
        np.testing.assert_allclose(TopPair(0).observable(name)(made), values[: len(made)], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("sample", ["train", "holdout"])
def test_weights_of_z_events_depend_on_the_number_of_jets_alone(sample):
    events, sources = ZJets().load(sample), hdf5.read_about(FILES["z_jets"])["sources"]
    number, weights = events.multiplicity - 2, events.columns["weight"]
    for said, recipe in ((source[sample], source["recipe"]) for source in sources):
        unit = said["cross_section_pb"] / said["passed"]["generated"]
        fractions = [*recipe["kept"], *[1.0] * 9]
        for n in range(recipe["min_jets"], recipe["max_jets"] + 1):
            mine = weights[number == n]
            assert np.ptp(mine) == 0
            assert mine[0] == pytest.approx(unit / fractions[n])
            # of those that were made, false-alarm rate 1e-4 together
            p_value = stats.binomtest(len(mine), said["passed"][f"{n} jets"], fractions[n]).pvalue
            assert len(mine) >= LEAST_Z_EVENTS[n]
            assert p_value > 1e-4 / 6
    # 5 standard deviations; the simulation knows the cross section to some per mille
    error = np.hypot(np.sqrt((weights**2).sum()), 0.005 * weights.sum())
    assert all(abs(weights.sum() - source[sample]["cross_section_pb"]) < 5 * error for source in sources)


def test_both_recipes_of_z_events_make_the_same_numbers_of_jets():
    # of all events that were made, those that were dropped, too; false-alarm rate 1e-4
    sources = hdf5.read_about(FILES["z_jets"])["sources"]
    steps = [*(f"{n} jets" for n in range(9)), "more jets"]
    counts = [[sum(source[s]["passed"][step] for s in ("train", "holdout")) for step in steps] for source in sources]
    assert stats.chi2_contingency(counts).pvalue > 1e-4


@pytest.mark.parametrize(("process", "least"), [(TopPair(0), 55_000), (TopPair(4), 5_000), (ZJets(), 50_000)])
def test_samples_that_the_book_needs(process, least):
    for sample in ("train", "holdout"):
        events = process.load(sample)
        assert len(events) >= least
        assert np.isfinite(events.momenta).all()
        jets = events.momenta[:, 2:] if isinstance(process, ZJets) else events.momenta
        present = jets[..., 0] > 0
        assert jets[present][:, 0].min() > process.cuts.pt_min * (1 - 1e-6)
        assert np.abs(jets[present][:, 2]).max() < process.cuts.eta_max * (1 + 1e-6)


def test_training_sample_and_holdout_share_no_event():
    for process in (TopPair(0), TopPair(4), ZJets(), DileptonTopPair()):
        train, holdout = (process.load(sample).momenta[:, 0, :3] for sample in ("train", "holdout"))
        both = np.concatenate([train, holdout])
        # three float32 coordinates of a particle do not come out alike by chance
        assert len(np.unique(both, axis=0)) == len(both)
