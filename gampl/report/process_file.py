r"""Process files: what is to be analysed, as text that people write, in YAML. All keys but ``n_train`` may be left out.

::

    title: Z + jets
    n_train: 5000                                # events that the generator was trained on
    train: data/train.csv                        # a file, or a mapping, as members below
    holdout: {file: data/z_jets.h5, sample: holdout}
    members: samples/member_*.csv                # a file or pattern, a list of them, or a mapping:
    #   {files: [a.root, b.root], sample: Events, kind: root, columns: [m, pT], weight: w, member: run}
    # train and holdout have unweight (true or false) instead of member
    generator: {kind: spline, members: 5, columns: [m, pT]}  # instead of members: trained here, `GeneratorSettings`
    observables:                                 # numbers of each event; later ones may use earlier ones
      m: {expression: m_mumu, label: '$m_{\mu\mu}$', unit: GeV}
      pT: pT_mumu
    regions:                                     # of the averaging estimate
      - 80 <= m < 100
      - {name: tail, condition: pT > 200}
      - {observable: m, edges: [60, 80, 100, inf]}
      - {observable: pT, quantiles: 10}
    summaries: [m, sqrt(m**2 + pT**2)]           # of the differential estimate
    classifier: [m, pT]                          # one more summary, learned from these
    particles: [mu-, mu+, j1]                    # for files of momenta, as sources, coordinates, unit, column, order,
    composites: {Z: [mu-, mu+]}                  # absent, further and check_unit: see `gampl.files.Layout`
    level: 0.683                                 # n_gen, max_lost, seed and averaging, too, see `Process`

Names of files are relative to the folder of the process file. Where a list of files, regions, summaries or observables
of a classifier is expected, one of them will do. What is a text and what a number: see `gampl.report.plain_yaml`.
"""

import difflib
import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

import msgspec
from msgspec import Meta

from gampl.files.layout import Layout
from gampl.generators.table_settings import TableTraining
from gampl.particles.expressions import ExpressionError, expression
from gampl.particles.quoting import MOST_SHOWN, quoted
from gampl.report.generated import SPLINE_ONLY, GeneratorSettings
from gampl.report.plain_yaml import MOST_WHOLE, ProcessFileError, load, shown
from gampl.report.process import Definition, Process, Region, SampleFiles, first_repeated

__all__ = ["ProcessFile", "ProcessFileError", "read"]

MOST_FILES = 10_000  # that a pattern may stand for

Line = Annotated[str, Meta(pattern=r"^[^\n\t]*\S[^\n\t]*$")]
Names = Annotated[tuple[Line, ...], Meta(min_length=1)]
Mapped = Annotated[dict[str, Any], Meta(min_length=1)]


class _Layout(TypedDict, total=False):
    particles: Names
    sources: Annotated[tuple[str | int | tuple[int, ...], ...], Meta(min_length=1)]
    coordinates: Line | tuple[Line, ...]
    unit: Line
    column: Line
    order: Line
    absent: bool
    further: bool
    check_unit: bool


class _Plain(TypedDict, total=False):
    title: Line
    n_train: Required[Annotated[int, Meta(ge=1, le=MOST_WHOLE)]]
    level: float
    n_gen: Annotated[int, Meta(ge=2, le=MOST_WHOLE)]
    max_lost: float
    seed: Annotated[int, Meta(ge=0, le=MOST_WHOLE)]
    averaging: bool


class _Document(_Plain, _Layout, total=False):
    train: Any
    holdout: Any
    members: Any
    generator: Any
    observables: Mapped
    regions: Any
    summaries: Any
    classifier: Any
    composites: Mapped


class _Definition(TypedDict, total=False):
    expression: Required[Any]
    label: Line
    unit: Line


@dataclass(frozen=True)
class ProcessFile:
    """What a process file says.

    Attributes:
        process: What is to be analysed.
        generator: What is to be trained, if the process has no members.
        path: The file.
    """

    process: Process
    generator: GeneratorSettings | None
    path: Path


def read(path: Path | str) -> ProcessFile:
    """What a process file says. The files that it names must exist, and are not opened.

    Raises:
        ProcessFileError: If it cannot be read, or something in it is not what it should be: one sentence with the key.
    """
    path = Path(path)
    return _Reader(path).read(load(path))


class _Reader:
    """Makes a process of the content of a file; what does not fit is an error that names the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.observables: dict[str, Definition] = {}

    def read(self, content: Any) -> ProcessFile:
        """The whole file."""
        document = self.take(_Document, content)
        if ("members" in document) == ("generator" in document):
            got = "both" if "members" in document else "neither"
            raise self.error("", f"expected either members (files) or generator (trained here), got {got}")
        arguments = {name: document[name] for name in _Plain.__annotations__ if name in document}
        for name in ("train", "holdout", "members"):
            if name in document:
                arguments[name] = self.sample(name, document[name])
        self.define(document.get("observables", {}))
        arguments["observables"] = self.observables
        keys: dict[str, str] = {}  # where each number or condition stands
        for name, made in (("regions", self.region), ("summaries", self.expression), ("classifier", self.expression)):
            entries = self.each(name, document[name]) if name in document else []
            arguments[name] = tuple(made(key, item) for key, item in entries)
            for (key, _), entry in zip(entries, arguments[name], strict=True):
                keys.setdefault(entry if isinstance(entry, str) else entry.condition or entry.observable, key)
        for name in ("summaries", "classifier"):
            self.check_different(name, arguments[name])
        layout = self.layout({name: document[name] for name in _Layout.__annotations__ if name in document})
        arguments |= {"layout": layout, "composites": self.composites(document.get("composites", {}), layout)}
        process = self.made("", Process, **arguments)
        generator = self.generator(document["generator"], process, keys) if "generator" in document else None
        return ProcessFile(process, generator, self.path)

    def error(self, key: str, problem: str) -> ProcessFileError:
        """The error to raise."""
        return ProcessFileError(self.path, key, problem)

    def made(self, key: str, kind: Any, /, **fields: Any) -> Any:
        """An object of a class that checks its fields."""
        try:
            return kind(**fields)
        except ValueError as error:
            raise self.error(key, str(error)) from None

    def take(self, kind: Any, content: Any, key: str = "") -> Any:
        """A part of the file as what it should be, be it a mapping with the keys of a class or a simple type."""
        if (known := getattr(kind, "__annotations__", None)) and isinstance(content, dict):
            self.check_keys(content, known, key)
        try:
            return msgspec.convert(content, kind, dec_hook=lambda kind, text: kind(text))
        except msgspec.ValidationError as error:
            raise self.error(*_in_words(str(error), content, key)) from None

    def check_keys(self, content: Mapping[str, Any], known: Collection[str], key: str) -> None:
        """Raises an error if a mapping has another key."""
        if unknown := [name for name in content if name not in known]:
            problem = f"unknown key{_closest(unknown[0], known)}, expected one of {', '.join(known)}"
            raise self.error(_inside(key, unknown[0]), problem)

    def each(self, key: str, content: Any) -> list[tuple[str, Any]]:
        """The entries of a list with their keys, or the only one where there is not a list."""
        if not isinstance(content, list):
            return [(key, content)]
        if not content:
            raise self.error(key, "expected at least one, got an empty list")
        return [(f"{key}[{k}]", item) for k, item in enumerate(content)]

    def check_different(self, key: str, names: Iterable[str]) -> None:
        """Raises an error if a name comes twice."""
        if (name := first_repeated(names)) is not None:
            raise self.error(key, f"expected each once, {quoted(name)} comes twice")

    def sample(self, key: str, content: Any) -> SampleFiles:
        """The files of train, holdout or members; those that are named exist."""
        fields = content if isinstance(content, dict) else {"files": content}
        self.check_keys(fields, ("file", *SampleFiles.__annotations__), key)
        if ("file" in fields) == ("files" in fields):
            raise self.error(key, f"expected either file or files, got {'both' if 'file' in fields else 'neither'}")
        name = "file" if "file" in fields else "files"
        named = self.each(f"{key}.{name}" if fields is content else key, fields[name])
        files = [path for place, item in named for path in self.paths(place, self.take(Line, item, place))]
        others = {other: value for other, value in fields.items() if other != name}
        sample: SampleFiles = self.take(SampleFiles, others | {"files": files}, key)
        return sample

    def paths(self, key: str, text: str) -> Iterator[Path]:
        """The file that a text names, or those that fit it as a pattern."""
        folder, names = self.path.parent, [text]
        if glob.has_magic(text) and not os.path.lexists(folder / text):
            fitting = (name for name in glob.iglob(text, root_dir=folder) if os.path.isfile(folder / name))
            names = sorted(islice(fitting, MOST_FILES + 1))
            if not names:
                raise self.error(key, f"expected files, none fits {quoted(text)} in {quoted(str(folder))}")
            if len(names) > MOST_FILES:
                raise self.error(key, f"expected at most {MOST_FILES} files, more fit {quoted(text)}")
        for name in names:
            if not os.path.isfile(folder / name):
                hint = " ('::' is for the shell, here it is {file: ..., sample: ...})" if "::" in name else ""
                raise self.error(key, f"expected a file, there is no {quoted(str(folder / name))}{hint}")
            yield folder / name

    def define(self, definitions: Mapping[str, Any]) -> None:
        """The observables, which may use those above them."""
        for name, content in definitions.items():
            key = _inside("observables", name)
            fields = self.take(_Definition, content if isinstance(content, dict) else {"expression": content}, key)
            text = self.expression(key, fields.pop("expression"), is_name=False)
            definition = Definition(text, **fields)
            below = [used for used in definition.expression.names if used in definitions]
            if below := [used for used in below if used not in self.observables and used != name]:
                raise self.error(key, f"uses the observable {quoted(below[0])}, expected it above this one")
            self.observables[name] = definition

    def expression(self, key: str, content: Any, *, condition: bool = False, is_name: bool = True) -> str:
        """A condition, or a number: an expression or, if there may be one, the name of an observable."""
        if not isinstance(content, str):
            what = "a condition such as 'm > 100'" if condition else "an expression such as 'm'"
            raise self.error(key, f"expected {what}, got {shown(content)}")
        text = content.strip()
        if condition or not is_name or text not in self.observables:
            try:
                expression(text, condition=condition)
            except ExpressionError as error:
                raise self.error(key, str(error)) from None
        return text

    def region(self, key: str, content: Any) -> Region:
        """A condition, or an observable with edges or quantiles."""
        fields = dict(content) if isinstance(content, dict) else {"condition": content}
        name = ""
        if "condition" in fields:
            where = f"{key}.condition" if isinstance(content, dict) else key
            name = fields["condition"] = self.expression(where, fields["condition"], condition=True)
        elif "observable" in fields:
            name = fields["observable"] = self.expression(f"{key}.observable", fields["observable"])
            edges = fields.get("edges")
            pieces = (
                f"{len(edges) - 1} intervals" if isinstance(edges, list) else f"{fields.get('quantiles')} quantiles"
            )
            name += f": {pieces}"
        region: Region = self.take(Region, {"name": " ".join(name.split()), **fields}, key)
        return region

    def layout(self, fields: dict[str, Any]) -> Layout | None:
        """How files of particles are read, if particles are named."""
        if not fields:
            return None
        if "particles" not in fields:
            raise self.error(next(iter(fields)), "is about files of momenta, expected particles, too")
        if isinstance(fields.get("coordinates"), tuple):
            fields["coordinates"] = ",".join(fields["coordinates"])
        column = fields.get("column", "")
        if any(brace in column.replace("{particle}", "").replace("{coordinate}", "") for brace in "{}"):
            raise self.error("column", f"expected a text with {{particle}} and {{coordinate}}, got {quoted(column)}")
        layout: Layout = self.made("", Layout, **fields)
        return layout

    def composites(self, sums: Mapping[str, Any], layout: Layout | None) -> dict[str, tuple[str, ...]]:
        """Sums of particles by name."""
        composites: dict[str, tuple[str, ...]] = {}
        for name, content in sums.items():
            key = _inside("composites", name)
            parts = composites[name] = self.take(Names, content, key)
            self.check_different(key, parts)
            if layout is not None and name in layout.particles:
                raise self.error(key, "expected a name of its own, there is a particle of this name")
            if layout is not None and (others := [part for part in parts if part not in layout.particles]):
                hint, particles = _closest(others[0], layout.particles), ", ".join(layout.particles)
                raise self.error(key, f"expected particles out of {particles}, got {shown(others[0])}{hint}")
        return composites

    def generator(self, content: Any, process: Process, keys: Mapping[str, str]) -> GeneratorSettings:
        """What is to be trained; all numbers and conditions, with their keys, must be made of what it learns."""
        settings: GeneratorSettings = self.take(GeneratorSettings, content, "generator")
        if settings.kind != "spline" and (names := [name for name in SPLINE_ONLY if name in content]):
            problem = f"is about a spline, expected it left out with kind {settings.kind}"
            raise self.error(f"generator.{names[0]}", problem)
        for k, name in enumerate(settings.columns):
            key = f"generator.columns[{k}]"
            if name not in self.observables and expression(self.expression(key, name)).names != (name,):
                problem = f"expected the name of a column or an observable, got the expression {quoted(name)}"
                raise self.error(key, problem)
        if process.train is None:
            raise self.error("generator", "needs events to be trained on, expected train, too")
        if process.n_gen is not None and process.n_gen > settings.n_gen:
            raise self.error("n_gen", f"expected at most generator.n_gen, {settings.n_gen}, got {process.n_gen}")
        self.made(
            "generator", TableTraining, generator=settings.kind, n_train=process.n_train, dim=len(settings.columns)
        )
        learned = set(settings.columns)
        for name, definition in self.observables.items():
            if learned.issuperset(definition.expression.names):
                learned.add(name)
        for text, key in keys.items():
            needed = (text,) if text in self.observables else expression(text).names
            if unknown := [name for name in needed if name not in learned]:
                columns = ", ".join(settings.columns)
                problem = f"needs {quoted(unknown[0])}, expected only what the generator learns, {columns}"
                raise self.error(key, problem)
        return settings


TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
MSGSPEC = (
    (r" matching regex .*", " on one line"),
    (r" of length >= ", " of length at least "),
    (r" >= ", " of at least "),
    (r" <= ", " of at most "),
)


def _in_words(message: str, content: Any, key: str) -> tuple[str, str]:
    """The key that an error of msgspec is about and what is wrong there: what it says of types, and what stands there.

    Its errors have no fields; they end with where the value is, as in "Expected `int`, got `str` - at `$.edges[0]`".
    """
    problem, _, place = message.partition(" - at `$")
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", place):
        content = content[name or int(index)]
        key = _inside(key, name) if name else f"{key}[{index}]"
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", problem):
        return _inside(key, missing[1]), "expected this key, got nothing"
    if not problem.startswith("Expected `"):
        return key, problem  # of one of our own classes
    expected = problem.removeprefix("Expected ").partition(", got ")[0]
    for pattern, words in MSGSPEC:
        expected = re.sub(pattern, words, expected)
    expected = re.sub(r"`(.*)`", lambda types: " or ".join(TYPES[name] for name in types[1].split(" | ")), expected)
    hint = " (quotes make it a text)" if expected.startswith("a text") and isinstance(content, int | float) else ""
    return key, f"expected {expected}, got {shown(content)}{hint}"


def _inside(key: str, name: str) -> str:
    """The key of an entry of a mapping."""
    name = name if len(name) <= MOST_SHOWN else quoted(name)
    return f"{key}.{name}" if key else name


def _closest(name: str, known: Collection[str]) -> str:
    """Which of the known names was perhaps meant, for an error."""
    by_lower_case = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name[:MOST_SHOWN].lower(), by_lower_case, n=1)
    return f" (did you mean {by_lower_case[close[0]]}?)" if close else ""
