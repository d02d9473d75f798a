import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gampl.store import artifacts as store_module, provenance
from gampl.store.artifacts import Artifact, Store, array_digest, default_root, kept_roots, key_digest

KEY = {"training": {"steps": 3, "rate": 0.1}, "data": "abc"}
NUMBERS = np.linspace(0, 1, 50)


class Maker:
    """Makes an artifact and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self, checkpoints):
        self.calls += 1
        assert checkpoints.is_dir()
        return Artifact({"weights": NUMBERS, "flags": np.array([True, False])}, {"seconds": 1.5, "device": "cpu"})


def files(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_an_artifact_is_made_once_and_found_again(tmp_path):
    make = Maker()
    made = Store(tmp_path).get_or_make(KEY, make)
    found = Store(tmp_path).get_or_make(dict(reversed(KEY.items())), make)  # the order of a key does not count
    assert make.calls == 1
    for artifact in (made, found):
        np.testing.assert_array_equal(artifact.arrays["weights"], NUMBERS)
        assert artifact.arrays["weights"].dtype == np.float64
        assert artifact.about == {"seconds": 1.5, "device": "cpu"}
    assert files(tmp_path) == ["arrays.safetensors", "artifact.json"]


def test_another_key_is_another_artifact(tmp_path):
    make, store = Maker(), Store(tmp_path)
    assert store.get(KEY) is None
    store.get_or_make(KEY, make)
    store.get_or_make({**KEY, "data": "abd"}, make)
    assert make.calls == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), json_values), st.dictionaries(st.text(), json_values))
def test_keys_have_the_same_digest_only_if_they_are_the_same(one, other):
    assert key_digest(one) == key_digest(json.loads(json.dumps(one)))
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key_digest(one) == key_digest(other)) == same


def test_array_digest_sees_numbers_shape_and_type():
    a = np.arange(6.0)
    assert array_digest(a) == array_digest(a.astype(">f8")) == array_digest(np.repeat(a, 2)[::2])
    others = [a.reshape(2, 3), a.astype(np.float32), a * (1 + 1e-6), -a, a[:5]]
    assert array_digest(a) not in {array_digest(other) for other in others}


@given(st.lists(st.floats(width=32), max_size=5))
def test_array_digest_does_not_see_round_off(numbers):
    """Oracle: numbers of single precision, and the same a few units of round-off of double precision away."""
    a = np.array(numbers, dtype=np.float64)
    for other in (a * (1 + 4e-16), a * (1 - 4e-16), np.nextafter(a, np.inf)):
        large = np.abs(a) > 1e-300
        assert array_digest(a[large]) == array_digest(other[large])


# ---- faults


@pytest.mark.parametrize("name", ["arrays.safetensors", "artifact.json"])
def test_an_artifact_that_may_not_be_read_is_not_damaged(tmp_path, monkeypatch, name):
    """Root may read everything: the refusal is pretended."""
    make, store = Maker(), Store(tmp_path)
    store.get_or_make(KEY, make)
    open_file = Path.open

    def refuse(path, *arguments, **options):
        if path.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_file(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(PermissionError, match=name):
            store.get_or_make(KEY, make)
    assert make.calls == 1
    assert not (tmp_path / "damaged").exists()
    assert store.get(KEY) is not None


@pytest.mark.parametrize("name", ["arrays.safetensors", "artifact.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_artifact_is_named_set_aside_and_made_anew(tmp_path, name, damage):
    make, store = Maker(), Store(tmp_path)
    store.get_or_make(KEY, make)
    file = store.path(key_digest(KEY)) / name
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(content[:-20])
    else:
        place = content.index(b"abc") + 1 if name == "artifact.json" else len(content) - 5
        content[place] ^= 1
        file.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{key_digest(KEY)} is damaged"):
        artifact = store.get_or_make(KEY, make)
    assert make.calls == 2
    np.testing.assert_array_equal(artifact.arrays["weights"], NUMBERS)
    assert len(list((tmp_path / "damaged").iterdir())) == 1
    store.get_or_make(KEY, make)
    assert make.calls == 2


def test_an_interruption_leaves_checkpoints_and_no_artifact(tmp_path):
    store = Store(tmp_path)

    def interrupted(checkpoints):
        (checkpoints / "step").write_text("5")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.get_or_make(KEY, interrupted)
    assert store.get(KEY) is None

    def resumed(checkpoints):
        assert (checkpoints / "step").read_text() == "5"
        return Maker()(checkpoints)

    store.get_or_make(KEY, resumed)
    assert files(tmp_path) == ["arrays.safetensors", "artifact.json"]  # the checkpoints have gone


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(path, content):
        path.write_bytes(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        Store(tmp_path).get_or_make(KEY, Maker())
    assert files(tmp_path) == []


RIVAL = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    import numpy as np
    from gampl.store import locking
    from gampl.store.artifacts import Artifact, Store

    root, log, locks = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    if locks == "without":
        locking.fcntl = None

    def make(checkpoints):
        with log.open("a") as file:
            file.write("made\\n")
        time.sleep(1.0)
        return Artifact({"weights": np.linspace(0, 1, 50)}, {})

    artifact = Store(root).get_or_make({"data": "abc"}, make)
    assert (artifact.arrays["weights"] == np.linspace(0, 1, 50)).all()
""")


@pytest.mark.parametrize(("locks", "times"), [("with", 1), ("without", 3)])
def test_processes_that_want_the_same_artifact(tmp_path, locks, times):
    # where nothing can be locked it is made by each, which is a waste of time but no harm
    log = tmp_path / "log"
    command = [sys.executable, "-c", RIVAL, str(tmp_path / "store"), str(log), locks]
    rivals = [subprocess.Popen(command) for _ in range(3)]
    assert [rival.wait(timeout=60) for rival in rivals] == [0, 0, 0]
    assert log.read_text().count("made") == times
    assert files(tmp_path / "store") == ["arrays.safetensors", "artifact.json"]
    assert Store(tmp_path / "store").get({"data": "abc"}) is not None


# ---- kept with the project


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder of kept artifacts that holds the one of KEY."""
    monkeypatch.setenv("GAMPL_KEPT", "")
    folder = tmp_path / "kept"
    Store(folder).get_or_make(KEY, Maker())
    monkeypatch.setenv("GAMPL_KEPT", str(folder))
    return folder


def test_a_kept_artifact_is_found_by_its_key_and_never_written(kept, tmp_path):
    store, make, before = Store(tmp_path / "own"), Maker(), files(kept)
    np.testing.assert_array_equal(store.get_or_make(KEY, make).arrays["weights"], NUMBERS)
    assert make.calls == 0
    assert store.holds(key_digest(KEY))
    assert not store.path(key_digest(KEY)).exists()
    store.get_or_make({**KEY, "data": "abd"}, make)
    assert make.calls == 1
    assert files(kept) == before


def test_a_kept_artifact_comes_before_one_of_the_same_key(kept, tmp_path, monkeypatch):
    """What was trained here before, on another processor, does not change the numbers of the references."""
    monkeypatch.setenv("GAMPL_KEPT", "")
    other = Artifact({"weights": NUMBERS + 1e-9}, {})
    Store(tmp_path / "own").get_or_make(KEY, lambda _: other)
    monkeypatch.setenv("GAMPL_KEPT", str(kept))
    np.testing.assert_array_equal(Store(tmp_path / "own").get(KEY).arrays["weights"], NUMBERS)


def test_an_empty_variable_switches_kept_artifacts_off(kept, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_KEPT", "")
    store, make = Store(tmp_path / "own"), Maker()
    assert kept.is_dir()
    assert kept_roots() == ()
    assert not store.holds(key_digest(KEY))
    store.get_or_make(KEY, make)
    assert make.calls == 1


@pytest.mark.parametrize("name", ["arrays.safetensors", "artifact.json"])
def test_a_damaged_kept_artifact_is_named_left_alone_and_not_used(kept, tmp_path, name):
    file = kept / key_digest(KEY)[:2] / key_digest(KEY) / name
    file.write_bytes(file.read_bytes()[:-20])
    store, make = Store(tmp_path / "own"), Maker()
    with pytest.warns(UserWarning, match=f"{key_digest(KEY)} is damaged .*; it is not used"):
        store.get_or_make(KEY, make)
    assert make.calls == 1
    assert file.exists()


# ---- where it lies


def test_kept_roots(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "gampl")
    monkeypatch.delenv("GAMPL_KEPT")
    folders = [tmp_path / "data" / "trainings" / profile for profile in ("laptop", "smoke")]
    for folder in folders:
        folder.mkdir(parents=True)
    assert kept_roots() == (), "not a checkout"
    (tmp_path / "pyproject.toml").touch()
    assert kept_roots() == tuple(folders)
    monkeypatch.setenv("GAMPL_KEPT", os.pathsep.join([str(folders[1]), str(tmp_path / "elsewhere")]))
    assert kept_roots() == (folders[1],), "the other one does not exist"


def test_default_root(monkeypatch, tmp_path):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "chosen"))
    assert default_root() == tmp_path / "chosen"
    monkeypatch.delenv("GAMPL_STORE")
    assert default_root() == Path(__file__).parents[2] / ".store"
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "checkout" / "gampl")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_root() == tmp_path / "cache" / "gampl"
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert default_root() == tmp_path / "checkout" / ".store"
    assert Path(os.fspath(Store().root)) == default_root()
