"""The commands ``gampl averaging``, ``differential`` and ``report``: amplification from files of samples."""

import argparse
import glob
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gampl.store.atomic import write_bytes

AVERAGING = """examples:
  # ten files with a column x, in a region and in ten quantiles of the training sample
  gampl averaging --n-train 1000 --members 'samples/member_*.csv' --region '0 <= x < 0.5'
  gampl averaging --n-train 1000 --members 'samples/member_*.csv' --train train.csv --quantiles 'x: 10'
  # one file with a column that tells the members; a unit; an HTML page
  gampl averaging --n-train 50000 --members all.parquet --member-column seed --define 'm_tt = mtt / 1000' \\
      --region '2 <= m_tt < 2.2' --report report.html
  # momenta of particles
  gampl averaging --n-train 60000 --members 'gen_*.npy' --particles b1,q1,q2,b2,q3,q4 --region 'm(b1+q1+q2) < 150'"""
DIFFERENTIAL = """examples:
  gampl differential --n-train 1000 --members generated.csv --holdout holdout.csv --summary x
  gampl differential --n-train 1000 --members 'gen_*.npz' --holdout true.npz --classifier x,y --summary 'hypot(x, y)'
  gampl differential --n-train 60000 --members 'gen_*.h5::events' --holdout top_pair_0j.h5::holdout --summary m_tt \\
      --region 'm_tt > 1000'"""
REPORT = """example:
  gampl report process.yml --output report.html

The process file says what the options of the other commands do: see the book's page on your own process.
The status is 1 if an estimate could not be made; all others are printed and written all the same."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands to those of the command line."""
    averaging = commands.add_parser(
        "averaging",
        help="G in regions, from how much the members of an ensemble disagree",
        description="Estimates how many true events an unlimited generated sample is worth in regions of phase\n"
        "space, from the spread of several members (networks trained alike). No holdout is needed.",
        epilog=AVERAGING,
    )
    differential = commands.add_parser(
        "differential",
        help="G of whole distributions, from a comparison with true events",
        description="Estimates how many true events an unlimited generated sample is worth, from the\n"
        "Kolmogorov-Smirnov distance of a number of each event to that of true events that the generator\n"
        "was not trained on.",
        epilog=DIFFERENTIAL,
    )
    report = commands.add_parser(
        "report",
        help="both estimates of a process file, as an HTML page",
        description="Makes all estimates that a process file asks for and writes them as one HTML page.",
        epilog=REPORT,
    )
    for command in (averaging, differential):
        _add_samples(command)
        _add_reading(command)

    regions = averaging.add_argument_group("regions, at least one")
    _add_repeated(regions, "--region", "CONDITION", "'2000 <= m < 2200'")
    _add_repeated(regions, "--edges", "EXPRESSION:NUMBERS", "adjacent regions: 'm: 60, 80, 100'")
    how = "regions that hold equal shares of the training sample or holdout: 'm: 10'"
    _add_repeated(regions, "--quantiles", "EXPRESSION:NUMBER", how)

    summaries = differential.add_argument_group("what is compared, at least one")
    _add_repeated(summaries, "--summary", "EXPRESSION", "a number of each event")
    how = "compare likelihood ratios that a classifier of these learns"
    summaries.add_argument("--classifier", default="", metavar="NAMES", help=how)
    _add_repeated(summaries, "--region", "CONDITION", "also only the events that are in")

    report.add_argument("process", type=Path, metavar="PROCESS.yml")
    for command in (averaging, differential, report):
        _add_outputs(command, is_report=command is report)
        command.set_defaults(run=_run)
        command.formatter_class = argparse.RawDescriptionHelpFormatter


def _add_repeated(group: "argparse._ArgumentGroup", option: str, metavar: str, text: str) -> None:
    group.add_argument(option, action="append", default=[], metavar=metavar, help=f"{text}; may be repeated")


def _add_samples(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("samples")
    more = "; FILE::SAMPLE names a tree, group or array of it"
    group.add_argument("--n-train", type=int, required=True, help="events that the generator was trained on")
    group.add_argument(
        "--members", nargs="+", required=True, metavar="FILE", help=f"generated events, one file per member{more}"
    )
    group.add_argument("--member-column", metavar="NAME", help="column that says which member an event is of")
    group.add_argument("--holdout", metavar="FILE", help=f"true events that the generator has not seen{more}")
    group.add_argument("--train", metavar="FILE", help=f"the events that it was trained on{more}")
    group.add_argument("--n-gen", type=int, help="generated events to use of each member (default: all)")
    group.add_argument("--level", type=float, default=0.683, help="confidence level (default: 0.683)")
    group.add_argument(
        "--max-lost", type=float, default=1e-3, help="tolerated share of events that are not finite (default: 0.001)"
    )
    group.add_argument("--seed", type=int, default=1, help="of unweighting and of a classifier (default: 1)")
    group.add_argument("--title", default="Amplification", help="of the report")


def _add_reading(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("how files are read")
    group.add_argument(
        "--kind", help="csv, numpy, parquet, root, hdf5, or gampl, top_pair, lhe, hepmc (default: the file decides)"
    )
    group.add_argument("--columns", default="", metavar="NAMES", help="of arrays and of text without a header: x,y")
    group.add_argument("--weight", metavar="NAME", help="column with the weights of generated events")
    group.add_argument(
        "--unweight", metavar="NAME", help="column with the weights of true events; makes them events of equal weight"
    )
    how = "a number of each event, such as a column in another unit: m_tt = mtt / 1000"
    _add_repeated(group, "--define", "NAME=EXPRESSION", how)
    group.add_argument("--particles", default="", metavar="NAMES", help="the files hold momenta of these: b1,q1,q2")
    group.add_argument("--coordinates", metavar="NAMES", help="of momenta: pT,phi,eta,m or E,px,py,pz")
    group.add_argument("--unit", choices=("GeV", "MeV", "TeV"), help="of momenta (default: GeV)")
    _add_repeated(group, "--composite", "NAME=PARTICLES", "a sum of particles: Z = mu-,mu+")


def _add_outputs(command: argparse.ArgumentParser, is_report: bool) -> None:
    group = command.add_argument_group("output")
    if is_report:
        group.add_argument("--output", dest="report", type=Path, default=Path("report.html"), metavar="FILE.html")
    else:
        group.add_argument("--report", type=Path, metavar="FILE.html", help="write a self-contained HTML page")
    group.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    group.add_argument("--csv", type=Path, metavar="FILE", help="write a line per estimate")
    group.add_argument("--figures", type=Path, metavar="FOLDER", help="write figures, as PNG and PDF")
    group.add_argument("--quiet", action="store_true", help="no progress")


def _run(options: argparse.Namespace) -> int:
    from gampl.report import outputs
    from gampl.report.study import analyse
    from gampl.store.progress import Progress

    process = _process(options)
    _check_outputs(options)
    with Progress("events", quiet=options.quiet) as progress:
        study = analyse(process, progress)
    print(outputs.table(study), end="")
    command = shlex.join(["gampl", *sys.argv[1:]])
    if options.json is not None:
        content = json.dumps(outputs.to_json(study, command), indent=1, allow_nan=False)
        write_bytes(options.json, (content + "\n").encode())
    if options.csv is not None:
        write_bytes(options.csv, outputs.to_csv(study).encode())
    if options.figures is not None:
        outputs.write_figures(study, options.figures)
    if options.report is not None:
        from gampl.report.html import html

        write_bytes(options.report, html(study, command).encode())
        print(f"report: {options.report}")
    failed = [finding for finding in study.findings if finding.result is None]
    for finding in failed:
        print(f"gampl: {finding.what}: {finding.problem}", file=sys.stderr)
    return 1 if failed else 0


def _check_outputs(options: argparse.Namespace) -> None:
    """Before hours of reading: can the results be written?"""
    figures: Path | None = options.figures
    if figures is not None and figures.exists() and not figures.is_dir():
        raise ValueError(f"{figures}: cannot hold figures, is not a folder")
    for name in ("report", "json", "csv"):
        path: Path | None = getattr(options, name)
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            where = "is a folder" if path.is_dir() else f"there is no folder {path.absolute().parent}"
            raise ValueError(f"{path}: cannot be written, {where}")


def _process(options: argparse.Namespace) -> Any:
    """What the options say, or the process file."""
    from gampl.report.process import Process

    if hasattr(options, "process"):
        from gampl.report.process_file import read

        found = read(options.process)
        if found.generator is not None:
            raise ValueError(
                f"{options.process}: generator: is trained by the notebook your_process; a report needs members"
            )
        return found.process
    from gampl.files import Layout

    members, holdout, train = (_files(options, name) for name in ("members", "holdout", "train"))
    particles = _names(options.particles)
    if not particles and (options.coordinates or options.unit):
        raise ValueError("--coordinates and --unit are about momenta: expected --particles, too")
    return Process(
        n_train=options.n_train,
        members=members,
        train=train,
        holdout=holdout,
        observables=_observables(options.define),
        regions=_regions(options),
        averaging=not hasattr(options, "summary"),
        summaries=tuple(getattr(options, "summary", ())),
        classifier=_names(getattr(options, "classifier", "")),
        layout=Layout(particles, coordinates=options.coordinates, unit=options.unit) if particles else None,
        composites={name: _names(parts) for name, parts in _pairs("--composite", options.composite, "=")},
        title=options.title,
        level=options.level,
        n_gen=options.n_gen,
        max_lost=options.max_lost,
        seed=options.seed,
    )


def _files(options: argparse.Namespace, name: str) -> Any:
    from gampl.report.process import SampleFiles

    given: Sequence[str] = getattr(options, name) or ()
    texts = [given] if isinstance(given, str) else list(given)
    if not texts:
        return None
    paths: list[Path] = []
    samples = set()
    for text in texts:
        pattern, _, sample = text.partition("::")
        samples.add(sample or None)
        found = sorted(glob.glob(pattern)) if glob.has_magic(pattern) and not Path(pattern).exists() else [pattern]
        if not found:
            raise ValueError(f"--{name}: no file fits {pattern!r}")
        paths += map(Path, found)
    if len(samples) > 1:
        raise ValueError(f"--{name}: expected the same ::SAMPLE for all files, got {sorted(map(str, samples))}")
    is_generated = name == "members"
    for path in paths:
        if not path.is_file():
            raise ValueError(f"--{name}: there is no file {path}")
    return SampleFiles(
        tuple(paths),
        sample=samples.pop(),
        kind=options.kind,
        columns=_names(options.columns),
        weight=options.weight if is_generated else options.unweight,
        unweight=not is_generated and options.unweight is not None,
        member=options.member_column if is_generated else None,
    )


def _observables(definitions: Sequence[str]) -> dict[str, Any]:
    from gampl.particles.expressions import ExpressionError
    from gampl.report.process import Observable

    found: dict[str, Any] = {}
    for name, text in _pairs("--define", definitions, "="):
        found[name] = Observable(text)
        try:
            _ = found[name].expression
        except ExpressionError as error:
            raise ValueError(f"--define {name}: {error}") from None
    return found


def _regions(options: argparse.Namespace) -> tuple[Any, ...]:
    from gampl.report.process import Region

    regions = [Region(text, condition=text) for text in options.region]
    for name, numbers in _pairs("--edges", getattr(options, "edges", ()), ":"):
        try:
            edges = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            raise ValueError(f"--edges {name}: expected numbers such as 60, 80, 100, got {numbers!r}") from None
        regions.append(Region(f"{name}: {len(edges) - 1} intervals", observable=name, edges=edges))
    for name, number in _pairs("--quantiles", getattr(options, "quantiles", ()), ":"):
        if not number.isdecimal():
            raise ValueError(f"--quantiles {name}: expected a number of regions such as 10, got {number!r}")
        regions.append(Region(f"{name}: {number} quantiles", observable=name, quantiles=int(number)))
    return tuple(regions)


def _pairs(option: str, texts: Sequence[str], mark: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, found, value = (part.strip() for part in text.partition(mark))
        if not (name and found and value):
            raise ValueError(f"{option}: expected two parts with {mark!r} between them, got {text!r}")
        pairs.append((name, value))
    return pairs


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
