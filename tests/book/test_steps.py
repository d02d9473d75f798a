"""Steps and their records, the table of the work's state, the page of the run, what a killed build leaves."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from small_project import ROOT

from gampl.store import locking
from gampl.store.artifacts import Store
from gampl_book import BookError, build, kept_results, made_pages, status, step

PYTHON = sys.executable


def run(log: Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PYTHON, "-m", "gampl_book", "step", log, *command], check=False, capture_output=True, text=True
    )


def written(log: Path) -> dict:
    return json.loads(log.with_suffix(".json").read_text())


# ---- one step


def test_a_step_is_recorded(tmp_path):
    log = tmp_path / "logs/train/one.log"
    hog = "import sys; b = bytearray(200 * 2**20); print('out'); print('err', file=sys.stderr)"
    assert run(log, PYTHON, "-c", hog).returncode == 0
    assert sorted(log.read_text().split()) == ["err", "out"]
    about = written(log)
    assert about["state"] == "done"
    assert about["host"] == socket.gethostname()
    assert 200 <= about["peak_memory_mb"] < 400
    assert 0 < about["cpu_seconds"] <= about["seconds"] + 0.1
    found = step.read(log, tmp_path / "logs")
    assert (found.step, found.rule, found.state) == ("train/one", "train", "done")


@pytest.mark.parametrize(("ending", "status_"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137)])
def test_a_step_fails_as_its_command_does(tmp_path, ending, status_):
    done = run(tmp_path / "one.log", PYTHON, "-c", f"import os, sys; {ending}")
    assert done.returncode == status_
    assert written(tmp_path / "one.log")["state"] == "failed"


def test_a_step_that_cannot_begin(tmp_path):
    done = run(tmp_path / "one.log", "no-such-program")
    assert done.returncode == 1
    assert "no-such-program" in done.stderr
    assert "Traceback" not in done.stderr
    assert run(tmp_path / "one.log").returncode == 2


def test_the_last_time_is_remembered(tmp_path):
    """While a step runs again, and after it has failed."""
    log = tmp_path / "one.log"
    run(log, PYTHON, "-c", "import time; time.sleep(0.3)")
    before = written(log)["seconds"]
    run(log, "false")
    run(log, "false")
    assert written(log)["seconds"] == before
    assert before >= 0.3


def test_a_step_is_told_to_stop(tmp_path):
    """SIGTERM is passed on, and the end waited for."""
    waiter = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('stopped'), sys.exit(5)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    log = tmp_path / "one.log"
    process = subprocess.Popen([PYTHON, "-m", "gampl_book", "step", log, PYTHON, "-c", waiter])
    end = time.monotonic() + 60
    while not (log.exists() and "ready" in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 5
    assert "stopped" in log.read_text()


# ---- records


def leave(log: Path, **about: object) -> None:
    """Writes a record."""
    whole = {"state": "done", "host": socket.gethostname(), "pid": 0, "slurm_job": None, "started": 100.0}
    log.parent.mkdir(parents=True, exist_ok=True)
    log.with_suffix(".json").write_text(json.dumps(whole | about))


def test_status_of_the_smoke_book():
    """What `make test` has built, as Snakemake itself plans it."""
    if not (ROOT / "_build/smoke/book.done").exists():
        pytest.skip("the smoke book is not built")
    command = [sys.executable, "-m", "gampl_book", "status", "--profile", "smoke"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    n_notebooks = len(list((ROOT / "notebooks").glob("*.py")))
    counts = re.search(r"^notebook_smoke \(smoke\) (.*)$", done.stdout, re.MULTILINE)
    assert counts is not None
    assert sum(int(count) for count in counts[1].replace(".", "0").split()) == n_notebooks
    assert re.search(r"^(All \d+ steps are done|The rest takes|How long)", done.stdout, re.MULTILINE), done.stdout


def test_a_step_whose_process_is_gone_is_lost(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for name, about in {
        "mine": {"pid": os.getpid()},
        "gone": {"pid": gone.pid},
        "elsewhere": {"pid": gone.pid, "host": "another-machine"},
    }.items():
        leave(tmp_path / f"train/{name}.log", state="running", **about)
    states = {record.step: record.state for record in step.read_all(tmp_path)}
    assert states == {"train/mine": "running", "train/gone": "lost", "train/elsewhere": "running"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state": "done"}', "\xff"])
def test_a_record_that_is_none(tmp_path, text):
    (tmp_path / "one.json").write_text(text)
    assert step.read(tmp_path / "one.log", tmp_path) is None
    assert step.read_all(tmp_path) == []


# ---- the state of the work


def a_step(kind: str, state_: str, **about: object) -> status.Step:
    record = step.Record("done", "here", 1, 100.0) if about else None
    for name, value in about.items():
        record = msgspec.structs.replace(record, **{name: value})
    return status.Step(kind, Path("one.log"), state_, record)


def test_time_left():
    """Own times before, those of the kind else; running steps have spent some; nothing is claimed of unknown kinds."""
    steps = [
        a_step("train", "done", seconds=10.0),
        a_step("train", "done", seconds=30.0),
        a_step("train", "done", seconds=20.0),
        a_step("train", "to make"),
        a_step("train", "stale", seconds=7.0),
        a_step("train", "running", state="running", started=995.0, seconds=11.0),
        a_step("book", "to make"),
    ]
    said = status.rest(steps, now=1000.0)
    assert f"about {15 + 7 + 6} s of one core" in said
    assert said.endswith("; 1 step of kinds that never ran here not counted.")
    assert "about 1.4 min" in status.rest([*steps, a_step("train", "stale", seconds=50.0)], now=1000.0)


def test_nothing_is_known_of_the_time_left():
    unknown = [a_step("book", "to make"), a_step("train", "stale")]
    assert status.rest(unknown, now=1000.0).startswith("How long the rest, 2 steps, takes is not known")
    assert status.rest([a_step("book", "done")], now=1000.0) == "All 1 steps are done."


@pytest.mark.parametrize(
    ("product", "rule", "log"),
    [
        ("_build/laptop/receipts/ring2d/deep/1-2.json", "train", "_build/laptop/logs/train/ring2d/deep/1-2.log"),
        ("_build/laptop/executed/z_jets.ipynb", "notebook", "_build/laptop/logs/notebook/z_jets.log"),
        ("_build/laptop/results/z_jets.json", "notebook", None),
        ("_build/smoke/checked.ok", "check", "_build/smoke/logs/check.log"),
        ("_build/laptop/book.done", "book", "_build/laptop/logs/book.log"),
        ("_build/events/paper/top/seed_000000001.made", "shard", "_build/events/paper/logs/top/seed_000000001.log"),
        ("_build/events/paper/top.h5", "event_file", "_build/events/paper/logs/top.log"),
    ],
)
def test_which_log_is_whose(product, rule, log):
    assert status.log_of(Path(product), rule) == (log and Path(log))


# ---- the page of the run


def test_the_page_of_a_run(tmp_path):
    build = tmp_path / "_build"
    measured = {"seconds": 12.34, "cpu_seconds": 11.0, "peak_memory_mb": 321, "slurm_job": "17", "host": "node7"}
    leave(build / "laptop/logs/train/ring2d/deep/1.log", **measured)
    leave(build / "laptop/logs/notebook/z_jets.log", **measured)
    leave(build / "laptop/logs/notebook/failed.log", **(measured | {"state": "failed"}))
    leave(build / "smoke/logs/notebook/z_jets.log", **measured)
    leave(build / "smoke/logs/other_book.log", **measured)
    leave(build / "events/paper/logs/top/seed_1.log", **measured)
    receipt = build / "laptop/receipts/ring2d/deep/1.json"
    receipt.parent.mkdir(parents=True)
    receipt.write_text(json.dumps({"a": {"device": "cuda"}, "b": {"device": "cuda"}}))
    text = made_pages.run_page(build, "laptop")
    assert "| ring2d/deep/1 | cuda | node7 | 17 | 12.3 | 321 |" in text
    assert "| z_jets | – | node7 | 17 | 12.3 | 321 |" in text
    assert "| events, paper | 1 | 12 | 12.3 | 12.3 | 321 | node7 |" in text
    assert "| notebook, smoke | 1 |" in text
    assert "failed" not in text
    assert "other_book" not in text
    assert 'href="run_report.html"' in text


def test_the_page_of_a_run_says_how_far_it_is_from_a_kept_one(tmp_path):
    def write(folder, commit, **numbers):
        path = tmp_path / folder / "laptop" / ("results/page.json" if folder == "_build" else "page.json")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"commit": commit, "device": "an abacus", "seed": 3, "numbers": numbers}))

    leave(tmp_path / "_build/laptop/logs/notebook/page.log", seconds=1.0, cpu_seconds=1.0, peak_memory_mb=1)
    own = {
        "n": 10,
        "same": 1.001,
        "inside": 1.4,
        "outside": 4.0,
        "endless": "inf",
        "bare": 7.0,
        "new": 1.0,
        "none": "nan",
    }
    write("_build", "b", **{name: {"value": value} for name, value in own.items()})

    def page():
        return made_pages.run_page(tmp_path / "_build", "laptop", archive=tmp_path / "kept")

    assert "No other run of this profile is kept" in page()
    old = {name: {"value": 1.0, "interval": [0.5, 1.5]} for name in ("same", "inside", "outside")}
    old |= {
        "n": {"value": 10},
        "endless": {"value": 2.0, "interval": [1.0, "inf"]},
        "bare": {"value": 1.0},
        "none": {"value": "nan"},
    }
    write("kept", "a", **old, gone={"value": 1.0})
    said = (
        "Of 7 numbers that it has in common with this one, 4 differ by more than 2%. Of those, 3 have an interval there"
    )
    assert said in page()
    assert "and 2 of these lie in it. They are of different commits" in page()
    assert "made on an abacus with seed 3" in page()


def test_the_page_of_a_run_without_records(tmp_path):
    assert "No step has left a record" in made_pages.run_page(tmp_path, "laptop")


def test_what_is_kept_of_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "store"))
    with pytest.raises(BookError, match="no records of finished steps"):
        kept_results.cost(Path("_build/laptop"))
    leave(Path("_build/laptop/logs/train/one.log"), seconds=2.0, cpu_seconds=1.5, peak_memory_mb=10)
    leave(Path("_build/laptop/logs/train/two.log"), seconds=3.0, cpu_seconds=2.5, peak_memory_mb=30)
    Path("_build/laptop/results").mkdir()
    Path("_build/laptop/results/z_jets.json").write_text('{"device": "a CPU, 2 cores"}')
    Path("_build/laptop/receipts").mkdir()
    Path("_build/laptop/receipts/one.json").write_text('{"one": {"device": "cpu"}, "two": {"device": "a GPU"}}')
    kept_results.keep("laptop")
    assert Path("data/results/laptop/z_jets.json").exists()
    about = json.loads(Path("data/costs/runs/laptop.json").read_text())
    assert (about["steps"], about["core_seconds"], about["peak_memory_mb"]) == (2, 4, 30)
    assert about["device"] == "a CPU, 2 cores, a GPU"


# ---- builds


def test_a_damaged_training_is_a_step_again(tmp_path, monkeypatch):
    """Its receipt goes, unless it has been made anew; other receipts stay."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    for name in ("aa11", "bb22"):
        (store.root / "damaged" / f"{name}-x7").mkdir(parents=True)
    store.path("bb22").mkdir(parents=True)
    receipts = tmp_path / "_build/laptop/receipts"
    (receipts / "ring2d").mkdir(parents=True)
    for job, artifact in (("one", "aa11"), ("two", "bb22"), ("ring2d/three", "cc33")):
        (receipts / f"{job}.json").write_text(json.dumps({job: {"artifact": artifact}}))
    build.forget_damaged_trainings(store)
    assert sorted(path.stem for path in receipts.rglob("*.json")) == ["three", "two"]


def test_what_a_killed_build_leaves(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_text("process 3 of login1")
    assert build.last_holder(lock) == "process 3 of login1"
    with build.only_build(lock):
        assert str(os.getpid()) in build.last_holder(lock)
        assert build.holder(lock) == build.last_holder(lock)
    assert build.last_holder(lock) == build.holder(lock) == ""


def test_a_file_system_without_locks(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError("Function not implemented")

    monkeypatch.setattr(locking.fcntl, "flock", refuse)
    with build.only_build(tmp_path / ".lock"):
        assert "cannot be locked (Function not implemented)" in capsys.readouterr().err
        assert build.holder(tmp_path / ".lock") == ""


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path):
    left = [".a.json.0123456789abcdef.part", "12/.12ab34cd-k3_x9q2z", "smoke/.calibration-abcd1234"]
    ours = [".lock", ".snakemake_timestamp", "a.part", "smoke/.a-0123", "damaged-abcd1234", ".b.json.0123.part"]
    for name in (*left, *ours):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").touch()
    whole = tmp_path / ".c.h5.fedcba9876543210.part"
    whole.touch()
    now = time.time()
    assert build.remove_leftovers((tmp_path,), now) == []  # somebody may be writing them
    assert set(build.remove_leftovers((tmp_path, tmp_path / "none"), now + 90_000)) == {
        whole,
        *(tmp_path / name for name in left),
    }
    assert not any((tmp_path / name).exists() for name in left)
    assert all((tmp_path / name).exists() for name in ours)
