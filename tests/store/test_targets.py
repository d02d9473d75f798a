"""Outputs go to what their names stand for, and leave it what it is."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from gampl.store import targets

CONTENT = b"a line\n" * 20_000  # more than a pipe holds


def kind(path):
    return stat.S_IFMT(os.lstat(path).st_mode)


def test_a_file_is_replaced_and_its_folder_made(tmp_path):
    for content in (b"old", b"new"):
        targets.write(tmp_path / "a" / "b", content)
        assert (tmp_path / "a" / "b").read_bytes() == content
    assert [*(tmp_path / "a").iterdir()] == [tmp_path / "a" / "b"]


@pytest.mark.parametrize("is_there", [True, False])
def test_links_stay_and_what_they_lead_to_is_written(is_there, tmp_path):
    file, first, second = (tmp_path / name for name in ("file", "first", "second"))
    if is_there:
        file.write_bytes(b"old")
    first.symlink_to("file")
    second.symlink_to(first)
    targets.check(second)
    targets.write(second, b"new")
    assert file.read_bytes() == b"new"
    assert kind(first) == kind(second) == stat.S_IFLNK
    assert kind(file) == stat.S_IFREG


def read_all(path, into):
    thread = threading.Thread(target=lambda: into.append(Path(path).read_bytes()))
    thread.start()
    return thread


def test_a_named_pipe_is_written_to(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    targets.check(pipe)
    reader = read_all(pipe, got)
    targets.write(pipe, CONTENT)
    reader.join()
    assert got == [CONTENT]
    assert kind(pipe) == stat.S_IFIFO


def test_an_open_file_has_its_number_as_a_name(tmp_path):
    # what a shell makes of >(command): a name such as /dev/fd/63
    out, into = os.pipe()
    targets.check(Path(f"/dev/fd/{into}"))
    targets.write(Path(f"/dev/fd/{into}"), b"content")
    os.close(into)
    assert os.read(out, 100) == b"content"
    os.close(out)
    with (tmp_path / "file").open("wb") as file:  # and 3>file: after what is there
        file.write(b"before ")
        file.flush()
        targets.write(Path(f"/proc/self/fd/{file.fileno()}"), b"content")
    assert (tmp_path / "file").read_bytes() == b"before content"


def test_a_reader_who_has_gone_is_no_error():
    out, into = os.pipe()
    os.close(out)
    targets.write(Path(f"/dev/fd/{into}"), CONTENT)
    os.close(into)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_has_many_names(name, tmp_path, capfd):
    if name == "link":
        (tmp_path / name).symlink_to("/dev/stdout")
        name = tmp_path / name
    assert targets.is_stdout(Path(name))
    targets.check(Path(name))
    sys.stdout.write("before\n")
    targets.write(Path(name), b"content")
    assert capfd.readouterr().out == "before\ncontent"
    assert not Path("-").exists()


def test_devices_stay_devices():
    targets.check(Path("/dev/null"))
    targets.write(Path("/dev/null"), CONTENT)
    assert kind("/dev/null") == stat.S_IFCHR
    with pytest.raises(OSError, match="No space left"):
        targets.write(Path("/dev/full"), CONTENT)
    assert kind("/dev/full") == stat.S_IFCHR


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is a folder"),
        ("no/file", "there is no folder"),
        ("file/x", "there is no folder"),
        ("/proc/x", "nor can any"),
        ("circle", "cannot be written, Too many levels of symbolic links"),
        ("a" * 300, "cannot be written, File name too long"),
    ],
)
def test_what_cannot_be_written_is_known_before(name, problem, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ValueError, match=problem):
        targets.check(tmp_path / name)
    assert {*tmp_path.iterdir()} == {tmp_path / "file", tmp_path / "circle"}
    assert (tmp_path / "circle").is_symlink()


def test_a_folder_that_can_be_made_is_not_made_by_asking(tmp_path):
    targets.check(tmp_path / "new" / "file", make_folder=True)
    targets.check_folder(tmp_path / "new" / "deep", tmp_path, make=True)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(ValueError, match="nor can any file in /proc"):
        targets.check_folder(Path("/proc/new"), tmp_path, make=True)


def test_no_output_overwrites_an_input_or_another_output(tmp_path):
    data, other, link, hard, new = (tmp_path / name for name in ("data", "other", "link", "hard", "new"))
    data.touch()
    link.symlink_to(data)
    os.link(data, hard)
    for name in (data, link, hard, tmp_path / "." / "x" / ".." / "data"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=r"^--json: .* would overwrite .*/data, which is read"):
            targets.check_different({"--json": name}, [data])
        with pytest.raises(ValueError, match=r"^--csv: .* is where --json goes"):
            targets.check_different({"--json": data, "--csv": name}, [])
    alias = tmp_path / "alias"
    alias.symlink_to(new)
    with pytest.raises(ValueError, match="is where --json goes"):  # although neither is there yet
        targets.check_different({"--json": new, "--csv": alias}, [])
    with pytest.raises(ValueError, match="is where --json goes"):
        targets.check_different({"--json": Path("-"), "--csv": Path("/dev/stdout")}, [])
    targets.check_different({"--json": new, "--csv": other}, [data])
    targets.check_different({"--json": Path("/dev/null"), "--csv": Path("/dev/null")}, [data])
