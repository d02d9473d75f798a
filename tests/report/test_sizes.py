"""Memory and work grow with the numbers of regions, members and labels, and not with their squares."""

import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gampl.files.tables import Labels
from gampl.kolmogorov import KolmogorovSmirnov
from gampl.report.members import Overlaps
from gampl.report.process import Process, Region, SampleFiles
from gampl.report.samples import Batch
from gampl.report.study import analyse_streams

N = 8_000


def peak(n_regions):
    """Most bytes that an analysis of two members in adjacent regions holds at a time."""
    edges = np.linspace(0, 1, n_regions + 1).tolist()
    regions = [Region(condition=f"{low!r} <= x < {high!r}") for low, high in pairwise(edges)]
    process = Process(1000, SampleFiles((Path("a"),)), regions=tuple(replace(r, name=r.condition) for r in regions))
    samples = np.random.default_rng(n_regions).random((2, N))

    def streams(_):
        return [(f"m{k}", [Batch({"x": x})]) for k, x in enumerate(samples)]

    analyse_streams(process, streams)
    tracemalloc.start()
    study = analyse_streams(process, streams)
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(study.findings) == n_regions
    return size


def test_a_region_needs_a_few_bytes_of_each_event():
    """Its mask and lost events, and the masks once more as a matrix; 32 when all places and sums were kept."""
    assert (peak(120) - peak(20)) / (100 * N) < 6


@pytest.mark.parametrize("n", [1, 9000])
def test_overlaps_are_counted(n):
    rng = np.random.default_rng(n)
    masks = rng.random((5, 2, n)) < 0.3
    overlaps = Overlaps(5)
    for part in range(2):
        overlaps.update(list(masks[:, part]))
    for a in range(5):
        assert overlaps.inside[a] == masks[a].sum()
        for b in range(a):
            assert overlaps.shared[a, b] == (masks[a] & masks[b]).sum()


def test_labels_take_their_events_in_order(monkeypatch):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 500, 3000).astype(np.float64)
    batch = Batch({"x": rng.random(3000)}, rng.random(3000), labels)
    taken, rows = [], Batch.rows
    monkeypatch.setattr(Batch, "rows", lambda self, which: taken.append(len(found := rows(self, which))) or found)
    for name, part in batch.by_member("file"):
        which = labels == float(name.removeprefix("member "))
        np.testing.assert_array_equal(part.columns["x"], batch.columns["x"][which])
        np.testing.assert_array_equal(part.weights, batch.weights[which])
    assert sum(taken) == 2 * 3000


@pytest.mark.parametrize("words", [["b", "ä", "c"], ["b", "a", "b"], [b"2", b"1", b"10"], [2.0, 1.0, 0.5]])
def test_labels_are_the_same_in_any_form(words):
    """As words, of which some come twice and others not at all, or as an array; members come in their words' order."""
    which = np.random.default_rng(4).choice([0, 1, 2], 200)
    forms = Labels([*words, None, "unused"], which), np.array(words, dtype=object)[which], np.array(words)[which]
    first, *others = (
        [(name, part.columns["x"].tolist()) for name, part in Batch({"x": np.arange(200.0)}, None, form).by_member("")]
        for form in forms
    )
    assert others == [first, first]
    assert len(first) == len({*words})
    with pytest.raises(ValueError, match=f"^f: has {(which == 1).sum()} events without the name of a member"):
        next(Batch({"x": np.arange(200.0)}, None, Labels([words[0], None, words[2]], which)).by_member("f"))


@pytest.mark.parametrize("is_rounded", [False, True])
def test_few_values_have_the_same_distance_as_all_points_say(is_rounded):
    rng = np.random.default_rng(7)
    for n in (2, 3, 50, 400):
        reference, values = (np.round(x, 1) if is_rounded else x for x in (rng.normal(size=n), rng.normal(size=n - 1)))
        distances = KolmogorovSmirnov(np.append(reference, 9.0))
        for k in range(n - 1):
            distances.update(values[k : k + 1])
            assert distances._few or is_rounded  # not counted yet
            points, repeats = np.unique(distances.reference, return_counts=True)
            up_to, seen = np.cumsum(repeats) / (n + 1), values[: k + 1, None]
            off = [(seen <= points).mean(0) - up_to, (seen < points).mean(0) - (up_to - repeats / (n + 1))]
            assert distances.distance == pytest.approx(np.abs(off).max(), abs=1e-15)


def test_members_of_few_events_need_no_memory_for_each_true_one():
    reference = KolmogorovSmirnov(np.random.default_rng(1).normal(size=100_000))
    tracemalloc.start()
    members = [reference.another(f"member {k}") for k in range(100)]
    for member in members:
        member.update(np.arange(150.0))
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(len(member.prefixes) == 1 for member in members)
    assert size / len(members) < 20_000  # bytes; 4 000 000 when each counted the values below each point
