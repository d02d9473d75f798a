"""Makes, completes or mends .venv before every other target of make, with nothing but the standard library.

If all is well it returns in a blink. Whatever fails is said in one sentence, with the way to mend it.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "networks,lorentz,classifier,events,simulation,book,cluster,dev"
NEEDED_BYTES = 3_000_000_000
TAIL_LINES = 15
INTERRUPTED = 130
# what pip, venv and the system say -> what we say; the first that fits counts
REASONS = {
    r"No space left on device|Errno 28|Disk quota exceeded": (
        "The disk is full: about 3 GB are needed here, and some in the folder for temporary files (TMPDIR).\n"
        "Make room, then run make again: it goes on from here."
    ),
    r"Read-only file system|Permission denied|Errno 13\b|Errno 30\b": (
        "The project's folder cannot be written.\n"
        "Copy the project to a folder that is yours, or change the permissions, then run make again."
    ),
    r"\bensurepip\b": (
        f"The venv module of {sys.executable} is incomplete: it has no ensurepip.\n"
        "On Debian or Ubuntu: sudo apt-get install python3-venv, then run make again."
    ),
    r"NewConnectionError|Failed to establish a new connection|name resolution|Network is unreachable|getaddrinfo"
    r"|Max retries exceeded|Connection (refused|reset|aborted|broken)|timed out|ProxyError|SSLError": (
        "The package index cannot be reached; installing needs the network, building the book does not.\n"
        "Check the connection and the proxy settings, then run make again: it goes on from here."
    ),
    r"": "The environment .venv could not be made, see above.\nMend that, then run make again: it goes on from here.",
}


class SetupError(Exception):
    """The environment cannot be made; the message says why and how to mend it."""


class Environment:
    """The virtual environment of a checkout."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "installed.json"  # written last: what was asked for and is there
        lines = (root / "constraints.txt").read_text().splitlines()
        self.pins = [line for line in lines if line and not line.startswith("#")]

    def is_current(self) -> bool:
        """Whether all is there that should be, and works."""
        return self.is_complete() and self.works()

    def is_complete(self) -> bool:
        """Whether the packages that are needed now were installed and still are."""
        try:
            stamp = json.loads(self.stamp.read_text())
            return stamp["wanted"] == self.requirements() and set(stamp["packages"]) <= set(self.packages())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def requirements(self) -> list[object]:
        """All that decides what has to be installed."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text())["project"]
        tables = [project.get(name) for name in ("dependencies", "optional-dependencies", "scripts")]
        return [EXTRAS, tables, list(sys.version_info[:2]), self.pins]

    def packages(self) -> list[str]:
        """Names and versions of what is installed."""
        return sorted(path.name for path in self.folder.glob("lib/python*/site-packages/*.dist-info"))

    def works(self, with_project: bool = True) -> bool:
        """Whether its interpreter starts, has pip, is of the version that runs this script, and imports the project."""
        checks = f"import pip, sys; assert sys.version_info[:2] == {sys.version_info[:2]}"
        if with_project:  # from this very folder, as it does not after a move or a copy
            package = str(self.root / "gampl" / "__init__.py")
            checks += "; import importlib.util, os"
            checks += f"; assert os.path.samefile(importlib.util.find_spec('gampl').origin, {package!r})"
        # -I: nothing from outside, neither PYTHONPATH nor the user's own packages, may stand in for what is missing
        try:
            subprocess.run([self.python, "-I", "-c", checks], capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    def make(self) -> None:
        """Makes the environment, or goes on where an earlier attempt stopped; raises SetupError if it cannot."""
        if (self.folder.exists() or self.folder.is_symlink()) and not self.works(with_project=False):
            _say("The environment .venv is broken, or of another Python: making it anew.")
            if self.folder.is_symlink():
                self.folder.unlink()
            else:
                shutil.rmtree(self.folder)
        if not self.stamp.exists():
            free = shutil.disk_usage(self.root).free
            if free + sum(file.lstat().st_size for file in self.folder.rglob("*")) < NEEDED_BYTES:
                need = f"about 3 GB are needed, {free / 1e9:.1f} GB are free in {self.root}"
                raise SetupError(f"Too little disk space: {need}.\nMake room, then run make again.")
        if not self.folder.exists():
            _say(f"Making .venv with Python {sys.version.split()[0]}")
            # not sys.executable: in an activated .venv that is the file which is about to be made
            run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(self.folder)], self.root)
        if self.is_complete():
            _say("The project's folder was moved: installing it at its new place")
            options = ["--no-deps", "--no-build-isolation", "-e", "."]
        else:
            self.stamp.unlink(missing_ok=True)
            _say("Installing packages; the first time this takes a minute or more, and about 2 GB")
            options = ["-c", "constraints.txt", "-e", f".[{EXTRAS}]"]
        run([str(self.python), "-m", "pip", "install", *options], self.root, expected=len(self.pins))
        if not self.works():
            raise SetupError("The environment .venv does not work although pip says so.\nRemove it: make distclean")
        # half of it, of a make that was killed, is not JSON: as good as none
        self.stamp.write_text(json.dumps({"wanted": self.requirements(), "packages": self.packages()}))


def run(command: list[str], folder: Path, expected: int = 0) -> None:
    """Runs pip or venv in a folder, with a line for each of about so many packages; SetupError says why it failed."""
    variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    variables |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    output, n_packages = list[str](), 0
    with subprocess.Popen(command, cwd=folder, env=variables, **how) as process:  # type: ignore[call-overload]
        for line in process.stdout:
            output.append(line)
            if package := re.match(r"Collecting ([\w.-]+)|Processing \S*/(\w+)-", line):
                n_packages += 1
                _say(f"  {n_packages} of about {max(n_packages, expected)}: {package[1] or package[2]}")
            elif line.startswith("Installing collected packages"):
                _say("  unpacking")
    if process.returncode:
        _say("".join(output[-TAIL_LINES:]))
        raise SetupError(_explain("".join(output)))


def _explain(output: str) -> str:
    return next(sentences for pattern, sentences in REASONS.items() if re.search(pattern, output))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(root: Path = ROOT) -> int:
    """Brings the environment up to date; returns the exit code."""
    environment = Environment(root)
    try:
        if not environment.is_current():
            with (root / "pyproject.toml").open() as project:
                fcntl.flock(project, fcntl.LOCK_EX)  # of two makes at a time the second waits for the first
                if not environment.is_current():
                    environment.make()
        return 0
    except SetupError as error:
        _say(f"\n{error}\n")
    except OSError as error:
        _say(f"{error}\n\n{_explain(str(error))}\n")
    except KeyboardInterrupt:
        _say("\nStopped. Run make again to go on from here.\n")
        return INTERRUPTED
    return 1


if __name__ == "__main__":
    sys.exit(main())
