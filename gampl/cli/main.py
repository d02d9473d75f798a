"""The command line: amplification of your own samples, and making LHC events."""

import argparse
import sys
from collections.abc import Sequence

from gampl.cli.events import add_commands as add_events_commands
from gampl.cli.plan import add_commands as add_plan_command
from gampl.cli.samples import add_commands as add_sample_commands

EXTRAS = {"torch": "networks", "zuko": "networks", "safetensors": "networks", "sklearn": "classifier"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gampl", description=__doc__)
    commands = parser.add_subparsers(required=True)

    add_sample_commands(commands)
    add_plan_command(commands)
    add_events_commands(commands)

    return run(parser.parse_args(arguments), "gampl")


def run(options: argparse.Namespace, program: str) -> int:
    """Run the command that was chosen; errors that users can mend become one line. Returns the exit status."""
    try:
        return int(options.run(options))
    except ModuleNotFoundError as error:
        print(f"{program}: {_missing(error, getattr(options, 'extra', None))}", file=sys.stderr)
        return 1
    except (ValueError, OSError, FloatingPointError, RuntimeError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted; the same command goes on from what is already done", file=sys.stderr)
        return 130


def _missing(error: ModuleNotFoundError, extra: str | None) -> str:
    """What to install, for a package that comes with an extra: the command's, or the package's own."""
    if "pip install" in str(error):
        return str(error)
    name = (error.name or str(error)).partition(".")[0]
    extra = extra or EXTRAS.get(name, "events")
    return f"this needs the package {name}, which is not installed: pip install 'gampl[{extra}]'"
