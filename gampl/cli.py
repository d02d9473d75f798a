"""The command line: ``gampl train``, ``claims`` and ``events``, the plain commands behind the book's work."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gampl.cli_events import add_commands as add_events_commands
from gampl.profiles import PROFILES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gampl", description=__doc__)
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser("train", help="train posteriors of the book, or find them in the store")
    train.add_argument("names", nargs="+", metavar="name", help="such as ring2d/deep/1; see gampl.studies")
    train.add_argument("--receipt", type=Path, help="write what was trained, and where it lies, to this JSON file")
    train.set_defaults(run=_train)

    claims = commands.add_parser("claims", help="compare the paper's numbers with a run's results")
    claims.add_argument("--build", type=Path, default=Path("_build"), help="folder of the runs (default: _build)")
    claims.add_argument("--archive", type=Path, default=Path("book/results"), help="folder of results that are kept")
    claims.add_argument("--ledger", type=Path, default=Path("book/claims.yml"))
    claims.add_argument("--page", type=Path, help="write the ledger as a page of the book to this file")
    claims.set_defaults(run=_claims)

    for command in (train, claims):
        command.add_argument("--profile", choices=PROFILES, default="laptop")
    train.add_argument("--seed", type=int, default=1)

    add_events_commands(commands)

    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError, FloatingPointError, RuntimeError) as error:
        print(f"gampl: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gampl: interrupted; the same command goes on from what is already done", file=sys.stderr)
        return 130


def _train(options: argparse.Namespace) -> int:
    from gampl.studies import trainings
    from gampl.training import train_or_load, write_receipt

    plan = trainings(options.profile, options.seed)
    for name in options.names:
        if name not in plan:
            raise ValueError(f"no training {name!r} in profile {options.profile}; there are {', '.join(plan)}")
    done = {}
    for name in options.names:
        done[name] = train_or_load(plan[name], label=name)
        print(f"{name}: {done[name].summary()}", flush=True)
    if options.receipt is not None:
        write_receipt(options.receipt, done)
    return 0


def _claims(options: argparse.Namespace) -> int:
    from gampl.atomic import write_bytes
    from gampl.claims import evaluate, load, page, read_results

    results = read_results(options.build, options.archive)
    judged = evaluate(load(options.ledger), results)
    if options.page is not None:
        write_bytes(options.page, page(judged, options.profile, results).encode())
    unexpected = [j.explain(options.profile) for j in judged if not j.as_expected(options.profile)]
    for sentence in unexpected:
        print(f"gampl: {sentence}", file=sys.stderr)
    return 1 if unexpected and options.page is None else 0
