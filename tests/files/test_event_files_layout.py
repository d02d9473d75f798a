"""What users say of their files, what is guessed, and which entries of a list become which particle."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyhepmc
import pytest
from event_samples import IDS, LISTS, Z_JETS, N, hepmc_event, lhe_text, momenta, write_parquet_lists, z_jets
from hypothesis import given, strategies as st

from gampl import files
from gampl.files import JET, Layout, reading
from gampl.files.records import pdg_names
from gampl.files.source import OpenFile
from gampl.files.tables import Column, gathered
from gampl.particles.kinematics import COORDINATES, cartesian


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"particles": "abc"}, "particles must be a list of names, got the text 'abc'"),
        ({"particles": ("a", "a")}, "particles must have different names, got a, a"),
        ({"particles": ("a", "b"), "sources": (13,)}, "sources must say where each of the 2 particles is, got 1"),
        ({"unit": "keV"}, "unit must be one of MeV, GeV, TeV, got 'keV'"),
        ({"order": "eta"}, "order must be 'pT' or 'file', got 'eta'"),
        ({"column": "{particle}"}, "column must contain {particle} and {coordinate}, got '{particle}'"),
        ({"coordinates": "pt,eta,phi"}, "coordinates must be pT,phi,eta,m or .*got 'pt,eta,phi'"),
        ({"coordinates": "E,px,py,m"}, "coordinates must be .*got 'E,px,py,m'"),
        ({"coordinates": "pT,phi,eta,m,m"}, "coordinates must be .*got 'pT,phi,eta,m,m'"),
    ],
)
def test_bad_layouts_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Layout(**arguments)


def test_names_of_pdg_ids():
    ids = (13, -13, 21, 21, 5, -5, 24, -24, 23, 22, -12, 211, 211)
    names = ("mu-", "mu+", "g1", "g2", "b", "b~", "W+", "W-", "Z", "gamma", "nu_e~", "pdg2111", "pdg2112")
    assert pdg_names(ids) == names


def gathered_one(layout, n, some):
    """What n particles of one source are of a list."""
    file = OpenFile(Path("a"), io.BytesIO(), layout=layout)
    particles = tuple(f"x{k}" for k in range(n))
    (chunk,) = gathered(file, particles, ["x"] * n, COORDINATES, iter([({"x": some}, {})]))
    return chunk.values


lists = st.lists(st.lists(st.floats(1, 100, allow_subnormal=False), max_size=5), min_size=1, max_size=8)


@given(lists, st.integers(1, 4), st.sampled_from(["pT", "file"]))
def test_taking_from_lists_is_what_a_loop_does(events, wanted, order):
    pt = np.array([value for event in events for value in event])
    entries = np.stack([pt, np.arange(len(pt)), -pt, 2 * pt], axis=-1)
    counts = np.array([len(event) for event in events])
    layout = Layout(order=order, absent=True, further=True)
    found = gathered_one(layout, wanted, Column(entries, counts))
    ends = np.cumsum(counts)
    for event, (n, end) in enumerate(zip(counts, ends, strict=True)):
        rows = list(range(end - n, end))
        if order == "pT":
            rows.sort(key=lambda row: -pt[row])  # stable, as the reader is
        expected = np.zeros((wanted, 4))
        expected[: min(n, wanted)] = entries[rows[:wanted]]
        np.testing.assert_array_equal(found[event], expected)


def test_what_is_not_a_number_is_not_hidden_at_the_end_of_a_list():
    pt = np.array([50.0, np.nan, 40.0])
    lists = Column(np.stack([pt] * 4, axis=-1), np.array([3]))
    found = gathered_one(Layout(further=True), 1, lists)
    assert np.isnan(found).all()


def table(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (("pT", "phi", "eta", "m"), "{particle}_{coordinate}"),
        (("pt", "phi", "eta", "mass"), "{particle}_{coordinate}"),
        (("Pt", "Phi", "Eta", "M"), "{particle}.{coordinate}"),
        (("E", "px", "py", "pz"), "{particle}_{coordinate}"),
        (("energy", "Px", "Py", "Pz"), "{coordinate}[{particle}]"),
        (("pt", "phi", "eta", "e"), "{particle}_{coordinate}"),
    ],
)
def test_the_names_of_columns_tell_particles_and_coordinates(names, column, tmp_path):
    events = momenta(30, 2)
    numbers = dict(zip(("pt", "phi", "eta", "m"), np.moveaxis(events, -1, 0), strict=True))
    numbers |= dict(zip(("e", "px", "py", "pz"), np.moveaxis(cartesian(events), -1, 0), strict=True))
    alias = {"mass": "m", "energy": "e"}
    columns = {
        column.format(particle=particle, coordinate=name): numbers[alias.get(name.lower(), name.lower())][:, k]
        for k, particle in enumerate(("lead_jet", "b2"))
        for name in names
    }
    path = table(tmp_path / "a.parquet", columns | {"m_tt": np.ones(30), "top_m": np.ones(30), "text": ["a"] * 30})
    found = files.read(path, layout=Layout(column=column, keep=("m_tt",)))
    assert found.particles == ("lead_jet", "b2")
    np.testing.assert_allclose(found.momenta, events, rtol=1e-7)
    assert list(found.columns) == ["m_tt"]


def test_particles_are_found_under_other_names_and_in_the_order_wanted(tmp_path):
    events = momenta(30, 2)
    columns = {
        f"{source}_{name}": events[:, k, c]
        for k, source in enumerate(("x", "y"))
        for c, name in enumerate(("pT", "phi", "eta", "m"))
    }
    path = table(tmp_path / "a.parquet", columns)
    found = files.read(path, layout=Layout(particles=("second", "first"), sources=("y", "x")))
    assert found.particles == ("second", "first")
    np.testing.assert_array_equal(found.momenta, events[:, ::-1])


def test_lists_give_jets_in_order_of_pt_or_of_the_file(tmp_path):
    events = z_jets()
    events.momenta[:, 2:] = events.momenta[:, :1:-1]  # the softer jet first
    write_parquet_lists(tmp_path / "a.parquet", events)
    by_pt = files.read(tmp_path / "a.parquet", layout=LISTS)
    np.testing.assert_array_equal(by_pt.momenta[:, 2:], events.momenta[:, :1:-1])
    fields = {name: getattr(LISTS, name) for name in ("particles", "sources", "weight")}
    as_it_is = files.read(tmp_path / "a.parquet", layout=Layout(**fields, order="file"))
    np.testing.assert_array_equal(as_it_is.momenta, events.momenta)
    np.testing.assert_array_equal(as_it_is.columns["weight"], events.columns["weight"])


def test_absent_and_further_entries(tmp_path):
    write_parquet_lists(tmp_path / "a.parquet", z_jets())
    names, sources = ("mu", "j1", "j2", "j3"), ("minus", "Jet", "Jet", "Jet")
    more = files.read(tmp_path / "a.parquet", layout=Layout(names, sources, absent=True))
    assert set(more.multiplicity) == {3}
    assert not more.momenta[:, 3].any()
    fewer = files.read(tmp_path / "a.parquet", layout=Layout(names[:2], sources[:2], further=True))
    np.testing.assert_array_equal(fewer.momenta[:, 1], z_jets().momenta[:, 2])


def test_particles_of_an_lhe_file_are_told_by_its_first_event(tmp_path):
    (tmp_path / "a.lhe").write_text(lhe_text(z_jets()))
    found = files.read(tmp_path / "a.lhe")
    assert found.particles == ("mu-", "mu+", "g", "u")
    np.testing.assert_allclose(found.momenta[..., :3], z_jets().momenta[..., :3], rtol=1e-6)
    np.testing.assert_allclose(found.columns["weight"], z_jets().columns["weight"])


def test_named_weights_of_an_lhe_file(tmp_path):
    (tmp_path / "a.lhe").write_text(lhe_text(z_jets()))
    found = files.read(tmp_path / "a.lhe", layout=Layout(weight="up", keep=("up",)))
    np.testing.assert_allclose(found.columns["weight"], 2 * z_jets().columns["weight"], rtol=1e-4)
    np.testing.assert_array_equal(found.columns["up"], found.columns["weight"])


def test_named_weights_of_a_hepmc_file(tmp_path):
    run = pyhepmc.GenRunInfo()
    run.weight_names = ["nominal", "up"]
    with pyhepmc.open(tmp_path / "a.hepmc", "w") as file:
        for number, row in enumerate(cartesian(z_jets().momenta)):
            event = hepmc_event(number, row, 1.0, pyhepmc.Units.GEV)
            event.run_info = run
            event.weights = [1.0, 2.0 + number]
            file.write(event)
    found = files.read(tmp_path / "a.hepmc", layout=Layout(sources=IDS, weight="up", keep=("nominal",)))
    np.testing.assert_array_equal(found.columns["weight"], 2.0 + np.arange(N))
    np.testing.assert_array_equal(found.columns["nominal"], np.ones(N))


def test_jets_of_any_flavour_are_taken_by_pt(tmp_path):
    events = z_jets()
    events.momenta[:, 2:] = events.momenta[:, :1:-1]
    (tmp_path / "a.lhe").write_text(lhe_text(events))
    found = files.read(tmp_path / "a.lhe", layout=Layout(("j1", "mu-", "j2"), (JET, 13, JET)))
    order = [3, 0, 2]
    np.testing.assert_allclose(found.momenta[..., :3], events.momenta[:, order, :3], rtol=1e-6)
    assert Z_JETS[3] == "j2"


def test_the_unit_of_a_file_can_be_given(tmp_path):
    np.save(tmp_path / "a.npy", momenta(30, 2) * [1000, 1, 1, 1000])
    found = files.read(tmp_path / "a.npy", layout=Layout(unit="MeV"))
    np.testing.assert_allclose(found.momenta, momenta(30, 2), rtol=1e-12)
    assert found.particles == ("p1", "p2")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("shape", [(300, 2, 4), (300, 8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_either_shape_and_order_come_back(name, shape, order, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "FEWEST_EVENTS_CHECKED", 1)
    array = np.asarray(momenta(300, 2).reshape(shape), dtype=">f8", order=order)
    if name == "a.npy":
        np.save(tmp_path / name, array)
    else:
        np.savez(tmp_path / name, x=array, chi2=np.arange(300), notes=np.array([None]), text=np.array([["a"]]))
    layout = Layout(("a", "b"), keep=("chi2",) if name == "a.npz" else ())
    found = list(files.batches(tmp_path / name, layout=layout, batch=70))
    np.testing.assert_array_equal(np.concatenate([part.momenta for part in found]), momenta(300, 2))
    if name == "a.npz":
        np.testing.assert_array_equal(np.concatenate([part.columns["chi2"] for part in found]), np.arange(300))


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7))
def test_batches_have_the_size_that_was_asked_for(sizes, batch):
    events = z_jets(sum(sizes) + 1)
    ends = np.cumsum(sizes)
    parts = [events[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    found = list(reading.regrouped(iter(parts), batch))
    total = sum(sizes)
    expected = [batch] * (total // batch) + [total % batch] * (total % batch > 0)
    assert [len(part) for part in found] == (expected or [0] * bool(sizes))
    if total:
        np.testing.assert_array_equal(np.concatenate([part.momenta for part in found]), events.momenta[:total])
