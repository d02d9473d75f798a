"""The command ``gampl plan``: how many members and events a wanted precision of G takes."""

import argparse
from pathlib import Path
from textwrap import wrap

from gampl.basics import ArgumentError
from gampl.cli.terminal import say, write_json
from gampl.store import targets

OPTIONS = {"precision": "--factor", "n_train": "--n-train"}  # where they differ from the argument's name
HOW_MEMBERS = (
    "Make the members from bootstrapped copies of the training sample (each event counts a Poisson number of times) or "
    "draw them from a Bayesian posterior: members that differ in nothing but their initial weights make G too large, "
    "however many there are."
)


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of the command line."""
    plan = commands.add_parser(
        "plan",
        help="how many members and events a wanted precision of G takes",
        description="Says how many members, generated events and true events held out it takes to know the"
        " amplification factor G to a wanted factor, with either method, before any of them is made.",
        epilog="example: gampl plan --factor 1.5 --n-train 10000 --probability 0.02",
    )
    add = plan.add_argument
    add("--factor", type=float, required=True, help="wanted factor between G and the farther end of its interval")
    add("--n-train", type=float, required=True, help="training events")
    add("--probability", type=float, required=True, help="share of the events that lie in the region")
    add("--G", type=float, default=1.0, help="amplification factor to assume (default: 1)")
    add("--members", type=float, help="members of the posterior, if their number is fixed")
    add("--level", type=float, default=0.683, help="confidence level of the interval (default: 0.683)")
    add("--assurance", type=float, default=0.5, help="share of experiments that keep the factor (default: 0.5)")
    add("--json", type=Path, metavar="FILE", help="write the plans to this file")
    plan.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> int:
    from gampl import planning  # SciPy's distributions, for which no other command or completion waits
    from gampl.result import in_digits, percent

    common = {"G": options.G, "level": options.level, "assurance": options.assurance}
    aim = (options.factor, options.n_train)
    try:
        averaging = planning.averaging(*aim, options.probability, members=options.members, **common)
        differential = planning.differential(*aim, **common)
    except ArgumentError as error:
        raise ValueError(f"{OPTIONS.get(error.argument, '--' + error.argument)} {error.problem}") from None
    if options.json is not None:
        targets.check(options.json, make_folder=True)
    plans = (averaging, differential)
    is_taken = write_json(options.json, {"averaging": averaging.to_dict(), "differential": differential.to_dict()})
    rows = [
        ("", "averaging", "differential"),
        ("generators", averaging.members, 1),
        ("generated events of each", averaging.n_gen, differential.n_gen),
        ("of these in the region", round(averaging.inside), "-"),
        ("true events held out", "-", differential.n_ref),
        ("expected interval of G", *(" to ".join(map(in_digits, plan.interval)) for plan in plans)),
        ("pooled members, at least", f"{in_digits(averaging.pooled_at_least)} n_train", "-"),
        (f"factor, {percent(averaging.assurance)} of the time", *(f"{plan.factor:.3g}" for plan in plans)),
        *((f"or with {way.n_gen} of each", f"{way.needed} members", "") for way in averaging.alternatives),
        *((f"or with {way.n_gen}", "", f"{way.needed} held out") for way in differential.alternatives),
    ]
    lines = [f"G = {averaging.G:g}, n_train = {averaging.n_train}, {percent(averaging.level)} confidence", ""]
    lines += [f"{name:28} {left:>16} {right:>16}".rstrip() for name, left, right in rows]
    lines += ["", f"checking the members' calibration would take about {averaging.n_check} true events held out"]
    lines += wrap(HOW_MEMBERS, 96)
    say("\n".join(lines + [f"note: {note}" for note in averaging.notes]), is_error=is_taken)
    return 0
