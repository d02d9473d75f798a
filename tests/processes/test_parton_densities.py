"""Parton densities: against Pythia's, their upper bounds, and where the table lies."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import pythia8mc
from scipy import integrate

from gampl.processes import parton_densities
from gampl.processes.parton_densities import PARTONS, PINNED_PYTHIA, PartonDensities, luminosities, nodes
from gampl.store.artifacts import Store

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def densities():
    return PartonDensities.of_pythia()


@pytest.fixture(scope="module")
def proton():
    pythia = pythia8mc.Pythia("", False)
    for line in ("Print:quiet = on", "ProcessLevel:all = off"):
        pythia.readString(line)
    pythia.init()
    return pythia, pythia.getPDFPtr(2212)  # the first keeps the second alive


def column(parton):
    return PARTONS.index(parton)


def test_between_the_nodes_they_are_pythias(densities, proton):
    rng = np.random.default_rng(1)
    x, Q = np.exp(rng.uniform(np.log(7e-4), 0, 1000)), np.exp(rng.uniform(np.log(173), np.log(6500), 1000))
    exact = np.array([[proton[1].xf(p, float(a), float(b) ** 2) for p in PARTONS] for a, b in zip(x, Q, strict=True)])
    error = np.abs(densities(x, Q) - exact)
    frequent = np.ix_(x < 0.5, [column(p) for p in (21, 1, 2, -1, -2)])
    assert (error[frequent] / exact[frequent]).max() < 1e-4
    # each parton, in units of the most frequent one, to where that is 500 times less than at x = 0.5
    assert (error / exact.max(axis=1, keepdims=True))[x < 0.9].max() < 1e-3


def test_at_the_nodes_they_are_the_table(densities):
    x, Q = (grid.ravel() for grid in np.meshgrid(*nodes(), indexing="ij"))
    np.testing.assert_allclose(densities(x, Q), densities.table.reshape(-1, 11), rtol=1e-9, atol=1e-14)


def test_sum_rules_tell_the_partons_apart(densities):
    def integral(f, power):
        log_x = np.linspace(np.log(parton_densities.X_MIN), 0, 4001)
        values = densities(np.exp(log_x), np.full_like(log_x, 100.0))
        return integrate.simpson(f(values) * np.exp(power * log_x), x=log_x)

    assert integral(lambda v: v.sum(axis=1), 1) == pytest.approx(1, abs=0.01)  # the photon has the rest
    for parton, number in ((2, 2), (1, 1), (3, 0), (4, 0), (5, 0)):
        valence = integral(lambda v, p=parton: v[:, column(p)] - v[:, column(-p)], 0)
        assert valence == pytest.approx(number, abs=0.05)  # below X_MIN some is left


def test_luminosities_are_sums_over_pairs(densities):
    f1, f2 = densities(np.array([0.1, 0.02]), np.array([200.0, 300.0])), densities([0.3, 0.01], [200.0, 300.0])
    gg, qqbar = luminosities(f1, f2)
    np.testing.assert_allclose(gg, f1[:, 0] * f2[:, 0])
    pairs = [(q, -q) for q in PARTONS if q != 21]
    np.testing.assert_allclose(qqbar, sum(f1[:, column(a)] * f2[:, column(b)] for a, b in pairs))


def test_outside_of_the_table_they_are_nan(densities):
    assert np.isnan(densities([0.9e-5, 0.1, 0.1, 1.1], [100.0, 19.0, 10_001.0, 100.0])).all()


def test_upper_bounds_hold_and_are_close(densities):
    rng = np.random.default_rng(2)
    edges = densities.log_x_edges
    interval = rng.integers(0, len(edges) - 1, 20_000)
    q_low, q_high = np.sort(np.exp(rng.uniform(np.log(20), np.log(10_000), (20_000, 2)))).T
    share, q_share = rng.choice([0.0, 0.3, 0.7, 1.0], (2, 20_000))  # the ends, too
    x = np.exp(np.minimum(edges[interval] + share * np.diff(edges)[interval], 0))
    Q = np.clip(q_low * (q_high / q_low) ** q_share, q_low, q_high)
    bounds, values = densities.upper_bounds(interval, q_low, q_high), densities(x, Q)
    assert (values <= bounds * (1 + 1e-12)).all()
    narrow = (q_high < 1.1 * q_low) & (x < 0.3)
    assert np.median(bounds[narrow] / values[narrow]) < 1.1


def test_the_table_is_made_once(tmp_path, monkeypatch):
    store = Store(tmp_path)
    made = PartonDensities.of_pythia("2", store)
    monkeypatch.setitem(sys.modules, "pythia8mc", None)  # importing it now fails
    np.testing.assert_array_equal(PartonDensities.of_pythia("2", store).table, made.table)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'gampl\[simulation\]'"):
        PartonDensities.of_pythia("13", store)


def test_without_pythia_the_table_of_the_pinned_version_is_found(tmp_path, monkeypatch):
    store = Store(tmp_path)
    made = PartonDensities.of_pythia("2", store)

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    np.testing.assert_array_equal(PartonDensities.of_pythia("2", store).table, made.table)


def test_the_pinned_version_is_the_one_of_the_extra():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert f"pythia8mc=={PINNED_PYTHIA}" in project["project"]["optional-dependencies"]["simulation"]


def test_a_damaged_table_is_made_anew(tmp_path):
    store = Store(tmp_path)
    made = PartonDensities.of_pythia("2", store)
    (file,) = tmp_path.rglob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged"):
        again = PartonDensities.of_pythia("2", store)
    np.testing.assert_array_equal(again.table, made.table)


def test_two_processes_at_once(tmp_path):
    code = (
        "import sys; from gampl.processes.parton_densities import PartonDensities;"
        "from gampl.store.artifacts import Store;"
        "print(PartonDensities.of_pythia('2', Store(sys.argv[1])).table.sum())"
    )
    runs = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sums[0] == sums[1]
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


@pytest.mark.parametrize("pdf_set", ["99", "nonsense", "LHAGrid1:missing.dat"])
def test_an_unknown_set_is_named(tmp_path, pdf_set):
    with pytest.raises(ValueError, match=f"no set of parton densities PDF:pSet = '{pdf_set}'"):
        PartonDensities.of_pythia(pdf_set, Store(tmp_path))
    assert not list(tmp_path.rglob("*.safetensors"))
