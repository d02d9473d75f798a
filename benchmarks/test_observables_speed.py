"""The mass of six jets, next to the library for such vectors."""

import numpy as np
import vector
from side_by_side import report, seconds

from gampl.processes.top_pair import TopPair

EVENTS = 100_000


def test_mass_of_top_pairs(benchmark):
    process = TopPair()
    rng = np.random.default_rng(1)
    low, high = (22, -np.pi, -4.5, 0), (300, np.pi, 4.5, 30)
    momenta = rng.uniform(low, high, size=(EVENTS, len(process.particles), 4)).astype(np.float32)
    mass = process.observable("m_tt")

    def with_vector():
        pt, phi, eta, m = np.moveaxis(momenta.astype(np.float64), -1, 0)
        return vector.array({"pt": pt, "phi": phi, "eta": eta, "mass": m}).sum(axis=1).mass

    np.testing.assert_allclose(mass(momenta), with_vector(), rtol=1e-9)
    ours, theirs = seconds(lambda: mass(momenta), with_vector, rounds=7)
    report(benchmark, "speed-up", theirs / ours, events_per_second=EVENTS / ours)
    benchmark.pedantic(mass, (momenta,), rounds=3)
    assert theirs / ours >= 1
