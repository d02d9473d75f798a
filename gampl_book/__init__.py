"""What makes the book, beside the package that it shows: pages, plans, profiles, claims, costs, steps of the work.

It imports `gampl` and is never imported by it. Each step is a plain command, ``python -m gampl_book.<step>``, run from
the checkout.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "gampl", ROOT / "gampl_book")  # whose files are ours: a change in them is a change of what they make
