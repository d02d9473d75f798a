"""Builds the book: Snakemake with the conveniences that somebody who just types `make book` expects."""

import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from gampl.store.artifacts import Store
from gampl.store.locking import locked
from gampl_book import ROOT, BookError, build_report, cluster

INTERRUPTED = 130
LOCK = Path("_build", ".lock")
DAY = 86_400.0  # seconds
# the names of files and folders that are to be renamed, as `gampl.store.atomic` and `tempfile` choose them
LEFT_BEHIND = re.compile(r"\..+(\.[0-9a-f]{16}\.part|-[a-z0-9_]{8})")


@contextmanager
def only_build(lock: Path) -> Iterator[None]:
    """Holds a lock, which names this process as long as it runs, or if it was killed; BookError if another holds it."""
    warning = f"{lock} cannot be locked (%s): make sure yourself that no other build runs"
    with locked(lock, wait=False, unable=lambda error: print(warning % error, file=sys.stderr)) as is_mine:
        if not is_mine:
            raise BookError(f"another build is running here ({last_holder(lock)}): wait for it, or stop it.")
        lock.write_text(f"process {os.getpid()} of {socket.gethostname()}")
        try:
            yield
        finally:
            lock.write_text("")


def last_holder(lock: Path) -> str:
    """Which process has locked a checkout and runs or was killed, such as "process 7 of laptop"; else nothing."""
    return lock.read_text().strip() if lock.exists() else ""


def holder(lock: Path) -> str:
    """Which process holds the lock of a checkout; empty if none does."""
    if not lock.exists():
        return ""
    with locked(lock, wait=False) as is_free:
        return "" if is_free else last_holder(lock)


def forget_damaged_trainings(store: Store) -> None:
    """Removes receipts of damaged artifacts, so that a step with time and a GPU trains them, and not a notebook."""
    set_aside = {path.name.partition("-")[0] for path in (store.root / "damaged").glob("*")}
    lost = [name for name in set_aside if not store.holds(name)]
    for path in sorted(Path("_build").glob("*/receipts/**/*.json")) if lost else []:
        if any(name in path.read_text() for name in lost):
            print(f"{path}: what was trained is damaged; it will be trained again", file=sys.stderr)
            path.unlink()


def remove_leftovers(roots: Iterable[Path], now: float) -> list[Path]:
    """Removes and returns what killed processes have left: files and folders of a temporary name, older than a day."""
    found = (path for root in roots for path in root.rglob(".*") if LEFT_BEHIND.fullmatch(path.name))
    old = [path for path in found if now - path.lstat().st_mtime > DAY]
    for path in old:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return old


def build(profile: str, targets: list[str], size: str, cluster_name: str, options: Sequence[str]) -> int:
    """Makes the targets and says how it went; returns the exit code."""
    os.chdir(ROOT)
    # no lock of its own: a killed build would leave it behind, and ours excludes a second one already
    arguments = [*targets, "--config", f"profile={profile}", f"size={size}", "--nolock", "--logger", "report"]
    arguments += [*cluster.arguments(cluster_name), *options]
    interrupts = []  # Snakemake may take one for a failure of its own

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        interrupts.append(number)
        raise KeyboardInterrupt

    if cluster_name == "slurm":
        cluster.refuse_jobs_of_another_machine(last_holder(LOCK))
    with only_build(LOCK):
        if cluster_name == "slurm":
            cluster.cancel_left_behind()
        forget_damaged_trainings(store := Store())
        remove_leftovers((Path("_build"), store.root), time.time())
        signal.signal(signal.SIGINT, interrupt)
        start = time.monotonic()
        stamp, index = Path("_build", profile, "book.done"), Path("_build", profile, "site", "index.html")
        if not index.exists():
            stamp.unlink(missing_ok=True)
        before = _modified(stamp)
        try:
            code = _run_snakemake(arguments)
        except KeyboardInterrupt:
            code = INTERRUPTED
    seconds = f"{time.monotonic() - start:.0f} s"
    if interrupts:
        print(f"\nStopped after {seconds}. What is finished is kept: run make again to go on.", file=sys.stderr)
        return INTERRUPTED
    if code:
        print(f"\nNot finished after {seconds}, see above. Run make again to go on from here.", file=sys.stderr)
    elif "all" in targets:
        news = "Nothing has changed" if _modified(stamp) == before else f"The {profile} book is ready"
        print(f"\n{news} ({seconds}). Open:  {index.resolve().as_uri()}\n")
        if Path("book", "claims.yml").exists():
            from gampl_book.claims import compare

            compare(profile)  # names those whose verdict the ledger does not expect
    return code


def _modified(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _run_snakemake(arguments: list[str]) -> int:
    """Runs Snakemake in this process, so that nothing of it outlives the lock; returns its exit code."""
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_report", build_report)
    from snakemake.cli import args_to_api, parse_args  # type: ignore[import-untyped]
    from snakemake.exceptions import print_exception  # type: ignore[import-untyped]

    try:
        parser, options = parse_args(arguments)
        # With a limit, each pass of the scheduler that starts a step starts a timer, and each timer another pass: the
        # passes in a second grow with each finished step. The command line cannot do without a limit.
        options.max_jobs_per_timespan = None
        return 0 if args_to_api(options, parser) else 1
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:  # as Snakemake's own main does
        print_exception(error)
        return 1
