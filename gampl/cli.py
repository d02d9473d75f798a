"""The command line: amplification of your own samples, and the plain commands behind the book's work."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gampl.atomic import write_bytes
from gampl.cli_events import add_commands as add_events_commands
from gampl.cli_plan import add_commands as add_plan_command
from gampl.cli_samples import add_commands as add_sample_commands
from gampl.profiles import PROFILES
from gampl.settings import Training


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gampl", description=__doc__)
    commands = parser.add_subparsers(required=True)

    add_sample_commands(commands)
    add_plan_command(commands)

    train = commands.add_parser("train", help="train networks of the book, or find them in the store")
    train.add_argument(
        "names", nargs="+", metavar="name", help="such as ring2d/deep/1 or top_pair_0j/lloca/3, which generates, too"
    )
    train.add_argument(
        "--at-once",
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

    add_events_commands(commands)

    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except ModuleNotFoundError as error:
        print(f"gampl: {_missing(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError, FloatingPointError, RuntimeError) as error:
        print(f"gampl: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gampl: interrupted; the same command goes on from what is already done", file=sys.stderr)
        return 130


def _missing(error: ModuleNotFoundError) -> str:
    """What to install, for a package that comes with an extra."""
    name = (error.name or str(error)).partition(".")[0]
    extra = "networks" if name in ("torch", "zuko", "safetensors") else "classifier" if name == "sklearn" else "events"
    said = f"this needs the package {name}, which is not installed: pip install 'gampl[{extra}]'"
    return str(error) if "pip install" in str(error) else said


def _train(options: argparse.Namespace) -> int:
    from gampl import event_studies, studies

    if options.profile == "smoke":  # its numbers are compared with references; it never pays to use a GPU
        os.environ.setdefault("GAMPL_DEVICE", "cpu")
    rings = studies.trainings(options.profile, options.seed)
    events = event_studies.trainings(options.profile, options.seed)
    known = rings | events
    for name in options.names:
        if name not in known:
            raise ValueError(f"no training {name!r} in profile {options.profile}; there are {', '.join(known)}")
    if options.at_once < 1:
        raise ValueError(f"--at-once must be at least 1, got {options.at_once}")
    receipt = {name: _train_ring(rings[name], name) for name in options.names if name in rings}
    receipt |= _train_events([name for name in options.names if name in events], options)
    if options.receipt is not None:
        write_bytes(options.receipt, (json.dumps(receipt, indent=1) + "\n").encode())
    return 0


def _train_ring(training: Training, name: str) -> dict[str, object]:
    from gampl.training import train_or_load

    done = train_or_load(training, label=name)
    print(f"{name}: {done.summary()}", flush=True)
    return {
        "training": asdict(training),
        "data": done.data_digest,
        "artifact": done.artifact,
        "device": done.history.device,
    }


def _train_events(names: Sequence[str], options: argparse.Namespace) -> dict[str, dict[str, object]]:
    if not names:
        return {}
    from gampl.event_ensembles import generate, train_members

    receipt: dict[str, dict[str, object]] = {}
    for name, done in train_members(names, options.profile, options.seed, options.at_once).items():
        print(f"{name}: {done.summary()}", flush=True)
        if not done.failure:
            print(f"{name}: {generate(name, done, options.profile, options.seed)}", flush=True)
        receipt[name] = {
            "training": asdict(done.training),
            "data": done.data_digest,
            "artifact": done.artifact,
            "failure": done.failure,
            "device": done.history.device if done.history else "–",
        }
    return receipt


def _claims(options: argparse.Namespace) -> int:
    from gampl.claims import accept, evaluate, load, read_results
    from gampl.claims_page import page

    results = read_results(options.build, options.archive)
    judged = evaluate(load(options.ledger), results)
    if options.accept:
        print("expected from now on:", ", ".join(accept(options.ledger, judged, options.profile)) or "nothing new")
        return 0
    if options.page is not None:
        write_bytes(options.page, page(judged, options.profile, results).encode())
    unexpected = [j.explain(options.profile) for j in judged if not j.as_expected(options.profile)]
    for sentence in unexpected:
        print(f"gampl: {sentence}", file=sys.stderr)
    return 1 if unexpected and options.page is None else 0
