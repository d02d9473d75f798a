"""Process files: what they say, and that whatever else they hold is refused in one sentence that names the key."""

import copy
import json
import math
import os
import re
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st
from process_documents import BAD, FULL, SMALL, TRAINED, changed

from gampl.files.source import Layout
from gampl.report import plain_yaml, process_file
from gampl.report.generated import GeneratorSettings
from gampl.report.process import Definition, Region, SampleFiles
from gampl.report.process_file import ProcessFile, ProcessFileError, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that the documents here name."""
    base = tmp_path_factory.mktemp("process")
    names = ["here/data/train.csv", "true.h5", "here/x.csv", "here/[odd].csv", "here/many/folder.csv/inner"]
    names += [f"here/samples/member_{k}.csv" for k in (2, 1, 10)]
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).touch()
    return base / "here"


@pytest.fixture(scope="module")
def read_text(folder):
    """Reads a document."""

    def reading(text):
        path = folder / "process.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return read(path)

    return reading


def one_sentence(error, folder):
    """The error without the file's name, after a check of its form."""
    text, start = str(error), f"{folder / 'process.yml'}: "
    assert text.startswith(start)
    assert text.isprintable()
    assert error.file == folder / "process.yml"
    assert text == start + ": ".join(filter(None, (error.place, error.problem)))
    assert len(text) < len(start) + 700
    return text.removeprefix(start)


def test_everything_that_can_be_said(folder, read_text):
    found = read_text(FULL)
    process = found.process
    assert found.generator is None
    assert (process.title, process.n_train, process.level, process.seed) == ("Z + jets", 5000, 0.9, 7)
    assert (process.n_gen, process.max_lost) == (100_000, 0.01)
    assert type(process.n_gen) is int
    assert process.train == SampleFiles(
        (folder / "data/train.csv",), kind="csv", columns=("x", "y"), weight="w", unweight=True
    )
    assert process.holdout == SampleFiles((folder / "../true.h5",), sample="holdout")
    # sorted as texts
    assert process.members == SampleFiles(tuple(folder / f"samples/member_{k}.csv" for k in (1, 10, 2)))
    assert process.layout == Layout(
        ("mu-", "mu+", "j1"),
        (13, -13, (1, 2, 21)),
        coordinates="E,px,py,pz",
        unit="MeV",
        column="{particle}.{coordinate}",
        order="file",
        absent=True,
    )
    assert process.composites == {"Z": ("mu-", "mu+")}
    assert list(process.observables.items()) == [
        ("m", Definition("m_mumu", r"$m_{\mu\mu}$", "GeV")),
        ("pT", Definition("pT_mumu")),
        ("mt", Definition("sqrt(m**2 + pT**2)")),
    ]
    assert process.regions == (
        Region("80 <= m < 100", condition="80 <= m < 100"),
        Region("tail", condition="pT > 200"),
        Region("m: 3 intervals", observable="m", edges=(-math.inf, 80, 100.5, math.inf)),
        Region("m - 91: 10 quantiles", observable="m - 91", quantiles=10),
    )
    assert process.summaries == ("m", "sqrt(m**2 + pT**2)")
    assert process.classifier == ("m", "pT")


def test_what_is_left_out_has_the_defaults_of_process(read_text):
    process = read_text("n_train: 10\nmembers: x.csv\nregions: x > 1").process
    assert (process.title, process.level, process.n_gen, process.max_lost, process.seed) == (
        "Amplification", 0.683, None, 1e-3, 1,
    )  # fmt: skip
    assert process.train is process.holdout is process.layout is None
    assert process.observables == process.composites == {}


def test_a_generator_that_is_trained_here(read_text):
    found = read_text(TRAINED)
    assert found.process.members is None
    assert found.generator == GeneratorSettings(
        "spline", 5, ("m", "pT"), steps=2000, n_gen=100_000, width=16, learning_rate=1e-3
    )
    assert read_text(TRAINED.replace("kind: spline", "kind: kde").replace(
        ", steps: 2000, n_gen: 100_000, width: 16, learning_rate: 1e-3", ""
    )).generator == GeneratorSettings("kde", 5, ("m", "pT"))  # fmt: skip


def test_observables_may_have_names_that_are_no_expressions(read_text):
    text = changed(TRAINED, "{m: m_mumu,", "{m: m_mumu, a b: m_mumu,")
    text = changed(text, "[mt]", "[mt, a b]").replace("[m, pT]", "[m, pT, a b]")
    assert read_text(text).process.summaries == ("mt", "a b")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("members: x.csv", ["x.csv"]),
        ("members: [x.csv, data/train.csv]", ["x.csv", "data/train.csv"]),
        ("members: {file: x.csv, member: run}", ["x.csv"]),
        ("members: {files: ['samples/*_?.csv', x.csv]}", ["samples/member_1.csv", "samples/member_2.csv", "x.csv"]),
        ("members: '[odd].csv'", ["[odd].csv"]),  # a name rather than a pattern if there is such a file
        ("members:\n  - samples/*[12].csv", ["samples/member_1.csv", "samples/member_2.csv"]),
    ],
)
def test_files_are_named_in_several_ways(folder, read_text, given, names):
    found = read_text(f"n_train: 10\nregions: x > 1\n{given}").process.members
    assert found.files == tuple(folder / name for name in names)
    assert found.member == ("run" if "run" in given else None)


def test_files_that_fit_a_pattern_are_sorted(read_text, monkeypatch):
    found = ["samples/member_1.csv", "x.csv", "samples/member_2.csv"]
    monkeypatch.setattr("glob.iglob", lambda *_, **__: iter(found))
    files = read_text(changed(SMALL, "x.csv", "any*")).process.members.files
    assert [path.name for path in files] == ["member_1.csv", "member_2.csv", "x.csv"]


def test_absolute_names(folder, read_text):
    for name in (folder / "x.csv", folder / "samples" / "*.csv"):
        files = read_text(f"n_train: 10\nregions: x > 1\nmembers: {name}").process.members.files
        assert all(path.is_file() and path.is_absolute() for path in files)


def test_names_are_relative_to_the_file_wherever_one_is(folder, read_text, monkeypatch):
    read_text(FULL)
    monkeypatch.chdir(folder.parent)
    assert read("here/process.yml").process.members.files[0] == Path("here/samples/member_1.csv")


def test_the_example_of_the_documentation(folder, read_text):
    text = textwrap.dedent(process_file.__doc__.split("::\n", 1)[1].split("\nNames of files")[0])
    trained = re.search(r"generator: .*\n", text)[0]
    text = changed(text, trained, "").replace("data/z_jets.h5", "../true.h5")
    assert read_text(text).process.regions[2].edges == (60, 80, 100, math.inf)
    text = re.sub(r"members: .*\n", trained, text)
    assert read_text(text).generator == GeneratorSettings("spline", 5, ("m", "pT"))


# `bare` without quotes: what YAML 1.1 reads as something surprising is a text, or the number that it looks like
@pytest.mark.parametrize(
    ("bare", "value"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("y", "y"), ("2024-01-01", "2024-01-01"), ("12:30:00", "12:30:00"),
        ("010", "010"), ("0x1F", "0x1F"), ("0o17", "0o17"), ("0b11", "0b11"), ("1_00", "1_00"), ("1_000.5", "1_000.5"),
        ("<<", "<<"), ("=", "="), ("nan", "nan"), ("1e", "1e"), ("+", "+"), (".", "."), ("1.2.3", "1.2.3"),
        ("1e5", 100_000), ("1E+5", 100_000), ("100_000", 100_000), ("-3", -3), ("+3", 3), ("0", 0), (".5", 0.5),
        ("-1.", -1),
        ("inf", math.inf), ("-.INF", -math.inf), ("0.5", 0.5), ("1e999", math.inf), ("true", True), ("FALSE", False),
        ("~", None), ("null", None), ("", None),
    ],
)  # fmt: skip
def test_words_without_quotes(tmp_path, bare, value):
    path = tmp_path / "a.yml"
    path.write_text(f"a: {bare}\nb: '{bare}'\n")
    found = plain_yaml.load(path)
    assert found == {"a": value, "b": bare}
    assert type(found["a"]) is type(value)


printable = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=8)
keys = printable.filter(str.strip)
scalars = (
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | printable
    | st.sampled_from(["m", "x > 3", "no", "1e5", "m +", "x.csv", "*.csv", "/", "..", "sqrt(m)", "{a}", "spline"])
)  # fmt: skip
json_like = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)


def as_yaml(value):
    """JSON is YAML, apart from how it spells infinity."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r'("(?:[^"\\]|\\.)*")|Infinity', lambda m: m[1] or ".inf", text)


@given(st.dictionaries(keys, json_like, min_size=1))
def test_json_is_read_as_json(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "json.yml"
    path.write_text(as_yaml(content), encoding="utf-8")
    assert plain_yaml.load(path) == content


@pytest.mark.parametrize("name", BAD)
def test_errors_are_one_sentence_that_names_the_key(folder, read_text, monkeypatch, name):
    monkeypatch.chdir(folder)
    text, *parts = BAD[name]
    start = time.perf_counter()
    with pytest.raises(ProcessFileError) as caught:
        read_text(text)
    assert time.perf_counter() - start < 5
    sentence = one_sentence(caught.value, folder)
    for part in parts:
        assert part in sentence
    if parts[0].endswith(": "):
        assert sentence.startswith(parts[0])
    assert not (folder / "pwned").exists()


def test_what_the_bad_documents_are_made_of_is_good(read_text):
    assert isinstance(read_text(SMALL), ProcessFile)


@pytest.mark.parametrize(
    ("path", "reason"), [("none.yml", "No such file"), ("samples", "Is a directory"), ("a\0b", "no such name")]
)
def test_no_file(folder, path, reason):
    with pytest.raises(ProcessFileError, match=reason) as caught:
        read(folder / path)
    assert "\n" not in str(caught.value)


def test_a_pattern_does_not_stand_for_endless_files(folder, read_text, monkeypatch):
    monkeypatch.setattr("gampl.report.process.MOST_FILES", 2)
    with pytest.raises(ProcessFileError, match="members: expected at most 2 files"):
        read_text(FULL)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"kind": "gan"}, "kind"),
        ({"members": 1}, "members"),
        ({"columns": ()}, "columns"),
        ({"columns": ("x", "x")}, "columns"),
        ({"bins": 1}, "bins"),
        ({"steps": 0}, "steps"),
        ({"learning_rate": math.nan}, "learning_rate"),
    ],
)
def test_generator_settings_made_in_python_are_checked(change, key):
    good = {"kind": "spline", "members": 2, "columns": ("x",)}
    GeneratorSettings(**good)
    with pytest.raises(ValueError, match=f"^{key} must "):
        GeneratorSettings(**good | change)


def test_a_big_file_is_read_in_seconds(read_text):
    # about as many regions as fit into a file
    conditions = [f"- x > {k}" for k in range(7000)]
    start = time.perf_counter()
    assert len(read_text("n_train: 10\nmembers: x.csv\nregions:\n" + "\n".join(conditions)).process.regions) == 7000
    assert time.perf_counter() - start < 20


def reads_or_refuses(read_text, folder, text):
    start = time.perf_counter()
    try:
        assert isinstance(read_text(text), ProcessFile)
    except ProcessFileError as error:
        one_sentence(error, folder)
    assert time.perf_counter() - start < 5
    assert not os.path.lexists("pwned")


YAML_LIKE = ["\n", "\n", *"\n    :-?[]{},&*!|>%@'\"#~.`\\\t", ": ", "- ", "---\n", "...\n", "!!python/name:os.system "]
YAML_LIKE += ["&a ", "*a", "<<: *a", "%YAML 1.1\n", "%YAML 9.9\n", "%TAG ! a\n", "? ", "|2-\n", ">+\n", "null", "{}"]
OURS = ["n_train: ", "members: ", "regions:\n", "generator: ", "x > 1", "x.csv", "1e5", "0x"]
ODD = ["\\ud800", "é", "\x85", "\ufeff", "\U0001f600", "\u2028"]
pieces = st.sampled_from([*YAML_LIKE, *OURS, *ODD])


@settings(deadline=None, max_examples=200)
@given(st.lists(pieces, max_size=25).map("".join))
@example('"\\U00110000"')
@example("%YAML 1.\n---\na")
@example("? ? ?")
def test_fuzz_text(folder, read_text, text):
    reads_or_refuses(read_text, folder, text)
    reads_or_refuses(read_text, folder, SMALL + text)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_fuzz_bytes(folder, read_text, text):
    reads_or_refuses(read_text, folder, text)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_fuzz_characters_of_a_good_file(folder, read_text, data):
    text = data.draw(st.sampled_from([FULL, TRAINED]))
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 8))
    reads_or_refuses(read_text, folder, text[:at] + data.draw(pieces | printable) + text[at + length :])


def places(content, path=()):
    """All places in nested mappings and lists."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.fixture(scope="module")
def contents(folder, read_text):
    """What good files hold, as JSON has it."""
    found = []
    for text in (FULL, TRAINED):
        process_file = read_text(text)
        content = plain_yaml.load(folder / "process.yml")
        assert read_text(as_yaml(content)) == process_file  # so that it takes a change to make it a bad one
        found.append(content)
    return found


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_fuzz_values_of_a_good_file(folder, read_text, contents, data):
    content = copy.deepcopy(data.draw(st.sampled_from(contents)))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from([*places(content)] or [("n_train",)]))
        owner = content
        for key in path:
            owner = owner[key]
        if data.draw(st.booleans()):
            owner[last] = data.draw(json_like)
        elif last in owner or isinstance(owner, list):
            del owner[last]
    reads_or_refuses(read_text, folder, as_yaml(content))
