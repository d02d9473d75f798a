"""environment.yml and constraints.txt keep step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]

CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
ONLY_CONDA = {"python", "pip"}


def declared(pyproject: str) -> dict[str, SpecifierSet]:
    """Requirements of the package and all of its extras."""
    project = tomllib.loads(pyproject)["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    requirements = [Requirement(text) for texts in lists for text in texts]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def conda(environment: str) -> dict[str, SpecifierSet]:
    """What environment.yml asks for, by the names of PyPI."""
    entries = yaml.safe_load(environment)["dependencies"]
    texts = [text for entry in entries for text in (entry["pip"] if isinstance(entry, dict) else [entry])]
    requirements = [Requirement(text) for text in texts if not text.startswith("-e")]
    return {
        canonicalize_name(CONDA_NAMES.get(r.name, r.name)): r.specifier
        for r in requirements
        if r.name not in ONLY_CONDA
    }


def locked(constraints: str) -> dict[str, Version]:
    """Versions in constraints.txt."""
    lines = [line for line in constraints.splitlines() if line and not line.startswith("#")]
    pins = [line.split("==") for line in lines]
    return {canonicalize_name(name): Version(version) for name, version in pins}


def complaints(pyproject: str, environment: str, constraints: str) -> list[str]:
    """All that is out of step."""
    wanted, offered, pins = declared(pyproject), conda(environment), locked(constraints)
    found = [f"{name} is in one of pyproject.toml and environment.yml" for name in wanted.keys() ^ offered.keys()]
    found += [
        f"{name}: pyproject.toml says {wanted[name]}, environment.yml {offered[name]}"
        for name in wanted.keys() & offered.keys()
        if wanted[name] != offered[name]
    ]
    found += [f"{name} is not in constraints.txt" for name in wanted if name not in pins]
    found += [
        f"{name}=={pins[name]} in constraints.txt is not {specifier}"
        for name, specifier in wanted.items()
        if name in pins and pins[name] not in specifier
    ]
    return found


@pytest.fixture
def files() -> dict[str, str]:
    names = {"pyproject": "pyproject.toml", "environment": "environment.yml", "constraints": "constraints.txt"}
    return {key: (ROOT / name).read_text() for key, name in names.items()}


def test_in_step(files):
    assert complaints(**files) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("environment", "  - nbval==0.11.0\n", "", "nbval is in one of"),
        ("environment", "- nbval==0.11.0", "- nbval>=9", "nbval: pyproject.toml says"),
        ("environment", "  - pip\n", "  - pip\n  - polars\n", "polars is in one of"),
        ("pyproject", '"papermill>=2.6"', '"papermill>=99"', "papermill==2.7.0 in constraints.txt is not"),
        ("constraints", "zuko==1.6.0\n", "", "zuko is not in constraints.txt"),
    ],
)
def test_a_planted_difference_is_found(files, file, old, new, complaint):
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    assert any(found.startswith(complaint) for found in complaints(**files))


def test_same_python(files):
    python = next(e for e in yaml.safe_load(files["environment"])["dependencies"] if str(e).startswith("python>"))
    assert tomllib.loads(files["pyproject"])["project"]["requires-python"] == python.removeprefix("python")


def test_lock_is_for_every_machine(files):
    """No builds for one kind of machine, no files of the machine that made the lock."""
    assert not re.search(r"\+cpu|^nvidia|^cuda|^triton|file:|@", files["constraints"], re.MULTILINE)
