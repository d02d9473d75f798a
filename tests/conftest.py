"""What all tests share: no time limits, the helpers of the book's tests, and trainings that really happen."""

import os
import signal
import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("gampl", deadline=None)  # tests are never timed
settings.load_profile("gampl")

sys.path.insert(0, str(Path(__file__).resolve().parent / "book"))

os.environ["GAMPL_KEPT"] = ""  # a test that wants kept networks says so

# Started in the background of a shell without job control, as some runners do, processes ignore Ctrl-C, and so would
# every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
