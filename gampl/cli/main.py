"""The command line: amplification of your own samples, and making LHC events."""
# PYTHON_ARGCOMPLETE_OK: completes where argcomplete is activated for all commands

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import gampl
from gampl.basics import printable
from gampl.cli import results
from gampl.cli.arguments import Parser, complete, joined, of_option, whole
from gampl.cli.terminal import complain, patient_streams
from gampl.files import KINDS, Layout
from gampl.report.process import Definition, Process, Region, SampleFiles, named_files

# which module adds a command to the parser; only that of the command at hand is imported
COMMANDS = {"averaging": "main", "differential": "main", "report": "main", "plan": "plan"}
COMMANDS |= {"reweight": "reweight", "calibrate": "calibrate", "events": "events"}
EXTRAS = {"torch": "networks", "zuko": "networks", "safetensors": "networks", "sklearn": "classifier"}
PLAIN = argparse.RawDescriptionHelpFormatter
COMPLETION = """The tab key completes what you type after this line, in the shell or its file of settings:
  bash  eval "$(register-python-argcomplete gampl)"
  zsh   autoload -Uz compinit && compinit && eval "$(register-python-argcomplete gampl)"
  fish  register-python-argcomplete --shell fish gampl | source"""
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
  gampl differential --n-train 1000 --members generated.csv --holdout holdout.csv --summary x --split
  gampl differential --n-train 1000 --members 'gen_*.npz' --holdout true.npz --classifier x,y --distances x,y
  gampl differential --n-train 60000 --members 'gen_*.h5::events' --holdout top_pair_0j.h5::holdout --summary m_tt \\
      --region 'm_tt > 1000'"""
REPORT = """example:
  gampl report process.yml --output report.html

The process file says what the options of the other commands say, and can have the generator trained, too: see the
book's page Your own samples.
The status is 1 if an estimate could not be made; all others are printed and written all the same."""
NO_WEIGHTS = "none"  # in place of the name of a column


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


NAMES: dict[str, Any] = {"type": _names, "default": (), "metavar": "NAMES"}
REPEATED: dict[str, Any] = {"action": "append", "default": []}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; errors that users can mend become one line. Returns the exit status."""
    with patient_streams() as output:
        status = _main(sys.argv[1:] if arguments is None else arguments)
        if output.failure is not None:
            complain(f"standard output cannot be written: {output.failure.strerror}")
            return status or 1
        return status


def _main(arguments: Sequence[str]) -> int:
    parser = Parser(prog="gampl", description=__doc__, epilog=COMPLETION, formatter_class=PLAIN)
    parser.add_argument("--version", action="version", version=f"gampl {gampl.__version__}")
    commands = parser.add_subparsers(required=True)
    asked = [COMMANDS[name] for name in arguments[:1] if name in COMMANDS]
    for module in asked or dict.fromkeys(COMMANDS.values()):
        import_module(f"gampl.cli.{module}").add_commands(commands)
    complete(parser)
    options = parser.parse_args(joined(arguments))
    try:
        return int(options.run(options))
    except ModuleNotFoundError as error:
        status, problem = 1, _missing(error, getattr(options, "extra", None))
    except (ValueError, OSError, FloatingPointError, RuntimeError) as error:
        status, problem = 1, str(error)
    except KeyboardInterrupt:
        status, problem = 130, "interrupted; the same command goes on from what is already done"
    complain(problem)
    return status


def _missing(error: ModuleNotFoundError, extra: str | None) -> str:
    """What to install, for a package that comes with an extra: the command's, or the package's own."""
    if "pip install" in str(error):
        return str(error)
    name = (error.name or str(error)).partition(".")[0]
    extra = extra or EXTRAS.get(name, "events")
    return f"this needs the package {name}, which is not installed: pip install 'gampl[{extra}]'"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about samples to those of the command line."""
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
    add_samples(averaging)
    add_samples(differential)

    add_regions(averaging)
    averaging.set_defaults(process=None, averaging=True, summary=(), classifier=(), distances=(), split=None)

    add = differential.add_argument_group("what is compared, at least one").add_argument
    add("--summary", metavar="EXPRESSION", help="a number of each event; may be repeated", **REPEATED)
    add("--classifier", help="compare likelihood ratios that a classifier of these learns", **NAMES)
    how = "compare all of these at once: energy distance, MMD, sliced Kolmogorov-Smirnov distance"
    add("--distances", help=how, **NAMES)
    add("--region", metavar="CONDITION", help="also only the events that are in; may be repeated", **REPEATED)
    how = "also an upper limit of n_equiv: a share of the events (0.5) chooses a place where the others are counted"
    add("--split", type=float, nargs="?", const=0.5, metavar="SHARE", help=how)
    differential.set_defaults(process=None, averaging=False, edges=(), quantiles=())

    report.add_argument("process", type=Path, metavar="PROCESS.yml")
    for command in (averaging, differential, report):
        add = command.add_argument_group("output").add_argument
        if command is report:
            add("--output", dest="report", type=Path, default=Path("report.html"), metavar="FILE.html")
        else:
            add("--report", type=Path, metavar="FILE.html", help="write a self-contained HTML page")
        add("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
        add("--csv", type=Path, metavar="FILE", help="write a line per estimate")
        add("--figures", type=Path, metavar="FOLDER", help="write figures, as PNG and PDF")
        add("--quiet", action="store_true", help="no progress")
        command.set_defaults(run=_run)
        command.formatter_class = PLAIN


def add_regions(command: argparse.ArgumentParser) -> None:
    """Add the options that say in which regions members are averaged."""
    add = command.add_argument_group("regions, at least one").add_argument
    add("--region", metavar="CONDITION", help="'2000 <= m < 2200'; may be repeated", **REPEATED)
    how = "adjacent regions: 'm: 60, 80, 100'; may be repeated"
    add("--edges", metavar="EXPRESSION:NUMBERS", help=how, **REPEATED)
    how = "regions that hold equal shares of the training sample or holdout: 'm: 10'; may be repeated"
    add("--quantiles", metavar="EXPRESSION:NUMBER", help=how, **REPEATED)


def add_samples(command: argparse.ArgumentParser) -> None:
    """Add the options that say which samples there are."""
    add = command.add_argument_group("samples").add_argument
    more = "; FILE::SAMPLE names a tree, group or array of it"
    how = f"generated events, one file per member{more}"
    add("--n-train", type=whole, required=True, help="events that the generator was trained on")
    add("--members", nargs="+", required=True, metavar="FILE", help=how)
    add("--member-column", metavar="NAME", help="column that says which member an event is of")
    add("--holdout", nargs=1, metavar="FILE", help=f"true events that the generator has not seen{more}")
    add("--train", nargs=1, metavar="FILE", help=f"the events that it was trained on{more}")
    add("--n-gen", type=whole, help="generated events to use of each member (default: all)")
    add("--level", type=float, default=0.683, help="confidence level (default: 0.683)")
    add("--max-lost", type=float, default=1e-3, help="tolerated share of events that are not finite (default: 0.001)")
    add("--seed", type=whole, default=1, help="of unweighting and of a classifier (default: 1)")
    add("--title", default="Amplification", help="of the report")
    add_reading(command)


def add_reading(command: argparse.ArgumentParser) -> None:
    """Add the options that say how files are read."""
    add = command.add_argument_group("how files are read").add_argument
    add("--kind", choices=KINDS, metavar="KIND", help=f"{', '.join(KINDS)} (default: the file decides)")
    add("--columns", help="of arrays and of text without a header: x,y", **NAMES)
    add("--decimal", choices=(".", ","), help="how text writes decimals (default: with points)")
    leave_out = f"; {NO_WEIGHTS} leaves out those that the files carry"
    add("--weight", metavar="NAME", help=f"column with the weights of generated events{leave_out}")
    how = f"column with the weights of true events; makes them events of equal weight{leave_out}"
    add("--unweight", metavar="NAME", help=how)
    how = "a number of each event, such as a column in another unit: m_tt = mtt / 1000; may be repeated"
    add("--define", metavar="NAME=EXPRESSION", help=how, **REPEATED)
    add("--particles", help="the files hold momenta of these: b1,q1,q2", **NAMES)
    add("--coordinates", metavar="NAMES", help="of momenta: pT,phi,eta,m or E,px,py,pz")
    add("--unit", choices=("GeV", "MeV", "TeV"), help="of momenta (default: GeV)")
    how = "a sum of particles: Z = mu-,mu+; may be repeated"
    add("--composite", metavar="NAME=PARTICLES", help=how, **REPEATED)


def _run(options: argparse.Namespace) -> int:
    study = _study(options)
    problems = results.write(options, study)
    results.show(options, study)
    problems += [f"{finding.what}: {finding.problem}" for finding in study.findings if finding.result is None]
    return complain(*problems)


def _study(options: argparse.Namespace) -> Any:
    """The analysis of what the options say, or of a process file."""
    from gampl.report.study import analyse
    from gampl.store.progress import Progress

    if options.process is None:
        process, generator = process_of(options), None
    else:
        from gampl.report.process_file import read

        process, generator = read(options.process)
    results.check(options, process)
    if generator is None:
        with Progress("events", quiet=options.quiet) as progress:
            return analyse(process, lambda name, done: progress(printable(name), done))
    from gampl.report.generated import analyse_generated, train

    if options.quiet:
        os.environ["TQDM_DISABLE"] = "1"  # where trainings look
    ensemble = train(process, generator, process.title)
    with Progress("events", quiet=options.quiet) as progress:
        return analyse_generated(process, generator, ensemble, progress)


def process_of(options: argparse.Namespace) -> Process:
    """What the options say."""
    arguments: dict[str, Any] = {name: files_of(options, name) for name in ("members", "holdout", "train")}
    for name in (
        "n_train",
        "title",
        "level",
        "n_gen",
        "max_lost",
        "seed",
        "averaging",
        "classifier",
        "distances",
        "split",
    ):
        arguments[name] = getattr(options, name)
    if options.particles:
        arguments["layout"] = Layout(options.particles, coordinates=options.coordinates, unit=options.unit)
    elif options.coordinates or options.unit:
        raise ValueError("--coordinates and --unit are about momenta: give --particles, too")
    observables = {name: Definition(text) for name, text in _pairs(options, "define", "=")}
    for name, definition in observables.items():
        with of_option(f"--define {name}"):
            _ = definition.expression
    return Process(
        **arguments,
        observables=observables,
        regions=_regions(options),
        summaries=tuple(options.summary),
        composites={name: _names(parts) for name, parts in _pairs(options, "composite", "=")},
    )


def files_of(options: argparse.Namespace, name: str) -> SampleFiles | None:
    """The files of members, train or holdout; errors call them by ``options.called``, if that has another name."""
    if getattr(options, name) is None:
        return None
    called = getattr(options, "called", {}).get(name, f"--{name}")
    parts = [text.partition("::") for text in getattr(options, name)]
    samples = {sample or None for _, _, sample in parts}
    if len(samples) > 1:
        raise ValueError(f"{called}: expected the same ::SAMPLE for all files, got {sorted(map(str, samples))}")
    with of_option(called):
        paths = [path for text, _, _ in parts for path in named_files(text)]
    is_true = name != "members"
    weight = options.unweight if is_true else options.weight
    how: dict[str, Any] = {"ignore_weights": True} if weight == NO_WEIGHTS else {"weight": weight}
    how |= {"unweight": how.get("weight") is not None} if is_true else {"member": options.member_column}
    return SampleFiles(tuple(paths), samples.pop(), options.kind, options.columns, decimal=options.decimal, **how)


def _regions(options: argparse.Namespace) -> tuple[Region, ...]:
    regions = [Region(text, condition=text) for text in options.region]
    for name, numbers in _pairs(options, "edges", ":"):
        try:
            edges = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            raise ValueError(f"--edges {name}: expected numbers such as 60, 80, 100, got {numbers!r}") from None
        regions.append(Region(observable=name, edges=edges))
    for name, number in _pairs(options, "quantiles", ":"):
        with of_option(f"--quantiles {name}"):
            regions.append(Region(observable=name, quantiles=whole(number)))
    return tuple(regions)


def _pairs(options: argparse.Namespace, option: str, mark: str) -> list[tuple[str, str]]:
    """Both parts of each text of an option."""
    pairs = []
    for text in getattr(options, option):
        name, _, value = (part.strip() for part in text.partition(mark))
        if not (name and value):
            raise ValueError(f"--{option}: expected two parts with {mark!r} between them, got {text!r}")
        pairs.append((name, value))
    return pairs
