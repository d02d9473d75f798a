"""Progress: lines where there is no terminal, a bar where there is one, nothing where it is not wanted."""

import sys

import pytest

from gampl.store import progress
from gampl.store.progress import Progress


@pytest.fixture(autouse=True)
def lines_at_any_time(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


def tell_of_two(**arguments):
    with Progress("events", **arguments) as tell:
        for name, done in (("a", 200), ("a", 500), ("b", 100)):
            tell(name, done)


def test_each_sample_has_lines_of_its_own(capsys):
    tell_of_two()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["a: 200 events", "a: 500 events", "b: 100 events"]
    assert all(line.endswith(" a second") for line in lines)


def test_a_terminal_has_a_bar_of_all(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    tell_of_two(total=600)
    assert "/600 " in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    tell_of_two(total=600)
    assert "b: 100 of 600 events" in capsys.readouterr().err


def test_silence(monkeypatch, capsys):
    tell_of_two(quiet=True)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    tell_of_two()
    assert capsys.readouterr().err == ""
