"""Small trainings of all kinds, and events for them, that the tests of this folder share."""

from dataclasses import replace

import numpy as np

from gampl.generators.settings import Architecture, Solver
from gampl.training import train as train_module
from gampl.training.settings import Fit, LeadingOrder, Ring, Table, TopPairJets, Training

FIT = Fit(steps=30, batch_size=64, learning_rate=5e-3, warmup=5, validate_every=10, patience=3, checkpoint_seconds=0)
COARSE = Solver("midpoint", 2)
SMALL = {
    "transformer": Architecture("transformer", blocks=1, heads=2, width=8),
    "autoregressive": Architecture("autoregressive", blocks=1, heads=2, width=8, components=3),
    "spline": Architecture("spline", blocks=2, heads=1, width=8, components=3),
}
EQUIVARIANT = {
    "lgatr": Architecture("lgatr", blocks=1, heads=2, width=8, vectors=2),
    "lgatr_slim": Architecture("lgatr_slim", blocks=1, heads=2, width=8, vectors=2),
    "lloca": Architecture("lloca", blocks=1, heads=2, width=16, vectors=1, frames=4),
}
QUICK = Training(TopPairJets(), 200, SMALL["transformer"], members=3, fit=FIT)
RING = Training(Ring(2), 200, SMALL["autoregressive"], "deep", members=3, fit=FIT)
ROWS = Training(Table(("a", "b")), 200, replace(SMALL["spline"], couplings=False), members=3, fit=FIT)
PROCESSES = {"jets": TopPairJets(), "leading-order": LeadingOrder()}


def particles(process, kind):
    """A training on LHC events; of flows one that starts from a density that covers everything, and learns quickly."""
    size, fit = replace(SMALL[kind], base="normal"), replace(FIT, learning_rate=2e-2 if kind == "transformer" else 5e-3)
    return replace(QUICK, process=process, architecture=size, fit=fit)


# one of each process and kind of network
TRAININGS = {
    **{f"{name}-{kind}": particles(process, kind) for name, process in PROCESSES.items() for kind in SMALL},
    "ring-autoregressive": RING,
    "ring-spline": replace(RING, architecture=SMALL["spline"]),
    "table-spline": ROWS,
    "table-autoregressive": replace(ROWS, architecture=SMALL["autoregressive"]),
}


def jets(n=200, seed=0):
    """Events of six jets that need not make tops, (n, 6, 4)."""
    rng = np.random.default_rng(seed)
    shape = (n, 6)
    columns = [22 + rng.exponential(60, shape), rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.2, shape)]
    return np.stack([*columns, rng.gamma(4, 2, shape)], -1)


def pairs(n=200, seed=0):
    """Events (m, Y, cos theta*, phi), (n, 4)."""
    rng = np.random.default_rng(seed)
    columns = [350 + rng.exponential(100, n), rng.normal(0, 0.8, n), rng.uniform(-0.9, 0.9, n)]
    return np.stack([*columns, rng.uniform(-np.pi, np.pi, n)], -1)


def table(n=200, seed=0):
    """A positive column with a long tail and one that depends on it, (n, 2)."""
    rng = np.random.default_rng(seed)
    first = rng.lognormal(1, 0.5, n)
    return np.stack([first, rng.normal(first, 1.0)], axis=1)


def events_of(training, n=None, seed=0):
    """As many events as a training takes, or n."""
    makers = {TopPairJets: jets, LeadingOrder: pairs, Table: table}
    make = makers.get(type(training.process), lambda n, seed: np.random.default_rng(seed).normal(size=(n, 2)))
    return make(n or training.n_events, seed)


def data_of(training):
    """What a training takes: events, or a function if its members have their own."""
    return events_of(training) if training.posterior != "independent" else lambda k: events_of(training, seed=k)


def state(trained):
    """All weights of a generator by name."""
    return dict(trained.generator.named_parameters())


def interrupted(monkeypatch, number):
    """Interrupts the training of this number, counted from 1; returns the list of the calls."""
    train, calls = train_module.train, []

    def counted(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(train_module, "train", counted)
    return calls
