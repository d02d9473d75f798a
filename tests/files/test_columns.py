"""Named columns of numbers from files of any kind."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from event_samples import KINDS

from gampl.files import EventFileError, open_file, reading, text as text_reader

N = 1000
TABLE = {"x": np.random.default_rng(1).normal(size=N), "m_tt": np.random.default_rng(2).exponential(300, size=N)}
ARRAY = np.stack(list(TABLE.values()), axis=-1)


def text(separator=",", header="x,m_tt"):
    lines = [separator.join(f"{value!r}" for value in row) for row in ARRAY.tolist()]
    return "\n".join([header.replace(",", separator)] * bool(header) + lines) + "\n"


def write_csv(path):
    path.write_text(text())


def write_tsv(path):
    path.write_text(text("\t"))


def write_gzip(path):
    path.write_bytes(gzip.compress(text(";").encode()))


def write_savetxt(path):
    np.savetxt(path, ARRAY, header="x m_tt")


def write_parquet(path):
    pq.write_table(pa.table(TABLE), path, row_group_size=300)


def write_feather(path):
    pd.DataFrame(TABLE).to_feather(path, chunksize=300)


def write_root(path):
    with uproot.recreate(path) as file:
        file["tree"] = TABLE


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        for name, values in TABLE.items():
            file[name] = values


def write_hdf5_group(path):
    with h5py.File(path, "w") as file:
        file["events"] = np.array([tuple(row) for row in ARRAY], dtype=[("x", float), ("m_tt", float)])


def write_structured(path):
    np.save(path, np.array([tuple(row) for row in ARRAY], dtype=[("x", float), ("m_tt", float)]))


def write_npz(path):
    np.savez_compressed(path, **TABLE)


WRITERS = {
    "a.csv": write_csv,
    "a.tsv": write_tsv,
    "a.csv.gz": write_gzip,
    "a.txt": write_savetxt,
    "a.parquet": write_parquet,
    "a.feather": write_feather,
    "a.root": write_root,
    "a.h5": write_hdf5,
    "b.npy": write_structured,
    "a.npz": write_npz,
}


def read(path, wanted=("x", "m_tt"), labels=(), **options):
    with open_file(path, **options) as file:
        parts = list(file.columns(wanted, labels))
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind(tmp_path, name, monkeypatch):
    monkeypatch.setattr(reading, "ROWS", 64)  # many batches
    WRITERS[name](tmp_path / name)
    got = read(tmp_path / name)
    for column, values in TABLE.items():
        assert got[column].dtype == np.float64
        np.testing.assert_array_equal(got[column], values)
    only = read(tmp_path / name, ("m_tt",))
    np.testing.assert_array_equal(only["m_tt"], TABLE["m_tt"])
    with pytest.raises(EventFileError, match=f"{name}: has no column 'pT'; it has .*m_tt"):
        read(tmp_path / name, ("x", "pT"))


def test_hdf5_table(tmp_path):
    write_hdf5_group(tmp_path / "a.h5")
    np.testing.assert_array_equal(read(tmp_path / "a.h5", sample="events")["x"], TABLE["x"])


@pytest.mark.parametrize(("array", "names"), [(ARRAY, ("x1", "x2")), (ARRAY[:, 0], ("x1",))])
def test_arrays_without_names(tmp_path, array, names):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", anything=array)
    np.savetxt(tmp_path / "a.csv", array, delimiter=",")
    for name in ("a.npy", "a.npz", "a.csv"):
        got = read(tmp_path / name, names)
        np.testing.assert_array_equal(np.stack(list(got.values()), axis=-1), array.reshape(N, -1))
        own = tuple("abc"[: len(names)])
        np.testing.assert_array_equal(read(tmp_path / name, own, names=own)["a"], got["x1"])
        with pytest.raises(EventFileError, match=f"has {len(names)} columns?, expected 3: a, b, c"):
            read(tmp_path / name, ("a",), names=("a", "b", "c"))


@pytest.mark.parametrize("name", ["ours", "lhe"])
def test_columns_of_a_file_of_particles_are_its_further_numbers(tmp_path, name):
    KINDS[name].write(tmp_path / KINDS[name].name, KINDS[name].events())
    expected = KINDS[name].events().columns["weight"]
    with open_file(tmp_path / KINDS[name].name) as file:
        assert file.holds_particles
        (batch,) = file.columns(["weight"])
        np.testing.assert_allclose(batch["weight"], expected, rtol=1e-6)
        with pytest.raises(
            EventFileError, match=f"{KINDS[name].name}: has no column 'x' besides its particles; it has"
        ):
            list(file.columns(["weight", "x"]))


@pytest.mark.parametrize(
    ("name", "stem"),
    [(f"a.{ending}", stem) for ending in ("parquet", "feather", "root") for stem in (b"run:1", b"caf\xe9")]
    + [("a.h5", b"caf\xe9"), ("a.csv", b"caf\xe9"), ("a.csv", b"file:a"), ("a.root", b"file:a%20b#c")],
)
def test_no_name_of_a_file_is_taken_for_an_address(tmp_path, name, stem, monkeypatch):
    """Nor need it be UTF-8, also where an error names it."""
    monkeypatch.chdir(tmp_path)
    WRITERS[name](tmp_path / name)
    path = Path(os.fsdecode(stem) + Path(name).suffix)
    (tmp_path / name).rename(path)
    np.testing.assert_array_equal(read(path)["x"], TABLE["x"])
    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(EventFileError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "crashed" not in str(caught.value)


def test_feather(tmp_path):
    """Both compressions, labels of pandas in any form, several tables, and the first version, which is refused."""
    who = np.repeat(["anna", "bert"], N // 2)
    for kind, compression in (("object", "lz4"), ("str", "zstd"), ("category", "uncompressed")):
        frame = pd.DataFrame(TABLE).assign(who=pd.Series(who, dtype=kind))
        frame.to_feather(tmp_path / "a.feather", compression=compression)
        got = read(tmp_path / "a.feather", ("m_tt", "who"), labels=("who",))
        assert got["who"].tolist() == who.tolist()
        np.testing.assert_array_equal(got["m_tt"], TABLE["m_tt"])
    with pytest.raises(EventFileError, match="column 'who' of type object, expected numbers"):
        read(tmp_path / "a.feather", ("who",))
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, pa.table(TABLE).schema) as writer:
        writer.write(pa.table(TABLE))
    np.testing.assert_array_equal(read(tmp_path / "a.arrow")["x"], TABLE["x"])
    content = (tmp_path / "a.arrow").read_bytes()
    for damaged in (content + content, content + b"more", content[:-1], content[:-20]):
        (tmp_path / "a.arrow").write_bytes(damaged)
        with pytest.raises(EventFileError, match=r"does not end behind its table|cannot read"):
            read(tmp_path / "a.arrow")
    (tmp_path / "a.feather").write_bytes(b"FEA1" + content)
    with pytest.raises(EventFileError, match="is of version 1 of Feather, expected version 2, as pandas"):
        read(tmp_path / "a.feather")


@pytest.mark.parametrize("name", ["lhe", "hepmc"])
def test_the_own_weight_of_an_event_is_called_weight(name, tmp_path):
    KINDS[name].write(tmp_path / KINDS[name].name, KINDS[name].events())
    expected = KINDS[name].events().columns["weight"]
    for asked in ({"keep": ("weight",)}, {"weight": "weight"}):
        layout = replace(KINDS[name].options["layout"], **asked)
        with open_file(tmp_path / KINDS[name].name, layout=layout) as file:
            (events,) = file.events()
        np.testing.assert_allclose(events.columns["weight"], expected, rtol=1e-6)


def test_a_quote_that_does_not_close_is_refused(tmp_path):
    """It would hold all further rows; inches are no such quotes."""
    (tmp_path / "a.csv").write_text('x,who\n1,"a"\n2,"b\n' + "3,c\n" * 50)
    with pytest.raises(EventFileError, match=r"a.csv: has a quote that does not close, in row 2 or before it"):
        read(tmp_path / "a.csv", ("x",))
    (tmp_path / "a.csv").write_text("x,who\n" + '3,5" pipe\n' * 51)
    assert len(read(tmp_path / "a.csv", ("x",))["x"]) == 51


def test_a_newline_in_quotes_ends_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(text_reader, "BLOCK", 1 << 12)
    monkeypatch.setattr(reading, "_apart", reading._here)  # where it has this size
    rows = [f'{k},"a\nb"' for k in range(5000)]
    (tmp_path / "a.csv").write_text("x,who\n" + "\n".join(rows) + "\n")
    np.testing.assert_array_equal(read(tmp_path / "a.csv", ("x",))["x"], np.arange(5000))
    (tmp_path / "a.csv").write_text('x,y\n1,2\n"3\n4",5\n')
    with pytest.raises(EventFileError, match="column 'x'"):
        read(tmp_path / "a.csv", ("x",))


def test_empty_lines_and_an_ending_in_capitals_are_no_harm(tmp_path):
    (tmp_path / "A.CSV").write_text("x,y\n\n1,2\n\n3,4\n")
    assert read(tmp_path / "A.CSV", ("x", "y"))["y"].tolist() == [2, 4]
    (tmp_path / "A.CSV.GZ").write_bytes(gzip.compress(text().encode()))
    assert read(tmp_path / "A.CSV.GZ")["x"].tolist() == TABLE["x"].tolist()


def test_a_header_that_counts_its_columns_is_no_event(tmp_path):
    pd.DataFrame(ARRAY).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv", ("x1", "x2"))["x2"].tolist() == TABLE["m_tt"].tolist()
    assert read(tmp_path / "a.csv", ("a",), names=("a", "b"))["a"].tolist() == TABLE["x"].tolist()


def test_a_compound_dataset_that_is_alone_needs_no_name(tmp_path):
    write_hdf5_group(tmp_path / "a.h5")
    np.testing.assert_array_equal(read(tmp_path / "a.h5")["m_tt"], TABLE["m_tt"])


def test_columns_of_a_tree_of_any_type_agree_with_uproot(tmp_path, monkeypatch):
    """Beside branches of lists, which are none."""
    monkeypatch.setattr(reading, "ROWS", 64)
    rng = np.random.default_rng(3)
    types = [np.bool_, *(np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)), np.float32, np.float64]
    columns = {f"c{k}": rng.integers(0, 100, N).astype(dtype) for k, dtype in enumerate(types)}
    lists = ak.unflatten(rng.normal(size=3 * N), np.full(N, 3))
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("tree", {**{name: x.dtype for name, x in columns.items()}, "lists": "var * float64"})
        for part in np.array_split(np.arange(N), 3):  # three baskets
            file["tree"].extend({**{name: x[part] for name, x in columns.items()}, "lists": lists[part]})
    with uproot.open(tmp_path / "a.root") as file:
        expected = file["tree"].arrays([*columns], library="np")
    got = read(tmp_path / "a.root", tuple(columns))
    for name in columns:
        assert got[name].dtype == np.float64
        np.testing.assert_array_equal(got[name], expected[name].astype(float))


def test_a_tree_may_count_its_entries_in_floats(tmp_path, monkeypatch):
    write_root(tmp_path / "a.root")
    count = uproot.TTree.num_entries.fget
    monkeypatch.setattr(uproot.TTree, "num_entries", property(lambda tree: float(count(tree))))
    monkeypatch.setattr(reading, "_apart", reading._here)  # where it counts so
    np.testing.assert_array_equal(read(tmp_path / "a.root")["x"], TABLE["x"])


def test_a_table_as_text_is_opened_once_by_python(tmp_path, monkeypatch):
    write_csv(tmp_path / "a.csv")
    times, path_open = [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, *arguments: times.append(path) or path_open(path, *arguments))
    with open_file(tmp_path / "a.csv") as file:
        assert not file.holds_particles
        assert sum(len(batch["x"]) for batch in file.columns(["x"])) == N
    assert times == [tmp_path / "a.csv"]


def test_labels_may_be_texts(tmp_path):
    (tmp_path / "a.csv").write_text("x,who\n1,anna\n2,bert\n3,anna\n")
    got = read(tmp_path / "a.csv", ("x", "who"), labels=("who",))
    assert got["who"].tolist() == ["anna", "bert", "anna"]
    with pytest.raises(EventFileError, match=r"column 'who'.*expected rows of 2 numbers"):
        read(tmp_path / "a.csv", ("x", "who"))


def test_not_finite_numbers_pass(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,nan\ninf,2\n")
    got = read(tmp_path / "a.csv", ("x", "y"))
    assert np.isnan(got["y"][0])
    assert np.isinf(got["x"][1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"x,y\n", "holds no rows of numbers"),
        (b"# only a comment\n", "holds no rows of numbers"),
        (b"x,y\n1,2\n3,four\n", "four"),
        (b"x,y\n1,2\n3\n", "expected rows of 2 numbers"),
        (b"x,y\n1,2\n3,4,5\n", "expected rows of 2 numbers"),
        (b"x,y\n1,\n3,4\n", "empty fields"),
        (b"x,x\n1,2\n", "different names"),
        (b"x,y\n1,2\n\xff\xfe,3\n", "a.csv"),
        (b"x,y\n\x00\x00\x00\n", "a.csv"),
        (b"\xff\xfe\x00", "text in UTF-16, expected UTF-8"),
        (b"NA,1\n2,3\n", "has no column 'x'; it has x1, x2"),
    ],
)
def test_damaged_text(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(EventFileError, match=message):
        read(tmp_path / "a.csv", ("x", "y"))


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.root", "a.h5", "b.npy", "a.npz", "a.csv.gz"])
@pytest.mark.parametrize("part", [0.3, 0.9, 0.99])
def test_truncated(tmp_path, name, part):
    WRITERS[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    with pytest.raises(EventFileError, match=name):
        read(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "a.csv").write_bytes("x,y\n1,2\n3,4\n".encode("utf-8-sig"))
    assert read(tmp_path / "a.csv", ("x", "y"))["x"].tolist() == [1, 3]
    (tmp_path / "b.csv").write_bytes("1,2.5\n3,4.5\n".encode("utf-8-sig"))
    assert read(tmp_path / "b.csv", ("x1",))["x1"].tolist() == [1, 3]


def test_a_header_is_not_overridden(tmp_path):
    write_csv(tmp_path / "a.csv")
    with pytest.raises(EventFileError, match="says that its columns are x, m_tt, expected m_tt, x"):
        read(tmp_path / "a.csv", ("x",), names=("m_tt", "x"))
    assert read(tmp_path / "a.csv", ("x",), names=("x", "m_tt"))["x"].tolist() == TABLE["x"].tolist()


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.array([{"x": 1}], dtype=object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(EventFileError, match=name):
            read(tmp_path / name, ("x",))


def test_other_misuse(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing.csv")
    (tmp_path / "a.xyz").write_text("what is this")
    with pytest.raises(EventFileError, match="neither its first bytes nor its ending"):
        read(tmp_path / "a.xyz")
    write_csv(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="kind must be one of"):
        read(tmp_path / "a.csv", kind="excel")
    with pytest.raises(EventFileError, match="hold one sample, expected no sample, got 'train'"):
        read(tmp_path / "a.csv", sample="train")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["m_tt"] = np.zeros(5), np.zeros(4)
    with pytest.raises(EventFileError, match="different lengths"):
        read(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"], file["m_tt"] = np.zeros((5, 2)), np.zeros(5)
    with pytest.raises(EventFileError, match="one number per event"):
        read(tmp_path / "b.h5")
    np.savez(tmp_path / "b.npz", x=np.zeros(3), m_tt=np.zeros(4))
    with pytest.raises(EventFileError, match="different lengths"):
        read(tmp_path / "b.npz")
