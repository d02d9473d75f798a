"""Kolmogorov-Smirnov distances of a long stream to a small reference, next to scipy's test of two whole samples."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from side_by_side import report, seconds

from gampl.distances import Comparison, trace
from gampl.kolmogorov import KolmogorovSmirnov

N_GEN, BATCH = 10**7, 65_536
PREFIXES = np.geomspace(1e5, N_GEN, 21).round().astype(int)


def samples(dtype: type) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    rng = np.random.default_rng(1)
    return rng.normal(size=1000).astype(dtype), rng.normal(0.01, 1, N_GEN).astype(dtype)


def batches(values: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    return [values[start : start + BATCH] for start in range(0, len(values), BATCH)]


def by_scipy(reference: NDArray[np.floating], values: NDArray[np.floating]) -> float:
    return float(stats.ks_2samp(reference, values, method="asymp").statistic)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_distance(benchmark, dtype):
    reference, values = samples(dtype)

    def stream():
        test = KolmogorovSmirnov(reference)
        for batch in batches(values):
            test.update(batch)
        return test.distance

    assert abs(stream() - by_scipy(reference, values)) < 1e-12
    ours, scipys = seconds(stream, lambda: by_scipy(reference, values), rounds=3)
    report(benchmark, "speed-up", scipys / ours, seconds=ours, scipy=scipys)
    benchmark.pedantic(stream, rounds=2)
    assert scipys >= 10 * ours


def test_21_prefixes(benchmark):
    reference, values = samples(np.float32)

    def stream():
        return trace(batches(values), [Comparison(lambda x: x, reference)], PREFIXES).distances[0]

    def one_by_one():
        return [by_scipy(reference, values[:n]) for n in PREFIXES]

    ours, scipys = seconds(stream, one_by_one, rounds=1)
    np.testing.assert_allclose(stream(), one_by_one(), atol=1e-12)
    report(benchmark, "speed-up", scipys / ours, seconds=ours, scipy=scipys)
    benchmark.pedantic(stream, rounds=2)
    assert scipys >= 30 * ours


def test_memory(benchmark):
    """The peak over a stream of ten times the length; the batches are made while it passes."""
    reference, _ = samples(np.float64)

    def peak(n_gen: int) -> int:
        rng = np.random.default_rng(2)
        stream = (rng.normal(size=BATCH) for _ in range(n_gen // BATCH + 1))
        tracemalloc.start()
        trace(stream, [Comparison(lambda x: x, reference)], np.linspace(0, n_gen, 6).astype(int)[1:])
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    short, long = peak(N_GEN // 10), peak(N_GEN)
    report(benchmark, "peak memory of 10 times the events", long / short, bytes=long)
    benchmark.pedantic(lambda: peak(N_GEN // 10), rounds=1)
    assert long <= 1.02 * short
