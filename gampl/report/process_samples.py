"""Which samples a process file names and how they are read: some keys of `gampl.report.process_file`."""

import glob
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from gampl.files import KINDS
from gampl.files.layout import UNITS, Layout, LayoutError
from gampl.particles.quoting import quoted
from gampl.report.process import SampleFiles, given_twice
from gampl.report.yaml_checks import Value, closest, shown

MOST_FILES = 10_000  # that a pattern may stand for
SAMPLES = ("train", "holdout", "members")


def read_samples(found: Mapping[str, Value]) -> dict[str, SampleFiles]:
    """The files of each of `SAMPLES` that is there.

    Raises:
        ProcessFileError: If a file does not exist, or is in two samples.
    """
    samples = {name: _sample(found[name], is_generated=name == "members") for name in SAMPLES if name in found}
    if twice := given_twice(samples):  # not in one sample, which `_paths` has seen to
        path, first, second = twice
        raise found[second].error(f"expected other events than in {first}, got {quoted(str(path))} in both")
    return samples


def _sample(value: Value, *, is_generated: bool) -> SampleFiles:
    given = {"files": value}
    if isinstance(value.content, dict):
        last = "member" if is_generated else "unweight"
        given = value.fields(("file", "files", "sample", "kind", "columns", "weight", last))
        if ("file" in given) == ("files" in given):
            raise value.error(f"expected either file or files, got {'both' if 'file' in given else 'neither'}")
    files = given["files"] if "files" in given else given["file"]
    arguments: dict[str, Any] = {
        key: given[key].text("a name") for key in ("sample", "weight", "member") if key in given
    }
    if "kind" in given:
        arguments["kind"] = given["kind"].choice(KINDS)
    if "columns" in given:
        arguments["columns"] = given["columns"].names()
    if "unweight" in given:
        arguments["unweight"] = given["unweight"].truth()
    if arguments.get("unweight") and "weight" not in given:
        raise given["unweight"].error("expected weight, too, the name of the column with the weights")
    if "weight" in given and not is_generated and not arguments.get("unweight"):
        raise given["weight"].error("expected unweight: true, too, since true events must have equal weights")
    return SampleFiles(tuple(_paths(files)), **arguments)


def _paths(value: Value) -> Iterator[Path]:
    """The files that are named, or that fit patterns."""
    seen: dict[str, Path] = {}
    folder = value.file.parent
    for item in value.one_or_more("names of files"):
        text = item.text("the name of a file")
        names = [text]
        if glob.has_magic(text) and not os.path.lexists(folder / text):
            fitting = (name for name in glob.iglob(text, root_dir=folder) if os.path.isfile(folder / name))
            names = sorted(islice(fitting, MOST_FILES + 1))
            if not names:
                raise item.error(f"expected files, none fits {quoted(text)} in {quoted(str(folder))}")
            if len(names) > MOST_FILES:
                raise item.error(f"expected at most {MOST_FILES} files, more fit {quoted(text)}")
        for name in names:
            path = folder / name
            if not os.path.isfile(path):
                hint = " ('::' is for the shell, here it is {file: ..., sample: ...})" if "::" in name else ""
                raise item.error(f"expected a file, there is no {quoted(str(path))}{hint}")
            if seen.setdefault(os.path.realpath(path), path) is not path:
                raise item.error(f"expected each file once, {quoted(str(path))} comes twice")
            yield path


_LAYOUT: Mapping[str, Callable[[Value], Any]] = {
    "particles": Value.names,
    "sources": lambda value: tuple(_source(item) for item in value.items("sources")),
    "coordinates": lambda value: ",".join(value.names()) if isinstance(value.content, list) else value.text(),
    "unit": lambda value: value.choice(UNITS),
    "column": lambda value: _column(value),
    "order": lambda value: value.choice(("pT", "file")),
    "absent": Value.truth,
    "further": Value.truth,
    "check_unit": Value.truth,
}
LAYOUT = tuple(_LAYOUT)


def read_layout(found: Mapping[str, Value]) -> Layout | None:
    """How files of particles are read, if particles are named.

    Raises:
        ProcessFileError: If something is not what it should be, or is said of particles that are not named.
    """
    given = {key: found[key] for key in LAYOUT if key in found}
    if not given:
        return None
    first = next(iter(given.values()))
    if "particles" not in given:
        raise first.error("is about files of momenta, expected particles, too")
    try:
        return Layout(**{key: _LAYOUT[key](value) for key, value in given.items()})
    except LayoutError as error:
        raise given.get(error.field, first).error(str(error)) from None


def _source(value: Value) -> str | int | tuple[int, ...]:
    """The name of columns or a collection, a PDG id, or several ids."""
    match value.content:
        case list():
            return tuple(_pdg_id(item) for item in value.items("PDG ids"))
        case str():
            return value.text()
    return _pdg_id(value)


def _pdg_id(value: Value) -> int:
    if isinstance(value.content, int) and not isinstance(value.content, bool):
        return value.content
    raise value.expected("a name, a PDG id or a list of ids")


def _column(value: Value) -> str:
    text = value.text()
    if any(brace in text.replace("{particle}", "").replace("{coordinate}", "") for brace in "{}"):
        raise value.expected("a text with {particle} and {coordinate}")
    return text


def read_composites(found: Mapping[str, Value], layout: Layout | None) -> dict[str, tuple[str, ...]]:
    """Sums of particles by name.

    Raises:
        ProcessFileError: If a sum is of other particles than the layout's, or has the name of one.
    """
    given = found["composites"].entries() if "composites" in found else {}
    composites = {name: value.names() for name, value in given.items()}
    if layout is not None:
        for name, parts in composites.items():
            if name in layout.particles:
                raise given[name].error("expected a name of its own, there is a particle of this name")
            for part in parts:
                if part not in layout.particles:
                    there_are = ", ".join(layout.particles)
                    raise given[name].error(
                        f"expected particles out of {there_are}, got {shown(part)}{closest(part, layout.particles)}"
                    )
    return composites
