"""The public top-pair file: its samples, its compression, and the checksum of its first use."""

import hashlib
import shutil

import h5py
import hdf5plugin
import numpy as np
import pytest
from event_samples import momenta, top_pairs, write_public, write_public_npy

from gampl import files
from gampl.files import EventFileError, public
from gampl.files.source import OpenFile
from gampl.particles.kinematics import cartesian

PARTICLES = ("b1", "q1", "q2", "b2", "q3", "q4", "j1", "j2", "j3", "j4")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "event_generation_ttbar.hdf5"
    write_public(path, top_pairs(30))
    return path


@pytest.mark.parametrize(
    "filters",
    [
        hdf5plugin.Blosc(),
        hdf5plugin.Blosc2(),
        hdf5plugin.Zstd(),
        hdf5plugin.LZ4(),
        hdf5plugin.Bitshuffle(),
        {"compression": "gzip"},
    ],
    ids=lambda filters: type(filters).__name__,
)
def test_any_compression_of_hdf5plugin_can_be_read(filters, tmp_path):
    write_public(tmp_path / "a.hdf5", top_pairs(30), **filters)
    path = tmp_path / "a.hdf5"
    with path.open("rb") as file:
        (chunk,) = public.chunks(OpenFile(path, file))
    np.testing.assert_array_equal(chunk.values, cartesian(top_pairs(30).momenta))


def test_each_sample_has_its_particles(tmp_path):
    path = tmp_path / "event_generation_ttbar.hdf5"
    with h5py.File(path, "w") as file:
        for jets in (0, 4):
            values = cartesian(momenta(20, 6 + jets)).reshape(20, -1)
            file.create_dataset(f"ttbar+{jets}jet", data=values, chunks=values.shape, **hdf5plugin.Blosc())
    found = files.read(path, sample="ttbar+4jet")
    assert found.particles == PARTICLES
    assert found.about == {"process": "top_pair"}
    np.testing.assert_allclose(found.momenta[..., :3], momenta(20, 10)[..., :3], rtol=1e-9)
    with pytest.raises(
        EventFileError, match=r"holds the samples ttbar\+0jet, ttbar\+4jet; expected one, FILE::NAME or sample=NAME"
    ):
        files.read(path)


def test_an_array_in_the_public_layout_is_known_by_its_name(tmp_path):
    write_public_npy(tmp_path / "ttbar_0j_mini.npy", top_pairs(30))
    assert files.read(tmp_path / "ttbar_0j_mini.npy").particles == PARTICLES[:6]
    shutil.copy(tmp_path / "ttbar_0j_mini.npy", tmp_path / "mine.npy")
    with pytest.raises(
        EventFileError, match="expected phi in radians"
    ):  # users' arrays are not (E, p) unless they say so
        files.read(tmp_path / "mine.npy")


def test_the_checksum_of_the_first_use_is_kept_next_to_the_file(file):
    files.read(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (file.parent / f"{file.name}.sha256").read_text() == f"{digest}  {file.name}\n"
    files.read(file)


def test_a_file_that_has_changed_is_refused(file):
    files.read(file)
    write_public(file, top_pairs(30, seed=9))
    with pytest.raises(EventFileError, match=r"has changed since its first use, .*\(delete .*sha256 if the"):
        files.read(file)
    (file.parent / f"{file.name}.sha256").unlink()
    files.read(file)


def test_checksums_can_be_kept_elsewhere(file, tmp_path):
    files.read(file, checksums=tmp_path / "sums")
    assert [path.name for path in (tmp_path / "sums").iterdir()] == [f"{file.name}.sha256"]
    assert not (file.parent / f"{file.name}.sha256").exists()
    write_public(file, top_pairs(30, seed=9))
    with pytest.raises(EventFileError, match="has changed"):
        files.read(file, checksums=tmp_path / "sums")


def test_no_checksum_of_a_damaged_download_is_kept(file):
    whole = file.read_bytes()
    file.write_bytes(whole[:-50])
    with pytest.raises(EventFileError, match="cannot read"):
        files.read(file)
    file.write_bytes(whole)
    assert len(files.read(file)) == 30


def test_a_folder_that_cannot_be_written_is_named(file, monkeypatch):
    def refuse(path, content):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(public, "write_bytes", refuse)
    expected = (
        rf"checksum cannot be recorded in {file.parent} \(Permission denied\), expected checksums= to be a folder"
    )
    with pytest.raises(EventFileError, match=expected):
        files.read(file)


def test_a_folder_that_is_a_file_is_named(file, tmp_path):
    (tmp_path / "sums").write_text("a file, not a folder")
    with pytest.raises(EventFileError, match=r"sums/.*sha256: cannot be read, expected the SHA-256"):
        files.read(file, checksums=tmp_path / "sums")


def test_a_damaged_record_is_named(file):
    (file.parent / f"{file.name}.sha256").write_text("abc")
    with pytest.raises(EventFileError, match=r"hdf5.sha256: expected the SHA-256 of .*hdf5, 64 hexa"):
        files.read(file)
