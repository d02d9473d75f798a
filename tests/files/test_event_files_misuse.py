"""Attacks, arguments that do not fit, and reading that stops in the middle."""

import os
import pickle
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from event_samples import KINDS, LISTS, Z_JETS, read_or_error, top_pairs, write_npz, write_public, write_rntuple, z_jets

from gampl import files
from gampl.files import EventFileError, Layout

MOMENTA = z_jets(40).momenta


class Attack:
    """Unpickled, it would leave a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


def attack_npz(path, attack):
    with zipfile.ZipFile(path, "w") as archive, archive.open("momenta.npy", "w") as file:
        np.lib.format.write_array(file, np.array([attack, attack]), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npy", lambda path, attack: np.save(path, np.array([attack, attack]), allow_pickle=True)),
        ("a.npz", attack_npz),
        ("a.npy", lambda path, attack: path.write_bytes(pickle.dumps(attack))),
    ],
)
def test_nothing_is_unpickled(name, write, tmp_path):
    target = tmp_path / "unpickled"
    write(tmp_path / name, Attack(target))
    with pytest.raises(EventFileError):
        files.read(tmp_path / name)
    assert not target.exists()


@pytest.mark.parametrize("here", ["", "."])  # as in a session there, and with it among the folders for code
def test_the_process_that_reads_runs_no_code_from_the_current_folder(here, tmp_path, monkeypatch):
    KINDS["hepmc"].write(tmp_path / "users.hepmc", z_jets(4))
    for name in ("json", "pickle", "struct"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(here)
    assert len(files.read("users.hepmc", **KINDS["hepmc"].options)) == 4
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ours", {"batch": 0}, "batch must be at least 1, got 0"),
        ("ours", {"kind": "excel"}, "kind must be one of csv, numpy, .*got 'excel'"),
        ("ours", {"layout": Layout()}, "say themselves what they hold, expected no layout"),
        ("public_npy", {"kind": "top_pair", "layout": Layout()}, "say themselves what they hold, expected no layout"),
        ("lhe", {"sample": "x"}, "{file}: files of kind 'lhe' hold one sample, expected no sample, got 'x'"),
        ("parquet", {"sample": "x"}, "{file}: files of kind 'parquet' hold one sample, expected no sample, got 'x'"),
        ("npy", {"checksums": "x"}, "{file}: files of kind 'numpy' have no checksums, expected no folder, got 'x'"),
    ],
)
def test_bad_arguments_are_named(name, options, message, tmp_path):
    path = tmp_path / KINDS[name].name
    KINDS[name].write(path, KINDS[name].events(2))
    with pytest.raises(ValueError, match=message.replace("{file}", re.escape(str(path)))):
        list(files.batches(path, **options))


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/uproot.py").write_text("raise ModuleNotFoundError(name='uproot')\n")
    monkeypatch.syspath_prepend(tmp_path / "code")
    (tmp_path / "a.root").write_bytes(b"root")
    with pytest.raises(ModuleNotFoundError, match=r"a.root: .* read with uproot, .*pip install 'gampl\[events\]'"):
        files.read(tmp_path / "a.root")


def test_the_content_of_a_file_counts_before_its_ending(tmp_path):
    write_npz(tmp_path / "events.npz", z_jets())
    (tmp_path / "events.npz").rename(tmp_path / "events.root")
    found = files.read(tmp_path / "events.root", layout=Layout(coordinates="E,px,py,pz"))
    assert found.particles == Z_JETS


def test_a_missing_file_is_not_called_damaged(tmp_path):
    for name in ("a.h5", "a.lhe"):
        with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / name))):
            files.read(tmp_path / name)


def test_an_error_in_a_later_batch_leaves_the_earlier_ones(tmp_path):
    values = np.concatenate([MOMENTA] * 600)  # 24,000 events, checked 10,000 at a time
    values[15_000, 2, 0] = -1
    np.save(tmp_path / "a.npy", values)
    found = files.batches(tmp_path / "a.npy", batch=4000)
    assert [len(next(found)) for _ in range(2)] == [4000, 4000]
    with pytest.raises(EventFileError, match=r"event 15000 .*particle p3, pT = -1"):
        list(found)


def test_no_file_is_left_open_when_reading_stops_early(tmp_path):
    # warnings are errors in these tests, those of unclosed files and processes included
    write_public(tmp_path / "a.hdf5", top_pairs(200))
    found = files.batches(tmp_path / "a.hdf5", batch=10)
    assert len(next(found)) == 10
    found.close()


def test_an_rntuple_cannot_claim_memory_that_it_does_not_fill(tmp_path):
    n = 1234
    write_rntuple(tmp_path / "a.root", z_jets(n))
    content = (tmp_path / "a.root").read_bytes()
    said = struct.pack("<i", n)
    found = []
    for place in [match.start() for match in re.finditer(re.escape(said), content)]:
        (tmp_path / "b.root").write_bytes(content[: place + 3] + b"\x7f" + content[place + 4 :])
        found.append(str(read_or_error(tmp_path / "b.root", layout=LISTS)))
    assert any(re.search("a list of pages says 213.* numbers, expected .* at the most", text) for text in found)


@pytest.mark.parametrize("name", [b"run:1", "schön".encode(), b"n\xff"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "root", "ours", "lhe", "hepmc", "npy"])
def test_names_of_files_may_be_any(kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = KINDS[kind]
    made.write(tmp_path / made.name, made.events(30))
    path = Path(os.fsdecode(name) + "".join(Path(made.name).suffixes))
    (tmp_path / made.name).rename(path)
    assert len(files.read(path, **made.options)) == 30
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(EventFileError, match=re.escape(str(path))):
        files.read(path, **made.options)
