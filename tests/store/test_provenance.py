"""Which files and packages a file depends on: made-up packages, and Python itself as the oracle."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from gampl.store.provenance import ABSENT, PACKAGE, digest, requirements, source_files

TREE = {
    "toy/__init__.py": "",
    "toy/lonely.py": "import json",
    "toy/a.py": "from toy import b",
    "toy/b.py": "import toy.rooms.c as c\n",
    "toy/rooms/__init__.py": "from . import d",
    "toy/rooms/c.py": "from ..a import something",  # a circle: a, b, c, a
    "toy/rooms/d.py": "",
    "toy/rooms/e.py": "def f():\n    from toy.lonely import g\n    return g\n",
    "toy/shop/__init__.py": "import lazy\n",
    "toy/shop/__init__.pyi": "from .shelf import thing as thing\nfrom .cellar import other as other\n",
    "toy/shop/shelf.py": "import toy.lonely\n",
    "toy/shop/cellar.py": "",
    "toy/buyer.py": "from toy.shop import thing\n",
    "toy/typed.py": "import typing\nif typing.TYPE_CHECKING:\n    import toy.a\nelse:\n    import toy.lonely\n",
    "notebooks/page.py": "# %% [markdown]\n# # Page\n\n# %%\nfrom toy.rooms import e\n",
}


@pytest.fixture
def toy(tmp_path):
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def closure(root: Path, entry: str) -> set[str]:
    files = source_files(root / entry, [root / "toy"])
    return {file.relative_to(root).as_posix() for file in files}


@pytest.mark.parametrize(
    ("entry", "others"),
    [
        ("toy/lonely.py", {"toy/__init__.py"}),
        ("toy/a.py", {"toy/__init__.py", "toy/b.py", "toy/rooms/__init__.py", "toy/rooms/c.py", "toy/rooms/d.py"}),
        ("toy/rooms/__init__.py", {"toy/__init__.py", "toy/rooms/d.py"}),
        ("toy/typed.py", {"toy/__init__.py", "toy/lonely.py"}),
        ("toy/buyer.py", {"toy/__init__.py", "toy/shop/__init__.py", "toy/shop/shelf.py", "toy/lonely.py"}),
        (
            "notebooks/page.py",
            {"toy/__init__.py", "toy/rooms/__init__.py", "toy/rooms/d.py", "toy/rooms/e.py", "toy/lonely.py"},
        ),
    ],
)
def test_closure(toy, entry, others):
    assert closure(toy, entry) == {entry} | others


def test_errors_name_the_file(toy):
    (toy / "toy/rooms/d.py").write_text("def (:")
    with pytest.raises(SyntaxError, match=r"d\.py"):
        closure(toy, "toy/a.py")
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        closure(toy, "toy/gone.py")
    (toy / "toy/lonely.py").write_text("from ...elsewhere import x")
    with pytest.raises(ImportError, match="beyond top-level"):
        closure(toy, "toy/lonely.py")


FILES = {
    "pack": "pack/__init__.py",
    "pack.m0": "pack/m0.py",
    "pack.m1": "pack/m1.py",
    "pack.sub": "pack/sub/__init__.py",
    "pack.sub.m2": "pack/sub/m2.py",
    "pack.sub.m3": "pack/sub/m3.py",
}
imports = st.builds(
    str.format,
    st.sampled_from(["import {}", "from {} import __name__ as _", "import {} as _"]),
    st.sampled_from(list(FILES)),
)
texts = st.lists(imports, max_size=3).map("\n".join)


@settings(max_examples=12, deadline=None)
@given(content=st.fixed_dictionaries(dict.fromkeys(FILES, texts)))
def test_the_closure_is_what_python_loads(tmp_path_factory, content):
    """Oracle: the modules that are loaded after a real import."""
    root = tmp_path_factory.mktemp("tree")
    (root / "pack" / "sub").mkdir(parents=True)
    for module, file in FILES.items():
        (root / file).write_text(content[module])
    entry = root / "entry.py"
    entry.write_text("import pack.m0")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import entry\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in {'pack', 'entry'}), sep='\\n')"
    )
    loaded = subprocess.run([sys.executable, "-S", "-c", code, root], capture_output=True, text=True, check=True)
    assert [str(file) for file in source_files(entry, [root / "pack"])] == sorted(loaded.stdout.split())


def test_this_package():
    """The estimators are planned without torch; training is not."""
    averaging = source_files(PACKAGE / "averaging.py")
    assert PACKAGE / "__init__.py" in averaging
    assert "torch" not in requirements(averaging)
    assert {"numpy", "scipy"} <= requirements(averaging).keys()


def distribution(site: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """Something that looks installed."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")
    (info / "top_level.txt").write_text(name.lower().replace("-", "_"))


def test_requirements(tmp_path, toy, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    distribution(
        site, "Direct", "1.0", ("indirect_one>=2; python_version > '3'", 'unwanted; extra == "more"', "other-os")
    )
    distribution(site, "Indirect.One", "2.5", ("direct",))  # a circle
    distribution(site, "unwanted", "3.0")
    monkeypatch.syspath_prepend(site)
    (toy / "toy/b.py").write_text(
        "import os, direct.part\ntry:\n    import optional_one\nexcept ImportError:\n    pass\n"
    )
    files = source_files(toy / "toy/a.py", [toy / "toy"])
    found = requirements(files, [toy / "toy"])
    assert found == {"direct": "1.0", "indirect-one": "2.5", "optional_one": ABSENT}
    assert list(found) == sorted(found)


@given(contents=st.lists(st.binary(max_size=8), min_size=2, max_size=4, unique=True), data=st.data())
@settings(max_examples=25, deadline=None)
def test_digest(tmp_path_factory, contents, data):
    """Names, places and order do not matter; contents do."""
    root, elsewhere = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("elsewhere")
    names = [f"f{i}" for i in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        (root / name).write_bytes(content)
        (elsewhere / f"other_{name}").write_bytes(content)
    original = digest([root / name for name in names])
    order = data.draw(st.permutations(names))
    assert digest([elsewhere / f"other_{name}" for name in order]) == original
    assert digest([root / name for name in names[1:]]) != original
    changed = data.draw(st.sampled_from(names))
    (root / changed).write_bytes(data.draw(st.binary(max_size=8).filter(lambda b: b != (root / changed).read_bytes())))
    assert digest([root / name for name in names]) != original


CODE = """\
\"\"\"A module.\"\"\"

X = None


class A:
    \"\"\"A class.\"\"\"

    def f(self, y: int = 1) -> str:
        \"\"\"A method.\"\"\"
        return f"{y:>3} words"  # a comment
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("A module.", "Another one.", True),
        ('"""A module."""\n', "", True),
        ("X = None", "import json\nX = None", True),
        ("A class.", "Other words,\n    on two lines.", True),
        ("A method.", "", True),
        ("  # a comment", "", True),
        ("y: int = 1", "y:int=1", True),
        (" words", " word", False),
        ("y: int = 1", "y: int = 2", False),
        ("y: int = 1", "y: int = 1.0", False),
        ("X = None", "X = 'None'", False),
        ("X = None", "X: None", False),
        ("return f", "f", False),
        (":>3", ":>4", False),
        ('"""A class."""', '"""A class."""\n    """No docstring."""', False),
    ],
)
def test_digest_of_python_sees_code_and_no_words(tmp_path, old, new, same):
    file = tmp_path / "code.py"
    file.write_text(CODE)
    before = digest([file])
    assert old in CODE
    file.write_text(CODE.replace(old, new, 1))
    assert (digest([file]) == before) == same


def test_digest_does_not_depend_on_the_version_of_python(tmp_path):
    """The number is of Python 3.11; fields that later versions add to the syntax tree are empty here."""
    file = tmp_path / "code.py"
    file.write_text(CODE)
    assert digest([file])[:16] == "6accbc3661c78d1d"


def test_digest_knows_where_one_file_ends(tmp_path):
    """Contents that move from one file to the next are a change; where a file is, and its name, are not."""
    one, two = tmp_path / "one", tmp_path / "two"
    seen = []
    for first, second in [("ab", "c"), ("a", "bc"), ("c", "ab")]:
        one.write_text(first)
        two.write_text(second)
        seen.append(digest([one, two]))
    assert seen[0] == seen[2] != seen[1]
    (tmp_path / "room").mkdir()
    assert digest([one.rename(tmp_path / "room" / "three"), two]) == seen[2]
