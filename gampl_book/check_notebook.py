"""Runs a committed reference notebook again and compares what it prints: nbval, in lax mode.

python -m gampl_book.check_notebook averaging --ok _build/smoke/nbval/averaging.ok
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from gampl_book import notebook_env
from gampl_book.make_reference import REMEDY, is_current

SANITIZE = Path("tests/nbval_sanitize.cfg")


def check(source: Path, reference: Path) -> str:
    """What is wrong with a notebook as compared with its reference; empty if nothing is."""
    if not reference.is_file():
        return f"notebook {source.stem} has no reference {reference}: make it with `make reference`"
    if not is_current(reference, source):
        return f"the code of {source} is not that of {reference}: {REMEDY}"
    with tempfile.TemporaryDirectory(prefix="nbval-", ignore_cleanup_errors=True) as folder:
        output = Path(folder, "output")
        (output / "figures").mkdir(parents=True)
        notebook_env.enter(Path(folder), output, "smoke")
        settings = ["-o", "addopts=", "-o", "filterwarnings=default", "-p", "no:cacheprovider", "--noconftest"]
        nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-sanitize-with", str(SANITIZE)]
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", *settings, *nbval, str(reference)], check=False)
    if done.returncode:
        return f"notebook {source.stem} does not print what {reference} says, see above: {REMEDY}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Compare a notebook's printed numbers with its reference.")
    parser.add_argument("notebook", help="its name, e.g. averaging")
    parser.add_argument("--ok", type=Path, required=True, help="file to write when all is well")
    args = parser.parse_args(arguments)
    complaint = check(Path("notebooks", f"{args.notebook}.py"), Path("tests/reference", f"{args.notebook}.ipynb"))
    if complaint:
        print(f"\n{complaint}", file=sys.stderr)
        return 1
    args.ok.parent.mkdir(parents=True, exist_ok=True)
    args.ok.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
