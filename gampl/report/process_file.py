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
of a classifier is expected, one of them will do. What is a text and what a number: see `gampl.report.yaml_checks`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gampl.generators.settings import Architecture
from gampl.particles.expressions import ExpressionError, expression
from gampl.particles.quoting import quoted
from gampl.report.process import Observable, Process, Region
from gampl.report.process_samples import LAYOUT, SAMPLES, read_composites, read_layout, read_samples
from gampl.report.yaml_checks import ProcessFileError, Value, different, load
from gampl.training.settings import Fit, Table, Training

GENERATORS = ("spline", "kde")

__all__ = ["GeneratorSettings", "ProcessFile", "ProcessFileError", "read"]


@dataclass(frozen=True)
class GeneratorSettings:
    """An ensemble of generators that is trained on the training sample, see `gampl.training.settings.Training`.

    Args:
        kind: "spline" or "kde".
        members: How many.
        columns: Columns or observables that it learns; all regions and summaries must be made of these.
        n_gen: Events to generate with each member.
        steps, batch_size, learning_rate: How a spline is fitted, see `gampl.training.settings.Fit`.
        width, transforms, bins: Size of a spline.

    Raises:
        ValueError: If the kind is unknown or a number out of range.
    """

    kind: str
    members: int
    columns: tuple[str, ...]
    n_gen: int = 100_000
    steps: int = Fit.steps
    batch_size: int = Fit.batch_size
    learning_rate: float = Fit.learning_rate
    width: int = 32
    transforms: int = 3
    bins: int = 8

    def __post_init__(self) -> None:
        if self.kind not in GENERATORS:
            raise ValueError(f"kind: expected one of {', '.join(GENERATORS)}, got {self.kind!r}")
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns: expected different names, at least one, got {list(self.columns)}")
        least = {"members": 2, "n_gen": 2, "steps": 1, "batch_size": 1, "width": 1, "transforms": 1, "bins": 2}
        for name, lowest in least.items():
            if not getattr(self, name) >= lowest:
                raise ValueError(f"{name}: expected at least {lowest}, got {getattr(self, name)}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate: expected a number between 0 and 1, got {self.learning_rate}")


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


Found = Mapping[str, Value]
_PLAIN: Mapping[str, Callable[[Value], Any]] = {
    "title": Value.text,
    "n_train": lambda value: value.whole(1),
    "level": Value.number,
    "n_gen": lambda value: value.whole(2),
    "max_lost": Value.number,
    "seed": lambda value: value.whole(0),
    "averaging": Value.truth,
}
_KEYS = (*_PLAIN, *SAMPLES, "generator", "observables", "regions", "summaries", "classifier", *LAYOUT, "composites")


def read(path: Path | str) -> ProcessFile:
    """What a process file says. The files that it names must exist, and are not opened.

    Raises:
        ProcessFileError: If it cannot be read, or something in it is not what it should be: one sentence with the key.
    """
    path = Path(path)
    found = load(path).fields(_KEYS, required=["n_train"])
    if ("members" in found) == ("generator" in found):
        got = "both" if "members" in found else "neither"
        raise ProcessFileError(f"{path}: expected either members (files) or generator (trained here), got {got}")
    observables = _observables(found)
    layout = read_layout(found)
    arguments = {name: take(found[name]) for name, take in _PLAIN.items() if name in found}
    arguments |= {
        "observables": observables,
        "regions": _regions(found, observables),
        "summaries": _numbers(found, "summaries", observables),
        "classifier": _numbers(found, "classifier", observables),
        "layout": layout,
        "composites": read_composites(found, layout),
        **read_samples(found),
    }
    try:
        process = Process(**arguments)
    except ValueError as error:
        raise ProcessFileError(f"{path}: {error}") from None
    return ProcessFile(process, _generator(found, process) if "generator" in found else None, path)


def _observables(found: Found) -> dict[str, Observable]:
    observables: dict[str, Observable] = {}
    given = found["observables"].entries() if "observables" in found else {}
    for name, value in given.items():
        fields = {"expression": value}
        if isinstance(value.content, dict):
            fields = value.fields(("expression", "label", "unit"), required=["expression"])
        texts = {key: fields[key].text() for key in ("label", "unit") if key in fields}
        observables[name] = Observable(_expression(fields["expression"], {}, condition=False), **texts)
        below = set(given) - set(observables)
        for used in observables[name].expression.names:
            if used in below:
                raise value.error(f"uses the observable {quoted(used)}, expected it above this one")
    return observables


def _expression(value: Value, observables: Mapping[str, Observable], *, condition: bool) -> str:
    """A condition, or a number: the name of an observable or an expression."""
    if not isinstance(value.content, str):
        raise value.expected("a condition such as 'm > 100'" if condition else "an expression such as 'm'")
    text = value.content.strip()
    if condition or text not in observables:
        try:
            expression(text, condition=condition)
        except ExpressionError as error:
            raise value.error(str(error)) from None
    return text


def _numbers(found: Found, key: str, observables: Mapping[str, Observable]) -> tuple[str, ...]:
    if key not in found:
        return ()
    values = found[key].one_or_more("expressions")
    return different([(value, _expression(value, observables, condition=False)) for value in values])


def _regions(found: Found, observables: Mapping[str, Observable]) -> tuple[Region, ...]:
    values = found["regions"].one_or_more("regions") if "regions" in found else []
    regions = [(value, _region(value, observables)) for value in values]
    different([(value, region.name) for value, region in regions])
    return tuple(region for _, region in regions)


def _region(value: Value, observables: Mapping[str, Observable]) -> Region:
    fields = {"condition": value}
    if isinstance(value.content, dict):
        fields = value.fields(("name", "condition", "observable", "edges", "quantiles"))
    ways = [name for name in ("condition", "edges", "quantiles") if name in fields]
    if len(ways) != 1 or ("observable" in fields) == ("condition" in fields):
        got = ", ".join(fields) or "nothing"
        raise value.error(f"expected either a condition, or an observable with edges or quantiles, got {got}")
    arguments: dict[str, Any] = {}
    if "condition" in fields:
        arguments["condition"] = _expression(fields["condition"], observables, condition=True)
        name = " ".join(arguments["condition"].split())
    else:
        arguments["observable"] = _expression(fields["observable"], observables, condition=False)
        if "edges" in fields:
            arguments["edges"] = _edges(fields["edges"])
            pieces = f"{len(arguments['edges']) - 1} intervals"
        else:
            arguments["quantiles"] = fields["quantiles"].whole(2)
            pieces = f"{arguments['quantiles']} quantiles"
        name = f"{' '.join(arguments['observable'].split())}: {pieces}"
    if "name" in fields:
        name = fields["name"].text()
    return Region(name, **arguments)


def _edges(value: Value) -> tuple[float, ...]:
    edges = tuple(item.number(is_finite=False) for item in value.items("numbers"))
    if len(edges) < 2:
        raise value.error("expected at least 2 edges, got 1")
    for low, high in pairwise(edges):
        if not low < high:
            raise value.error(f"expected increasing edges, got {low:g} before {high:g}")
    return edges


_GENERATOR: Mapping[str, Callable[[Value], Any]] = {
    "kind": lambda value: value.choice(GENERATORS),
    "members": lambda value: value.whole(2),
    "columns": Value.names,
    "n_gen": lambda value: value.whole(2),
}
# of a spline only
_SPLINE: Mapping[str, Callable[[Value], Any]] = {
    **dict.fromkeys(("steps", "batch_size", "width", "transforms"), lambda value: value.whole(1)),
    "bins": lambda value: value.whole(2),
    "learning_rate": Value.number,
}


def _generator(found: Mapping[str, Value], process: Process) -> GeneratorSettings:
    value = found["generator"]
    given = value.fields((*_GENERATOR, *_SPLINE), required=["kind", "members", "columns"])
    taken = {key: {**_GENERATOR, **_SPLINE}[key](item) for key, item in given.items()}
    for key in _SPLINE:
        if key in given and taken["kind"] != "spline":
            raise given[key].error(f"is about a spline, expected it left out with kind {taken['kind']}")
    try:
        settings = GeneratorSettings(**taken)
    except ValueError as error:
        key, problem = str(error).split(": ", 1)
        raise given.get(key, value).error(problem) from None
    for name, item in zip(settings.columns, given["columns"].items("names"), strict=True):
        if name not in process.observables and expression(_expression(item, {}, condition=False)).names != (name,):
            raise item.error(f"expected the name of a column or an observable, got the expression {quoted(name)}")
    if process.train is None:
        raise value.error("needs events to be trained on, expected train, too")
    if process.n_gen is not None and process.n_gen > settings.n_gen:
        raise found["n_gen"].error(f"expected at most generator.n_gen, {settings.n_gen}, got {process.n_gen}")
    try:
        Training(Table(settings.columns), process.n_train, Architecture(settings.kind))
    except ValueError as error:
        raise value.error(str(error).replace("Training.", "")) from None
    _check_learned(found, process, settings)
    return settings


def _check_learned(found: Mapping[str, Value], process: Process, settings: GeneratorSettings) -> None:
    """Everything must be made of what the generator learns."""
    there = set(settings.columns)
    for name, observable in process.observables.items():
        if there.issuperset(observable.expression.names):
            there.add(name)
    wanted = {
        "regions": tuple(region.condition or region.observable for region in process.regions),
        "summaries": process.summaries,
        "classifier": process.classifier,
    }
    for key, texts in wanted.items():
        values = found[key].one_or_more(key) if key in found else []
        for value, text in zip(values, texts, strict=True):
            names = (text,) if text in process.observables else expression(text).names
            for name in names:
                if name not in there:
                    learned = ", ".join(settings.columns)
                    raise value.error(f"needs {quoted(name)}, expected only what the generator learns, {learned}")
