"""``python -m gampl``."""

import sys

from gampl.cli import main

sys.exit(main())
