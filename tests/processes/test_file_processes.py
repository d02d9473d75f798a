"""What processes known by files share: finding the files, drawing events, cuts on jets."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from gampl.particles.events import Events
from gampl.particles.kinematics import delta_r
from gampl.processes import samples
from gampl.store import provenance


def numbered(n: int, weights: np.ndarray | None = None) -> Events:
    """Events of one particle whose pT is the number of the event."""
    momenta = np.zeros((n, 1, 4))
    momenta[:, 0, 0] = np.arange(n)
    return Events(momenta, ("a",), {} if weights is None else {"weight": weights})


def test_the_bundled_files_lie_in_the_checkout_or_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.delenv("GAMPL_DATA", raising=False)
    assert samples.default_folder().name == "data"
    assert (samples.default_folder().parent / "pyproject.toml").exists()
    monkeypatch.setenv("GAMPL_DATA", str(tmp_path))
    assert samples.default_folder() == tmp_path


def test_an_installed_package_without_checkout_says_what_to_do(tmp_path):
    shutil.copytree(provenance.PACKAGE, tmp_path / "site" / "gampl")
    environment = {name: value for name, value in os.environ.items() if name != "GAMPL_DATA"}
    environment["PYTHONPATH"] = str(tmp_path / "site")
    code = "from gampl.processes import TopPair; TopPair().load()"
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    error = done.stderr.splitlines()[-1]
    assert error.startswith("FileNotFoundError: the bundled events come with the project's checkout")
    assert error.endswith("in the environment variable GAMPL_DATA, or a file in path=")


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 2**32))
def test_drawn_events_are_different_ones(n, seed):
    drawn = samples.draw(numbered(30), n, np.random.default_rng(seed))
    assert drawn.shape == (n, 1, 4)
    assert len({*drawn[:, 0, 0]}) == n


def test_the_same_seed_draws_the_same_events_in_random_order():
    first, second, other = (
        samples.draw(numbered(100), 100, np.random.default_rng(seed))[:, 0, 0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    # false-alarm rate 1e-4
    assert stats.spearmanr(first, np.arange(100)).pvalue > 1e-4


def test_drawing_undoes_weights():
    # one event in five weighs five times as much: after drawing, half as many again are of the heavy kind
    weights = np.where(np.arange(20_000) % 5 == 0, 5.0, 1.0)
    drawn = samples.draw(numbered(20_000, weights), 6000, np.random.default_rng(1))[:, 0, 0]
    heavy = np.count_nonzero(drawn % 5 == 0)
    # 5 / 9 of the total weight; false-alarm rate 1e-4
    assert stats.binomtest(heavy, 6000, 5 / 9).pvalue > 1e-4
    assert len({*drawn}) == 6000


def test_equal_weights_cost_no_events():
    drawn = samples.draw(numbered(10, np.full(10, 0.3)), 10, np.random.default_rng(1))
    assert sorted(drawn[:, 0, 0]) == list(range(10))


@pytest.mark.parametrize(
    ("events", "n", "message"),
    [
        (numbered(5), 6, "between 0 and the 5 different events of the sample, got 6; `gampl events make`"),
        (numbered(5), -1, "got -1"),
        (
            numbered(100, np.linspace(0, 1, 100)),
            100,
            r"the \d\d different events of equal weight of the sample, got 100",
        ),
        (numbered(2, np.array([1.0, -1.0])), 1, "weights are finite and not negative"),
        (numbered(2, np.array([1.0, np.nan])), 1, "weights are finite and not negative"),
        (numbered(2, np.array([1.0, np.inf])), 1, "weights are finite and not negative"),
    ],
)
def test_what_cannot_be_drawn(events, n, message):
    with pytest.raises(ValueError, match=message):
        samples.draw(events, n, np.random.default_rng(1))


def random_jets(n: int, n_jets: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    pt, eta, phi = (
        22 + rng.exponential(50, (n, n_jets)),
        rng.normal(0, 1.5, (n, n_jets)),
        rng.uniform(-3, 3, (n, n_jets)),
    )
    jets = np.stack([pt, phi, eta, np.ones((n, n_jets))], axis=-1)
    jets[rng.random((n, n_jets)) < 0.2] = 0  # absent
    return jets


@pytest.mark.parametrize(
    "cuts",
    [{"pt_min": 30.0}, {"eta_max": 2.0}, {"delta_r_min": 0.7}, {"pt_min": 25.0, "eta_max": 3.0, "delta_r_min": 0.4}],
    ids=str,
)
def test_cuts_agree_with_a_loop(cuts):
    events = random_jets(300, 4)
    expected = []
    for event in events:
        jets = [jet for jet in event if jet[0] > 0]
        passed = all(jet[0] > cuts.get("pt_min", 0) and abs(jet[2]) < cuts.get("eta_max", np.inf) for jet in jets)
        pairs = [delta_r(a, b) for k, a in enumerate(jets) for b in jets[:k]]
        expected.append(passed and all(distance > cuts.get("delta_r_min", -1) for distance in pairs))
    mask = samples.Cuts(**cuts)(events)
    assert mask.tolist() == expected
    assert 0 < mask.sum() < 300


def test_without_cuts_all_pass_and_with_cuts_nan_does_not():
    events = random_jets(10, 3)
    assert samples.Cuts()(events).all()
    events[:] = [30, 0, 1, 5]
    events[:, 1, 1] = 2
    events[:, 2, 1] = -2
    for coordinate, cut in (
        (0, {"pt_min": 22}),
        (1, {"delta_r_min": 0.5}),
        (2, {"eta_max": 5}),
        (2, {"delta_r_min": 0.5}),
    ):
        broken = events.copy()
        broken[3, 1, coordinate] = np.nan
        assert np.flatnonzero(~samples.Cuts(**cut)(broken)).tolist() == [3]
