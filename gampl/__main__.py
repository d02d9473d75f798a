"""``python -m gampl``."""

import sys

from gampl.cli.main import main

sys.exit(main())
