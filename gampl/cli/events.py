"""The commands ``gampl events make``, ``merge`` and ``verify``."""

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from gampl.basics import counted
from gampl.cli.arguments import whole
from gampl.cli.terminal import say
from gampl.simulation.seeds import seeds as parse_seeds, seeds_of_sample
from gampl.store import targets


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands to those of the command line."""
    events = commands.add_parser("events", help="make LHC events").add_subparsers(required=True)

    make = events.add_parser(
        "make",
        help="make events in shards, one per seed",
        description="Makes events in shards, one per seed; the same seed gives the same bytes. Shards that are there"
        " are left alone, so that the same command goes on where it was interrupted, and several may share a folder.",
        epilog="example: gampl events make top_pair --folder shards --seeds 1-74",
    )
    make.add_argument("recipe", choices=("dilepton", "top_pair", "z_jets"))
    make.add_argument("--folder", type=Path, required=True, help="where the shards go; one recipe for each folder")
    make.add_argument("--seeds", required=True, help="a number or a range such as 1-74: one shard for each")
    make.add_argument("--events", type=whole, help="generated events in each shard (default: 20000)")
    make.add_argument("--cores", type=whole, help="processes at a time (default: all cores)")
    how = "change the recipe: any field of a recipe of gampl.simulation, the value as JSON"
    make.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=how)
    make.add_argument("--quiet", action="store_true", help="no progress bar")
    make.set_defaults(run=_make, extra="simulation")

    merge = events.add_parser(
        "merge",
        help="join shards into one file of a training sample and a holdout",
        epilog="example: gampl events merge --from shards 1-37 38-74 --sample extra_jets_0 --output top_pair_0j.h5",
    )
    how = "a folder of shards, the seeds of the training sample and those of the holdout, - for none; may be repeated"
    parts = ("FOLDER", "TRAIN", "HOLDOUT")
    merge.add_argument("--from", dest="sources", nargs=3, action="append", required=True, metavar=parts, help=how)
    merge.add_argument("--sample", default="events", help="extra_jets_0, extra_jets_1, ... of top pairs")
    how = "write these, such as m_tt or 'pT(b1)', as columns of a table instead of momenta"
    merge.add_argument("--observables", nargs="+", default=[], metavar="NAME", help=how)
    merge.add_argument("--output", type=Path, required=True)
    merge.set_defaults(run=_merge, extra="simulation")

    verify = events.add_parser("verify", help="compare the shards of a folder with their checksums")
    verify.add_argument("folder", type=Path)
    verify.set_defaults(run=_verify, extra="simulation")


def _make(options: argparse.Namespace) -> int:
    from gampl.simulation import production
    from gampl.simulation.shards import EVENTS_PER_SHARD

    recipe = _recipe(production.RECIPES[options.recipe], options.set)
    seeds = parse_seeds(options.seeds)
    for name in ("events", "cores"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name} must be positive, got {value}")
    number, cores = options.events or EVENTS_PER_SHARD, min(options.cores or production.cores(), len(seeds))
    made = production.make_shards(options.folder, recipe, seeds, number, cores, show_progress=not options.quiet)
    seconds, generated = sum(shard.seconds for shard in made), sum(shard.generated for shard in made)
    rate = f"{seconds:.0f} s of one core ({generated / seconds:.0f}/s)"
    say(f"{counted(len(made), 'shard')}, {counted(generated, 'generated event')}, {rate}")
    for step in made[0].passed:
        number = sum(shard.passed[step] for shard in made)
        say(f"  {step:20} {number:12} {number / generated:10.4%}")
    return 0


def _merge(options: argparse.Namespace) -> int:
    from gampl.simulation import merging

    targets.check(options.output, make_folder=True)
    shards = [path for folder, *_ in options.sources for path in Path(folder).glob("*")]
    targets.check_different({"--output": options.output}, shards)
    sources = [merging.Source(Path(folder), *map(seeds_of_sample, seeds)) for folder, *seeds in options.sources]
    sizes = merging.merge(sources, options.sample, options.output, options.observables)
    lines = [f"{options.output}: {', '.join(f'{number} {part}' for part, number in sizes.items())}"]
    is_taken = targets.is_stdout(options.output)
    if options.output.is_file() and not is_taken:
        content = options.output.read_bytes()
        lines.append(f"  {len(content) / 1e6:.2f} MB, sha256 {hashlib.sha256(content).hexdigest()}")
    say("\n".join(lines), is_error=is_taken)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from gampl.simulation import shards

    seeds = shards.seeds(options.folder)
    for shard in shards.read_all(options.folder, seeds):
        shards.verify(options.folder, shard)
    say(f"{options.folder}: the checksums of {counted(len(seeds), 'shard')} agree")
    return 0


def _recipe(kind: type[Any], changes: list[str]) -> Any:
    """A recipe with some fields changed, each as ``name=value``; it checks the values itself."""
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    values = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in defaults:
            raise ValueError(f"--set expects NAME=VALUE with a name out of {', '.join(defaults)}; got {change!r}")
        try:
            values[name] = json.loads(text)
        except ValueError:
            example = json.dumps(defaults[name])
            raise ValueError(f"--set {name}: expected a value as JSON, such as {example}; got {text!r}") from None
    return kind(**values)
