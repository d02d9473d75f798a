"""The plain commands behind the book's work: ``python -m gampl_book train`` and ``claims``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gampl.cli.main import run
from gampl.store.atomic import write_bytes
from gampl_book.profiles import PROFILES

if TYPE_CHECKING:
    from gampl.training.ensemble import Trained
    from gampl.training.settings import Training


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gampl_book", description=__doc__)
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser("train", help="train networks of the book, or find them in the store")
    train.add_argument(
        "names", nargs="+", metavar="name", help="such as ring2d/deep/1 or top_pair_0j/lloca/3, which generates, too"
    )
    train.add_argument(
        "--parallel",
        type=int,
        default=1,
        metavar="N",
        help="members of an ensemble of generators of LHC events that are trained side by side (default: 1)",
    )
    train.add_argument("--receipt", type=Path, help="write what was trained, and where it lies, to this JSON file")
    train.set_defaults(run=_train)

    claims = commands.add_parser("claims", help="compare the paper's numbers with a run's results")
    claims.add_argument("--build", type=Path, default=Path("_build"), help="folder of the runs (default: _build)")
    claims.add_argument("--archive", type=Path, default=Path("data/results"), help="folder of results that are kept")
    claims.add_argument("--ledger", type=Path, default=Path("book/claims.yml"))
    claims.add_argument("--page", type=Path, help="write the ledger as a page of the book to this file")
    claims.add_argument("--accept", action="store_true", help="make this run's verdicts those that the ledger expects")
    claims.set_defaults(run=_claims)

    for command in (train, claims):
        command.add_argument("--profile", choices=PROFILES, default="laptop")
    train.add_argument("--seed", type=int, default=1)

    return run(parser.parse_args(arguments), "gampl_book")


def _train(options: argparse.Namespace) -> int:
    from gampl_book import event_studies, studies

    if options.profile == "smoke":  # its numbers are compared with references; it never pays to use a GPU
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    rings = studies.trainings(options.profile, options.seed)
    events = event_studies.trainings(options.profile, options.seed)
    known = rings | events
    for name in options.names:
        if name not in known:
            raise ValueError(f"no training {name!r} in profile {options.profile}; there are {', '.join(known)}")
    if options.parallel < 1:
        raise ValueError(f"--parallel must be at least 1, got {options.parallel}")
    receipt: dict[str, dict[str, object]] = {}
    for name in options.names:
        if name in rings:
            receipt |= _train_ring(rings[name], name)
    receipt |= _train_events([name for name in options.names if name in events], options)
    if options.receipt is not None:
        write_bytes(options.receipt, (json.dumps(receipt, indent=1) + "\n").encode())
    return 0


def _train_ring(training: "Training", name: str) -> dict[str, dict[str, object]]:
    from gampl_book.ring_ensembles import train_or_load

    ensemble = train_or_load(training, label=name)
    print(f"{name}: {ensemble.summary()}", flush=True)
    return {f"{name}/{one.number}": _receipt(one) for one in ensemble.trained}


def _train_events(names: Sequence[str], options: argparse.Namespace) -> dict[str, dict[str, object]]:
    if not names:
        return {}
    from gampl_book.event_ensembles import generate, train_members

    receipt: dict[str, dict[str, object]] = {}
    for name, done in train_members(names, options.profile, options.seed, options.parallel).items():
        print(f"{name}: {done.summary()}", flush=True)
        if not done.failure:
            print(f"{name}: {generate(name, done, options.profile, options.seed)}", flush=True)
        receipt[name] = _receipt(done)
    return receipt


def _receipt(done: "Trained") -> dict[str, object]:
    return {
        "training": asdict(done.training),
        "data": done.data_digest,
        "artifact": done.artifact,
        "failure": done.failure,
        "device": done.history.device if done.history else "–",
    }


def _claims(options: argparse.Namespace) -> int:
    from gampl_book.claims import accept, evaluate, load, read_results
    from gampl_book.claims_page import page

    results = read_results(options.build, options.archive)
    judged = evaluate(load(options.ledger), results)
    if options.accept:
        print("expected from now on:", ", ".join(accept(options.ledger, judged, options.profile)) or "nothing new")
        return 0
    if options.page is not None:
        write_bytes(options.page, page(judged, options.profile, results).encode())
    unexpected = [j.explain(options.profile) for j in judged if not j.as_expected(options.profile)]
    for sentence in unexpected:
        print(f"gampl_book: {sentence}", file=sys.stderr)
    return 1 if unexpected and options.page is None else 0


if __name__ == "__main__":
    sys.exit(main())
