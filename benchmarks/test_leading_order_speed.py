"""Top pairs with a known density, next to what one would take otherwise: the hard process of Pythia alone."""

import numpy as np
import pythia8mc
from side_by_side import report, seconds

from gampl.processes.leading_order_top_pair import LeadingOrderTopPair

EVENTS = 100_000


def test_sampling(benchmark):
    """Ours as coordinates and as momenta, against Pythia's loop, which does not even read the events here."""
    process = LeadingOrderTopPair()
    rng = np.random.default_rng(1)
    process.sample(1, rng)  # tabulates, integrates and bounds

    pythia = pythia8mc.Pythia("", False)
    for line in ("Print:quiet = on", "Random:setSeed = on", "Random:seed = 1", *process.pythia_settings):
        pythia.readString(line)
    pythia.init()

    def loop():
        for _ in range(EVENTS):
            pythia.next()

    ours, momenta, pythias = seconds(
        lambda: process.sample(EVENTS, rng),
        lambda: process.coordinates.momenta(process.sample(EVENTS, rng)),
        loop,
        rounds=5,
    )
    report(
        benchmark,
        "speed-up",
        pythias / ours,
        as_momenta=pythias / momenta,
        events_per_second=EVENTS / ours,
        pythias_events_per_second=EVENTS / pythias,
    )
    benchmark.pedantic(process.sample, (EVENTS, rng), rounds=3)
    assert EVENTS / ours >= 40_000
    assert pythias / ours >= 2


def test_log_prob(benchmark):
    """In double precision, against drawing the same events."""
    process = LeadingOrderTopPair()
    events = process.sample(EVENTS, np.random.default_rng(2))
    density, sampling = seconds(
        lambda: process.log_prob(events), lambda: process.sample(EVENTS, np.random.default_rng(3)), rounds=5
    )
    report(benchmark, "against sampling", sampling / density, events_per_second=EVENTS / density)
    benchmark.pedantic(process.log_prob, (events,), rounds=3)
    assert EVENTS / density >= 100_000


def test_first_event(benchmark):
    """What comes once for each process: densities out of the store, quadrature, upper bounds."""
    first, pythia = seconds(lambda: LeadingOrderTopPair().sample(1, np.random.default_rng(4)), start_pythia, rounds=3)
    report(benchmark, "against the start of Pythia", first / pythia, seconds=first)
    benchmark.pedantic(lambda: LeadingOrderTopPair().sample(1, np.random.default_rng(4)), rounds=2)
    assert first < 10


def start_pythia():
    pythia = pythia8mc.Pythia("", False)
    pythia.readString("Print:quiet = on")
    for line in LeadingOrderTopPair().pythia_settings:
        pythia.readString(line)
    pythia.init()
