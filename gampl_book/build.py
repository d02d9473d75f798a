"""Builds the book: Snakemake with the conveniences that somebody who just types `make book` expects."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from gampl.store.artifacts import Store
from gampl.store.locking import locked
from gampl_book import ROOT, build_report, cluster
from gampl_book.profiles import PROFILES

INTERRUPTED = 130
LOCK = Path("_build", ".lock")


class BusyError(Exception):
    """Another build runs in this checkout."""


@contextmanager
def only_build(lock: Path) -> Iterator[None]:
    """Holds a lock that the system releases however this process ends.

    The file names the process as long as it runs, and afterwards if it was killed; see `last_holder`.

    Raises:
        BusyError: If another process holds it.
    """

    def warn(error: OSError) -> None:
        print(f"{lock} cannot be locked ({error}): make sure yourself that no other build runs", file=sys.stderr)

    with locked(lock, wait=False, unable=warn) as is_mine:
        if not is_mine:
            raise BusyError(f"another build is running here ({last_holder(lock)})")
        lock.write_text(f"process {os.getpid()} of {socket.gethostname()}")
        try:
            yield
        finally:
            lock.write_text("")


def last_holder(lock: Path) -> str:
    """Which process has locked a checkout and runs or was killed, such as "process 7 of laptop"; else nothing."""
    return lock.read_text().strip() if lock.exists() else ""


def holder_of(lock: Path) -> str:
    """Which process holds the lock of a checkout, such as "process 7 of laptop"; empty if none does."""
    if not lock.exists():
        return ""
    with locked(lock, wait=False) as is_free:
        return "" if is_free else last_holder(lock)


def run_snakemake(targets: list[str], config: list[str], options: list[str]) -> int:
    """Runs Snakemake in this process, so that nothing of it outlives the lock; returns its exit code.

    Args:
        targets: What to make.
        config: Values for the Snakefile, such as ``profile=smoke``.
        options: Where to run it, and what else Snakemake is told.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_report", build_report)
    from snakemake.cli import main as snakemake  # type: ignore[import-untyped]

    try:
        # no lock of its own: a killed build would leave it behind, and ours excludes a second one already
        snakemake([*targets, "--config", *config, "--nolock", "--logger", "report", *options])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def forget_damaged_trainings(store: Store) -> None:
    """Removes receipts of artifacts that turned out damaged and were not made anew, so that a step trains them again.

    Else the notebook that found the damage would train, where a cluster gives neither the time nor the GPU for it.
    """
    set_aside = {path.name.partition("-")[0] for path in (store.root / "damaged").glob("*")}
    lost = [name for name in sorted(set_aside) if not store.holds(name)]
    for path in sorted(Path("_build").glob("*/receipts/**/*.json")) if lost else []:
        if any(name in path.read_text() for name in lost):
            print(f"{path}: what was trained is damaged; it will be trained again", file=sys.stderr)
            path.unlink()


def build(profile: str, targets: list[str], config: list[str], options: list[str]) -> int:
    """Makes the targets and says how it went; returns the exit code."""
    interrupted = False

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    start = time.monotonic()
    stamp, index = Path("_build", profile, "book.done"), Path("_build", profile, "site", "index.html")
    if not index.exists():
        stamp.unlink(missing_ok=True)
    before = _modified(stamp)
    try:
        code = run_snakemake(targets, config, options)
    except KeyboardInterrupt:
        code = INTERRUPTED
    seconds = f"{time.monotonic() - start:.0f} s"
    if interrupted:
        print(f"\nStopped after {seconds}. What is finished is kept: run make again to go on.", file=sys.stderr)
        return INTERRUPTED
    if code:
        print(f"\nNot finished after {seconds}, see above. Run make again to go on from here.", file=sys.stderr)
    elif "all" in targets:
        news = f"The {profile} book is ready" if _modified(stamp) != before else "Nothing has changed"
        print(f"\n{news} ({seconds}). Open:  {index.resolve().as_uri()}\n")
        if Path("book", "claims.yml").exists():  # name those whose verdict the ledger does not expect
            subprocess.run([sys.executable, "-m", "gampl_book.claims", "--profile", profile], check=False)
    return code


def _modified(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="laptop", choices=PROFILES)
    targets = "all (default), notebooks, events, or files below _build"
    parser.add_argument("--target", nargs="+", default=["all"], metavar="NAME", help=targets)
    parser.add_argument("--size", default="bundled", help="of the files of events, with --target events")
    names = ", ".join(cluster.known())
    parser.add_argument("--cluster", default="", metavar="NAME", help=f"run on this cluster: {names}")
    parser.add_argument("options", nargs="*", help="further options for Snakemake, after --")
    args = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        where = cluster.arguments(args.cluster)
        if args.cluster == "slurm":
            cluster.refuse_jobs_of_another_machine(last_holder(LOCK))
        with only_build(LOCK):
            if args.cluster == "slurm":
                cluster.cancel_left_behind()
            forget_damaged_trainings(Store())
            config = [f"profile={args.profile}", f"size={args.size}"]
            return build(args.profile, args.target, config, [*where, *args.options])
    except BusyError as error:
        print(f"{error}: wait for it, or stop it.", file=sys.stderr)
    except cluster.ClusterError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
