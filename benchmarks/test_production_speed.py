"""Making events in batches, next to the loop over events that one would write with Pythia's and FastJet's tutorials."""

import awkward as ak
import fastjet
import numpy as np
import pythia8mc
from side_by_side import report, seconds

from gampl.particles.kinematics import cylindrical
from gampl.processes import Cuts
from gampl.simulation import calorimeter, jets, top_reconstruction
from gampl.simulation.pythia import COMMON, EventRecord, Particles
from gampl.simulation.top_pair import TopPairRecipe
from gampl.simulation.z_jets import ZJetsRecipe

EVENTS = 600


def started(recipe):
    pythia = pythia8mc.Pythia("", False)
    for line in (*COMMON, "Random:setSeed = on", "Random:seed = 1", *recipe.pythia_settings()):
        pythia.readString(line)
    pythia.init()
    return pythia


def one_event(pythia):
    """The record of the next event, read particle by particle."""
    pythia.next()
    entries = [(p.id(), p.status(), p.e(), p.px(), p.py(), p.pz()) for p in pythia.event]
    pdg, status, *momentum = (np.array(column) for column in zip(*entries, strict=True))
    mass = np.array([pythia.infoPython().mHat()])
    return Particles(1, np.zeros(len(entries), dtype=np.int64), pdg, status, *momentum, mass)


def by_the_event(pythia, recipe, rng):
    """The same selection with the same formulas, an event at a time."""
    for _ in range(EVENTS):
        particles = one_event(pythia)
        towers = calorimeter.towers(particles.where(particles.status > 0), rng)
        columns = dict(zip(("E", "px", "py", "pz"), towers.momenta.T, strict=True))
        definition = fastjet.JetDefinition(fastjet.antikt_algorithm, recipe.radius)
        found = fastjet.ClusterSequence(ak.zip(columns, with_name="Momentum4D"), definition).inclusive_jets(
            min_pt=recipe.raw_pt_min
        )
        momenta = cylindrical(np.stack([ak.to_numpy(found[name]) for name in columns], axis=-1))
        selected = jets.select(jets.scale(jets.by_pt(momenta[None])), recipe.pt_min, recipe.eta_max)
        tagged = jets.b_tags(selected, particles, rng)
        apart = Cuts(delta_r_min=recipe.delta_r_min)
        if selected.shape[1] >= 6 and tagged.sum() == 2 and apart(selected)[0]:
            top_reconstruction.reconstruct(selected, tagged)


def by_the_batch(record, recipe, rng):
    for _ in range(EVENTS // recipe.batch):
        recipe.make(record.batch(recipe.batch), rng)


def test_top_pairs(benchmark):
    recipe = TopPairRecipe()
    record, pythia, rng = EventRecord(recipe.pythia_settings(), 1), started(recipe), np.random.default_rng(1)
    by_the_batch(record, recipe, rng)  # what comes once: imports, tables
    ours, loop = seconds(lambda: by_the_batch(record, recipe, rng), lambda: by_the_event(pythia, recipe, rng), rounds=3)
    report(benchmark, "speed-up", loop / ours, events_per_second=EVENTS / ours, loop_events_per_second=EVENTS / loop)
    benchmark.pedantic(by_the_batch, (record, recipe, rng), rounds=1)
    assert loop / ours >= 2


def test_share_of_pythia(benchmark):
    """How much longer than Pythia alone, without reading its events, the whole chain takes."""
    for recipe in (TopPairRecipe(), ZJetsRecipe(batch=200)):
        record, pythia, rng = EventRecord(recipe.pythia_settings(), 1), started(recipe), np.random.default_rng(1)
        by_the_batch(record, recipe, rng)

        def bare(pythia=pythia):
            for _ in range(EVENTS):
                pythia.next()

        ours, pythias = seconds(lambda r=record, c=recipe, g=rng: by_the_batch(r, c, g), bare, rounds=5)
        report(benchmark, f"{recipe.name}, times Pythia alone", ours / pythias, events_per_second=EVENTS / ours)
        assert ours / pythias < 3
    benchmark.pedantic(by_the_batch, (record, recipe, rng), rounds=1)
