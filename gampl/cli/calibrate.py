"""The command ``gampl calibrate``: are members as wide as they are wrong? Trainings on their own events tell."""

import argparse
import io
import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gampl.cli.arguments import whole
from gampl.cli.main import PLAIN, add_regions, add_samples, process_of
from gampl.cli.terminal import complain, say, write_json
from gampl.files import writing
from gampl.report.process import MOST_EVENTS, Process, SampleFiles
from gampl.store import targets
from gampl.store.atomic import write_bytes
from gampl.store.progress import Progress

if TYPE_CHECKING:
    from gampl.calibration import Correction
    from gampl.result import Amplification

SETTINGS = "calibration.json"  # in the folder: what its trainings are of
TIMES = 10  # generated events at least, in units of n_train, that a training sample is drawn from
MEANING = "above 1 the members scatter less than they are wrong, and G was too large by the square"
EXAMPLES = """example:
  gampl calibrate --n-train 1000 --members 'gen_*.csv' --region '0 <= x < 0.5' --folder trainings --sets 4 \\
      --command 'python train.py {train} {output} --seed {seed}'

The command trains one member on the events in the file {train} and writes generated events to the file {output}; both
are of the kind of the members' files. It must do what was done with the true events, and must not look at these. What
is there already is not trained again: the same line goes on where it was interrupted."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of the command line."""
    calibrate = commands.add_parser(
        "calibrate",
        help="correct the width of an ensemble and G by trainings whose truth is known",
        description="Takes each member in turn as the truth, draws n_train events from it, has new ensembles trained\n"
        "on these, and compares how far they are off with how far they scatter. By that factor the members'\n"
        "own scatter is too small or too large, and G by its square.",
        epilog=EXAMPLES,
        formatter_class=PLAIN,
    )
    add_samples(calibrate)
    add_regions(calibrate)
    add = calibrate.add_argument_group("trainings").add_argument
    add("--command", required=True, metavar="WORDS", help="trains a member: with {train}, {output} and perhaps {seed}")
    add("--folder", type=Path, required=True, help="where the training samples and the new members go")
    add("--sets", type=whole, default=4, help="training samples (default: 4, at least 2)")
    add("--size", type=whole, metavar="MEMBERS", help="members of each set (default: as many as are given)")
    add("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    add("--quiet", action="store_true", help="no progress")
    calibrate.set_defaults(run=_calibrate, averaging=True, summary=(), classifier=(), distances=(), split=None)


def _calibrate(options: argparse.Namespace) -> int:
    from gampl.calibration import correction
    from gampl.report.study import analyse

    process = process_of(options)
    members = process.members
    assert members is not None  # noqa: S101 - argparse asks for them
    size = len(members.files) if options.size is None else options.size
    words = shlex.split(options.command)
    if missing := [name for name in ("{train}", "{output}") if not any(name in word for word in words)]:
        raise ValueError(f"--command: expected {missing[0]} in it, got {options.command!r}")
    if members.member is not None or members.weight is not None:
        raise ValueError("--members: expected a file for each, of events without weights")
    if min(numbers := (len(members.files), options.sets, size)) < 2:
        raise ValueError("expected at least 2 members, --sets and --size, got {}, {} and {}".format(*numbers))
    if options.json is not None:
        targets.check(options.json)
        targets.check_different({"--json": options.json}, members.files)
    _prepare(options, members, size)
    findings = analyse(process).findings
    estimated = [(one.where, one.result, one.integrals) for one in findings if one.result and one.integrals is not None]
    tables = {where: list[NDArray[Any]]() for where, *_ in estimated}
    truths = [k % len(members.files) for k in range(options.sets)]
    n_gen = MOST_EVENTS
    with Progress("members", total=options.sets * size, quiet=options.quiet) as progress:
        for k, path in enumerate(members.files[truth] for truth in truths):
            train = options.folder / f"set_{k}" / f"train{path.suffix}"
            if not train.exists():
                _draw(process, path, train, np.random.default_rng([options.seed, k]))
            outputs = []
            for output in _trained(words, train, size, [options.seed, k]):
                outputs.append(output)
                progress("trainings", k * size + len(outputs))
            study = analyse(replace(process, members=replace(members, files=tuple(outputs))))
            n_gen = min(n_gen, *study.n_gen)
            for one in study.findings:
                if one.where in tables and (one.integrals is None or one.result is None):
                    raise ValueError(f"{one.where}: of members in {options.folder}: {one.problem}")
                if one.where in tables and one.integrals is not None:
                    tables[one.where].append(one.integrals)
    problems = [f"{one.where}: {one.problem}" for one in findings if one.result is None]
    entries = []
    for where, result, integrals in estimated:
        try:
            found = correction(tables[where], integrals[truths], n_gen=n_gen, level=options.level)
            entries.append(_entry(where, result, found))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    _show(options, entries)
    return complain(*problems)


def _prepare(options: argparse.Namespace, members: SampleFiles, size: int) -> None:
    """Says in the folder of the trainings what they are of; a ValueError if it has those of something else."""
    from gampl.files.public import sha256

    digests = [sha256(path) for path in members.files]
    settings = {name: getattr(options, name) for name in ("command", "n_train", "seed")}
    content = json.dumps(settings | {"size": size, "members": digests}, indent=1)
    known: Path = options.folder / SETTINGS
    if not known.exists():
        write_bytes(known, content.encode())
    if known.read_text(encoding="utf-8") != content:
        raise ValueError(f"--folder: {options.folder} has trainings of other members or by other options: name another")


def _draw(process: Process, path: Path, train: Path, rng: np.random.Generator) -> None:
    """Writes a training sample of a member's events, of the same kind as its file."""
    from gampl.report.samples import opened

    assert process.members is not None  # noqa: S101
    events: Any
    if path.suffix.lower() == ".npy" and process.members.sample is None:
        events = np.load(path, mmap_mode="r", allow_pickle=False)
    else:
        with opened(path, process.members, process.layout) as file:
            events = writing.read_whole(file, train)
    n = len(next(iter(events.values()))) if isinstance(events, dict) else len(events)
    if n < TIMES * process.n_train:
        raise ValueError(f"{path}: has {n} events, expected at least {TIMES} n_train to draw training samples from")
    rows = rng.permutation(np.sort(rng.choice(n, process.n_train, replace=False)))
    drawn = {name: column[rows] for name, column in events.items()} if isinstance(events, dict) else events[rows]
    array = io.BytesIO()
    if isinstance(drawn, np.ndarray):
        np.save(array, drawn)
    write_bytes(train, array.getvalue() or writing.content(train, drawn))


def _trained(words: Sequence[str], train: Path, size: int, seed: Sequence[int]) -> Iterator[Path]:
    """The files of the members of a set, those that are missing trained; a ValueError if one cannot be."""
    for m in range(size):
        output = train.with_name(f"member_{m}{train.suffix}")
        if not output.exists():
            part = output.with_name(f"part_{output.name}")
            number = int(np.random.SeedSequence([*seed, m]).generate_state(1)[0] >> 1)
            line = list(words)
            for name, value in {"{train}": train, "{output}": part, "{seed}": number}.items():
                line = [word.replace(name, str(value)) for word in line]
            done = subprocess.run(line, check=False, capture_output=True, text=True)
            if done.returncode:
                last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
                raise ValueError(f"{shlex.join(line)} ended with status {done.returncode}: {last}")
            if not part.is_file():
                raise ValueError(f"{shlex.join(line)} has not written {part}")
            os.replace(part, output)
        yield output


def _entry(where: str, result: "Amplification", found: "Correction") -> dict[str, Any]:
    """The correction of a region, and what it makes of G."""
    n_equiv, interval = found.n_equiv(result)
    return {
        "region": where,
        "factor": found.factor,
        "factor_interval": found.interval,
        "sets": found.sets,
        "before": result.words.removeprefix(" = ").strip(),
        "G": n_equiv / result.n_train,
        "interval": [end / result.n_train for end in interval],
    }


def _show(options: argparse.Namespace, entries: Sequence[dict[str, Any]]) -> None:
    """Writes and prints what was found."""
    from gampl.result import in_digits, percent  # SciPy's, for which no completion waits

    content = {"level": options.level, "n_train": options.n_train, "regions": entries}
    is_taken = write_json(options.json, content)
    rows = [["region", "error / scatter", "G before", "G corrected"]]
    for entry in entries:
        factor, G = (
            f"{in_digits(entry[name], 3)} ({' to '.join(in_digits(end, 3) for end in entry[ends])})"
            for name, ends in (("factor", "factor_interval"), ("G", "interval"))
        )
        rows.append([entry["region"], factor, entry["before"], G])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    say("\n".join([f"{percent(options.level)} confidence", "", *lines, "", MEANING]), is_error=is_taken)
