"""A shell is told how a line goes on, by the protocol of argcomplete, and nobody else waits for that."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gampl.cli.main import main
from gampl.files import KINDS

COMMANDS = ["averaging", "differential", "report", "plan", "reweight", "calibrate", "events"]
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def folder(tmp_path):
    for name in ("a.csv", "a b'.csv", "übung.npy", ".hidden.csv", "process.yml"):
        (tmp_path / name).touch()
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "m.h5").touch()
    return tmp_path


def ask(line: str, folder: Path) -> list[str]:
    """What argcomplete would tell a shell in which this line is typed, quoted as fish wants it: not at all."""
    answer = folder / ".answer"
    words = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SHELL": "fish"}
    words |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    done = subprocess.run([sys.executable, "-m", "gampl"], env=os.environ | words, cwd=folder, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()
    return [found.rstrip() for found in answer.read_text(encoding="utf-8").split("\n") if found]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", [*COMMANDS, "-h", "--help", "--version"]),
        ("av", ["averaging"]),
        ("averaging --memb", ["--members", "--member-column"]),
        ("averaging --kind ", list(KINDS)),
        ("differential --unit M", ["MeV"]),
        ("events ", ["make", "merge", "verify", "-h", "--help"]),
        ("events make t", ["top_pair"]),
        ("averaging --members a", ["a b'.csv", "a.csv", "all/"]),
        ("averaging --members a.csv all/", ["all/m.h5"]),
        ("averaging --n-train 9 --holdout üb", ["übung.npy"]),
        ("averaging --train .hi", [".hidden.csv"]),
        ("averaging --members nowhere/", []),
        ("report p", ["process.yml"]),
        ("report process.yml --json=al", ["--json=all/"]),
        ("events merge --from al", ["all/"]),
        ("events verify al", ["all/"]),
        ("averaging --level ", []),
        ("averaging --region a", []),
    ],
)
def test_what_a_shell_is_told(line, found, folder):
    assert sorted(ask(f"gampl {line}", folder)) == sorted(found)


def line_for(shell: str, capsys) -> str:
    """What the help says that a shell wants."""
    with pytest.raises(SystemExit):
        main(["--help"])
    return re.search(rf"^  {shell} +(.*)$", capsys.readouterr().out, re.M)[1]


def test_bash_completes_after_the_line_that_the_help_names(folder, capsys):
    script = f"""
        {line_for("bash", capsys)}
        COMP_LINE='gampl averaging --members a' COMP_POINT=27 COMP_TYPE=9
        $(complete -p gampl | sed 's/.*-F \\([^ ]*\\).*/\\1/') gampl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    command = ["bash", "--norc", "--noprofile", "-c", f"IFS=' '\n{script}"]
    done = subprocess.run(command, env=os.environ | {"PATH": PATH}, cwd=folder, capture_output=True, text=True)
    assert sorted(done.stdout.splitlines()) == ["a.csv", r"a\ b\'.csv", "all/"], done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_completes_after_the_line_that_the_help_names(folder, capsys):
    command = ["fish", "--no-config", "-c", f"{line_for('fish', capsys)}; complete -C 'gampl averaging --unit M'"]
    done = subprocess.run(command, env=os.environ | {"PATH": PATH}, cwd=folder, capture_output=True, text=True)
    assert done.stdout.split() == ["MeV", "of", "momenta", "(default:", "GeV)"], done.stderr


def test_a_kind_that_there_is_not_is_named_beside_those_that_there_are(capsys):
    with pytest.raises(SystemExit) as left:
        main(["averaging", "--n-train", "9", "--members", "a", "--kind", "excel"])
    assert left.value.code == 2
    assert re.search(r"argument --kind: invalid choice: 'excel' \(choose from '?csv.*hepmc", capsys.readouterr().err)


def test_no_command_waits_for_completion_nor_completion_for_the_statistics():
    code = (
        "import sys; from gampl.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'argcomplete', 'scipy', 'matplotlib'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
