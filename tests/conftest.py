"""Makes the scripts in tools/ importable: they import each other by their bare names, as scripts do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
