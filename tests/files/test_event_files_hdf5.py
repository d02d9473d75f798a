"""The project's own files: the same bytes again, everything comes back, and no damage goes unnoticed."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from event_samples import TOP_PAIR, read_or_error, top_pairs
from hypothesis import given, settings, strategies as st

from gampl import files
from gampl.files import EventFileError, hdf5, reading
from gampl.particles.events import Events

ABOUT = {
    "seed": 12,
    "cuts": {"pT": 22.0, "delta_r": 0.5, "eta_max": None},
    "version": "8.317",
    "chi2_max": None,
    "mpi": False,
    "scale": 0.5,
    "names": ["a", "b"],
    "empty": "",
    "accent": "é",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("ours") / "events.h5"
    samples = {"train": top_pairs(50, seed=1), "holdout": top_pairs(30, seed=2)}
    hdf5.write(path, samples, "top_pair", ABOUT, {"train": np.array([[7, 500, 20], [9, 500, 30]])})
    return path


def test_everything_comes_back(written):
    (train,) = files.batches(written, sample="train")
    expected = top_pairs(50, seed=1)
    assert train.particles == TOP_PAIR
    assert train.about == {"process": "top_pair"} | ABOUT
    np.testing.assert_array_equal(train.momenta, expected.momenta.astype(np.float32).astype(np.float64))
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(train.columns[name], values.astype(np.float32))
    assert hdf5.read_about(written) == train.about
    assert h5py.File(written)["train/shards"][:].tolist() == [[7, 500, 20], [9, 500, 30]]
    assert "shards" not in h5py.File(written)["holdout"]


def test_what_was_read_can_be_written_again_to_the_same_bytes(written, tmp_path):
    samples = {name: files.read(written, sample=name) for name in ("holdout", "train")}
    shards = {"train": h5py.File(written)["train/shards"][:]}
    about = samples["train"].about
    hdf5.write(tmp_path / "again.h5", samples, "top_pair", dict(reversed(about.items())), shards)
    assert (tmp_path / "again.h5").read_bytes() == written.read_bytes()


def test_observables_come_back(tmp_path):
    path, shards = tmp_path / "observables.h5", {"holdout": np.array([[7, 500, 3]])}
    values = {"m_tt": np.array([300.1, np.nan, 2e3]), "pT(b1)": np.array([22.5, 40, 1e-3])}
    hdf5.write(path, {"holdout": values}, "top_pair", ABOUT, shards)
    found = hdf5.read_observables(path)
    assert found.keys() == values.keys()
    for name in values:
        np.testing.assert_array_equal(found[name], values[name].astype(np.float32))
    assert hdf5.read_about(path) == {"process": "top_pair"} | ABOUT
    assert h5py.File(path)["holdout/shards"][:].tolist() == [[7, 500, 3]]
    with files.open_file(path, sample="holdout") as file:  # a table as of anybody
        (columns,) = file.columns(["pT(b1)", "m_tt"])
    for name in values:
        np.testing.assert_array_equal(columns[name], found[name])
    content = bytearray(path.read_bytes())
    content[content.index(h5py.File(path)["holdout/m_tt"].id.read_direct_chunk((0,))[1])] ^= 1
    path.write_bytes(content)
    with pytest.raises(EventFileError, match=r"observables\.h5: cannot read .*, expected an undamaged"):
        hdf5.read_observables(path)


def test_files_of_events_and_of_observables_are_not_mixed_up(written, tmp_path):
    path = tmp_path / "observables.h5"
    hdf5.write(path, {"holdout": {"m_tt": np.ones(3)}}, "top_pair", {})
    with pytest.raises(EventFileError, match=r"has format 'gampl events', version 1; expected 'gampl observables', 1"):
        hdf5.read_observables(written, "train")
    with pytest.raises(EventFileError, match=r"has format 'gampl observables', version 1; expected 'gampl events', 1"):
        files.read(path, kind="gampl")
    with pytest.raises(EventFileError, match="holds the samples holdout, not 'train'"):
        hdf5.read_observables(path, "train")


@pytest.mark.parametrize(
    ("observables", "message"),
    [
        ({}, "observables must be at least one"),
        ({"m_tt": np.ones(3), "pT": np.ones(2)}, r"all of the same shape \(n,\), got \[\(3,\), \(2,\)\]"),
        ({"m_tt": np.ones((3, 2))}, r"all of the same shape \(n,\)"),
        ({"m_tt": np.array(["a"])}, "observable 'm_tt' of type <U1, expected numbers"),
        ({"shards": np.ones(3)}, "names without '/', other than shards, got 'shards'"),
        ({"m/2": np.ones(3)}, "names without '/', other than shards, got 'm/2'"),
    ],
)
def test_observables_that_cannot_be_written(observables, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        hdf5.write(tmp_path / "x.h5", {"holdout": observables}, "top_pair", {})
    assert not (tmp_path / "x.h5").exists()


def test_another_process_writes_the_same_bytes(tmp_path):
    script = """
import sys
import numpy as np
from gampl.files import hdf5
from gampl.particles.events import Events
events = Events(np.load(sys.argv[1]), tuple(sys.argv[3:]), {"weight": np.ones(60)})
hdf5.write(sys.argv[2], {"train": events}, "top_pair", {"seed": 3, "cuts": {"pT": 22.0}, "version": "1.2"})
"""
    momenta, other, here = tmp_path / "momenta.npy", tmp_path / "other.h5", tmp_path / "here.h5"
    np.save(momenta, top_pairs(60).momenta)
    # another order of sets, and other bytes in memory that nobody has written to
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path)), "PYTHONHASHSEED": "5", "MALLOC_PERTURB_": "165"}
    subprocess.run([sys.executable, "-c", script, momenta, other, *TOP_PAIR], check=True, env=environment)
    events = Events(top_pairs(60).momenta, TOP_PAIR, {"weight": np.ones(60)})
    about = {"version": "1.2", "cuts": {"pT": 22.0}, "seed": 3, "process": "top_pair"}
    hdf5.write(here, {"train": events}, "top_pair", about)
    assert other.read_bytes() == here.read_bytes()


def test_momenta_are_compressed_float32_in_chunks_with_units(written):
    with h5py.File(written) as file:
        dataset = file["train/momenta"]
        assert dataset.dtype == np.float32
        assert dataset.shuffle
        assert dataset.compression == "gzip"
        assert dataset.fletcher32
        assert [unit.decode() for unit in dataset.attrs["units"]] == ["GeV", "rad", "1", "GeV"]
        assert [name.decode() for name in dataset.attrs["coordinates"]] == ["pT", "phi", "eta", "m"]


def test_absent_particles_and_empty_samples_come_back(tmp_path):
    momenta = top_pairs(4).momenta
    momenta[1, 5] = 0
    some, none = Events(momenta, TOP_PAIR), top_pairs(3)[:0]
    hdf5.write(tmp_path / "a.h5", {"some": some, "none": none}, "top_pair", {}, {"none": np.array([[4, 100, 0]])})
    assert files.read(tmp_path / "a.h5", sample="some").multiplicity.tolist() == [6, 5, 6, 6]
    (found,) = files.batches(tmp_path / "a.h5", sample="none")
    assert found.momenta.shape == (0, 6, 4)
    assert found.columns.keys() == {"chi2", "weight"}


def test_sizes_of_batches(written):
    assert [len(part) for part in files.batches(written, sample="train", batch=20)] == [20, 20, 10]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_makes_no_difference(data, written, tmp_path_factory):
    content = bytearray(written.read_bytes())
    if data.draw(st.booleans(), label="truncate"):
        content = content[: data.draw(st.integers(0, len(content) - 1), label="length")]
    else:
        where = data.draw(st.integers(0, len(content) - 1), label="where")
        content[where] ^= data.draw(st.integers(1, 255), label="bits")
    damaged = tmp_path_factory.getbasetemp() / "damaged.h5"
    damaged.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:  # a process for each example would take minutes
        patch.setattr(reading, "_apart", reading._here)
        found = read_or_error(damaged, sample="train")
    if not isinstance(found, EventFileError):
        whole = files.read(written, sample="train")
        np.testing.assert_array_equal(found.momenta, whole.momenta)
        assert found.about == whole.about
        assert found.columns.keys() == whole.columns.keys()
        assert all(np.array_equal(found.columns[name], whole.columns[name]) for name in whole.columns)


def altered(change):
    events = top_pairs(20)
    change(events.momenta)
    return {"train": events}


def negative_pt(momenta):
    momenta[3, 1, 0] = -5


def overflowing(momenta):
    momenta[3, 1, 2] = 1e60


def in_mev(momenta):
    momenta[..., [0, 3]] *= 1000


GOOD = {"train": top_pairs(20)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": altered(negative_pt)}, r"event 3 .*, particle q1, pT = -5, .*expected pT of at least 0"),
        ({"samples": altered(overflowing)}, r"event 3 .*, particle q1, .*expected finite"),
        ({"samples": altered(in_mev)}, "the median pT is .*unit='MeV' would fit"),
        ({"samples": {}}, "samples must name at least one sample"),
        ({"samples": {"a/b": top_pairs(2)}}, "without '/'"),
        ({"samples": GOOD | {"holdout": {"m_tt": np.ones(2)}}}, "all be of events, or all be of observables"),
        ({"samples": {"train": Events(top_pairs(1).momenta, TOP_PAIR, {"momenta": np.ones(1)})}}, "columns must"),
        ({"about": {"x": "a" * 70_000}}, r"about\['x'\] must be at most 60000 bytes"),
        ({"about": {"x": object()}}, r"about\['x'\] must be text, a number or JSON"),
        ({"about": {"x": {"y": float("nan")}}}, r"about\['x'\] must be text, a number or JSON"),
        ({"about": {"x": "a\0"}}, r"about\['x'\] must be"),
        ({"about": {"process": "z_jets"}}, r"about\['process'\] must be left out or 'top_pair'"),
        ({"shards": {"holdout": np.array([[1, 2, 3]])}}, "include those of shards"),
        ({"shards": {"train": np.array([[1, 2]])}}, r"shards must be integers of shape \(k, 3\)"),
        ({"shards": {"train": np.array([[1, 2, 3.0]])}}, r"shards must be integers of shape \(k, 3\)"),
        ({"shards": {"train": np.array([[1, 30, 19]])}}, "shards must account for all 20 events, got 19"),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(arguments, message, tmp_path):
    path = tmp_path / "events.h5"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        hdf5.write(path, **({"samples": GOOD, "process": "top_pair", "about": {}} | arguments))
    assert [found.name for found in tmp_path.iterdir()] == ["events.h5"]
    assert path.read_text() == "old"
