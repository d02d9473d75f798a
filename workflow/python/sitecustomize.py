"""Lets every interpreter of the workflow find `gampl` and `gampl_book` in this checkout, and nothing else there.

PYTHONPATH names this folder, and Python runs this file when it starts. With the checkout itself on that path a stray
``json.py`` in it would stand in for the standard library's. What is installed, perhaps of another checkout, is not
asked for these two.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("gampl", "gampl_book")


class Checkout(MetaPathFinder):
    """Finds our packages."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Where a package of ours lies; None for all others, which are looked for as always."""
        return PathFinder.find_spec(name, [str(HERE.parents[1])]) if name in PACKAGES else None


sys.meta_path.insert(0, Checkout())

if __name__ == "sitecustomize":  # one of the machine's own, which this file hides, does what it would have done
    others = [folder for folder in sys.path if Path(folder).resolve() != HERE]
    if (hidden := PathFinder.find_spec(__name__, others)) and hidden.loader:
        hidden.loader.exec_module(module_from_spec(hidden))
