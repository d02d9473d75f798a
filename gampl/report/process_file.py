r"""Process files: what is to be analysed, as text that people write, in YAML. All keys but ``n_train`` may be left out.

::

    title: Z + jets
    n_train: 5000                                # events that the generator was trained on
    train: data/train.csv                        # a file, or a mapping, as members below
    holdout: {file: data/z_jets.h5, sample: holdout}
    members: samples/member_*.csv                # a file or pattern, a list of them, or a mapping:
    #   {files: [a.root, b.root], sample: Events, kind: root, columns: [m, pT], weight: w, member: run}
    # train and holdout have unweight (true or false) instead of member; decimal: ',' is for text with decimal commas
    # train and holdout have unweight (true or false) instead of member; ignore_weights: true leaves out those of files
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
    distances: [m, pT]                           # compared all at once, by three distances
    particles: [mu-, mu+, j1]                    # for files of momenta, as sources, coordinates, unit, column, order,
    composites: {Z: [mu-, mu+]}                  # absent, further and check_unit: see `gampl.files.Layout`
    level: 0.683                                 # n_gen, max_lost, seed, averaging and split, too, see `Process`

Names of files are relative to the folder of the process file. Where a list of files, regions, summaries or observables
of a classifier is expected, one of them will do. What is a text and what a number: see `gampl.report.plain_yaml`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Required, TypedDict

from msgspec import Meta

from gampl.files.source import Layout
from gampl.generators.settings import Architecture
from gampl.particles.expressions import expression
from gampl.particles.grammar import quoted
from gampl.report.generated import SPLINE_ONLY, GeneratorSettings
from gampl.report.plain_yaml import MOST_WHOLE, ProcessFileError, check_keys, inside, load, shown, take
from gampl.report.process import Definition, Process, Region, SampleFiles, named_files
from gampl.training.settings import Table, Training

__all__ = ["ProcessFile", "ProcessFileError", "read"]

Line = Annotated[str, Meta(pattern=r"^[^\n\t]*\S[^\n\t]*$")]
Names = Annotated[tuple[Line, ...], Meta(min_length=1)]
Mapped = Annotated[dict[str, Any], Meta(min_length=1)]


class _Document(TypedDict, total=False):
    # as they are, see `Process`
    title: Line
    n_train: Required[Annotated[int, Meta(ge=1, le=MOST_WHOLE)]]
    level: float
    n_gen: Annotated[int, Meta(ge=2, le=MOST_WHOLE)]
    max_lost: float
    seed: Annotated[int, Meta(ge=0, le=MOST_WHOLE)]
    averaging: bool
    split: float
    # of the layout
    particles: Names
    sources: Annotated[tuple[str | int | tuple[int, ...], ...], Meta(min_length=1)]
    coordinates: Line | tuple[Line, ...]
    unit: Line
    column: Line
    order: Line
    absent: bool
    further: bool
    check_unit: bool
    # read further below
    train: Any
    holdout: Any
    members: Any
    generator: Any
    observables: Mapped
    regions: Any
    summaries: Any
    classifier: Any
    distances: Any
    composites: Mapped


class _Definition(TypedDict, total=False):
    expression: Required[Any]
    label: Line
    unit: Line


class ProcessFile(NamedTuple):
    """What a process file says: what is to be analysed, and what is to be trained if there are no members."""

    process: Process
    generator: GeneratorSettings | None


def read(path: Path | str) -> ProcessFile:
    """What a process file says; the files that it names must exist, and are not opened.

    A `ProcessFileError`, one sentence with the key, if it cannot be read or something in it is not what it should be.
    """
    path = Path(path)
    try:
        return _Reader(path.parent).read(load(path))
    except ProcessFileError as error:
        raise ProcessFileError(error.place, error.problem, path) from None


@contextmanager
def _at(key: str, hint: str = "") -> Iterator[None]:
    """Turns a ValueError into an error that names the key."""
    try:
        yield
    except ValueError as error:
        raise ProcessFileError(key, f"{error}{hint}") from None


def _each(key: str, content: Any) -> list[tuple[str, Any]]:
    """The entries of a list with their keys, or the only one where there is not a list."""
    if not isinstance(content, list):
        return [(key, content)]
    if not content:
        raise ProcessFileError(key, "expected at least one, got an empty list")
    return [(f"{key}[{k}]", item) for k, item in enumerate(content)]


def _sample(folder: Path, key: str, content: Any) -> SampleFiles:
    """The files of train, holdout or members; those that are named exist."""
    fields = dict(content) if isinstance(content, dict) else {"files": content}
    check_keys(fields, ("file", *SampleFiles.__annotations__), key)
    if ("file" in fields) == ("files" in fields):
        got = "both" if "file" in fields else "neither"
        raise ProcessFileError(key, f"expected either file or files, got {got}")
    name = "file" if "file" in fields else "files"
    files: list[Path] = []
    for place, item in _each(f"{key}.{name}" if isinstance(content, dict) else key, fields.pop(name)):
        text = take(Line, item, place)
        with _at(place, " ('::' is for the shell, here it is {file: ..., sample: ...})" * ("::" in text)):
            files += named_files(text, folder)
    sample: SampleFiles = take(SampleFiles, fields | {"files": files}, key)
    return sample


def _layout(fields: dict[str, Any]) -> Layout:
    if "particles" not in fields:
        raise ProcessFileError(next(iter(fields)), "is about files of momenta: give particles, too")
    if isinstance(fields.get("coordinates"), tuple):
        fields["coordinates"] = ",".join(fields["coordinates"])
    column = fields.get("column", "")
    if any(brace in column.replace("{particle}", "").replace("{coordinate}", "") for brace in "{}"):
        problem = f"expected a text with {{particle}} and {{coordinate}}, got {quoted(column)}"
        raise ProcessFileError("column", problem)
    with _at(""):
        return Layout(**fields)


@dataclass
class _Reader:
    """Makes a process of the content of a file in a folder, one observable after the other."""

    folder: Path
    observables: dict[str, Definition] = field(default_factory=dict)

    def read(self, content: Any) -> ProcessFile:
        document = take(_Document, content)
        if ("members" in document) == ("generator" in document):
            got = "both" if "members" in document else "neither"
            raise ProcessFileError("", f"expected either members (files) or generator (trained here), got {got}")
        arguments = {name: value for name, value in document.items() if name in Process.__annotations__}
        for name in ("train", "holdout", "members"):
            if name in document:
                arguments[name] = _sample(self.folder, name, document[name])
        self.define(document.get("observables", {}))
        arguments["observables"] = self.observables
        keys: dict[str, str] = {}  # where each number or condition stands
        for name in ("regions", "summaries", "classifier", "distances"):
            entries = _each(name, document[name]) if name in document else []
            make = self.region if name == "regions" else self.expression
            arguments[name] = tuple(make(key, item) for key, item in entries)
            for (key, _), entry in zip(entries, arguments[name], strict=True):
                keys.setdefault(entry if isinstance(entry, str) else entry.condition or entry.observable, key)
        if layout := {name: document[name] for name in Layout.__annotations__ if name in document}:
            arguments["layout"] = _layout(layout)
        sums = document.get("composites", {}).items()
        arguments["composites"] = {name: take(Names, parts, inside("composites", name)) for name, parts in sums}
        with _at(""):
            process = Process(**arguments)
        generator = self.generator(document["generator"], process, keys) if "generator" in document else None
        return ProcessFile(process, generator)

    def define(self, definitions: Mapping[str, Any]) -> None:
        """The observables, which may use those above them."""
        for name, content in definitions.items():
            key = inside("observables", name)
            fields = take(_Definition, content if isinstance(content, dict) else {"expression": content}, key)
            definition = Definition(self.expression(key, fields.pop("expression"), is_name=False), **fields)
            below = definitions.keys() - self.observables.keys() - {name}
            if early := [used for used in definition.expression.names if used in below]:
                raise ProcessFileError(key, f"uses the observable {quoted(early[0])}, expected it above this one")
            self.observables[name] = definition

    def expression(self, key: str, content: Any, *, condition: bool = False, is_name: bool = True) -> str:
        """A condition, or a number: an expression or, if there may be one, the name of an observable."""
        if not isinstance(content, str):
            what = "a condition such as 'm > 100'" if condition else "an expression such as 'm'"
            raise ProcessFileError(key, f"expected {what}, got {shown(content)}")
        text = content.strip()
        if condition or not is_name or text not in self.observables:
            with _at(key):
                expression(text, condition=condition)
        return text

    def region(self, key: str, content: Any) -> Region:
        """A condition, or an observable with edges or quantiles."""
        fields = dict(content) if isinstance(content, dict) else {"condition": content}
        if "condition" in fields:
            where = f"{key}.condition" if isinstance(content, dict) else key
            fields["condition"] = self.expression(where, fields["condition"], condition=True)
        elif "observable" in fields:
            fields["observable"] = self.expression(f"{key}.observable", fields["observable"])
        if "name" in fields:
            take(Line, fields["name"], f"{key}.name")
        region: Region = take(Region, fields, key)
        return region

    def generator(self, content: Any, process: Process, keys: Mapping[str, str]) -> GeneratorSettings:
        """What is to be trained; all numbers and conditions, with their keys, must be made of what it learns."""
        settings: GeneratorSettings = take(GeneratorSettings, content, "generator")
        if settings.kind != "spline" and (names := [name for name in SPLINE_ONLY if name in content]):
            problem = f"is for a spline only: leave it out with kind {settings.kind}"
            raise ProcessFileError(f"generator.{names[0]}", problem)
        for k, name in enumerate(settings.columns):
            key = f"generator.columns[{k}]"
            if name not in self.observables and expression(self.expression(key, name)).names != (name,):
                problem = f"expected the name of a column or an observable, got the expression {quoted(name)}"
                raise ProcessFileError(key, problem)
        if process.train is None:
            raise ProcessFileError("generator", "needs events to train on: give train, too")
        if process.n_gen is not None and process.n_gen > settings.n_gen:
            raise ProcessFileError("n_gen", f"expected at most generator.n_gen, {settings.n_gen}, got {process.n_gen}")
        with _at("generator"):
            Training(Table(settings.columns), process.n_train, Architecture(settings.kind))
        learned = set(settings.columns)
        for name, definition in self.observables.items():
            if learned.issuperset(definition.expression.names):
                learned.add(name)
        for text, key in keys.items():
            needed = (text,) if text in self.observables else expression(text).names
            if unknown := [name for name in needed if name not in learned]:
                columns = ", ".join(settings.columns)
                problem = f"needs {quoted(unknown[0])}, expected only what the generator learns, {columns}"
                raise ProcessFileError(key, problem)
        return settings
