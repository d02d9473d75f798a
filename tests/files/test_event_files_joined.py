"""Bytes after the end that a format says: no part of a file is left unread in silence."""

from pathlib import Path

import numpy as np
import pytest
from event_samples import KINDS, read_or_error, z_jets

from gampl import files
from gampl.files import EventFileError, Layout, reading

JOINED = ["ours", "public", "public_npy", "npy", "npz", "parquet", "feather", "root", "rntuple"]
JOINED += ["lhe", "lhe_gz", "hepmc", "csv"]


@pytest.mark.parametrize("name", JOINED)
def test_two_joined_files_are_refused_or_read_both(name, tmp_path):
    path, n = tmp_path / KINDS[name].name, 40
    KINDS[name].write(path, KINDS[name].events(n))
    path.write_bytes(2 * path.read_bytes())
    found = read_or_error(path, **KINDS[name].options)
    assert isinstance(found, EventFileError) or len(found) == 2 * n


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("change", [lambda whole: whole + b"garbage!", lambda whole: whole[:-3]])
def test_a_file_that_goes_on_or_ends_early_is_refused(name, change, tmp_path):
    path = tmp_path / KINDS[name].name
    KINDS[name].write(path, KINDS[name].events(40))
    path.write_bytes(change(path.read_bytes()))
    assert isinstance(read_or_error(path, **KINDS[name].options), EventFileError)


def test_two_arrays_in_one_file_are_named(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, z_jets(40).momenta)
        np.save(file, z_jets(20).momenta)
    with pytest.raises(EventFileError, match=r"a.npy goes on for \d+ bytes after its array .*numpy.savez"):
        files.read(tmp_path / "a.npy", layout=Layout())


def test_arrays_by_columns_are_read_a_part_at_a_time(tmp_path):
    momenta = z_jets(30_000).momenta
    np.save(tmp_path / "a.npy", np.asfortranarray(momenta))
    np.savez_compressed(tmp_path / "a.npz", x=np.asfortranarray(momenta))
    for name in ("a.npy", "a.npz"):
        np.testing.assert_array_equal(files.read(tmp_path / name, layout=Layout()).momenta, momenta)


@pytest.mark.parametrize("name", ["npy", "public_npy"])
def test_a_file_that_gets_shorter_while_it_is_read_is_an_error(name, tmp_path, monkeypatch):
    path: Path = tmp_path / KINDS[name].name
    KINDS[name].write(path, KINDS[name].events(100_000))
    monkeypatch.setattr(files.reading, "_apart", reading._here)
    found = files.batches(path, batch=10_000, **KINDS[name].options)
    next(found)
    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(EventFileError, match=r"expected|ends after"):
        list(found)
