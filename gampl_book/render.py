"""Builds the HTML book from its stage; a site that was there before is replaced only by a complete new one."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

# the script jupyter-book has an absolute first line, which is wrong after the checkout was moved
JUPYTER_BOOK = [
    sys.executable,
    "-c",
    "import sys; from jupyter_book.cli.main import main; sys.argv[0] = 'jupyter-book'; main()",
]


def render(stage: Path, config: Path, site: Path) -> bool:
    """Builds the site, any warning being an error; returns whether it succeeded."""
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=site.parent) as folder:
        options = ["--config", str(config), "--path-output", folder, "-W", "--keep-going", "-q"]
        if subprocess.run([*JUPYTER_BOOK, "build", str(stage), *options], check=False).returncode:
            return False
        if site.exists():
            site.rename(Path(folder, "previous"))
        Path(folder, "_build", "html").rename(site)
    return True


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the HTML book.")
    parser.add_argument("stage", type=Path)
    parser.add_argument("--config", type=Path, default=Path("_config.yml"))
    parser.add_argument("-o", "--site", type=Path, required=True)
    args = parser.parse_args(arguments)
    if not render(args.stage, args.config, args.site):
        kept = f"; the earlier one is still in {args.site}" if args.site.exists() else ""
        print(f"the book was not built, see above{kept}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
