"""The commands that make the book; `make` calls them, and they are run from the checkout."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from gampl_book import BookError, cluster, guard_interpreters
from gampl_book.profiles import PROFILES


def parser() -> argparse.ArgumentParser:
    """All commands with their options, each a parameter of the function that ``run`` names."""
    whole = argparse.ArgumentParser(prog="python -m gampl_book", description=__doc__)
    commands = whole.add_subparsers(required=True, metavar="command")

    def command(name: str, run: str, summary: str, profile: str = "") -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=summary, description=summary)
        one.set_defaults(run=run)
        if profile:
            one.add_argument("--profile", choices=PROFILES, default=profile, help=f"default: {profile}")
        return one

    build = command("build", "build:build", "Build the book, or something else, with Snakemake.", "laptop")
    targets = "all (default), notebooks, events, or files below _build"
    build.add_argument("--target", dest="targets", nargs="+", default=["all"], metavar="NAME", help=targets)
    build.add_argument("--size", default="bundled", help="of the files of events, with --target events")
    where = f"run on this cluster: {', '.join(cluster.known())}"
    build.add_argument("--cluster", dest="cluster_name", default="", metavar="NAME", help=where)
    build.add_argument("options", nargs="*", help="further options for Snakemake, after --")

    train = command("train", "train:train", "Train networks of the book, or find them in the store.", "laptop")
    names = "such as ring2d/deep/1 or top_pair_0j/lloca/3 (default: all of LHC events, in the profile's order)"
    train.add_argument("names", nargs="*", metavar="name", help=names)
    train.add_argument("--seed", type=int, default=1)
    parallel = "members of an ensemble of generators of LHC events that are trained side by side (default: 1)"
    train.add_argument("--parallel", type=int, default=1, metavar="N", help=parallel)
    seconds = "stop at a checkpoint after this time; the same command goes on from there"
    train.add_argument("--seconds", type=float, metavar="S", help=seconds)
    train.add_argument("--receipt", type=Path, help="write what was trained, and where it lies, to this JSON file")

    command("status", "status:status", "Say how far the book's work is.", "laptop")
    command("reference", "references:make", "Make the references, notebooks and numbers, from those of the smoke run.")
    command("site", "site:make", "Make the HTML book of a run in _build/PROFILE/site.", "laptop")
    command("keep", "kept_results:keep", "Keep a run's numbers and costs in data/.", "laptop")
    command("keep-networks", "transport:keep", "Keep a run's networks in data/trainings.", "laptop")
    command("keep-trainings", "kept_trainings:renew", "Renew the networks that the tests use, in data/trainings.")

    costs = command("costs", "measure_costs:write", "Time the units of work of a profile on this machine.", "paper")
    costs.add_argument("-o", "--output", type=Path, help="file to write; by default below data/costs, by the device")

    more = command("more-jets", "more_jets:run", "Record rates of jets beyond larger training samples alone.", "gpu")
    more.add_argument("--seed", type=int, default=1)

    referees = command("referees", "referees:run", "Run the benchmark of tests in many dimensions alone.", "gpu")
    referees.add_argument("--seed", type=int, default=1)

    notebook = command("notebook", "run_notebook:run", "Run one notebook source and keep its products.")
    notebook.add_argument("source", type=Path, help="py:percent notebook, such as notebooks/gaussian_line.py")
    notebook.add_argument("--profile", required=True, help="such as smoke or laptop")
    notebook.add_argument("--seed", type=int, required=True)
    notebook.add_argument("-p", "--parameter", dest="others", action="append", default=[], metavar="NAME=VALUE")
    notebook.add_argument("--folder", type=Path, required=True, help="of the executed notebook, numbers and figures")

    check = command("check", "references:check", "Compare what the smoke notebooks print with their references.")
    check.add_argument("--ok", type=Path, required=True, help="file to write when all is well")

    claims = command("claims", "claims:compare", "Compare the paper's numbers with a run's results.", "laptop")
    claims.add_argument("--accept", action="store_true", help="expect this run's verdicts from now on")

    settings = command("other-settings", "references:other_settings", "Make the smoke book as on another processor.")
    settings.add_argument("--instructions", choices=("default", "avx2", "all"), default="default")
    settings.add_argument("--threads", type=int, default=2)

    sums = command("fingerprint", "fingerprint:fingerprint", "Sum what a run has made, or compare with earlier sums.")
    sums.add_argument("--build", type=Path, help="folder of a run, such as _build/smoke")
    sums.add_argument("--store", type=Path, help="where its networks lie; default: the store of this checkout")
    sums.add_argument("--events", type=Path, nargs="+", default=[], help="HDF5 files of events")
    sums.add_argument("--json", dest="outputs", type=Path, nargs="+", default=[], help="output of gampl --json")
    sums.add_argument("--compare", type=Path, help="sums to compare with")

    pack = command("pack", "transport:pack", "Pack what was trained, to carry it to another machine.", "laptop")
    pack.add_argument("--seed", type=int, default=1)
    pack.add_argument("--megabytes", type=float, default=15.0, help="of a part at most (default: 15)")
    pack.add_argument("folder", type=Path, help="for part-001.tar and so on")

    unpack = command("unpack", "transport:unpack", "Store what was trained on another machine.")
    unpack.add_argument("files", type=Path, nargs="+", metavar="FILE", help="part-001.tar and so on")
    other_code = "use also what was trained by other code than this"
    unpack.add_argument("--other-code", action="store_true", help=other_code)

    step = command("step", "step:run", "Run a command with a log, and with a record of it beside the log.")
    step.add_argument("log", type=Path)
    step.add_argument("command", nargs=argparse.PARSER, help="and its arguments")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    options = vars(parser().parse_args(arguments))
    try:
        return resolve_name(f"gampl_book.{options.pop('run')}")(**options) or 0
    except (BookError, ValueError, OSError, FloatingPointError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from what is already done", file=sys.stderr)
        return 130


if __name__ == "__main__":
    guard_interpreters()
    sys.exit(main())
