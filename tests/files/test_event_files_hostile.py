"""Files that were made to harm: nothing outside of them is read, and neither Python nor its memory ends."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from event_samples import KINDS, top_pairs, write_ours

from gampl import files
from gampl.files import EventFileError, elsewhere, hdf5, inside, open_file, source

N = 1000


def columns(path, *names, **options):
    with open_file(path, **options) as file:
        parts = list(file.columns(names))
    return [np.concatenate([part[name] for part in parts]) for name in names]


def other_file(folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["x"] = np.ones(N)
    np.ones(N).tofile(folder / "other.bin")


def external_link(file, place):
    file[place] = h5py.ExternalLink("other.h5", "/x")


def soft_link_through_an_external_one(file, place):
    file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
    file[place] = h5py.SoftLink("/elsewhere/x")


def external_storage(file, place):
    file.create_dataset(place, (N,), "f8", external=[("other.bin", 0, h5py.h5f.UNLIMITED)])


def virtual(file, place, source="other.h5", name="x"):
    layout = h5py.VirtualLayout((N,), "f8")
    layout[:] = h5py.VirtualSource(source, name, (N,))
    file.create_virtual_dataset(place, layout)


def virtual_of_itself(file, place):
    virtual(file, place, ".", place)


OUTSIDE = [external_link, soft_link_through_an_external_one, external_storage, virtual, virtual_of_itself]


@pytest.mark.parametrize("lead", OUTSIDE)
def test_no_file_leads_to_another(lead, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other_file(tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["y"] = np.arange(N)
        lead(file, "x")
    with pytest.raises(EventFileError, match=r"a.h5: .*expected all events in this one"):
        columns(tmp_path / "a.h5", "x")
    np.testing.assert_array_equal(columns(tmp_path / "a.h5", "y")[0], np.arange(N))  # only what is wanted is looked at
    write_ours(tmp_path / "ours.h5", top_pairs(N))
    with h5py.File(tmp_path / "ours.h5", "r+") as file:
        del file["train/weight"]
        lead(file, "train/weight")
    with pytest.raises(EventFileError, match=r"ours.h5: .*expected all events in this one"):
        files.read(tmp_path / "ours.h5", sample="train")


def test_links_within_a_file_are_followed_and_circles_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/x"] = np.arange(N)
        file["x"], file["y"], file["z"] = (h5py.SoftLink(to) for to in ("deep/x", "/z", "/y"))
    np.testing.assert_array_equal(columns(tmp_path / "a.h5", "x")[0], np.arange(N))
    with pytest.raises(EventFileError, match="has no column 'y'"):
        columns(tmp_path / "a.h5", "y")


@pytest.mark.parametrize("chunks", [None, (1000,)])
def test_what_was_never_written_is_not_read(chunks, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (10**12,), "f8", chunks=chunks)
        part = file.create_dataset("y", (5000,), "f8", chunks=(1000,))
        part[:2000] = 1
    for name in "xy":
        with pytest.raises(EventFileError, match=rf"dataset '{name}' of shape .* was not written: it holds .*expected"):
            columns(tmp_path / "a.h5", name)


def test_a_small_file_does_not_go_on_for_days(tmp_path, monkeypatch):
    pq.write_table(pa.table({"x": np.zeros(300_000)}), tmp_path / "a.parquet")
    assert len(columns(tmp_path / "a.parquet", "x")[0]) == 300_000
    monkeypatch.setattr(source, "MOST_PER_BYTE", 100)
    with pytest.raises(EventFileError, match=r"says that it has more than \d+ rows, expected at most 100 per byte"):
        columns(tmp_path / "a.parquet", "x")


@pytest.mark.parametrize("shape", [(2, 4 * 10**7), (1, 10**7, 4)])
def test_shapes_are_checked_before_sizes_are_believed(shape, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(shape, dtype=bool))
    with pytest.raises(EventFileError, match="expected at most 1000"):
        files.read(tmp_path / "a.npz", layout=files.Layout())


def test_columns_are_counted_before_they_are_named(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((2, 10**7), dtype=bool))
    with pytest.raises(EventFileError, match="has 10000000 columns, expected at most 10000"):
        columns(tmp_path / "a.npz", "x1")


def test_work_grows_with_the_number_of_datasets_and_not_with_its_square(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for k in range(200):
            file[f"x{k}"] = np.arange(3)
    looked, iterate = [], inside.Inside.__iter__
    monkeypatch.setattr(inside.Inside, "__iter__", lambda self: (looked.append(name) or name for name in iterate(self)))
    with (tmp_path / "a.h5").open("rb") as stream, hdf5.table(source.OpenFile(tmp_path / "a.h5", stream)) as table:
        assert len(table.columns) == 200
    assert len(looked) < 10 * 200


def test_chunks_larger_than_the_cache_are_unpacked_once(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((10**6, 4)), chunks=(10**6, 2), compression="gzip")
    with inside.opened(tmp_path / "a.h5") as file:
        access = file["x"].id.get_access_plist()
        assert access.get_chunk_cache()[1] >= 8 * 4 * 10**6  # the chunks that hold a row


def test_larger_chunks_than_memory_should_hold_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(inside, "LARGEST_CHUNKS", 1000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(N), chunks=(N,))
    with inside.opened(tmp_path / "a.h5") as file, pytest.raises(EventFileError, match="chunks of 8000 bytes"):
        file["x"]


def exhausting(source):
    yield {"x": np.zeros(elsewhere.MEMORY // 8 + 1)}


def working_without_end(source):
    elsewhere.SECONDS = 1
    elsewhere._limit()
    while True:
        pass
    yield


@pytest.mark.parametrize(
    ("function", "message"),
    [(exhausting, "expected parts that fit into memory"), (working_without_end, "exceeded its time.*4 GiB of memory")],
)
def test_the_reader_has_limits_and_says_them(function, message, tmp_path, monkeypatch):
    (tmp_path / "a.x").write_bytes(b"a")
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    with (tmp_path / "a.x").open("rb") as stream, pytest.raises(EventFileError, match=message):
        list(elsewhere.parts(f"{__name__}:{function.__name__}", source.OpenFile(tmp_path / "a.x", stream)))


@pytest.fixture
def processes(monkeypatch):
    """The processes that are started to read."""
    while elsewhere.Reader.waiting:
        elsewhere.Reader.waiting.pop().end()
    started, start = [], subprocess.Popen

    def counted(*given, **options):
        started.append(start(*given, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", counted)
    return started


@pytest.mark.parametrize("lead", OUTSIDE)
def test_what_else_our_own_files_say_leads_to_no_other_either(lead, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other_file(tmp_path)
    hdf5.write(tmp_path / "a.h5", {"a": {"x": np.ones(N), "y": np.ones(N)}}, "top_pair", {})
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["a"]["x"]
        lead(file, "a/x")
    with pytest.raises(EventFileError, match=r"a.h5: .*expected all events in this one"):
        hdf5.read_observables(tmp_path / "a.h5", "a")


def test_what_else_our_own_files_say_is_read_in_the_same_process(tmp_path, processes, monkeypatch):
    hdf5.write(tmp_path / "a.h5", {"a": {"x": np.ones(N)}}, "top_pair", {"more": [1, "é"]})
    monkeypatch.setattr(h5py, "File", None)
    assert hdf5.read_observables(tmp_path / "a.h5")["x"].tolist() == [1] * N
    assert hdf5.read_about(tmp_path / "a.h5") == {"process": "top_pair", "more": [1, "é"]}
    assert len(processes) == 1


@pytest.mark.parametrize("name", [name for name in KINDS if not name.endswith(("npy", "npz"))])
def test_libraries_that_files_can_crash_are_not_used_here(name, tmp_path, processes, monkeypatch):
    kind = KINDS[name]
    kind.write(tmp_path / kind.name, kind.events(40))
    for module in ("arrow", "hdf5", "records", "root"):
        monkeypatch.setitem(sys.modules, f"gampl.files.{module}", None)
    assert len(files.read(tmp_path / kind.name, **kind.options)) == 40
    assert len(processes) == 1


def test_one_process_reads_a_file_after_another(tmp_path, processes):
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text("x\n" + "1\n" * 400_000)
    (tmp_path / "bad.csv").write_text("x\n1\nword\n")
    for _ in range(3):
        assert len(columns(tmp_path / "a.csv", "x")[0]) == 400_000
        with pytest.raises(EventFileError, match=r"bad.csv: .*column 'x'"):
            columns(tmp_path / "bad.csv", "x")
        with open_file(tmp_path / "b.csv") as file:
            stopped = file.columns(["x"])
            next(stopped)
            stopped.close()
    assert len(processes) == 1
    with open_file(tmp_path / "a.csv") as first, open_file(tmp_path / "b.csv") as second:
        both = list(zip(first.columns(["x"]), second.columns(["x"]), strict=True))
    assert sum(len(part["x"]) for part, _ in both) == 400_000
    assert len(processes) == 2
    assert len(elsewhere.Reader.waiting) == 1


def test_a_script_may_end_within_a_file(tmp_path):
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 400_000)
    script = f"""
from gampl.files import open_file
with open_file({str(tmp_path / "a.csv")!r}) as file:
    parts = file.columns(["x"])
    next(parts)
"""
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=path, check=True)
    assert done.stdout + done.stderr == ""


def test_a_process_that_a_file_before_has_harmed_is_not_blamed_on_the_next(tmp_path, processes):
    (tmp_path / "a.csv").write_text("x\n1\n")
    for _ in range(2):
        columns(tmp_path / "a.csv", "x")
        processes[-1].kill()
        processes[-1].wait()
    assert len(columns(tmp_path / "a.csv", "x")[0]) == 1
    assert len(processes) == 3


@pytest.mark.parametrize(("attribute", "found"), [(np.arange(2), [0, 1]), (1j, "1j")])
def test_whatever_a_file_says_about_its_events_comes_back(attribute, found, tmp_path):
    write_ours(tmp_path / "a.h5", top_pairs(5))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs["more"] = attribute
    assert files.read(tmp_path / "a.h5").about["more"] == found


def test_texts_come_back(tmp_path):
    words = np.array(["ä", "b", "ä", "", "b"], dtype=object)
    pq.write_table(pa.table({"word": words, "x": np.arange(5.0)}), tmp_path / "a.parquet")
    with open_file(tmp_path / "a.parquet") as file:
        (part,) = file.columns(["word", "x"], labels=["word"])
    assert np.asarray(part["word"]).tolist() == words.tolist()
    assert len(part["word"].words) <= 4 + 1  # not one for each event


def test_two_joined_hdf5_files_are_not_one(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(N)
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "b.h5").write_bytes(content + content)
    with pytest.raises(EventFileError, match=r"goes on for \d+ bytes after its end, expected one file"):
        columns(tmp_path / "b.h5", "x")
    (tmp_path / "c.h5").write_bytes(content + bytes(500))  # what a library has set aside
    assert len(columns(tmp_path / "c.h5", "x")[0]) == N
