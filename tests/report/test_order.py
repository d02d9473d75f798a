"""A beginning that is not a random part of its sample is noticed, and a random order is not suspected."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from gampl.report.generated import GeneratorSettings, analyse_generated
from gampl.report.order import FALSE_ALARMS, Order, disorder
from gampl.report.process import Process, Region, SampleFiles
from gampl.report.study import analyse

N, USED = 40_000, 8_000


def order_of(x, first=None, weights=None, batch=7_000):
    """The order of numbers, by whether they are above 1/2, and in eight bins of a normal distribution."""
    made = Order([2, 8], first)
    for start in range(0, len(x), batch):
        part = x[start : start + batch]
        bins = np.searchsorted([-1.15, -0.67, -0.32, 0, 0.32, 0.67, 1.15], part)
        made.update([(part > 0.5).astype(int), bins], None if weights is None else weights[start : start + batch])
    return made


def seen(samples, first=None, weights=None):
    return disorder({f"m{k}": order_of(x, first, weights) for k, x in enumerate(samples)}, str)


def mixture(rng, n=N):
    """As scikit-learn returns it: one component after the other."""
    return np.concatenate([rng.normal(-1, 0.3, n // 2), rng.normal(1, 0.3, n - n // 2)])


def chain(rng, n=N, memory=0.9):
    """A Markov chain in equilibrium."""
    return lfilter([1], [1, -memory], rng.normal(size=n) * np.sqrt(1 - memory**2))


ORDERED = {
    "sorted": lambda rng: np.sort(rng.normal(size=N)),
    "components": mixture,
    "two runs": lambda rng: np.concatenate([rng.normal(size=N // 2), rng.normal(0.2, 1, N // 2)]),
    "sorted once in ten": lambda rng: np.sort(rng.normal(size=(10, N // 10)), axis=1).ravel(),
    "falls to equilibrium": lambda rng: rng.normal(size=N) + 3 * np.exp(-np.arange(N) / 1000),
}


@pytest.mark.parametrize("how", ORDERED)
@pytest.mark.parametrize("first", [None, USED])
def test_an_order_is_seen_whether_or_not_a_part_is_used(how, first):
    rng = np.random.default_rng(1)
    found = seen([ORDERED[how](rng) for _ in range(3)], first)
    assert found.names == ["m0", "m1", "m2"]
    assert found.is_cut is (first is not None and how != "sorted once in ten")  # whose 8000 are two whole pieces


def test_only_the_one_that_has_an_order_is_named():
    rng = np.random.default_rng(2)
    assert seen([rng.normal(size=N), mixture(rng), rng.normal(size=N)]).names == ["m1"]


def test_a_beginning_within_one_component_is_seen_by_the_rest():
    """All of the first 8000 are alike among themselves."""
    rng = np.random.default_rng(3)
    assert seen([mixture(rng)[:USED]]) is None
    found = seen([mixture(rng)], USED)
    assert found.is_cut
    assert abs(found.shares[0] - found.shares[1]) > 0.4


def test_a_chain_in_equilibrium_is_told_from_an_order():
    rng = np.random.default_rng(4)
    found = seen([chain(rng, 400_000) for _ in range(5)])
    assert found.is_chain
    assert 5 < found.excess < 19  # 19 of the numbers themselves, (1 + 0.9) / (1 - 0.9); less of those above a half
    assert not seen([np.sort(rng.normal(size=N))]).is_chain
    assert not seen([mixture(rng)]).is_chain
    assert seen([chain(rng)[::60]]) is None  # which is what is advised


def test_the_order_of_weights_counts_too():
    """Weights that grow along the file, and with x: the share of the weight changes, that of the events does not."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=N)
    assert seen([x], weights=rng.exponential(size=N)) is None
    assert seen([x], weights=np.where(x > 0, 1 + 3 * np.arange(N) / N, 1.0)) is not None
    assert seen([x], weights=rng.choice([-1.0, 1.0], N, p=[0.2, 0.8])) is None


@pytest.mark.parametrize("first", [None, USED])
@pytest.mark.parametrize("weighted", [False, True])
def test_false_alarms_are_as_rare_as_stated(first, weighted, monkeypatch):
    """At a rate of 5 %; 200 reports, whose standard deviation is 1.5 %: 11 % are four of them away.

    The tests of a report are not independent, so that there are fewer. At the rate that is used, 1 in 10 000, 4 of
    20 012 reports of 3 members had one.
    """
    monkeypatch.setattr("gampl.report.order.FALSE_ALARMS", 0.05)
    rng = np.random.default_rng([6, weighted])
    weights = rng.exponential(size=12_000) if weighted else None
    found = [seen(rng.normal(size=(3, 12_000)), first, weights) for _ in range(200)]
    assert np.mean([one is not None for one in found]) < 0.11
    assert FALSE_ALARMS == 1e-4


def files(folder: Path, name, samples):
    paths = []
    for k, x in enumerate(samples):
        paths.append(folder / f"{name}{k}.npz")
        np.savez(paths[-1], x=x)
    return SampleFiles(tuple(paths))


def study(folder, samples, holdout, **options):
    """In one region, and by one summary."""
    true = files(folder, "holdout", [holdout])
    members = files(folder, "m", samples)
    return analyse(Process(1000, members, holdout=true, regions=(Region(condition="x > 0.5"),), **options))


def said(made):
    return [str(warning) for warning in made.warnings if "random order" in warning]


def test_an_answer_from_a_beginning_is_doubted_and_one_from_all_events_is_not(tmp_path):
    rng = np.random.default_rng(7)
    samples, holdout = [mixture(rng) + 0.01 * rng.normal() for _ in range(5)], mixture(rng, 2000)
    part = study(tmp_path, samples, holdout, summaries=("x",), n_gen=USED)
    assert all(said(part)[0] in part.doubts(finding) for finding in part.estimates)
    assert "x > 0.5: 0 % of the first ones, 59.4 % of the others" in said(part)[0]
    assert "use all, or shuffle the files" in said(part)[0]
    assert part.n_gen == (USED,) * 5
    whole = study(tmp_path, samples, holdout, summaries=("x",))
    assert "do not depend on it, but the curves against n_gen do" in said(whole)[0]
    assert not any(said(whole)[0] in whole.doubts(finding) for finding in whole.findings)
    shuffled = study(tmp_path, [rng.permutation(x) for x in samples], holdout, summaries=("x",), n_gen=USED)
    assert not said(shuffled)


def test_a_classifier_of_ordered_files_is_doubted_and_a_chain_in_averaging(tmp_path):
    rng = np.random.default_rng(8)
    mixed = study(tmp_path, [mixture(rng)] * 1, mixture(rng, 2000), summaries=("x",), classifier=("x",))
    assert {f.summary: bool(mixed.doubts(f)) for f in mixed.findings} == {"x": False, "classifier of x": True}
    of_chain = study(tmp_path, [chain(rng) for _ in range(5)], rng.normal(size=2000), summaries=("x",))
    assert {f.method: bool(of_chain.doubts(f)) for f in of_chain.findings} == {"averaging": True, "differential": False}
    assert "keep every so many-th event" in said(of_chain)[0]


class Fit:
    """An ensemble of two, as `gampl.training.ensemble.Ensemble`, of normal distributions; counts what it makes."""

    def __init__(self):
        self.made, self.excluded = 0, {}

    def __len__(self):
        return 2

    def stream(self, member, n, seed):
        rng = np.random.default_rng([seed, member])
        for _ in range(n // 1000):
            self.made += 1000
            yield rng.normal(size=(1000, 1))


@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_generator_that_is_trained_on_the_head_of_a_sorted_file_is_doubted(is_sorted, tmp_path):
    """Its own events are in random order, and no more of them are made than are used."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=4000)
    train = files(tmp_path, "train", [np.sort(x) if is_sorted else x])
    regions = (Region(condition="x > 0.5"),) if is_sorted else (Region(condition="x > 0"),)
    process = Process(1000, train=train, regions=regions, summaries=("x",), n_gen=5000)
    ensemble = Fit()
    made = analyse_generated(process, GeneratorSettings("kde", 2, ("x",), n_gen=20_000), ensemble)
    assert ensemble.made == 10_000
    assert len(said(made)) == is_sorted
    if is_sorted:
        assert said(made)[0].startswith("the training sample: the events do not come in random order (")
        assert all(said(made)[0] in made.doubts(finding) for finding in made.estimates)
