"""No command ends in a traceback, whatever an option is given: hostile values for each option of each command."""

import re

import numpy as np
import pytest

from gampl.cli.main import main
from gampl.simulation import production

# all that a command needs, so that one option alone is wrong
GOOD = {
    "averaging": "--n-train 100 --members {f}/a.csv {f}/b.csv --region x>0 --quiet",
    "differential": "--n-train 100 --members {f}/a.csv {f}/b.csv --holdout {f}/h.csv --summary x --quiet",
    "report": "{f}/p.yml --output {f}/r.html --quiet",
    "plan": "--factor 2 --n-train 1000 --probability 0.1",
    "events make": "z_jets --folder {f}/shards --seeds 1 --quiet",
    "events merge": "--from {f}/shards 1 2 --output {f}/merged.h5",
    "events verify": "{f}/shards",
}
HOSTILE = (
    *("", "nan", "inf", "-1", "1e400", "9" * 30, "\udcff", "x" * 5000),
    *("x:", "=1", "x: 2, 1", "a::b", "(" * 500, "x.__class__"),
    *("/", "{f}", "{f}/none/a", "{f}/noise.csv", "{f}/noise.h5", "{f}/noise.yml", "/dev/null"),
)
SHARE = 6  # of the values, of which an option is given one


def words(capsys, *arguments):
    """Commands or options that a help names, and others."""
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    shown = capsys.readouterr().out
    return re.search(r"\{([a-z,]+)\}", shown), sorted(
        set(re.findall(r"(?<![\w-])--[A-Za-z][\w-]*", shown)) - {"--help"}
    )


def test_the_commands_are_those_that_are_tried(capsys):
    named = words(capsys)[0][1].split(",")
    assert {command.split()[0] for command in GOOD} <= {*named}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    for name in "abh":
        np.savetxt(tmp_path / f"{name}.csv", rng.normal(size=(60, 2)), header="x,w", comments="", delimiter=",")
    (tmp_path / "p.yml").write_text("n_train: 100\nmembers: [a.csv, b.csv]\nregions: x > 0\n")
    for name in ("noise.csv", "noise.h5", "noise.yml"):
        (tmp_path / name).write_bytes(rng.bytes(3000))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def stop(*_, **__):
        raise ValueError("no events are made in this test")

    monkeypatch.setattr(production, "make_shards", stop)
    return tmp_path


def ends_in_words(arguments, capsys):
    """Runs a command, which must say in words what is wrong, if anything is."""
    try:
        status = main(arguments)
    except SystemExit as left:  # of argparse
        status = left.code
    shown = capsys.readouterr()
    assert status in (0, 1, 2), arguments
    assert "Traceback" not in shown.err
    if status:
        last = [line for line in shown.err.splitlines() if line.startswith("gampl")]
        assert last, (arguments, shown.err)


@pytest.mark.parametrize("command", GOOD)
def test_no_option_ends_a_command_in_a_traceback(command, folder, capsys):
    _, options = words(capsys, *command.split())
    good = GOOD[command].format(f=folder).split()
    for k, option in enumerate(options):  # all combinations were tried once, which takes minutes
        for value in HOSTILE[k % SHARE :: SHARE]:
            ends_in_words([*command.split(), *good, option, value.replace("{f}", str(folder))], capsys)


@pytest.mark.parametrize("command", ["report", "events make", "events verify"])
def test_no_word_ends_a_command_in_a_traceback(command, folder, capsys):
    """The first word after the command, which belongs to no option."""
    _, *good = GOOD[command].format(f=folder).split()
    for value in HOSTILE:
        ends_in_words([*command.split(), value.replace("{f}", str(folder)), *good], capsys)
