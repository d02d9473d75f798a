"""The command line of planning; the plans themselves are tested in test_planning.py."""

import argparse
import json

import pytest

from gampl import planning
from gampl.cli.plan import HOW_MEMBERS, add_commands


def run(*arguments):
    parser = argparse.ArgumentParser(prog="gampl")
    add_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(["plan", *map(str, arguments)])
    return options.run(options)


COMMON = ("--factor", 1.5, "--n-train", "1e4", "--probability", 0.02)


def test_the_table_and_the_file_hold_both_plans(tmp_path, capsys):
    file = tmp_path / "new" / "plan.json"
    assert run(*COMMON, "--json", file) == 0
    table = {line[:28].strip(): line[28:].split() for line in capsys.readouterr().out.splitlines()}
    averaging, differential = planning.averaging(1.5, 10_000, 0.02), planning.differential(1.5, 10_000)
    assert table["generators"] == [str(averaging.members), "1"]
    assert table["generated events of each"] == [str(averaging.n_gen), str(differential.n_gen)]
    assert table["true events held out"] == ["-", str(differential.n_ref)]
    assert table["factor, 50 % of the time"] == [f"{averaging.factor:.3g}", f"{differential.factor:.3g}"]
    assert table["expected interval of G"][1] == "to"
    assert table["pooled members, at least"] == [f"{averaging.pooled_at_least:.2g}", "n_train", "-"]
    plans = json.loads(file.read_text())
    assert plans == json.loads(json.dumps({"averaging": averaging.to_dict(), "differential": differential.to_dict()}))


def test_it_says_how_members_have_to_be_made(capsys):
    assert run(*COMMON) == 0
    said = capsys.readouterr().out
    assert HOW_MEMBERS in " ".join(said.split())
    assert max(len(line) for line in said.splitlines()) <= 96


def test_options_reach_the_plans(tmp_path):
    file = tmp_path / "plan.json"
    options = ("--G", 3, "--members", 30, "--level", 0.8, "--assurance", 0.9)
    assert run(*COMMON[2:], "--factor", 3, *options, "--json", file) == 0
    for plan in json.loads(file.read_text()).values():
        assert (plan["G"], plan["level"], plan["assurance"]) == (3, 0.8, 0.9)
        assert plan.get("members", 30) == 30


def test_a_note_is_printed(capsys):
    assert run(*COMMON[:4], "--probability", 1e-6) == 0
    assert "note: the members' integrals would scatter by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--factor", 1, "--factor must be a factor above 1, such as 1.5, got 1.0"),
        ("--n-train", -5, "--n-train must be a whole number of events, at least 1, got -5.0"),
        ("--n-train", 1e30, "--n-train must be a whole number of events, at least 1, got 1e+30"),
        ("--probability", 2, "--probability must lie between 0 and 1"),
        ("--probability", 1e-320, "--probability must lie between 0 and 1, not within 1e-17 of either"),
        ("--probability", 1e-310, "--probability must lie between 0 and 1, not within 1e-17 of either"),
        ("--G", "nan", "--G must give 1 to 1e15 equivalent events"),
        ("--members", 1, "--members must be a whole number, at least 2, got 1.0"),
        ("--members", 1e30, "--members must be a whole number, at least 2, got 1e+30"),
        ("--members", 10, "--factor 1.5 is out of reach with 10 members: however many"),
        ("--level", 0.55, "--level must lie between 0.57 and 1, got 0.55"),
        ("--assurance", 0, "--assurance must be at least 0.5 and below 1, got 0.0"),
    ],
)
def test_bad_input_names_the_option(option, value, sentence, tmp_path):
    with pytest.raises(ValueError, match=r"^--") as refused:
        run(*COMMON, option, value, "--json", tmp_path / "plan.json")
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "plan.json").exists()


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as left:
        run("--help")
    assert left.value.code == 0
    example = capsys.readouterr().out.split("example: gampl plan ")[1].split()
    assert run(*example) == 0
