"""Frames of pandas in HDF5, laid out as PyTables 3.11 and pandas 3.1 write them, and what lies in groups."""

import pickle

import h5py
import numpy as np
import pandas as pd
import pytest

from gampl.files import EventFileError, open_file, reading

N = 40
FRAME = pd.DataFrame(
    {
        "x": np.random.default_rng(1).normal(size=N),
        "n": np.arange(N),
        "µ [GeV]": np.random.default_rng(2).exponential(size=N),
        "who": np.repeat(["anna", "bert"], N // 2),
        "kind": pd.Categorical(["a", "b"] * (N // 2)),
    }
)
NUMBERS = ["x", "n", "µ [GeV]"]
NO_OBJECTS = "kept by pandas as pickled objects, categories or times; expected numbers, written by to_hdf"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(reading, "_apart", reading._here)


def read(path, *names, labels=(), **options):
    with open_file(path, **options) as file:
        parts = list(file.columns(names, labels))
    return [np.concatenate([part[name] for part in parts]) for name in names]


def columns_of(names):
    """As an array, names of whole numbers as such."""
    return np.array([name if isinstance(name, int) else name.encode() for name in names])


def write_fixed(group, frame):
    """A matrix for all columns of a type."""
    group.attrs["pandas_type"] = np.bytes_(b"frame")
    group["axis0"], group["axis1"] = columns_of(frame), np.arange(len(frame))
    kinds = frame.dtypes.map(str)
    for k, kind in enumerate(dict.fromkeys(kinds)):
        part = frame.loc[:, kinds == kind]
        group[f"block{k}_items"] = columns_of(part)
        if kind in ("str", "object", "category"):
            content = np.frombuffer(pickle.dumps(part.to_numpy()), dtype=np.uint8)
            values = group.create_dataset(f"block{k}_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
            values[0] = content
            values.attrs["value_type"] = np.bytes_(b"str")
        else:
            group[f"block{k}_values"] = part.to_numpy()


def write_table(group, frame, data_columns):
    """A field for each column, or one for all of a type."""
    group.attrs["pandas_type"] = np.bytes_(b"frame_table")
    group.create_group("_i_table")
    stored = frame.assign(**{name: frame[name].cat.codes for name in frame if frame[name].dtype == "category"})
    for name in stored:
        if stored[name].dtype == "str":
            stored[name] = stored[name].map(str.encode).astype(object)
    kinds = stored.dtypes.map(str)
    parts = (
        [[name] for name in stored] if data_columns else [[*stored.columns[kinds == k]] for k in dict.fromkeys(kinds)]
    )
    arrays, about = {"index": np.arange(len(frame))}, {}
    for k, names in enumerate(parts):
        field = names[0] if data_columns else f"values_block_{k}"
        values = np.stack([np.array(stored[name].to_list()) for name in names], axis=1)
        arrays[field] = values[:, 0] if data_columns else values
        about[f"{field}_kind"] = np.bytes_(pickle.dumps(names, protocol=0))
        about[f"{field}_meta"] = np.bytes_(b"category" if frame[names[0]].dtype == "category" else b"N.")
    dtype = [(name, values.dtype, values.shape[1:]) for name, values in arrays.items()]
    rows = np.empty(len(frame), dtype=dtype)
    for name, values in arrays.items():
        rows[name] = values
    group.create_dataset("table", data=rows, chunks=(16,)).attrs.update(about)


def write(path, frame=FRAME, how="fixed", key="df"):
    with h5py.File(path, "a") as file:
        group = file.create_group(key)
        write_fixed(group, frame) if how == "fixed" else write_table(group, frame, how == "data columns")


@pytest.mark.parametrize("how", ["fixed", "table", "data columns"])
@pytest.mark.parametrize("key", ["df", "deep/in/it"])
def test_numbers_of_frames(tmp_path, how, key):
    path = tmp_path / "a.h5"
    write(path, how=how, key=key)
    for options in ({}, {"sample": key}, {"sample": key.partition("/")[0]}):
        for name, values in zip(NUMBERS, read(path, *NUMBERS, **options), strict=True):
            np.testing.assert_array_equal(values, FRAME[name])
    with pytest.raises(EventFileError, match=f"column 'kind' is {NO_OBJECTS}"):
        read(path, "kind")
    if how == "fixed":
        with pytest.raises(EventFileError, match=f"column 'who' is {NO_OBJECTS}"):
            read(path, "x", "who", labels=("who",))
    else:
        assert [who.decode() for who in read(path, "who", labels=("who",))[0]] == FRAME["who"].tolist()
    with pytest.raises(EventFileError, match="has no column 'y'; it has x, "):
        read(path, "y")
    write(path, key="second")
    with pytest.raises(EventFileError, match=rf"holds the samples {key[:2]}\w*, second; expected one, FILE::NAME"):
        read(path, "x")


@pytest.mark.parametrize("how", ["fixed", "table"])
def test_frames_without_names(tmp_path, how):
    frame = pd.DataFrame(np.random.default_rng(3).normal(size=(N, 12)))
    write(tmp_path / "a.h5", frame, how)
    np.testing.assert_array_equal(read(tmp_path / "a.h5", "x12", "x2"), frame[[11, 1]].to_numpy().T)
    names = tuple("abcdefghijkl")
    np.testing.assert_array_equal(read(tmp_path / "a.h5", "l", names=names), frame[[11]].to_numpy().T)
    write(tmp_path / "b.h5", frame[[1, 11]], how)
    np.testing.assert_array_equal(read(tmp_path / "b.h5", "11"), frame[[11]].to_numpy().T)


@pytest.mark.parametrize("name", ["pT", None])
def test_a_series(tmp_path, name):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("s")
        group.attrs["pandas_type"] = np.bytes_(b"series")
        group.attrs["name"] = np.bytes_(pickle.dumps(None, protocol=0) if name is None else name.encode())
        group["index"], group["values"] = np.arange(N), FRAME["x"].to_numpy()
    np.testing.assert_array_equal(read(tmp_path / "a.h5", name or "x1")[0], FRAME["x"])


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


def test_nothing_is_unpickled(tmp_path, capsys):
    """Names that are not plain lists of texts are refused, whatever they would be."""
    for names in ([Harm(), "n"], ("x", "n"), [1.5, "n"], [np.int64(1), np.int64(2)], ["x", ["n"]]):
        for protocol in (0, 2):
            write(tmp_path / "a.h5", FRAME[["x", "µ [GeV]"]], "table")
            with h5py.File(tmp_path / "a.h5", "r+") as file:
                file["df/table"].attrs["values_block_0_kind"] = np.void(pickle.dumps(names, protocol=protocol))
            with pytest.raises(EventFileError, match="pickled names of columns; expected numbers, written by to_hdf"):
                read(tmp_path / "a.h5", "x")
            (tmp_path / "a.h5").unlink()
    assert capsys.readouterr().out == ""


def test_frames_that_hold_nothing_to_read(tmp_path):
    write(tmp_path / "a.h5", FRAME[["x"]])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["df/block0_values"].attrs["shape"] = np.bytes_(b"(I1\nI0\ntp0\n.")  # as of an empty one
    with pytest.raises(EventFileError, match="frame of pandas without rows"):
        read(tmp_path / "a.h5", "x")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.move("df/block0_items", "df/block0_items_level0")
    with pytest.raises(EventFileError, match="names of several levels"):
        read(tmp_path / "a.h5", "x")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["df/block0_items_level0"]
    with pytest.raises(EventFileError, match="without columns that can be read"):
        read(tmp_path / "a.h5", "x")


def test_groups_are_named_where_one_must_be_chosen(tmp_path):
    x = np.arange(N)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data/train/x"] = file["data/test/x"] = file["data/test/deeper/y"] = x
    with pytest.raises(EventFileError, match="holds the samples data/test, data/train; expected one, FILE::NAME or sa"):
        read(tmp_path / "a.h5", "x")
    np.testing.assert_array_equal(read(tmp_path / "a.h5", "x", sample="data/train")[0], x)
    with pytest.raises(EventFileError, match="has no column 'y'; it has x, x1; FILE::NAME or sample=NAME reads data"):
        read(tmp_path / "a.h5", "y", sample="data/test")
    with pytest.raises(EventFileError, match="holds the samples data, not 'date'; expected one, FILE::NAME"):
        read(tmp_path / "a.h5", "y", sample="date")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        group = file.create_group("a")
        group["a"] = group  # in a circle
    with pytest.raises(EventFileError, match="has no column 'x'; it has none with numbers"):
        read(tmp_path / "b.h5", "x")


def test_what_others_compress_with_is_read(tmp_path):
    import hdf5plugin

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.arange(N), **hdf5plugin.Blosc())
    np.testing.assert_array_equal(read(tmp_path / "a.h5", "x")[0], np.arange(N))
