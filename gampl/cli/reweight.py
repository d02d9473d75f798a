"""The command ``gampl reweight``: a classifier's weights for generated events, or events that need none."""

import argparse
import hashlib
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gampl.basics import ArgumentError, counted
from gampl.cli.arguments import whole
from gampl.cli.main import NAMES, PLAIN, add_reading, process_of
from gampl.cli.terminal import say
from gampl.files.arrays import MOMENTA
from gampl.files.tables import WEIGHT
from gampl.particles.events import Events
from gampl.report.process import RECEIPT, SampleFiles
from gampl.store import targets

if TYPE_CHECKING:
    from gampl.report.reweighted import Receipt
    from gampl.report.weighing import Learning, Weighed

SHOWN, SURE = 6, 0.01  # places, of p-values below this
NOTHING = ": the classifier tells nothing apart, and its weights would add noise only"
EXAMPLES = """examples:
  gampl reweight generated.csv --true train.csv --output weighted.csv
  gampl differential --n-train 1000 --members weighted.csv --weight weight --holdout holdout.csv --summary x
  # for averaging each member needs classifiers of its own, which learn from another random half
  for k in 0 1 2 3 4; do gampl reweight gen_$k.h5 --true events.h5::train --share 0.5 --seed $k --output w_$k.h5; done

What a classifier has seen, the reweighted generator has seen: see the book's page What reweighting costs."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of the command line."""
    reweight = commands.add_parser(
        "reweight",
        help="weights of generated events, from a classifier that knows true ones",
        description="Teaches a classifier D to tell true events from generated ones and weighs these with\n"
        "w = D / (1 - D), each by a classifier that has not learned from it.",
        epilog=EXAMPLES,
        formatter_class=PLAIN,
    )
    add, more = reweight.add_argument, "; FILE::SAMPLE names a tree, group or array of it"
    add("members", nargs=1, metavar="GENERATED", help=f"generated events{more}")
    add("--true", dest="train", nargs="+", required=True, metavar="FILE", help=f"true events to learn from{more}")
    add("--output", type=Path, required=True, metavar="FILE", help="the generated events, with a column of weights")
    add("--weight-name", default=WEIGHT, metavar="NAME", help="of this column (default: weight)")
    add("--accept", action="store_true", help="instead of weights, keep each event with probability w / max w")
    how = "numbers to learn from (default: all columns that both have, or all momenta)"
    add("--classifier", help=how, **NAMES)
    how = "boosted trees, logistic regression on radial functions of numbers, or a network of momenta (default: trees)"
    add("--learner", choices=("trees", "functions", "network"), default="trees", help=how)
    add("--share", type=float, default=1.0, help="random part of the true events to learn from (default: 1)")
    add("--folds", type=whole, default=5, help="classifiers, each of which leaves out one fold (default: 5)")
    add("--clip", type=float, default=100.0, help="the largest weight (default: 100)")
    add("--seed", type=whole, default=1, help="of all that is random (default: 1)")
    add("--max-lost", type=float, default=1e-3, help="tolerated share of true events that are not finite")
    add("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    how = f"what the weights come from, which estimates look for (default: beside the output, FILE{RECEIPT})"
    add("--receipt", type=Path, metavar="FILE", help=how)
    add_reading(reweight)
    empty: dict[str, Any] = dict.fromkeys(("summary", "region", "edges", "quantiles", "distances"), ())
    empty |= dict.fromkeys(("holdout", "member_column", "n_gen", "split"))
    called = {"members": "GENERATED", "train": "--true"}
    reweight.set_defaults(run=_reweight, n_train=1, level=0.683, averaging=False, title="", called=called, **empty)


def _reweight(options: argparse.Namespace) -> int:
    from gampl.files import writing
    from gampl.report.samples import opened
    from gampl.report.weighing import Learning, weigh
    from gampl.reweighting import accepted

    try:
        learning = Learning(options.learner, options.share, options.folds, options.seed, options.clip)
    except ArgumentError as error:
        raise ValueError(f"--{error.argument} {error.problem}") from None
    options.classifier = options.classifier or (MOMENTA,)
    process, outputs = process_of(options), _outputs(options)
    generated, true = process.members, process.train
    assert generated is not None and true is not None  # noqa: S101, PT018 - argparse asks for both
    if len(generated.files) > 1:
        raise ValueError(f"GENERATED: expected one file, got {len(generated.files)}: each needs its own classifiers")
    (path,) = generated.files
    for output in outputs.values():
        targets.check(output)
    targets.check_different(outputs, [path, *true.files])
    with opened(path, generated, process.layout) as file:
        events = writing.read_whole(file, options.output)
    columns = dict(events.columns if isinstance(events, Events) else events)
    if options.weight_name in columns and not options.accept:
        raise ValueError(f"{path}: has a column {options.weight_name!r}, expected another name (--weight-name)")
    weighed = weigh(process, generated, true, learning)
    rows = np.ones(len(weighed.weights), dtype=bool)
    if options.accept:  # the weights that events had are used up, too
        rows = accepted(weighed.weights, np.random.default_rng([options.seed, 2]))
        columns.pop(generated.weight or "", None)
    else:
        columns[options.weight_name] = weighed.weights
    columns = {name: column[rows] for name, column in columns.items()}
    made = replace(events[rows], columns=columns) if isinstance(events, Events) else columns
    content = writing.content(options.output, made)
    receipt = _receipt(options, generated, true, learning, weighed, hashlib.sha256(content).hexdigest())
    places = [place._asdict() for place in weighed.places]
    contents = {"--receipt": receipt.to_json(), "--output": content, "--json": receipt.to_json(places=places)}
    for option, text in contents.items():  # the receipt first, so that no weights are without one
        if option in outputs:
            try:
                targets.write(outputs[option], text)
            except OSError as error:
                raise ValueError(f"{outputs[option]}: cannot be written, {error.strerror}") from None
    words = _words(receipt, weighed, outputs, int(rows.sum()))
    say("\n".join(words), is_error=any(map(targets.is_stdout, outputs.values())))
    return 0


def _outputs(options: argparse.Namespace) -> dict[str, Path]:
    """The files to be written, by option; the receipt lies beside the output if that is a file."""
    from gampl.report.reweighted import beside

    output = options.output
    is_file = not targets.is_stdout(output) and (output.is_file() or not output.exists())
    receipt = options.receipt or (beside(output) if is_file else None)
    paths = {"--output": output, "--json": options.json, "--receipt": receipt}
    return {option: path for option, path in paths.items() if path is not None}


def _receipt(
    options: argparse.Namespace,
    generated: SampleFiles,
    true: SampleFiles,
    learning: "Learning",
    weighed: "Weighed",
    sha256: str,
) -> "Receipt":
    """Where the weights come from, also those that the events had before."""
    from gampl.report.outputs import now, versions
    from gampl.report.reweighted import Receipt, Source, read_receipt

    before = read_receipt(generated.files[0])
    if before is not None and before.weight not in (None, generated.weight):
        before = None
    return Receipt(
        sha256=sha256,
        weight=None if options.accept else options.weight_name,
        generated=Source.all_of(generated),
        true=Source.all_of(true) + (before.true if before else []),
        n_true=weighed.n_true + (before.n_true if before else 0),
        learning=learning,
        numbers=weighed.numbers,
        lost=weighed.lost,
        weights=weighed.statistics._asdict(),
        auc=weighed.auc,
        versions=versions() | {"scikit-learn": metadata.version("scikit-learn")},
        time=now(),
        command=shlex.join(["gampl", *sys.argv[1:]]),
    )


def _words(receipt: "Receipt", weighed: "Weighed", outputs: Mapping[str, Path], n_written: int) -> Iterator[str]:
    """What a user should know of the weights."""
    about, (auc, (low, high)) = weighed.statistics, weighed.auc
    yield f"{counted(about.n, 'generated event')}; {receipt.n_true} true ones were learned from"
    rows = (
        ("numbers of each event", ", ".join(receipt.numbers)),
        ("AUC", f"{auc:.3f} ({low:.3f} to {high:.3f}){NOTHING * (low <= 0.5)}"),
        ("effective events", f"{about.n_effective:.0f}, {about.n_effective / about.n:.3g} of one each"),
        ("mean weight", f"{about.mean:.4g}; 1 up to fluctuations for a calibrated classifier"),
        ("98 % of the weights", f"{about.central.low:.3g} to {about.central.high:.3g}"),
        ("clipped", f"{100 * about.clipped:.3g} % at {receipt.learning.clip:g}"),
        ("not finite, weight 1", f"{weighed.lost}"),
    )
    yield from (f"  {name:24} {text}" for name, text in rows)
    for place in [place for place in weighed.places if place.p_value < SURE][:SHOWN]:
        of = "true events are rarer there" if place.tail == "small" else "the generator misses some"
        shares = f"{100 * place.share_true:.3g} % of true, {100 * place.share_generated:.3g} % of generated events"
        ends = f"{place.interval.low:.4g} to {place.interval.high:.4g}"
        yield f"  {place.tail} weights lie in {place.observable} from {ends}: {shares}, p = {place.p_value:.1g} ({of})"
    yield (
        f"n_train of later estimates counts the {receipt.n_true} true events that were learned from, unless the "
        "generator was trained on them; test with others"
    )
    what = "accepted events, no weights" if receipt.weight is None else f"column {receipt.weight}"
    yield f"{outputs['--output']}: {counted(n_written, 'event')}, {what}"
    if "--receipt" in outputs:
        yield f"{outputs['--receipt']}: receipt, for `gampl averaging` and `gampl differential`"
