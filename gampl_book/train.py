"""Trains networks of the book, or finds them in the store: ``python -m gampl_book.train ring2d/deep/1``."""

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
    """Run the command; returns the exit status."""
    train = argparse.ArgumentParser(prog="gampl_book.train", description=__doc__)
    train.add_argument(
        "names", nargs="+", metavar="name", help="such as ring2d/deep/1 or top_pair_0j/lloca/3, which generates, too"
    )
    train.add_argument("--profile", choices=PROFILES, default="laptop")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument(
        "--parallel",
        type=int,
        default=1,
        metavar="N",
        help="members of an ensemble of generators of LHC events that are trained side by side (default: 1)",
    )
    train.add_argument("--receipt", type=Path, help="write what was trained, and where it lies, to this JSON file")
    train.set_defaults(run=_train)
    return run(train.parse_args(arguments), "gampl_book.train")


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


if __name__ == "__main__":
    sys.exit(main())
